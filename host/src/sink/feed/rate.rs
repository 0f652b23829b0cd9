//! Events a second over the last seconds.

use std::collections::VecDeque;

use crate::time::{TICKS_PER_SECOND, Timestamp};

/// Counts events and tells how many there were a second over the last five seconds.
#[derive(Debug, Default)]
pub struct RateMeter {
    counts: VecDeque<(Timestamp, u64)>,
    started: Option<Timestamp>,
}

const SPAN: i64 = 5 * TICKS_PER_SECOND;

impl RateMeter {
    /// Counts events that were processed now.
    pub fn add(&mut self, now: Timestamp, events: u64) {
        self.started.get_or_insert(now);
        match self.counts.back_mut() {
            // A tenth of a second is one entry, so that there are never many.
            Some((time, count)) if now.0.saturating_sub(time.0) < TICKS_PER_SECOND / 10 => *count += events,
            _ => self.counts.push_back((now, events)),
        }
        self.forget(now);
    }

    /// Events a second.
    #[expect(clippy::cast_precision_loss, reason = "a rate for people to read")]
    pub fn rate(&mut self, now: Timestamp) -> f64 {
        self.forget(now);
        let passed = self.started.map_or(SPAN, |started| now.0.saturating_sub(started.0)).clamp(TICKS_PER_SECOND, SPAN);
        let events: u64 = self.counts.iter().map(|(_, count)| count).sum();
        events as f64 * TICKS_PER_SECOND as f64 / passed as f64
    }

    fn forget(&mut self, now: Timestamp) {
        while self.counts.front().is_some_and(|(time, _)| now.0.saturating_sub(time.0) > SPAN) {
            self.counts.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_falls_to_zero_when_nothing_comes() {
        let mut meter = RateMeter::default();
        assert_eq!(meter.rate(Timestamp(0)), 0.0);
        for second in 0..10 {
            for tenth in 0..10 {
                meter.add(Timestamp((second * 10 + tenth) * TICKS_PER_SECOND / 10), 50);
            }
        }
        let rate = meter.rate(Timestamp(10 * TICKS_PER_SECOND));
        assert!((450.0..=550.0).contains(&rate), "{rate}");
        assert_eq!(meter.rate(Timestamp(16 * TICKS_PER_SECOND)), 0.0);
    }
}
