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
//! - [`expression`], [`operate`]: evaluation, on Arrow arrays where a column has one type, else value by value

mod aggregate;
mod bind;
mod check;
mod compile;
mod diagnostic;
mod expression;
mod functions;
mod known;
mod operate;
mod plan;
mod project;
mod tokens;

pub use aggregate::WindowStep;
pub use compile::compile;
pub use diagnostic::{Diagnostic, Diagnostics, Position};
pub use expression::Expression;
pub use plan::{Catalog, Columns, FunctionInfo, InputPlan, Operator, Plan, Script, Source, Step, WindowSpec};
pub use project::{Argument, Called, Functions, Output, Project};

#[cfg(test)]
mod tests;
