//! CAST, TRY_CAST, GetType, COALESCE, NULLIF.

use super::{ANY, Builtin};
use crate::batch::Value;
use crate::query::operate::order;
use crate::time::Timestamp;

pub(super) const TABLE: &[Builtin] = &[
    Builtin {
        name: "COALESCE",
        arguments: (1, ANY),
        run: |values| Ok(values.iter().find(|value| !value.is_null()).cloned().unwrap_or(Value::Null)),
    },
    Builtin {
        name: "NULLIF",
        arguments: (2, 2),
        run: |values| {
            Ok(if order(&values[0], &values[1]).is_some_and(std::cmp::Ordering::is_eq) { Value::Null } else { values[0].clone() })
        },
    },
    Builtin {
        name: "GETTYPE",
        arguments: (1, 1),
        run: |values| Ok(values[0].type_name().map_or(Value::Null, |name| Value::Text(name.into()))),
    },
];

/// The cast to a type; a lenient one answers null where the other fails.
pub(super) fn cast(ty: &str, lenient: bool) -> Option<Builtin> {
    macro_rules! both {
        ($convert:expr) => {
            if lenient {
                Builtin { name: "TRY_CAST", arguments: (1, 1), run: |values| Ok($convert(&values[0]).unwrap_or(Value::Null)) }
            } else {
                Builtin { name: "CAST", arguments: (1, 1), run: |values| $convert(&values[0]).ok_or_else(|| failed(&values[0])) }
            }
        };
    }
    Some(match ty {
        "bigint" => both!(to_bigint),
        "float" => both!(to_float),
        "nvarchar" => both!(to_text),
        "datetime" => both!(to_datetime),
        "bit" => both!(to_bit),
        "record" => both!(|value: &Value| matches!(value, Value::Null | Value::Record(_)).then(|| value.clone())),
        "array" => both!(|value: &Value| matches!(value, Value::Null | Value::Array(_)).then(|| value.clone())),
        _ => return None,
    })
}

fn failed(value: &Value) -> String {
    let mut text = Vec::new();
    crate::batch::write_value(value, &mut text);
    format!("{} cannot be converted; TRY_CAST gives NULL instead", String::from_utf8_lossy(&text))
}

fn to_bigint(value: &Value) -> Option<Value> {
    Some(match value {
        Value::Null => Value::Null,
        Value::BigInt(_) => value.clone(),
        Value::Bit(value) => Value::BigInt((*value).into()),
        Value::Float(value) if value.abs() < 9.3e18 => Value::BigInt(*value as i64),
        Value::Text(text) => Value::BigInt(text.trim().parse().ok()?),
        _ => return None,
    })
}

fn to_float(value: &Value) -> Option<Value> {
    Some(match value {
        Value::Null => Value::Null,
        Value::BigInt(value) => Value::Float(*value as f64),
        Value::Float(_) => value.clone(),
        Value::Bit(value) => Value::Float(u8::from(*value).into()),
        Value::Text(text) => Value::Float(text.trim().parse().ok().filter(|value: &f64| value.is_finite())?),
        _ => return None,
    })
}

fn to_text(value: &Value) -> Option<Value> {
    Some(match value {
        Value::Null | Value::Text(_) => value.clone(),
        Value::Bit(value) => Value::Text(if *value { "1" } else { "0" }.into()),
        Value::DateTime(moment) => Value::Text(moment.to_string().into()),
        other => {
            let mut text = Vec::new();
            crate::batch::write_value(other, &mut text);
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

fn to_bit(value: &Value) -> Option<Value> {
    Some(match value {
        Value::Null | Value::Bit(_) => value.clone(),
        Value::BigInt(value) => Value::Bit(*value != 0),
        Value::Float(value) => Value::Bit(*value != 0.0),
        Value::Text(text) => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "1" => Value::Bit(true),
            "false" | "0" => Value::Bit(false),
            _ => return None,
        },
        _ => return None,
    })
}
