//! The stateful operators of a query that look at several rows at once: joins, reference lookups, analytic functions and
//! `MATCH_RECOGNIZE`. Each is made from a bound spec and runs as an [`Operate`](super::Operate).
//!
//! # Names in a joined batch
//!
//! A join names its columns `alias.column` and adds each source's own time as `#time.alias`. Columns that start with `#` are
//! hidden and keep their names; the binder numbers them so that they are unique within a SELECT.

mod analytic;
mod gather;
mod join;
mod keys;
mod lookup;
mod matching;
mod ordered;
mod qualify;
#[cfg(test)]
mod testing;

use std::cmp::Ordering;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::batch::{Column, Value};
use crate::fault::Fault;

pub use analytic::{Analytic, AnalyticFunction, AnalyticSpec};
pub use join::{Join, JoinKind, JoinSpec};
pub use lookup::{Lookup, LookupSpec};
pub use matching::{MatchAggregate, MatchFunction, MatchSpec, MatchVariable, Matching, Pattern, Quantifier};

/// Whether a condition holds in each row; null does not hold.
fn holds(column: &Column) -> Vec<bool> {
    match column {
        Column::Bit(array) => array.iter().map(|value| value == Some(true)).collect(),
        _ => (0..column.len()).map(|row| matches!(column.value(row), Value::Bit(true))).collect(),
    }
}

/// The order of two values: null is the least, numbers are compared by value, and values of different kinds by kind.
fn order(left: &Value, right: &Value) -> Ordering {
    let kind = |value: &Value| match value {
        Value::Null | Value::Missing => 0,
        Value::Bit(_) => 1,
        Value::BigInt(_) | Value::Float(_) => 2,
        Value::DateTime(_) => 3,
        Value::Text(_) => 4,
        Value::Record(_) | Value::Array(_) => 5,
    };
    match (left, right) {
        (Value::BigInt(left), Value::BigInt(right)) => left.cmp(right),
        (Value::BigInt(left), Value::Float(right)) => (*left as f64).total_cmp(right),
        (Value::Float(left), Value::BigInt(right)) => left.total_cmp(&(*right as f64)),
        (Value::Float(left), Value::Float(right)) => left.total_cmp(right),
        (Value::Bit(left), Value::Bit(right)) => left.cmp(right),
        (Value::DateTime(left), Value::DateTime(right)) => left.cmp(right),
        (Value::Text(left), Value::Text(right)) => left.cmp(right),
        _ => kind(left).cmp(&kind(right)),
    }
}

/// The first bytes of every saved state, so that the state of another operator is refused.
const SAVED_VERSION: u8 = 1;

fn write(operator: &str, state: &impl Serialize) -> Result<Vec<u8>, Fault> {
    postcard::to_stdvec(&(SAVED_VERSION, operator, state))
        .map_err(|what| Fault::internal(format!("the state of a {operator} cannot be saved: {what}")))
}

fn read<T: DeserializeOwned>(operator: &str, saved: &[u8]) -> Result<T, Fault> {
    let damaged = |what: &dyn std::fmt::Display| Fault::internal(format!("the saved state of a {operator} cannot be read: {what}"));
    let ((version, written, state), rest): ((u8, String, T), _) = postcard::take_from_bytes(saved).map_err(|what| damaged(&what))?;
    if version != SAVED_VERSION || written != operator || !rest.is_empty() {
        return Err(damaged(&format!("it is of a {written}, version {version}")));
    }
    Ok(state)
}
