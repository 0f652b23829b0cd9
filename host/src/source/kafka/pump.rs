//! The thread that fetches: it fills the queue while there is room, asks after the broker when nothing comes, and tells the
//! consumer group what was written.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};

use super::context::Context;
use super::queue::Shared;
use super::start::Begun;
use super::{KafkaSettings, Reached, message, start};
use crate::fault::Fault;
use crate::source::Event;

/// How long a fetch waits for the first message.
const POLL: Duration = Duration::from_millis(50);
/// What is put into the queue at once, at most.
const BATCH: (usize, usize) = (4096, 4 << 20);
/// When nothing has come for so long, the broker is asked whether it is there.
const LOOK: Duration = Duration::from_secs(3);
/// While messages come, new partitions are looked for so often.
const LOOK_AT_LEAST: Duration = Duration::from_secs(30);
/// While the broker is away, it is asked so often.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// A partition of an answering broker is at its end when nothing has come of it for so long.
const SILENCE: Duration = Duration::from_secs(5);
/// The consumer group is told so often.
const COMMIT: Duration = Duration::from_secs(1);
/// How long the end waits for the last commit, and for leaving the group.
const LAST: Duration = Duration::from_secs(3);

/// Why the topic cannot be seen.
#[derive(Debug)]
pub(super) enum Looked {
    /// Not now.
    Away(String),
    /// Never.
    Wrong(Fault),
}

pub(super) struct Pump {
    settings: Arc<KafkaSettings>,
    consumer: BaseConsumer<Context>,
    shared: Arc<Shared>,
    reached: Reached,
    /// The next offset that is fetched, by partition.
    fetched: HashMap<u32, u64>,
    /// Whether the topic was ever seen.
    seen: bool,
    /// When the broker last answered, when it was last asked, and when the group was last told.
    heard: Instant,
    looked: Instant,
    told: Instant,
}

impl Pump {
    pub(super) fn new(settings: Arc<KafkaSettings>, consumer: BaseConsumer<Context>, shared: Arc<Shared>, reached: Reached) -> Self {
        let now = Instant::now();
        Self { settings, consumer, shared, reached, fetched: HashMap::new(), seen: false, heard: now, looked: now, told: now }
    }

    /// Runs until nothing more will be written.
    pub(super) fn run(mut self) {
        if self.settings.shared
            && let Err(error) = self.consumer.subscribe(&[&self.settings.topic])
        {
            self.shared.fail(self.wrong(format!("the consumer group '{}' cannot be joined: {error}", self.settings.group)));
        }
        while self.reached.has_changed().is_ok() {
            self.commit(false);
            if self.shared.has_room(POLL) {
                self.fetch();
            }
            self.look_when_due();
        }
        self.commit(true);
        self.close();
    }

    /// Moves what has come into the queue.
    fn fetch(&mut self) {
        let mut events: Vec<(u32, Event)> = Vec::new();
        let mut ends: BTreeMap<u32, ()> = BTreeMap::new();
        let mut failed = Vec::new();
        let mut buffer = BytesMut::new();
        let (mut bytes, mut wait) = (0, POLL);
        while events.len() < BATCH.0 && bytes < BATCH.1 {
            match self.consumer.poll(wait) {
                None => break,
                Some(Ok(message)) => {
                    wait = Duration::ZERO;
                    let (partition, event) = (message.partition().cast_unsigned(), message::event(&message, &mut buffer));
                    bytes += event.body.len();
                    self.fetched.insert(partition, event.offset + 1);
                    ends.remove(&partition);
                    events.push((partition, event));
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    ends.insert(partition.cast_unsigned(), ());
                }
                Some(Err(error)) => failed.push(error),
            }
        }
        if !events.is_empty() {
            self.heard = Instant::now();
        }
        let ends: Vec<u32> = ends.into_keys().collect();
        self.shared.push(events, &ends);
        for error in failed {
            self.failed(&error);
        }
    }

