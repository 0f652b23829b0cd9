//! Values as numbers, and the words for those that are none.

use crate::batch::{Value, write_value};

/// The number that a value is, or that its text reads as.
pub(super) fn as_float(value: &Value) -> Option<f64> {
    match value {
        Value::BigInt(value) => Some(*value as f64),
        Value::Float(value) => Some(*value),
        Value::Text(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// Why a value is no number. A text that reads as one is.
pub(super) fn refuse_number(function: &str, value: &Value) -> Option<String> {
    match as_float(value) {
        Some(_) => None,
        None => Some(format!("{function}: a number is expected, not {}", shown(value))),
    }
}

/// A value with its type, cut to a length that fits a message.
pub(super) fn shown(value: &Value) -> String {
    let mut bytes = Vec::new();
    write_value(value, &mut bytes);
    let text: String = String::from_utf8_lossy(&bytes).chars().take(60).collect();
    format!("{text} of type {}", value.type_name().unwrap_or("NULL"))
}
