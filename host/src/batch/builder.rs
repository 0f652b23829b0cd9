//! Builds a column value by value: it stays an Arrow array as long as one type suffices.

use arrow_array::builder::{BooleanBuilder, Float64Builder, Int64Builder, StringBuilder};

use super::{Column, Value};
use crate::time::Timestamp;

/// Room that a text is expected to need.
const TEXT_BYTES: usize = 12;

/// Takes the values of one column in order. A second type turns the column into [`Column::Mixed`].
#[derive(Debug, Default)]
pub struct ColumnBuilder {
    state: State,
    /// For how many rows the first typed value reserves room.
    rows: usize,
}

#[derive(Debug)]
enum State {
    Null(usize),
    Bit(BooleanBuilder),
    BigInt(Int64Builder),
    Float(Float64Builder),
    Text(StringBuilder),
    DateTime(Int64Builder),
    Mixed(Vec<Value>),
}

impl Default for State {
    fn default() -> Self {
        Self::Null(0)
    }
}

impl ColumnBuilder {
    /// A builder; the first typed value reserves room for `rows` of its kind.
    pub fn with_capacity(rows: usize) -> Self {
        Self { state: State::default(), rows }
    }

    /// How many values it has taken.
    pub fn len(&self) -> usize {
        use arrow_array::builder::ArrayBuilder;
        match &self.state {
            State::Null(rows) => *rows,
            State::Bit(builder) => builder.len(),
            State::BigInt(builder) | State::DateTime(builder) => builder.len(),
            State::Float(builder) => builder.len(),
            State::Text(builder) => builder.len(),
            State::Mixed(values) => values.len(),
        }
    }

    /// Whether it has taken none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes a missing value.
    pub fn push_null(&mut self) {
        match &mut self.state {
            State::Null(rows) => *rows += 1,
            State::Bit(builder) => builder.append_null(),
            State::BigInt(builder) | State::DateTime(builder) => builder.append_null(),
            State::Float(builder) => builder.append_null(),
            State::Text(builder) => builder.append_null(),
            State::Mixed(values) => values.push(Value::Null),
        }
    }

    /// Takes `rows` missing values.
    pub fn push_nulls(&mut self, rows: usize) {
        match &mut self.state {
            State::Null(known) => *known += rows,
            State::Bit(builder) => builder.append_nulls(rows),
            State::BigInt(builder) | State::DateTime(builder) => builder.append_nulls(rows),
            State::Float(builder) => builder.append_nulls(rows),
            State::Text(builder) => builder.append_nulls(rows),
            State::Mixed(values) => values.extend(std::iter::repeat_n(Value::Null, rows)),
        }
    }

    /// Takes a field that is not there.
    pub fn push_missing(&mut self) {
        self.make_mixed();
        if let State::Mixed(values) = &mut self.state {
            values.push(Value::Missing);
        }
    }

    /// Takes `rows` fields that are not there.
    pub fn push_all_missing(&mut self, rows: usize) {
        if rows == 0 {
            return;
        }
        self.make_mixed();
        if let State::Mixed(values) = &mut self.state {
            values.extend(std::iter::repeat_n(Value::Missing, rows));
        }
    }

    /// Keeps the values as they are, whatever comes.
    fn make_mixed(&mut self) {
        if !matches!(self.state, State::Mixed(_)) {
            let rows = self.rows;
            let column = std::mem::replace(self, Self::with_capacity(rows)).finish();
            self.state = State::Mixed((0..column.len()).map(|row| column.value(row)).collect());
        }
    }

    /// Takes an integer.
    #[inline]
    pub fn push_bigint(&mut self, value: i64) {
        if let State::BigInt(builder) = &mut self.state { builder.append_value(value) } else { self.push(Value::BigInt(value)) }
    }

    /// Takes a float.
    #[inline]
    pub fn push_float(&mut self, value: f64) {
        if let State::Float(builder) = &mut self.state { builder.append_value(value) } else { self.push(Value::Float(value)) }
    }

    /// Takes a bit.
    #[inline]
    pub fn push_bit(&mut self, value: bool) {
        if let State::Bit(builder) = &mut self.state { builder.append_value(value) } else { self.push(Value::Bit(value)) }
    }

    /// Takes a text.
    #[inline]
    pub fn push_text(&mut self, value: &str) {
        if let State::Text(builder) = &mut self.state { builder.append_value(value) } else { self.push(Value::Text(value.into())) }
    }

    /// Takes any value.
    pub fn push(&mut self, value: Value) {
        match value {
            Value::Missing => return self.push_missing(),
            Value::Null => return self.push_null(),
            _ => {}
        }
        if let State::Null(rows) = self.state {
            self.start(&value, rows);
        }
        match (&mut self.state, value) {
            (State::Bit(builder), Value::Bit(value)) => builder.append_value(value),
            (State::BigInt(builder), Value::BigInt(value)) => builder.append_value(value),
            (State::Float(builder), Value::Float(value)) => builder.append_value(value),
            (State::Text(builder), Value::Text(value)) => builder.append_value(value),
            (State::DateTime(builder), Value::DateTime(value)) => builder.append_value(value.0),
            (State::Mixed(values), value) => values.push(value),
            (_, value) => {
                self.make_mixed();
                if let State::Mixed(values) = &mut self.state {
                    values.push(value);
                }
            }
        }
    }

    /// The first value decides the type; the rows before it were null.
    fn start(&mut self, first: &Value, nulls: usize) {
        let rows = self.rows.max(nulls + 1);
        self.state = match first {
            Value::Bit(_) => State::Bit(BooleanBuilder::with_capacity(rows)),
            Value::BigInt(_) => State::BigInt(Int64Builder::with_capacity(rows)),
            Value::Float(_) => State::Float(Float64Builder::with_capacity(rows)),
            Value::Text(_) => State::Text(StringBuilder::with_capacity(rows, rows * TEXT_BYTES)),
            Value::DateTime(_) => State::DateTime(Int64Builder::with_capacity(rows)),
            Value::Null | Value::Missing | Value::Record(_) | Value::Array(_) => State::Mixed(Vec::with_capacity(rows)),
        };
        self.push_nulls(nulls);
    }

    /// The column.
    pub fn finish(self) -> Column {
        match self.state {
            State::Null(rows) => Column::Null(rows),
            State::Bit(mut builder) => Column::Bit(builder.finish()),
            State::BigInt(mut builder) => Column::BigInt(builder.finish()),
            State::Float(mut builder) => Column::Float(builder.finish()),
            State::Text(mut builder) => Column::Text(builder.finish()),
            State::DateTime(mut builder) => Column::DateTime(builder.finish()),
            State::Mixed(values) => Column::Mixed(values.into()),
        }
    }
}

impl From<Timestamp> for Value {
    fn from(moment: Timestamp) -> Self {
        Self::DateTime(moment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_type_stays_an_array_and_a_second_one_keeps_every_value() {
        let mut builder = ColumnBuilder::default();
        builder.push_null();
        builder.push_bigint(7);
        builder.push_null();
        assert!(matches!(&builder.state, State::BigInt(_)));
        builder.push_text("x");
        builder.push_float(0.5);
        let column = builder.finish();
        let values: Vec<Value> = (0..column.len()).map(|row| column.value(row)).collect();
        assert_eq!(values, [Value::Null, Value::BigInt(7), Value::Null, Value::Text("x".into()), Value::Float(0.5)]);
    }
}
