//! `Inputs/X.json` and its local file: where the rows of an input come from.
//!
//! The local file is the `Local_X.json` beside it, or any `InputMock` of the project with the input's name. Both generations are
//! read: `InputAlias`, `Format`, `FilePath`; and `Name`, `DataSourceType: "Local Input"`, `Serialization`, `FilePath`.

use serde::Deserialize;

use super::kafka::{self, CloudHub, KafkaInput};
use super::{Finding, Folder, JobError, beside, local_sibling};

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
    /// A topic of Kafka, or an event hub by its Kafka endpoint.
    Kafka(Box<KafkaInput>),
    /// Nothing on this machine: reference data without a local file.
    Nothing,
}

/// One input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputSettings {
    /// Its name in the query.
    pub name: String,
    /// Whether it is reference data: a table without time, for the right side of a JOIN.
    pub reference: bool,
    /// Where its events come from.
    pub source: InputSource,
    /// How they are written.
    pub format: InputFormat,
    /// The file that says where they come from.
    pub file: String,
}

/// The project file's local inputs: name and path.
pub(super) type Mocks = Vec<(String, String)>;

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct File {
    #[serde(alias = "InputAlias")]
    name: Option<String>,
    #[serde(rename = "Type")]
    kind: Option<String>,
    data_source_type: Option<String>,
    event_hub_properties: Option<EventHub>,
    serialization: Option<Serialization>,
    /// The older generation of local files has it beside `FilePath`.
    format: Option<String>,
    file_path: Option<String>,
    hub: Option<String>,
    partitions: Option<u32>,
    kafka: Option<serde_json::Value>,
    compression_type: Option<String>,
    /// As some tools once wrote it.
    #[serde(rename = "CompresssionType")]
    misspelt_compression_type: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct EventHub {
    event_hub_name: Option<String>,
    consumer_group_name: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Serialization {
    #[serde(rename = "Type")]
    kind: Option<String>,
    field_delimiter: Option<String>,
}

const DEFAULT_PARTITIONS: u32 = 4;
const MAX_PARTITIONS: u32 = 32;

/// The name that a local file gives; `None`: none, or the file cannot be read.
pub(super) fn name_of(folder: &Folder, path: &str) -> Option<String> {
    folder.json::<File>(path).ok()?.name
}

pub(super) fn read(folder: &Folder, path: &str, mocks: &Mocks, notes: &mut Vec<Finding>) -> Result<InputSettings, JobError> {
    let cloud: File = folder.json(path)?;
    let name = cloud.name.clone().filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| folder.wrong(path, &["Name"], "the input has no Name".to_owned()))?;
    let sibling = Some(local_sibling(path)).filter(|sibling| folder.exists(sibling));
    let mock = || mocks.iter().find(|(alias, _)| alias.eq_ignore_ascii_case(&name)).map(|(_, path)| path.clone());
    let local = match sibling.or_else(mock) {
        Some(local_path) if !folder.is_blank(&local_path)? => Some((folder.json::<File>(&local_path)?, local_path)),
        _ => None,
    };
    settings(folder, path, &name, &cloud, local, notes)
}

/// A local file without an input of the cloud beside it.
pub(super) fn read_local(folder: &Folder, path: &str, notes: &mut Vec<Finding>) -> Result<InputSettings, JobError> {
    let local: File = folder.json(path)?;
    let name = local.name.clone().filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| folder.wrong(path, &["Name"], "the local input has no Name (or InputAlias)".to_owned()))?;
    settings(folder, path, &name, &File::default(), Some((local, path.to_owned())), notes)
}

