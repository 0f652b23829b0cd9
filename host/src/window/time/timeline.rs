//! The timeline of one input: the time of each row, and the watermark of each partition.

use serde::{Deserialize, Serialize};

use super::policy::{Policies, Verdict, after, before};
use super::substreams::Substreams;
use crate::batch::{Batch, Column, RowId};
use crate::fault::{Fault, Rejected};
use crate::time::{TICKS_PER_SECOND, Timestamp};
use crate::window::keys::encode_key;

/// Where the rows of an input have their time from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TimeSource {
    /// Arrival. No policy applies.
    Arrival,
    /// `TIMESTAMP BY`.
    Event,
    /// `TIMESTAMP BY … OVER key`: a timeline for each value of the key.
    EventOverKey,
}

/// Rows of one partition in the order of their arrival.
#[derive(Debug)]
pub struct Arrived<'a> {
    /// The rows; their times are their arrival times.
    pub batch: Batch,
    /// What `TIMESTAMP BY` says of each row; `None` where the value is missing or is not a time. Empty for [`TimeSource::Arrival`].
    pub events: &'a [Option<Timestamp>],
    /// The key columns of `OVER`.
    pub keys: &'a [Column],
}

/// Rows with their final times.
#[derive(Debug)]
pub struct Stamped {
    /// The rows that go on; they are not sorted.
    pub batch: Batch,
    /// The rows that do not, with the reason.
    pub rejected: Vec<Rejected>,
    /// How many were early; they were dropped.
    pub early: u64,
    /// How many were late, adjusted or dropped.
    pub late: u64,
    /// How many were out of order, adjusted or dropped.
    pub out_of_order: u64,
}

/// What happened to one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// The event.
    pub id: Option<RowId>,
    /// When it arrived.
    pub arrival: Timestamp,
    /// What `TIMESTAMP BY` said; `None` without it, or without a time.
    pub event: Option<Timestamp>,
    /// Its final time, `System.Timestamp()`; `None`: it was dropped.
    pub time: Option<Timestamp>,
    /// What the checks found.
    pub verdict: Verdict,
    /// The watermark after it, of its partition or, with OVER, of its key: an event before it is out of order.
    pub watermark: Timestamp,
}

/// The timeline of one input.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Timeline {
    policies: Policies,
    source: TimeSource,
    partitions: Vec<Partition>,
}

/// What is known of one partition.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Partition {
    /// Events before it are out of order. It never goes back.
    watermark: Timestamp,
    /// The newest arrival; `None` before the first event.
    arrival: Option<Timestamp>,
    /// What the clock said when the last event was seen; before the first one: at the start.
    seen: Timestamp,
    finished: bool,
    substreams: Substreams,
}

const STEP: &str = "event ordering";
const NO_TIME: &str = "InputEventTimestampNotFound: the TIMESTAMP BY value is missing or is not a time";
const NO_KEY: &str = "InputEventTimestampByOverValueNotFound: the value of TIMESTAMP BY … OVER is missing";

/// By arrival time nobody waits for late events, but an event that is on its way into the log must not come behind the clock.
const IDLE_BY_ARRIVAL: i64 = 5 * TICKS_PER_SECOND;

impl Timeline {
    /// A timeline for so many partitions that starts when the clock says `now`.
    pub fn new(policies: Policies, source: TimeSource, partitions: usize, now: Timestamp) -> Self {
        let fresh = Partition { watermark: Timestamp::MIN, arrival: None, seen: now, finished: false, substreams: Substreams::default() };
        Self { policies, source, partitions: vec![fresh; partitions] }
    }

    /// Gives rows of a partition their final times, and moves the watermark. `now` is what the clock says; with `explain`, what
    /// happened to each row is appended there.
    ///
    /// # Errors
    /// A [`Fault`] of this program: no such partition, or columns of other lengths.
    pub fn stamp(
        &mut self,
        partition: usize,
        rows: Arrived<'_>,
        now: Timestamp,
        mut explain: Option<&mut Vec<Explained>>,
    ) -> Result<Stamped, Fault> {
        let Arrived { batch, events, keys } = rows;
        let by_event = self.source != TimeSource::Arrival;
        if by_event && events.len() != batch.rows() || keys.iter().any(|key| key.len() != batch.rows()) {
            return Err(Fault::internal(format!("{} event times and keys for {} rows", events.len(), batch.rows())));
        }
        let (policies, source) = (self.policies, self.source);
        let state = self.partitions.get_mut(partition).ok_or_else(|| Fault::internal(format!("there is no partition {partition}")))?;
        let arrivals = std::sync::Arc::clone(&batch.times);
        let mut times = Vec::with_capacity(arrivals.len());
        let mut keep = Vec::with_capacity(arrivals.len());
        let mut out = Stamped { batch, rejected: Vec::new(), early: 0, late: 0, out_of_order: 0 };
        let mut key = Vec::new();
        for (row, arrival) in arrivals.iter().copied().enumerate() {
            state.arrive(arrival, now);
            let event = if by_event { events[row] } else { None };
            let outcome = match (source, event) {
                (TimeSource::Arrival, _) => state.by_arrival(arrival),
                (_, None) => state.without(NO_TIME),
                (TimeSource::Event, Some(event)) => state.by_event(&policies, event, arrival),
                (TimeSource::EventOverKey, Some(_)) if keys.iter().any(|key| key.is_null(row)) => state.without(NO_KEY),
                (TimeSource::EventOverKey, Some(event)) => {
                    encode_key(keys, row, &mut key);
                    state.by_key(&policies, event, arrival, &key)
                }
            };
            let Outcome { time, verdict, watermark } = outcome;
            out.early += u64::from(verdict.early);
            out.late += u64::from(verdict.late);
            out.out_of_order += u64::from(verdict.out_of_order);
            if let Some(explain) = &mut explain {
                let (id, time) = (out.batch.row_id(row), time.as_ref().ok().copied());
                explain.push(Explained { id, arrival, event, time, verdict, watermark });
            }
            match time {
                Ok(time) => {
                    keep.push(row as u32);
                    times.push(time);
                }
                Err(reason) => out.rejected.push(Rejected::row(&out.batch, row, STEP, reason)),
            }
        }
        if keep.len() < arrivals.len() {
            out.batch = out.batch.take(&keep);
        }
        out.batch.times = times.into();
        Ok(out)
    }

