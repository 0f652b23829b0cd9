//! The job's script, compiled into steps that run over batches.
//! Comes in: the script and the names it may use. Goes out: a [`Plan`].
//!
//! # Layout, in the order of compilation
//!
//! - [`tokens`]: the script as tokens, with what no SQL parser knows lifted out of them
//! - [`syntax`]: the syntax tree; statements are read here, expressions by sqlparser
//! - [`bind`]: expressions, with names and types checked
//! - [`functions`]: the built-in functions, one file per family; [`aggregates`]: those over groups
//! - [`compile`]: one or several [`Step`]s per SELECT; [`plan`]: what comes out
//! - [`project`], [`apply`]: steps that work batch by batch
//! - [`operator`]: what a stateful operator is: rows in, results when the watermark says so, state saved and restored
//! - [`windowed`]: what a step with GROUP BY computes; [`operators`]: joins, lookups, analytic functions, `MATCH_RECOGNIZE`
//! - [`expression`], [`operate`]: evaluation, on Arrow arrays where a column has one type, else value by value

mod aggregates;
mod apply;
mod bind;
mod call;
mod calling;
mod check;
mod compile;
mod diagnostic;
mod expression;
mod functions;
mod known;
mod like;
mod metadata;
mod operate;
mod operator;
mod operators;
mod plan;
mod project;
mod rewrite;
mod syntax;
mod tokens;
mod windowed;

pub use aggregates::{
    AggregateForm, AggregateFunction, AggregateSpec, Aggregator, KnownAggregate, OrderKey, aggregator, known_aggregate, known_aggregates,
};
pub use apply::Apply;
pub use call::{Argument, Called, Failed, Functions};
pub use compile::compile;
pub use diagnostic::{Diagnostic, Diagnostics, Position};
pub use expression::{Call, Expression, Metadata};
pub use operator::{Context, Operate};
pub use operators::{
    Analytic, AnalyticFunction, AnalyticSpec, Join, JoinKind, JoinSpec, Lookup, LookupSpec, MatchAggregate, MatchFunction, MatchSpec,
    MatchVariable, Matching, Pattern, Quantifier,
};
pub use plan::{Catalog, Columns, Feed, FunctionInfo, InputPlan, Operator, Plan, Script, Source, Step};
pub use project::{Failure, Output, Project};
pub use windowed::{WindowForm, WindowGroups, WindowRows, WindowedStep};

#[cfg(test)]
mod tests;
