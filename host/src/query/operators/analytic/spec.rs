//! What an analytic function is told by the binder.

use std::sync::Arc;

use crate::query::{AggregateSpec, Expression};

/// One analytic function with its OVER clause. Expressions are over the rows of the source.
#[derive(Debug, Clone)]
pub struct AnalyticSpec {
    /// The column that it adds to each row: `#analytic0` and so on.
    pub name: Arc<str>,
    /// The function.
    pub function: AnalyticFunction,
    /// PARTITION BY.
    pub partition_by: Vec<Expression>,
    /// LIMIT DURATION in ticks; for ISFIRST the length of its intervals. More than 0.
    pub duration: i64,
    /// WHEN: only rows for which it holds are looked at.
    pub when: Option<Expression>,
}

/// An analytic function.
#[derive(Debug, Clone)]
pub enum AnalyticFunction {
    /// `LAG(value, offset, default)`; with offset 0 it is `LAST(value, default)`. `*` is [`Expression::Row`].
    Lag {
        /// What is looked up, evaluated at the row that is found.
        value: Expression,
        /// How many rows back, the row itself being 0.
        offset: usize,
        /// Without such a row; evaluated at the row that asks. `None`: null.
        default: Option<Expression>,
    },
    /// `ISFIRST(unit, n)`.
    IsFirst,
    /// COUNT, SUM, AVG, MIN, MAX, TopOne, CollectTop or Collect over the rows of the duration, this one included.
    Aggregate(AggregateSpec),
}
