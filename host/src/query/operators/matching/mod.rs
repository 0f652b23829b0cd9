//! `MATCH_RECOGNIZE`: finds runs of rows that fit a pattern.

mod spec;

pub use spec::{MatchAggregate, MatchFunction, MatchSpec, MatchVariable, Pattern, Quantifier};
