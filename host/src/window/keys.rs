//! Group keys as bytes, and small numbers for the keys in use.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::batch::{Column, ColumnBuilder, Value};
use crate::time::Timestamp;

const NULL: u8 = 0;
const FALSE: u8 = 1;
const TRUE: u8 = 2;
const BIGINT: u8 = 3;
const FLOAT: u8 = 4;
const TEXT: u8 = 5;
const DATETIME: u8 = 6;
const RECORD: u8 = 7;
const ARRAY: u8 = 8;

/// Writes the key values of a row. Equal bytes mean equal values of equal types; null is a value like others.
pub(super) fn encode_key(columns: &[Column], row: usize, out: &mut Vec<u8>) {
    out.clear();
    for column in columns {
        match column {
            _ if column.is_null(row) => out.push(NULL),
            Column::BigInt(array) => number(BIGINT, array.value(row).to_le_bytes(), out),
            Column::DateTime(array) => number(DATETIME, array.value(row).to_le_bytes(), out),
            Column::Float(array) => number(FLOAT, array.value(row).to_le_bytes(), out),
            Column::Bit(array) => out.push(if array.value(row) { TRUE } else { FALSE }),
            Column::Text(array) => text(array.value(row), out),
            Column::Mixed(values) => encode_value(&values[row], out),
            Column::Null(_) => out.push(NULL),
        }
    }
}

fn number(tag: u8, bytes: [u8; 8], out: &mut Vec<u8>) {
    out.push(tag);
    out.extend_from_slice(&bytes);
}

fn length(length: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&(length as u32).to_le_bytes());
}

fn text(text: &str, out: &mut Vec<u8>) {
    out.push(TEXT);
    length(text.len(), out);
    out.extend_from_slice(text.as_bytes());
}

fn encode_value(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null | Value::Missing => out.push(NULL),
        Value::Bit(value) => out.push(if *value { TRUE } else { FALSE }),
        Value::BigInt(value) => number(BIGINT, value.to_le_bytes(), out),
        Value::Float(value) => number(FLOAT, value.to_le_bytes(), out),
        Value::Text(value) => text(value, out),
        Value::DateTime(value) => number(DATETIME, value.0.to_le_bytes(), out),
        Value::Record(fields) => {
            out.push(RECORD);
            length(fields.len(), out);
            for (name, value) in fields.iter() {
                text(name, out);
                encode_value(value, out);
            }
        }
        Value::Array(values) => {
            out.push(ARRAY);
            length(values.len(), out);
            values.iter().for_each(|value| encode_value(value, out));
        }
    }
}

/// Reads one value back from what [`encode_key`] wrote. Bytes that it did not write read as null.
pub(super) fn decode_value(bytes: &mut &[u8]) -> Value {
    read(bytes).unwrap_or(Value::Null)
}

/// The same, into a column; a text is not copied on its way.
fn decode_into(bytes: &mut &[u8], out: &mut ColumnBuilder) {
    let whole = *bytes;
    if whole.first() == Some(&TEXT) {
        *bytes = &whole[1..];
        match read_text(bytes) {
            Some(text) => out.push_text(text),
            None => out.push_null(),
        }
    } else {
        out.push(decode_value(bytes));
    }
}

fn read(bytes: &mut &[u8]) -> Option<Value> {
    let tag = bytes.split_off_first()?;
    Some(match *tag {
        FALSE => Value::Bit(false),
        TRUE => Value::Bit(true),
        BIGINT => Value::BigInt(i64::from_le_bytes(fixed(bytes)?)),
        FLOAT => Value::Float(f64::from_le_bytes(fixed(bytes)?)),
        DATETIME => Value::DateTime(Timestamp(i64::from_le_bytes(fixed(bytes)?))),
        TEXT => Value::Text(read_text(bytes)?.into()),
        RECORD => {
            let fields = read_length(bytes)?;
            let mut record = Vec::new();
            for _ in 0..fields {
                let _tag = bytes.split_off_first()?;
                record.push((Arc::from(read_text(bytes)?), read(bytes)?));
            }
            Value::Record(Arc::new(record))
        }
        ARRAY => {
            let values = read_length(bytes)?;
            (0..values).map(|_| read(bytes)).collect::<Option<Vec<_>>>().map(|values| Value::Array(values.into()))?
        }
        _ => Value::Null,
    })
}

fn fixed<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    bytes.split_off(..N)?.try_into().ok()
}

fn read_length(bytes: &mut &[u8]) -> Option<usize> {
    Some(u32::from_le_bytes(fixed(bytes)?) as usize)
}

fn read_text<'a>(bytes: &mut &'a [u8]) -> Option<&'a str> {
    let length = read_length(bytes)?;
    std::str::from_utf8(bytes.split_off(..length)?).ok()
}

/// Hashes numbers that this room gave out itself, so that nobody can choose them to collide.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct NumberHasher(u64);

impl Hasher for NumberHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u32(u32::from(*byte)));
    }

    fn write_u32(&mut self, number: u32) {
        self.0 = (self.0 ^ u64::from(number)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(26);
    }
}

/// A map from numbers of this room.
pub(super) type NumberMap<V> = HashMap<u32, V, BuildHasherDefault<NumberHasher>>;

