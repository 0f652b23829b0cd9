//! Windows over time, and time itself. Comes in: rows with their times, in any order, and the watermark. Goes out: for each
//! window that ended and each group in it, one row of results. What is kept of the rows is the business of an [`Accumulator`].
//!
//! A window's start is exclusive and its end inclusive; boundaries are multiples of the hop since 1970, moved by the
//! offset. A window ends when the watermark reaches its end.
//!
//! - [`Windows`]: the windows of one step; `kind`: which there are
//! - `aligned`, `sliding`, `session`, `snapshot`: one file for each kind; `pending`: rows that wait for the watermark;
//!   `running`: the content of a window that moves
//! - `store`: groups and their partial results; `keys`: group keys; `emission`: results in their order
//! - [`time`]: the time of each row, and how far time has come

mod accumulator;
mod aligned;
mod emission;
mod keys;
mod kind;
mod pending;
mod running;
mod session;
mod sliding;
mod snapshot;
mod store;
pub mod time;
mod windows;

pub use accumulator::Accumulator;
pub use emission::Closed;
pub use kind::WindowKind;
pub use windows::{WindowInput, Windows};

#[cfg(test)]
mod tests;
