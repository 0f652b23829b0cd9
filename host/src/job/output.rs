//! `Outputs/Y.json` and its `Local_Y.json`: where the rows of an output go.

mod files;
mod push;

use std::fmt;

use serde::Deserialize;

use super::kafka::{self, Beside, KafkaFormat, KafkaOutput};
use super::{Finding, Folder, JobError, input, local_sibling};
pub use files::{FilesFormat, FilesSettings};
pub use push::{PushForm, PushSettings};

/// Where an output's rows go.
#[derive(Debug, Clone, PartialEq)]
pub enum OutputTarget {
    /// The embedded document store: the default.
    Store,
    /// The live page's feed, with what the page shows of it (the `Page` block, as the feed reads it).
    Feed(Option<serde_json::Value>),
    /// A file of JSON lines, relative to the data directory.
    JsonLines {
        /// Its path.
        path: String,
    },
    /// Cosmos DB.
    Cosmos(CosmosSettings),
    /// Many files in a folder, by a path pattern.
    Files(FilesSettings),
    /// Rows pushed by HTTP.
    Push(PushSettings),
    /// A topic of Kafka, or an event hub by its Kafka endpoint.
    Kafka(Box<KafkaOutput>),
}

/// How to reach a Cosmos DB container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CosmosSettings {
    /// The file that says so.
    pub file: String,
    /// The account's address: `https://ACCOUNT.documents.azure.com:443/`.
    pub endpoint: String,
    /// How to log in.
    pub login: CosmosLogin,
    /// The database.
    pub database: String,
    /// The container.
    pub container: String,
    /// The column that is the partition key.
    pub partition_key: String,
    /// The column that is the document's id, when one is named.
    pub document_id: Option<String>,
}

/// How to log in at a Cosmos DB account (`AuthenticationMode`).
#[derive(Clone, PartialEq, Eq)]
pub enum CosmosLogin {
    /// `ConnectionString`: with the account's key, as the file has it; `TAMIS_COSMOS_KEY` comes before it. Never printed.
    Key(Option<String>),
    /// `Msi`: with a token of Entra ID.
    EntraId,
}

impl fmt::Debug for CosmosLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => f.debug_tuple("Key").field(&key.as_ref().map(|_| "***")).finish(),
            Self::EntraId => f.write_str("EntraId"),
        }
    }
}

