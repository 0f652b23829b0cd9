//! The stateful operators of a query that look at several rows at once: joins, reference lookups, analytic functions and
//! `MATCH_RECOGNIZE`. Each is made from a bound spec and runs as an [`Operate`](super::Operate).
//!
//! # Names in a joined batch
//!
//! A join names its columns `alias.column` and adds each source's own time as `#time.alias`. Columns that start with `#` are
//! hidden and keep their names; the binder numbers them so that they are unique within a SELECT.

mod analytic;
mod join;
mod lookup;
mod matching;

pub use analytic::{AnalyticFunction, AnalyticSpec, Direction, Running};
pub use join::{JoinKind, JoinSpec};
pub use lookup::LookupSpec;
pub use matching::{MatchAggregate, MatchFunction, MatchSpec, MatchVariable, Pattern, Quantifier};
