//! A spool as a Parquet file. A column whose values have several types is made of texts, a record or array of JSON.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray, TimestampNanosecondArray,
};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

use super::file::cell;
use super::spool::Spool;
use super::sync_folder;
use crate::batch::{Batch, Column, Value};

/// Rows of one group of a file: what is in memory while it is written.
const GROUP: usize = 65_536;
/// The ticks that fit nanoseconds in 64 bits.
const NANOSECONDS: std::ops::RangeInclusive<i64> = i64::MIN / 100..=i64::MAX / 100;

/// What a column's values have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Null,
    Bit,
    BigInt,
    Float,
    Nanoseconds,
    Microseconds,
    Text,
}

impl Kind {
    fn of(column: &Column) -> Self {
        match column {
            Column::Null(_) => Self::Null,
            Column::Bit(_) => Self::Bit,
            Column::BigInt(_) => Self::BigInt,
            Column::Float(_) => Self::Float,
            Column::Text(_) => Self::Text,
            Column::DateTime(ticks) if ticks.iter().flatten().all(|ticks| NANOSECONDS.contains(&ticks)) => Self::Nanoseconds,
            Column::DateTime(_) => Self::Microseconds,
            Column::Mixed(values) => values.iter().map(Self::of_value).fold(Self::Null, Self::and),
        }
    }

    fn of_value(value: &Value) -> Self {
        match value {
            Value::Null | Value::Missing => Self::Null,
            Value::Bit(_) => Self::Bit,
            Value::BigInt(_) => Self::BigInt,
            Value::Float(_) => Self::Float,
            Value::DateTime(time) if NANOSECONDS.contains(&time.0) => Self::Nanoseconds,
            Value::DateTime(_) => Self::Microseconds,
            Value::Text(_) | Value::Record(_) | Value::Array(_) => Self::Text,
        }
    }

    fn and(self, other: Self) -> Self {
        match (self, other) {
            (kind, Self::Null) | (Self::Null, kind) => kind,
            (one, other) if one == other => one,
            (Self::BigInt, Self::Float) | (Self::Float, Self::BigInt) => Self::Float,
            (Self::Nanoseconds, Self::Microseconds) | (Self::Microseconds, Self::Nanoseconds) => Self::Microseconds,
            _ => Self::Text,
        }
    }

    fn data_type(self) -> DataType {
        match self {
            Self::Null | Self::Text => DataType::Utf8,
            Self::Bit => DataType::Boolean,
            Self::BigInt => DataType::Int64,
            Self::Float => DataType::Float64,
            Self::Nanoseconds => DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())),
            Self::Microseconds => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        }
    }

    /// The column as an array of this kind.
    fn array(self, column: Option<&Column>, rows: usize) -> ArrayRef {
        let missing = Column::Null(rows);
        let column = column.unwrap_or(&missing);
        let values = || (0..rows).map(|row| column.value(row));
        match self {
            Self::Bit => {
                Arc::new(values().map(|value| if let Value::Bit(bit) = value { Some(bit) } else { None }).collect::<BooleanArray>())
            }
            Self::BigInt => match column {
                Column::BigInt(array) => Arc::new(array.clone()),
                _ => Arc::new(
                    values().map(|value| if let Value::BigInt(number) = value { Some(number) } else { None }).collect::<Int64Array>(),
                ),
            },
            Self::Float => match column {
                Column::Float(array) => Arc::new(array.clone()),
                _ => Arc::new(values().map(|value| float(&value)).collect::<Float64Array>()),
            },
            Self::Nanoseconds => Arc::new(
                values().map(|value| ticks(&value).map(|ticks| ticks * 100)).collect::<TimestampNanosecondArray>().with_timezone("UTC"),
            ),
            Self::Microseconds => Arc::new(
                values()
                    .map(|value| ticks(&value).map(|ticks| ticks.div_euclid(10)))
                    .collect::<TimestampMicrosecondArray>()
                    .with_timezone("UTC"),
            ),
            Self::Null | Self::Text => match column {
                Column::Text(array) => Arc::new(array.clone()),
                _ => Arc::new((0..rows).map(|row| text(column, row)).collect::<StringArray>()),
            },
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a column of whole numbers and fractions is one of floats")]
fn float(value: &Value) -> Option<f64> {
    match value {
        Value::Float(number) => Some(*number),
        Value::BigInt(number) => Some(*number as f64),
        _ => None,
    }
}

fn ticks(value: &Value) -> Option<i64> {
    if let Value::DateTime(time) = value { Some(time.0) } else { None }
}

fn text(column: &Column, row: usize) -> Option<String> {
    if column.is_null(row) {
        return None;
    }
    let mut out = Vec::new();
    cell(column, row, &mut out);
    String::from_utf8(out).ok()
}

/// The columns of a file in the order in which they came, and what is in them.
#[derive(Debug, Default)]
struct Columns {
    names: Vec<Arc<str>>,
    kinds: Vec<Kind>,
    places: HashMap<Arc<str>, usize>,
}

impl Columns {
    fn add(&mut self, batch: &Batch) {
        for (name, column) in batch.names.iter().zip(&batch.columns) {
            let place = *self.places.entry(Arc::clone(name)).or_insert_with(|| {
                self.names.push(Arc::clone(name));
                self.kinds.push(Kind::Null);
                self.names.len() - 1
            });
            self.kinds[place] = self.kinds[place].and(Kind::of(column));
        }
    }
}

/// Writes the spool's rows to `target`, whole or not at all, and removes the spool.
pub(super) fn write(spool: &Spool, target: &Path) -> io::Result<()> {
    let mut columns = Columns::default();
    for batch in spool.batches()? {
        columns.add(&batch?);
    }
    let fields: Vec<Field> =
        columns.names.iter().zip(&columns.kinds).map(|(name, kind)| Field::new(name.to_string(), kind.data_type(), true)).collect();
    let schema = Arc::new(Schema::new(fields));
    let unfinished = spool.unfinished();
    let file = File::create(&unfinished)?;
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).set_max_row_group_row_count(Some(GROUP)).build();
    let mut writer = ArrowWriter::try_new(file, Arc::clone(&schema), Some(properties)).map_err(io::Error::other)?;
    for batch in spool.batches()? {
        let batch = batch?;
        let exact = |name: &Arc<str>| batch.names.iter().position(|known| known == name).map(|place| &batch.columns[place]);
        let arrays = columns.names.iter().zip(&columns.kinds).map(|(name, kind)| kind.array(exact(name), batch.rows())).collect();
        let rows = RecordBatch::try_new(Arc::clone(&schema), arrays).map_err(io::Error::other)?;
        writer.write(&rows).map_err(io::Error::other)?;
    }
    writer.into_inner().map_err(io::Error::other)?.sync_all()?;
    let folder = target.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    std::fs::rename(&unfinished, target)?;
    sync_folder(folder)?;
    spool.remove()
}
