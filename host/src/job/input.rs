//! `Inputs/X.json` and its `Local_X.json`: where the events of an input come from.

use serde::Deserialize;

use super::{Folder, JobError, Note, local_sibling};

/// How an input's events are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputFormat {
    /// JSON objects.
    Json,
    /// Comma-separated values, with a header.
    Csv {
        /// What separates the values.
        delimiter: u8,
    },
}

/// Where an input's events come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InputSource {
    /// The embedded log, filled through its Event Hubs door.
    Log {
        /// The hub's name.
        hub: String,
        /// How many partitions it has when it is first made.
        partitions: u32,
    },
    /// A file, read once from start to end.
    File {
        /// Its path, relative to the project or absolute.
        path: String,
    },
}

/// One input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputSettings {
    /// Its name in the query.
    pub name: String,
    /// Where its events come from.
    pub source: InputSource,
    /// How they are written.
    pub format: InputFormat,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct File {
    #[serde(alias = "InputAlias")]
    name: Option<String>,
    #[serde(default)]
    data_source_type: String,
    event_hub_properties: Option<EventHub>,
    serialization: Option<Serialization>,
    /// The older generation of local files has it beside `FilePath`.
    format: Option<String>,
    file_path: Option<String>,
    hub: Option<String>,
    partitions: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct EventHub {
    event_hub_name: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Serialization {
    #[serde(rename = "Type")]
    kind: String,
    field_delimiter: Option<String>,
}

const DEFAULT_PARTITIONS: u32 = 4;
const MAX_PARTITIONS: u32 = 32;

pub(super) fn read(folder: &Folder, path: &str, notes: &mut Vec<Note>) -> Result<InputSettings, JobError> {
    let cloud: File = folder.json(path)?;
    let local_path = local_sibling(path);
    let local: Option<File> =
        if folder.exists(&local_path) && !folder.is_blank(&local_path)? { Some(folder.json(&local_path)?) } else { None };
    let setting = |file: &str, message: String| JobError::Setting { file: folder.shown(file), message };
    let name = cloud.name.clone().ok_or_else(|| setting(path, "the input has no Name".to_owned()))?;
    let hub_of_cloud = cloud.event_hub_properties.as_ref().and_then(|hub| hub.event_hub_name.clone());
    let format = format(local.as_ref().unwrap_or(&cloud)).or_else(|_| format(&cloud)).map_err(|message| setting(path, message))?;
    let source = match &local {
        Some(File { file_path: Some(file), .. }) => InputSource::File { path: beside(&local_path, file) },
        local => {
            let hub = local.as_ref().and_then(|local| local.hub.clone()).or(hub_of_cloud).unwrap_or_else(|| {
                let message = format!("DataSourceType '{}' is read from the embedded log's hub '{name}' here.", cloud.data_source_type);
                notes.push(Note { file: path.to_owned(), message });
                name.clone()
            });
            let partitions = local.as_ref().and_then(|local| local.partitions).unwrap_or(DEFAULT_PARTITIONS);
            if !(1..=MAX_PARTITIONS).contains(&partitions) {
                return Err(setting(&local_path, format!("Partitions {partitions}: 1 to {MAX_PARTITIONS} is expected")));
            }
            InputSource::Log { hub, partitions }
        }
    };
    Ok(InputSettings { name, source, format })
}

fn format(file: &File) -> Result<InputFormat, String> {
    let kind = file.serialization.as_ref().map(|serialization| serialization.kind.as_str()).or(file.format.as_deref()).unwrap_or("Json");
    match kind.to_ascii_lowercase().as_str() {
        "json" => Ok(InputFormat::Json),
        "csv" => {
            let delimiter = file.serialization.as_ref().and_then(|serialization| serialization.field_delimiter.clone());
            Ok(InputFormat::Csv { delimiter: delimiter.and_then(|text| text.bytes().next()).unwrap_or(b',') })
        }
        other => Err(format!("Serialization '{other}': Json or Csv is expected")),
    }
}

/// A path that a local file names is relative to that file's own folder.
fn beside(file: &str, path: &str) -> String {
    let path = path.replace('\\', "/");
    match file.rsplit_once('/') {
        Some((folder, _)) if !std::path::Path::new(&path).is_absolute() => format!("{folder}/{path}"),
        _ => path,
    }
}
