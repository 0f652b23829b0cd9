//! CAST, TRY_CAST, GetType.

use arrow_array::{Float64Array, Int64Array, StringArray};

use super::{Builtin, Wrong};
use crate::batch::{Column, Value, write_value};
use crate::time::Timestamp;

pub(super) const TABLE: &[Builtin] =
    &[Builtin::new("GETTYPE", (1, 1), |values| Ok(values[0].type_name().map_or(Value::Null, |name| Value::Text(name.into()))))];

/// The cast to a type; a lenient one answers null where the other fails.
pub(super) fn cast(ty: &str, lenient: bool) -> Option<Builtin> {
    macro_rules! both {
        ($name:literal, $convert:path, $column:path) => {
            if lenient {
                Builtin::new("TRY_CAST", (1, 1), |values| Ok($convert(&values[0]).unwrap_or(Value::Null)))
                    .vector(|columns| $column(columns.first()?, true))
            } else {
                Builtin::new("CAST", (1, 1), |values| $convert(&values[0]).ok_or_else(|| failed(&values[0], $name)))
                    .vector(|columns| $column(columns.first()?, false))
            }
        };
    }
    Some(match ty {
        "bigint" => both!("bigint", to_bigint, bigints),
        "float" => both!("float", to_float, floats),
        "nvarchar" => both!("nvarchar(max)", to_text, texts),
        "datetime" => both!("datetime", to_datetime, datetimes),
        "bit" => both!("bit", to_bit, none),
        "record" => both!("record", to_record, none),
        "array" => both!("array", to_array, none),
        _ => return None,
    })
}

/// So much of a value is shown in an error.
const SHOWN: usize = 100;

fn failed(value: &Value, to: &str) -> Wrong {
    let mut text = Vec::new();
    write_value(value, &mut text);
    let text = String::from_utf8_lossy(&text);
    let shown: String = text.chars().take(SHOWN).collect();
    let more = if shown.len() < text.len() { "…" } else { "" };
    let from = value.type_name().unwrap_or("null");
    Wrong::Whole(format!("Unable to cast value {shown}{more} of type '{from}' to type '{to}'. TRY_CAST gives NULL instead."))
}

/// A fraction is cut off; a text must be an integer.
fn to_bigint(value: &Value) -> Option<Value> {
    Some(match value {
        Value::Null | Value::BigInt(_) => value.clone(),
        Value::Bit(value) => Value::BigInt((*value).into()),
        // 2^63 is a float, 2^63 - 1 is not.
        Value::Float(value) if (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(value) => Value::BigInt(*value as i64),
        Value::Text(text) => Value::BigInt(bigint(text)?),
        _ => return None,
    })
}

fn to_float(value: &Value) -> Option<Value> {
    Some(match value {
        Value::Null | Value::Float(_) => value.clone(),
        Value::BigInt(value) => Value::Float(*value as f64),
        Value::Bit(value) => Value::Float(u8::from(*value).into()),
        Value::Text(text) => Value::Float(float(text)?),
        _ => return None,
    })
}

/// A record or an array becomes its JSON.
pub(super) fn to_text(value: &Value) -> Option<Value> {
    Some(match value {
        Value::Missing => Value::Null,
        Value::Null | Value::Text(_) => value.clone(),
        Value::Bit(value) => Value::Text(if *value { "true" } else { "false" }.into()),
        Value::BigInt(value) => Value::Text(value.to_string().into()),
        Value::Float(value) => Value::Text(float_text(*value).into()),
        Value::DateTime(moment) => Value::Text(moment.to_string().into()),
        Value::Record(_) | Value::Array(_) => {
            let mut text = Vec::new();
            write_value(value, &mut text);
            Value::Text(String::from_utf8(text).ok()?.into())
        }
    })
}

fn to_datetime(value: &Value) -> Option<Value> {
    match value {
        Value::Null | Value::DateTime(_) => Some(value.clone()),
        Value::Text(text) => Timestamp::parse(text).map(Value::DateTime),
        _ => None,
    }
}

/// 0 is false, any other number true.
fn to_bit(value: &Value) -> Option<Value> {
    Some(match value {
        Value::Null | Value::Bit(_) => value.clone(),
        Value::BigInt(value) => Value::Bit(*value != 0),
        Value::Float(value) => Value::Bit(*value != 0.0),
        Value::Text(text) => match text.trim() {
            text if text.eq_ignore_ascii_case("true") => Value::Bit(true),
            text if text.eq_ignore_ascii_case("false") => Value::Bit(false),
            text if text.eq_ignore_ascii_case("null") => Value::Null,
            text => Value::Bit(float(text)? != 0.0),
        },
        _ => return None,
    })
}

fn to_record(value: &Value) -> Option<Value> {
    matches!(value, Value::Null | Value::Record(_)).then(|| value.clone())
}

fn to_array(value: &Value) -> Option<Value> {
    matches!(value, Value::Null | Value::Array(_)).then(|| value.clone())
}

fn bigint(text: &str) -> Option<i64> {
    text.trim().parse().ok()
}

/// NaN and infinity are no values of `float`.
pub(super) fn float(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|value: &f64| value.is_finite())
}

/// The shortest text that reads back as the same number, as .NET writes it: `95`, `0.1`, `1E+16`.
fn float_text(value: f64) -> String {
    let scientific = format!("{value:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else { return scientific };
    let Ok(exponent) = exponent.parse::<i32>() else { return scientific };
    if (-5..15).contains(&exponent) {
        return value.to_string();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}E{sign}{:02}", exponent.abs())
}

/// No quick way: row by row.
fn none(_column: &Column, _lenient: bool) -> Option<Column> {
    None
}

fn bigints(column: &Column, lenient: bool) -> Option<Column> {
    match column {
        Column::BigInt(_) => Some(column.clone()),
        Column::Text(texts) => read(texts, lenient, bigint).map(|values| Column::BigInt(values.into())),
        _ => None,
    }
}

fn floats(column: &Column, lenient: bool) -> Option<Column> {
    match column {
        Column::Float(_) => Some(column.clone()),
        Column::BigInt(values) => Some(Column::Float(Float64Array::from_unary(values, |value: i64| value as f64))),
        Column::Text(texts) => read(texts, lenient, float).map(|values| Column::Float(values.into())),
        _ => None,
    }
}

fn datetimes(column: &Column, lenient: bool) -> Option<Column> {
    match column {
        Column::DateTime(_) => Some(column.clone()),
        Column::Text(texts) => read(texts, lenient, |text| Timestamp::parse(text).map(|moment| moment.0))
            .map(|values| Column::DateTime(Int64Array::from(values))),
        _ => None,
    }
}

fn texts(column: &Column, _lenient: bool) -> Option<Column> {
    match column {
        Column::Text(_) => Some(column.clone()),
        _ => None,
    }
}

/// `None` when a text does not read and the cast is not lenient: the row path then says which.
fn read<T>(texts: &StringArray, lenient: bool, of: fn(&str) -> Option<T>) -> Option<Vec<Option<T>>> {
    texts
        .iter()
        .map(|text| match text.map(of) {
            None => Some(None),
            Some(None) => lenient.then_some(None),
            Some(read) => Some(read),
        })
        .collect()
}
