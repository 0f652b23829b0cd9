//! An embedded durable log: hubs of partitions of segment files.
//!
//! - `open`: the folder, its lock and its hubs
//! - `record`: one event as bytes, with its checksum
//! - `segment`: files of records, and the walk over one that tells whole records from damage
//! - `partition`: what readers see: durable events only
//! - `writer`: group commit; an append is answered when it is on disk
//!
//! On disk: `LOCK`, and for each hub a folder with `hub.json` and a folder for each partition. What a crash left
//! half-written at the very end was never acknowledged and is cut off when the log is opened. Damage anywhere else is
//! never skipped silently: [`Log::opened`] tells what was found at start, and a read that meets damage answers
//! [`LogError::Damaged`] with the offset where reading can go on.

mod error;
mod open;
mod partition;
mod record;
mod segment;
mod writer;

#[cfg(test)]
mod tests;

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::JoinHandle;

use bytes::Bytes;
use tokio::sync::{Semaphore, oneshot, watch};

pub use error::{Cut, Damage, LogError};

use crate::time::{Clock, Timestamp};
use partition::Partition;
use writer::{Queue, Waiting};

/// Appends that wait take at most so many bytes a partition; the next sender waits for room.
const QUEUE_BYTES: usize = 32 << 20;

/// A hub to open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubSettings {
    /// Its name: letters, digits, `.`, `-` and `_`.
    pub name: String,
    /// How many partitions it gets when it is made. Later the number on disk holds.
    pub partitions: u32,
}

/// How the log keeps its files.
#[derive(Debug, Clone, Copy)]
pub struct LogSettings {
    /// A segment file ends when it would grow over this.
    pub segment_bytes: u64,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { segment_bytes: 64 << 20 }
    }
}

/// Which partition events go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The log chooses: one after the other, one for each append.
    Any,
    /// This one.
    Partition(u32),
    /// The one that this key belongs to, always the same.
    Key(String),
}

/// An event to append.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NewEvent {
    /// The payload.
    pub body: Bytes,
    /// The sender's own properties.
    pub properties: Vec<(String, String)>,
    /// The partition key that it was sent with.
    pub key: Option<String>,
}

impl NewEvent {
    /// An event with nothing but a payload.
    pub fn new(body: impl Into<Bytes>) -> Self {
        Self { body: body.into(), ..Self::default() }
    }
}

/// Where an append's events are now, durably: one after the other from `first_offset` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// The partition.
    pub partition: u32,
    /// The offset of the first event.
    pub first_offset: u64,
    /// How many events.
    pub count: usize,
    /// Their enqueued time.
    pub enqueued: Timestamp,
}

/// An event of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its place in the partition, from 0.
    pub offset: u64,
    /// When it was accepted. Never goes back within a partition.
    pub enqueued: Timestamp,
    /// The payload; shares one buffer with the run's other events.
    pub body: Bytes,
    /// The partition key that it was sent with.
    pub key: Option<String>,
    /// The sender's own properties.
    pub properties: Vec<(String, String)>,
}

/// Events of one partition, one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The partition.
    pub partition: u32,
    /// The offset that was asked for; the next run starts at [`Run::next_offset`].
    pub first_offset: u64,
    /// The events. Empty at the log's end.
    pub events: Vec<Event>,
}

impl Run {
    /// Where the next run starts.
    pub fn next_offset(&self) -> u64 {
        self.events.last().map_or(self.first_offset, |event| event.offset + 1)
    }
}

/// What opening the log found that was not as it should be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Opened {
    /// Torn ends that were cut off: events that were never acknowledged.
    pub cuts: Vec<Cut>,
    /// Damage in the last segment of each partition. Older segments are checked when they are read.
    pub damage: Vec<Damage>,
}

/// A hub of an open log.
#[derive(Debug)]
pub struct Hub {
    name: String,
    partitions: Vec<Arc<Partition>>,
    queues: Vec<(Arc<Queue>, Arc<Semaphore>)>,
    next: AtomicU32,
    grown: Arc<watch::Sender<u64>>,
}

impl Hub {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many partitions it has.
    pub fn partitions(&self) -> u32 {
        self.partitions.len() as u32
    }

