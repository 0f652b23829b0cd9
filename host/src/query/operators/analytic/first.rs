//! ISFIRST: whether a row is the first of its interval. Intervals lie like tumbling windows: (k·n, (k+1)·n].

use serde::{Deserialize, Serialize};

use super::{Rows, clear, state_of};
use crate::batch::Column;
use crate::time::Timestamp;

/// The last interval of each partition that had a row.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct First {
    last: Vec<Option<i64>>,
}

impl First {
    pub(super) fn run(&mut self, rows: &Rows<'_>, length: i64) -> Column {
        let answer = |row: usize| {
            if !rows.counts(row) {
                return 0;
            }
            let interval = Some(interval(rows.times[row], length));
            i64::from(std::mem::replace(state_of(&mut self.last, rows.slots[row]), interval) != interval)
        };
        Column::BigInt((0..rows.times.len()).map(answer).collect::<Vec<_>>().into())
    }

    pub(super) fn forget(&mut self, slot: usize) {
        clear(&mut self.last, slot);
    }
}

/// The number of the interval that ends at or after the time.
fn interval(time: Timestamp, length: i64) -> i64 {
    time.0.div_euclid(length) + i64::from(time.0.rem_euclid(length) != 0)
}
