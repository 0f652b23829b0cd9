//! Groups that came out of windows, on their way to columns.

use super::running::Running;
use super::store::{NOWHERE, Store};
use crate::batch::{Column, ColumnBuilder, RowOrder};
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
    /// Rows without a result: number, accumulator and why. Their value is null.
    pub faults: Vec<(usize, usize, String)>,
}

/// How many rows are turned into columns at once.
const CHUNK: usize = 8192;

/// Collects the groups of windows that ended. Within one window they are in the order of their first rows.
#[derive(Debug)]
pub(super) struct Emission {
    pub(super) window: u32,
    /// Several windows share one emission: rows are put in order at the end only.
    several: bool,
    /// The end, window and first row of each row.
    rows: Vec<(Timestamp, u32, RowOrder)>,
    keys: Vec<ColumnBuilder>,
    values: Vec<ColumnBuilder>,
    faults: Vec<(usize, usize, String)>,
    pub(super) closed: Vec<Closed>,
}

impl Emission {
    pub(super) fn new(several: bool, keys: usize, accumulators: usize) -> Self {
        let builders = |count| std::iter::repeat_with(ColumnBuilder::default).take(count).collect();
        let (keys, values) = (builders(keys), builders(accumulators));
        Self { window: 0, several, rows: Vec::new(), keys, values, faults: Vec::new(), closed: Vec::new() }
    }

    /// The groups of windows that end at one moment, with their slots. The slots are given back.
    pub(super) fn groups(&mut self, end: Timestamp, slots: &mut Vec<u32>, store: &mut Store) {
        slots.sort_unstable_by_key(|slot| store.first(*slot));
        for slot in slots.drain(..) {
            self.row(end, store.first(slot), store.group(slot), store);
            for (number, (accumulator, out)) in store.accumulators.iter_mut().zip(&mut self.values).enumerate() {
                if let Some(why) = accumulator.write(slot, out) {
                    self.faults.push((self.rows.len() - 1, number, why));
                }
            }
            store.release(slot);
        }
        self.ended();
    }

    /// The contents of moving windows that end at one moment.
    pub(super) fn running<'a>(&mut self, end: Timestamp, windows: impl Iterator<Item = &'a Running>, store: &mut Store) {
        let mut windows: Vec<(RowOrder, &Running)> = windows.filter_map(|running| Some((running.first(store)?, running))).collect();
        windows.sort_unstable_by_key(|(first, _)| *first);
        for (first, running) in windows {
            self.row(end, first, store.group(running.total()), store);
            for (number, (accumulator, out)) in store.accumulators.iter_mut().zip(&mut self.values).enumerate() {
                let slot = match running.front().filter(|_| !accumulator.subtracts()) {
                    Some(front) => {
                        accumulator.merge(NOWHERE, running.total());
                        accumulator.merge(NOWHERE, front);
                        NOWHERE
                    }
                    None => running.total(),
                };
                if let Some(why) = accumulator.write(slot, out) {
                    self.faults.push((self.rows.len() - 1, number, why));
                }
                if slot == NOWHERE {
                    accumulator.clear(NOWHERE);
                }
            }
        }
        self.ended();
    }

    fn row(&mut self, end: Timestamp, first: RowOrder, group: u32, store: &Store) {
        self.rows.push((end, self.window, first));
        store.keys.write(group, &mut self.keys);
    }

    fn ended(&mut self) {
        if !self.several && self.rows.len() >= CHUNK {
            self.finish();
        }
    }

    /// Turns the rows into columns.
    pub(super) fn finish(&mut self) {
        if self.rows.is_empty() {
            return;
        }
        let rows = std::mem::take(&mut self.rows);
        let columns = |builders: &mut Vec<ColumnBuilder>| -> Vec<Column> {
            builders.iter_mut().map(|builder| std::mem::take(builder).finish()).collect()
        };
        let (mut keys, mut values) = (columns(&mut self.keys), columns(&mut self.values));
        let mut faults = std::mem::take(&mut self.faults);
        let mut order: Vec<u32> = (0..rows.len() as u32).collect();
        if self.several {
            order.sort_by_key(|row| rows[*row as usize]);
            keys.iter_mut().chain(&mut values).for_each(|column| *column = column.take(&order));
            let mut places = vec![0; order.len()];
            order.iter().enumerate().for_each(|(place, row)| places[*row as usize] = place);
            faults.iter_mut().for_each(|(row, ..)| *row = places[*row]);
        }
        let sorted = || order.iter().map(|row| rows[*row as usize]);
        let (times, windows) = (sorted().map(|(end, ..)| end).collect(), sorted().map(|(_, window, _)| window).collect());
        self.closed.push(Closed { times, windows, keys, values, faults });
    }
}
