//! A column: an Arrow array where all values have one type, the values themselves where they do not.

use std::sync::Arc;

use arrow_array::{Array, BooleanArray, Float64Array, Int64Array, StringArray, UInt32Array, new_null_array};
use arrow_select::concat::concat;
use arrow_select::take::take;

use super::{ColumnBuilder, Value, read_json};
use crate::time::Timestamp;

/// One column of a batch. Cloning is cheap: the buffers are shared.
#[derive(Debug, Clone, PartialEq)]
pub enum Column {
    /// Nothing but nulls; so many rows.
    Null(usize),
    /// `bit`.
    Bit(BooleanArray),
    /// `bigint`.
    BigInt(Int64Array),
    /// `float`.
    Float(Float64Array),
    /// `nvarchar(max)`.
    Text(StringArray),
    /// `datetime`, as [`Timestamp`] ticks of 100 ns.
    DateTime(Int64Array),
    /// Values of several types, or records and arrays.
    Mixed(Arc<[Value]>),
}

impl Column {
    /// How many rows it has.
    pub fn len(&self) -> usize {
        match self {
            Self::Null(rows) => *rows,
            Self::Mixed(values) => values.len(),
            _ => self.array().map_or(0, |array| array.len()),
        }
    }

    /// Whether it has no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The Arrow array of a column of one type.
    pub fn array(&self) -> Option<&dyn Array> {
        match self {
            Self::Null(_) | Self::Mixed(_) => None,
            Self::Bit(array) => Some(array),
            Self::BigInt(array) | Self::DateTime(array) => Some(array),
            Self::Float(array) => Some(array),
            Self::Text(array) => Some(array),
        }
    }

    /// Whether row `row` has no value.
    pub fn is_null(&self, row: usize) -> bool {
        match self {
            Self::Null(_) => true,
            Self::Mixed(values) => values[row].is_null(),
            _ => self.array().is_some_and(|array| array.is_null(row)),
        }
    }

    /// Whether row `row` does not even have such a field.
    pub fn is_missing(&self, row: usize) -> bool {
        matches!(self, Self::Mixed(values) if matches!(values[row], Value::Missing))
    }

    /// A column of fields that are not there.
    pub fn missing(rows: usize) -> Self {
        Self::Mixed(vec![Value::Missing; rows].into())
    }

    /// The value of row `row`.
    pub fn value(&self, row: usize) -> Value {
        if self.is_null(row) {
            return Value::Null;
        }
        match self {
            Self::Null(_) => Value::Null,
            Self::Bit(array) => Value::Bit(array.value(row)),
            Self::BigInt(array) => Value::BigInt(array.value(row)),
            Self::Float(array) => Value::Float(array.value(row)),
            Self::Text(array) => Value::Text(array.value(row).into()),
            Self::DateTime(array) => Value::DateTime(Timestamp(array.value(row))),
            Self::Mixed(values) => values[row].clone(),
        }
    }

    /// The value of row `row`, with what tells a missing field from a null.
    pub fn stored(&self, row: usize) -> Value {
        if self.is_missing(row) { Value::Missing } else { self.value(row) }
    }

    /// JSON texts as the values that they spell; what is no JSON stays as it is.
    pub fn spelled(&self) -> Self {
        Self::from_values((0..self.len()).map(|row| match self.value(row) {
            Value::Text(text) => read_json(&text).unwrap_or(Value::Text(text)),
            value => value,
        }))
    }

    /// A column of these values: an Arrow array when they all have one scalar type.
    pub fn from_values(values: impl IntoIterator<Item = Value>) -> Self {
        let values = values.into_iter();
        let mut builder = ColumnBuilder::with_capacity(values.size_hint().0);
        for value in values {
            builder.push(value);
        }
        builder.finish()
    }

    /// The same value in every row.
    pub fn constant(value: &Value, rows: usize) -> Self {
        match value {
            Value::Null | Value::Missing => Self::Null(rows),
            Value::Bit(value) => Self::Bit(vec![*value; rows].into()),
            Value::BigInt(value) => Self::BigInt(vec![*value; rows].into()),
            Value::Float(value) => Self::Float(vec![*value; rows].into()),
            Value::DateTime(value) => Self::DateTime(vec![value.0; rows].into()),
            Value::Text(value) => Self::Text(std::iter::repeat_n(Some(&**value), rows).collect()),
            Value::Record(_) | Value::Array(_) => Self::Mixed(vec![value.clone(); rows].into()),
        }
    }

