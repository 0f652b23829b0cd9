//! Topics of Kafka and Event Hubs: from a project's settings and the environment to what the rooms `source` and `sink` take.
//!
//! | variable | what |
//! | --- | --- |
//! | `TAMIS_KAFKA_SERVERS` | brokers, as `host:port`: every hub of the job is read from the topic of its name there |
//! | `TAMIS_KAFKA_GROUP` | the consumer group then; `tamis` when it is not set |
//! | `TAMIS_EVENTHUBS_CONNECTION` | the connection string of an Event Hubs namespace, for inputs and outputs that name no other |

use std::collections::HashMap;
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::watch;

use crate::fault::Fault;
use crate::job::{
    InputSettings, InputSource, KafkaAssignment, KafkaInput, KafkaServer, KafkaSettings as Connection, KafkaStart, OutputSettings,
    OutputTarget,
};
use crate::sink::kafka::{KafkaSettings as SinkSettings, Written};
use crate::source::kafka::{KafkaPartition, KafkaSettings, KafkaSource, Progress, Reached, Start};
use crate::source::{Decoder, Format, Wanted};
use crate::store::{Checkpoint, PartitionCheckpoint};
use crate::time::Clock;

use super::reader::{Place, Reader};

const SERVERS: &str = "TAMIS_KAFKA_SERVERS";
const GROUP: &str = "TAMIS_KAFKA_GROUP";
const CONNECTION: &str = "TAMIS_EVENTHUBS_CONNECTION";

/// The consumer group of plain Kafka when none is named.
const USUAL_GROUP: &str = "tamis";
/// That of Event Hubs.
const DEFAULT_GROUP: &str = "$Default";

/// A variable of the environment that is set and not empty.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.trim().is_empty())
}

/// An input of the query that is a topic.
#[derive(Debug)]
pub(super) struct Topic {
    source: KafkaSource,
    name: String,
    /// What the checkpoint says of its partitions.
    known: Vec<PartitionCheckpoint>,
    decoding: Decoding,
}

/// How a topic's events are decoded.
#[derive(Debug)]
pub(super) struct Decoding {
    /// The input's place in the query's plan.
    pub(super) input: usize,
    pub(super) wanted: Wanted,
    pub(super) beside: Vec<String>,
    pub(super) format: Format,
    pub(super) clock: Arc<dyn Clock>,
}

impl Topic {
    /// Connects, and starts to fetch.
    pub(super) fn open(
        settings: &InputSettings,
        kafka: &KafkaInput,
        checkpoint: &Checkpoint,
        decoding: Decoding,
        reached: Reached,
    ) -> Result<(Self, JoinHandle<()>), Fault> {
        let of_input = checkpoint.partitions.iter().filter(|known| known.input == settings.name);
        let known: Vec<PartitionCheckpoint> = of_input.cloned().collect();
        let next: HashMap<u32, u64> = known.iter().map(|known| (known.partition, known.replay_from)).collect();
        let login =
            Login::of(&kafka.connection, Use::Reading).map_err(|fault| fault.at(place(&kafka.connection, "input", &settings.name)))?;
        let usual = if login.is_event_hubs { DEFAULT_GROUP } else { USUAL_GROUP };
        let group = kafka.group.clone().unwrap_or_else(|| usual.to_owned());
        tracing::info!(input = settings.name, server = login.shown, topic = login.topic, group, "The input is a topic.");
        let settings_of_source = KafkaSettings {
            input: settings.name.clone(),
            server: login.server,
            topic: login.topic,
            group,
            start: match kafka.start {
                KafkaStart::Checkpoint => Start::Checkpoint,
                KafkaStart::Beginning => Start::Beginning,
                KafkaStart::End => Start::End,
                KafkaStart::Time(time) => Start::Time(time),
            },
            shared: kafka.assignment == KafkaAssignment::Group,
            properties: login.properties,
        };
        let (source, thread) = KafkaSource::open(settings_of_source, &next, reached)?;
        Ok((Self { source, name: settings.name.clone(), known, decoding }, thread))
    }

    /// Readers of the partitions that were found since the last call.
    pub(super) fn found(&mut self) -> Vec<Reader> {
        let found = self.source.found();
        found.into_iter().map(|partition| self.reader(partition)).collect()
    }

