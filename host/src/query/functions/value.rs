//! What functions read from their arguments: `Ok(None)` is null, a wrong type an error that names the argument.

use super::Wrong;
use crate::batch::{Record, Value};
use crate::time::Timestamp;

pub(super) const TEXT: &[&str] = &["nvarchar(max)"];
pub(super) const BIGINT: &[&str] = &["bigint"];
pub(super) const NUMBER: &[&str] = &["bigint", "float"];
pub(super) const TIME: &[&str] = &["datetime", "nvarchar(max)"];
pub(super) const RECORD: &[&str] = &["record"];
pub(super) const ARRAY: &[&str] = &["array"];

/// The error for an argument of another type; a null never is.
pub(super) fn wrong<T>(values: &[Value], place: usize, allowed: &'static [&'static str]) -> Result<T, Wrong> {
    Err(Wrong::Type { place, given: values[place].type_name().unwrap_or("null"), allowed })
}

pub(super) fn fail<T>(what: impl Into<String>) -> Result<T, Wrong> {
    Err(Wrong::Value(what.into()))
}

pub(super) fn text(values: &[Value], place: usize) -> Result<Option<&str>, Wrong> {
    match &values[place] {
        Value::Null => Ok(None),
        Value::Text(text) => Ok(Some(text)),
        _ => wrong(values, place, TEXT),
    }
}

pub(super) fn integer(values: &[Value], place: usize) -> Result<Option<i64>, Wrong> {
    match &values[place] {
        Value::Null => Ok(None),
        Value::BigInt(value) => Ok(Some(*value)),
        _ => wrong(values, place, BIGINT),
    }
}

pub(super) fn number(values: &[Value], place: usize) -> Result<Option<f64>, Wrong> {
    match &values[place] {
        Value::Null => Ok(None),
        Value::BigInt(value) => Ok(Some(*value as f64)),
        Value::Float(value) => Ok(Some(*value)),
        _ => wrong(values, place, NUMBER),
    }
}

/// A time, or a text that is one.
pub(super) fn time(values: &[Value], place: usize) -> Result<Option<Timestamp>, Wrong> {
    match &values[place] {
        Value::Null => Ok(None),
        Value::DateTime(moment) => Ok(Some(*moment)),
        Value::Text(text) => {
            Timestamp::parse(text).map(Some).ok_or_else(|| Wrong::Value(format!("'{text}' is not an ISO 8601 date and time")))
        }
        _ => wrong(values, place, TIME),
    }
}

pub(super) fn array(values: &[Value], place: usize) -> Result<Option<&[Value]>, Wrong> {
    match &values[place] {
        Value::Null => Ok(None),
        Value::Array(elements) => Ok(Some(elements)),
        _ => wrong(values, place, ARRAY),
    }
}

pub(super) fn record(values: &[Value], place: usize) -> Result<Option<&Record>, Wrong> {
    match &values[place] {
        Value::Null => Ok(None),
        Value::Record(fields) => Ok(Some(fields)),
        _ => wrong(values, place, RECORD),
    }
}

/// The value of a field: an exact match of its name first, then without regard to case.
pub(super) fn field<'a>(record: &'a Record, name: &str) -> Option<&'a Value> {
    let exact = record.iter().find(|(known, _)| &**known == name);
    exact.or_else(|| record.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))).map(|(_, value)| value)
}