    fn partition(&self, partition: u32) -> Result<&Arc<Partition>, LogError> {
        let partitions = self.partitions();
        let known = self.partitions.get(partition as usize);
        known.ok_or_else(|| LogError::NoPartition { hub: self.name.clone(), partition, partitions })
    }

    fn choose(&self, place: &Place) -> Result<u32, LogError> {
        match place {
            Place::Any => Ok(self.next.fetch_add(1, Ordering::Relaxed) % self.partitions()),
            Place::Partition(partition) => self.partition(*partition).map(|_| *partition),
            Place::Key(key) => Ok(crc32fast::hash(key.as_bytes()) % self.partitions()),
        }
    }
}

/// The open log. Cloning is cheap; the last clone that goes waits for the writers and lets go of the lock.
#[derive(Debug, Clone)]
pub struct Log {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    hubs: Vec<Hub>,
    opened: Opened,
    clock: Arc<dyn Clock>,
    threads: Vec<JoinHandle<()>>,
    /// Held for as long as the log is open.
    _lock: File,
}

impl Drop for Shared {
    fn drop(&mut self) {
        for (queue, _) in self.hubs.iter().flat_map(|hub| &hub.queues) {
            queue.close();
        }
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("A thread of the log ended in a panic.");
            }
        }
    }
}

impl Log {
    /// Opens or makes the log in `dir`.
    ///
    /// # Errors
    /// When another process has it open, when the disk refuses, or when a hub's settings cannot be.
    pub fn open(dir: &Path, hubs: &[HubSettings], clock: Arc<dyn Clock>) -> Result<Self, LogError> {
        Self::open_with(dir, hubs, clock, LogSettings::default())
    }

    /// [`Log::open`] with other settings.
    ///
    /// # Errors
    /// As [`Log::open`].
    pub fn open_with(dir: &Path, hubs: &[HubSettings], clock: Arc<dyn Clock>, settings: LogSettings) -> Result<Self, LogError> {
        Self::open_behind(dir, hubs, clock, settings, &|_, _| 0)
    }

    /// [`Log::open_with`] when it is known how far readers have come. `floor` answers, for a hub and a partition, the offset
    /// below which all were given out: where less is left on disk, the missing end is told as damage and the log goes on
    /// behind it, so that no offset stands for two events.
    ///
    /// # Errors
    /// As [`Log::open`].
    pub fn open_behind(
        dir: &Path,
        hubs: &[HubSettings],
        clock: Arc<dyn Clock>,
        settings: LogSettings,
        floor: &dyn Fn(&str, u32) -> u64,
    ) -> Result<Self, LogError> {
        std::fs::create_dir_all(dir).map_err(LogError::io("create", dir))?;
        let lock = open::lock(dir)?;
        let mut opened = Opened::default();
        let mut open_hubs: Vec<Hub> = Vec::with_capacity(hubs.len());
        let mut writers = Vec::new();
        for hub in hubs {
            open::check_name(hub, &open_hubs)?;
            open_hubs.push(open::open_hub(dir, hub, &clock, settings, floor, &mut opened, &mut writers)?);
        }
        segment::sync_dir(dir)?;
        for cut in &opened.cuts {
            tracing::warn!(path = %cut.path.display(), position = cut.position, bytes = cut.bytes, "A torn end of the log was cut off.");
        }
        for damage in &opened.damage {
            tracing::error!(%damage, "The log is damaged.");
        }
        let mut shared = Shared { hubs: open_hubs, opened, clock, threads: Vec::with_capacity(writers.len()), _lock: lock };
        for writer in writers {
            let path = writer.tail.path.clone();
            let thread = std::thread::Builder::new().name(format!("log-{}", writer.number)).spawn(move || writer.run());
            shared.threads.push(thread.map_err(LogError::io("start the writer of", &path))?);
        }
        Ok(Self { shared: Arc::new(shared) })
    }

    /// The hubs.
    pub fn hubs(&self) -> &[Hub] {
        &self.shared.hubs
    }

    /// What was found when the log was opened.
    pub fn opened(&self) -> &Opened {
        &self.shared.opened
    }

