//! Reads a JSON text as a value: the opposite of [`super::write_value`].

use std::sync::Arc;

use super::Value;

/// The value of a JSON text; `None` when it is not JSON, is nested deeper than 128, or has an integer outside `bigint`.
pub fn read_json(text: &str) -> Option<Value> {
    of_json(serde_json::from_str(text).ok()?)
}

/// The value of parsed JSON; `None` when it has an integer outside `bigint`.
pub fn of_json(json: serde_json::Value) -> Option<Value> {
    Some(match json {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(value) => Value::Bit(value),
        serde_json::Value::Number(number) => match number.as_i64() {
            Some(value) => Value::BigInt(value),
            None if number.is_u64() => return None,
            None => Value::Float(number.as_f64()?),
        },
        serde_json::Value::String(text) => Value::Text(text.into()),
        serde_json::Value::Array(elements) => Value::Array(elements.into_iter().map(of_json).collect::<Option<_>>()?),
        serde_json::Value::Object(fields) => {
            let fields = fields.into_iter().map(|(name, value)| Some((Arc::from(name), of_json(value)?)));
            Value::Record(Arc::new(fields.collect::<Option<_>>()?))
        }
    })
}