    fn failed(&mut self, error: &KafkaError) {
        match error {
            KafkaError::MessageConsumptionFatal(_) => {
                self.shared.fail(self.wrong(format!("the consumer of topic '{}' cannot go on: {error}", self.settings.topic)));
            }
            _ if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AutoOffsetReset) => self.out_of_range(),
            // The broker is asked at once what is the matter.
            _ => {
                tracing::debug!(input = self.settings.input, %error, "Kafka.");
                if self.shared.trouble.borrow().is_none() {
                    self.heard = self.heard.checked_sub(LOOK).unwrap_or(self.heard);
                }
            }
        }
    }

    /// An offset that was asked for is not there: the events are gone, or the topic is another one.
    fn out_of_range(&mut self) {
        for partition in self.shared.ours() {
            let Ok((oldest, newest)) = self.consumer.fetch_watermarks(&self.settings.topic, partition.cast_signed(), LOOK) else {
                continue;
            };
            let (oldest, newest) = (start::offset(oldest), start::offset(newest));
            let next = self.fetched.get(&partition).copied().or_else(|| self.shared.next(partition)).unwrap_or(0);
            if next < oldest {
                let lost = start::gone(next, oldest);
                tracing::error!(input = self.settings.input, partition, reason = lost.reason, "Events are lost.");
                self.shared.begin(partition, Begun { lost: Some(lost), ..Begun::at(oldest) });
                self.fetch_from(&[(partition, oldest)]);
            } else if next > newest {
                self.shared.fail(self.wrong(format!(
                    "partition {partition} of topic '{}' ends at offset {newest}, and this host has read up to {next}: the topic was made anew; \
                     start with another --data-dir, so that its events are not taken for those of the old one",
                    self.settings.topic
                )));
            }
        }
    }

    /// Fetches these partitions from these offsets on.
    fn fetch_from(&mut self, starts: &[(u32, u64)]) {
        let mut list = TopicPartitionList::new();
        for (partition, next) in starts {
            let _added = list.add_partition_offset(&self.settings.topic, partition.cast_signed(), Offset::Offset(next.cast_signed()));
            self.fetched.insert(*partition, *next);
        }
        let _not_there_yet = self.consumer.incremental_unassign(&list);
        if let Err(error) = self.consumer.incremental_assign(&list) {
            self.shared.fail(self.wrong(format!("topic '{}' cannot be read: {error}", self.settings.topic)));
        }
    }

    fn look_when_due(&mut self) {
        let due = match (self.shared.trouble.borrow().is_some(), self.seen) {
            (true, _) | (_, false) => self.looked.elapsed() >= LOOK_AGAIN,
            _ => self.heard.elapsed() >= LOOK || self.looked.elapsed() >= LOOK_AT_LEAST,
        };
        if !due {
            return;
        }
        match self.look(LOOK) {
            Ok(()) => {
                if self.shared.trouble.borrow().is_some() {
                    tracing::info!(input = self.settings.input, "Kafka answers again.");
                }
                self.shared.trouble(None);
                self.shared.silent(SILENCE);
            }
            Err(Looked::Away(reason)) => {
                if self.shared.trouble.borrow().is_none() {
                    tracing::error!(input = self.settings.input, reason, "Kafka does not answer; it is asked again until it does.");
                }
                self.shared.trouble(Some(reason));
            }
            // It was right at the start, and may be again.
            Err(Looked::Wrong(fault)) => self.shared.trouble(Some(fault.to_string())),
        }
        // Also a long wait for an answer counts as asked.
        self.looked = Instant::now();
    }

    /// Asks the broker for the topic's partitions, and begins those that are new.
    pub(super) fn look(&mut self, wait: Duration) -> Result<(), Looked> {
        let topic = self.settings.topic.clone();
        let metadata = match self.consumer.fetch_metadata(Some(&topic), wait) {
            Ok(metadata) => metadata,
            Err(error) => return Err(self.away(&error)),
        };
        let known = metadata.topics().iter().find(|known| known.name() == topic);
        let error = known.and_then(|topic| topic.error()).map(RDKafkaErrorCode::from);
        let mut partitions: Vec<u32> = match (known, error) {
            (Some(topic), None) => topic.partitions().iter().map(|partition| partition.id().cast_unsigned()).collect(),
            (_, Some(RDKafkaErrorCode::LeaderNotAvailable)) => return Err(Looked::Away(self.says("the topic has no leader now"))),
            (_, Some(RDKafkaErrorCode::TopicAuthorizationFailed)) => {
                return Err(Looked::Wrong(self.wrong(format!("this login may not read topic '{topic}'"))));
            }
            (Some(_), Some(RDKafkaErrorCode::UnknownTopicOrPartition)) | (None, _) => {
                return Err(Looked::Wrong(
                    self.wrong(format!("{} has no topic '{topic}'; make it, or set Kafka.Topic", self.settings.server)),
                ));
            }
            (_, Some(error)) => return Err(Looked::Away(self.says(&error.to_string()))),
        };
        self.heard = Instant::now();
        partitions.sort_unstable();
        partitions.retain(|partition| !self.shared.has(*partition));
        let (mut starts, mut away) = (Vec::new(), None);
        for partition in partitions {
            if self.settings.shared {
                self.shared.add(partition);
                continue;
            }
            let known = self.consumer.context().known(partition);
            let begun = match start::of(&self.consumer, &self.settings, partition, known, self.seen) {
                Ok(begun) => begun,
                // Those that were begun are read; this one is looked at again.
                Err(error) => {
                    away = Some(self.away(&error));
                    break;
                }
            };
            if let Some(lost) = &begun.lost {
                tracing::error!(input = self.settings.input, partition, reason = lost.reason, "Events are lost.");
            }
            tracing::info!(input = self.settings.input, topic, partition, offset = begun.next, "Reading starts.");
            starts.push((partition, begun.next));
            self.shared.begin(partition, begun);
        }
        if !starts.is_empty() {
            self.fetch_from(&starts);
        }
        if let Some(away) = away {
            return Err(away);
        }
        self.seen = true;
        Ok(())
    }

    /// Why there was no answer, by what librdkafka told meanwhile.
    fn away(&mut self, error: &KafkaError) -> Looked {
        self.fetch();
        match self.consumer.context().said() {
            Some((RDKafkaErrorCode::Authentication, reason)) if !self.seen => {
                Looked::Wrong(self.wrong(format!("{} refuses the login: {reason}", self.settings.server)))
            }
            Some((_, reason)) => Looked::Away(self.says(&reason)),
            None => Looked::Away(self.says(&error.to_string())),
        }
    }

    fn says(&self, reason: &str) -> String {
        let KafkaSettings { input, server, topic, .. } = &*self.settings;
        format!("input '{input}': topic '{topic}' of {server} cannot be read now: {reason}")
    }

    fn wrong(&self, message: String) -> Fault {
        Fault::job(message).at(format!("input '{}'", self.settings.input))
    }

    /// Tells the consumer group how far the last checkpoint is.
    fn commit(&mut self, last: bool) {
        if !last && self.told.elapsed() < COMMIT {
            return;
        }
        self.told = Instant::now();
        let reached = self.reached.borrow_and_update().clone();
        let context = Arc::clone(self.consumer.context());
        let mut new = Vec::new();
        {
            let mut known = context.reached.lock();
            for progress in reached.iter().filter(|progress| progress.input == self.settings.input) {
                if known.insert(progress.partition, progress.next) != Some(progress.next) {
                    new.push(progress.partition);
                }
            }
        }
        let ours = self.shared.ours();
        new.retain(|partition| ours.contains(partition));
        let offsets = context.offsets(if last { &ours } else { &new });
        if offsets.count() == 0 {
            return;
        }
        let answered = context.commits.load(Ordering::SeqCst);
        if let Err(error) = self.consumer.commit(&offsets, CommitMode::Async) {
            tracing::debug!(input = self.settings.input, %error, "The consumer group is not told how far the job is.");
            return;
        }
        let start = Instant::now();
        while last && context.commits.load(Ordering::SeqCst) == answered && start.elapsed() < LAST {
            // Messages that come now are read by the next start.
            let _left = self.consumer.poll(POLL);
        }
    }

    /// Leaves the group. A broker that is away is not waited for long.
    fn close(self) {
        let (done, closed) = std::sync::mpsc::channel();
        let consumer = self.consumer;
        let closing = std::thread::Builder::new().name("kafka-close".to_owned()).spawn(move || {
            drop(consumer);
            let _nobody_waits = done.send(());
        });
        if closing.is_ok() {
            let _late = closed.recv_timeout(LAST);
        }
    }
}