    /// The clock that stamps the events.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.shared.clock
    }

    /// The hub of that name, without regard to case.
    ///
    /// # Errors
    /// [`LogError::NoHub`], which names those that there are.
    pub fn hub(&self, name: &str) -> Result<&Hub, LogError> {
        let known = self.hubs().iter().find(|hub| hub.name.eq_ignore_ascii_case(name));
        known.ok_or_else(|| LogError::NoHub { hub: name.to_owned(), known: self.hubs().iter().map(|hub| hub.name.clone()).collect() })
    }

    /// Appends events, all to one partition and one after the other. Resolves only when they are durable.
    ///
    /// # Errors
    /// When nothing was appended: an unknown hub or partition, an event that is too large, a full or failing disk.
    pub async fn append(&self, hub: &str, place: Place, events: Vec<NewEvent>) -> Result<Appended, LogError> {
        let hub = self.hub(hub)?;
        let partition = hub.choose(&place)?;
        if events.is_empty() {
            let first_offset = hub.partition(partition)?.end();
            return Ok(Appended { partition, first_offset, count: 0, enqueued: self.shared.clock.now() });
        }
        let mut bytes = 0;
        for (index, event) in events.iter().enumerate() {
            bytes += record::size(event).ok_or_else(|| LogError::TooLarge { index, what: oversize(event) })?;
        }
        let (queue, room) = &hub.queues[partition as usize];
        if bytes > QUEUE_BYTES {
            return Err(LogError::TooLarge {
                index: events.len() - 1,
                what: format!("one append takes at most {QUEUE_BYTES} bytes, {bytes} were given"),
            });
        }
        let room = Arc::clone(room).acquire_many_owned(bytes as u32).await.map_err(|_closed| LogError::Closed)?;
        let (done, answer) = oneshot::channel();
        if !queue.push(Waiting { events, done, room }) {
            return Err(LogError::Closed);
        }
        answer.await.map_err(|_gone| LogError::Closed)?
    }

    /// Reads durable events of a partition from offset `from` on: at least one if there is one, at most `max_events`,
    /// and not many more than `max_bytes`. Empty at the end. Blocks on the disk.
    ///
    /// # Errors
    /// [`LogError::Damaged`] when the event at `from` cannot be read, with the offset to go on from.
    pub fn read(&self, hub: &str, partition: u32, from: u64, max_events: usize, max_bytes: usize) -> Result<Run, LogError> {
        self.hub(hub)?.partition(partition)?.read(from, max_events, max_bytes)
    }

    /// The oldest offset that is kept; 0 for a partition that is not there.
    pub fn start(&self, hub: &str, partition: u32) -> u64 {
        self.hub(hub).and_then(|hub| hub.partition(partition)).map_or(0, |partition| partition.start())
    }

    /// The next offset: all events below it are durable; 0 for a partition that is not there.
    pub fn end(&self, hub: &str, partition: u32) -> u64 {
        self.hub(hub).and_then(|hub| hub.partition(partition)).map_or(0, |partition| partition.end())
    }

    /// How many events the hub has taken; changes at every durable append. Closed at once for a hub that is not there.
    pub fn subscribe(&self, hub: &str) -> watch::Receiver<u64> {
        self.hub(hub).map_or_else(|_| watch::channel(0).1, |hub| hub.grown.subscribe())
    }

    /// Reads and checks every event of a hub and tells all damage.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn verify(&self, hub: &str) -> Result<Vec<Damage>, LogError> {
        let mut damage = Vec::new();
        for partition in &self.hub(hub)?.partitions {
            damage.extend(partition.verify()?);
        }
        Ok(damage)
    }
}

fn oversize(event: &NewEvent) -> String {
    let long = |what: &str, length: usize| format!("{what} has {length} bytes, at most {} are taken", u16::MAX);
    if let Some(key) = event.key.as_ref().filter(|key| key.len() > u16::MAX.into()) {
        return long("the partition key", key.len());
    }
    if let Some((name, _)) = event.properties.iter().find(|(name, _)| name.len() > u16::MAX.into()) {
        return long("the name of a property", name.len());
    }
    format!("with its properties it may have {} bytes; its body has {}", record::MAX_RECORD, event.body.len())
}
