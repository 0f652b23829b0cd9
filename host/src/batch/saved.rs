//! Columns in a saved state: `serde` for [`Column`], values as raw little-endian bytes.
//!
//! A column of one type is stored as its validity (one bit a row, absent without nulls) and its values.

use std::fmt;
use std::sync::Arc;

use arrow_array::{Array, BooleanArray, Float64Array, Int64Array, StringArray};
use arrow_buffer::{BooleanBuffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Column, Value};

/// What is stored of a column.
#[derive(Serialize, Deserialize)]
enum Saved {
    Null(u64),
    Bit { rows: u64, nulls: Option<Bytes>, values: Bytes },
    BigInt { nulls: Option<Bytes>, values: Bytes },
    Float { nulls: Option<Bytes>, values: Bytes },
    Text { nulls: Option<Bytes>, ends: Bytes, text: String },
    DateTime { nulls: Option<Bytes>, values: Bytes },
    Mixed(Arc<[Value]>),
}

impl Serialize for Column {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let saved = match self {
            Self::Null(rows) => Saved::Null(*rows as u64),
            Self::Bit(array) => {
                Saved::Bit { rows: array.len() as u64, nulls: nulls(array), values: Bytes(bits(array.len(), |row| array.value(row))) }
            }
            Self::BigInt(array) => Saved::BigInt { nulls: nulls(array), values: integers(array.values()) },
            Self::DateTime(array) => Saved::DateTime { nulls: nulls(array), values: integers(array.values()) },
            Self::Float(array) => {
                Saved::Float { nulls: nulls(array), values: Bytes(array.values().iter().flat_map(|value| value.to_le_bytes()).collect()) }
            }
            Self::Text(array) => {
                let mut ends = Vec::with_capacity(array.len() * 4);
                let mut text = String::new();
                for row in 0..array.len() {
                    if array.is_valid(row) {
                        text.push_str(array.value(row));
                    }
                    ends.extend_from_slice(&(text.len() as u32).to_le_bytes());
                }
                Saved::Text { nulls: nulls(array), ends: Bytes(ends), text }
            }
            Self::Mixed(values) => Saved::Mixed(Arc::clone(values)),
        };
        saved.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Column {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let column = match Saved::deserialize(deserializer)? {
            Saved::Null(rows) => usize::try_from(rows).ok().map(Self::Null),
            Saved::Bit { rows, nulls, values } => bit(rows as usize, nulls.as_ref(), &values),
            Saved::BigInt { nulls, values } => integer_array(nulls.as_ref(), &values).map(Self::BigInt),
            Saved::DateTime { nulls, values } => integer_array(nulls.as_ref(), &values).map(Self::DateTime),
            Saved::Float { nulls, values } => words(&values).and_then(|words| {
                let values: Vec<f64> = words.map(f64::from_le_bytes).collect();
                let valid = validity(values.len(), nulls.as_ref())?;
                Float64Array::try_new(ScalarBuffer::from(values), valid).ok().map(Self::Float)
            }),
            Saved::Text { nulls, ends, text } => texts(nulls.as_ref(), &ends, text).map(Self::Text),
            Saved::Mixed(values) => Some(Self::Mixed(values)),
        };
        column.ok_or_else(|| D::Error::custom("the saved column is damaged"))
    }
}

fn bits(rows: usize, is_set: impl Fn(usize) -> bool) -> Vec<u8> {
    let mut bytes = vec![0; rows.div_ceil(8)];
    (0..rows).filter(|row| is_set(*row)).for_each(|row| bytes[row / 8] |= 1 << (row % 8));
    bytes
}

fn nulls(array: &dyn Array) -> Option<Bytes> {
    (array.null_count() > 0).then(|| Bytes(bits(array.len(), |row| array.is_valid(row))))
}

fn integers(values: &[i64]) -> Bytes {
    Bytes(values.iter().flat_map(|value| value.to_le_bytes()).collect())
}

fn is_set(bytes: &[u8], row: usize) -> bool {
    bytes[row / 8] >> (row % 8) & 1 == 1
}

/// `None` when there are too few bits.
fn validity(rows: usize, nulls: Option<&Bytes>) -> Option<Option<NullBuffer>> {
    let Some(Bytes(bytes)) = nulls else { return Some(None) };
    (bytes.len() == rows.div_ceil(8)).then(|| Some(NullBuffer::new(BooleanBuffer::collect_bool(rows, |row| is_set(bytes, row)))))
}

fn bit(rows: usize, nulls: Option<&Bytes>, values: &Bytes) -> Option<Column> {
    if values.0.len() != rows.div_ceil(8) {
        return None;
    }
    let valid = validity(rows, nulls)?;
    Some(Column::Bit(BooleanArray::new(BooleanBuffer::collect_bool(rows, |row| is_set(&values.0, row)), valid)))
}

