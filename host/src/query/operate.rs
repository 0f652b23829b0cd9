//! Operators: the vector path on Arrow kernels where both columns have one type, else value by value, with the same answers.

use std::cmp::Ordering;

use arrow_arith::boolean::{and, not as not_kernel, or};
use arrow_arith::numeric;
use arrow_array::{Array, ArrayRef, BooleanArray, Datum, Float64Array};
use arrow_ord::cmp;

use crate::batch::{Column, Value};
use crate::fault::Fault;
use crate::time::Timestamp;

/// An operator with two operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binary {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Modulo,
    /// `=`
    Equal,
    /// `<>`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `AND`
    And,
    /// `OR`
    Or,
    /// `LIKE`
    Like,
}

/// Applies an operator to two columns of the same length.
pub(super) fn binary(operator: Binary, left: &Column, right: &Column) -> Result<Column, Fault> {
    if let Some(column) = vector(operator, left, right) {
        return Ok(column);
    }
    match operator {
        Binary::And | Binary::Or => {
            let (left, right) = (truth(left), truth(right));
            let both = left.iter().zip(&right);
            Ok(Column::Bit(
                both.map(|(left, right)| Some(if operator == Binary::And { *left && *right } else { *left || *right })).collect(),
            ))
        }
        _ => {
            let values = (0..left.len()).map(|row| scalar(operator, &left.value(row), &right.value(row)));
            Ok(Column::from_values(values.collect::<Result<Vec<_>, _>>()?))
        }
    }
}

/// The opposite of each truth value.
pub(super) fn not(column: &Column) -> Column {
    match column {
        Column::Bit(array) if array.null_count() == 0 => not_kernel(array).map_or(Column::Null(array.len()), Column::Bit),
        _ => Column::Bit(truth(column).into_iter().map(|holds| Some(!holds)).collect()),
    }
}

/// Whether each value counts as true; null does not.
pub(super) fn truth(column: &Column) -> Vec<bool> {
    match column {
        Column::Bit(array) => (0..array.len()).map(|row| array.is_valid(row) && array.value(row)).collect(),
        _ => (0..column.len()).map(|row| matches!(column.value(row), Value::Bit(true))).collect(),
    }
}

fn vector(operator: Binary, left: &Column, right: &Column) -> Option<Column> {
    use Column::{BigInt, Bit, Float, Text};
    match (left, right) {
        (BigInt(left), BigInt(right)) => arithmetic(operator, left, right).or_else(|| compare(operator, left, right)),
        (Float(left), Float(right)) => arithmetic(operator, left, right).or_else(|| compare(operator, left, right)),
        (BigInt(left), Float(right)) => {
            let left = Float64Array::from_unary(left, |value| value as f64);
            arithmetic(operator, &left, right).or_else(|| compare(operator, &left, right))
        }
        (Float(left), BigInt(right)) => {
            let right = Float64Array::from_unary(right, |value| value as f64);
            arithmetic(operator, left, &right).or_else(|| compare(operator, left, &right))
        }
        (Column::DateTime(left), Column::DateTime(right)) => compare(operator, left, right),
        (Text(left), Text(right)) => match operator {
            Binary::Like => arrow_string::like::like(left, right).ok().map(known),
            _ => compare(operator, left, right),
        },
        (Bit(left), Bit(right)) if left.null_count() == 0 && right.null_count() == 0 => match operator {
            Binary::And => and(left, right).ok().map(Bit),
            Binary::Or => or(left, right).ok().map(Bit),
            _ => None,
        },
        _ => None,
    }
}

/// `None` when the kernel does not apply or fails (overflow, division by zero): the row path then says which value.
fn arithmetic(operator: Binary, left: &dyn Datum, right: &dyn Datum) -> Option<Column> {
    let result: ArrayRef = match operator {
        Binary::Add => numeric::add(left, right),
        Binary::Subtract => numeric::sub(left, right),
        Binary::Multiply => numeric::mul(left, right),
        Binary::Divide => numeric::div(left, right),
        Binary::Modulo => numeric::rem(left, right),
        _ => return None,
    }
    .ok()?;
    let any = result.as_any();
    any.downcast_ref().cloned().map(Column::BigInt).or_else(|| any.downcast_ref().cloned().map(Column::Float))
}

fn compare(operator: Binary, left: &dyn Datum, right: &dyn Datum) -> Option<Column> {
    let result = match operator {
        Binary::Equal => cmp::eq(left, right),
        Binary::NotEqual => cmp::neq(left, right),
        Binary::Less => cmp::lt(left, right),
        Binary::LessOrEqual => cmp::lt_eq(left, right),
        Binary::Greater => cmp::gt(left, right),
        Binary::GreaterOrEqual => cmp::gt_eq(left, right),
        _ => return None,
    };
    result.ok().map(known)
}

