//! Operators: the vector path on Arrow kernels where both columns have one type, else value by value, with the same answers.

use std::cmp::Ordering;

use arrow_arith::boolean::{and_kleene, not as not_kernel, or_kleene};
use arrow_arith::numeric;
use arrow_array::{Array, ArrayRef, BooleanArray, Datum, Float64Array, Int64Array, Scalar, StringArray};
use arrow_ord::cmp;

use super::like::Like;
use crate::batch::{Column, ColumnBuilder, Value};
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
    /// `&`
    BitAnd,
    /// `|`
    BitOr,
    /// `^`
    BitXor,
}

/// One side of an operator: a column, or one value for all rows.
#[derive(Debug, Clone)]
pub(super) enum Operand {
    Column(Column),
    Constant(Value),
}

impl Operand {
    fn value(&self, row: usize) -> Value {
        match self {
            Self::Column(column) => column.value(row),
            Self::Constant(value) => value.clone(),
        }
    }
}

impl Binary {
    /// Whether it may stop the job on some values.
    pub(super) fn may_fail(self) -> bool {
        matches!(
            self,
            Self::Add | Self::Subtract | Self::Multiply | Self::Divide | Self::Modulo | Self::BitAnd | Self::BitOr | Self::BitXor
        )
    }
}

/// Applies an operator to two operands over `rows` rows.
pub(super) fn binary(operator: Binary, left: &Operand, right: &Operand, rows: usize) -> Result<Column, Fault> {
    if let (Operand::Constant(left), Operand::Constant(right)) = (left, right) {
        return Ok(Column::constant(&scalar(operator, left, right)?, rows));
    }
    if let Some(column) = vector(operator, left, right) {
        return Ok(column);
    }
    let mut out = ColumnBuilder::with_capacity(rows);
    for row in 0..rows {
        out.push(scalar(operator, &left.value(row), &right.value(row))?);
    }
    Ok(out.finish())
}

/// AND and OR over truth values that may be unknown.
pub(super) fn logic(operator: Binary, left: &Column, right: &Column) -> Column {
    if let (Column::Bit(left), Column::Bit(right)) = (left, right) {
        let result = if operator == Binary::And { and_kleene(left, right) } else { or_kleene(left, right) };
        if let Ok(result) = result {
            return Column::Bit(result);
        }
    }
    let (left, right) = (truths(left), truths(right));
    let decides = operator == Binary::Or;
    let both = left.into_iter().zip(right).map(|(left, right)| match (left, right) {
        (Some(truth), _) | (_, Some(truth)) if truth == decides => Some(decides),
        (Some(_), Some(_)) => Some(!decides),
        _ => None,
    });
    Column::Bit(both.collect())
}

/// The opposite of each truth value; unknown stays unknown.
pub(super) fn not(column: &Column) -> Column {
    if let Column::Bit(array) = column
        && let Ok(result) = not_kernel(array)
    {
        return Column::Bit(result);
    }
    Column::Bit(truths(column).into_iter().map(|truth| truth.map(|holds| !holds)).collect())
}

/// Unary minus.
pub(super) fn negate(column: &Column) -> Result<Column, Fault> {
    binary(Binary::Subtract, &Operand::Constant(Value::BigInt(0)), &Operand::Column(column.clone()), column.len())
}

/// `~`: the other bit, or the complement of a bigint.
pub(super) fn flip(column: &Column) -> Result<Column, Fault> {
    let mut out = ColumnBuilder::with_capacity(column.len());
    for row in 0..column.len() {
        out.push(match column.value(row) {
            Value::Null => Value::Null,
            Value::Bit(value) => Value::Bit(!value),
            Value::BigInt(value) => Value::BigInt(!value),
            other => return Err(Fault::job(format!("~ takes a bit or a bigint, not {} ({})", shown(&other), named(&other)))),
        });
    }
    Ok(out.finish())
}

