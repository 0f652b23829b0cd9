//! What was fetched and not yet read: one bounded queue over all partitions of a topic, between the pump and the readers.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use tokio::sync::watch;

use super::start::Begun;
use crate::fault::Fault;
use crate::source::Event;
use crate::time::Timestamp;

/// So many bytes may wait, over all partitions; nothing more is fetched then.
const ROOM: usize = 32 << 20;
/// What an event takes beside its body.
const EVENT: usize = 128;

/// Events that are gone: the topic kept them too short a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// The offset of the first.
    pub offset: u64,
    /// In words.
    pub reason: String,
}

/// What a reader gets.
#[derive(Debug, Default)]
pub struct Taken {
    /// The events, in the order of their offsets.
    pub events: Vec<Event>,
    /// The next offset to read; `None`: it is not known yet where reading starts.
    pub next: Option<u64>,
    /// Events before these that are gone.
    pub lost: Option<Lost>,
}

/// The queue, and what is known of the topic.
#[derive(Debug)]
pub(super) struct Shared {
    inner: Mutex<Inner>,
    room: Condvar,
    pub(super) arrivals: watch::Sender<u64>,
    pub(super) trouble: watch::Sender<Option<String>>,
}

#[derive(Debug, Default)]
struct Inner {
    partitions: BTreeMap<u32, Waiting>,
    bytes: usize,
    fault: Option<Fault>,
    /// Whether it is known which partitions this host reads.
    settled: bool,
}

/// One partition.
#[derive(Debug)]
struct Waiting {
    events: VecDeque<Event>,
    lost: Option<Lost>,
    /// The next offset that a reader gets.
    next: Option<u64>,
    /// Events before it are left out, until the first that is not: a server that does not find offsets by time begins too early.
    after: Option<Timestamp>,
    /// One behind the newest event, as far as the broker has told.
    end: u64,
    /// Whether this host reads it.
    ours: bool,
    /// Whether everything that the broker had was fetched.
    caught_up: bool,
    /// When something was last fetched.
    heard: Instant,
    /// Whether [`Shared::found`] has told it.
    told: bool,
}

impl Default for Shared {
    fn default() -> Self {
        Self { inner: Mutex::default(), room: Condvar::new(), arrivals: watch::Sender::new(0), trouble: watch::Sender::new(None) }
    }
}

impl Shared {
    /// A partition is there. `ours`: as soon as it has been begun.
    pub(super) fn add(&self, partition: u32) {
        self.inner.lock().partitions.entry(partition).or_insert_with(|| Waiting {
            events: VecDeque::new(),
            lost: None,
            next: None,
            after: None,
            end: 0,
            ours: false,
            caught_up: false,
            heard: Instant::now(),
            told: false,
        });
    }

    /// This host reads a partition from here on.
    pub(super) fn begin(&self, partition: u32, begun: Begun) {
        self.add(partition);
        let mut inner = self.inner.lock();
        if let Some(waiting) = inner.partitions.get_mut(&partition) {
            (waiting.next, waiting.after, waiting.ours) = (Some(begun.next), begun.after, true);
            (waiting.caught_up, waiting.heard) = (false, Instant::now());
            waiting.lost = begun.lost.or_else(|| waiting.lost.take());
        }
        drop(inner);
        self.wake(0);
    }

    /// Another host reads a partition now: what was fetched of it is that host's.
    pub(super) fn give_up(&self, partition: u32) {
        let mut inner = self.inner.lock();
        if let Some(waiting) = inner.partitions.get_mut(&partition) {
            let freed: usize = waiting.events.iter().map(size).sum();
            waiting.events.clear();
            waiting.ours = false;
            inner.bytes = inner.bytes.saturating_sub(freed);
        }
        drop(inner);
        self.room.notify_all();
    }

    /// It is known now which partitions this host reads.
    pub(super) fn settle(&self) {
        self.inner.lock().settled = true;
    }

    /// Which partitions this host reads.
    pub(super) fn ours(&self) -> Vec<u32> {
        self.inner.lock().partitions.iter().filter(|(_, waiting)| waiting.ours).map(|(partition, _)| *partition).collect()
    }

    /// Whether a partition is known.
    pub(super) fn has(&self, partition: u32) -> bool {
        self.inner.lock().partitions.contains_key(&partition)
    }

    /// Where a partition's reader stands.
    pub(super) fn next(&self, partition: u32) -> Option<u64> {
        self.inner.lock().partitions.get(&partition)?.next
    }

