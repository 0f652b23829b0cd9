//! The kinds of windows.

use crate::time::Timestamp;

/// A window. Durations are in ticks of 100 ns and above 0. Its start is exclusive, its end inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowKind {
    /// Windows of one size that end at the multiples of `hop` since 1970, moved by `offset`. A tumbling window has
    /// `hop == size`.
    Hopping {
        /// Length.
        size: i64,
        /// Time between the ends of two windows.
        hop: i64,
        /// How far the boundaries are moved.
        offset: i64,
    },
    /// A window that ends whenever a row of the group enters, or leaves because it is `size` old.
    Sliding {
        /// Length.
        size: i64,
    },
    /// From a first row until no other comes within `timeout`. At every multiple of `max_duration` since 1970, a session that
    /// is at least that old is cut.
    Session {
        /// The longest pause within a session.
        timeout: i64,
        /// How old a session may be at a check; also the time between two checks.
        max_duration: i64,
    },
    /// The rows of one moment.
    Snapshot,
}

impl WindowKind {
    /// The windows of fixed boundaries that hold a row of that time, as (start, end), earliest first; `None` where they depend on
    /// other rows.
    pub fn holding(self, time: Timestamp) -> Option<Vec<(Timestamp, Timestamp)>> {
        match self {
            Self::Hopping { size, hop, offset } => {
                let first = boundary_at_or_after(time, hop, offset);
                let ends = (0..).map(|number: i64| first.0.saturating_add(hop.saturating_mul(number)));
                let spans = ends.map(|end| (Timestamp(end.saturating_sub(size)), Timestamp(end)));
                Some(spans.take_while(|(start, end)| *start < time && end.0 < i64::MAX).collect())
            }
            Self::Snapshot => Some(vec![(Timestamp(time.0.saturating_sub(1)), time)]),
            Self::Sliding { .. } | Self::Session { .. } => None,
        }
    }
}

/// The least multiple of `step`, moved by `offset`, that is not before `time`.
pub(super) fn boundary_at_or_after(time: Timestamp, step: i64, offset: i64) -> Timestamp {
    let moved = time.0.saturating_sub(offset);
    let number = moved.div_euclid(step) + i64::from(moved.rem_euclid(step) != 0);
    Timestamp(number.saturating_mul(step).saturating_add(offset))
}

/// The greatest common divisor: a pane that divides both the size and the hop of a window.
pub(super) fn common_divisor(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { common_divisor(b, a % b) }
}
