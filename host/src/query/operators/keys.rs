//! The values of a key as bytes: equal bytes, equal key.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::batch::{Column, Value, write_value};

/// Numbers for keys: small, given again when a key is let go. Keys come from events, so the hash is seeded.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct KeyIndex {
    by_key: HashMap<Box<[u8]>, u32, ahash::RandomState>,
    free: Vec<u32>,
    /// Keys looked up since the last sweep.
    looked_up: usize,
    /// Keys that were left then.
    kept: usize,
}

impl KeyIndex {
    /// The key's number; a new key gets the least that no key has, at most [`KeyIndex::len`].
    pub(super) fn number(&mut self, key: &[u8]) -> usize {
        self.looked_up += 1;
        if let Some(number) = self.by_key.get(key) {
            return *number as usize;
        }
        let number = self.free.pop().unwrap_or(self.by_key.len() as u32);
        self.by_key.insert(key.into(), number);
        number as usize
    }

    /// Lets go of the keys that are not to be kept, when enough look-ups came since the last time to pay for the walk.
    pub(super) fn sweep(&mut self, mut keep: impl FnMut(usize) -> bool) {
        if self.looked_up < self.kept.max(1024) {
            return;
        }
        self.looked_up = 0;
        let free = &mut self.free;
        self.by_key.retain(|_, number| {
            let keeps = keep(*number as usize);
            if !keeps {
                free.push(*number);
            }
            keeps
        });
        self.kept = self.by_key.len();
        // A smaller table is walked faster.
        if self.by_key.capacity() > 4 * self.by_key.len().max(1024) {
            self.by_key.shrink_to(2 * self.by_key.len());
        }
    }
}

const NULL: u8 = 0;
const BIT: u8 = 1;
const INTEGER: u8 = 2;
const FLOAT: u8 = 3;
const TEXT: u8 = 4;
const DATETIME: u8 = 5;
const OTHER: u8 = 6;

/// Writes the key of a row as PARTITION BY sees it: null is a value, and a float that is whole is the integer.
pub(super) fn group_key(columns: &[Column], row: usize, out: &mut Vec<u8>) {
    out.clear();
    for column in columns {
        match column {
            _ if column.is_null(row) => out.push(NULL),
            Column::BigInt(array) => word(INTEGER, array.value(row).to_le_bytes(), out),
            Column::DateTime(array) => word(DATETIME, array.value(row).to_le_bytes(), out),
            Column::Text(array) => text(array.value(row), out),
            _ => group_value(&column.value(row), out),
        }
    }
}

fn group_value(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null | Value::Missing => out.push(NULL),
        Value::Bit(bit) => out.extend_from_slice(&[BIT, u8::from(*bit)]),
        Value::BigInt(number) => word(INTEGER, number.to_le_bytes(), out),
        Value::Float(number) => match whole(*number) {
            Some(number) => word(INTEGER, number.to_le_bytes(), out),
            None => word(FLOAT, number.to_bits().to_le_bytes(), out),
        },
        Value::Text(value) => text(value, out),
        Value::DateTime(moment) => word(DATETIME, moment.0.to_le_bytes(), out),
        Value::Record(_) | Value::Array(_) => {
            let mut json = Vec::new();
            write_value(value, &mut json);
            out.push(OTHER);
            out.extend_from_slice(&(json.len() as u64).to_le_bytes());
            out.extend_from_slice(&json);
        }
    }
}

