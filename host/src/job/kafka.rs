//! The `Kafka` block of a `Local_*` file: how an input or an output reaches a topic of Kafka, or an event hub by its Kafka
//! endpoint. Only this host reads it. Secrets stand in environment variables; one that stands in the file is never printed.

use std::fmt;

use serde_json::Value as Json;

use super::fields::Fields;
use crate::fault::nearest;
use crate::time::Timestamp;

/// A topic and how to reach it.
#[derive(Clone, PartialEq, Eq)]
pub struct KafkaSettings {
    /// The file that says so.
    pub file: String,
    /// Who has it.
    pub server: KafkaServer,
    /// The topic; for Event Hubs the event hub, which the connection string may name instead.
    pub topic: Option<String>,
    /// More settings, as librdkafka names them.
    pub properties: Vec<(String, String)>,
    /// Settings whose values stand in environment variables: the setting and the variable.
    pub from_environment: Vec<(String, String)>,
}

/// Who has a topic.
#[derive(Clone, PartialEq, Eq)]
pub enum KafkaServer {
    /// Brokers, as `host:port`, separated by commas.
    Kafka(String),
    /// An Event Hubs namespace, known by its connection string.
    EventHubs {
        /// The variable that holds the connection string.
        variable: Option<String>,
        /// The string itself; the variable comes before it.
        in_file: Option<String>,
    },
}

/// Where reading starts when the host has no checkpoint of the partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KafkaStart {
    /// Where the consumer group stands, else at the oldest event.
    #[default]
    Checkpoint,
    /// At the oldest event.
    Beginning,
    /// Behind the newest event.
    End,
    /// At the first event of that time or later.
    Time(Timestamp),
}

/// Who reads which partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KafkaAssignment {
    /// This host reads all of them.
    #[default]
    All,
    /// The hosts of the consumer group share them.
    Group,
}

/// An input that is a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KafkaInput {
    /// The topic.
    pub connection: KafkaSettings,
    /// The consumer group; `None`: the usual one of the server.
    pub group: Option<String>,
    /// Where reading starts.
    pub start: KafkaStart,
    /// Who reads what.
    pub assignment: KafkaAssignment,
}

/// How rows are written into messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KafkaFormat {
    /// A JSON object.
    #[default]
    Json,
    /// A JSON array with one object.
    JsonArray,
    /// A header and a record.
    Csv {
        /// What stands between two values.
        delimiter: u8,
    },
}

/// An output that is a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KafkaOutput {
    /// The topic.
    pub connection: KafkaSettings,
    /// The column whose value is the message's key.
    pub partition_key: Option<String>,
    /// Columns that become headers of the message and are left out of its body.
    pub property_columns: Vec<String>,
    /// How rows are written.
    pub format: KafkaFormat,
}

impl fmt::Debug for KafkaSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Values may be passwords: only the names are shown.
        let names = |list: &[(String, String)]| list.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        f.debug_struct("KafkaSettings")
            .field("server", &self.server)
            .field("topic", &self.topic)
            .field("properties", &names(&self.properties))
            .field("from_environment", &self.from_environment)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for KafkaServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kafka(servers) => f.debug_tuple("Kafka").field(servers).finish(),
            Self::EventHubs { variable, in_file } => {
                f.debug_struct("EventHubs").field("variable", variable).field("in_file", &in_file.as_ref().map(|_| "***")).finish()
            }
        }
    }
}

const KEYS: [&str; 12] = [
    "BootstrapServers",
    "ConnectionString",
    "ConnectionStringFromEnv",
    "Topic",
    "ConsumerGroup",
    "Start",
    "Assignment",
    "PartitionKey",
    "PropertyColumns",
    "Properties",
    "PropertiesFromEnv",
    "Format",
];

/// What is wrong in a block: the key, and the message.
pub(super) type Wrong = (&'static str, String);

/// Which of the two a `DataSourceType` (or, in older files, a `Type`) names.
pub(super) fn kind(text: &str) -> Option<Kind> {
    let plain: String = text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    match plain.as_str() {
        "kafka" | "apachekafka" => Some(Kind::Kafka),
        "eventhub" | "eventhubs" | "azureeventhub" | "azureeventhubs" => Some(Kind::EventHubs),
        _ => None,
    }
}

/// A server's kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Kafka,
    EventHubs,
}