fn words(values: &Bytes) -> Option<impl Iterator<Item = [u8; 8]>> {
    values.0.len().is_multiple_of(8).then(|| values.0.chunks_exact(8).map(|chunk| <[u8; 8]>::try_from(chunk).unwrap_or_default()))
}

fn integer_array(nulls: Option<&Bytes>, values: &Bytes) -> Option<Int64Array> {
    let values: Vec<i64> = words(values)?.map(i64::from_le_bytes).collect();
    let valid = validity(values.len(), nulls)?;
    Int64Array::try_new(ScalarBuffer::from(values), valid).ok()
}

fn texts(nulls: Option<&Bytes>, ends: &Bytes, text: String) -> Option<StringArray> {
    if !ends.0.len().is_multiple_of(4) {
        return None;
    }
    let mut offsets = vec![0_i32];
    for chunk in ends.0.chunks_exact(4) {
        let end = i32::try_from(u32::from_le_bytes(chunk.try_into().unwrap_or_default())).ok()?;
        if end < *offsets.last().unwrap_or(&0) {
            return None;
        }
        offsets.push(end);
    }
    let valid = validity(offsets.len() - 1, nulls)?;
    StringArray::try_new(OffsetBuffer::new(ScalarBuffer::from(offsets)), text.into_bytes().into(), valid).ok()
}

/// Bytes that `serde` writes as bytes, not as a sequence of numbers.
struct Bytes(Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Bytes;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }
            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes(bytes.to_vec()))
            }
            fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<Bytes, E> {
                Ok(Bytes(bytes))
            }
        }
        deserializer.deserialize_byte_buf(Reader)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::batch::{Batch, Origin};
    use crate::time::Timestamp;

    fn scalar() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bit),
            any::<i64>().prop_map(Value::BigInt),
            (-1e300..1e300).prop_map(Value::Float),
            ".{0,6}".prop_map(|text: String| Value::Text(text.into())),
            any::<i64>().prop_map(|ticks| Value::DateTime(Timestamp(ticks))),
        ]
    }

    fn value() -> impl Strategy<Value = Value> {
        scalar().prop_recursive(3, 12, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(|values| Value::Array(values.into())),
                prop::collection::vec(("[a-z]{1,3}", inner), 0..4).prop_map(|fields| {
                    Value::Record(Arc::new(fields.into_iter().map(|(name, value)| (Arc::from(name.as_str()), value)).collect()))
                }),
            ]
        })
    }

    /// Columns of one type with nulls, and mixed ones; `rows` values each.
    fn column(rows: usize) -> impl Strategy<Value = Column> {
        let kinds = (0..5_u8, prop::collection::vec((any::<bool>(), any::<i64>(), ".{0,6}"), rows));
        let typed = kinds.prop_map(|(kind, rows)| {
            Column::from_values(rows.into_iter().map(|(null, number, text)| match (null, kind) {
                (true, _) => Value::Null,
                (_, 0) => Value::Bit(number % 2 == 0),
                (_, 1) => Value::BigInt(number),
                (_, 2) => Value::Float(number as f64 / 7.0),
                (_, 3) => Value::Text(text.into()),
                _ => Value::DateTime(Timestamp(number)),
            }))
        });
        prop_oneof![typed, prop::collection::vec(value(), rows).prop_map(Column::from_values)]
    }

    proptest! {
        #[test]
        fn a_saved_batch_reads_back_the_same(
            (columns, times, events, first) in (0usize..20).prop_flat_map(|rows| {
                (prop::collection::vec(column(rows), 0..4), prop::collection::vec(any::<i64>(), rows), any::<bool>(), any::<u32>())
            })
        ) {
            let origin = match events {
                true => Origin::Events { input: 1, partition: first, offsets: (0..times.len() as u64).map(|row| row + u64::from(first)).collect() },
                false => Origin::Derived,
            };
            let names = (0..columns.len()).map(|number| Arc::from(format!("c{number}"))).collect();
            let batch = Batch { names, columns, times: times.into_iter().map(Timestamp).collect(), origin };
            let saved = postcard::to_stdvec(&batch).unwrap();
            prop_assert_eq!(postcard::from_bytes::<Batch>(&saved).unwrap(), batch.clone());
            // A slice of a column, whose buffers begin elsewhere, is saved as its own rows only.
            if batch.rows() > 1 {
                let part = batch.take(&(1..batch.rows() as u32).collect::<Vec<_>>());
                let sliced: Vec<Column> = batch.columns.iter().map(|column| column.slice(1, batch.rows() - 1)).collect();
                prop_assert_eq!(postcard::from_bytes::<Vec<Column>>(&postcard::to_stdvec(&sliced).unwrap()).unwrap(), part.columns);
            }
        }

        #[test]
        fn damaged_bytes_are_refused_or_read_as_something_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _read: Result<Batch, _> = postcard::from_bytes(&bytes);
        }
    }
}
