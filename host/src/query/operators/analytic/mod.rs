//! Analytic functions: each row stays, and gets a value from the rows before it.
//!
//! Rows wait for the watermark and are then taken in the order of (time, arrival). LIMIT DURATION(unit, n) looks at rows whose time
//! is after this row's time less n: like a window, its start is not part of it. Rows of one time that arrived later are
//! not seen.

mod first;
mod lag;
mod operator;
mod ranked;
mod running;
mod spec;
#[cfg(test)]
mod tests;

pub use operator::Analytic;
pub use spec::{AnalyticFunction, AnalyticSpec};

use crate::time::Timestamp;

/// What every function sees of a run of rows.
#[derive(Debug)]
struct Rows<'a> {
    times: &'a [Timestamp],
    /// The number of each row's partition.
    slots: &'a [u32],
    /// Whether WHEN holds; `None`: for all.
    when: Option<&'a [bool]>,
}

impl Rows<'_> {
    /// Whether the row is looked at.
    fn counts(&self, row: usize) -> bool {
        self.when.is_none_or(|when| when[row])
    }
}

/// The state of partition `slot`, made when it is new.
fn state_of<T: Default>(states: &mut Vec<T>, slot: u32) -> &mut T {
    let slot = slot as usize;
    if slot >= states.len() {
        states.resize_with(slot + 1, T::default);
    }
    &mut states[slot]
}

/// Forgets the state of a partition.
fn clear<T: Default>(states: &mut [T], slot: usize) {
    if let Some(state) = states.get_mut(slot) {
        *state = T::default();
    }
}
