//! Turns a run of events of one partition into one batch of columns: only the columns that the query reads.
//!
//! - `rows`: the columns that grow; an event enters them whole or not at all
//! - `json`: the fast way: strict JSON straight into columns
//! - `python`: a dict printed with `str()`, rewritten as JSON
//! - `csv`: separated values
//! - `beside`: what stands beside the body: the partition key, the sender's own properties
//!
//! A body is read as strict JSON; if it is none, as a Python dict, and then as JSON5. What is neither, or is no object,
//! is rejected with the reason; the other events are not disturbed.

mod beside;
mod csv;
mod json;
mod python;
mod rows;
mod value;

#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use self::csv::Header;
pub use rows::Wanted;

use super::Run;
use super::log::Event;
use crate::batch::{Batch, Origin, RowId, Value};
use crate::fault::Rejected;
use crate::time::{Clock, SystemClock};
use beside::Beside;
use rows::{Rows, Stamp};

/// How events are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Format {
    /// JSON: an object, an array of objects, or several objects one after the other.
    Json,
    /// Separated values.
    Csv {
        /// Where the columns' names come from.
        header: Header,
        /// What stands between two values: `b','`.
        delimiter: u8,
    },
}

/// What became of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded {
    /// The rows, in the order of their events.
    pub batch: Batch,
    /// The events that are no rows, and why.
    pub rejected: Vec<Rejected>,
}

/// Decodes the events of one input.
#[derive(Debug)]
pub struct Decoder {
    format: Format,
    input: usize,
    rows: Rows,
    clock: Arc<dyn Clock>,
    beside: Beside,
    /// The Python form, rewritten.
    json: Vec<u8>,
}

impl Decoder {
    /// A decoder of the job's input number `input`.
    pub fn new(wanted: Wanted, format: Format, input: usize) -> Self {
        Self { format, input, rows: Rows::new(&wanted), clock: Arc::new(SystemClock), beside: Beside::default(), json: Vec::new() }
    }

    /// With another clock for `EventProcessedUtcTime`.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// With hidden columns of what stands beside the body: `#key`, `#user`, `#user.NAME`.
    #[must_use]
    pub fn with_beside(mut self, columns: &[String]) -> Self {
        self.beside = Beside::new(columns);
        self
    }

    /// Decodes a run. An event is taken whole or rejected whole.
    pub fn decode(&mut self, run: &Run) -> Decoded {
        self.rows.reserve(run.events.len());
        let processed = self.clock.now();
        let mut times = Vec::with_capacity(run.events.len());
        let mut offsets = Vec::with_capacity(run.events.len());
        let mut rejected = Vec::new();
        for event in &run.events {
            let stamp = Stamp { enqueued: event.enqueued, processed, partition: run.partition };
            match self.event(event, stamp) {
                Ok(()) => {
                    let rows = self.rows.staged();
                    self.rows.commit();
                    extend(&mut times, event.enqueued, rows);
                    extend(&mut offsets, event.offset, rows);
                    self.beside.take(event, rows);
                }
                Err(reason) => {
                    self.rows.forget();
                    let origin = RowId { partition: run.partition, offset: event.offset };
                    rejected.push(Rejected { input: Some(self.input), ..Rejected::event(origin, "decode", reason) });
                }
            }
        }
        let (names, columns) = self.beside.finish(self.rows.finish());
        let origin = Origin::Events { input: self.input, partition: run.partition, offsets: offsets.into() };
        Decoded { batch: Batch { names, columns, times: times.into(), origin }, rejected }
    }

    fn event(&mut self, event: &Event, stamp: Stamp) -> Result<(), String> {
        let body = event.body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&event.body);
        if body.trim_ascii().is_empty() {
            return Err("the event is empty".to_owned());
        }
        match &self.format {
            Format::Json => self.json(body, stamp),
            Format::Csv { header, delimiter } => csv::read(body, header, *delimiter, &mut self.rows, stamp),
        }
    }

    fn json(&mut self, body: &[u8], stamp: Stamp) -> Result<(), String> {
        // What looks like a dict is not tried as strict JSON first: senders that print dicts print nothing else.
        let strict = if python::looks_like_it(body) {
            None
        } else {
            match json::read(body, &mut self.rows, stamp) {
                Ok(()) => return Ok(()),
                Err(error) => Some(error),
            }
        };
        if let Some(fault) = self.rows.fault.take() {
            return Err(fault);
        }
        self.rows.forget();
        let not_json = |error: Option<&serde_json::Error>| {
            let what = error.map_or_else(|| "key must be a string".to_owned(), ToString::to_string);
            format!("not JSON: {what}")
        };
        let Ok(text) = std::str::from_utf8(body) else { return Err(format!("{}; and not UTF-8 text", not_json(strict.as_ref()))) };
        let strict_fault = not_json(strict.as_ref());
        let dict = match python::to_json(text, &mut self.json) {
            Ok(()) => match json::read(&self.json, &mut self.rows, stamp) {
                Ok(()) => return Ok(()),
                Err(error) => self.rows.fault.take().map_or_else(|| Ok(error.to_string()), Err)?,
            },
            Err(python::Flaw::NotFinite { field, what }) => return Err(format!("column '{field}': {what} is not a value")),
            Err(python::Flaw::At(at)) => format!("unexpected {} at byte {}", letter(text, at), at + 1),
        };
        self.rows.forget();
        match json5::from_str::<value::Document>(text) {
            Ok(document) => self.document(document.0, text, stamp),
            Err(_) if strict.is_none() => Err(format!("not JSON, and not a Python dict: {dict}")),
            Err(_) => Err(strict_fault),
        }
    }

    /// Takes what the JSON5 parser read.
    fn document(&mut self, document: Value, text: &str, stamp: Stamp) -> Result<(), String> {
        if value::has_huge(&document)
            && let Some(integer) = json::integer_out_of_range(text)
        {
            return Err(format!("integer {} does not fit bigint", rows::shown(integer)));
        }
        match document {
            Value::Array(rows) if rows.is_empty() => Err(json::expected_object("an empty array")),
            Value::Array(rows) => rows.iter().try_for_each(|row| json::take_row(row.clone(), &mut self.rows, stamp)),
            row => json::take_row(row, &mut self.rows, stamp),
        }
    }
}

fn letter(text: &str, at: usize) -> String {
    text.get(at..).and_then(|rest| rest.chars().next()).map_or_else(|| "end".to_owned(), |letter| format!("{letter:?}"))
}

fn extend<T: Copy>(list: &mut Vec<T>, value: T, times: usize) {
    if times == 1 {
        list.push(value);
    } else {
        list.extend(std::iter::repeat_n(value, times));
    }
}
