//! The three checks of one event.

use serde::{Deserialize, Serialize};

use crate::time::{TICKS_PER_SECOND, Timestamp};

/// What happens to an event that is too late or out of order. One setting for both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnViolation {
    /// Its time is moved to the nearest time that is accepted.
    Adjust,
    /// It is dropped.
    Drop,
}

/// The settings. All durations are in ticks of 100 ns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policies {
    /// How far an event's time may be after its arrival; `None`: no check.
    pub early: Option<i64>,
    /// How far an event's time may be before its arrival; `None`: any, and idle partitions are waited for without end.
    pub late: Option<i64>,
    /// How far the watermark stays behind the newest event.
    pub out_of_order: i64,
    /// For late events and for those out of order.
    pub on_violation: OnViolation,
}

impl Policies {
    /// The early bound, which is no setting: 5 minutes.
    pub const EARLY: i64 = 300 * TICKS_PER_SECOND;

    /// As a job's settings say; a negative `late_seconds` means that late events are waited for without end.
    pub fn new(late_seconds: i64, out_of_order_seconds: i64, on_violation: OnViolation) -> Self {
        let ticks = |seconds: i64| seconds.saturating_mul(TICKS_PER_SECOND);
        Self {
            early: Some(Self::EARLY),
            late: (late_seconds >= 0).then(|| ticks(late_seconds)),
            out_of_order: ticks(out_of_order_seconds.max(0)),
            on_violation,
        }
    }

    /// No check at all, and no progress before the end: for tests over rows that are in order.
    pub fn none() -> Self {
        Self { early: None, late: None, out_of_order: i64::MAX, on_violation: OnViolation::Adjust }
    }

    /// What becomes of an event of time `event` that arrived at `arrival`, when the watermark is at `watermark`:
    /// its final time, and what was done to it.
    pub(super) fn judge(&self, event: Timestamp, arrival: Timestamp, watermark: Timestamp) -> (Timestamp, Verdict) {
        let mut verdict = Verdict::default();
        if self.early.is_some_and(|early| event > after(arrival, early)) {
            verdict.early = true;
            return (event, Verdict { dropped: true, ..verdict });
        }
        let mut time = event;
        if let Some(late) = self.late
            && time < before(arrival, late)
        {
            verdict.late = true;
            if self.on_violation == OnViolation::Drop {
                return (time, Verdict { dropped: true, ..verdict });
            }
            time = before(arrival, late);
        }
        if time < watermark {
            verdict.out_of_order = true;
            if self.on_violation == OnViolation::Drop {
                return (time, Verdict { dropped: true, ..verdict });
            }
            time = watermark;
        }
        (time, verdict)
    }
}

/// What the checks found. An event that is adjusted may be both late and out of order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Verdict {
    /// Its time is more than the early bound after its arrival.
    pub early: bool,
    /// Its time is more than the late tolerance before its arrival.
    pub late: bool,
    /// Its time, late adjustment included, is before the watermark.
    pub out_of_order: bool,
    /// It goes no further.
    pub dropped: bool,
}

impl Verdict {
    /// In a few words, for people: `kept`, `late: adjusted`, `early: dropped`.
    pub fn words(self) -> &'static str {
        match (self.early, self.late, self.out_of_order, self.dropped) {
            (true, ..) => "early: dropped",
            (_, true, _, true) => "late: dropped",
            (_, _, true, true) => "out of order: dropped",
            (false, false, false, true) => "no time: dropped",
            (_, true, true, false) => "late and out of order: adjusted",
            (_, true, false, false) => "late: adjusted",
            (_, false, true, false) => "out of order: adjusted",
            _ => "kept",
        }
    }

    /// Why it was dropped, by the names of Stream Analytics' data errors where there is one.
    pub(super) fn reason(self, event: Timestamp, arrival: Timestamp, watermark: Timestamp, policies: &Policies) -> String {
        let seconds = |ticks: i64| ticks as f64 / TICKS_PER_SECOND as f64;
        if self.early {
            let bound = seconds(policies.early.unwrap_or_default());
            format!("InputEventEarlyBeyondThreshold: its time {event} is more than {bound} s after its arrival {arrival}")
        } else if self.late {
            let bound = seconds(policies.late.unwrap_or_default());
            format!("InputEventLateBeyondThreshold: its time {event} is more than {bound} s before its arrival {arrival}")
        } else {
            let bound = seconds(policies.out_of_order);
            format!("out of order by more than {bound} s: its time {event} is before the watermark {watermark}")
        }
    }
}

/// `time` less a duration.
pub(super) fn before(time: Timestamp, ticks: i64) -> Timestamp {
    Timestamp(time.0.saturating_sub(ticks))
}

/// `time` and a duration.
pub(super) fn after(time: Timestamp, ticks: i64) -> Timestamp {
    Timestamp(time.0.saturating_add(ticks))
}
