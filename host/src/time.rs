//! Time as Stream Analytics has it: UTC, 100 ns steps. The clock is an argument everywhere, so that tests own it.

use std::fmt;
use std::sync::Arc;

use jiff::SignedDuration;
use jiff::civil::{DateTime, datetime};

use serde::{Deserialize, Serialize};

/// 100 ns steps of one second.
pub const TICKS_PER_SECOND: i64 = 10_000_000;
/// 100 ns steps of one millisecond.
pub const TICKS_PER_MILLISECOND: i64 = 10_000;

const EPOCH: DateTime = datetime(1970, 1, 1, 0, 0, 0, 0);

/// A moment: 100 ns steps since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Before everything.
    pub const MIN: Self = Self(i64::MIN);
    /// After everything.
    pub const MAX: Self = Self(i64::MAX);

    /// From milliseconds since 1970.
    pub fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(TICKS_PER_MILLISECOND))
    }

    /// Milliseconds since 1970, rounded down.
    pub fn millis(self) -> i64 {
        self.0.div_euclid(TICKS_PER_MILLISECOND)
    }

    /// Reads an ISO 8601 text; without a zone it is taken as UTC.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Ok(instant) = text.parse::<jiff::Timestamp>() {
            return Some(Self::from_nanos(instant.as_nanosecond()));
        }
        // Also the last day of the year 9999, which the library's instants do not reach.
        text.strip_suffix(['Z', 'z']).unwrap_or(text).parse().ok().map(Self::from_civil)
    }

    /// From a date and time in UTC.
    pub fn from_civil(civil: DateTime) -> Self {
        let days = i64::from(EPOCH.date().duration_until(civil.date()).as_hours() as i32) / 24;
        let time = civil.time();
        let seconds = days * 86_400 + i64::from(time.hour()) * 3600 + i64::from(time.minute()) * 60 + i64::from(time.second());
        Self(seconds * TICKS_PER_SECOND + i64::from(time.subsec_nanosecond()) / 100)
    }

    /// The date and time in UTC, in whole seconds; `None` when it is not between the years -9999 and 9999.
    pub fn civil(self) -> Option<DateTime> {
        EPOCH.checked_add(SignedDuration::from_secs(self.0.div_euclid(TICKS_PER_SECOND))).ok()
    }

    fn from_nanos(nanos: i128) -> Self {
        Self(i64::try_from(nanos.div_euclid(100)).unwrap_or(i64::MAX))
    }
}

/// ISO 8601 with seven digits and `Z`, as Stream Analytics writes it: `2025-03-03T08:15:00.1234567Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.div_euclid(TICKS_PER_SECOND);
        let ticks = self.0.rem_euclid(TICKS_PER_SECOND);
        let civil = match jiff::Timestamp::from_second(seconds) {
            Ok(instant) => jiff::tz::TimeZone::UTC.to_datetime(instant),
            Err(_) => match self.civil() {
                Some(civil) => civil,
                None => return f.write_str(if self.0 < 0 { "0001-01-01T00:00:00.0000000Z" } else { "9999-12-31T23:59:59.9999999Z" }),
            },
        };
        let (date, time) = (civil.date(), civil.time());
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{ticks:07}Z",
            date.year(),
            date.month(),
            date.day(),
            time.hour(),
            time.minute(),
            time.second()
        )
    }
}

/// Where "now" comes from.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The present moment.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let nanos = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |passed| passed.as_nanos());
        Timestamp(i64::try_from(nanos / 100).unwrap_or(i64::MAX))
    }
}

/// A clock that is moved by hand, for tests and replays.
#[derive(Debug, Default)]
pub struct ManualClock(std::sync::atomic::AtomicI64);

impl ManualClock {
    /// Starts at `now`.
    pub fn new(now: Timestamp) -> Arc<Self> {
        Arc::new(Self(now.0.into()))
    }

    /// Moves to `now`.
    pub fn set(&self, now: Timestamp) {
        self.0.store(now.0, std::sync::atomic::Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(std::sync::atomic::Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_seven_digits_and_reads_them_back() {
        let text = "2025-03-03T08:15:00.1234567Z";
        let moment = Timestamp::parse(text).unwrap();
        assert_eq!(moment.to_string(), text);
        assert_eq!(Timestamp::parse("2025-03-03T08:15:00"), Timestamp::parse("2025-03-03T08:15:00Z"));
        assert_eq!(Timestamp::parse("2025-03-03T09:15:00+01:00"), Timestamp::parse("2025-03-03T08:15:00Z"));
        assert_eq!(Timestamp::parse("03/03/2025 08:15"), None);
        for text in
            ["9999-12-31T23:59:59.9999999Z", "0001-01-01T00:00:00.0000000Z", "1969-12-31T23:59:59.9999999Z", "2024-02-29T12:00:00.5000000Z"]
        {
            let moment = Timestamp::parse(text).unwrap();
            assert_eq!(moment.to_string(), text);
            assert_eq!(Timestamp::from_civil(moment.civil().unwrap()).0, moment.0 - moment.0.rem_euclid(TICKS_PER_SECOND));
        }
    }
}
