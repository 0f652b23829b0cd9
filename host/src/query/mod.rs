//! The job's script, compiled into steps that run over batches.
//! Comes in: the script and the names it may use. Goes out: a [`Plan`].
//!
//! # Layout, in the order of compilation
//!
//! - [`tokens`]: cuts the script into statements and lifts out what is Stream Analytics' own (`TIMESTAMP BY`, …)
//! - sqlparser turns each statement into a syntax tree
//! - [`compile`]: sources, steps and outputs by name; one [`Step`] per SELECT
//! - [`bind`]: a syntax tree's expression to an [`Expression`], with names and types checked
//! - [`functions`]: the built-in functions, one file per family
//! - [`plan`]: steps in the order they run; [`project`] and [`aggregate`] run them
//! - [`windowed`]: what a step with GROUP BY computes before and after its windows; [`aggregates`]: the aggregate functions
//! - [`operator`]: what a stateful operator is: rows in, results when the watermark says so, state saved and restored
//! - [`operators`]: joins, lookups, analytic functions, `MATCH_RECOGNIZE`
//! - [`expression`], [`operate`]: evaluation, on Arrow arrays where a column has one type, else value by value

mod aggregate;
mod aggregates;
mod bind;
mod check;
mod compile;
mod diagnostic;
mod expression;
mod functions;
mod operate;
mod operator;
mod operators;
mod plan;
mod project;
mod tokens;
mod windowed;

pub use aggregate::WindowStep;
pub use aggregates::{
    AggregateForm, AggregateFunction, AggregateSpec, Aggregator, KnownAggregate, OrderKey, aggregator, known_aggregate, known_aggregates,
};
pub use compile::compile;
pub use diagnostic::{Diagnostic, Diagnostics, Position};
pub use expression::Expression;
pub use operator::{Context, Operate};
pub use operators::{
    AnalyticFunction, AnalyticSpec, Direction, JoinKind, JoinSpec, LookupSpec, MatchAggregate, MatchFunction, MatchSpec, MatchVariable,
    Pattern, Quantifier, Running,
};
pub use plan::{Catalog, Columns, FunctionInfo, InputPlan, Operator, Plan, Script, Source, Step, WindowSpec};
pub use project::{Argument, Called, Functions, Output, Project};
pub use windowed::{WindowForm, WindowGroups, WindowRows, WindowedStep};

#[cfg(test)]
mod tests;