fn settings(
    folder: &Folder,
    path: &str,
    name: &str,
    cloud: &File,
    local: Option<(File, String)>,
    notes: &mut Vec<Finding>,
) -> Result<InputSettings, JobError> {
    let kind = |file: &File| file.kind.as_deref().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("Reference data"));
    let reference = kind(cloud) || cloud.kind.is_none() && local.as_ref().is_some_and(|(local, _)| kind(local));
    let local_path = local.as_ref().map(|(_, path)| path.clone());
    let (local, near) = (local.map(|(file, _)| file), local_path.as_deref().unwrap_or(path));
    let format = match (local.as_ref().map(format), format(cloud)) {
        (Some(Ok(Some(format))), _) => format,
        (Some(Err(message)), _) => return Err(folder.wrong(near, &[format_key(local.as_ref())], message)),
        (None, Err(message)) if !reference => return Err(folder.wrong(path, &[format_key(Some(cloud))], message)),
        (_, format) => format.ok().flatten().unwrap_or(InputFormat::Json),
    };
    let compressions = [("CompressionType", &cloud.compression_type), ("CompresssionType", &cloud.misspelt_compression_type)];
    for (key, compression) in compressions {
        if let Some(compression) = compression.as_deref().filter(|kind| !kind.is_empty() && !kind.eq_ignore_ascii_case("None")) {
            let message = format!("Events of '{name}' are compressed ({compression}) in the cloud; here they are plain.");
            notes.push(folder.noted(path, &[key], message));
        }
    }
    let source = match &local {
        Some(File { file_path: Some(file), .. }) if !file.trim().is_empty() => InputSource::File { path: beside(near, file) },
        Some(File { file_path: Some(_), .. }) => {
            return Err(folder.wrong(near, &["FilePath"], "FilePath is empty: the file with the rows is expected".to_owned()));
        }
        _ if reference => InputSource::Nothing,
        Some(local) if kafka_kind(local).is_some() || local.kafka.is_some() => {
            let kind = kafka_kind(local).unwrap_or(kafka::Kind::Kafka);
            let hub = cloud.event_hub_properties.as_ref();
            let filled = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
            let cloud = CloudHub {
                hub: hub.and_then(|hub| filled(&hub.event_hub_name)),
                group: hub.and_then(|hub| filled(&hub.consumer_group_name)),
            };
            let input = kafka::input(kind, local.kafka.as_ref(), cloud, folder.shown(near));
            InputSource::Kafka(Box::new(input.map_err(|(key, message)| folder.wrong(near, &[key], message))?))
        }
        local => {
            let cloud_hub = cloud.event_hub_properties.as_ref().and_then(|hub| hub.event_hub_name.clone()).filter(|hub| !hub.is_empty());
            let hub = local.as_ref().and_then(|local| local.hub.clone()).or(cloud_hub).unwrap_or_else(|| {
                let kind = cloud.data_source_type.as_deref().unwrap_or_default();
                let message = format!("DataSourceType '{kind}' is read from the embedded log's hub '{name}' here.");
                notes.push(folder.noted(path, &["DataSourceType"], message));
                name.to_owned()
            });
            let partitions = local.as_ref().and_then(|local| local.partitions).unwrap_or(DEFAULT_PARTITIONS);
            if !(1..=MAX_PARTITIONS).contains(&partitions) {
                return Err(folder.wrong(near, &["Partitions"], format!("Partitions {partitions}: 1 to {MAX_PARTITIONS} is expected")));
            }
            InputSource::Log { hub, partitions }
        }
    };
    if source == InputSource::Nothing {
        let message = format!("'{name}' is reference data and has no rows here.");
        let help = format!("write {} with FilePath, the file with its rows", local_sibling(path));
        notes.push(folder.noted(path, &["Type"], message).help(help));
    }
    Ok(InputSettings { name: name.to_owned(), reference, source, format, file: near.to_owned() })
}

/// Whether a local file names Kafka or Event Hubs: by `DataSourceType`, or, in the older generation, by `Type`.
fn kafka_kind(file: &File) -> Option<kafka::Kind> {
    file.data_source_type.as_deref().or(file.kind.as_deref()).and_then(kafka::kind)
}

fn format_key(file: Option<&File>) -> &'static str {
    if file.is_some_and(|file| file.serialization.is_some()) { "Serialization" } else { "Format" }
}

/// `None`: the file does not say.
fn format(file: &File) -> Result<Option<InputFormat>, String> {
    let kind = file.serialization.as_ref().and_then(|serialization| serialization.kind.as_deref()).or(file.format.as_deref());
    let Some(kind) = kind else { return Ok(None) };
    match kind.to_ascii_lowercase().as_str() {
        "json" => Ok(Some(InputFormat::Json)),
        "csv" => {
            let delimiter = file.serialization.as_ref().and_then(|serialization| serialization.field_delimiter.as_deref());
            Ok(Some(InputFormat::Csv { delimiter: delimiter.map_or(Ok(b','), self::delimiter)? }))
        }
        other => Err(format!("events written as '{other}' are not read here: Json or Csv is expected, in a Local_ file beside it")),
    }
}

/// A delimiter as tools write it: the character itself, or its name.
pub(super) fn delimiter(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        [] => Ok(b','),
        [byte] => Ok(*byte),
        _ => match text.trim().to_ascii_lowercase().as_str() {
            "comma" => Ok(b','),
            "semicolon" => Ok(b';'),
            "tab" | "\\t" => Ok(b'\t'),
            "space" | "" => Ok(b' '),
            "verticalbar" | "vertical bar" | "pipe" => Ok(b'|'),
            _ => Err(format!("FieldDelimiter '{text}': one character is expected")),
        },
    }
}
