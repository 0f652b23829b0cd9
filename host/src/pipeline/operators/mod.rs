//! Stateful operators that join the query with another room.

mod windowed;

pub use windowed::{RowFaults, Windowed, window_kind};
