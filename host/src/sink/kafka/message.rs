//! A row as a message: its key, its headers, its body.

use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::BaseRecord;

use super::{KafkaSettings, Written};
use crate::batch::{Batch, DocumentKeys, Value, write_row, write_value};

/// The header with the row's own id: a row that comes again, after a crash, has the same.
const ID: &str = "tamis-id";

/// The rows of a batch, to be written as messages.
pub(super) struct Messages<'a> {
    /// The columns of the body.
    body: Batch,
    /// The column with the key.
    key: Option<usize>,
    /// The columns that become headers.
    headers: Vec<usize>,
    whole: &'a Batch,
    keys: &'a DocumentKeys,
    written: Written,
}

/// One message.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) key: Option<String>,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl<'a> Messages<'a> {
    pub(super) fn of(batch: &'a Batch, keys: &'a DocumentKeys, settings: &KafkaSettings) -> Self {
        let headers: Vec<usize> = settings.property_columns.iter().filter_map(|name| batch.position(name)).collect();
        let kept: Vec<usize> = (0..batch.columns.len()).filter(|column| !headers.contains(column)).collect();
        let body = Batch {
            names: kept.iter().map(|column| batch.names[*column].clone()).collect(),
            columns: kept.iter().map(|column| batch.columns[*column].clone()).collect(),
            times: batch.times.clone(),
            origin: batch.origin.clone(),
        };
        let key = settings.partition_key.as_ref().and_then(|name| batch.position(name));
        Self { body, key, headers, whole: batch, keys, written: settings.written }
    }

    /// # Errors
    /// Why the row cannot be written.
    pub(super) fn row(&self, row: usize) -> Result<Message, String> {
        let value = |column: usize| text(&self.whole.columns[column].value(row));
        let mut body = Vec::new();
        match self.written {
            Written::Json => write_row(&self.body, row, &mut body),
            Written::JsonArray => {
                body.push(b'[');
                write_row(&self.body, row, &mut body);
                body.push(b']');
            }
            Written::Csv { delimiter } => body = separated(&self.body, row, delimiter)?,
        }
        let own = self.headers.iter().filter_map(|column| Some((self.whole.names[*column].to_string(), value(*column)?)));
        let headers = std::iter::once((ID.to_owned(), self.keys.text(row))).chain(own).collect();
        Ok(Message { key: self.key.and_then(value), headers, body })
    }
}

impl Message {
    pub(super) fn record<'m>(&'m self, topic: &'m str, row: usize) -> BaseRecord<'m, str, [u8], usize> {
        let headers = self.headers.iter().fold(OwnedHeaders::new_with_capacity(self.headers.len()), |headers, (key, value)| {
            headers.insert(Header { key, value: Some(value) })
        });
        let record = BaseRecord::with_opaque_to(topic, row).payload(self.body.as_slice()).headers(headers);
        match &self.key {
            Some(key) => record.key(key.as_str()),
            None => record,
        }
    }
}

/// A value as text: without quotation marks, where JSON has them. `None`: null.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null | Value::Missing => None,
        Value::Text(text) => Some(text.to_string()),
        Value::DateTime(moment) => Some(moment.to_string()),
        other => {
            let mut out = Vec::new();
            write_value(other, &mut out);
            String::from_utf8(out).ok()
        }
    }
}

/// A header and a record, as Stream Analytics writes them.
fn separated(batch: &Batch, row: usize, delimiter: u8) -> Result<Vec<u8>, String> {
    let mut writer = csv::WriterBuilder::new().delimiter(delimiter).terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    let wrong = |error: csv::Error| format!("the row cannot be written as CSV: {error}");
    writer.write_record(batch.names.iter().map(|name| name.as_bytes())).map_err(wrong)?;
    let values: Vec<String> = batch.columns.iter().map(|column| text(&column.value(row)).unwrap_or_default()).collect();
    writer.write_record(values).map_err(wrong)?;
    writer.into_inner().map_err(|error| format!("the row cannot be written as CSV: {error}"))
}
