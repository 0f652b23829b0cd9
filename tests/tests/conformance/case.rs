//! One case, and how it is run.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use tamis::batch::write_row;
use tamis::job::{Folder, FunctionBody, FunctionSettings};
use tamis::pipeline::bounded::{Bounded, BoundedInput, Cut, Data, default_policies};
use tamis::pipeline::engine::OnError;
use tamis::query::Script;
use tamis::source::FileFormat;
use tamis::time::Timestamp;
use tamis::udf::Limits;
use tamis::window::time::{OnViolation, Policies};

use crate::compare::compare;

/// What a case must come to.
#[derive(Debug)]
pub(crate) enum Expected {
    /// The rows of each output; those that are not named are empty.
    Rows(BTreeMap<String, Vec<Map<String, Value>>>),
    /// The job stops with an error that contains this text, in any case of its letters.
    Error(String),
}

/// One case.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) query: String,
    /// Name, format and text of each input.
    pub(crate) inputs: Vec<(String, FileFormat, String)>,
    pub(crate) references: Vec<(String, FileFormat, String)>,
    /// Name, text, and whether it is an aggregate.
    pub(crate) functions: Vec<(String, String, bool)>,
    /// Late and out-of-order tolerance in seconds, and whether what is beyond is dropped.
    pub(crate) ordering: Option<(i64, i64, bool)>,
    pub(crate) dead_letter: bool,
    /// How many rows and events must be rejected, when the case says so.
    pub(crate) rejected: Option<usize>,
    pub(crate) expected: Expected,
    pub(crate) ordered: bool,
    pub(crate) tolerance: f64,
}

/// What a run wrote.
type Written = BTreeMap<String, Vec<Map<String, Value>>>;

impl Case {
    /// Runs the case one way and says what is wrong.
    pub(crate) fn check(&self, cut: Cut) -> Result<(), String> {
        let mut written = Written::new();
        let ran = self.run(cut, &mut written);
        match (&self.expected, ran) {
            (Expected::Error(part), Err(error)) if error.to_lowercase().contains(&part.to_lowercase()) => Ok(()),
            (Expected::Error(part), Err(error)) => Err(format!("the error is to contain '{part}', it is: {error}")),
            (Expected::Error(part), Ok(_)) => Err(format!("an error with '{part}' is expected; written was {written:?}")),
            (Expected::Rows(_), Err(error)) => Err(format!("stopped: {error}")),
            (Expected::Rows(rows), Ok(rejected)) => {
                if self.rejected.is_some_and(|expected| expected != rejected) {
                    return Err(format!("{rejected} rows were rejected, {} are expected", self.rejected.unwrap_or_default()));
                }
                compare(rows, &written, self.ordered, self.tolerance)
            }
        }
    }

    fn run(&self, cut: Cut, written: &mut Written) -> Result<usize, String> {
        let function = |(name, text, aggregate): &(String, String, bool)| FunctionSettings {
            name: name.clone(),
            aggregate: *aggregate,
            returns: None,
            body: FunctionBody::JavaScript { file: format!("{name}.js"), text: text.clone() },
        };
        let input = |(name, format, text): &(String, FileFormat, String)| BoundedInput {
            name: name.clone(),
            format: *format,
            data: Data::Bytes(text.as_bytes().into()),
        };
        let bounded = Bounded {
            script: Script { file: "query.asaql", text: &self.query },
            outputs: None,
            inputs: self.inputs.iter().map(input).collect(),
            references: self.references.iter().map(input).collect(),
            functions: self.functions.iter().map(function).collect(),
            folder: Folder::on_disk("."),
            ordering: self.ordering.map(|(late, out_of_order, drop)| {
                let violation = if drop { OnViolation::Drop } else { OnViolation::Adjust };
                Policies::new(late, out_of_order, violation)
            }),
            policies: default_policies(),
            on_error: if self.dead_letter { OnError::DeadLetter } else { OnError::Stop },
            explain: false,
            cut,
            now: Timestamp::parse("2025-01-01T00:00:00Z").unwrap(),
            limits: Limits::default(),
        };
        let mut write = |output: &str, batch: &tamis::batch::Batch| {
            let rows = written.entry(output.to_lowercase()).or_default();
            for row in 0..batch.rows() {
                let mut text = Vec::new();
                write_row(batch, row, &mut text);
                rows.push(serde_json::from_slice(&text).unwrap());
            }
            Ok(())
        };
        let summary = bounded.run(&mut write).map_err(|fault| fault.to_string())?;
        summary.outputs.iter().for_each(|output| {
            written.entry(output.to_lowercase()).or_default();
        });
        Ok(summary.rejected.len())
    }
}
