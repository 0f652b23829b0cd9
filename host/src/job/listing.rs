//! What is in a project: its query and the files that `asaproj.json` lists. Where there is none (projects of Visual Studio have an
//! `.asaproj`), the files say themselves what they are, by their `ScriptType`.

use serde::Deserialize;
use serde_json::Value as Json;

use super::fields::Fields;
use super::{Finding, Folder, JobError, Level, Place};
use crate::fault::nearest;

#[derive(Debug, Deserialize)]
struct ProjectFile {
    #[serde(default)]
    name: Option<String>,
    #[serde(rename = "startFile")]
    start_file: String,
    #[serde(default)]
    configurations: Vec<Configuration>,
}

#[derive(Debug, Deserialize)]
struct Configuration {
    #[serde(rename = "filePath")]
    file_path: String,
    #[serde(rename = "subType", default)]
    sub_type: String,
}

/// A file of a project.
#[derive(Debug)]
pub(super) struct Entry {
    /// Its path from the project, with `/`.
    pub(super) path: String,
    /// What it is.
    pub(super) kind: String,
    /// Where it is listed.
    pub(super) listed: Option<(String, Place)>,
}

/// What is in a project.
#[derive(Debug)]
pub(super) struct Listing {
    pub(super) name: Option<String>,
    /// The query's path.
    pub(super) script: Result<String, JobError>,
    pub(super) entries: Vec<Entry>,
    /// Whether a project file lists them.
    pub(super) is_listed: bool,
}

const PROJECT_FILE: &str = "asaproj.json";
const CONFIGS: [&str; 2] = ["JobConfig.json", "Configuration.json"];

/// # Errors
/// When there is no project, or its file cannot be read.
pub(super) fn read(folder: &Folder, notes: &mut Vec<Finding>) -> Result<Listing, JobError> {
    if !folder.exists(PROJECT_FILE) {
        return unlisted(folder, notes);
    }
    let project: ProjectFile = folder.json(PROJECT_FILE)?;
    let text = folder.text(PROJECT_FILE)?;
    let shown = folder.shown(PROJECT_FILE);
    let entry = |(number, configuration): (usize, Configuration)| Entry {
        path: configuration.file_path.replace('\\', "/"),
        kind: configuration.sub_type,
        listed: Some((shown.clone(), Place::of_nth(&text, "filePath", number))),
    };
    let mut entries: Vec<Entry> = project.configurations.into_iter().enumerate().map(entry).collect();
    if !entries.iter().any(|entry| entry.kind.eq_ignore_ascii_case("JobConfig") || CONFIGS.iter().any(|known| entry.path.ends_with(known)))
        && let Some(path) = CONFIGS.into_iter().find(|path| folder.exists(path))
    {
        notes.push(Finding::note(&shown, format!("'{path}' is not listed; it is read all the same.")));
        entries.push(Entry { path: path.to_owned(), kind: "JobConfig".to_owned(), listed: None });
    }
    let script = script(folder, &project.start_file, notes);
    Ok(Listing { name: project.name.filter(|name| !name.is_empty()), script, entries, is_listed: true })
}

/// The query that `startFile` names. A stale name is common: when there is just one query, it is the one that is meant.
fn script(folder: &Folder, start_file: &str, notes: &mut Vec<Finding>) -> Result<String, JobError> {
    let path = start_file.replace('\\', "/");
    if folder.exists(&path) {
        return Ok(path);
    }
    let scripts = scripts(folder);
    let found = |level: Level, message: String| {
        let place = folder.place(PROJECT_FILE, &["startFile"]);
        Finding { level, ..Finding::note(folder.shown(PROJECT_FILE), message).at(place) }
    };
    let stale = format!("startFile names '{start_file}', which is not there");
    if let [only] = scripts.as_slice() {
        let note = found(Level::Note, format!("{stale}; the only query, '{only}', is read instead."));
        notes.push(note.help(format!("set startFile to \"{only}\"")));
        return Ok(only.clone());
    }
    let help = match nearest(&path, scripts.iter().map(String::as_str)) {
        Some(near) => format!("did you mean '{near}'?"),
        None if scripts.is_empty() => "there is no .asaql in the folder: write the query to that file".to_owned(),
        None => format!("the folder has {}: set startFile to the one that runs", scripts.join(", ")),
    };
    Err(JobError::Setting(found(Level::Error, stale).help(help)))
}

fn scripts(folder: &Folder) -> Vec<String> {
    folder.list("").into_iter().filter(|file| file.to_ascii_lowercase().ends_with(".asaql")).collect()
}

/// A project without `asaproj.json`.
fn unlisted(folder: &Folder, notes: &mut Vec<Finding>) -> Result<Listing, JobError> {
    let scripts = scripts(folder);
    let [script] = scripts.as_slice() else {
        let found = match scripts.as_slice() {
            [] => "no .asaql either".to_owned(),
            several => format!("several queries: {}", several.join(", ")),
        };
        let missing = Finding::error(folder.shown(PROJECT_FILE), format!("there is no {PROJECT_FILE}, and {found}"));
        return Err(JobError::Setting(missing.help("name the folder of a Stream Analytics project, or make one with `tamis new NAME`")));
    };
    let places = std::iter::once(String::new()).chain(folder.folders());
    let files = places.flat_map(|place| folder.list(&place)).filter(|file| file.to_ascii_lowercase().ends_with(".json"));
    let entry = |path: String| {
        let json: Json = folder.json(&path).ok()?;
        let kind = Fields::of(&json).text("ScriptType")?;
        Some(Entry { path, kind, listed: None })
    };
    let entries: Vec<Entry> = files.filter_map(entry).collect();
    let message =
        format!("There is no {PROJECT_FILE}: '{script}' is the query, and {} files are taken by their ScriptType.", entries.len());
    notes.push(Finding::note(folder.shown(PROJECT_FILE), message));
    Ok(Listing { name: None, script: Ok(script.clone()), entries, is_listed: false })
}
