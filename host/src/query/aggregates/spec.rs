//! What the binder says of one aggregate of a step.

use std::sync::Arc;

use crate::query::Expression;

/// One aggregate of a step.
#[derive(Debug, Clone)]
pub struct AggregateSpec {
    /// The function, with its constants.
    pub function: AggregateFunction,
    /// `DISTINCT`: every value once.
    pub distinct: bool,
    /// What is aggregated; `None`: whole rows (`COUNT(*)`, `COUNT(source)`, `Collect()`, `TopOne()`). Of `COUNT(DISTINCT source)`
    /// it is [`Expression::Row`]; of a percentile it is the ORDER BY expression.
    pub argument: Option<Expression>,
    /// `OVER (ORDER BY …)` of `TopOne` and `CollectTop`; empty for all others.
    pub order_by: Vec<OrderKey>,
}

impl AggregateSpec {
    /// Whether whole rows are what it needs, when it has no argument.
    pub(in crate::query) fn takes_rows(&self) -> bool {
        matches!(self.function, AggregateFunction::Collect | AggregateFunction::CollectTop(_) | AggregateFunction::TopOne)
    }
}

/// One key of an ORDER BY. Null is the smallest.
#[derive(Debug, Clone)]
pub struct OrderKey {
    /// Its value.
    pub expression: Expression,
    /// `DESC`.
    pub descending: bool,
}

/// An aggregate function, with its constants.
#[derive(Debug, Clone, PartialEq)]
pub enum AggregateFunction {
    /// `COUNT`, `COUNT_BIG`.
    Count,
    /// `SUM`.
    Sum,
    /// `AVG`.
    Avg,
    /// `MIN`. `text`: its argument is `CAST(… AS nvarchar(max))` or `TRY_CAST`, so texts are compared as texts; otherwise a
    /// text is read as a float.
    Min {
        /// Texts are compared as texts.
        text: bool,
    },
    /// `MAX`; `text` as for [`AggregateFunction::Min`].
    Max {
        /// Texts are compared as texts.
        text: bool,
    },
    /// `STDEV`: of a sample.
    Stdev,
    /// `STDEVP`: of a population.
    Stdevp,
    /// `VAR`: of a sample.
    Var,
    /// `VARP`: of a population.
    Varp,
    /// `Collect`: an array of all values or rows.
    Collect,
    /// `CollectTop(n)`: an array of `{rank, value}`.
    CollectTop(usize),
    /// `TopOne`: the first value or row.
    TopOne,
    /// `PERCENTILE_CONT(p)`: between values.
    PercentileCont {
        /// 0 to 1.
        fraction: f64,
        /// `ORDER BY … DESC`.
        descending: bool,
    },
    /// `PERCENTILE_DISC(p)`: one of the values.
    PercentileDisc {
        /// 0 to 1.
        fraction: f64,
        /// `ORDER BY … DESC`.
        descending: bool,
    },
    /// `STRING_AGG(e, separator)`.
    StringAgg(Arc<str>),
    /// `uda.NAME`.
    User(String),
}
