//! Everything that is wrong with a project, in one run: its files, its functions, its query.

use crate::fault::Fault;
use crate::job::{Finding, Folder, FunctionBody, InputSource, JobError, Level, Place, Project, Survey};
use crate::query::{Diagnostic, FunctionInfo, Script, compile};
use crate::udf::{Limits, Sandbox};

use super::functions::{CallSettings, Calls};
use super::start;

/// Reads a project and says everything that there is to say, errors first, each group in the order of the files.
///
/// # Errors
/// Only a [`Fault`] of this program: what is wrong with the project is the answer.
pub fn check(folder: Folder, limits: Limits) -> Result<Vec<Finding>, Fault> {
    let Survey { project, errors } = Project::survey(folder);
    let mut found: Vec<Finding> = errors.into_iter().flat_map(JobError::findings).collect();
    if let Some(project) = &project {
        found.extend(project.notes.iter().cloned());
        rows(project, &mut found);
        let calls = functions(project, limits, &mut found)?;
        if !project.script.file.is_empty() {
            query(project, &calls, &mut found);
        }
    }
    found.sort_by_key(|finding| finding.level);
    Ok(found)
}

/// Files with rows that are not there.
fn rows(project: &Project, found: &mut Vec<Finding>) {
    for input in &project.inputs {
        if let InputSource::File { path } = &input.source
            && !project.folder.exists(path)
        {
            let message = format!("FilePath of '{}' names {}, which is not there", input.name, project.folder.shown(path));
            let help = "a path is relative to the file that names it";
            found.push(
                Finding::error(project.folder.shown(&input.file), message).at(project.folder.place(&input.file, &["FilePath"])).help(help),
            );
        }
    }
}

/// Loads the functions one by one, so that each bad one is told. One that is bad counts as one that takes anything.
fn functions(project: &Project, limits: Limits, found: &mut Vec<Finding>) -> Result<Calls, Fault> {
    let sandbox = Sandbox::new(limits)?;
    let settings = CallSettings::default();
    let mut good = Vec::new();
    for function in &project.functions {
        match Calls::load(std::slice::from_ref(function), &project.folder, &sandbox, &settings) {
            Ok(_) => good.push(function.clone()),
            Err(fault) => {
                let prefix = if function.aggregate { "uda" } else { "udf" };
                let (file, place, message) = place_of(&fault);
                let file = if file.is_empty() { format!("{prefix}.{}", function.name) } else { file };
                let help = format!("without it, {prefix}.{} cannot be called", function.name);
                found.push(Finding::error(file, message).at(place).help(help));
            }
        }
    }
    Calls::load(&good, &project.folder, &sandbox, &settings)
}

/// The file, line and column that a message begins with.
fn place_of(fault: &Fault) -> (String, Place, String) {
    let text = fault.to_string();
    let Some((file, message)) = text.split_once(": ") else { return (String::new(), Place::default(), text) };
    if file.contains(' ') && !file.contains(['/', '\\']) {
        return (String::new(), Place::default(), text);
    }
    let mut parts = file.rsplitn(3, ':');
    let (column, line, rest) = (parts.next(), parts.next(), parts.next());
    match (rest, line.and_then(|line| line.parse().ok()), column.and_then(|column| column.parse().ok())) {
        (Some(rest), Some(line), Some(column)) => (rest.to_owned(), Place { line, column }, message.to_owned()),
        _ => (file.to_owned(), Place::default(), message.to_owned()),
    }
}

fn query(project: &Project, calls: &Calls, found: &mut Vec<Finding>) {
    let mut catalog = start::catalog(project, calls);
    let nothing: Vec<&str> = project
        .functions
        .iter()
        .filter(|function| matches!(function.body, FunctionBody::Nothing))
        .map(|function| function.name.as_str())
        .collect();
    // A function that cannot be loaded is told already: its calls are not wrong.
    for function in &project.functions {
        let is_known = catalog.functions.iter().any(|known| known.name.eq_ignore_ascii_case(&function.name));
        let is_known_aggregate = catalog.aggregates.iter().any(|known| known.eq_ignore_ascii_case(&function.name));
        if function.aggregate && !is_known_aggregate {
            catalog.aggregates.push(function.name.clone());
        } else if !function.aggregate && !is_known && !nothing.contains(&function.name.as_str()) {
            catalog.functions.push(FunctionInfo { name: function.name.clone(), columns: None, returns: None });
        }
    }
    let script = Script { file: &project.script.file, text: &project.script.text };
    let diagnostics = match compile(script, &catalog) {
        Ok(plan) => {
            references(project, &plan, found);
            unread(project, &plan, found);
            return;
        }
        Err(diagnostics) => diagnostics,
    };
    for Diagnostic { position, message, help } in diagnostics.found {
        let place = Place { line: position.line as usize, column: position.column as usize };
        let line = project.script.text.lines().nth(place.line.saturating_sub(1)).unwrap_or_default();
        let shown = format!("{message}\n  | {}\n  | {}^", line.replace('\t', " "), " ".repeat(place.column.saturating_sub(1)));
        let bound = nothing.iter().find(|name| message.to_lowercase().contains(&format!("'udf.{}'", name.to_lowercase())));
        let help = match bound {
            Some(name) => Some(format!(
                "it is in the project, and nothing answers it here: write Functions/Local_{name}.json with FilePath, a .wasm or a .js"
            )),
            None => help,
        };
        found.push(Finding { help, ..Finding::error(&project.script.file, shown).at(place) });
    }
}

/// Reference data that the query reads and that has no rows here.
fn references(project: &Project, plan: &crate::query::Plan, found: &mut [Finding]) {
    for (name, _) in &plan.references {
        if let Some(input) = project.input(name)
            && input.source == InputSource::Nothing
        {
            let file = project.folder.shown(&input.file);
            found
                .iter_mut()
                .filter(|finding| finding.file == file && finding.message.contains("reference data"))
                .for_each(|finding| finding.level = Level::Error);
        }
    }
}

/// Inputs and outputs that the query does not name.
fn unread(project: &Project, plan: &crate::query::Plan, found: &mut Vec<Finding>) {
    for input in &project.inputs {
        let read = plan.inputs.iter().map(|known| &known.name).chain(plan.references.iter().map(|(name, _)| name));
        if !read.into_iter().any(|name| name.eq_ignore_ascii_case(&input.name)) {
            found.push(Finding::note(project.folder.shown(&input.file), format!("The query does not read the input '{}'.", input.name)));
        }
    }
    for output in &project.outputs {
        if !plan.outputs.iter().any(|name| name.eq_ignore_ascii_case(&output.name)) {
            found.push(Finding::note(&project.script.file, format!("The query does not write to the output '{}'.", output.name)));
        }
    }
}
