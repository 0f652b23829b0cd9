//! JSON straight from bytes into rows: no tree of values between, and no allocation for a scalar field.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::rows::{Rows, Stamp, shown};
use super::value::{Any, has_huge, is_huge, not_finite};
use crate::batch::Value;

/// Reads a body: one object, an array of objects, or several objects one after the other.
///
/// # Errors
/// The parser's, when the body is not JSON; with `rows.fault` set, when it is, but not good.
pub(super) fn read(body: &[u8], rows: &mut Rows, stamp: Stamp) -> Result<(), serde_json::Error> {
    let mut parser = serde_json::Deserializer::from_slice(body);
    loop {
        Item { rows, stamp, inside: false }.deserialize(&mut parser)?;
        if parser.end().is_ok() {
            break;
        }
    }
    if rows.huge
        && let Some(fault) = huge_integer(body, rows)
    {
        rows.fault = Some(fault);
        return Err(rejected());
    }
    Ok(())
}

/// Takes a row that was read as a tree.
pub(super) fn take_row(value: Value, rows: &mut Rows, stamp: Stamp) -> Result<(), String> {
    let Value::Record(fields) = value else { return Err(expected_object(kind(&value))) };
    let full = |rows: &mut Rows| rows.fault.take().unwrap_or_default();
    if !rows.start_row() {
        return Err(full(rows));
    }
    for (name, value) in fields.iter() {
        let Ok(column) = rows.column(name) else { return Err(full(rows)) };
        let Some(column) = column else { continue };
        if let Some(what) = not_finite(value) {
            return Err(format!("column '{}': {what} is not a value", rows.name(column)));
        }
        rows.set_value(column, value.clone());
    }
    rows.end_row(stamp);
    Ok(())
}

/// What a value is, in words.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null | Value::Missing => "null",
        Value::Bit(_) => "a boolean",
        Value::BigInt(_) | Value::Float(_) => "a number",
        Value::Text(_) | Value::DateTime(_) => "a text",
        Value::Record(_) => "an object",
        Value::Array(_) => "an array",
    }
}

/// The reason when something else was given.
pub(super) fn expected_object(given: &str) -> String {
    format!("a JSON object is expected, {given} was given")
}

/// Looks at the text of the wanted fields for an integer that is out of range: the parser gives it as a float.
fn huge_integer(body: &[u8], rows: &mut Rows) -> Option<String> {
    type Fields<'a> = std::collections::BTreeMap<String, &'a RawValue>;
    for top in serde_json::Deserializer::from_slice(body).into_iter::<&RawValue>() {
        let top = top.ok()?.get();
        let objects: Vec<Fields<'_>> = match serde_json::from_str(top) {
            Ok(objects) => objects,
            Err(_) => vec![serde_json::from_str(top).ok()?],
        };
        for (name, raw) in objects.into_iter().flatten() {
            if let Ok(Some(column)) = rows.column(&name)
                && let Some(integer) = integer_out_of_range(raw.get())
            {
                return Some(out_of_range(rows.name(column), integer));
            }
        }
    }
    None
}

fn out_of_range(column: &str, integer: impl fmt::Display) -> String {
    format!("column '{column}': integer {} does not fit bigint", shown(&integer.to_string()))
}

/// The first integer outside quotes that is not an `i64`.
pub(super) fn integer_out_of_range(text: &str) -> Option<&str> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        match bytes[at] {
            quote @ (b'"' | b'\'') => {
                at += 1;
                while at < bytes.len() && bytes[at] != quote {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
                at += 1;
            }
            b'-' | b'0'..=b'9' => {
                while at < bytes.len() && matches!(bytes[at], b'+' | b'-' | b'.' | b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z') {
                    at += 1;
                }
                let token = &text[start..at];
                let digits = token.strip_prefix('-').unwrap_or(token);
                if digits.bytes().all(|byte| byte.is_ascii_digit()) && token.parse::<i64>().is_err() && !digits.is_empty() {
                    return Some(token);
                }
            }
            _ => at += 1,
        }
    }
    None
}

/// A value at the top of the body, or an element of an array at the top.
struct Item<'a> {
    rows: &'a mut Rows,
    stamp: Stamp,
    inside: bool,
}

impl Item<'_> {
    fn not_an_object<E: serde::de::Error>(self, one: &str, many: &str) -> Result<(), E> {
        let given = if self.inside { format!("an array of {many}") } else { one.to_owned() };
        self.rows.fault = Some(expected_object(&given));
        Err(rejected())
    }
}

/// The parser's error that carries `rows.fault` up.
fn rejected<E: serde::de::Error>() -> E {
    E::custom("rejected")
}

impl<'de> DeserializeSeed<'de> for Item<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Item<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        if !self.rows.start_row() {
            return Err(rejected());
        }
        while let Some(column) = fields.next_key_seed(Field(self.rows))? {
            match column {
                Some(column) => fields.next_value_seed(Cell { rows: self.rows, column })?,
                None => {
                    fields.next_value::<IgnoredAny>()?;
                }
            }
        }
        self.rows.end_row(self.stamp);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        if self.inside {
            return self.not_an_object("an array", "arrays");
        }
        let before = self.rows.staged();
        while elements.next_element_seed(Item { rows: self.rows, stamp: self.stamp, inside: true })?.is_some() {}
        if self.rows.staged() == before {
            return self.not_an_object("an empty array", "nothing");
        }
        Ok(())
    }

    fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<(), E> {
        self.not_an_object("a boolean", "booleans")
    }

    fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<(), E> {
        self.not_an_object("a number", "numbers")
    }

    fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<(), E> {
        self.not_an_object("a number", "numbers")
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<(), E> {
        self.not_an_object("a number", "numbers")
    }

    fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<(), E> {
        self.not_an_object("a text", "texts")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        self.not_an_object("null", "nulls")
    }
}

/// A field's name: answers its column.
struct Field<'a>(&'a mut Rows);

impl<'de> DeserializeSeed<'de> for Field<'_> {
    type Value = Option<u32>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<u32>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Field<'_> {
    type Value = Option<u32>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field's name")
    }

    #[inline]
    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Option<u32>, E> {
        self.0.column(name).map_err(|()| rejected())
    }
}

/// A field's value: goes to its column.
struct Cell<'a> {
    rows: &'a mut Rows,
    column: u32,
}

impl<'de> DeserializeSeed<'de> for Cell<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Cell<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    #[inline]
    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        self.rows.set_text(self.column, value);
        Ok(())
    }

    #[inline]
    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.rows.set_bigint(self.column, value);
        Ok(())
    }

    #[inline]
    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<(), E> {
        match i64::try_from(value) {
            Ok(value) => self.rows.set_bigint(self.column, value),
            Err(_) => {
                self.rows.fault = Some(out_of_range(self.rows.name(self.column), value));
                return Err(rejected());
            }
        }
        Ok(())
    }

    #[inline]
    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.rows.huge |= is_huge(value);
        self.rows.set_float(self.column, value);
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.rows.set_bit(self.column, value);
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.rows.set_null(self.column);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<(), A::Error> {
        let value = Any::default().visit_map(fields)?;
        self.nested(value)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, elements: A) -> Result<(), A::Error> {
        let value = Any::default().visit_seq(elements)?;
        self.nested(value)
    }
}

impl Cell<'_> {
    fn nested<E>(self, value: Value) -> Result<(), E> {
        self.rows.huge |= has_huge(&value);
        self.rows.set_value(self.column, value);
        Ok(())
    }
}
