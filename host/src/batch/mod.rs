//! The one currency between rooms: a [`Batch`] of rows in columns, with each row's time and origin.
//!
//! In Stream Analytics values are typed, not columns. A column whose values all have one type is an
//! Arrow array ([`Column::Float`] and its siblings) and takes the vector path; any other column keeps
//! its values as they are ([`Column::Mixed`]) and takes the row path, with the same answers.

mod builder;
mod column;
mod json;
mod keys;
mod order;
mod read;
mod saved;
mod value;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use builder::ColumnBuilder;
pub use column::Column;
pub use json::{write_row, write_value};
pub use keys::{DocumentKeys, key_text};
pub use order::RowOrder;
pub use read::{of_json, read_json};
pub use value::{Record, Value};

use crate::time::Timestamp;

/// Where an event came from: the identity of a row on its whole way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RowId {
    /// The partition of the input.
    pub partition: u32,
    /// The offset in that partition: the event's sequence number, from 0.
    pub offset: u64,
}

/// Where the rows of a batch came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origin {
    /// Each row is one event of one partition; one offset a row.
    Events {
        /// Index of the job's input.
        input: usize,
        /// The partition.
        partition: u32,
        /// The offset of each row.
        offsets: Arc<[u64]>,
    },
    /// Each row is one event, of any input and partition: rows of several partitions in the order of their times.
    Several(Arc<[(usize, RowId)]>),
    /// Each row was made by a window or a join.
    Derived,
}

/// Rows in columns. All columns, `times` and the origin's offsets have the same length.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// The name of each column, as the query or the event spells it.
    pub names: Arc<[Arc<str>]>,
    /// The columns.
    pub columns: Vec<Column>,
    /// The time of each row: what `System.Timestamp()` answers.
    pub times: Arc<[Timestamp]>,
    /// Where the rows came from.
    pub origin: Origin,
}

impl Batch {
    /// How many rows it has.
    pub fn rows(&self) -> usize {
        self.times.len()
    }

    /// The place of the column of that name: an exact match first, then without regard to case.
    pub fn position(&self, name: &str) -> Option<usize> {
        let exact = self.names.iter().position(|known| &**known == name);
        exact.or_else(|| self.names.iter().position(|known| known.eq_ignore_ascii_case(name)))
    }

