//! Groups that came out of windows, on their way to columns.

use super::store::Store;
use crate::batch::{Column, RowOrder};
use crate::time::Timestamp;

/// Groups of windows that ended: one row each, ends ascending.
#[derive(Debug, Default)]
pub struct Closed {
    /// The end of each row's window.
    pub times: Vec<Timestamp>,
    /// Which of the windows it is.
    pub windows: Vec<u32>,
    /// The group keys.
    pub keys: Vec<Column>,
    /// The accumulators' results.
    pub values: Vec<Column>,
    /// Rows without a result, ascending: number, accumulator and why. Their value is null.
    pub faults: Vec<(usize, usize, String)>,
}

/// One group of one window that ended.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    end: Timestamp,
    window: u32,
    first: RowOrder,
    slot: u32,
}

/// How many rows are turned into columns at once.
const CHUNK: usize = 8192;

/// Collects the groups of windows that ended. Within one window they are in the order of their first rows.
#[derive(Debug)]
pub(super) struct Emission {
    rows: Vec<Row>,
    pub(super) window: u32,
    /// Several windows share one emission: rows are put in order at the end only.
    several: bool,
    keys: usize,
    pub(super) closed: Vec<Closed>,
}

impl Emission {
    pub(super) fn new(several: bool, keys: usize) -> Self {
        Self { rows: Vec::new(), window: 0, several, keys, closed: Vec::new() }
    }

    /// A group of a window that ended, the ends of one window ascending. The slot is given back afterwards.
    pub(super) fn push(&mut self, end: Timestamp, first: RowOrder, slot: u32, store: &mut Store) {
        // Rows of one end are put in order together.
        if !self.several && self.rows.len() >= CHUNK && self.rows.last().is_some_and(|last| last.end < end) {
            self.finish(store);
        }
        self.rows.push(Row { end, window: self.window, first, slot });
    }

    pub(super) fn finish(&mut self, store: &mut Store) {
        if self.several {
            // Each window's rows ascend; the sort finds the runs.
            self.rows.sort();
        } else {
            self.rows.sort_by_key(|row| (row.end, row.first));
        }
        let rows = std::mem::take(&mut self.rows);
        for rows in rows.chunks(CHUNK) {
            let slots: Vec<u32> = rows.iter().map(|row| row.slot).collect();
            let groups: Vec<u32> = slots.iter().map(|slot| store.group(*slot)).collect();
            let mut faults = Vec::new();
            let mut values = Vec::with_capacity(store.accumulators.len());
            for (number, accumulator) in store.accumulators.iter_mut().enumerate() {
                let (column, failed) = accumulator.values(&slots);
                values.push(column);
                faults.extend(failed.into_iter().map(|(row, why)| (row, number, why)));
            }
            faults.sort_unstable();
            self.closed.push(Closed {
                times: rows.iter().map(|row| row.end).collect(),
                windows: rows.iter().map(|row| row.window).collect(),
                keys: store.keys.columns(&groups, self.keys),
                values,
                faults,
            });
            slots.iter().for_each(|slot| store.release(*slot));
        }
    }
}
