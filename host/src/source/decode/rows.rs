//! The rows of a batch while they are decoded. An event's rows are staged first and enter the columns only when the
//! whole event is good, so that an event that fails half-way leaves nothing behind.

use std::collections::HashMap;
use std::sync::Arc;

use crate::batch::{Column, ColumnBuilder, Value};
use crate::time::Timestamp;

/// An event may bring at most so many rows.
pub(super) const MAX_ROWS: usize = 10_000;
/// A batch may have at most so many columns.
pub(super) const MAX_COLUMNS: usize = 1024;
/// So many spellings of names are remembered.
const MAX_SPELLINGS: usize = 4096;

/// What the query reads of each event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// These columns, found without regard to case and named as here.
    Columns(Vec<String>),
    /// Every field, named as the first event spells it.
    All,
}

/// A value of the row that is being read. Text lies in the staged text.
#[derive(Debug)]
enum Slot {
    Null,
    Bit(bool),
    BigInt(i64),
    Float(f64),
    Text(usize, usize),
    Value(Value),
}

/// A column that the host itself fills where the event does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum System {
    Enqueued,
    Processed,
    Partition,
}

impl System {
    fn named(name: &str) -> Option<Self> {
        let known =
            [("EventEnqueuedUtcTime", Self::Enqueued), ("EventProcessedUtcTime", Self::Processed), ("PartitionId", Self::Partition)];
        known.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, system)| system)
    }
}

/// What the system columns of an event hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stamp {
    pub(super) enqueued: Timestamp,
    pub(super) processed: Timestamp,
    pub(super) partition: u32,
}

#[derive(Debug)]
struct Target {
    name: Arc<str>,
    builder: ColumnBuilder,
    /// How many rows the builder has.
    filled: usize,
    /// The row that set this column last, and where.
    row: u64,
    slot: usize,
}

/// Columns that grow, and the event that is being read.
#[derive(Debug)]
pub(super) struct Rows {
    open: bool,
    targets: Vec<Target>,
    systems: Vec<(u32, System)>,
    /// Names as events spell them; `None` for a field that nobody reads.
    spellings: HashMap<Arc<str>, Option<u32>>,
    /// The names of the last event in their order: the next event most likely has the same.
    order: Vec<(Arc<str>, Option<u32>)>,
    place: usize,
    /// How many rows are in the columns.
    rows: usize,
    capacity: usize,
    slots: Vec<(u32, Slot)>,
    ends: Vec<usize>,
    text: String,
    row: u64,
    /// A number was so large that its text must be looked at: it may be an integer that does not fit.
    pub(super) huge: bool,
    /// Why the event is rejected.
    pub(super) fault: Option<String>,
}

impl Rows {
    pub(super) fn new(wanted: &Wanted) -> Self {
        let mut rows = Self {
            open: matches!(wanted, Wanted::All),
            targets: Vec::new(),
            systems: Vec::new(),
            spellings: HashMap::new(),
            order: Vec::new(),
            place: 0,
            rows: 0,
            capacity: 0,
            slots: Vec::new(),
            ends: Vec::new(),
            text: String::new(),
            row: 0,
            huge: false,
            fault: None,
        };
        if let Wanted::Columns(names) = wanted {
            for name in names {
                if rows.position(name).is_none() {
                    let column = rows.add(name.as_str().into());
                    rows.systems.extend(System::named(name).map(|system| (column, system)));
                }
            }
        }
        rows
    }

    /// Makes room for a batch of about so many rows.
    pub(super) fn reserve(&mut self, rows: usize) {
        self.capacity = rows;
        for target in &mut self.targets {
            target.builder = ColumnBuilder::with_capacity(rows);
        }
    }

    fn position(&self, name: &str) -> Option<u32> {
        self.targets.iter().position(|target| target.name.eq_ignore_ascii_case(name)).map(|column| column as u32)
    }

    fn add(&mut self, name: Arc<str>) -> u32 {
        let builder = ColumnBuilder::with_capacity(self.capacity);
        self.targets.push(Target { name, builder, filled: 0, row: 0, slot: 0 });
        self.targets.len() as u32 - 1
    }

    /// How a column is named.
    pub(super) fn name(&self, column: u32) -> &str {
        &self.targets[column as usize].name
    }

    /// Starts a row of the event; false when there are too many.
    pub(super) fn start_row(&mut self) -> bool {
        if self.ends.len() == MAX_ROWS {
            self.fault = Some(format!("an event may hold at most {MAX_ROWS} rows"));
            return false;
        }
        self.row += 1;
        self.place = 0;
        true
    }

    /// The column of a field: `Ok(None)` when nobody reads it, an error when there are too many.
    #[inline]
    pub(super) fn column(&mut self, field: &str) -> Result<Option<u32>, ()> {
        let place = self.place;
        self.place += 1;
        match self.order.get(place) {
            Some((name, column)) if **name == *field => Ok(*column),
            _ => self.look_up(place, field),
        }
    }

