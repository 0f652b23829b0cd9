//! The order in which stateful operators work on rows.

use serde::{Deserialize, Serialize};

use super::{Batch, Origin};
use crate::time::Timestamp;

/// The place of a row: by time, then input, partition and offset. Rows of one event, and rows that a window or a join made,
/// are in the order in which they were made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct RowOrder {
    /// The row's time.
    pub time: Timestamp,
    /// Input and partition; the greatest for a derived row.
    source: u64,
    offset: u64,
    sequence: u64,
}

impl RowOrder {
    /// The places of a batch's rows. `first` is the number of rows that the operator has taken before: it tells rows of one
    /// event apart.
    pub fn of(batch: &Batch, first: u64) -> Vec<Self> {
        let numbered = batch.times.iter().zip(first..);
        let source = |input: usize, partition: u32| (input as u64) << 32 | u64::from(partition);
        match &batch.origin {
            Origin::Events { input, partition, offsets } => {
                let source = source(*input, *partition);
                numbered
                    .zip(offsets.iter())
                    .map(|((time, sequence), offset)| Self { time: *time, source, offset: *offset, sequence })
                    .collect()
            }
            Origin::Several(rows) => numbered
                .zip(rows.iter())
                .map(|((time, sequence), (input, id))| Self {
                    time: *time,
                    source: source(*input, id.partition),
                    offset: id.offset,
                    sequence,
                })
                .collect(),
            Origin::Derived => numbered.map(|(time, sequence)| Self { time: *time, source: u64::MAX, offset: 0, sequence }).collect(),
        }
    }
}
