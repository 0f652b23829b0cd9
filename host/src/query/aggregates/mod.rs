//! Aggregate functions: what stands in a SELECT with GROUP BY. Comes in: columns of rows, and the slot (a group of a window)
//! of each row. Goes out: one value a slot.
//!
//! A new aggregate is a line in [`catalog`] and a `Fold` (a state, and what to do with one value) in the file of
//! its family. A fold that knows how to take a part back out of its state (`subtract`) makes hopping and sliding windows cheap;
//! one that does not is kept as partial results that are put together anew.
//!
//! Sums are exact: they do not depend on the order of the rows, and what was added can be taken away again.

mod catalog;
mod spec;

pub use catalog::{AggregateForm, KnownAggregate, known_aggregate, known_aggregates};
pub use spec::{AggregateFunction, AggregateSpec, OrderKey};
