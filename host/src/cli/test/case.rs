//! One case: a query, its rows, and what must come out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Map, Value as Json};

use super::compare::{Comparison, Difference};
use super::{diff, rows};
use crate::batch::write_row;
use crate::fault::Fault;
use crate::job::{Folder, FunctionSettings};
use crate::pipeline::bounded::{Bounded, BoundedInput, Cut};
use crate::pipeline::engine::OnError;
use crate::query::Script;
use crate::time::Timestamp;
use crate::udf::Limits;
use crate::window::time::Policies;

/// A row of an output.
pub(super) type Row = Map<String, Json>;

/// One case.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) name: String,
    /// The query's file and text.
    pub(super) script: (String, String),
    pub(super) inputs: Vec<BoundedInput>,
    pub(super) references: Vec<BoundedInput>,
    pub(super) functions: Vec<FunctionSettings>,
    /// Where functions' files are.
    pub(super) folder: Folder,
    pub(super) ordering: Option<Policies>,
    pub(super) policies: Policies,
    pub(super) on_error: OnError,
    pub(super) now: Timestamp,
    pub(super) expected: Vec<Expected>,
    /// The job must stop with an error that contains this.
    pub(super) error: Option<String>,
    /// So many rows must go no further.
    pub(super) rejected: Option<usize>,
    pub(super) comparison: Comparison,
    /// Where rows that came out are written; `None`: nowhere.
    pub(super) output_path: Option<PathBuf>,
    /// Where an expectation of an output without one belongs.
    pub(super) expected_folder: Option<PathBuf>,
    pub(super) notes: Vec<String>,
}

/// What an output must hold.
#[derive(Debug)]
pub(super) struct Expected {
    pub(super) output: String,
    pub(super) path: PathBuf,
    pub(super) required: bool,
}

/// What became of one output.
#[derive(Debug)]
pub(super) struct OutputOutcome {
    pub(super) output: String,
    pub(super) expected: Option<PathBuf>,
    pub(super) actual: Option<PathBuf>,
    pub(super) verdict: Verdict,
}

#[derive(Debug)]
pub(super) enum Verdict {
    Matched,
    NotEqual(Difference),
    Missing,
    /// With so many rows.
    Unexpected(usize),
    Unrequired,
    Updated,
}

/// What became of a case.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) name: String,
    pub(super) time: Duration,
    pub(super) outputs: Vec<OutputOutcome>,
    /// What is wrong apart from the outputs.
    pub(super) problem: Option<String>,
    pub(super) notes: Vec<String>,
    /// Whether it is of a testConfig.json.
    pub(super) is_configured: bool,
}

impl Outcome {
    pub(super) fn is_passed(&self) -> bool {
        let fine = |outcome: &OutputOutcome| matches!(outcome.verdict, Verdict::Matched | Verdict::Unrequired | Verdict::Updated);
        self.problem.is_none() && self.outputs.iter().all(fine)
    }

    /// What is wrong, for people.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        if let Some(problem) = &self.problem {
            text.push_str(problem);
            text.push('\n');
        }
        for outcome in &self.outputs {
            match &outcome.verdict {
                Verdict::Matched | Verdict::Unrequired => {}
                Verdict::Updated => text.push_str(&format!("{}: expectation rewritten\n", outcome.output)),
                Verdict::NotEqual(difference) => text.push_str(&diff::text(&outcome.output, difference)),
                Verdict::Missing if self.problem.is_some() => {}
                Verdict::Missing => text.push_str(&format!("{}: the query does not write to this output\n", outcome.output)),
                Verdict::Unexpected(rows) => text.push_str(&format!(
                    "{}: {rows} rows came, and the case says nothing of this output (--update writes them down)\n",
                    outcome.output
                )),
            }
        }
        text
    }
}

/// What a run wrote: the outputs in the query's order.
type Written = Vec<(String, Vec<Row>)>;

