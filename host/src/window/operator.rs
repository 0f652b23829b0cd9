//! Holds rows until their windows close.

use std::collections::{BTreeMap, HashMap};

use crate::batch::{Batch, Origin};
use crate::time::Timestamp;

/// A window's length and place, in ticks of 100 ns. A tumbling window has `hop == size`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Length.
    pub size: i64,
    /// Time between the ends of two windows.
    pub hop: i64,
    /// How far boundaries are moved from multiples of `hop`.
    pub offset: i64,
}

impl Window {
    /// The end of the first window that holds `time`: the least boundary at or after it.
    pub fn first_end(&self, time: Timestamp) -> Timestamp {
        let moved = time.0.saturating_sub(self.offset);
        let boundary = moved.div_euclid(self.hop) + i64::from(moved.rem_euclid(self.hop) != 0);
        Timestamp(boundary.saturating_mul(self.hop).saturating_add(self.offset))
    }

    /// The ends of all windows that hold `time`.
    pub fn ends(&self, time: Timestamp) -> impl Iterator<Item = Timestamp> {
        let (size, hop, first) = (self.size, self.hop, self.first_end(time));
        (0..).map(move |number| Timestamp(first.0.saturating_add(hop.saturating_mul(number)))).take_while(move |end| end.0 - size < time.0)
    }
}

/// A window that closed, with its rows in the order they came.
#[derive(Debug)]
pub struct Closed {
    /// Exclusive.
    pub start: Timestamp,
    /// Inclusive.
    pub end: Timestamp,
    /// Its rows.
    pub rows: Batch,
}

/// Assigns rows to windows and releases each window when the watermark reaches its end.
#[derive(Debug)]
pub struct WindowOperator {
    window: Window,
    /// By the window's end.
    open: BTreeMap<Timestamp, Held>,
}

#[derive(Debug, Default)]
struct Held {
    batches: Vec<Batch>,
    /// The oldest offset of each input and partition.
    oldest: HashMap<(usize, u32), u64>,
}

impl WindowOperator {
    /// No rows yet.
    pub fn new(window: Window) -> Self {
        Self { window, open: BTreeMap::new() }
    }

    /// Takes rows.
    pub fn push(&mut self, batch: Batch) {
        let mut parts: BTreeMap<Timestamp, Vec<u32>> = BTreeMap::new();
        for (row, time) in batch.times.iter().enumerate() {
            for end in self.window.ends(*time) {
                parts.entry(end).or_default().push(row as u32);
            }
        }
        for (end, rows) in parts {
            let part = if rows.len() == batch.rows() { batch.clone() } else { batch.take(&rows) };
            let held = self.open.entry(end).or_default();
            if let Origin::Events { input, partition, offsets } = &part.origin
                && let Some(least) = offsets.iter().min()
            {
                let oldest = held.oldest.entry((*input, *partition)).or_insert(*least);
                *oldest = (*oldest).min(*least);
            }
            held.batches.push(part);
        }
    }

    /// The windows that end at or before the watermark, in the order of their ends.
    pub fn advance(&mut self, watermark: Timestamp) -> Vec<Closed> {
        let still_open = match watermark.0.checked_add(1) {
            Some(next) => self.open.split_off(&Timestamp(next)),
            None => BTreeMap::new(),
        };
        let closed = std::mem::replace(&mut self.open, still_open);
        let release = |(end, held): (Timestamp, Held)| {
            let rows = Batch::concat(&held.batches)?;
            Some(Closed { start: Timestamp(end.0.saturating_sub(self.window.size)), end, rows })
        };
        closed.into_iter().filter_map(release).collect()
    }

    /// The oldest offset of a partition that an open window holds: reading starts there after a crash.
    pub fn oldest_needed(&self, input: usize, partition: u32) -> Option<u64> {
        self.open.values().filter_map(|held| held.oldest.get(&(input, partition))).min().copied()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::batch::Column;

    fn batch(first: u64, times: &[i64]) -> Batch {
        Batch {
            names: Arc::new([Arc::from("time")]),
            columns: vec![Column::BigInt(times.to_vec().into())],
            times: times.iter().map(|time| Timestamp(*time)).collect(),
            origin: Origin::Events { input: 0, partition: 0, offsets: (first..first + times.len() as u64).collect() },
        }
    }

    proptest! {
        #[test]
        fn every_row_is_in_exactly_the_windows_that_hold_it(
            times in prop::collection::vec(-60i64..60, 1..40), cuts in prop::collection::vec(1usize..8, 0..8),
            hop in 1i64..12, more in 0i64..3, offset in -5i64..5, marks in prop::collection::vec(-70i64..70, 0..6),
        ) {
            let window = Window { size: hop * (more + 1), hop, offset };
            let mut operator = WindowOperator::new(window);
            let (mut rest, mut first) = (times.as_slice(), 0);
            for cut in cuts {
                let (part, left) = rest.split_at(cut.min(rest.len()));
                operator.push(batch(first, part));
                first += part.len() as u64;
                rest = left;
            }
            operator.push(batch(first, rest));
            let mut marks = marks;
            marks.sort_unstable();
            let mut found: Vec<(i64, Vec<i64>)> = Vec::new();
            for mark in marks.into_iter().chain([i64::MAX]) {
                for closed in operator.advance(Timestamp(mark)) {
                    prop_assert!(closed.end.0 <= mark && closed.end.0 - closed.start.0 == window.size);
                    let Column::BigInt(values) = &closed.rows.columns[0] else { panic!("integers") };
                    found.push((closed.end.0, values.values().to_vec()));
                }
                let oldest = times.iter().enumerate().filter(|(_, time)| window.ends(Timestamp(**time)).any(|end| end.0 > mark)).map(|(offset, _)| offset as u64).min();
                prop_assert_eq!(operator.oldest_needed(0, 0), oldest);
            }
            // The oracle: every boundary in reach, and the rows after its start up to its end.
            let expected: Vec<(i64, Vec<i64>)> = (-200..200)
                .filter(|end| (end - offset).rem_euclid(hop) == 0)
                .map(|end| (end, times.iter().copied().filter(|time| end - window.size < *time && *time <= end).collect::<Vec<_>>()))
                .filter(|(_, rows)| !rows.is_empty())
                .collect();
            prop_assert_eq!(found, expected);
        }
    }
}