/// What the project's cloud file says of its event hub.
#[derive(Debug, Clone, Default)]
pub(super) struct CloudHub {
    pub(super) hub: Option<String>,
    pub(super) group: Option<String>,
}

pub(super) fn input(kind: Kind, block: Option<&Json>, cloud: CloudHub, file: String) -> Result<KafkaInput, Wrong> {
    let fields = block.map_or(Fields::of(&Json::Null), Fields::of);
    let cloud_group = cloud.group.clone().filter(|_| kind == Kind::EventHubs);
    let start = match fields.text("Start") {
        Some(text) => start(&text).ok_or_else(|| {
            ("Start", format!("Start '{text}': 'checkpoint', 'beginning', 'end' or 'time:2026-01-31T12:00:00Z' is expected"))
        })?,
        None => KafkaStart::default(),
    };
    let assignment = match fields.text("Assignment").map(|text| text.to_ascii_lowercase()).as_deref() {
        None | Some("all") => KafkaAssignment::All,
        Some("group") => KafkaAssignment::Group,
        Some(other) => return Err(("Assignment", format!("Assignment '{other}': 'all' or 'group' is expected"))),
    };
    let connection = connection(kind, fields, cloud.hub, file)?;
    Ok(KafkaInput { connection, group: fields.text("ConsumerGroup").or(cloud_group), start, assignment })
}

/// What an output's files say beside the block.
#[derive(Debug, Clone, Default)]
pub(super) struct Beside {
    pub(super) hub: Option<String>,
    pub(super) partition_key: Option<String>,
    pub(super) property_columns: Vec<String>,
    pub(super) format: KafkaFormat,
}

pub(super) fn output(kind: Kind, block: Option<&Json>, beside: Beside, file: String) -> Result<KafkaOutput, Wrong> {
    let fields = block.map_or(Fields::of(&Json::Null), Fields::of);
    let own_columns = match fields.get("PropertyColumns") {
        Some(list) => Some(texts(list).ok_or_else(|| ("PropertyColumns", "PropertyColumns: a list of columns is expected".to_owned()))?),
        None => None,
    };
    Ok(KafkaOutput {
        partition_key: fields.text("PartitionKey").or(beside.partition_key).filter(|column| !column.is_empty()),
        property_columns: own_columns.unwrap_or(beside.property_columns),
        connection: connection(kind, fields, beside.hub, file)?,
        format: beside.format,
    })
}

/// A list of texts.
pub(super) fn texts(list: &Json) -> Option<Vec<String>> {
    list.as_array()?.iter().map(|text| text.as_str().map(str::to_owned)).collect()
}

fn connection(kind: Kind, fields: Fields<'_>, hub: Option<String>, file: String) -> Result<KafkaSettings, Wrong> {
    for name in fields.names() {
        if !KEYS.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            let near = nearest(name, KEYS).map(|near| format!("; did you mean '{near}'?")).unwrap_or_default();
            return Err(("Kafka", format!("the Kafka block has no setting '{name}'{near}")));
        }
    }
    let topic = fields.text("Topic").or(hub).filter(|topic| !topic.trim().is_empty());
    let servers = fields.text("BootstrapServers").filter(|servers| !servers.trim().is_empty());
    let server = match (kind, servers) {
        (_, Some(servers)) => KafkaServer::Kafka(servers),
        (Kind::Kafka, None) => {
            return Err(("Kafka", "Kafka.BootstrapServers is missing: the brokers as 'host:port', separated by commas".to_owned()));
        }
        (Kind::EventHubs, None) => {
            KafkaServer::EventHubs { variable: fields.text("ConnectionStringFromEnv"), in_file: fields.text("ConnectionString") }
        }
    };
    if topic.is_none() && matches!(server, KafkaServer::Kafka(_)) {
        return Err(("Kafka", "Kafka.Topic is missing".to_owned()));
    }
    Ok(KafkaSettings {
        file,
        server,
        topic,
        properties: pairs(fields, "Properties")?,
        from_environment: pairs(fields, "PropertiesFromEnv")?,
    })
}

