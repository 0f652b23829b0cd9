//! Cases that are a folder each: `query.asaql` (or the project's query), `inputs/`, `reference/`, `functions/`, `expected/`,
//! and `case.json` with settings. All but `inputs/` and `expected/` may be left out.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::case::{Case, Expected};
use super::compare::Comparison;
use super::config::complete;
use crate::cli::bind::{self, Named};
use crate::fault::Fault;
use crate::job::{Folder, FunctionSettings, Project};
use crate::pipeline::bounded::{BoundedInput, Data, default_policies};
use crate::pipeline::engine::OnError;
use crate::time::{TICKS_PER_SECOND, Timestamp};
use crate::window::time::{OnViolation, Policies};

/// `case.json`. Times are in seconds.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    /// What the case is about; nobody reads it here.
    #[serde(alias = "description", alias = "comment")]
    about: Option<serde_json::Value>,
    late_arrival_seconds: Option<f64>,
    out_of_order_seconds: Option<f64>,
    early_arrival_seconds: Option<f64>,
    policy: Option<Policy>,
    on_error: Option<OnFailure>,
    now: Option<String>,
    error: Option<String>,
    rejected: Option<usize>,
    ordered: bool,
    case_sensitive: bool,
    column_order: bool,
    tolerance: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Policy {
    #[serde(alias = "Adjust")]
    Adjust,
    #[serde(alias = "Drop")]
    Drop,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum OnFailure {
    Stop,
    DeadLetter,
}

const QUERY: &str = "query.asaql";
const SETTINGS: &str = "case.json";

/// What the clock says in tests: 2025-01-01T00:00:00Z, unless a case says another time.
pub(super) fn start_of_tests() -> Timestamp {
    Timestamp(17_356_896_000_000_000)
}

/// Whether a folder is a case. A project's cases need no query of their own.
pub(super) fn is_case(folder: &Path, of_project: bool) -> bool {
    let has_query = of_project || folder.join(QUERY).is_file();
    has_query && (folder.join("expected").is_dir() || folder.join(SETTINGS).is_file())
}

/// Whether there are cases in a folder of cases.
pub(super) fn has_cases(root: &Path) -> bool {
    !found(root, false).is_empty()
}

/// All cases below a folder, by their paths.
///
/// # Errors
/// When one cannot be read.
pub(super) fn read_all(root: &Path, project: Option<&Project>) -> Result<Vec<Case>, Fault> {
    found(root, project.is_some()).iter().map(|folder| Ok(Case { name: name(root, folder), ..read(folder, project)? })).collect()
}

fn name(root: &Path, folder: &Path) -> String {
    folder.strip_prefix(root).unwrap_or(folder).to_string_lossy().replace('\\', "/")
}

fn found(root: &Path, of_project: bool) -> Vec<PathBuf> {
    let mut cases = Vec::new();
    for folder in entries(root).into_iter().filter(|path| path.is_dir()) {
        if is_case(&folder, of_project) {
            cases.push(folder);
        } else if folder
            .file_name()
            .is_some_and(|name| !["inputs", "expected", "functions", "reference", "references"].iter().any(|known| name == *known))
        {
            cases.extend(found(&folder, of_project));
        }
    }
    cases
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    found.retain(|path| path.file_name().is_some_and(|name| !name.to_string_lossy().starts_with('.')));
    found.sort();
    found
}

/// One case.
///
/// # Errors
/// When a file of it cannot be read.
pub(super) fn read(folder: &Path, project: Option<&Project>) -> Result<Case, Fault> {
    let shown = |file: &str| folder.join(file).display().to_string();
    let files = Folder::on_disk(folder);
    let settings: Settings = match files.exists(SETTINGS) {
        true => serde_json::from_str(&files.text(SETTINGS)?).map_err(|error| {
            let message = error.to_string();
            let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(before, _)| before).to_owned();
            Fault::job(message).at(format!("{}:{}:{}", shown(SETTINGS), error.line(), error.column()))
        })?,
        false => Settings::default(),
    };
    let script = match (files.exists(QUERY), project) {
        (true, _) => (shown(QUERY), files.text(QUERY)?),
        (false, Some(project)) => (project.script.file.clone(), project.script.text.clone()),
        (false, None) => return Err(Fault::job("there is no query.asaql").at(folder.display().to_string())),
    };
    let mut inputs = inputs(&folder.join("inputs"))?;
    let mut references = self::inputs(&folder.join("reference"))?;
    references.extend(self::inputs(&folder.join("references"))?);
    let mut functions = project.map(|project| project.functions.clone()).unwrap_or_default();
    for path in entries(&folder.join("functions")) {
        bind::replace(&mut functions, function(&path)?);
    }
    let notes = match (project, files.exists(QUERY)) {
        (Some(project), false) => complete(project, &mut inputs, &mut references),
        _ => Vec::new(),
    };
    let expected_folder = folder.join("expected");
    let expected = entries(&expected_folder).into_iter().filter(|path| path.is_file());
    let expected = expected.map(|path| Expected { output: stem(&path), path, required: true }).collect();
    let defaults = project.map_or_else(default_policies, |project| bind::policies(&project.config));
    let now = match &settings.now {
        None => start_of_tests(),
        Some(text) => Timestamp::parse(text).ok_or_else(|| Fault::job(format!("now: '{text}' is no time")).at(shown(SETTINGS)))?,
    };
    Ok(Case {
        name: folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
        script,
        inputs,
        references,
        functions,
        folder: project.map_or(files, |project| project.folder.clone()),
        ordering: settings.ordering(defaults),
        policies: defaults,
        on_error: if settings.on_error == Some(OnFailure::DeadLetter) { OnError::DeadLetter } else { OnError::Stop },
        now,
        expected,
        error: settings.error,
        rejected: settings.rejected,
        comparison: Comparison {
            ordered: settings.ordered,
            case_sensitive: settings.case_sensitive,
            column_order: settings.column_order,
            tolerance: settings.tolerance.unwrap_or(Comparison::default().tolerance),
        },
        output_path: None,
        expected_folder: Some(expected_folder),
        notes,
    })
}

