//! A topic of Kafka, or an event hub by its Kafka endpoint, as a source.
//!
//! A thread of its own, the pump, fetches messages and keeps them in a bounded queue; the pipeline takes them from there, a
//! run of one partition at a time. When the pipeline is slow the queue is full and nothing more is fetched: events wait at
//! the broker. When the broker is away, the pump asks again without end.
//!
//! Where reading stands is the host's own checkpoint, which is one transaction with the documents. After it the offsets are
//! committed to the consumer group, too, so that other tools see how far the job is and another host can go on from there.
//!
//! - `start`: at which offset a partition is begun
//! - `context`: what librdkafka tells: errors, statistics, which partitions are ours
//! - `pump`: the thread
//! - `message`: a message as an event
//! - `queue`: what was fetched and not yet read

mod context;
mod message;
mod pump;
mod queue;
mod start;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::BaseConsumer;
use rdkafka::error::KafkaError;
use tokio::sync::watch;

use crate::fault::Fault;
use crate::source::Event;
use crate::time::Timestamp;
use context::Context;
use message::Again;
use pump::{Looked, Pump};
use queue::Shared;

pub use queue::{Lost, Taken};

/// A topic, and how it is read.
#[derive(Clone)]
pub struct KafkaSettings {
    /// The job's input, for messages.
    pub input: String,
    /// The brokers, for messages.
    pub server: String,
    /// The topic.
    pub topic: String,
    /// The consumer group.
    pub group: String,
    /// Where a partition is begun that the host has no checkpoint of.
    pub start: Start,
    /// Whether the hosts of the consumer group share the partitions. Otherwise this host reads all of them.
    pub shared: bool,
    /// librdkafka's settings; some are secret.
    pub properties: Vec<(String, String)>,
}

impl fmt::Debug for KafkaSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaSettings")
            .field("input", &self.input)
            .field("server", &self.server)
            .field("topic", &self.topic)
            .field("group", &self.group)
            .field("start", &self.start)
            .field("shared", &self.shared)
            .finish_non_exhaustive()
    }
}

/// Where a partition is begun that the host has no checkpoint of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// Where the consumer group stands, else at the oldest event.
    Checkpoint,
    /// At the oldest event.
    Beginning,
    /// Behind the newest event.
    End,
    /// At the first event of that time or later.
    Time(Timestamp),
}

/// How far a partition of an input has come, durably: everything below `next` is in the outputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// The job's input.
    pub input: String,
    /// The partition.
    pub partition: u32,
    /// The next offset.
    pub next: u64,
}

/// The last checkpoint. When its sender is gone, nothing more will be written, and the pump ends.
pub type Reached = watch::Receiver<Arc<[Progress]>>;

/// How long a start waits for the broker before the job begins without it.
const FIRST_LOOK: Duration = Duration::from_secs(10);

/// What this source sets itself; anything else may be set by the user.
const OWN: [(&str, &str); 4] = [
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    // An offset that is gone is told, and not skipped.
    ("auto.offset.reset", "error"),
    ("enable.partition.eof", "true"),
];

/// What holds unless the user sets it: memory is bounded, and statistics tell the backlog.
const USUAL: [(&str, &str); 5] = [
    ("queued.max.messages.kbytes", "32768"),
    ("fetch.max.bytes", "8388608"),
    ("fetch.wait.max.ms", "100"),
    ("statistics.interval.ms", "2000"),
    ("client.id", "tamis"),
];

/// A topic that is being read.
#[derive(Debug)]
pub struct KafkaSource {
    shared: Arc<Shared>,
    again: Arc<Again>,
}

/// One partition of it.
#[derive(Debug)]
pub struct KafkaPartition {
    /// Its number.
    pub partition: u32,
    shared: Arc<Shared>,
    again: Arc<Again>,
}

