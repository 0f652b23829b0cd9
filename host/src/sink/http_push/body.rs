//! Rows into requests, and which rows fit no request.

use std::collections::VecDeque;

use super::{Form, HttpPushSettings};
use crate::batch::{Batch, Column, DocumentKeys, Value, write_row, write_value};
use crate::sink::Refused;

/// Columns of a row that Power BI takes.
const COLUMNS: usize = 75;
/// Characters of a text that Power BI takes.
const CHARACTERS: usize = 4000;

/// Rows that are not sent yet.
#[derive(Debug)]
pub(super) struct Open {
    settings: HttpPushSettings,
    rows: VecDeque<Row>,
}

/// A row as JSON, and where it is from.
#[derive(Debug)]
struct Row {
    batch: usize,
    row: usize,
    json: Vec<u8>,
}

impl Open {
    pub(super) fn new(settings: HttpPushSettings) -> Self {
        Self { settings, rows: VecDeque::new() }
    }

    pub(super) fn rows(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn form(&self) -> Form {
        self.settings.form
    }

    /// The most rows of one request.
    pub(super) fn most(&self) -> usize {
        self.settings.max_rows
    }

    /// Takes the rows of a batch; those that fit no request are answered.
    pub(super) fn add(&mut self, number: usize, batch: &Batch, keys: &DocumentKeys) -> Vec<Refused> {
        let literal = self.settings.power_bi.then(|| literals(batch));
        let batch = literal.as_ref().unwrap_or(batch);
        let mut refused = Vec::new();
        for row in 0..batch.rows() {
            match self.fault(batch, row) {
                Some(reason) => refused.push(Refused { row, reason }),
                None => {
                    let json = self.json(batch, keys, row);
                    if json.len() + self.frame() > self.settings.max_bytes {
                        let reason = format!("the row has {} bytes of JSON; a request takes {}", json.len(), self.settings.max_bytes);
                        refused.push(Refused { row, reason });
                    } else {
                        self.rows.push_back(Row { batch: number, row, json });
                    }
                }
            }
        }
        refused
    }

    fn json(&self, batch: &Batch, keys: &DocumentKeys, row: usize) -> Vec<u8> {
        let mut json = Vec::with_capacity(256);
        write_row(batch, row, &mut json);
        if let Some(name) = &self.settings.key {
            json.pop();
            if json.len() > 1 {
                json.push(b',');
            }
            write_value(&Value::Text(name.as_str().into()), &mut json);
            json.push(b':');
            write_value(&Value::Text(keys.text(row).into()), &mut json);
            json.push(b'}');
        }
        json
    }

    /// Why Power BI does not take a row.
    fn fault(&self, batch: &Batch, row: usize) -> Option<String> {
        if !self.settings.power_bi {
            return None;
        }
        let columns = batch.columns.iter().filter(|column| !column.is_missing(row)).count() + usize::from(self.settings.key.is_some());
        if columns > COLUMNS {
            return Some(format!("the row has {columns} columns; Power BI takes {COLUMNS}"));
        }
        batch.names.iter().zip(&batch.columns).find_map(|(name, column)| {
            let characters = match column {
                Column::Text(texts) if !column.is_null(row) => utf16(texts.value(row)),
                Column::Mixed(values) => match &values[row] {
                    Value::Text(text) => utf16(text),
                    _ => 0,
                },
                _ => 0,
            };
            (characters > CHARACTERS).then(|| format!("column '{name}' has a text of {characters} characters; Power BI takes {CHARACTERS}"))
        })
    }

    /// Bytes around the rows.
    fn frame(&self) -> usize {
        match self.settings.form {
            Form::Rows => 11,
            Form::Array => 2,
            Form::Lines => 1,
        }
    }

    /// How many of the first rows go into the next request, at least one.
    pub(super) fn fits(&self, cut: Option<usize>) -> usize {
        let most = self.settings.max_rows.min(cut.unwrap_or(usize::MAX)).max(1);
        let mut bytes = self.frame();
        let fits = self.rows.iter().take(most).take_while(|row| {
            bytes += row.json.len() + 1;
            bytes <= self.settings.max_bytes + 1
        });
        fits.count().max(1).min(self.rows.len())
    }

    /// The body of a request with the first rows.
    pub(super) fn body(&self, rows: usize) -> Vec<u8> {
        let (start, between, end): (&[u8], u8, &[u8]) = match self.settings.form {
            Form::Rows => (b"{\"rows\":[", b',', b"]}"),
            Form::Array => (b"[", b',', b"]"),
            Form::Lines => (b"", b'\n', b"\n"),
        };
        let mut body = start.to_vec();
        for (place, row) in self.rows.iter().take(rows).enumerate() {
            if place > 0 {
                body.push(between);
            }
            body.extend_from_slice(&row.json);
        }
        body.extend_from_slice(end);
        body
    }

    /// Lets the first rows go. Answers their batches and places.
    pub(super) fn take_first(&mut self, rows: usize) -> Vec<(usize, usize)> {
        self.rows.drain(..rows).map(|row| (row.batch, row.row)).collect()
    }
}

/// As Power BI counts them.
fn utf16(text: &str) -> usize {
    if text.len() <= CHARACTERS { 0 } else { text.encode_utf16().count() }
}

/// Records and arrays as the texts that Stream Analytics writes for them.
fn literals(batch: &Batch) -> Batch {
    let literal = |value: &Value| match value {
        Value::Record(_) => Value::Text("IRecord".into()),
        Value::Array(_) => Value::Text("IArray".into()),
        other => other.clone(),
    };
    let column = |column: &Column| match column {
        Column::Mixed(values) => Column::Mixed(values.iter().map(literal).collect()),
        other => other.clone(),
    };
    Batch { columns: batch.columns.iter().map(column).collect(), ..batch.clone() }
}