/// `IN`: whether any value of the list is equal.
pub(super) fn is_in(value: &Column, list: &[Operand], rows: usize) -> Result<Column, Fault> {
    let value = Operand::Column(value.clone());
    let mut found = vec![false; rows];
    for item in list {
        for (row, holds) in truth(&binary(Binary::Equal, &value, item, rows)?).into_iter().enumerate() {
            found[row] |= holds;
        }
    }
    Ok(Column::Bit(found.into()))
}

/// Each truth value; `None` where it is unknown. What is no bit is not true.
pub(super) fn truths(column: &Column) -> Vec<Option<bool>> {
    match column {
        Column::Bit(array) => array.iter().collect(),
        _ => (0..column.len())
            .map(|row| match column.value(row) {
                Value::Null => None,
                Value::Bit(truth) => Some(truth),
                _ => Some(false),
            })
            .collect(),
    }
}

/// Whether each value counts as true; null does not.
pub(super) fn truth(column: &Column) -> Vec<bool> {
    match column {
        Column::Bit(array) if array.null_count() == 0 => array.values().iter().collect(),
        Column::Bit(array) => (0..array.len()).map(|row| array.is_valid(row) && array.value(row)).collect(),
        _ => (0..column.len()).map(|row| matches!(column.value(row), Value::Bit(true))).collect(),
    }
}

/// One side for a kernel: integers, floats, …; a constant is one value.
enum Side<'a> {
    Integers(Box<dyn Datum + 'a>),
    Floats(Box<dyn Datum + 'a>),
    Texts(Box<dyn Datum + 'a>),
    Moments(Box<dyn Datum + 'a>),
}

fn side(operand: &Operand) -> Option<Side<'_>> {
    fn array<T: Array + Clone + 'static>(array: &T) -> Box<dyn Datum + '_> {
        Box::new(Whole(array))
    }
    Some(match operand {
        Operand::Column(Column::BigInt(values)) => Side::Integers(array(values)),
        Operand::Column(Column::Float(values)) => Side::Floats(array(values)),
        Operand::Column(Column::Text(values)) => Side::Texts(array(values)),
        Operand::Column(Column::DateTime(values)) => Side::Moments(array(values)),
        Operand::Constant(Value::BigInt(value)) => Side::Integers(Box::new(Scalar::new(Int64Array::from(vec![*value])))),
        Operand::Constant(Value::Float(value)) => Side::Floats(Box::new(Scalar::new(Float64Array::from(vec![*value])))),
        Operand::Constant(Value::Text(value)) => Side::Texts(Box::new(Scalar::new(StringArray::from(vec![&**value])))),
        Operand::Constant(Value::DateTime(value)) => Side::Moments(Box::new(Scalar::new(Int64Array::from(vec![value.0])))),
        _ => return None,
    })
}

/// A borrowed array as a datum.
struct Whole<'a>(&'a dyn Array);

impl Datum for Whole<'_> {
    fn get(&self) -> (&dyn Array, bool) {
        (self.0, false)
    }
}

/// Integers as floats.
fn floats(datum: &dyn Datum) -> Option<Box<dyn Datum>> {
    let (array, is_scalar) = datum.get();
    let values: &Int64Array = array.as_any().downcast_ref()?;
    let values = Float64Array::from_unary(values, |value| value as f64);
    Some(if is_scalar { Box::new(Scalar::new(values)) } else { Box::new(values) })
}

fn without_negative_zero(datum: &dyn Datum) -> Option<Box<dyn Datum>> {
    let (array, is_scalar) = datum.get();
    let values: &Float64Array = array.as_any().downcast_ref()?;
    let values = Float64Array::from_unary(values, |value| value + 0.0);
    Some(if is_scalar { Box::new(Scalar::new(values)) } else { Box::new(values) })
}