/// Writes the key of a row as `=` sees it and says whether it can equal anything: nulls, records and arrays cannot. Numbers are
/// compared as floats, a bit as 0 or 1, as `=` does between types; a text equals only a text. Large integers that are one float
/// share their bytes, so the condition itself still decides.
pub(super) fn equality_key(columns: &[Column], row: usize, out: &mut Vec<u8>) -> bool {
    out.clear();
    columns.iter().all(|column| {
        if column.is_null(row) {
            return false;
        }
        match column {
            Column::BigInt(array) => number(array.value(row) as f64, out),
            Column::Float(array) => number(array.value(row), out),
            Column::Bit(array) => number(f64::from(u8::from(array.value(row))), out),
            Column::DateTime(array) => moment(array.value(row), out),
            Column::Text(array) => known_text(array.value(row), out),
            Column::Null(_) => false,
            Column::Mixed(values) => match &values[row] {
                Value::BigInt(value) => number(*value as f64, out),
                Value::Float(value) => number(*value, out),
                Value::Bit(value) => number(f64::from(u8::from(*value)), out),
                Value::DateTime(value) => moment(value.0, out),
                Value::Text(value) => known_text(value, out),
                Value::Null | Value::Missing | Value::Record(_) | Value::Array(_) => false,
            },
        }
    })
}

fn number(value: f64, out: &mut Vec<u8>) -> bool {
    // Both zeros are equal; what is no number equals nothing.
    word(FLOAT, (value + 0.0).to_bits().to_le_bytes(), out);
    !value.is_nan()
}

fn moment(ticks: i64, out: &mut Vec<u8>) -> bool {
    word(DATETIME, ticks.to_le_bytes(), out);
    true
}

fn known_text(value: &str, out: &mut Vec<u8>) -> bool {
    text(value, out);
    true
}

fn word(tag: u8, bytes: [u8; 8], out: &mut Vec<u8>) {
    out.push(tag);
    out.extend_from_slice(&bytes);
}

fn text(value: &str, out: &mut Vec<u8>) {
    out.push(TEXT);
    out.extend_from_slice(&(value.len() as u64).to_le_bytes());
    out.extend_from_slice(value.as_bytes());
}

/// The integer that a float is.
fn whole(value: f64) -> Option<i64> {
    let fits = value.fract() == 0.0 && (-9.223_372_036_854_775e18..9.223_372_036_854_775e18).contains(&value);
    fits.then_some(value as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn equality(value: Value) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        equality_key(&[Column::Mixed([value].into())], 0, &mut out).then_some(out)
    }

    fn group(value: Value) -> Vec<u8> {
        let mut out = Vec::new();
        group_key(&[Column::Mixed([value].into())], 0, &mut out);
        out
    }

    #[test]
    fn a_number_equals_a_number_of_the_other_type_but_no_text() {
        assert_eq!(equality(Value::BigInt(1)), equality(Value::Float(1.0)));
        assert_eq!(equality(Value::Float(-0.0)), equality(Value::BigInt(0)));
        assert_ne!(equality(Value::BigInt(1)), equality(Value::Text("1".into())));
        assert_ne!(equality(Value::BigInt(1)), equality(Value::DateTime(Timestamp(1))));
        assert_eq!(equality(Value::Null), None);
        assert_eq!(equality(Value::Float(f64::NAN)), None);
    }

    #[test]
    fn null_is_a_partition_and_large_integers_are_told_apart() {
        assert_eq!(group(Value::Null), group(Value::Null));
        assert_eq!(group(Value::BigInt(3)), group(Value::Float(3.0)));
        assert_ne!(group(Value::BigInt(1 << 53)), group(Value::BigInt((1 << 53) + 1)));
        assert_ne!(group(Value::Bit(true)), group(Value::BigInt(1)));
    }

    #[test]
    fn typed_columns_and_values_give_the_same_bytes() {
        for value in [Value::BigInt(7), Value::Float(0.5), Value::Text("ab".into()), Value::DateTime(Timestamp(9)), Value::Bit(true)] {
            let (typed, mixed) = (Column::constant(&value, 1), Column::Mixed([value].into()));
            let (mut left, mut right) = (Vec::new(), Vec::new());
            assert!(equality_key(std::slice::from_ref(&typed), 0, &mut left) && equality_key(std::slice::from_ref(&mixed), 0, &mut right));
            assert_eq!(left, right);
            group_key(&[typed], 0, &mut left);
            group_key(&[mixed], 0, &mut right);
            assert_eq!(left, right);
        }
    }
}