impl KafkaSource {
    /// Connects and starts to fetch. `known`: the next offset of each partition, by the host's checkpoint. A broker that
    /// does not answer within ten seconds is asked on, without end. The pump ends when the sender of `reached` is gone.
    ///
    /// # Errors
    /// Settings that cannot be used, a topic that is not there, a login that is refused.
    pub fn open(settings: KafkaSettings, known: &HashMap<u32, u64>, reached: Reached) -> Result<(Self, JoinHandle<()>), Fault> {
        let settings = Arc::new(settings);
        let shared = Arc::new(Shared::default());
        let context = Context::new(Arc::clone(&settings), Arc::clone(&shared), known.clone());
        let config = config(&settings)?;
        let again = Arc::new(Again::new(config.clone(), settings.topic.clone()));
        let consumer: BaseConsumer<Context> =
            config.create_with_context(context).map_err(|error| Fault::job(unusable(&error)).at(format!("input '{}'", settings.input)))?;
        let mut pump = Pump::new(Arc::clone(&settings), consumer, Arc::clone(&shared), reached);
        match pump.look(FIRST_LOOK) {
            Ok(()) => {}
            Err(Looked::Away(reason)) => {
                tracing::warn!(input = settings.input, reason, "Kafka does not answer; it is asked again until it does.");
                shared.trouble(Some(reason));
            }
            Err(Looked::Wrong(fault)) => return Err(fault),
        }
        let name = format!("kafka-{}", settings.input);
        let cannot = |error: std::io::Error| Fault::internal(format!("a thread cannot be started: {error}"));
        let thread = std::thread::Builder::new().name(name).spawn(move || pump.run()).map_err(cannot)?;
        Ok((Self { shared, again }, thread))
    }

    /// Partitions that were found since the last call.
    pub fn found(&self) -> Vec<KafkaPartition> {
        let new = self.shared.found();
        let partition = |partition| KafkaPartition { partition, shared: Arc::clone(&self.shared), again: Arc::clone(&self.again) };
        new.into_iter().map(partition).collect()
    }

    /// How many events were fetched; changes when there are new ones.
    pub fn arrivals(&self) -> watch::Receiver<u64> {
        self.shared.arrivals.subscribe()
    }

    /// Why nothing can be read now; `None` while all is well.
    pub fn trouble(&self) -> watch::Receiver<Option<String>> {
        self.shared.trouble.subscribe()
    }
}

impl KafkaPartition {
    /// The next events, at most so many, and not many more bytes.
    ///
    /// # Errors
    /// What stops the job: the topic is another one than that of the checkpoint.
    pub fn take(&mut self, max_events: usize, max_bytes: usize) -> Result<Taken, Fault> {
        self.shared.take(self.partition, max_events, max_bytes)
    }

    /// An event that was taken before, read from the broker again; `None`: it is not there any more, or the broker is away.
    pub fn again(&self, offset: u64) -> Option<Event> {
        self.again.read(self.partition, offset)
    }

    /// Whether everything that the broker has was taken, or another host reads it: nothing older will come.
    pub fn is_quiet(&self) -> bool {
        self.shared.is_quiet(self.partition)
    }

    /// How many events wait at the broker and here, when reading stands at `next`.
    pub fn backlog(&self, next: u64) -> u64 {
        self.shared.backlog(self.partition, next)
    }
}

/// The settings for librdkafka.
fn config(settings: &KafkaSettings) -> Result<ClientConfig, Fault> {
    let mut config = ClientConfig::new();
    for (name, value) in USUAL {
        config.set(name, value);
    }
    for (name, value) in &settings.properties {
        if OWN.iter().any(|(own, _)| own == name) || name == "group.id" {
            let message = format!("the setting '{name}' cannot be changed: the host's checkpoint decides what is read");
            return Err(Fault::job(message).at(format!("input '{}'", settings.input)));
        }
        config.set(name, value);
    }
    config.set("group.id", &settings.group);
    for (name, value) in OWN {
        config.set(name, value);
    }
    Ok(config)
}

/// What librdkafka says of a setting, without its value, which may be secret.
fn unusable(error: &KafkaError) -> String {
    match error {
        KafkaError::ClientConfig(_, what, name, _) if !is_secret(name) => format!("the Kafka setting '{name}' cannot be used: {what}"),
        KafkaError::ClientConfig(_, _, name, _) => format!("the Kafka setting '{name}' cannot be used"),
        other => format!("Kafka's settings cannot be used: {other}"),
    }
}

/// Whether a setting's value is never printed.
fn is_secret(name: &str) -> bool {
    ["password", "secret", "pem", "oauthbearer.config"].iter().any(|part| name.contains(part))
}