/// Numbers the keys in use. A number is given out again when nothing uses its key any more.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Keys {
    numbers: HashMap<Arc<[u8]>, u32>,
    /// By number.
    keys: Vec<Option<Arc<[u8]>>>,
    /// How many use each number.
    uses: Vec<u32>,
    free: Vec<u32>,
}

impl Keys {
    /// The number of each row's key. A new one is not in use yet; see [`Keys::sweep`].
    pub(super) fn numbers(&mut self, columns: &[Column], rows: usize, fresh: &mut Vec<u32>) -> Vec<u32> {
        let mut key = Vec::new();
        if columns.is_empty() {
            return vec![self.number(&key, fresh); rows];
        }
        let mut out = Vec::with_capacity(rows);
        for row in 0..rows {
            encode_key(columns, row, &mut key);
            out.push(self.number(&key, fresh));
        }
        out
    }

    fn number(&mut self, key: &[u8], fresh: &mut Vec<u32>) -> u32 {
        if let Some(number) = self.numbers.get(key) {
            return *number;
        }
        let key: Arc<[u8]> = key.into();
        let number = self.free.pop().unwrap_or_else(|| {
            self.keys.push(None);
            self.uses.push(0);
            (self.keys.len() - 1) as u32
        });
        self.keys[number as usize] = Some(Arc::clone(&key));
        self.numbers.insert(key, number);
        fresh.push(number);
        number
    }

    /// One more uses the number.
    pub(super) fn hold(&mut self, number: u32) {
        self.uses[number as usize] += 1;
    }

    /// One less uses it.
    pub(super) fn release(&mut self, number: u32) {
        let uses = &mut self.uses[number as usize];
        *uses = uses.saturating_sub(1);
        if *uses == 0 {
            self.forget(number);
        }
    }

    /// Forgets those of the numbers that came into no use.
    pub(super) fn sweep(&mut self, fresh: &[u32]) {
        for number in fresh {
            if self.uses[*number as usize] == 0 {
                self.forget(*number);
            }
        }
    }

    fn forget(&mut self, number: u32) {
        if let Some(key) = self.keys[number as usize].take() {
            self.numbers.remove(&key);
            self.free.push(number);
        }
    }

    /// Writes the values of a key, each to its column.
    pub(super) fn write(&self, number: u32, columns: &mut [ColumnBuilder]) {
        let mut rest = self.keys[number as usize].as_deref().unwrap_or_default();
        columns.iter_mut().for_each(|column| decode_into(&mut rest, column));
    }

    /// How many keys are in use.
    pub(super) fn len(&self) -> usize {
        self.numbers.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_any_values_read_back_and_differ_by_type() {
        let record = Value::Record(Arc::new(vec![("a".into(), Value::Array([Value::Null, Value::Text("ü".into())].into()))]));
        let values = [
            Value::Null,
            Value::Bit(true),
            Value::Bit(false),
            Value::BigInt(1),
            Value::Float(1.0),
            Value::Text("1".into()),
            Value::Text("".into()),
            Value::DateTime(Timestamp(1)),
            record,
        ];
        let columns = [Column::Mixed(values.clone().into()), Column::Mixed(values.clone().into())];
        let mut keys = Keys::default();
        let numbers = keys.numbers(&columns, values.len(), &mut Vec::new());
        assert_eq!(numbers, (0..values.len() as u32).collect::<Vec<_>>());
        let mut columns = [ColumnBuilder::default(), ColumnBuilder::default()];
        numbers.iter().for_each(|number| keys.write(*number, &mut columns));
        for column in columns.map(ColumnBuilder::finish) {
            let read: Vec<Value> = (0..column.len()).map(|row| column.value(row)).collect();
            assert_eq!(read, values);
        }
        // A typed column has the same keys as the same values in a mixed one.
        let mut typed = Vec::new();
        let mut mixed = Vec::new();
        encode_key(&[Column::from_values([Value::Text("x".into())])], 0, &mut typed);
        encode_key(&[Column::Mixed([Value::Text("x".into())].into())], 0, &mut mixed);
        assert_eq!(typed, mixed);
    }

    #[test]
    fn a_number_is_given_out_again_when_its_key_is_no_longer_used() {
        let mut keys = Keys::default();
        let column = |text: &str| [Column::from_values([Value::Text(text.into())])];
        let mut fresh = Vec::new();
        let a = keys.numbers(&column("a"), 1, &mut fresh)[0];
        keys.hold(a);
        keys.hold(a);
        let b = keys.numbers(&column("b"), 1, &mut fresh)[0];
        keys.sweep(&fresh);
        assert_eq!(keys.len(), 1, "nobody used b");
        keys.release(a);
        assert_eq!(keys.numbers(&column("a"), 1, &mut fresh)[0], a);
        keys.release(a);
        assert_eq!(keys.len(), 0);
        assert_ne!(a, b);
    }

    #[test]
    fn damaged_key_bytes_read_as_null() {
        for bytes in [&[][..], &[TEXT, 9, 0, 0, 0, b'x'], &[BIGINT, 1], &[RECORD, 255, 255, 255, 255], &[99]] {
            assert_eq!(decode_value(&mut &*bytes), Value::Null);
        }
    }
}