/// An object of texts, numbers and booleans.
fn pairs(fields: Fields<'_>, name: &'static str) -> Result<Vec<(String, String)>, Wrong> {
    let Some(given) = fields.get(name) else { return Ok(Vec::new()) };
    let wrong = || (name, format!("{name}: an object is expected, {{\"librdkafka.setting\": \"value\"}}"));
    let Some(object) = given.as_object() else { return Err(wrong()) };
    let pair = |(key, value): (&String, &Json)| match value {
        Json::String(text) => Ok((key.clone(), text.clone())),
        Json::Number(_) | Json::Bool(_) => Ok((key.clone(), value.to_string())),
        _ => Err(wrong()),
    };
    object.iter().map(pair).collect()
}

/// `checkpoint`, `beginning`, `end`, `time:…`.
fn start(text: &str) -> Option<KafkaStart> {
    let lower = text.trim().to_ascii_lowercase();
    Some(match lower.as_str() {
        "checkpoint" => KafkaStart::Checkpoint,
        "beginning" | "earliest" => KafkaStart::Beginning,
        "end" | "latest" => KafkaStart::End,
        _ => KafkaStart::Time(Timestamp::parse(text.trim().get("time:".len()..).filter(|_| lower.starts_with("time:"))?.trim())?),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(kind: Kind, block: &Json) -> Result<KafkaInput, Wrong> {
        let cloud = CloudHub { hub: Some("hub".to_owned()), group: Some("$Default".to_owned()) };
        input(kind, Some(block), cloud, "Local_x.json".to_owned())
    }

    #[test]
    fn a_block_is_read_whatever_the_case_of_its_keys() {
        let block = json!({
            "bootstrapServers": "a:1,b:2", "TOPIC": "t", "ConsumerGroup": "g", "start": "time:2026-01-31T12:00:00Z",
            "Assignment": "group", "Properties": { "security.protocol": "SASL_SSL", "fetch.wait.max.ms": 10, "sasl.password": "hunter2" },
            "PropertiesFromEnv": { "ssl.key.password": "KEY" },
        });
        let input = read(Kind::Kafka, &block).unwrap();
        assert_eq!(input.connection.server, KafkaServer::Kafka("a:1,b:2".to_owned()));
        assert_eq!((input.connection.topic.as_deref(), input.group.as_deref()), (Some("t"), Some("g")));
        assert_eq!(input.start, KafkaStart::Time(Timestamp::parse("2026-01-31T12:00:00Z").unwrap()));
        assert_eq!(input.assignment, KafkaAssignment::Group);
        assert_eq!(input.connection.properties[1], ("fetch.wait.max.ms".to_owned(), "10".to_owned()));
        let debug = format!("{input:?}");
        assert!(debug.contains("sasl.password") && !debug.contains("hunter2"), "{debug}");
    }

    #[test]
    fn an_event_hub_takes_hub_and_group_from_the_cloud_and_hides_its_connection_string() {
        let input = read(Kind::EventHubs, &json!({ "ConnectionString": "Endpoint=sb://x/;SharedAccessKey=abc" })).unwrap();
        assert_eq!((input.connection.topic.as_deref(), input.group.as_deref()), (Some("hub"), Some("$Default")));
        let debug = format!("{input:?}");
        assert!(debug.contains("***") && !debug.contains("abc"), "{debug}");
        let named = read(Kind::EventHubs, &json!({ "ConnectionStringFromEnv": "HUBS" })).unwrap();
        assert_eq!(named.connection.server, KafkaServer::EventHubs { variable: Some("HUBS".to_owned()), in_file: None });
    }

    #[test]
    fn what_is_wrong_is_named() {
        let wrong = |block: Json, words: &[&str]| {
            let (_, message) = read(Kind::Kafka, &block).unwrap_err();
            assert!(words.iter().all(|word| message.contains(word)), "{message}");
        };
        wrong(json!({ "Topic": "t" }), &["BootstrapServers", "host:port"]);
        wrong(json!({ "BootstrapServers": "a:1", "Topik": "t" }), &["'Topik'", "'Topic'"]);
        wrong(json!({ "BootstrapServers": "a:1", "Start": "yesterday" }), &["'yesterday'", "beginning", "time:"]);
        wrong(json!({ "BootstrapServers": "a:1", "Assignment": "some" }), &["'some'", "group"]);
        wrong(json!({ "BootstrapServers": "a:1", "Properties": ["x"] }), &["Properties", "object"]);
        let (_, message) = output(Kind::Kafka, Some(&json!({ "BootstrapServers": "a:1" })), Beside::default(), String::new()).unwrap_err();
        assert!(message.contains("Topic is missing"), "{message}");
    }
}