impl Case {
    fn bounded(&self) -> Bounded<'_> {
        Bounded {
            script: Script { file: &self.script.0, text: &self.script.1 },
            outputs: None,
            inputs: self.inputs.clone(),
            references: self.references.clone(),
            functions: self.functions.clone(),
            folder: self.folder.clone(),
            ordering: self.ordering,
            policies: self.policies,
            on_error: self.on_error,
            explain: false,
            cut: Cut::Whole,
            now: self.now,
            limits: Limits::default(),
        }
    }

    /// # Errors
    /// What is wrong with the query or its functions.
    pub(super) fn compiles(&self) -> Result<(), Fault> {
        self.bounded().compiles()
    }

    /// Runs it. With `update`, expectations become what came out.
    ///
    /// # Errors
    /// When a file cannot be read or written; that the job fails is an outcome.
    pub(super) fn run(&self, update: bool) -> Result<Outcome, Fault> {
        let start = Instant::now();
        let mut rows: BTreeMap<String, Vec<Row>> = BTreeMap::new();
        let ran = self.bounded().run(&mut |output, batch| {
            let rows = rows.entry(output.to_lowercase()).or_default();
            let mut text = Vec::new();
            for row in 0..batch.rows() {
                text.clear();
                write_row(batch, row, &mut text);
                let row = serde_json::from_slice(&text).map_err(|error| Fault::internal(format!("a row is no JSON: {error}")))?;
                rows.push(row);
            }
            Ok(())
        });
        let mut outcome = Outcome {
            name: self.name.clone(),
            time: Duration::ZERO,
            outputs: Vec::new(),
            problem: None,
            notes: self.notes.clone(),
            is_configured: self.output_path.is_some(),
        };
        match (&self.error, ran) {
            (Some(part), Err(fault)) if fault.to_string().to_lowercase().contains(&part.to_lowercase()) => {}
            (Some(part), Err(fault)) => outcome.problem = Some(format!("the job is to stop with '{part}', it stopped with: {fault}")),
            (Some(part), Ok(_)) => outcome.problem = Some(format!("the job is to stop with '{part}', it went through")),
            (None, Err(fault)) => {
                outcome.problem = Some(format!("the job stopped: {fault}"));
                outcome.outputs = self.expected.iter().map(|expected| expected.outcome(None, expected.verdict(Verdict::Missing))).collect();
            }
            (None, Ok(summary)) => {
                let count = summary.rejected.len();
                if self.rejected.is_some_and(|expected| expected != count) {
                    let first = summary.rejected.first().map(|row| format!(", the first one: {}", row.reason)).unwrap_or_default();
                    outcome.problem =
                        Some(format!("{count} rows went no further, {} are expected{first}", self.rejected.unwrap_or_default()));
                } else if let (None, Some(first)) = (self.rejected, summary.rejected.first()) {
                    outcome.notes.push(format!("{count} rows went no further, the first one ({}): {}", first.step, first.reason));
                }
                let written: Written = summary
                    .outputs
                    .iter()
                    .map(|output| (output.clone(), rows.remove(&output.to_lowercase()).unwrap_or_default()))
                    .collect();
                outcome.outputs = self.compare(&written, update)?;
            }
        }
        outcome.time = start.elapsed();
        Ok(outcome)
    }

    fn compare(&self, written: &Written, update: bool) -> Result<Vec<OutputOutcome>, Fault> {
        let mut outcomes = Vec::new();
        for expected in &self.expected {
            let Some((output, found)) = written.iter().find(|(output, _)| output.eq_ignore_ascii_case(&expected.output)) else {
                outcomes.push(expected.outcome(None, expected.verdict(Verdict::Missing)));
                continue;
            };
            let actual = self.keep(output, found)?;
            if !expected.required {
                outcomes.push(expected.outcome(actual, Verdict::Unrequired));
                continue;
            }
            let wanted = if update { rows::read(&expected.path).ok() } else { Some(rows::read(&expected.path)?) };
            let difference = wanted.as_deref().and_then(|wanted| self.comparison.compare(wanted, found));
            let verdict = match (difference, update) {
                (None, _) if wanted.is_some() => Verdict::Matched,
                (Some(difference), false) => Verdict::NotEqual(difference),
                _ => {
                    rows::rewrite(&expected.path, found)?;
                    Verdict::Updated
                }
            };
            outcomes.push(expected.outcome(actual, verdict));
        }
        let is_expected = |output: &str| self.expected.iter().any(|expected| expected.output.eq_ignore_ascii_case(output));
        for (output, found) in written.iter().filter(|(output, found)| !is_expected(output) && !found.is_empty()) {
            let actual = self.keep(output, found)?;
            let verdict = match &self.expected_folder {
                Some(folder) if update => {
                    rows::rewrite(&folder.join(format!("{output}.jsonl")), found)?;
                    Verdict::Updated
                }
                _ => Verdict::Unexpected(found.len()),
            };
            outcomes.push(OutputOutcome { output: output.clone(), expected: None, actual, verdict });
        }
        Ok(outcomes)
    }

    /// Writes rows where the results go.
    fn keep(&self, output: &str, found: &[Row]) -> Result<Option<PathBuf>, Fault> {
        let Some(place) = &self.output_path else { return Ok(None) };
        let path = place.join(file_name(&self.name)).join(format!("{}.json", file_name(output)));
        rows::write_lines(&path, found)?;
        Ok(Some(path))
    }
}

impl Expected {
    fn verdict(&self, verdict: Verdict) -> Verdict {
        if self.required { verdict } else { Verdict::Unrequired }
    }

    fn outcome(&self, actual: Option<PathBuf>, verdict: Verdict) -> OutputOutcome {
        OutputOutcome { output: self.output.clone(), expected: Some(self.path.clone()), actual, verdict }
    }
}

/// A name as one part of a path.
fn file_name(name: &str) -> String {
    let name: String =
        name.chars().map(|letter| if letter.is_control() || "/\\:*?\"<>|".contains(letter) { '_' } else { letter }).collect();
    if Path::new(&name).file_name().is_some() { name } else { "_".to_owned() }
}