/// A comparison with null is false.
fn known(result: BooleanArray) -> Column {
    if result.null_count() == 0 {
        return Column::Bit(result);
    }
    Column::Bit((0..result.len()).map(|row| Some(result.is_valid(row) && result.value(row))).collect())
}

fn scalar(operator: Binary, left: &Value, right: &Value) -> Result<Value, Fault> {
    let comparison = |holds: fn(Ordering) -> bool| Value::Bit(order(left, right).is_some_and(holds));
    Ok(match operator {
        Binary::Equal => comparison(Ordering::is_eq),
        Binary::NotEqual => comparison(Ordering::is_ne),
        Binary::Less => comparison(Ordering::is_lt),
        Binary::LessOrEqual => comparison(Ordering::is_le),
        Binary::Greater => comparison(Ordering::is_gt),
        Binary::GreaterOrEqual => comparison(Ordering::is_ge),
        Binary::Like => match (left, right) {
            (Value::Text(text), Value::Text(pattern)) => {
                let (text, pattern) = (arrow_array::StringArray::from(vec![&**text]), arrow_array::StringArray::from(vec![&**pattern]));
                Value::Bit(arrow_string::like::like(&text, &pattern).is_ok_and(|holds| holds.value(0)))
            }
            _ => Value::Bit(false),
        },
        _ => return compute(operator, left, right),
    })
}

fn compute(operator: Binary, left: &Value, right: &Value) -> Result<Value, Fault> {
    let fault = |what: &str| Err(Fault::job(format!("{what} in {} {} {}", shown(left), symbol(operator), shown(right))));
    match (left, right) {
        (Value::Null, _) | (_, Value::Null) => Ok(Value::Null),
        (Value::Text(left), Value::Text(right)) if operator == Binary::Add => Ok(Value::Text(format!("{left}{right}").into())),
        (Value::BigInt(left), Value::BigInt(right)) => {
            let result = match operator {
                Binary::Add => left.checked_add(*right),
                Binary::Subtract => left.checked_sub(*right),
                Binary::Multiply => left.checked_mul(*right),
                Binary::Divide if *right != 0 => left.checked_div(*right),
                Binary::Modulo if *right != 0 => left.checked_rem(*right),
                _ => return fault("division by zero"),
            };
            result.map_or_else(|| fault("overflow"), |value| Ok(Value::BigInt(value)))
        }
        _ => match (number(left), number(right)) {
            (Some(left), Some(right)) => Ok(Value::Float(match operator {
                Binary::Add => left + right,
                Binary::Subtract => left - right,
                Binary::Multiply => left * right,
                Binary::Divide => left / right,
                _ => left % right,
            })),
            _ => fault("a number is expected"),
        },
    }
}

fn shown(value: &Value) -> String {
    let mut out = Vec::new();
    crate::batch::write_value(value, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

fn symbol(operator: Binary) -> &'static str {
    match operator {
        Binary::Add => "+",
        Binary::Subtract => "-",
        Binary::Multiply => "*",
        Binary::Divide => "/",
        _ => "%",
    }
}

/// The number that a value is, or that its text reads as where a number is needed.
pub(super) fn number(value: &Value) -> Option<f64> {
    match value {
        Value::BigInt(value) => Some(*value as f64),
        Value::Float(value) => Some(*value),
        Value::Text(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// The order of two values; none when either is null or they have nothing in common. Text is read as a number or a
/// time where the other side is one.
pub(super) fn order(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::BigInt(left), Value::BigInt(right)) => Some(left.cmp(right)),
        (Value::Text(left), Value::Text(right)) => Some(left.cmp(right)),
        (Value::DateTime(left), Value::DateTime(right)) => Some(left.cmp(right)),
        (Value::DateTime(left), Value::Text(right)) => Some(left.cmp(&Timestamp::parse(right)?)),
        (Value::Text(left), Value::DateTime(right)) => Some(Timestamp::parse(left)?.cmp(right)),
        (Value::Bit(left), Value::Bit(right)) => Some(left.cmp(right)),
        (Value::Bit(left), other) => f64::from(u8::from(*left)).partial_cmp(&number(other)?),
        (other, Value::Bit(right)) => number(other)?.partial_cmp(&f64::from(u8::from(*right))),
        _ => number(left)?.partial_cmp(&number(right)?),
    }
}