impl Settings {
    /// `None`: no policy is asked for.
    fn ordering(&self, defaults: Policies) -> Option<Policies> {
        let ticks = |seconds: f64| (seconds * TICKS_PER_SECOND as f64) as i64;
        if self.late_arrival_seconds.is_none()
            && self.out_of_order_seconds.is_none()
            && self.early_arrival_seconds.is_none()
            && self.policy.is_none()
        {
            return None;
        }
        Some(Policies {
            early: self.early_arrival_seconds.map(ticks).or(defaults.early),
            late: self.late_arrival_seconds.map_or(defaults.late, |late| (late >= 0.0).then(|| ticks(late))),
            out_of_order: self.out_of_order_seconds.map_or(defaults.out_of_order, ticks),
            on_violation: match self.policy {
                None => defaults.on_violation,
                Some(Policy::Adjust) => OnViolation::Adjust,
                Some(Policy::Drop) => OnViolation::Drop,
            },
        })
    }
}

fn stem(path: &Path) -> String {
    path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}

fn inputs(folder: &Path) -> Result<Vec<BoundedInput>, Fault> {
    let files = entries(folder).into_iter().filter(|path| path.is_file());
    files.map(|path| Ok(BoundedInput { name: stem(&path), format: bind::format(&path)?, data: Data::File(path) })).collect()
}

/// `NAME.js`, `NAME.uda.js`, `NAME.wasm`.
fn function(path: &Path) -> Result<FunctionSettings, Fault> {
    let stem = stem(path);
    let name = match stem.strip_suffix(".uda") {
        Some(name) => format!("uda.{name}"),
        None => stem,
    };
    bind::function(&Named { name, value: path.display().to_string() })
}
