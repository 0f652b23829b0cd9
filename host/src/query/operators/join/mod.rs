//! The join of two streams: rows whose times are near each other and whose ON condition holds.
//!
//! Rows of both sides wait for the watermark and are then taken in the order of their times, left before right. Each looks for
//! partners among the rows taken before it ([`slots`]), so a pair is found when its later row is taken, and that is its time.
//! Pairs are gathered into columns ([`store`]), and the ON condition is evaluated over them at once.

mod operator;
mod slots;
mod spec;
mod store;
#[cfg(test)]
mod tests;
mod unmatched;

pub use operator::Join;
pub use spec::{JoinKind, JoinSpec};
