//! Rows out to the sinks, each on a thread of its own, so that one that does not take them holds up no other.
//!
//! A unit's rows are handed to all sinks at once. One that has not taken them within [`GRACE`] is *behind*: its rows, and
//! those of all later units, go to the outbox, in the transaction that holds the checkpoint; its thread delivers them from
//! there, in order, and what it has acknowledged is taken out, with its mark, in one transaction. When nothing is left, its
//! rows are handed over directly again. The outbox has a limit; beyond it reading waits.
//!
//! What a checkpoint does not cover yet comes again after a crash. So a parcel counts only once a checkpoint covers it: it
//! is *sealed*. Others are not delivered from the outbox, and are taken out at the next start.

mod parcel;
mod worker;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::outputs::{Named, mark_key};
use crate::batch::{Batch, DocumentKeys};
use crate::fault::Fault;
use crate::sink::feed::OutputState;
use crate::store::{DeadLetter, Parcel, Store, StoreError, Unit, Waiting};
use crate::time::Clock;
use parcel::Part;
use worker::{Ack, Job, Shared, Taken, Worker};

/// A sink that takes longer is behind.
pub(super) const GRACE: Duration = Duration::from_secs(2);
/// How long a sink may take to end at the end of the job.
const CLOSE: Duration = Duration::from_secs(5);
/// What may be told to a thread before it listens.
const JOBS: usize = 4;
/// What threads may say before it is heard.
const ACKS: usize = 16;
/// The state's key for the number of the last sealed parcel.
const SEALED_STATE: &str = "outbox";

/// How rows are delivered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// A sink that takes longer is behind.
    pub(super) grace: Duration,
    /// Bytes that may lie in the outbox.
    pub(super) outbox: u64,
}

/// All sinks of a job.
#[derive(Debug)]
pub(super) struct Delivery {
    lanes: Vec<Lane>,
    acks: Receiver<(usize, Ack)>,
    limits: Limits,
    /// The number of the next part.
    next: u64,
    sealed: Arc<AtomicU64>,
}

/// One sink.
#[derive(Debug)]
struct Lane {
    output: String,
    /// `None` once it is closed.
    jobs: Option<SyncSender<Job>>,
    thread: JoinHandle<()>,
    shared: Arc<Shared>,
    /// What lies in the outbox.
    waiting: Waiting,
    /// The last number of what was handed over and is not acknowledged.
    in_hand: Option<u64>,
    /// Acknowledged, and not yet taken out of the outbox.
    taken: VecDeque<Taken>,
    /// Where it stands with what is acknowledged and not in the outbox.
    mark: Option<Vec<u8>>,
    /// The mark in the store, and whether its sink knows.
    kept: Option<Vec<u8>>,
    told: bool,
}

/// A unit's rows on their way.
#[derive(Debug, Default)]
pub(super) struct Handed {
    parts: Vec<(usize, Arc<[Part]>)>,
    since: Option<Instant>,
}

/// What is to be written into a transaction.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// Rows that outputs can never take.
    pub(super) letters: Vec<DeadLetter>,
    parcels: Vec<(usize, Parcel)>,
    removals: Vec<(usize, u64)>,
    marks: Vec<(usize, Vec<u8>)>,
    sealed: Option<u64>,
}

impl Changes {
    /// Whether there is nothing to write.
    pub(super) fn is_empty(&self) -> bool {
        self.letters.is_empty() && self.parcels.is_empty() && self.removals.is_empty() && self.marks.is_empty() && self.sealed.is_none()
    }
}

impl Lane {
    fn is_free(&self) -> bool {
        self.waiting == Waiting::default() && self.in_hand.is_none() && self.taken.is_empty()
    }

    /// Tells the thread; `false` when it does not listen now.
    fn tell(&self, job: Job) -> bool {
        self.jobs.as_ref().is_some_and(|jobs| jobs.try_send(job).is_ok())
    }
}

