//! Reads one partition of one input: a run of events, decoded into a batch, with the events at hand for dead letters.

use crate::batch::RowId;
use crate::fault::{Fault, Rejected};
use crate::source::kafka::KafkaPartition;
use crate::source::{Decoded, Decoder, Event, FileSource, Log, LogError, Run};
use crate::store::{DeadLetter, PartitionCheckpoint};
use crate::time::Timestamp;

/// Where a partition's events are.
#[derive(Debug)]
pub(super) enum Place {
    /// A hub of the embedded log.
    Log {
        /// The log.
        log: Log,
        /// The hub.
        hub: String,
    },
    /// A topic of Kafka.
    Kafka {
        /// Its part of the topic.
        source: KafkaPartition,
        /// Whether it is known where reading stands; a checkpoint before that would say nothing.
        begun: bool,
    },
    /// A file, read once from start to end.
    File {
        /// Its events.
        source: Box<FileSource>,
        /// Whether the end was reached.
        finished: bool,
    },
}

/// One partition of one input.
#[derive(Debug)]
pub(super) struct Reader {
    /// The input's place in the query's plan.
    pub(super) input: usize,
    /// The input's name.
    pub(super) name: String,
    /// The partition.
    pub(super) partition: u32,
    /// Where its events are.
    pub(super) place: Place,
    /// Bytes to columns.
    pub(super) decoder: Decoder,
    /// The next offset to read.
    pub(super) next: u64,
    /// All events below it reached the outputs before this start.
    pub(super) committed: u64,
}

/// A decoded run, with its events.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) run: Run,
    pub(super) decoded: Decoded,
    /// Events that are lost: a damaged place in the log, or events that a topic no longer has.
    pub(super) lost: Option<Rejected>,
}

const MAX_EVENTS: usize = 8192;
const MAX_BYTES: usize = 8 << 20;

impl Reader {
    /// The next run; `None` when there is nothing new.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(super) fn read(&mut self) -> Result<Option<Read>, Fault> {
        let (run, lost) = match &mut self.place {
            Place::Log { log, hub } => match log.read(hub, self.partition, self.next, MAX_EVENTS, MAX_BYTES) {
                Ok(run) => (run, None),
                Err(LogError::Damaged(damage)) => {
                    tracing::error!(%damage, "Log is damaged; reading goes on behind the place.");
                    let origin = RowId { partition: self.partition, offset: damage.offset };
                    let lost = Rejected::event(origin, "log", damage.to_string());
                    self.next = damage.resume.max(self.next + 1);
                    let run = Run { partition: self.partition, first_offset: self.next, events: Vec::new() };
                    (run, Some(lost))
                }
                Err(error) => return Err(error.into()),
            },
            Place::Kafka { source, begun } => {
                let taken = source.take(MAX_EVENTS, MAX_BYTES)?;
                if let Some(next) = taken.next {
                    (*begun, self.next) = (true, next);
                }
                let partition = self.partition;
                let lost = taken.lost.map(|lost| Rejected::event(RowId { partition, offset: lost.offset }, "kafka", lost.reason));
                let first_offset = taken.events.first().map_or(self.next, |event| event.offset);
                (Run { partition: self.partition, first_offset, events: taken.events }, lost)
            }
            Place::File { source, finished } => match after(source, self.next)? {
                Some(run) => (run, None),
                None => {
                    *finished = true;
                    return Ok(None);
                }
            },
        };
        if let Some(last) = run.events.last() {
            self.next = last.offset + 1;
        } else if lost.is_none() {
            return Ok(None);
        }
        let decoded = self.decoder.decode(&run);
        Ok(Some(Read { run, decoded, lost }))
    }

    /// Whether everything was read that there will ever be.
    pub(super) fn is_finished(&self) -> bool {
        matches!(self.place, Place::File { finished: true, .. })
    }

    /// How many events wait to be read.
    pub(super) fn backlog(&self) -> u64 {
        match &self.place {
            Place::Log { log, hub } => log.end(hub, self.partition).saturating_sub(self.next),
            Place::Kafka { source, .. } => source.backlog(self.next),
            Place::File { .. } => 0,
        }
    }

    /// Whether nothing older than the clock will come.
    pub(super) fn is_quiet(&self) -> bool {
        match &self.place {
            Place::Log { .. } => true,
            Place::Kafka { source, .. } => source.is_quiet(),
            Place::File { .. } => false,
        }
    }

    /// How far it has come; `None`: it is not known yet where it stands.
    pub(super) fn checkpoint(&self) -> Option<PartitionCheckpoint> {
        if matches!(self.place, Place::Kafka { begun: false, .. }) {
            return None;
        }
        let next = self.next.max(self.committed);
        Some(PartitionCheckpoint { input: self.name.clone(), partition: self.partition, committed: next, replay_from: next })
    }

    /// The dead letter of a rejected event: its bytes from the run, or read again when it is an older one.
    pub(super) fn dead_letter(&self, rejected: Rejected, id: RowId, run: Option<&Run>, now: Timestamp) -> DeadLetter {
        let event = run.and_then(|run| at_hand(run, id.offset)).or_else(|| match &self.place {
            Place::Log { log, hub } if rejected.step != "log" => {
                let run = log.read(hub, id.partition, id.offset, 1, 1).ok()?;
                at_hand(&run, id.offset)
            }
            Place::Kafka { source, .. } if rejected.step != "kafka" => source.again(id.offset),
            _ => None,
        });
        let letter = DeadLetter {
            input: self.name.clone(),
            origin: Some(id),
            time: now,
            recorded: now,
            step: rejected.step,
            reason: rejected.reason,
            ..DeadLetter::default()
        };
        match event {
            Some(Event { enqueued, body, key, properties, .. }) => {
                DeadLetter { time: enqueued, body: body.to_vec(), key, properties, ..letter }
            }
            None => letter,
        }
    }
}

/// The next run of a file's events from `offset` on: those before it were processed by an earlier start.
fn after(source: &mut FileSource, offset: u64) -> Result<Option<Run>, Fault> {
    while let Some(mut run) = source.next(MAX_EVENTS)? {
        run.events.retain(|event| event.offset >= offset);
        if !run.events.is_empty() {
            return Ok(Some(run));
        }
    }
    Ok(None)
}

fn at_hand(run: &Run, offset: u64) -> Option<Event> {
    let index = run.events.binary_search_by_key(&offset, |event| event.offset).ok()?;
    Some(run.events[index].clone())
}