/// One output.
#[derive(Debug, Clone, PartialEq)]
pub struct OutputSettings {
    /// Its name in the query.
    pub name: String,
    /// Where its rows go.
    pub target: OutputTarget,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct File {
    #[serde(alias = "OutputAlias")]
    name: Option<String>,
    data_source_type: String,
    document_db_properties: Option<DocumentDb>,
    file_path: Option<String>,
    page: Option<serde_json::Value>,
    endpoint: Option<String>,
    blob_storage_properties: serde_json::Value,
    serialization: serde_json::Value,
    azure_function_properties: serde_json::Value,
    kafka: Option<serde_json::Value>,
    event_hub_properties: Option<EventHub>,
    partition_key: Option<String>,
    property_columns: Option<serde_json::Value>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct EventHub {
    event_hub_name: Option<String>,
    partition_key: Option<String>,
    property_columns: Option<serde_json::Value>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Serialization {
    #[serde(rename = "Type")]
    kind: Option<String>,
    format: Option<String>,
    field_delimiter: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct DocumentDb {
    account_id: Option<String>,
    account_key: Option<String>,
    database: Option<String>,
    #[serde(alias = "CollectionNamePattern")]
    container_name: Option<String>,
    partition_key: Option<String>,
    document_id: Option<String>,
    authentication_mode: Option<String>,
}

pub(super) fn read(folder: &Folder, path: &str, notes: &mut Vec<Finding>) -> Result<OutputSettings, JobError> {
    let cloud: File = folder.json(path)?;
    let local_path = local_sibling(path);
    let local: Option<File> =
        if folder.exists(&local_path) && !folder.is_blank(&local_path)? { Some(folder.json(&local_path)?) } else { None };
    let name = cloud.name.clone().filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| folder.wrong(path, &["Name"], "the output has no Name".to_owned()))?;
    let target = match &local {
        Some(local) => match plain(&local.data_source_type).as_str() {
            "embeddedstore" => OutputTarget::Store,
            "" | "localoutput" if local.file_path.is_some() => {
                OutputTarget::JsonLines { path: local.file_path.clone().unwrap_or_default() }
            }
            "livefeed" => OutputTarget::Feed(local.page.clone()),
            "jsonlines" => OutputTarget::JsonLines { path: local.file_path.clone().unwrap_or_else(|| format!("outputs/{name}.jsonl")) },
            kind if is_cosmos(kind) => OutputTarget::Cosmos(
                cosmos(folder.shown(&local_path), &cloud, local)
                    .map_err(|message| folder.wrong(&local_path, &["DocumentDbProperties"], message))?,
            ),
            kind if files::is_files(kind) => OutputTarget::Files(
                files::read(folder.shown(&local_path), &name, &cloud, local, &folder.json(&local_path)?)
                    .map_err(|(key, message)| folder.wrong(&local_path, &[key], message))?,
            ),
            kind if push::is_push(kind) => OutputTarget::Push(
                push::read(folder.shown(&local_path), kind, &cloud, &folder.json(&local_path)?)
                    .map_err(|(key, message)| folder.wrong(&local_path, &[key], message))?,
            ),
            kind if kafka::kind(kind).is_some() => OutputTarget::Kafka(Box::new(
                to_kafka(kind, &cloud, local, folder.shown(&local_path))
                    .map_err(|(key, message)| folder.wrong(&local_path, &[key], message))?,
            )),
            _ => {
                let message = format!(
                    "DataSourceType '{}': 'Embedded Store', 'Live Feed', 'JSON Lines', 'Folder', 'HTTP Push', 'Power BI', 'Cosmos DB', 'Kafka' or 'Event Hub' is expected",
                    local.data_source_type
                );
                return Err(folder.wrong(&local_path, &["DataSourceType"], message));
            }
        },
        None => match plain(&cloud.data_source_type).as_str() {
            "powerbi" => OutputTarget::Feed(None),
            kind if is_cosmos(kind) => OutputTarget::Store,
            _ => {
                let message = format!("DataSourceType '{}' is written to the embedded store here.", cloud.data_source_type);
                notes.push(folder.noted(path, &["DataSourceType"], message));
                OutputTarget::Store
            }
        },
    };
    Ok(OutputSettings { name, target })
}

fn plain(kind: &str) -> String {
    kind.chars().filter(|letter| letter.is_ascii_alphanumeric()).collect::<String>().to_ascii_lowercase()
}

fn is_cosmos(kind: &str) -> bool {
    matches!(kind, "cosmosdb" | "azurecosmosdb" | "documentdb")
}

/// The local file's settings come before those of the cloud.
fn to_kafka(kind: &str, cloud: &File, local: &File, file: String) -> Result<KafkaOutput, kafka::Wrong> {
    let nothing = EventHub::default();
    let hub = cloud.event_hub_properties.as_ref().unwrap_or(&nothing);
    let filled = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let columns = local.property_columns.as_ref().or(cloud.property_columns.as_ref()).or(hub.property_columns.as_ref());
    let written = if local.serialization.is_object() { &local.serialization } else { &cloud.serialization };
    let beside = Beside {
        hub: filled(&hub.event_hub_name),
        partition_key: filled(&local.partition_key).or_else(|| filled(&cloud.partition_key)).or_else(|| filled(&hub.partition_key)),
        property_columns: columns.and_then(kafka::texts).unwrap_or_default(),
        format: if written.is_object() {
            let written = serde_json::from_value(written.clone()).map_err(|error| ("Serialization", error.to_string()))?;
            message_format(&written).map_err(|message| ("Serialization", message))?
        } else {
            KafkaFormat::default()
        },
    };
    let kind = kafka::kind(kind).unwrap_or(kafka::Kind::Kafka);
    kafka::output(kind, local.kafka.as_ref(), beside, file)
}

fn message_format(written: &Serialization) -> Result<KafkaFormat, String> {
    match written.kind.as_deref().unwrap_or("Json").to_ascii_lowercase().as_str() {
        "json" if written.format.as_deref().is_some_and(|format| format.eq_ignore_ascii_case("Array")) => Ok(KafkaFormat::JsonArray),
        "json" => Ok(KafkaFormat::Json),
        "csv" => Ok(KafkaFormat::Csv { delimiter: written.field_delimiter.as_deref().map_or(Ok(b','), input::delimiter)? }),
        other => Err(format!("messages are not written as '{other}' here: Json or Csv is expected")),
    }
}

fn cosmos(file: String, cloud: &File, local: &File) -> Result<CosmosSettings, String> {
    let nothing = DocumentDb::default();
    let (cloud, own) =
        (cloud.document_db_properties.as_ref().unwrap_or(&nothing), local.document_db_properties.as_ref().unwrap_or(&nothing));
    let pick =
        |field: fn(&DocumentDb) -> &Option<String>| field(own).clone().or_else(|| field(cloud).clone()).filter(|text| !text.is_empty());
    let need = |field: fn(&DocumentDb) -> &Option<String>, name: &str| {
        pick(field).ok_or_else(|| format!("DocumentDbProperties.{name} is missing"))
    };
    let endpoint = match &local.endpoint {
        Some(endpoint) => endpoint.clone(),
        None => format!("https://{}.documents.azure.com:443/", need(|db| &db.account_id, "AccountId")?),
    };
    let login = match pick(|db| &db.authentication_mode).map(|mode| plain(&mode)).as_deref() {
        None | Some("connectionstring") => CosmosLogin::Key(pick(|db| &db.account_key)),
        Some("msi" | "entraid" | "managedidentity" | "usertoken") => CosmosLogin::EntraId,
        Some(mode) => {
            return Err(format!(
                "DocumentDbProperties.AuthenticationMode '{mode}': 'ConnectionString' (a key) or 'Msi' (Entra ID) is expected"
            ));
        }
    };
    Ok(CosmosSettings {
        file,
        endpoint,
        login,
        database: need(|db| &db.database, "Database")?,
        container: need(|db| &db.container_name, "ContainerName")?,
        partition_key: need(|db| &db.partition_key, "PartitionKey")?,
        document_id: pick(|db| &db.document_id),
    })
}
