//! The thread of one sink. It writes what it is handed, and, while its output is behind, what lies in the outbox, in order.
//! What fails and may pass is tried again with growing pauses, without end.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBuilder};
use parking_lot::Mutex;

use super::parcel::Part;
use crate::batch::{Batch, write_row};
use crate::fault::{Fault, Retry};
use crate::sink::{Refused, Sink};
use crate::store::{DeadLetter, Reader};
use crate::time::{Clock, Timestamp};

/// The first wait before a refused write is tried again, and the longest.
const RETRY: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(10));
/// How often the outbox is looked at while something lies in it.
const LOOK: Duration = Duration::from_millis(50);
/// How often a sink without work is told again what is durable.
const TICK: Duration = Duration::from_secs(1);
/// So many bytes of the outbox are delivered and acknowledged together.
const TOGETHER: usize = 4 << 20;
/// How often a pause looks whether it is to end.
const NAP: Duration = Duration::from_millis(50);

/// What a thread is told.
#[derive(Debug)]
pub(super) enum Job {
    /// Write these rows.
    Take(Arc<[Part]>),
    /// This mark is durable.
    Kept(Vec<u8>),
    /// The job ends in order.
    Finish,
}

/// What a thread says.
#[derive(Debug)]
pub(super) enum Ack {
    /// The output has these rows.
    Taken(Taken),
    /// The output can never go on.
    Failed(Fault),
}

/// Rows that an output has acknowledged.
#[derive(Debug)]
pub(super) struct Taken {
    /// All parts up to this number.
    pub(super) up_to: u64,
    /// Rows among them that it can never take.
    pub(super) letters: Vec<DeadLetter>,
    /// Where it stands now.
    pub(super) mark: Option<Vec<u8>>,
}

/// What both sides look at.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// Whether rows lie in the outbox for it.
    pub(super) behind: AtomicBool,
    /// No more is tried.
    pub(super) closing: AtomicBool,
    /// Why the output does not take rows, while it does not.
    pub(super) refuses: Mutex<Option<String>>,
}

/// One sink and its thread's state.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) lane: usize,
    pub(super) output: String,
    pub(super) sink: Box<dyn Sink>,
    pub(super) jobs: Receiver<Job>,
    pub(super) acks: SyncSender<(usize, Ack)>,
    pub(super) shared: Arc<Shared>,
    /// Parcels up to this number are behind a checkpoint.
    pub(super) sealed: Arc<AtomicU64>,
    pub(super) data_dir: PathBuf,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) outbox: Option<Reader>,
    /// Everything up to this number is delivered.
    pub(super) after: u64,
    /// The last mark that is durable.
    pub(super) kept: Option<Vec<u8>>,
}

impl Worker {
    /// Runs until nobody hands it anything any more.
    pub(super) fn run(mut self) {
        if let Err(fault) = self.work() {
            let _nobody_waits = self.acks.send((self.lane, Ack::Failed(fault)));
        }
    }