    fn reader(&mut self, source: KafkaPartition) -> Reader {
        let partition = source.partition;
        let known = self.known.iter().position(|known| known.partition == partition).map(|place| self.known.swap_remove(place));
        let (next, committed) = known.as_ref().map_or((0, 0), |known| (known.replay_from, known.committed));
        let Decoding { input, wanted, beside, format, clock } = &self.decoding;
        let decoder = Decoder::new(wanted.clone(), format.clone(), *input).with_clock(Arc::clone(clock)).with_beside(beside);
        let place = Place::Kafka { source, begun: known.is_some() };
        Reader { input: *input, name: self.name.clone(), partition, place, decoder, next, committed }
    }

    /// What the checkpoint says of partitions that were not found yet: it still holds.
    pub(super) fn waiting(&self) -> impl Iterator<Item = PartitionCheckpoint> {
        self.known.iter().cloned()
    }

    /// Changes when events come.
    pub(super) fn arrivals(&self) -> watch::Receiver<u64> {
        self.source.arrivals()
    }

    /// Why nothing can be read now.
    pub(super) fn trouble(&self) -> watch::Receiver<Option<String>> {
        self.source.trouble()
    }
}

/// What tells the topics' threads of checkpoints.
pub(super) type Told = Reached;

/// The topic of an input.
///
/// # Errors
/// When there is no login, whose connection string may name it.
pub(super) fn topic_of(input: &InputSettings, kafka: &KafkaInput) -> Result<String, Fault> {
    let login = Login::of(&kafka.connection, Use::Reading).map_err(|fault| fault.at(place(&kafka.connection, "input", &input.name)))?;
    Ok(login.topic)
}

/// A checkpoint as the topics' threads take it.
pub(super) fn progress(checkpoint: &Checkpoint) -> Arc<[Progress]> {
    let of = |known: &PartitionCheckpoint| Progress { input: known.input.clone(), partition: known.partition, next: known.replay_from };
    checkpoint.partitions.iter().map(of).collect()
}

/// Where an input's rows come from: what its files say, unless the environment says Kafka.
pub(super) fn source_of(input: &InputSettings) -> InputSource {
    match (&input.source, variable(SERVERS)) {
        (InputSource::Log { hub, .. }, Some(servers)) => InputSource::Kafka(Box::new(KafkaInput {
            connection: Connection {
                file: SERVERS.to_owned(),
                server: KafkaServer::Kafka(servers),
                topic: Some(hub.clone()),
                properties: Vec::new(),
                from_environment: Vec::new(),
            },
            group: variable(GROUP),
            start: KafkaStart::default(),
            assignment: KafkaAssignment::default(),
        })),
        (source, _) => source.clone(),
    }
}

/// How an output reaches a topic; `None` when it goes elsewhere.
///
/// # Errors
/// When there is no login.
pub(super) fn output(output: &OutputSettings) -> Result<Option<SinkSettings>, Fault> {
    let OutputTarget::Kafka(kafka) = &output.target else { return Ok(None) };
    let login = Login::of(&kafka.connection, Use::Writing).map_err(|fault| fault.at(place(&kafka.connection, "output", &output.name)))?;
    tracing::info!(output = output.name, server = login.shown, topic = login.topic, "The output is a topic.");
    Ok(Some(SinkSettings {
        output: output.name.clone(),
        server: login.server,
        topic: login.topic,
        properties: login.properties,
        partition_key: kafka.partition_key.clone(),
        property_columns: kafka.property_columns.clone(),
        written: match kafka.format {
            crate::job::KafkaFormat::Json => Written::Json,
            crate::job::KafkaFormat::JsonArray => Written::JsonArray,
            crate::job::KafkaFormat::Csv { delimiter } => Written::Csv { delimiter },
        },
    }))
}

fn place(connection: &Connection, what: &str, name: &str) -> String {
    format!("{}: {what} '{name}'", connection.file)
}

/// What a client is for: some settings are only for one of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Reading,
    Writing,
}

/// How a client reaches a topic. `properties` may hold secrets.
struct Login {
    is_event_hubs: bool,
    /// The server, for messages.
    server: String,
    /// The same, with what is known of the login.
    shown: String,
    topic: String,
    properties: Vec<(String, String)>,
}

