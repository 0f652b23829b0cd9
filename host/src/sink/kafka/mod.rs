//! A topic of Kafka, or an event hub by its Kafka endpoint, as an output: one message a row, its key from the partition key
//! column.
//!
//! A batch is taken when the brokers have acknowledged each of its rows (`acks=all`; the producer is idempotent where the
//! server allows it). A row that can never be sent is refused; all else is tried again without end. Delivery is at least once:
//! after a crash rows come again, with the same header `tamis-id`.
//!
//! - `message`: a row as a message
//! - `flight`: the rows of a batch on their way

mod flight;
mod message;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, Producer, ProducerContext};

use super::{Refused, Sink};
use crate::batch::{Batch, DocumentKeys};
use crate::fault::Fault;
use flight::{Flight, Sent};
use message::Messages;

/// A topic, and how rows are written to it.
#[derive(Clone)]
pub struct KafkaSettings {
    /// The job's output, for messages.
    pub output: String,
    /// The brokers, for messages.
    pub server: String,
    /// The topic.
    pub topic: String,
    /// librdkafka's settings; some are secret.
    pub properties: Vec<(String, String)>,
    /// The column whose value is the message's key; a row without it goes to any partition.
    pub partition_key: Option<String>,
    /// Columns that become headers and are left out of the body.
    pub property_columns: Vec<String>,
    /// How the body is written.
    pub written: Written,
}

impl fmt::Debug for KafkaSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaSettings")
            .field("output", &self.output)
            .field("server", &self.server)
            .field("topic", &self.topic)
            .field("written", &self.written)
            .finish_non_exhaustive()
    }
}

/// How a row is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// A JSON object.
    Json,
    /// A JSON array with one object.
    JsonArray,
    /// A header and a record.
    Csv {
        /// What stands between two values.
        delimiter: u8,
    },
}

/// What holds unless the user sets it.
const USUAL: [(&str, &str); 6] = [
    ("enable.idempotence", "true"),
    ("linger.ms", "2"),
    ("queue.buffering.max.kbytes", "65536"),
    // A message is never given up: the job waits, and says so.
    ("message.timeout.ms", "0"),
    ("statistics.interval.ms", "0"),
    ("client.id", "tamis"),
];
/// Fewer acknowledgements could lose rows.
const ACKNOWLEDGED: (&str, &str) = ("acks", "all");
/// How long a start waits for the broker before the job begins without it.
const FIRST_LOOK: Duration = Duration::from_secs(10);
/// How long a batch may take before the job says that it waits.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long one look for acknowledgements takes.
const STEP: Duration = Duration::from_millis(1);

/// Writes to a topic.
pub struct KafkaSink {
    settings: KafkaSettings,
    producer: BaseProducer<Told>,
    /// A batch whose rows are on their way: it is brought again until all are there.
    flight: Option<Flight>,
}

impl fmt::Debug for KafkaSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaSink").field("settings", &self.settings).field("flight", &self.flight).finish_non_exhaustive()
    }
}

impl KafkaSink {
    /// Connects and looks for the topic. A broker that does not answer within ten seconds is waited for later.
    ///
    /// # Errors
    /// Settings that cannot be used, a topic that is not there, a login that is refused.
    pub fn open(settings: KafkaSettings) -> Result<Self, Fault> {
        let sink = Self { producer: producer(&settings)?, settings, flight: None };
        let KafkaSettings { topic, server, .. } = &sink.settings;
        let found = sink.producer.client().fetch_metadata(Some(topic), FIRST_LOOK);
        let error = match &found {
            Ok(metadata) => {
                let known = metadata.topics().iter().find(|known| known.name() == topic);
                known.map_or(Some(RDKafkaErrorCode::UnknownTopicOrPartition), |known| known.error().map(RDKafkaErrorCode::from))
            }
            Err(error) => error.rdkafka_error_code(),
        };
        sink.producer.poll(STEP);
        let said = sink.said();
        match (error, said) {
            (None, _) => {}
            (Some(RDKafkaErrorCode::UnknownTopicOrPartition), _) => {
                return Err(sink.wrong(format!("{server} has no topic '{topic}'; make it, or set Kafka.Topic")));
            }
            (_, Some((RDKafkaErrorCode::Authentication, reason))) => {
                return Err(sink.wrong(format!("{server} refuses the login: {reason}")));
            }
            (Some(error), said) => {
                let reason = said.map_or_else(|| error.to_string(), |(_, reason)| reason);
                tracing::warn!(output = sink.settings.output, reason, "Kafka does not answer; rows wait until it does.");
            }
        }
        Ok(sink)
    }

    fn wrong(&self, message: String) -> Fault {
        Fault::job(message).at(format!("output '{}'", self.settings.output))
    }

    fn said(&self) -> Option<(RDKafkaErrorCode, String)> {
        self.producer.context().said.lock().take()
    }

