//! Writes rows as JSON the way Stream Analytics does: a whole float as `95.0`, a datetime with seven digits and `Z`, null as `null`.

use super::{Batch, Column, Value};
use crate::time::Timestamp;

/// Appends row `row` as one JSON object, columns in their order.
pub fn write_row(batch: &Batch, row: usize, out: &mut Vec<u8>) {
    out.push(b'{');
    let mut first = true;
    for (index, column) in batch.columns.iter().enumerate() {
        if column.is_missing(row) {
            continue;
        }
        if !std::mem::take(&mut first) {
            out.push(b',');
        }
        write_text(&batch.names[index], out);
        out.push(b':');
        write_cell(column, row, out);
    }
    out.push(b'}');
}

fn write_cell(column: &Column, row: usize, out: &mut Vec<u8>) {
    if column.is_null(row) {
        return out.extend_from_slice(b"null");
    }
    match column {
        Column::Null(_) => out.extend_from_slice(b"null"),
        Column::Bit(array) => write_bit(array.value(row), out),
        Column::BigInt(array) => write_integer(array.value(row), out),
        Column::Float(array) => write_float(array.value(row), out),
        Column::Text(array) => write_text(array.value(row), out),
        Column::DateTime(array) => write_moment(Timestamp(array.value(row)), out),
        Column::Mixed(values) => write_value(&values[row], out),
    }
}

/// Appends one value.
pub fn write_value(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null | Value::Missing => out.extend_from_slice(b"null"),
        Value::Bit(value) => write_bit(*value, out),
        Value::BigInt(value) => write_integer(*value, out),
        Value::Float(value) => write_float(*value, out),
        Value::Text(value) => write_text(value, out),
        Value::DateTime(value) => write_moment(*value, out),
        Value::Record(fields) => {
            out.push(b'{');
            for (index, (name, value)) in fields.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_text(name, out);
                out.push(b':');
                write_value(value, out);
            }
            out.push(b'}');
        }
        Value::Array(values) => {
            out.push(b'[');
            for (index, value) in values.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_value(value, out);
            }
            out.push(b']');
        }
    }
}

fn write_bit(value: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(if value { b"true" } else { b"false" });
}

fn write_integer(value: i64, out: &mut Vec<u8>) {
    // serde_json writes numbers without allocating; writing into a Vec cannot fail.
    let _written = serde_json::to_writer(&mut *out, &value);
}

/// Shortest text that reads back as the same number, with a fraction: `95.0`. JSON has no NaN or infinity: null.
fn write_float(value: f64, out: &mut Vec<u8>) {
    let _written = serde_json::to_writer(&mut *out, &value);
}

fn write_text(value: &str, out: &mut Vec<u8>) {
    let _written = serde_json::to_writer(&mut *out, value);
}

fn write_moment(value: Timestamp, out: &mut Vec<u8>) {
    use std::io::Write;
    let _written = write!(out, "\"{value}\"");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_stream_analytics_writes_them() {
        let mut out = Vec::new();
        let values = [Value::Float(95.0), Value::BigInt(-3), Value::Bit(true), Value::Null, Value::DateTime(Timestamp(0))];
        write_value(&Value::Array(values.into()), &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), r#"[95.0,-3,true,null,"1970-01-01T00:00:00.0000000Z"]"#);
    }
}