    /// Adds fetched events; `caught_up`: partitions of which there are no more for now.
    pub(super) fn push(&self, events: Vec<(u32, Event)>, caught_up: &[u32]) {
        let count = events.len() as u64;
        let mut inner = self.inner.lock();
        let now = Instant::now();
        for (partition, event) in events {
            let bytes = size(&event);
            // What was still on its way when the partition went to another host is that host's.
            let Some(waiting) = inner.partitions.get_mut(&partition).filter(|waiting| waiting.ours) else { continue };
            waiting.end = waiting.end.max(event.offset + 1);
            if waiting.after.is_some_and(|after| event.enqueued < after) {
                waiting.next = Some(event.offset + 1);
                continue;
            }
            waiting.after = None;
            (waiting.caught_up, waiting.heard) = (false, now);
            waiting.events.push_back(event);
            inner.bytes += bytes;
        }
        for partition in caught_up {
            if let Some(waiting) = inner.partitions.get_mut(partition) {
                waiting.caught_up = true;
            }
        }
        drop(inner);
        if count > 0 {
            self.wake(count);
        }
    }

    /// The broker answers, and nothing has come of some partitions for so long: there is nothing.
    pub(super) fn silent(&self, for_so_long: Duration) {
        for waiting in self.inner.lock().partitions.values_mut() {
            waiting.caught_up |= waiting.ours && waiting.heard.elapsed() >= for_so_long;
        }
    }

    /// Waits for room, but not for long; answers whether there is any.
    pub(super) fn has_room(&self, wait: Duration) -> bool {
        let mut inner = self.inner.lock();
        if inner.bytes >= ROOM {
            self.room.wait_for(&mut inner, wait);
        }
        inner.bytes < ROOM
    }

    /// The end of a partition, by the broker's statistics.
    pub(super) fn ends_at(&self, partition: u32, end: u64) {
        if let Some(waiting) = self.inner.lock().partitions.get_mut(&partition) {
            waiting.end = waiting.end.max(end);
        }
    }

    /// What stops the job at the next read.
    pub(super) fn fail(&self, fault: Fault) {
        self.inner.lock().fault.get_or_insert(fault);
        self.wake(0);
    }

    /// Why nothing can be read now.
    pub(super) fn trouble(&self, reason: Option<String>) {
        self.trouble.send_if_modified(|known| {
            let changed = *known != reason;
            *known = reason;
            changed
        });
    }

    /// Partitions that were not told before.
    pub(super) fn found(&self) -> Vec<u32> {
        let mut inner = self.inner.lock();
        let new = |(partition, waiting): (&u32, &mut Waiting)| (!std::mem::replace(&mut waiting.told, true)).then_some(*partition);
        inner.partitions.iter_mut().filter_map(new).collect()
    }

    pub(super) fn take(&self, partition: u32, max_events: usize, max_bytes: usize) -> Result<Taken, Fault> {
        let mut inner = self.inner.lock();
        if let Some(fault) = &inner.fault {
            return Err(fault.clone());
        }
        let Some(waiting) = inner.partitions.get_mut(&partition) else { return Ok(Taken::default()) };
        let mut taken = Taken { events: Vec::new(), next: waiting.next, lost: waiting.lost.take() };
        let (mut bytes, mut freed) = (0, 0);
        while taken.events.len() < max_events
            && bytes < max_bytes
            && let Some(event) = waiting.events.pop_front()
        {
            bytes += event.body.len();
            freed += size(&event);
            taken.next = Some(event.offset + 1);
            taken.events.push(event);
        }
        waiting.next = taken.next;
        inner.bytes = inner.bytes.saturating_sub(freed);
        drop(inner);
        if freed > 0 {
            self.room.notify_all();
        }
        Ok(taken)
    }

    pub(super) fn is_quiet(&self, partition: u32) -> bool {
        // While the broker is away, nobody knows what waits there.
        if self.trouble.borrow().is_some() {
            return false;
        }
        let inner = self.inner.lock();
        let quiet = |waiting: &Waiting| if waiting.ours { waiting.caught_up && waiting.events.is_empty() } else { inner.settled };
        inner.partitions.get(&partition).is_some_and(quiet)
    }

    pub(super) fn backlog(&self, partition: u32, next: u64) -> u64 {
        let inner = self.inner.lock();
        let Some(waiting) = inner.partitions.get(&partition).filter(|waiting| waiting.ours) else { return 0 };
        // Offsets may have gaps; what is here is counted.
        waiting.end.saturating_sub(next).max(waiting.events.len() as u64)
    }

    fn wake(&self, count: u64) {
        self.arrivals.send_modify(|arrived| *arrived += count);
    }
}

/// What an event takes in memory.
fn size(event: &Event) -> usize {
    EVENT + event.body.len() + event.properties.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>()
}