impl Delivery {
    /// Starts a thread for each sink, and takes up what lies in the outbox.
    ///
    /// # Errors
    /// When the store cannot be read, or a thread cannot be started.
    pub(super) fn start(sinks: Vec<Named>, store: &mut Store, limits: Limits, clock: &Arc<dyn Clock>) -> Result<Self, Fault> {
        let sealed = store.state(SEALED_STATE)?.and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_be_bytes);
        let mut unit = store.begin()?;
        unit.remove_parcels_above(sealed)?;
        // Where an output stood before its first row, so that rows before the first checkpoint can be taken back, too.
        for (output, sink) in &sinks {
            if let Some(mark) = sink.mark() {
                unit.set_state(&mark_key(output), &mark)?;
            }
        }
        unit.commit()?;
        for output in store.waited_for()? {
            let rows = store.waiting(&output)?.rows;
            if sinks.iter().any(|(name, _)| *name == output) {
                tracing::info!(output, rows, "Rows of an earlier run wait in the outbox; they are delivered first.");
            } else {
                tracing::warn!(output, rows, "Rows wait in the outbox for an output that no sink has now; they are kept.");
            }
        }
        let sealed = Arc::new(AtomicU64::new(sealed));
        let (said, acks) = sync_channel(ACKS);
        let start = |(lane, (output, sink)): (usize, Named)| -> Result<Lane, Fault> {
            let waiting = store.waiting(&output)?;
            let shared = Arc::new(Shared::default());
            shared.behind.store(waiting != Waiting::default(), Ordering::Release);
            let (jobs, listening) = sync_channel(JOBS);
            let kept = store.state(&mark_key(&output))?;
            let worker = Worker {
                lane,
                output: output.clone(),
                sink,
                jobs: listening,
                acks: said.clone(),
                shared: Arc::clone(&shared),
                sealed: Arc::clone(&sealed),
                data_dir: store.directory().to_owned(),
                clock: Arc::clone(clock),
                outbox: None,
                after: 0,
                kept: None,
            };
            let thread = std::thread::Builder::new()
                .name(format!("sink {output}"))
                .spawn(move || worker.run())
                .map_err(|error| Fault::internal(format!("a thread cannot be started: {error}")))?;
            let jobs = Some(jobs);
            Ok(Lane { output, jobs, thread, shared, waiting, in_hand: None, taken: VecDeque::new(), mark: None, kept, told: false })
        };
        let lanes = sinks.into_iter().enumerate().map(start).collect::<Result<_, _>>()?;
        let next = sealed.load(Ordering::Relaxed) + 1;
        Ok(Self { lanes, acks, limits, next, sealed })
    }

    /// Whether more may go to the outbox.
    pub(super) fn has_room(&self) -> bool {
        self.bytes() < self.limits.outbox
    }

    /// Whether nothing lies in the outbox and all is acknowledged.
    pub(super) fn is_done(&self) -> bool {
        self.lanes.iter().all(Lane::is_free)
    }

    /// Why more does not fit into the outbox.
    pub(super) fn full(&self) -> String {
        let behind = self.states().into_iter().filter(|state| state.behind > 0).map(|state| {
            let why = state.refuses.map_or_else(String::new, |why| format!(" ({why})"));
            format!("output '{}' is {} rows behind{why}", state.name, state.behind)
        });
        let behind: Vec<String> = behind.collect();
        format!("the outbox is full with {} bytes, and events wait in the log: {}", self.bytes(), behind.join("; "))
    }

    fn bytes(&self) -> u64 {
        self.lanes.iter().map(|lane| lane.waiting.bytes).sum()
    }

    /// How each output is doing.
    pub(super) fn states(&self) -> Vec<OutputState> {
        let state =
            |lane: &Lane| OutputState { name: lane.output.clone(), behind: lane.waiting.rows, refuses: lane.shared.refuses.lock().clone() };
        self.lanes.iter().map(state).collect()
    }

    /// Hands a unit's rows over: the place of the sink, the rows' keys, the rows.
    pub(super) fn hand_over(&mut self, rows: Vec<(usize, DocumentKeys, Batch)>) -> Handed {
        let mut of_lane: Vec<Vec<Part>> = vec![Vec::new(); self.lanes.len()];
        for (lane, keys, batch) in rows {
            if batch.rows() > 0 {
                of_lane[lane].extend(parcel::parts(keys, batch, &mut self.next));
            }
        }
        let mut handed = Handed { since: Some(Instant::now()), parts: Vec::new() };
        for (place, parts) in of_lane.into_iter().enumerate() {
            let Some(last) = parts.last().map(|part| part.seq) else { continue };
            let (lane, parts) = (&mut self.lanes[place], Arc::from(parts));
            if lane.is_free() && lane.tell(Job::Take(Arc::clone(&parts))) {
                lane.in_hand = Some(last);
            }
            handed.parts.push((place, parts));
        }
        handed
    }

    /// Waits until all have taken what was handed over, but no longer than the grace. Answers what is to be written into
    /// the unit's transaction; `checkpoint` says whether that holds a checkpoint.
    ///
    /// # Errors
    /// When an output can never go on.
    pub(super) fn settle(&mut self, handed: &Handed, checkpoint: bool) -> Result<Changes, Fault> {
        let until = handed.since.map_or_else(Instant::now, |since| since + self.limits.grace);
        self.hear()?;
        while handed.parts.iter().any(|(lane, parts)| self.in_hand(*lane, parts)) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || !self.hear_within(left)? {
                break;
            }
        }
        let mut changes = Changes::default();
        for (place, parts) in &handed.parts {
            let Some(last) = parts.last().map(|part| part.seq) else { continue };
            let lane = &mut self.lanes[*place];
            if let Some(taken) = lane.taken.pop_back_if(|taken| taken.up_to == last) {
                // It never was in the outbox; its mark counts with the next checkpoint.
                lane.mark = taken.mark.or(lane.mark.take());
                changes.letters.extend(taken.letters);
                continue;
            }
            if lane.waiting == Waiting::default() {
                tracing::warn!(output = lane.output, "Output is behind: its rows go to the outbox until it has taken them.");
            }
            for part in parts.iter() {
                changes.parcels.push((*place, part.pack()?));
            }
        }
        if checkpoint && !self.lanes.is_empty() {
            changes.sealed = Some(self.next - 1);
        }
        let sealed = changes.sealed;
        self.collect(&mut changes, sealed);
        if checkpoint {
            for (place, lane) in self.lanes.iter().enumerate() {
                if let Some(mark) = lane.mark.as_ref().filter(|mark| lane.kept.as_ref() != Some(*mark)) {
                    changes.marks.push((place, mark.clone()));
                }
            }
        }
        Ok(changes)
    }

    /// What outputs have acknowledged since, to be written down between two units.
    ///
    /// # Errors
    /// When an output can never go on.
    pub(super) fn acknowledged(&mut self, wait: Duration) -> Result<Changes, Fault> {
        if !wait.is_zero() {
            self.hear_within(wait)?;
        }
        self.hear()?;
        let mut changes = Changes::default();
        self.collect(&mut changes, None);
        Ok(changes)
    }

    /// Takes what is acknowledged and sealed out of the outbox.
    fn collect(&mut self, changes: &mut Changes, sealed: Option<u64>) {
        let sealed = sealed.unwrap_or_else(|| self.sealed.load(Ordering::Relaxed));
        for (place, lane) in self.lanes.iter_mut().enumerate() {
            let mut last = None;
            while let Some(taken) = lane.taken.pop_front_if(|taken| taken.up_to <= sealed) {
                last = Some(taken.up_to);
                lane.mark = taken.mark.or(lane.mark.take());
                changes.letters.extend(taken.letters);
            }
            if let Some(up_to) = last {
                changes.removals.push((place, up_to));
                changes.marks.extend(lane.mark.clone().map(|mark| (place, mark)));
            }
        }
    }

    /// Writes the changes, all but the dead letters. Answers what left the outbox, for [`Delivery::committed`].
    ///
    /// # Errors
    /// When the store fails.
    pub(super) fn write(&self, changes: &Changes, unit: &mut Unit<'_>) -> Result<Vec<Waiting>, StoreError> {
        for (lane, parcel) in &changes.parcels {
            unit.put_parcel(&self.lanes[*lane].output, parcel)?;
        }
        let removed = changes.removals.iter().map(|(lane, up_to)| unit.remove_parcels(&self.lanes[*lane].output, *up_to));
        let removed = removed.collect::<Result<_, _>>()?;
        for (lane, mark) in &changes.marks {
            unit.set_state(&mark_key(&self.lanes[*lane].output), mark)?;
        }
        if let Some(sealed) = changes.sealed {
            unit.set_state(SEALED_STATE, &sealed.to_be_bytes())?;
        }
        Ok(removed)
    }

    /// The transaction with these changes is durable.
    pub(super) fn committed(&mut self, changes: Changes, removed: &[Waiting]) {
        for (lane, parcel) in &changes.parcels {
            let waiting = &mut self.lanes[*lane].waiting;
            waiting.rows += parcel.rows;
            waiting.bytes += parcel.body.len() as u64;
        }
        for ((lane, _), removed) in changes.removals.iter().zip(removed) {
            let lane = &mut self.lanes[*lane];
            lane.waiting.rows = lane.waiting.rows.saturating_sub(removed.rows);
            lane.waiting.bytes = lane.waiting.bytes.saturating_sub(removed.bytes);
            if lane.waiting == Waiting::default() {
                tracing::info!(output = lane.output, "Output has caught up: the outbox has no more rows for it.");
            }
        }
        if let Some(sealed) = changes.sealed {
            self.sealed.store(sealed, Ordering::Release);
        }
        for lane in &self.lanes {
            lane.shared.behind.store(lane.waiting != Waiting::default(), Ordering::Release);
        }
        for (place, mark) in changes.marks {
            let lane = &mut self.lanes[place];
            (lane.kept, lane.told) = (Some(mark), false);
        }
        for lane in self.lanes.iter_mut().filter(|lane| !lane.told) {
            lane.told = lane.kept.clone().is_none_or(|mark| lane.tell(Job::Kept(mark)));
        }
    }

    /// Tells sinks that have everything that the job ends, and waits a little for all threads. What they still
    /// acknowledge is for [`Delivery::acknowledged`].
    ///
    /// # Errors
    /// When an output says so.
    pub(super) fn close(&mut self) -> Result<(), Fault> {
        let until = Instant::now() + CLOSE;
        for lane in &mut self.lanes {
            lane.shared.closing.store(true, Ordering::Relaxed);
            let all_kept = lane.mark.is_none() || lane.mark == lane.kept;
            if lane.is_free()
                && all_kept
                && let Some(jobs) = &lane.jobs
            {
                let mark = lane.kept.clone().filter(|_| !lane.told);
                for job in mark.map(Job::Kept).into_iter().chain([Job::Finish]) {
                    let _gone = jobs.send(job);
                }
            }
            lane.jobs = None;
        }
        while self.lanes.iter().any(|lane| !lane.thread.is_finished()) {
            if Instant::now() > until {
                tracing::warn!("An output did not end in time; what it was handed is delivered after the next start.");
                break;
            }
            if let Ok((lane, ack)) = self.acks.recv_timeout(Duration::from_millis(10)) {
                self.receive(lane, ack)?;
            }
        }
        Ok(())
    }

    /// Whether a sink has not yet acknowledged these parts, which it was handed.
    fn in_hand(&self, lane: usize, parts: &[Part]) -> bool {
        self.lanes[lane].in_hand.is_some() && self.lanes[lane].in_hand == parts.last().map(|part| part.seq)
    }

    /// Hears what was said.
    fn hear(&mut self) -> Result<(), Fault> {
        while let Ok((lane, ack)) = self.acks.try_recv() {
            self.receive(lane, ack)?;
        }
        let gone = self.lanes.iter().find(|lane| lane.jobs.is_some() && lane.thread.is_finished());
        match gone {
            // It may have said why just before.
            Some(lane) => match self.acks.try_recv() {
                Ok((lane, ack)) => self.receive(lane, ack),
                Err(_) => Err(Fault::internal("a thread of an output panicked; please report it").at(format!("output '{}'", lane.output))),
            },
            None => Ok(()),
        }
    }

    /// Waits for something to be said; `false` when nothing was.
    fn hear_within(&mut self, wait: Duration) -> Result<bool, Fault> {
        match self.acks.recv_timeout(wait) {
            Ok((lane, ack)) => self.receive(lane, ack).map(|()| true),
            Err(_) => Ok(false),
        }
    }

    fn receive(&mut self, lane: usize, ack: Ack) -> Result<(), Fault> {
        match ack {
            Ack::Taken(taken) => {
                let lane = &mut self.lanes[lane];
                lane.in_hand = lane.in_hand.filter(|last| *last > taken.up_to);
                lane.taken.push_back(taken);
                Ok(())
            }
            Ack::Failed(fault) => Err(fault),
        }
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        for lane in &mut self.lanes {
            lane.shared.closing.store(true, Ordering::Relaxed);
            lane.jobs = None;
        }
    }
}
