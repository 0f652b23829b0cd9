//! Limits on requests a minute and rows an hour, kept evenly: each request is followed by the pause that it costs.

use std::time::{Duration, Instant};

/// When the next request may go.
#[derive(Debug)]
pub(super) struct Pace {
    request: Duration,
    /// Of one row, in nanoseconds.
    row: u64,
    next: Instant,
}

impl Pace {
    pub(super) fn new(requests_per_minute: Option<u32>, rows_per_hour: Option<u64>) -> Self {
        let request = requests_per_minute.map_or(Duration::ZERO, |requests| Duration::from_secs(60) / requests.max(1));
        let row = rows_per_hour.map_or(0, |rows| 3_600_000_000_000 / rows.max(1));
        Self { request, row, next: Instant::now() }
    }

    pub(super) fn next(&self) -> Instant {
        self.next
    }

    /// A request of so many rows went.
    pub(super) fn sent(&mut self, now: Instant, rows: usize) {
        let cost = self.request.max(Duration::from_nanos(self.row.saturating_mul(rows as u64)));
        self.next = self.next.max(now) + cost;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_minute_has_more_requests_and_no_hour_more_rows_than_allowed() {
        let mut pace = Pace::new(Some(120), Some(1_000_000));
        let start = pace.next();
        for _ in 0..120 {
            pace.sent(pace.next(), 10);
        }
        assert_eq!(pace.next() - start, Duration::from_secs(60));
        pace.sent(pace.next(), 10_000);
        assert_eq!(pace.next() - start, Duration::from_secs(96));
        // A pause is not saved up for later.
        pace.sent(start + Duration::from_secs(500), 1);
        assert_eq!(pace.next() - start, Duration::from_millis(500_500));
        let mut free = Pace::new(None, None);
        free.sent(start, 1 << 30);
        assert!(free.next() <= Instant::now());
    }
}
