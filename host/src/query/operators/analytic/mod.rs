//! Analytic functions: each row stays, and gets a value from the rows before it.

mod spec;

pub use spec::{AnalyticFunction, AnalyticSpec, Direction, Running};
