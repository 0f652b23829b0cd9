//! `MATCH_RECOGNIZE`: finds runs of rows that fit a pattern.
//!
//! The pattern becomes a small program ([`program`]). Every row starts an attempt ([`attempt`]), which follows all ways through
//! the program at once, the preferred way first: a repetition rather goes on than ends, and of alternatives the first is
//! preferred. An attempt is over when no way is left that is preferred to the match it has, or when LIMIT DURATION has passed.
//! Each attempt gives one row at most, with the time of the match's last row. A match without rows is none.

mod attempt;
mod operator;
mod path;
mod program;
mod spec;
#[cfg(test)]
mod tests;
mod values;

pub use operator::Matching;
pub use spec::{MatchAggregate, MatchFunction, MatchSpec, MatchVariable, Pattern, Quantifier};
