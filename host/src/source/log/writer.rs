//! Group commit: one thread a partition takes all appends that wait, writes them with one write, makes them durable
//! with one fdatasync, and only then lets readers see them and answers the senders.

use std::os::unix::fs::FileExt;
use std::sync::Arc;

use parking_lot::{Condvar, Mutex};
use tokio::sync::{OwnedSemaphorePermit, oneshot, watch};

use super::partition::{Partition, Tail, Written};
use super::{Appended, LogError, NewEvent, record, segment};
use crate::time::{Clock, Timestamp};

/// One write takes at most so much, so that the first of many senders does not wait for all of them.
const MAX_WRITE: usize = 8 << 20;

/// An append that waits.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) events: Vec<NewEvent>,
    pub(super) done: oneshot::Sender<Result<Appended, LogError>>,
    /// Its share of the queue, given back when it is answered.
    pub(super) room: OwnedSemaphorePermit,
}

/// Where appends wait for the thread.
#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<Waiting>,
    closed: bool,
}

impl Queue {
    /// Hands an append to the thread; `false` when the log is closed.
    pub(super) fn push(&self, waiting: Waiting) -> bool {
        let mut state = self.state.lock();
        if state.closed {
            return false;
        }
        state.waiting.push(waiting);
        drop(state);
        self.changed.notify_one();
        true
    }

    /// No more appends; the thread ends after those that wait.
    pub(super) fn close(&self) {
        self.state.lock().closed = true;
        self.changed.notify_one();
    }

    fn take(&self) -> Option<Vec<Waiting>> {
        let mut state = self.state.lock();
        while state.waiting.is_empty() {
            if state.closed {
                return None;
            }
            self.changed.wait(&mut state);
        }
        Some(std::mem::take(&mut state.waiting))
    }
}

/// The thread's own state.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) number: u32,
    pub(super) partition: Arc<Partition>,
    pub(super) queue: Arc<Queue>,
    pub(super) tail: Tail,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) grown: Arc<watch::Sender<u64>>,
    pub(super) segment_bytes: u64,
    pub(super) buffer: Vec<u8>,
    /// Set for good when the disk did not confirm a write: what it holds is then unknown.
    pub(super) failed: Option<LogError>,
}

impl Writer {
    /// Runs until the queue is closed and empty.
    pub(super) fn run(mut self) {
        while let Some(mut waiting) = self.queue.take() {
            while !waiting.is_empty() {
                let mut bytes = 0;
                let fits = waiting.iter().take_while(|append| {
                    let first = bytes == 0;
                    bytes += append.room.num_permits();
                    first || bytes <= MAX_WRITE
                });
                let rest = waiting.split_off(fits.count());
                self.commit(std::mem::replace(&mut waiting, rest));
            }
        }
    }

    fn commit(&mut self, appends: Vec<Waiting>) {
        let first = self.tail.next;
        let enqueued = self.clock.now().max(self.tail.last);
        match self.write(&appends, enqueued) {
            Ok(()) => {
                self.grown.send_modify(|events| *events += self.tail.next - first);
                let mut first_offset = first;
                for append in appends {
                    let appended = Appended { partition: self.number, first_offset, count: append.events.len(), enqueued };
                    first_offset += append.events.len() as u64;
                    // A sender that no longer waits is no concern of the log.
                    let _gone = append.done.send(Ok(appended));
                }
            }
            Err(error) => {
                tracing::error!(partition = self.number, %error, "Events could not be appended.");
                for append in appends {
                    let _gone = append.done.send(Err(error.clone()));
                }
            }
        }
    }

    fn write(&mut self, appends: &[Waiting], enqueued: Timestamp) -> Result<(), LogError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let needed: u64 = appends.iter().map(|append| append.room.num_permits() as u64).sum();
        if self.tail.position > segment::HEADER && self.tail.position + needed > self.segment_bytes {
            self.tail = self.partition.roll(self.tail.last)?;
        }
        self.buffer.clear();
        let mut written = Written { next: self.tail.next, ..Written::default() };
        for append in appends {
            for event in &append.events {
                let position = self.tail.position + self.buffer.len() as u64;
                if written.places.last().is_none_or(|(_, last)| position >= last + segment::INDEX_STEP) {
                    written.places.push((written.next, position));
                }
                record::write(&mut self.buffer, written.next, enqueued, event);
                written.next += 1;
            }
        }
        written.end = self.tail.position + self.buffer.len() as u64;
        if let Err(error) = self.tail.file.write_all_at(&self.buffer, self.tail.position) {
            // Disk full, say: take back what was written of it, so that nothing unacknowledged stays.
            if let Err(error) = self.tail.file.set_len(self.tail.position).and_then(|()| self.tail.file.sync_all()) {
                self.failed = Some(LogError::io("take back a failed write to", &self.tail.path)(error));
            }
            return Err(LogError::io("write", &self.tail.path)(error));
        }
        if let Err(error) = self.tail.file.sync_data() {
            let error = LogError::io("sync", &self.tail.path)(error);
            self.failed = Some(error.clone());
            return Err(error);
        }
        self.partition.grown(&written);
        (self.tail.position, self.tail.next, self.tail.last) = (written.end, written.next, enqueued);
        if self.buffer.capacity() > 2 * MAX_WRITE {
            self.buffer = Vec::new();
        }
        Ok(())
    }
}