    /// Why rows are not taken now.
    fn away(&self, flight: &Flight, error: Option<&KafkaError>) -> Fault {
        let reason = match (self.said(), error) {
            (Some((_, reason)), _) => reason,
            (None, Some(error)) => error.to_string(),
            (None, None) => "the brokers do not acknowledge".to_owned(),
        };
        let KafkaSettings { output, topic, server, .. } = &self.settings;
        let waiting = flight.waiting();
        Fault::outside(format!("{waiting} rows cannot be written to topic '{topic}' of {server} now: {reason}"))
            .at(format!("output '{output}'"))
    }

    /// Sends what is to be sent and takes what was acknowledged, until all is done or patience ends.
    fn deliver(&mut self, flight: &mut Flight, messages: &Messages<'_>) -> Result<(), Fault> {
        let start = Instant::now();
        while !flight.is_done() {
            while let Some(row) = flight.next() {
                match flight::send(&self.producer, &self.settings.topic, messages, row) {
                    Sent::OnItsWay => flight.sent(row),
                    Sent::Never(reason) => flight.refused(row, reason),
                    Sent::Later(KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull)) => {
                        flight.again(row);
                        break;
                    }
                    Sent::Later(error) => {
                        flight.again(row);
                        return Err(self.away(flight, Some(&error)));
                    }
                }
            }
            self.producer.poll(STEP);
            let told = std::mem::take(&mut *self.producer.context().told.lock());
            for (row, result) in told {
                match result {
                    Ok(()) => flight.acknowledged(row),
                    Err(error) => match flight::forever(&error) {
                        Some(reason) => flight.refused(row, reason),
                        None => flight.again(row),
                    },
                }
            }
            if let Some((code, reason)) = self.producer.client().fatal_error() {
                // Such a producer sends nothing more; another one begins with the rows that are not acknowledged.
                tracing::warn!(output = self.settings.output, ?code, reason, "The producer is replaced.");
                let fault = self.away(flight, None);
                self.producer = producer(&self.settings)?;
                flight.all_again();
                return Err(fault);
            }
            if start.elapsed() > PATIENCE && !flight.is_done() {
                return Err(self.away(flight, None));
            }
        }
        Ok(())
    }
}

impl Sink for KafkaSink {
    fn write(&mut self, batch: &Batch, keys: &DocumentKeys) -> Result<Vec<Refused>, Fault> {
        let mut flight = match self.flight.take() {
            Some(flight) if flight.is_of(keys) => flight,
            Some(_) => {
                return Err(Fault::internal("another batch came while one was on its way").at(format!("output '{}'", self.settings.output)));
            }
            None => Flight::new(keys),
        };
        let messages = Messages::of(batch, keys, &self.settings);
        match self.deliver(&mut flight, &messages) {
            Ok(()) => Ok(flight.into_refused()),
            Err(fault) => {
                self.flight = Some(flight);
                Err(fault)
            }
        }
    }

    fn flush(&mut self) -> Result<(), Fault> {
        // `write` returns when all is acknowledged.
        Ok(())
    }
}

fn producer(settings: &KafkaSettings) -> Result<BaseProducer<Told>, Fault> {
    let wrong = |message: String| Fault::job(message).at(format!("output '{}'", settings.output));
    let mut config = ClientConfig::new();
    for (name, value) in USUAL {
        config.set(name, value);
    }
    for (name, value) in &settings.properties {
        if name == ACKNOWLEDGED.0 || name == "request.required.acks" {
            return Err(wrong(format!("the setting '{name}' cannot be changed: a row is written when all replicas have it")));
        }
        config.set(name, value);
    }
    config.set(ACKNOWLEDGED.0, ACKNOWLEDGED.1);
    config.create_with_context(Told::new(settings)).map_err(|error| {
        wrong(match &error {
            // The value may be secret.
            KafkaError::ClientConfig(_, _, name, _) => format!("the Kafka setting '{name}' cannot be used"),
            other => format!("Kafka's settings cannot be used: {other}"),
        })
    })
}

/// A row, and whether it is there.
type Delivered = (usize, Result<(), KafkaError>);

/// What librdkafka tells.
#[derive(Debug)]
struct Told {
    output: Arc<str>,
    told: Mutex<Vec<Delivered>>,
    said: Mutex<Option<(RDKafkaErrorCode, String)>>,
}

impl Told {
    fn new(settings: &KafkaSettings) -> Self {
        Self { output: settings.output.as_str().into(), told: Mutex::default(), said: Mutex::default() }
    }
}

impl ClientContext for Told {
    fn log(&self, _level: RDKafkaLogLevel, facility: &str, message: &str) {
        // What matters is told as faults of the output.
        tracing::debug!(output = &*self.output, facility, message, "Kafka.");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if let Some(code) = error.rdkafka_error_code() {
            let mut said = self.said.lock();
            if said.is_none() || code != RDKafkaErrorCode::AllBrokersDown {
                *said = Some((code, reason.to_owned()));
            }
        }
    }
}

impl ProducerContext for Told {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, row: usize) {
        self.told.lock().push((row, result.as_ref().map(|_| ()).map_err(|(error, _)| error.clone())));
    }
}

#[cfg(test)]
mod tests;
