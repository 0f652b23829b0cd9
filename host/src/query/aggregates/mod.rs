//! Aggregate functions: what stands in a SELECT with GROUP BY. Comes in: columns of rows, and the slot (a group of a window)
//! of each row. Goes out: one value a slot.
//!
//! A new aggregate is a line in [`catalog`], one in [`aggregator`], and a [`Fold`](fold::Fold) (a state, and what to do with
//! one value) in the file of its family. A fold that can take a part back out of its state (`subtract`) makes hopping and
//! sliding windows cheap; one that cannot is put together anew from a few partial results.
//!
//! Sums are [exact](exact): they do not depend on the order of the rows, and what was added can be taken away again.

mod catalog;
mod count;
mod distinct;
mod exact;
mod extreme;
mod fold;
mod held;
mod number;
mod spec;
mod spread;
mod sum;
mod top;
mod total_order;

use std::sync::Arc;

pub use catalog::{AggregateForm, KnownAggregate, known_aggregate, known_aggregates};
pub use fold::Aggregator;
pub use spec::{AggregateFunction, AggregateSpec, OrderKey};

use count::Count;
use distinct::Distinct;
use extreme::Extreme;
use fold::{Fold, Table};
use held::{Collect, ForUser, Holding, Percentile, StringAgg};
use spread::Spread;
use sum::{Avg, Sum};
use top::Top;

/// The aggregator of one aggregate. Of `uda.NAME` the values are arrays of the group's values and their times in turn:
/// [`Functions::aggregate`](super::Functions::aggregate) makes the result of them.
pub fn aggregator(aggregate: &AggregateSpec) -> Box<dyn Aggregator> {
    let distinct = aggregate.distinct;
    let descending = || aggregate.order_by.iter().map(|key| key.descending).collect();
    match &aggregate.function {
        AggregateFunction::Count => plain_or_distinct(Count, distinct),
        AggregateFunction::Sum => plain_or_distinct(Sum, distinct),
        AggregateFunction::Avg => plain_or_distinct(Avg, distinct),
        // DISTINCT does not change what is the least.
        AggregateFunction::Min { text } => Box::new(Table::new(Extreme { greatest: false, text: *text })),
        AggregateFunction::Max { text } => Box::new(Table::new(Extreme { greatest: true, text: *text })),
        AggregateFunction::Stdev => plain_or_distinct(Spread { name: "STDEV", sample: true, deviation: true }, distinct),
        AggregateFunction::Stdevp => plain_or_distinct(Spread { name: "STDEVP", sample: false, deviation: true }, distinct),
        AggregateFunction::Var => plain_or_distinct(Spread { name: "VAR", sample: true, deviation: false }, distinct),
        AggregateFunction::Varp => plain_or_distinct(Spread { name: "VARP", sample: false, deviation: false }, distinct),
        AggregateFunction::Collect => Box::new(Table::new(Holding(Collect))),
        AggregateFunction::CollectTop(count) => Box::new(Table::new(Top { count: *count, descending: descending(), one: false })),
        AggregateFunction::TopOne => Box::new(Table::new(Top { count: 1, descending: descending(), one: true })),
        AggregateFunction::PercentileCont { fraction, descending } => percentile(*fraction, *descending, true),
        AggregateFunction::PercentileDisc { fraction, descending } => percentile(*fraction, *descending, false),
        AggregateFunction::StringAgg(separator) => Box::new(Table::new(Holding(StringAgg(Arc::clone(separator))))),
        AggregateFunction::User(_) => Box::new(Table::new(Holding(ForUser))),
    }
}

fn plain_or_distinct<F: Fold + 'static>(fold: F, distinct: bool) -> Box<dyn Aggregator> {
    if distinct { Box::new(Table::new(Distinct(fold))) } else { Box::new(Table::new(fold)) }
}

fn percentile(fraction: f64, descending: bool, continuous: bool) -> Box<dyn Aggregator> {
    Box::new(Table::new(Holding(Percentile { fraction, descending, continuous })))
}

#[cfg(test)]
mod tests;
