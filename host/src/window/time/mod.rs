//! The sense of time of one input: when is an event, and how far has time come. `docs/time.md` explains it with an example.
//! Comes in: rows with their arrival times, and what `TIMESTAMP BY` says of each. Goes out: rows with their final times, rows
//! that are dropped with the reason, and the watermark.
//!
//! The checks, in their order: early (fixed, 5 minutes), late arrival, out of order. Without `TIMESTAMP BY` the arrival time is
//! the time, and no check applies. The clock is an argument; the same events give the same times however they are cut.

mod policy;
mod substreams;
mod timeline;

pub use policy::{OnViolation, Policies, Verdict};
pub use timeline::{Arrived, Explained, Stamped, TimeSource, Timeline};

#[cfg(test)]
mod tests;
