//! ABS, CEILING, EXP, FLOOR, POWER, ROUND, SIGN, SQUARE, SQRT.

use super::{Builtin, wrong};
use crate::batch::Value;

pub(super) const TABLE: &[Builtin] = &[
    Builtin { name: "ABS", arguments: (1, 1), run: |values| keep(values, i64::checked_abs, f64::abs) },
    Builtin { name: "CEILING", arguments: (1, 1), run: |values| keep(values, Some, f64::ceil) },
    Builtin { name: "EXP", arguments: (1, 1), run: |values| float(values, f64::exp) },
    Builtin { name: "FLOOR", arguments: (1, 1), run: |values| keep(values, Some, f64::floor) },
    Builtin { name: "POWER", arguments: (2, 2), run: power },
    Builtin { name: "ROUND", arguments: (2, 2), run: round },
    Builtin {
        name: "SIGN",
        arguments: (1, 1),
        run: |values| keep(values, |value| Some(value.signum()), |value| if value == 0.0 { 0.0 } else { value.signum() }),
    },
    Builtin { name: "SQUARE", arguments: (1, 1), run: |values| float(values, |value| value * value) },
    Builtin { name: "SQRT", arguments: (1, 1), run: |values| float(values, f64::sqrt) },
];

const NUMBERS: &str = "'bigint', 'float'";

fn keep(values: &[Value], of_integer: fn(i64) -> Option<i64>, of_float: fn(f64) -> f64) -> Result<Value, String> {
    match &values[0] {
        Value::Null => Ok(Value::Null),
        Value::BigInt(value) => of_integer(*value).map(Value::BigInt).ok_or_else(|| "the result does not fit bigint".to_owned()),
        Value::Float(value) => Ok(Value::Float(of_float(*value))),
        other => wrong(0, other, NUMBERS),
    }
}

fn number(values: &[Value], place: usize) -> Result<Option<f64>, String> {
    match &values[place] {
        Value::Null => Ok(None),
        Value::BigInt(value) => Ok(Some(*value as f64)),
        Value::Float(value) => Ok(Some(*value)),
        other => wrong(place, other, NUMBERS),
    }
}

fn float(values: &[Value], of: fn(f64) -> f64) -> Result<Value, String> {
    Ok(number(values, 0)?.map_or(Value::Null, |value| Value::Float(of(value))))
}

fn power(values: &[Value]) -> Result<Value, String> {
    Ok(match (number(values, 0)?, number(values, 1)?) {
        (Some(base), Some(exponent)) => Value::Float(base.powf(exponent)),
        _ => Value::Null,
    })
}

fn round(values: &[Value]) -> Result<Value, String> {
    let Some(digits) = super::integer(values, 1)? else { return Ok(Value::Null) };
    let scale = 10_f64.powi(digits.clamp(-300, 300) as i32);
    keep(values, Some, |value| value).map(|value| match value {
        Value::Float(value) => Value::Float((value * scale).round() / scale),
        Value::BigInt(value) if digits < 0 => Value::BigInt(((value as f64 * scale).round() / scale) as i64),
        other => other,
    })
}
