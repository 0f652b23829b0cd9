//! How aggregates are built: a [`Fold`] says what is kept of values, a [`Table`] keeps it by slot.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::batch::{Column, ColumnBuilder, RowOrder, Value};
use crate::fault::Fault;

/// Keeps partial results of one aggregate by slot; a slot is a group of a window or a part of it.
pub trait Aggregator: fmt::Debug + Send {
    /// The rows that cannot be aggregated, and why. They must not be added.
    fn check(&self, columns: &[Column]) -> Vec<(usize, String)>;
    /// Makes room for slots below `slots`.
    fn grow(&mut self, slots: usize);
    /// Adds each row of the columns to its slot.
    fn add(&mut self, columns: &[Column], orders: &[RowOrder], slots: &[u32]);
    /// Adds all that slot `from` holds to slot `into`.
    fn merge(&mut self, into: u32, from: u32);
    /// Whether [`Aggregator::subtract`] works.
    fn subtracts(&self) -> bool;
    /// Takes what slot `part` holds out of slot `from`. The part's rows are the oldest there.
    fn subtract(&mut self, from: u32, part: u32);
    /// Empties a slot.
    fn clear(&mut self, slot: u32);
    /// Writes the result of a slot. Where there is none, it writes null and answers why.
    fn write(&self, slot: u32, out: &mut ColumnBuilder) -> Option<String>;
    /// The partial results of all slots.
    ///
    /// # Errors
    /// A [`Fault`] when they cannot be written.
    fn save(&self) -> Result<Vec<u8>, Fault>;
    /// Takes up saved partial results.
    ///
    /// # Errors
    /// A [`Fault`] when the bytes are damaged or of something else.
    fn restore(&mut self, saved: &[u8]) -> Result<(), Fault>;
}

/// One aggregate: a state, and what a value does to it. The result must not depend on the order of `add` and `merge`.
pub(super) trait Fold: fmt::Debug + Send {
    /// What is kept of the rows of one slot. The default is that of no rows.
    type State: fmt::Debug + Clone + Default + Send + Serialize + DeserializeOwned;

    /// Whether [`Fold::subtract`] works. Without it the state must be small: it is put together anew from its parts.
    const SUBTRACTS: bool;

    /// Whether nulls are added too.
    const TAKES_NULL: bool = false;

    /// Why a value that is not null cannot be aggregated.
    fn refuse(&self, value: &Value) -> Option<String>;

    /// Why a value of ORDER BY cannot be ordered by.
    fn refuse_key(&self, _key: &Value) -> Option<String> {
        None
    }

    /// Adds a value. `keys` are the columns of ORDER BY.
    fn add(&self, state: &mut Self::State, value: Value, place: Place<'_>);

    /// Adds a column: to be written where values need not be looked at one by one. Answers whether it did.
    fn add_column(&self, _states: &mut [Self::State], _columns: &[Column], _slots: &[u32]) -> bool {
        false
    }

    /// Adds all that another state holds.
    fn merge(&self, into: &mut Self::State, from: &Self::State);

    /// Takes out what was merged before. The part's rows are the oldest.
    fn subtract(&self, _from: &mut Self::State, _part: &Self::State) {}

    /// The result.
    ///
    /// # Errors
    /// Why there is none.
    fn value(&self, state: &Self::State) -> Result<Value, String>;
}

/// Where a value stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) order: RowOrder,
    /// The columns of ORDER BY, and the value's row there.
    pub(super) keys: &'a [Column],
    pub(super) row: usize,
}

/// The states of a fold by slot.
#[derive(Debug)]
pub(super) struct Table<F: Fold> {
    fold: F,
    states: Vec<F::State>,
}

impl<F: Fold> Table<F> {
    pub(super) fn new(fold: F) -> Self {
        Self { fold, states: Vec::new() }
    }

    /// Two different states, the first to be changed.
    fn pair(&mut self, change: u32, read: u32) -> Option<(&mut F::State, &F::State, &F)> {
        let [change, read] = self.states.get_disjoint_mut([change as usize, read as usize]).ok()?;
        Some((change, read, &self.fold))
    }
}

impl<F: Fold> Aggregator for Table<F> {
    fn check(&self, columns: &[Column]) -> Vec<(usize, String)> {
        let Some((first, keys)) = columns.split_first() else { return Vec::new() };
        let mut refused = refusals(first, |value| self.fold.refuse(value));
        for key in keys {
            refused.extend(refusals(key, |value| self.fold.refuse_key(value)));
        }
        refused.sort();
        refused.dedup_by_key(|(row, _)| *row);
        refused
    }

    fn grow(&mut self, slots: usize) {
        if self.states.len() < slots {
            self.states.resize_with(slots, F::State::default);
        }
    }

    fn add(&mut self, columns: &[Column], orders: &[RowOrder], slots: &[u32]) {
        if self.fold.add_column(&mut self.states, columns, slots) {
            return;
        }
        let Some((values, keys)) = columns.split_first() else { return };
        for (row, (slot, order)) in slots.iter().zip(orders).enumerate() {
            if F::TAKES_NULL || !values.is_null(row) {
                self.fold.add(&mut self.states[*slot as usize], values.value(row), Place { order: *order, keys, row });
            }
        }
    }

    fn merge(&mut self, into: u32, from: u32) {
        if let Some((into, from, fold)) = self.pair(into, from) {
            fold.merge(into, from);
        }
    }

    fn subtracts(&self) -> bool {
        F::SUBTRACTS
    }

    fn subtract(&mut self, from: u32, part: u32) {
        if let Some((from, part, fold)) = self.pair(from, part) {
            fold.subtract(from, part);
        }
    }

    fn clear(&mut self, slot: u32) {
        self.states[slot as usize] = F::State::default();
    }

    fn write(&self, slot: u32, out: &mut ColumnBuilder) -> Option<String> {
        match self.fold.value(&self.states[slot as usize]) {
            Ok(value) => {
                out.push(value);
                None
            }
            Err(why) => {
                out.push_null();
                Some(why)
            }
        }
    }

    fn save(&self) -> Result<Vec<u8>, Fault> {
        postcard::to_stdvec(&self.states).map_err(|error| Fault::internal(format!("partial results cannot be written: {error}")))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<(), Fault> {
        self.states = postcard::from_bytes(saved)
            .map_err(|_| Fault::internal("the saved partial results of an aggregate are damaged or of another query"))?;
        Ok(())
    }
}

/// The rows whose value is refused. In an array of numbers or times all values share the answer.
fn refusals(column: &Column, refuse: impl Fn(&Value) -> Option<String>) -> Vec<(usize, String)> {
    let each = || (0..column.len()).filter(|row| !column.is_null(*row));
    match column {
        Column::Null(_) => Vec::new(),
        Column::Bit(_) | Column::BigInt(_) | Column::Float(_) | Column::DateTime(_) => {
            match each().next().and_then(|row| refuse(&column.value(row))) {
                Some(why) => each().map(|row| (row, why.clone())).collect(),
                None => Vec::new(),
            }
        }
        Column::Text(_) | Column::Mixed(_) => each().filter_map(|row| Some((row, refuse(&column.value(row))?))).collect(),
    }
}