    fn work(&mut self) -> Result<(), Fault> {
        loop {
            let behind = self.shared.behind.load(Ordering::Acquire) && !self.closing();
            if behind && self.drain()? {
                continue;
            }
            match self.jobs.recv_timeout(if behind { LOOK } else { TICK }) {
                Ok(Job::Take(parts)) => self.deliver(&parts)?,
                Ok(Job::Kept(mark)) => {
                    self.kept = Some(mark);
                    self.keep()?;
                }
                Ok(Job::Finish) => {
                    self.tried(|sink| sink.finish())?;
                }
                Err(RecvTimeoutError::Timeout) if behind => {}
                Err(RecvTimeoutError::Timeout) => self.keep()?,
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
        }
    }

    fn keep(&mut self) -> Result<(), Fault> {
        if let Some(mark) = self.kept.take() {
            self.tried(|sink| sink.kept(&mark))?;
            self.kept = Some(mark);
        }
        Ok(())
    }

    /// Delivers the next parcels of the outbox; `false` when there are none.
    fn drain(&mut self) -> Result<bool, Fault> {
        let parts = match self.look() {
            Ok(parts) => parts,
            Err(fault) if fault.retry == Retry::Backoff => {
                tracing::warn!(output = self.output, %fault, "The outbox cannot be read; trying again.");
                return Ok(self.nap(RETRY.0));
            }
            Err(fault) => return Err(fault),
        };
        self.deliver(&parts)?;
        Ok(!parts.is_empty())
    }

    fn look(&mut self) -> Result<Vec<Part>, Fault> {
        let outbox = match &self.outbox {
            Some(outbox) => outbox,
            None => self.outbox.insert(Reader::open(&self.data_dir)?),
        };
        let parcels = outbox.parcels(&self.output, self.after, self.sealed.load(Ordering::Acquire), TOGETHER)?;
        parcels.iter().map(Part::unpack).collect()
    }

    /// Writes the parts and says so. When the job closes meanwhile nothing is said, and they come again.
    fn deliver(&mut self, parts: &[Part]) -> Result<(), Fault> {
        let Some(last) = parts.last() else { return Ok(()) };
        let mut letters = Vec::new();
        for part in parts {
            let Some(refused) = self.tried(|sink| sink.write(&part.batch, &part.keys))? else { return Ok(()) };
            letters.extend(refused.into_iter().map(|refused| self.letter(refused, &part.batch)));
        }
        if self.tried(|sink| sink.flush())?.is_none() {
            return Ok(());
        }
        let late = self.sink.refused_late();
        letters.extend(late.into_iter().filter_map(|(part, refused)| Some(self.letter(refused, &parts.get(part)?.batch))));
        self.after = last.seq;
        let taken = Taken { up_to: last.seq, letters, mark: self.sink.mark() };
        let _nobody_waits = self.acks.send((self.lane, Ack::Taken(taken)));
        Ok(())
    }

    /// Tries until it works; `None` when the job closes first.
    fn tried<T>(&mut self, mut action: impl FnMut(&mut dyn Sink) -> Result<T, Fault>) -> Result<Option<T>, Fault> {
        let mut pauses =
            ExponentialBuilder::default().with_min_delay(RETRY.0).with_max_delay(RETRY.1).with_jitter().without_max_times().build();
        let mut refused = false;
        loop {
            match action(self.sink.as_mut()) {
                Ok(done) => {
                    if refused {
                        tracing::info!(output = self.output, "Output takes rows again.");
                        *self.shared.refuses.lock() = None;
                    }
                    return Ok(Some(done));
                }
                Err(fault) if fault.retry == Retry::Never => return Err(fault),
                Err(_) if self.closing() => return Ok(None),
                Err(fault) => {
                    let own = pauses.next().unwrap_or(RETRY.1);
                    let pause = self.sink.retry_at().map_or(own, |at| at.saturating_duration_since(Instant::now()));
                    tracing::warn!(output = self.output, %fault, ?pause, "Output refuses; trying again.");
                    *self.shared.refuses.lock() = Some(fault.to_string());
                    refused = true;
                    if !self.nap(pause) {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Waits; `false` when the job closes.
    fn nap(&self, pause: Duration) -> bool {
        let until = Instant::now() + pause;
        while !self.closing() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            std::thread::sleep(left.min(NAP));
        }
        false
    }

    fn closing(&self) -> bool {
        self.shared.closing.load(Ordering::Relaxed)
    }

    fn letter(&self, refused: Refused, batch: &Batch) -> DeadLetter {
        unwritten(&self.output, refused, batch, self.clock.now())
    }
}

/// The dead letter of a row that an output can never take: the row as JSON.
fn unwritten(output: &str, Refused { row, reason }: Refused, batch: &Batch, now: Timestamp) -> DeadLetter {
    let mut body = Vec::new();
    write_row(batch, row, &mut body);
    DeadLetter {
        origin: batch.row_id(row),
        time: batch.times[row],
        recorded: now,
        step: format!("output {output}"),
        reason,
        body,
        ..DeadLetter::default()
    }
}