    /// No event has come from a partition: its watermark follows the clock. The arrival time of the next event is estimated as
    /// that of the last one and the time that has passed since; it is not waited for events that are later than tolerated.
    pub fn idle(&mut self, partition: usize, now: Timestamp) {
        let wait = match self.source {
            TimeSource::Arrival => Some(self.policies.late.unwrap_or(IDLE_BY_ARRIVAL)),
            TimeSource::Event | TimeSource::EventOverKey => self.policies.late,
        };
        if let (Some(wait), Some(state)) = (wait, self.partitions.get_mut(partition)) {
            let passed = now.0.saturating_sub(state.seen.0).max(0);
            let estimated = after(state.arrival.unwrap_or(state.seen), passed);
            state.watermark = state.watermark.max(before(estimated, wait));
        }
    }

    /// There are so many partitions now; it never has fewer. A new one begins where the slowest of the others is, so that no
    /// time that has passed comes again.
    pub fn widen(&mut self, partitions: usize, now: Timestamp) {
        let watermark = self.partitions.iter().map(|known| known.watermark).min().unwrap_or(Timestamp::MIN);
        let fresh = Partition { watermark, arrival: None, seen: now, finished: false, substreams: Substreams::default() };
        if partitions > self.partitions.len() {
            self.partitions.resize(partitions, fresh);
        }
    }

    /// How many partitions it has.
    pub fn partitions(&self) -> usize {
        self.partitions.len()
    }

    /// A partition has no more events.
    pub fn finish(&mut self, partition: usize) {
        if let Some(state) = self.partitions.get_mut(partition) {
            state.finished = true;
        }
    }

    /// The watermark of a partition as [`advance`](crate::window::Windows::advance) takes it: every row with a time at or before
    /// it has come. An event at the documented watermark itself is in order, so this is one tick less.
    pub fn watermark_of(&self, partition: usize) -> Timestamp {
        self.partitions.get(partition).map_or(Timestamp::MIN, Partition::reached)
    }

    #[cfg(test)]
    pub(super) fn known_keys(&self) -> usize {
        self.partitions.iter().map(|state| state.substreams.known()).sum()
    }

    /// The same over all partitions: the least.
    pub fn watermark(&self) -> Timestamp {
        self.partitions.iter().map(Partition::reached).min().unwrap_or(Timestamp::MAX)
    }
}

impl Partition {
    fn arrive(&mut self, arrival: Timestamp, now: Timestamp) {
        self.arrival = Some(self.arrival.map_or(arrival, |newest| newest.max(arrival)));
        self.seen = now;
    }

    /// Arrival times ascend; where they do not, time does not go back.
    fn by_arrival(&mut self, arrival: Timestamp) -> Outcome {
        self.watermark = self.watermark.max(arrival);
        Outcome { time: Ok(self.watermark), verdict: Verdict::default(), watermark: self.watermark }
    }

    fn by_event(&mut self, policies: &Policies, event: Timestamp, arrival: Timestamp) -> Outcome {
        let (time, verdict) = policies.judge(event, arrival, self.watermark);
        if verdict.dropped {
            let reason = verdict.reason(event, arrival, self.watermark, policies);
            return Outcome { time: Err(reason), verdict, watermark: self.watermark };
        }
        self.watermark = self.watermark.max(before(time, policies.out_of_order));
        Outcome { time: Ok(time), verdict, watermark: self.watermark }
    }

    /// Against the events of the same key. The partition's own watermark is the late bound: no key has anything older.
    fn by_key(&mut self, policies: &Policies, event: Timestamp, arrival: Timestamp, key: &[u8]) -> Outcome {
        if let (Some(late), Some(newest)) = (policies.late, self.arrival) {
            self.watermark = self.watermark.max(before(newest, late));
        }
        let newest = self.substreams.newest(key);
        let own = newest.map_or(Timestamp::MIN, |newest| before(newest, policies.out_of_order)).max(self.watermark);
        let (time, verdict) = policies.judge(event, arrival, own);
        if verdict.dropped {
            let reason = verdict.reason(event, arrival, own, policies);
            return Outcome { time: Err(reason), verdict, watermark: own };
        }
        self.substreams.observe(key, time, policies.out_of_order, self.watermark);
        Outcome { time: Ok(time), verdict, watermark: own.max(before(time, policies.out_of_order)) }
    }

    /// An event without a time or a key.
    fn without(&self, reason: &str) -> Outcome {
        let verdict = Verdict { dropped: true, ..Verdict::default() };
        Outcome { time: Err(reason.to_owned()), verdict, watermark: self.watermark }
    }

    fn reached(&self) -> Timestamp {
        if self.finished { Timestamp::MAX } else { before(self.watermark, 1) }
    }
}

/// What became of one event: its time, or why it has none, and the watermark after it.
struct Outcome {
    time: Result<Timestamp, String>,
    verdict: Verdict,
    watermark: Timestamp,
}
