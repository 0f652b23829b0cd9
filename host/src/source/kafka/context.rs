//! What librdkafka tells beside messages: errors, statistics, and which partitions are this host's.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Offset, Statistics, TopicPartitionList};

use super::queue::Shared;
use super::start::Begun;
use super::{KafkaSettings, start};

/// Shared by a consumer and its pump.
#[derive(Debug)]
pub(super) struct Context {
    settings: Arc<KafkaSettings>,
    shared: Arc<Shared>,
    /// The next offset of each partition by the checkpoint that the host started from.
    known: HashMap<u32, u64>,
    /// The next offset of each partition by the newest checkpoint.
    pub(super) reached: Mutex<HashMap<u32, u64>>,
    /// The last error.
    said: Mutex<Option<(RDKafkaErrorCode, String)>>,
    /// How many commits were answered.
    pub(super) commits: AtomicU64,
}

impl Context {
    pub(super) fn new(settings: Arc<KafkaSettings>, shared: Arc<Shared>, known: HashMap<u32, u64>) -> Self {
        Self { settings, shared, known, reached: Mutex::default(), said: Mutex::default(), commits: AtomicU64::new(0) }
    }

    /// Where this host has read a partition to: in this run, else by the checkpoint.
    pub(super) fn known(&self, partition: u32) -> Option<u64> {
        self.shared.next(partition).or_else(|| self.known.get(&partition).copied())
    }

    /// The last error, once.
    pub(super) fn said(&self) -> Option<(RDKafkaErrorCode, String)> {
        self.said.lock().take()
    }

    /// What was written of these partitions, for the consumer group.
    pub(super) fn offsets(&self, partitions: &[u32]) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        let reached = self.reached.lock();
        for partition in partitions {
            if let Some(next) = reached.get(partition) {
                let _added = list.add_partition_offset(&self.settings.topic, partition.cast_signed(), Offset::Offset(next.cast_signed()));
            }
        }
        list
    }

    /// Sets each partition's start; one that cannot be found out is left to the consumer group.
    fn begin(&self, consumer: &BaseConsumer<Self>, list: &mut TopicPartitionList) {
        let mut starts = TopicPartitionList::new();
        for element in list.elements_for_topic(&self.settings.topic) {
            let partition = element.partition().cast_unsigned();
            let known = self.known(partition);
            let found = start::of(consumer, &self.settings, partition, known, false);
            if let Err(error) = &found {
                tracing::warn!(input = self.settings.input, partition, %error, "Kafka did not say where the consumer group stands.");
            }
            let begun = found.unwrap_or_else(|_| Begun::at(known.unwrap_or(0)));
            let next = begun.next;
            self.shared.begin(partition, begun);
            let _added = starts.add_partition_offset(&self.settings.topic, element.partition(), Offset::Offset(next.cast_signed()));
        }
        *list = starts;
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        let input = &self.settings.input;
        // What matters is told by the pump; these are details, also when librdkafka calls them errors.
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
                tracing::error!(input, facility, message, "Kafka.");
            }
            _ => tracing::debug!(input, facility, message, "Kafka."),
        }
    }

    fn stats(&self, statistics: Statistics) {
        let Some(topic) = statistics.topics.get(&self.settings.topic) else { return };
        for (partition, known) in &topic.partitions {
            if let Ok(partition) = u32::try_from(*partition) {
                self.shared.ends_at(partition, start::offset(known.hi_offset));
            }
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // The end of a partition is told as an error, too.
        if let Some(code) = error.rdkafka_error_code().filter(|code| *code != RDKafkaErrorCode::PartitionEOF) {
            tracing::debug!(input = self.settings.input, ?code, reason, "Kafka.");
            let mut said = self.said.lock();
            // "All brokers are down" says less than what came before it.
            if said.is_none() || code != RDKafkaErrorCode::AllBrokersDown {
                *said = Some((code, reason.to_owned()));
            }
        }
    }
}

impl ConsumerContext for Context {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, event: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let input = &self.settings.input;
        let cooperative = matches!(consumer.rebalance_protocol(), RebalanceProtocol::Cooperative);
        let numbers: Vec<u32> = list.elements().iter().map(|element| element.partition().cast_unsigned()).collect();
        let done = if event == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            tracing::info!(input, partitions = ?numbers, "This host reads these partitions now.");
            let mut starts = list.clone();
            self.begin(consumer, &mut starts);
            self.shared.settle();
            if cooperative { consumer.incremental_assign(&starts) } else { consumer.assign(&starts) }
        } else {
            tracing::info!(input, partitions = ?numbers, "Other hosts of the consumer group read these partitions now.");
            // So that the next host begins behind what is written. librdkafka gives the partitions up when it is answered.
            let offsets = self.offsets(&numbers);
            if offsets.count() > 0
                && let Err(error) = consumer.commit(&offsets, CommitMode::Async)
            {
                tracing::warn!(input, %error, "The consumer group was not told how far this host has come; the next one reads some events again.");
            }
            numbers.iter().for_each(|partition| self.shared.give_up(*partition));
            if cooperative { consumer.incremental_unassign(list) } else { consumer.unassign() }
        };
        if let Err(error) = done {
            tracing::error!(input, %error, "The partitions could not be taken over.");
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _offsets: &TopicPartitionList) {
        self.commits.fetch_add(1, Ordering::SeqCst);
        if let Err(error) = result {
            // Only others look there: the host's own checkpoint decides.
            tracing::debug!(input = self.settings.input, %error, "The consumer group was not told how far the job is.");
        }
    }
}