    /// `rows` rows from row `first`; the buffers are shared.
    #[must_use]
    pub fn slice(&self, first: usize, rows: usize) -> Self {
        match self {
            Self::Null(_) => Self::Null(rows),
            Self::Mixed(values) => Self::Mixed(values[first..first + rows].into()),
            Self::Bit(array) => Self::Bit(array.slice(first, rows)),
            Self::BigInt(array) => Self::BigInt(array.slice(first, rows)),
            Self::DateTime(array) => Self::DateTime(array.slice(first, rows)),
            Self::Float(array) => Self::Float(array.slice(first, rows)),
            Self::Text(array) => Self::Text(array.slice(first, rows)),
        }
    }

    /// The rows of these indices, in that order.
    #[must_use]
    pub fn take(&self, rows: &[u32]) -> Self {
        let indices = || UInt32Array::from(rows.to_vec());
        // Cannot fail: the array's type is fixed and the indices are in range.
        macro_rules! taken {
            ($variant:ident, $array:expr) => {
                match take($array, &indices(), None).ok().and_then(|array| array.as_any().downcast_ref().cloned()) {
                    Some(array) => Self::$variant(array),
                    None => Self::from_values(rows.iter().map(|row| self.value(*row as usize))),
                }
            };
        }
        match self {
            Self::Null(_) => Self::Null(rows.len()),
            Self::Mixed(values) => Self::Mixed(rows.iter().map(|row| values[*row as usize].clone()).collect()),
            Self::Bit(array) => taken!(Bit, array),
            Self::BigInt(array) => taken!(BigInt, array),
            Self::DateTime(array) => taken!(DateTime, array),
            Self::Float(array) => taken!(Float, array),
            Self::Text(array) => taken!(Text, array),
        }
    }

    /// Several columns, one after the other.
    #[must_use]
    pub fn concat(columns: &[&Self]) -> Self {
        if let [only] = columns {
            return (*only).clone();
        }
        // A column of nulls takes the type of the others.
        let typed = columns.iter().find(|column| !matches!(column, Self::Null(_)));
        let Some(typed) = typed else { return Self::Null(columns.iter().map(|column| column.len()).sum()) };
        let one_kind = columns
            .iter()
            .all(|column| matches!(column, Self::Null(_)) || std::mem::discriminant(*column) == std::mem::discriminant(*typed));
        if one_kind && let Some(kind) = typed.array().map(Array::data_type) {
            let nulls: Vec<_> =
                columns.iter().map(|column| if let Self::Null(rows) = column { Some(new_null_array(kind, *rows)) } else { None }).collect();
            let arrays: Vec<&dyn Array> =
                columns.iter().zip(&nulls).filter_map(|(column, nulls)| nulls.as_deref().or_else(|| column.array())).collect();
            if let Ok(joined) = concat(&arrays) {
                let any = joined.as_any();
                let column = match typed {
                    Self::Bit(_) => any.downcast_ref().cloned().map(Self::Bit),
                    Self::BigInt(_) => any.downcast_ref().cloned().map(Self::BigInt),
                    Self::DateTime(_) => any.downcast_ref().cloned().map(Self::DateTime),
                    Self::Float(_) => any.downcast_ref().cloned().map(Self::Float),
                    Self::Text(_) => any.downcast_ref().cloned().map(Self::Text),
                    Self::Null(_) | Self::Mixed(_) => None,
                };
                if let Some(column) = column {
                    return column;
                }
            }
        }
        if one_kind {
            let values = columns.iter().flat_map(|column| match column {
                Self::Mixed(values) => values.to_vec(),
                other => vec![Value::Null; other.len()],
            });
            return Self::Mixed(values.collect());
        }
        Self::from_values(columns.iter().flat_map(|column| (0..column.len()).map(|row| column.stored(row))))
    }
}
