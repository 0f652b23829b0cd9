//! `tamis test`: runs a project's cases and says what differs.
//!
//! - `config`: cases of the npm tool's `testConfig.json`
//! - `folder`: cases that are a folder each
//! - `case`: one case, and how it is run; `rows`: files with expected rows
//! - `compare`: rows against rows, by value; `diff`: what differs, for people
//! - `summary`: the npm tool's `testResultSummary.json`; `junit`: JUnit XML
//!
//! The process ends with 0 when all cases pass, 254 (-2) when some fail, 255 (-1) when they cannot be run, as the npm tool does.

mod case;
mod compare;
mod config;
mod diff;
mod folder;
mod junit;
mod rows;
mod summary;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use case::{Case, Outcome};

use crate::fault::Fault;
use crate::job::{Folder, Project};

/// Arguments of `tamis test`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The project's folder, or its asaproj.json; or a folder of cases. The present folder when none is named.
    #[arg(default_value = ".")]
    project: PathBuf,
    /// The cases, as the npm tool has them; test/testConfig.json of the project when it is there.
    #[arg(long, visible_alias = "testConfigPath")]
    config: Option<PathBuf>,
    /// Where the results of a testConfig.json go: testResultSummary.json and the rows of each case. The present folder when none is
    /// named.
    #[arg(long, visible_alias = "outputPath")]
    output_path: Option<PathBuf>,
    /// Rewrites the expected rows to what came out.
    #[arg(long)]
    update: bool,
    /// Writes the results as JUnit XML.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Only cases whose names contain this.
    #[arg(long)]
    filter: Option<String>,
}

/// Some cases failed: -2.
const FAILED: u8 = 254;
/// The cases cannot be run: -1.
const EXCEPTION: u8 = 255;
const CONFIG: &str = "test/testConfig.json";

/// All that is to be run.
#[derive(Debug, Default)]
struct Suite {
    cases: Vec<Case>,
    /// Whether a testConfig.json names some of them: the npm tool's summary is written.
    is_configured: bool,
    /// The project's query, for the summary.
    script: String,
}

pub(super) fn run(args: &Args) -> ExitCode {
    match tested(args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(FAILED),
        Err(fault) => {
            eprintln!("error: {fault}");
            ExitCode::from(EXCEPTION)
        }
    }
}

/// Answers whether all cases passed.
fn tested(args: &Args) -> Result<bool, Fault> {
    let Suite { mut cases, is_configured, script } = suite(args)?;
    let all = cases.len();
    if let Some(filter) = &args.filter {
        cases.retain(|case| case.name.contains(filter.as_str()));
    }
    if cases.is_empty() {
        let message = match &args.filter {
            Some(filter) if all > 0 => format!("none of the {all} cases has '{filter}' in its name"),
            _ => format!("there are no cases: neither {CONFIG} nor a folder tests/CASE with inputs/ and expected/"),
        };
        return Err(Fault::job(message).at(args.project.display().to_string()));
    }
    if !args.update {
        // A query that does not compile is no failed test.
        cases.iter().filter(|case| case.output_path.is_some()).try_for_each(Case::compiles)?;
    }
    let start = Instant::now();
    let mut outcomes = Vec::new();
    for case in &cases {
        let outcome = case.run(args.update)?;
        report(&outcome);
        outcomes.push(outcome);
    }
    let passed = outcomes.iter().filter(|outcome| outcome.is_passed()).count();
    println!("{passed} of {} cases passed", outcomes.len());
    if is_configured {
        let place = args.output_path.clone().unwrap_or_default();
        summary::write(&place, &script, outcomes.iter().filter(|outcome| outcome.is_configured), start.elapsed())?;
    }
    if let Some(path) = &args.junit {
        junit::write(path, &script, &outcomes, start.elapsed())?;
    }
    Ok(passed == outcomes.len())
}

/// Finds the cases: of a project, or of a folder of cases.
fn suite(args: &Args) -> Result<Suite, Fault> {
    let root = super::project_folder(&args.project);
    let mut suite = Suite::default();
    let is_project = root.join("asaproj.json").is_file() || args.config.is_some();
    if !is_project && folder::is_case(&root, false) {
        suite.cases.push(folder::read(&root, None)?);
        return Ok(suite);
    }
    if !is_project && folder::has_cases(&root) {
        suite.cases.extend(folder::read_all(&root, None)?);
        return Ok(suite);
    }
    let project = Project::read(Folder::on_disk(&root))?;
    suite.script = absolute(Path::new(&project.script.file)).display().to_string();
    let config = args.config.clone().unwrap_or_else(|| root.join(CONFIG));
    if args.config.is_some() || config.is_file() {
        suite.is_configured = true;
        suite.cases.extend(config::read(&config, &project, &absolute(&args.output_path.clone().unwrap_or_default()))?);
    }
    if args.config.is_none() {
        suite.cases.extend(folder::read_all(&root.join("tests"), Some(&project))?);
    }
    Ok(suite)
}

fn absolute(path: &Path) -> PathBuf {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

fn report(outcome: &Outcome) {
    for note in &outcome.notes {
        println!("     {}: {note}", outcome.name);
    }
    let (word, seconds) = (if outcome.is_passed() { "ok  " } else { "FAIL" }, outcome.time.as_secs_f64());
    println!("{word} {} ({seconds:.2} s)", outcome.name);
    let text = outcome.text();
    for line in text.lines() {
        println!("     {line}");
    }
}
