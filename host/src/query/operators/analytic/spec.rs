//! What an analytic function is told by the binder.

use std::sync::Arc;

use crate::query::Expression;

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
    /// `SUM(value)` and its like over the rows of the duration, this one included.
    Aggregate {
        /// The aggregate.
        function: Running,
        /// Its argument; for `COUNT(*)` a constant.
        value: Expression,
    },
    /// `TopOne(value)`; without argument the value is [`Expression::Row`].
    TopOne {
        /// What is returned of the first row.
        value: Expression,
        /// ORDER BY.
        order_by: Vec<(Expression, Direction)>,
    },
    /// `CollectTop(count, value)`.
    CollectTop {
        /// At most so many rows.
        count: usize,
        /// What is returned of each.
        value: Expression,
        /// ORDER BY.
        order_by: Vec<(Expression, Direction)>,
    },
    /// `Collect(value)`: in the order of arrival.
    Collect {
        /// What is returned of each row.
        value: Expression,
    },
}

/// An aggregate that runs over the last rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Running {
    /// `COUNT`: values that are not null.
    Count,
    /// `SUM`
    Sum,
    /// `AVG`
    Avg,
    /// `MIN`
    Min,
    /// `MAX`
    Max,
}

/// The direction of one ORDER BY key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Least first; null is the least.
    Ascending,
    /// Greatest first.
    Descending,
}