    /// The column of that name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.position(name).map(|index| &self.columns[index])
    }

    /// The origin of row `row`.
    pub fn row_id(&self, row: usize) -> Option<RowId> {
        match &self.origin {
            Origin::Events { partition, offsets, .. } => Some(RowId { partition: *partition, offset: offsets[row] }),
            Origin::Several(rows) => Some(rows[row].1),
            Origin::Derived => None,
        }
    }

    /// The job's input that row `row` came from.
    pub fn input(&self, row: usize) -> Option<usize> {
        match &self.origin {
            Origin::Events { input, .. } => Some(*input),
            Origin::Several(rows) => Some(rows[row].0),
            Origin::Derived => None,
        }
    }

    /// Row `row` as a record: its columns but the hidden ones, whose names start with `#`, and the fields that it does not have.
    pub fn record(&self, row: usize) -> Value {
        let fields = self.names.iter().zip(&self.columns).filter(|(name, column)| !name.starts_with('#') && !column.is_missing(row));
        Value::Record(Arc::new(fields.map(|(name, column)| (Arc::clone(name), column.value(row))).collect()))
    }

    /// The same rows without hidden columns.
    #[must_use]
    pub fn visible(&self) -> Self {
        if !self.names.iter().any(|name| name.starts_with('#')) {
            return self.clone();
        }
        let kept = self.names.iter().zip(&self.columns).filter(|(name, _)| !name.starts_with('#'));
        let (names, columns): (Vec<_>, Vec<_>) = kept.map(|(name, column)| (Arc::clone(name), column.clone())).unzip();
        Self { names: names.into(), columns, times: Arc::clone(&self.times), origin: self.origin.clone() }
    }

    /// The rows of these indices, in that order.
    #[must_use]
    pub fn take(&self, rows: &[u32]) -> Self {
        let origin = match &self.origin {
            Origin::Events { input, partition, offsets } => {
                Origin::Events { input: *input, partition: *partition, offsets: rows.iter().map(|row| offsets[*row as usize]).collect() }
            }
            Origin::Several(ids) => Origin::Several(rows.iter().map(|row| ids[*row as usize]).collect()),
            Origin::Derived => Origin::Derived,
        };
        Self {
            names: Arc::clone(&self.names),
            columns: self.columns.iter().map(|column| column.take(rows)).collect(),
            times: rows.iter().map(|row| self.times[*row as usize]).collect(),
            origin,
        }
    }

    /// `rows` rows from row `first`; the columns' buffers are shared.
    #[must_use]
    pub fn slice(&self, first: usize, rows: usize) -> Self {
        let origin = match &self.origin {
            Origin::Events { input, partition, offsets } => {
                Origin::Events { input: *input, partition: *partition, offsets: offsets[first..first + rows].into() }
            }
            Origin::Several(ids) => Origin::Several(ids[first..first + rows].into()),
            Origin::Derived => Origin::Derived,
        };
        Self {
            names: Arc::clone(&self.names),
            columns: self.columns.iter().map(|column| column.slice(first, rows)).collect(),
            times: self.times[first..first + rows].into(),
            origin,
        }
    }

    /// Several batches one after the other, whatever columns each has; a column that a batch does not have is missing in its
    /// rows. `None` without batches.
    #[must_use]
    pub fn union(batches: &[Self]) -> Option<Self> {
        let [first, rest @ ..] = batches else { return None };
        if rest.is_empty() {
            return Some(first.clone());
        }
        let mut names: Vec<Arc<str>> = first.names.to_vec();
        if !rest.iter().all(|batch| batch.names == first.names) {
            for name in rest.iter().flat_map(|batch| batch.names.iter()) {
                if !names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                    names.push(Arc::clone(name));
                }
            }
        }
        let column = |name: &Arc<str>| {
            let parts: Vec<Column> =
                batches.iter().map(|batch| batch.column(name).cloned().unwrap_or_else(|| Column::missing(batch.rows()))).collect();
            Column::concat(&parts.iter().collect::<Vec<_>>())
        };
        Some(Self {
            columns: names.iter().map(column).collect(),
            names: names.into(),
            times: batches.iter().flat_map(|batch| batch.times.iter().copied()).collect(),
            origin: joined_origin(batches),
        })
    }

    /// The parts of one batch, one after the other again; their rows keep their origin. `None` without rows.
    #[must_use]
    pub fn joined(mut parts: Vec<Self>) -> Option<Self> {
        parts.retain(|part| part.rows() > 0);
        if parts.len() <= 1 { parts.pop() } else { Self::union(&parts) }
    }

    /// Several batches of the same columns, one after the other. The result's origin is [`Origin::Derived`].
    /// Columns are matched by place; the names are the first batch's.
    #[must_use]
    pub fn concat(batches: &[Self]) -> Option<Self> {
        let first = batches.first()?;
        let columns = (0..first.columns.len())
            .map(|index| Column::concat(&batches.iter().map(|batch| &batch.columns[index]).collect::<Vec<_>>()))
            .collect();
        Some(Self {
            names: Arc::clone(&first.names),
            columns,
            times: batches.iter().flat_map(|batch| batch.times.iter().copied()).collect(),
            origin: Origin::Derived,
        })
    }
}

/// The origin of batches one after the other.
fn joined_origin(batches: &[Batch]) -> Origin {
    let same = |batch: &Batch| match (&batches[0].origin, &batch.origin) {
        (Origin::Events { input, partition, .. }, Origin::Events { input: other, partition: of, .. }) => input == other && partition == of,
        _ => false,
    };
    if let Origin::Events { input, partition, .. } = &batches[0].origin
        && batches.iter().all(same)
    {
        let offsets = batches.iter().flat_map(|batch| match &batch.origin {
            Origin::Events { offsets, .. } => offsets.to_vec(),
            Origin::Several(_) | Origin::Derived => Vec::new(),
        });
        return Origin::Events { input: *input, partition: *partition, offsets: offsets.collect() };
    }
    if batches.iter().any(|batch| batch.origin == Origin::Derived) {
        return Origin::Derived;
    }
    let rows = batches
        .iter()
        .flat_map(|batch| (0..batch.rows()).filter_map(|row| Some((batch.input(row)?, batch.row_id(row)?))).collect::<Vec<_>>());
    Origin::Several(rows.collect())
}
