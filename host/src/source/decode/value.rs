//! One value as a tree: for nested records and arrays, and for the slow, lenient form.

use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::batch::{Record, Value};

/// Values may be nested so deep.
const MAX_DEPTH: usize = 128;

/// Reads any value. An integer above `i64` becomes a float, and [`has_huge`] tells.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Any {
    depth: usize,
}

/// A whole document.
#[derive(Debug)]
pub(super) struct Document(pub(super) Value);

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Any::default().deserialize(deserializer).map(Self)
    }
}

/// Whether a float is out of the range of integers.
pub(super) fn is_huge(value: f64) -> bool {
    value.abs() >= 9_223_372_036_854_775_808.0
}

/// Whether a huge float is in it, which may have been written as an integer.
pub(super) fn has_huge(value: &Value) -> bool {
    match value {
        Value::Float(value) => is_huge(*value),
        Value::Record(fields) => fields.iter().any(|(_, value)| has_huge(value)),
        Value::Array(values) => values.iter().any(has_huge),
        _ => false,
    }
}

/// The name of a number in it that is none.
pub(super) fn not_finite(value: &Value) -> Option<&'static str> {
    match value {
        Value::Float(value) if value.is_nan() => Some("NaN"),
        Value::Float(value) if value.is_infinite() => Some(if *value > 0.0 { "Infinity" } else { "-Infinity" }),
        Value::Record(fields) => fields.iter().find_map(|(_, value)| not_finite(value)),
        Value::Array(values) => values.iter().find_map(not_finite),
        _ => None,
    }
}

impl Any {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth == MAX_DEPTH { Err(E::custom(format!("nested deeper than {MAX_DEPTH}"))) } else { Ok(Self { depth: self.depth + 1 }) }
    }
}

impl<'de> DeserializeSeed<'de> for Any {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Any {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bit(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::BigInt(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(i64::try_from(value).map_or(Value::Float(value as f64), Value::BigInt))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.into()))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut values = Vec::new();
        while let Some(value) = elements.next_element_seed(inner)? {
            values.push(value);
        }
        Ok(Value::Array(values.into()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut record = Record::new();
        let mut twice = false;
        while let Some(name) = fields.next_key::<String>()? {
            let value = fields.next_value_seed(inner)?;
            // Looked for only where it is cheap; many fields are sorted out at the end.
            twice |= record.len() < 32 && record.iter().any(|(known, _)| **known == *name);
            record.push((name.into(), value));
        }
        if twice || record.len() > 32 {
            last_wins(&mut record);
        }
        Ok(Value::Record(Arc::new(record)))
    }
}

/// Of fields with one name the last value counts, at the first one's place.
fn last_wins(record: &mut Record) {
    let mut places = std::collections::HashMap::with_capacity(record.len());
    let mut kept = Record::with_capacity(record.len());
    for (name, value) in record.drain(..) {
        match places.entry(Arc::clone(&name)) {
            std::collections::hash_map::Entry::Occupied(place) => {
                let place: usize = *place.get();
                kept[place].1 = value;
            }
            std::collections::hash_map::Entry::Vacant(place) => {
                place.insert(kept.len());
                kept.push((name, value));
            }
        }
    }
    *record = kept;
}
