//! ABS, CEILING, FLOOR, ROUND, SIGN, POWER keep the type of their argument; EXP, LOG, SQRT, SQUARE and trigonometry give a float.

use super::value::{self, fail, integer, number, wrong};
use super::{Builtin, Wrong, conversion};
use crate::batch::Value;

pub(super) const TABLE: &[Builtin] = &[
    Builtin::new("ABS", (1, 1), |values| keep(values, i64::checked_abs, f64::abs)),
    Builtin::new("ACOS", (1, 1), |values| float(values, f64::acos)),
    Builtin::new("ASIN", (1, 1), |values| float(values, f64::asin)),
    Builtin::new("ATAN", (1, 1), |values| float(values, f64::atan)),
    Builtin::new("ATN2", (2, 2), |values| floats(values, f64::atan2)),
    Builtin::new("CEILING", (1, 1), |values| keep(values, Some, f64::ceil)),
    Builtin::new("COS", (1, 1), |values| float(values, f64::cos)),
    Builtin::new("COT", (1, 1), |values| float(values, |angle| angle.tan().recip())),
    Builtin::new("DEGREES", (1, 1), |values| float(values, f64::to_degrees)),
    Builtin::new("EXP", (1, 1), |values| float(values, f64::exp)),
    Builtin::new("FLOOR", (1, 1), |values| keep(values, Some, f64::floor)),
    Builtin::new("LOG", (1, 2), |values| {
        if values.len() == 1 { float(values, f64::ln) } else { floats(values, |value, base| value.ln() / base.ln()) }
    }),
    Builtin::new("LOG10", (1, 1), |values| float(values, f64::log10)),
    Builtin::new("PI", (0, 0), |_| Ok(Value::Float(std::f64::consts::PI))),
    Builtin::new("POWER", (2, 2), power),
    Builtin::new("RADIANS", (1, 1), |values| float(values, f64::to_radians)),
    Builtin::new("ROUND", (2, 2), round),
    Builtin::new("SIGN", (1, 1), |values| {
        keep(values, |value| Some(value.signum()), |value| if value == 0.0 { 0.0 } else { value.signum() })
    }),
    Builtin::new("SIN", (1, 1), |values| float(values, f64::sin)),
    Builtin::new("SQRT", (1, 1), |values| float(values, f64::sqrt)),
    Builtin::new("SQUARE", (1, 1), |values| float(values, |value| value * value)),
    Builtin::new("TAN", (1, 1), |values| float(values, f64::tan)),
];

/// Functions whose result has the type of their argument.
fn keep(values: &[Value], of_integer: fn(i64) -> Option<i64>, of_float: fn(f64) -> f64) -> Result<Value, Wrong> {
    match &values[0] {
        Value::Null => Ok(Value::Null),
        Value::BigInt(value) => of_integer(*value).map_or_else(|| fail("the result does not fit bigint"), |value| Ok(Value::BigInt(value))),
        Value::Float(value) => Ok(Value::Float(of_float(*value))),
        _ => wrong(values, 0, value::NUMBER),
    }
}

/// A float, or what converts to one: an integer, a bit, a text that is a number.
fn as_float(values: &[Value], place: usize) -> Result<Option<f64>, Wrong> {
    match &values[place] {
        Value::Bit(value) => Ok(Some(u8::from(*value).into())),
        Value::Text(text) => conversion::float(text).map_or_else(|| wrong(values, place, value::NUMBER), |value| Ok(Some(value))),
        _ => number(values, place),
    }
}

fn float(values: &[Value], of: fn(f64) -> f64) -> Result<Value, Wrong> {
    as_float(values, 0)?.map_or(Ok(Value::Null), |value| finite(of(value), &[value]))
}

fn floats(values: &[Value], of: fn(f64, f64) -> f64) -> Result<Value, Wrong> {
    match (as_float(values, 0)?, as_float(values, 1)?) {
        (Some(left), Some(right)) => finite(of(left, right), &[left, right]),
        _ => Ok(Value::Null),
    }
}

/// NaN and infinity are no values of `float`.
fn finite(result: f64, of: &[f64]) -> Result<Value, Wrong> {
    if result.is_finite() {
        return Ok(Value::Float(result));
    }
    let of = of.iter().map(f64::to_string).collect::<Vec<_>>().join(", ");
    fail(if result.is_nan() { format!("it is not defined for {of}") } else { format!("the result for {of} is out of the range of float") })
}

fn power(values: &[Value]) -> Result<Value, Wrong> {
    let (Some(base), Some(exponent)) = (as_float(values, 0)?, as_float(values, 1)?) else { return Ok(Value::Null) };
    let Value::BigInt(whole) = &values[0] else { return finite(base.powf(exponent), &[base, exponent]) };
    if let Value::BigInt(exponent) = &values[1]
        && let Ok(exponent) = u32::try_from(*exponent)
    {
        return whole.checked_pow(exponent).map_or_else(|| fail("the result does not fit bigint"), |value| Ok(Value::BigInt(value)));
    }
    let result = base.powf(exponent).trunc();
    finite(result, &[base, exponent])?;
    if result.abs() < 9_223_372_036_854_775_808.0 { Ok(Value::BigInt(result as i64)) } else { fail("the result does not fit bigint") }
}

/// Halves go away from zero. A negative length rounds left of the point.
fn round(values: &[Value]) -> Result<Value, Wrong> {
    let length = integer(values, 1)?;
    match (&values[0], length) {
        (Value::BigInt(value), Some(length)) => {
            let rounded = round_integer(*value, length);
            i64::try_from(rounded).map_or_else(|_| fail("the result does not fit bigint"), |value| Ok(Value::BigInt(value)))
        }
        (Value::Float(value), Some(length)) => Ok(Value::Float(round_float(*value, length))),
        (Value::Null | Value::BigInt(_) | Value::Float(_), _) => Ok(Value::Null),
        _ => wrong(values, 0, value::NUMBER),
    }
}

fn round_integer(value: i64, length: i64) -> i128 {
    let value = i128::from(value);
    match length {
        0.. => value,
        -19..=-1 => {
            let unit = 10_i128.pow(length.unsigned_abs() as u32);
            (value + value.signum() * (unit / 2)) / unit * unit
        }
        _ => 0,
    }
}

fn round_float(value: f64, length: i64) -> f64 {
    // Beyond these a float has no such digit.
    let scale = 10_f64.powi(length.unsigned_abs().min(308) as i32);
    if length < 0 {
        let rounded = (value / scale).round() * scale;
        return if length < -308 { 0.0 } else { rounded };
    }
    let scaled = value * scale;
    // From 2^52 on there is no fraction left.
    if scaled.abs() < 4_503_599_627_370_496.0 { scaled.round() / scale } else { value }
}
