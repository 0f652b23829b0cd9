//! One order over all values, for ORDER BY, MIN, MAX and DISTINCT: null, then numbers and bits by their value, times, texts,
//! records, arrays. Values that are equal but of different types have an order too, so that results do not depend on chance.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::batch::Value;

/// The order of all values.
pub(super) fn compare(left: &Value, right: &Value) -> Ordering {
    match (left, right) {
        (Value::Record(left), Value::Record(right)) => {
            let fields = left.iter().zip(right.iter());
            let mut fields = fields.map(|(left, right)| left.0.cmp(&right.0).then_with(|| compare(&left.1, &right.1)));
            fields.find(|order| order.is_ne()).unwrap_or_else(|| left.len().cmp(&right.len()))
        }
        (Value::Array(left), Value::Array(right)) => {
            let mut values = left.iter().zip(right.iter()).map(|(left, right)| compare(left, right));
            values.find(|order| order.is_ne()).unwrap_or_else(|| left.len().cmp(&right.len()))
        }
        _ => by_value(left, right).then_with(|| kind(left).cmp(&kind(right))),
    }
}

/// The order of values as ORDER BY has it: 1 and 1.0 are equal.
pub(super) fn by_value(left: &Value, right: &Value) -> Ordering {
    match (left, right) {
        (Value::BigInt(left), Value::BigInt(right)) => left.cmp(right),
        (Value::Float(left), Value::Float(right)) => floats(*left, *right),
        (Value::BigInt(left), Value::Float(right)) => mixed(*left, *right),
        (Value::Float(left), Value::BigInt(right)) => mixed(*right, *left).reverse(),
        (Value::Bit(left), Value::Bit(right)) => left.cmp(right),
        (Value::Bit(left), Value::BigInt(_) | Value::Float(_)) => by_value(&Value::BigInt(i64::from(*left)), right),
        (Value::BigInt(_) | Value::Float(_), Value::Bit(right)) => by_value(left, &Value::BigInt(i64::from(*right))),
        (Value::DateTime(left), Value::DateTime(right)) => left.cmp(right),
        (Value::Text(left), Value::Text(right)) => left.cmp(right),
        _ => class(left).cmp(&class(right)),
    }
}

/// Among numbers of one value, a bit comes before a whole number, and that before a float.
fn kind(value: &Value) -> u8 {
    match value {
        Value::Bit(_) => 0,
        Value::BigInt(_) => 1,
        _ => 2,
    }
}

fn class(value: &Value) -> u8 {
    match value {
        Value::Null | Value::Missing => 0,
        Value::Bit(_) | Value::BigInt(_) | Value::Float(_) => 1,
        Value::DateTime(_) => 2,
        Value::Text(_) => 3,
        Value::Record(_) => 4,
        Value::Array(_) => 5,
    }
}

/// Zeros are equal; what is no number is the greatest.
fn floats(left: f64, right: f64) -> Ordering {
    left.partial_cmp(&right).unwrap_or_else(|| left.is_nan().cmp(&right.is_nan()))
}

/// Without rounding the integer.
fn mixed(left: i64, right: f64) -> Ordering {
    const BEYOND: f64 = 9_223_372_036_854_775_808.0;
    if right.is_nan() || right >= BEYOND {
        return Ordering::Less;
    }
    if right < -BEYOND {
        return Ordering::Greater;
    }
    left.cmp(&(right.trunc() as i64)).then_with(|| floats(0.0, right.fract()))
}

/// A value as a key of a sorted map.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Ordered(pub(super) Value);

impl Eq for Ordered {}

impl PartialOrd for Ordered {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ordered {
    fn cmp(&self, other: &Self) -> Ordering {
        compare(&self.0, &other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    #[test]
    fn every_value_has_its_place() {
        let ascending = [
            Value::Null,
            Value::Float(f64::NEG_INFINITY),
            Value::BigInt(-1),
            Value::Float(-0.5),
            Value::Bit(false),
            Value::BigInt(0),
            Value::Float(0.0),
            Value::Float(0.5),
            Value::Bit(true),
            Value::BigInt(1),
            Value::Float(1.0),
            Value::BigInt((1 << 53) + 1),
            Value::Float(2f64.powi(54)),
            Value::BigInt(i64::MAX),
            Value::Float(2f64.powi(63)),
            Value::Float(f64::NAN),
            Value::DateTime(Timestamp(0)),
            Value::Text("a".into()),
            Value::Text("b".into()),
            Value::Array([].into()),
            Value::Array([Value::Null].into()),
        ];
        for (left, a) in ascending.iter().enumerate() {
            for (right, b) in ascending.iter().enumerate() {
                assert_eq!(compare(a, b), left.cmp(&right), "{a:?} {b:?}");
            }
        }
    }
}