impl Login {
    fn of(connection: &Connection, used: Use) -> Result<Self, Fault> {
        let mut login = match &connection.server {
            KafkaServer::Kafka(servers) => Self {
                is_event_hubs: false,
                server: servers.clone(),
                shown: servers.clone(),
                topic: connection.topic.clone().unwrap_or_default(),
                properties: vec![("bootstrap.servers".to_owned(), servers.clone())],
            },
            KafkaServer::EventHubs { variable: named, in_file } => {
                let name = named.as_deref().unwrap_or(CONNECTION);
                let text = variable(name).or_else(|| in_file.clone()).ok_or_else(|| {
                    Fault::job(format!(
                        "there is no connection string for Event Hubs: set the variable {name}, or name another one in Kafka.ConnectionStringFromEnv"
                    ))
                })?;
                Self::event_hubs(text.trim(), connection.topic.as_deref(), used).map_err(Fault::job)?
            }
        };
        let set = |properties: &mut Vec<(String, String)>, name: &str, value: String| {
            properties.retain(|(known, _)| known != name);
            properties.push((name.to_owned(), value));
        };
        for (name, value) in &connection.properties {
            set(&mut login.properties, name, value.clone());
        }
        for (name, from) in &connection.from_environment {
            let value =
                variable(from).ok_or_else(|| Fault::job(format!("the variable {from} is not set; Kafka's '{name}' stands in it")))?;
            set(&mut login.properties, name, value);
        }
        Ok(login)
    }

    /// The Kafka endpoint of an Event Hubs namespace. Source: "Recommended configurations for Apache Kafka clients".
    fn event_hubs(text: &str, topic: Option<&str>, used: Use) -> Result<Self, String> {
        let connection = ConnectionString::parse(text)?;
        let host = &connection.host;
        let topic = topic.or(connection.hub).ok_or("neither Kafka.Topic nor EntityPath of the connection string names the event hub")?;
        let servers = format!("{host}:9093");
        let mut properties = vec![
            ("bootstrap.servers", servers.as_str()),
            ("security.protocol", "SASL_SSL"),
            ("sasl.mechanism", "PLAIN"),
            ("sasl.username", "$ConnectionString"),
            ("sasl.password", text),
            // Azure closes idle connections after four minutes.
            ("metadata.max.age.ms", "180000"),
            ("connections.max.idle.ms", "180000"),
            ("socket.keepalive.enable", "true"),
        ];
        properties.extend(match used {
            Use::Reading => [("session.timeout.ms", "30000"), ("heartbeat.interval.ms", "3000")],
            Use::Writing => [("request.timeout.ms", "60000"), ("message.max.bytes", "1046528")],
        });
        if used == Use::Writing {
            // Not every namespace takes idempotent producers.
            properties.push(("enable.idempotence", "false"));
        }
        Ok(Self {
            is_event_hubs: true,
            server: servers.clone(),
            shown: connection.masked(),
            topic: topic.to_owned(),
            properties: properties.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        })
    }
}

/// `Endpoint=sb://HOST/;SharedAccessKeyName=…;SharedAccessKey=…;EntityPath=…`
struct ConnectionString<'a> {
    host: String,
    key_name: &'a str,
    hub: Option<&'a str>,
}

impl<'a> ConnectionString<'a> {
    fn parse(text: &'a str) -> Result<Self, String> {
        let part = |wanted: &str| {
            let pairs = text.split(';').filter_map(|pair| pair.split_once('='));
            pairs
                .map(|(name, value)| (name.trim(), value.trim()))
                .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
                .map(|(_, value)| value)
        };
        let needed = |name: &str| {
            let form = "Endpoint=sb://NAMESPACE.servicebus.windows.net/;SharedAccessKeyName=NAME;SharedAccessKey=KEY";
            part(name).filter(|value| !value.is_empty()).ok_or_else(|| format!("the connection string has no '{name}'; its form is {form}"))
        };
        let endpoint = needed("Endpoint")?;
        let host = endpoint.split_once("://").map_or(endpoint, |(_, host)| host);
        let host = host.split(['/', ':']).next().unwrap_or_default();
        if host.is_empty() {
            return Err("the Endpoint of the connection string names no host".to_owned());
        }
        needed("SharedAccessKey")?;
        Ok(Self { host: host.to_owned(), key_name: needed("SharedAccessKeyName")?, hub: part("EntityPath").filter(|hub| !hub.is_empty()) })
    }

    /// Without its key.
    fn masked(&self) -> String {
        let hub = self.hub.map(|hub| format!(";EntityPath={hub}")).unwrap_or_default();
        format!("Endpoint=sb://{}/;SharedAccessKeyName={};SharedAccessKey=***{hub}", self.host, self.key_name)
    }
}

#[cfg(test)]
mod tests;