    fn look_up(&mut self, place: usize, field: &str) -> Result<Option<u32>, ()> {
        let (name, column) = match self.spellings.get_key_value(field) {
            Some((name, column)) => (Arc::clone(name), *column),
            None => {
                let name: Arc<str> = field.into();
                let column = match self.position(field) {
                    None if self.open && self.targets.len() == MAX_COLUMNS => {
                        self.fault = Some(format!("field '{}' is one too many: a batch has at most {MAX_COLUMNS} columns", shown(field)));
                        return Err(());
                    }
                    None if self.open => Some(self.add(Arc::clone(&name))),
                    known => known,
                };
                if self.spellings.len() == MAX_SPELLINGS {
                    self.spellings.clear();
                }
                self.spellings.insert(Arc::clone(&name), column);
                (name, column)
            }
        };
        match self.order.get_mut(place) {
            Some(known) => *known = (name, column),
            None if place < MAX_COLUMNS => self.order.push((name, column)),
            None => {}
        }
        Ok(column)
    }

    /// Sets a column of the row; of a field that is there twice, the last one counts.
    #[inline]
    fn set(&mut self, column: u32, slot: Slot) {
        let target = &mut self.targets[column as usize];
        if target.row == self.row {
            self.slots[target.slot].1 = slot;
        } else {
            (target.row, target.slot) = (self.row, self.slots.len());
            self.slots.push((column, slot));
        }
    }

    #[inline]
    pub(super) fn set_null(&mut self, column: u32) {
        self.set(column, Slot::Null);
    }

    #[inline]
    pub(super) fn set_bit(&mut self, column: u32, value: bool) {
        self.set(column, Slot::Bit(value));
    }

    #[inline]
    pub(super) fn set_bigint(&mut self, column: u32, value: i64) {
        self.set(column, Slot::BigInt(value));
    }

    #[inline]
    pub(super) fn set_float(&mut self, column: u32, value: f64) {
        self.set(column, Slot::Float(value));
    }

    #[inline]
    pub(super) fn set_text(&mut self, column: u32, value: &str) {
        let start = self.text.len();
        self.text.push_str(value);
        self.set(column, Slot::Text(start, self.text.len()));
    }

    pub(super) fn set_value(&mut self, column: u32, value: Value) {
        self.set(column, Slot::Value(value));
    }

    /// Ends a row of the event.
    #[inline]
    pub(super) fn end_row(&mut self, stamp: Stamp) {
        for index in 0..self.systems.len() {
            let (column, system) = self.systems[index];
            if self.targets[column as usize].row != self.row {
                let value = match system {
                    System::Enqueued => Value::DateTime(stamp.enqueued),
                    System::Processed => Value::DateTime(stamp.processed),
                    System::Partition => Value::BigInt(stamp.partition.into()),
                };
                self.set(column, Slot::Value(value));
            }
        }
        self.ends.push(self.slots.len());
    }

    /// How many rows the event has so far.
    pub(super) fn staged(&self) -> usize {
        self.ends.len()
    }

    /// The event is good: its rows enter the columns.
    pub(super) fn commit(&mut self) {
        let Self { targets, slots, ends, text, rows, open, .. } = self;
        let mut slots_left = slots.drain(..);
        let mut start = 0;
        for end in ends.drain(..) {
            for (column, slot) in slots_left.by_ref().take(end - start) {
                let Target { builder, filled, .. } = &mut targets[column as usize];
                if *filled < *rows {
                    absent(builder, *rows - *filled, *open);
                }
                *filled = *rows + 1;
                match slot {
                    Slot::Null => builder.push_null(),
                    Slot::Bit(value) => builder.push_bit(value),
                    Slot::BigInt(value) => builder.push_bigint(value),
                    Slot::Float(value) => builder.push_float(value),
                    Slot::Text(start, end) => builder.push_text(&text[start..end]),
                    Slot::Value(value) => builder.push(value),
                }
            }
            start = end;
            *rows += 1;
        }
        drop(slots_left);
        text.clear();
    }

    /// The event is not good: forget it.
    pub(super) fn forget(&mut self) {
        self.slots.clear();
        self.ends.clear();
        self.text.clear();
        self.huge = false;
    }

    /// The columns, and empty ones for the next batch.
    pub(super) fn finish(&mut self) -> (Arc<[Arc<str>]>, Vec<Column>) {
        let rows = std::mem::take(&mut self.rows);
        let mut names = Vec::with_capacity(self.targets.len());
        let mut columns = Vec::with_capacity(self.targets.len());
        for target in &mut self.targets {
            let filled = std::mem::take(&mut target.filled);
            if self.open && filled == 0 {
                // Only rejected events had it.
                continue;
            }
            let mut builder = std::mem::take(&mut target.builder);
            absent(&mut builder, rows - filled, self.open);
            names.push(Arc::clone(&target.name));
            columns.push(builder.finish());
        }
        if self.open {
            self.targets.clear();
            self.spellings.clear();
            self.order.clear();
        }
        (names.into(), columns)
    }
}

/// Rows without the field: where all fields are read it is not there, where these columns are read it is null.
fn absent(builder: &mut ColumnBuilder, rows: usize, open: bool) {
    if open { builder.push_all_missing(rows) } else { builder.push_nulls(rows) }
}

/// A text from an event, short enough for a message.
pub(super) fn shown(text: &str) -> String {
    const MAX: usize = 40;
    if text.chars().count() <= MAX { text.to_owned() } else { text.chars().take(MAX).chain(['…']).collect() }
}
