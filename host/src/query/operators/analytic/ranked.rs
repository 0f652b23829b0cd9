//! TopOne, CollectTop and Collect over the last rows, kept in their ranks.

use std::cmp::Ordering;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::super::order;
use super::{Rows, clear, state_of};
use crate::batch::{Column, ColumnBuilder, Value};
use crate::fault::Fault;
use crate::query::AggregateFunction;
use crate::time::Timestamp;

/// The rows of the duration of each partition.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Ranked {
    partitions: Vec<Partition>,
    /// The number of the next row: among rows of equal rank the first to arrive is first.
    next: u64,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Partition {
    by_rank: BTreeMap<Rank, Value>,
    by_time: VecDeque<(Timestamp, Rank)>,
}

/// The place of a row in ORDER BY. Without keys it is the order of arrival.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Rank {
    /// Values, each with whether it is descending.
    keys: Arc<[(Value, bool)]>,
    number: u64,
}

impl Ord for Rank {
    fn cmp(&self, other: &Self) -> Ordering {
        let keys = self.keys.iter().zip(other.keys.iter()).map(|((left, descending), (right, _))| {
            let order = order(left, right);
            if *descending { order.reverse() } else { order }
        });
        keys.fold(Ordering::Equal, Ordering::then).then(self.number.cmp(&other.number))
    }
}

impl PartialOrd for Rank {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Rank {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Rank {}

impl Ranked {
    pub(super) fn run(
        &mut self,
        rows: &Rows<'_>,
        duration: i64,
        function: &AggregateFunction,
        value: &Column,
        order_by: &[(&Column, bool)],
    ) -> Column {
        let mut answers = ColumnBuilder::with_capacity(rows.times.len());
        for (row, time) in rows.times.iter().enumerate() {
            let partition = state_of(&mut self.partitions, rows.slots[row]);
            partition.expire(time.0.saturating_sub(duration));
            if rows.counts(row) {
                let keys = order_by.iter().map(|(column, descending)| (column.value(row), *descending));
                let rank = Rank { keys: keys.collect(), number: self.next };
                self.next += 1;
                partition.by_time.push_back((*time, rank.clone()));
                partition.by_rank.insert(rank, value.value(row));
            }
            answers.push(partition.answer(function));
        }
        answers.finish()
    }

    pub(super) fn forget(&mut self, slot: usize) {
        clear(&mut self.partitions, slot);
    }
}

impl Partition {
    fn expire(&mut self, time: i64) {
        while let Some((_, rank)) = self.by_time.pop_front_if(|(seen, _)| seen.0 <= time) {
            self.by_rank.remove(&rank);
        }
    }

    fn answer(&self, function: &AggregateFunction) -> Value {
        let values = self.by_rank.values();
        match function {
            AggregateFunction::CollectTop(count) => {
                let ranked = values.take(*count).zip(1_i64..);
                let record = |(value, rank): (&Value, i64)| {
                    Value::Record(Arc::new(vec![("rank".into(), Value::BigInt(rank)), ("value".into(), value.clone())]))
                };
                Value::Array(ranked.map(record).collect())
            }
            AggregateFunction::Collect => Value::Array(values.cloned().collect()),
            _ => values.take(1).next().cloned().unwrap_or(Value::Null),
        }
    }
}

/// Whether rows can be ordered by these values.
///
/// # Errors
/// A [`Fault`] of the job that names the type of a value that has no order.
pub(super) fn orderable(column: &Column) -> Result<(), Fault> {
    let kind = match column {
        Column::Null(_) | Column::BigInt(_) | Column::Float(_) | Column::DateTime(_) => return Ok(()),
        _ => {
            (0..column.len()).filter_map(|row| column.value(row).type_name()).find(|name| !matches!(*name, "bigint" | "float" | "datetime"))
        }
    };
    match kind {
        None => Ok(()),
        Some(kind) => Err(Fault::job(format!(
            "ORDER BY of TopOne or CollectTop takes a bigint, float or datetime, but a value is of type '{kind}'. Convert it with TRY_CAST."
        ))),
    }
}
