//! LAG and LAST: the value of a row some rows back.
//!
//! Within one run of rows a value found is only its row's number, and the result is gathered at once; values are taken out of
//! their columns only where a later run may ask for them.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::super::gather::{NOTHING, Pick, gather};
use super::{Rows, clear, state_of};
use crate::batch::{Column, Value};
use crate::time::Timestamp;

/// The last rows of each partition: as many as the offset, for LAST one.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Lag {
    last: Vec<VecDeque<Seen>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Seen {
    time: Timestamp,
    value: Kept,
}

#[derive(Debug, Serialize, Deserialize)]
enum Kept {
    Value(Value),
    /// In this row of the run.
    Row(usize),
}

impl Lag {
    pub(super) fn run(&mut self, rows: &Rows<'_>, duration: i64, offset: usize, value: &Column, default: Option<&Column>) -> Column {
        let mut old = Vec::new();
        let mut touched = Vec::new();
        let mut picks: Vec<Pick> = Vec::with_capacity(rows.times.len());
        for (row, time) in rows.times.iter().enumerate() {
            let slot = rows.slots[row];
            let seen = state_of(&mut self.last, slot);
            if offset == 0 && rows.counts(row) {
                keep(seen, row, *time, 1, slot, &mut touched);
            }
            let found = seen.len().checked_sub(offset.max(1)).and_then(|place| seen.get(place));
            picks.push(match found.filter(|found| found.time.0 > time.0.saturating_sub(duration)) {
                Some(Seen { value: Kept::Row(row), .. }) => (0, *row),
                Some(Seen { value: Kept::Value(value), .. }) => {
                    old.push(value.clone());
                    (1, old.len() - 1)
                }
                None if default.is_some() => (2, row),
                None => NOTHING,
            });
            if offset > 0 && rows.counts(row) {
                keep(seen, row, *time, offset, slot, &mut touched);
            }
        }
        for slot in touched {
            for seen in &mut self.last[slot as usize] {
                if let Kept::Row(row) = seen.value {
                    seen.value = Kept::Value(value.value(row));
                }
            }
        }
        let old = Column::from_values(old);
        match default {
            Some(default) => gather(&[value, &old, default], &picks),
            None if old.is_empty() => gather(&[value], &picks),
            None => gather(&[value, &old], &picks),
        }
    }

    pub(super) fn forget(&mut self, slot: usize) {
        clear(&mut self.last, slot);
    }
}

/// Keeps the last `most` rows. A partition is `touched` when its first row of this run is kept.
fn keep(seen: &mut VecDeque<Seen>, row: usize, time: Timestamp, most: usize, slot: u32, touched: &mut Vec<u32>) {
    if !matches!(seen.back(), Some(Seen { value: Kept::Row(_), .. })) {
        touched.push(slot);
    }
    if seen.len() == most {
        seen.pop_front();
    }
    seen.push_back(Seen { time, value: Kept::Row(row) });
}