fn vector(operator: Binary, left: &Operand, right: &Operand) -> Option<Column> {
    // Arrow orders -0.0 before 0.0; here they are equal.
    let of_floats = |left: &dyn Datum, right: &dyn Datum| {
        arithmetic(operator, left, right).or_else(|| compare(operator, &*without_negative_zero(left)?, &*without_negative_zero(right)?))
    };
    match (side(left)?, side(right)?) {
        (Side::Integers(left), Side::Integers(right)) => {
            arithmetic(operator, &*left, &*right).or_else(|| compare(operator, &*left, &*right))
        }
        (Side::Floats(left), Side::Floats(right)) => of_floats(&*left, &*right),
        (Side::Integers(left), Side::Floats(right)) => of_floats(&*floats(&*left)?, &*right),
        (Side::Floats(left), Side::Integers(right)) => of_floats(&*left, &*floats(&*right)?),
        (Side::Moments(left), Side::Moments(right)) | (Side::Texts(left), Side::Texts(right)) => compare(operator, &*left, &*right),
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
            (Value::Text(text), Value::Text(pattern)) => Value::Bit(Like::new(pattern).fits(text)),
            _ => Value::Bit(false),
        },
        _ => return compute(operator, left, right),
    })
}

fn compute(operator: Binary, left: &Value, right: &Value) -> Result<Value, Fault> {
    let fault = |what: &str| {
        let (left_type, right_type) = (named(left), named(right));
        Err(Fault::job(format!("{what}: {} {} {} ({left_type} and {right_type})", shown(left), symbol(operator), shown(right))))
    };
    match (left, right) {
        (Value::Null, _) | (_, Value::Null) => Ok(Value::Null),
        _ if matches!(operator, Binary::BitAnd | Binary::BitOr | Binary::BitXor) => match (left, right) {
            (Value::Bit(left), Value::Bit(right)) => Ok(Value::Bit(match operator {
                Binary::BitAnd => left & right,
                Binary::BitOr => left | right,
                _ => left ^ right,
            })),
            _ => match (integer(left), integer(right)) {
                (Some(left), Some(right)) => Ok(Value::BigInt(match operator {
                    Binary::BitAnd => left & right,
                    Binary::BitOr => left | right,
                    _ => left ^ right,
                })),
                _ => fault("a bit or a bigint is expected"),
            },
        },
        (Value::Text(left), Value::Text(right)) if operator == Binary::Add => Ok(Value::Text(format!("{left}{right}").into())),
        _ => match (numeric_value(left), numeric_value(right)) {
            (Some(Value::BigInt(left)), Some(Value::BigInt(right))) => {
                let result = match operator {
                    Binary::Add => left.checked_add(right),
                    Binary::Subtract => left.checked_sub(right),
                    Binary::Multiply => left.checked_mul(right),
                    Binary::Divide if right != 0 => left.checked_div(right),
                    Binary::Modulo if right != 0 => Some(left.checked_rem(right).unwrap_or(0)),
                    _ => return fault("division by zero"),
                };
                result.map_or_else(|| fault("the result does not fit bigint"), |value| Ok(Value::BigInt(value)))
            }
            (Some(left), Some(right)) => {
                let (Some(left), Some(right)) = (number(&left), number(&right)) else { return fault("a number is expected") };
                Ok(Value::Float(match operator {
                    Binary::Add => left + right,
                    Binary::Subtract => left - right,
                    Binary::Multiply => left * right,
                    Binary::Divide => left / right,
                    _ => left % right,
                }))
            }
            _ => fault("a number is expected"),
        },
    }
}

/// A value where a number is needed: a bit counts as 0 or 1, a text is read as a number.
fn numeric_value(value: &Value) -> Option<Value> {
    match value {
        Value::BigInt(_) | Value::Float(_) => Some(value.clone()),
        Value::Bit(value) => Some(Value::BigInt((*value).into())),
        Value::Text(text) => text.trim().parse().map(Value::BigInt).or_else(|_| text.trim().parse().map(Value::Float)).ok(),
        _ => None,
    }
}

fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Bit(value) => Some((*value).into()),
        Value::BigInt(value) => Some(*value),
        _ => None,
    }
}

fn named(value: &Value) -> &'static str {
    value.type_name().unwrap_or("null")
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
        Binary::BitAnd => "&",
        Binary::BitOr => "|",
        Binary::BitXor => "^",
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
