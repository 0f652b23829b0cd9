//! Separated values. In Stream Analytics every value is text.

use std::sync::Arc;

use super::rows::{Rows, Stamp};

/// Where the columns' names come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Header {
    /// Each event begins with them.
    First,
    /// There are none: the columns are `col1`, `col2` and so on.
    None,
    /// These, for every event.
    Names(Arc<[String]>),
}

/// Reads a body of one or more records.
pub(super) fn read(body: &[u8], header: &Header, delimiter: u8, rows: &mut Rows, stamp: Stamp) -> Result<(), String> {
    let mut reader = ::csv::ReaderBuilder::new();
    reader.delimiter(delimiter).has_headers(false).flexible(true).buffer_capacity(body.len().clamp(64, 64 << 10));
    let mut reader = reader.from_reader(body);
    let mut record = ::csv::StringRecord::new();
    let not_csv = |error: ::csv::Error| format!("not CSV: {error}");
    let mut own: Vec<String> = Vec::new();
    if *header == Header::First {
        reader.read_record(&mut record).map_err(not_csv)?;
        own.extend(record.iter().map(|name| name.trim().to_owned()));
    }
    let names = if let Header::Names(names) = header { names } else { &own[..] };
    let positional = *header == Header::None;
    let full = |rows: &mut Rows| rows.fault.take().unwrap_or_default();
    let before = rows.staged();
    while reader.read_record(&mut record).map_err(not_csv)? {
        if !positional && record.len() != names.len() {
            return Err(format!("the record has {} values, the header has {} names", record.len(), names.len()));
        }
        if !rows.start_row() {
            return Err(full(rows));
        }
        for (index, value) in record.iter().enumerate() {
            let column = if positional { rows.column(&format!("col{}", index + 1)) } else { rows.column(&names[index]) };
            match column {
                Ok(Some(column)) => rows.set_text(column, value),
                Ok(None) => {}
                Err(()) => return Err(full(rows)),
            }
        }
        rows.end_row(stamp);
    }
    if rows.staged() == before { Err("a record is expected, only a header was given".to_owned()) } else { Ok(()) }
}
