//! What `MATCH_RECOGNIZE` is told by the binder.
//!
//! What DEFINE and MEASURES say about rows is said by aggregates: `Max(A.price)` is one, and a plain `A.price` is
//! `Last(A.price)`, which for the variable being tested is the row at hand. Conditions and measures are then expressions over
//! the columns `#match0`, `#match1`, … of [`MatchSpec::aggregates`].

use std::sync::Arc;

use crate::query::Expression;

/// One `MATCH_RECOGNIZE` clause.
#[derive(Debug, Clone)]
pub struct MatchSpec {
    /// PARTITION BY, over the rows of the source.
    pub partition_by: Vec<Expression>,
    /// LIMIT DURATION in ticks: all rows of a match are less than this after its first.
    pub duration: i64,
    /// The variables of PATTERN, in the order of DEFINE, then those that are not defined.
    pub variables: Vec<MatchVariable>,
    /// PATTERN.
    pub pattern: Pattern,
    /// Every aggregate of DEFINE and MEASURES; number `n` is the column `#match{n}`.
    pub aggregates: Vec<MatchAggregate>,
    /// MEASURES: expressions over `#match{n}` and `#classifier` (`Classifier()`: an array of names). The time is the last row's.
    pub measures: Vec<(Arc<str>, Expression)>,
}

/// A variable of the pattern.
#[derive(Debug, Clone)]
pub struct MatchVariable {
    /// Its name, as PATTERN spells it.
    pub name: Arc<str>,
    /// Its DEFINE condition over `#match{n}`, the row at hand being part of the variable's rows. `None`: any row.
    pub condition: Option<Expression>,
    /// The numbers of the aggregates in the condition.
    pub reads: Vec<usize>,
}

/// An aggregate over the rows that a variable has matched so far.
#[derive(Debug, Clone)]
pub struct MatchAggregate {
    /// The aggregate.
    pub function: MatchFunction,
    /// The variable's number; `None`: all rows of the match.
    pub variable: Option<usize>,
    /// What is aggregated, over the rows of the source: a field.
    pub value: Expression,
}

/// What a [`MatchAggregate`] computes. Min and Max pass over nulls; First and Last do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MatchFunction {
    /// The first value.
    First,
    /// The last value.
    Last,
    /// The least value.
    Min,
    /// The greatest value.
    Max,
}

/// A pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pattern {
    /// One row that fits the variable of this number.
    Variable(usize),
    /// `.`: one row, any.
    Any,
    /// One after the other.
    Sequence(Vec<Self>),
    /// `|`: the first that leads to a match.
    Either(Vec<Self>),
    /// A repeated pattern; as often as possible.
    Repeat(Box<Self>, Quantifier),
}

/// How often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantifier {
    /// `*`
    Any,
    /// `+`
    Some,
    /// `?`
    Optional,
}
