//! An Azure Machine Learning function: rows go to a scoring endpoint by HTTP, a batch a request, as Stream Analytics
//! sends them; its answers come back by position.
//!
//! # Layout
//!
//! - [`AzureMl`]: the call: cuts rows into requests, sends several at a time, waits
//! - `envelope`: what a request and a response look like; what a swagger document says of it
//! - `client`: one request, with its retries

mod client;
mod envelope;
mod error;

use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

pub use error::MlError;

use futures::StreamExt;
use tokio::runtime::Runtime;

use super::Input;
use crate::batch::{Column, ColumnBuilder, Value, write_value};
use client::Client;
use envelope::Envelope;

/// A secret. It is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(pub String);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// How an endpoint is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MlSettings {
    /// The function's name in the query.
    pub name: String,
    /// The scoring address.
    pub endpoint: String,
    /// Sent as a bearer token.
    pub key: Option<Key>,
    /// Rows of one request: 1 to 10,000.
    pub batch_size: usize,
    /// Requests at a time.
    pub parallel: usize,
    /// The outer label of a request, `Inputs`; `None`: there is none, or the endpoint's swagger tells.
    pub request_label: Option<String>,
    /// The name of the input, `data` or `WebServiceInput0`; `None`: the endpoint's swagger tells.
    pub input: Option<String>,
    /// The label of a response; `None`: `Results`, or none.
    pub response_label: Option<String>,
    /// The columns of a request's rows when the query passes several values: one name a value, in their order.
    pub columns: Vec<String>,
    /// The declared type of the results; `None`: each has its own.
    pub returns: Option<String>,
    /// Time of one request.
    pub timeout: Duration,
    /// Bytes of one request; more rows go into the next.
    pub max_request: usize,
    /// Bytes of one response.
    pub max_response: usize,
    /// The pause before the first retry; each is twice as long, up to 30 s.
    pub first_pause: Duration,
    /// How long a failing request is tried again; `None`: for ever, as in the cloud.
    pub retry_for: Option<Duration>,
}

impl MlSettings {
    /// Stream Analytics' defaults for an endpoint.
    pub fn new(name: impl Into<String>, endpoint: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            endpoint: endpoint.into(),
            key: None,
            batch_size: 1000,
            parallel: 1,
            request_label: None,
            input: None,
            response_label: None,
            columns: Vec::new(),
            returns: None,
            timeout: Duration::from_secs(100),
            max_request: 4 << 20,
            max_response: 64 << 20,
            first_pause: Duration::from_millis(250),
            retry_for: None,
        }
    }
}

/// What the rows of a call were answered.
#[derive(Debug)]
pub struct MlAnswers {
    /// One value a row; null where the request failed.
    pub column: Column,
    /// Rows whose request failed, ascending.
    pub failed: Vec<(Range<usize>, MlError)>,
}

/// An endpoint. Cloning is cheap; clones share connections.
#[derive(Debug, Clone)]
pub struct AzureMl {
    settings: Arc<MlSettings>,
    client: Client,
    envelope: Arc<tokio::sync::OnceCell<Envelope>>,
    stop: Arc<AtomicBool>,
}

/// Some of the rows, and what became of them.
type Part<T> = (Range<usize>, Result<T, MlError>);

/// So often a waiting call looks whether it is to stop.
const LOOK: Duration = Duration::from_millis(50);

impl AzureMl {
    /// An endpoint. No request is made yet. When `stop` is set, calls that wait give up.
    ///
    /// # Errors
    /// [`MlError::Settings`] when the address or a number cannot be used.
    pub fn new(settings: MlSettings, stop: Arc<AtomicBool>) -> Result<Self, MlError> {
        let wrong = |what: String| Err(MlError::Settings { name: settings.name.clone(), what });
        if !(1..=10_000).contains(&settings.batch_size) {
            return wrong(format!("a batch size of {} was given, 1 to 10000 is expected", settings.batch_size));
        }
        if !(1..=1000).contains(&settings.parallel) {
            return wrong(format!("{} parallel requests were given, 1 to 1000 is expected", settings.parallel));
        }
        let client = Client::new(&settings)?;
        Ok(Self { settings: Arc::new(settings), client, envelope: Arc::default(), stop })
    }

    /// How it is called.
    pub fn settings(&self) -> &MlSettings {
        &self.settings
    }

    /// Sends the rows and waits for all answers. Must not be called on a thread of an async runtime.
    ///
    /// # Errors
    /// [`MlError`] when no request can be made at all, and [`MlError::Stopped`]; a request that fails is in [`MlAnswers::failed`].
    pub fn call(&self, arguments: &[Input<'_>], rows: usize) -> Result<MlAnswers, MlError> {
        let (given, answers) = channel();
        let this = self.clone();
        let elements = Elements::new(&self.settings, arguments, rows)?;
        let task = runtime()?.spawn(async move {
            let _gone = given.send(this.send_all(elements).await);
        });
        loop {
            match answers.recv_timeout(LOOK) {
                Ok(answered) => return Ok(self.collect(answered, rows)),
                Err(RecvTimeoutError::Timeout) if self.stop.load(Ordering::Relaxed) => {
                    task.abort();
                    return Err(MlError::Stopped { name: self.settings.name.clone() });
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(MlError::Runtime("the request's task ended without an answer".to_owned()));
                }
            }
        }
    }

    async fn send_all(self, elements: Elements) -> Vec<Part<Vec<Value>>> {
        let envelope = self.envelope.get_or_init(|| self.client.envelope(&self.settings)).await;
        let requests = elements.requests(envelope, &self.settings);
        let sent = requests.into_iter().map(|(rows, body)| {
            let (client, settings) = (self.client.clone(), Arc::clone(&self.settings));
            async move {
                let answer = match body {
                    Ok(body) => client.score(&settings, body.into()).await,
                    Err(error) => Err(error),
                };
                let values = answer.and_then(|text| envelope::results(&text, &settings, rows.len()));
                (rows, values)
            }
        });
        futures::stream::iter(sent).buffered(self.settings.parallel).collect().await
    }

    fn collect(&self, answered: Vec<Part<Vec<Value>>>, rows: usize) -> MlAnswers {
        let mut column = ColumnBuilder::with_capacity(rows);
        let mut failed = Vec::new();
        for (range, values) in answered {
            match values {
                Ok(values) => values.into_iter().for_each(|value| column.push(self.declared(value))),
                Err(error) => {
                    column.push_nulls(range.len());
                    failed.push((range, error));
                }
            }
        }
        MlAnswers { column: column.finish(), failed }
    }

    /// A whole number is a float where a float is declared.
    fn declared(&self, value: Value) -> Value {
        match (value, self.settings.returns.as_deref()) {
            (Value::BigInt(value), Some("float")) => Value::Float(value as f64),
            (value, _) => value,
        }
    }
}

/// The rows as JSON, one after the other.
struct Elements {
    bytes: Vec<u8>,
    /// Where each row ends in `bytes`.
    ends: Vec<usize>,
}

impl Elements {
    /// One record, one value, or several values that become a record of the settings' columns.
    fn new(settings: &MlSettings, arguments: &[Input<'_>], rows: usize) -> Result<Self, MlError> {
        let mut out = Self { bytes: Vec::new(), ends: Vec::with_capacity(rows) };
        let names: Vec<Arc<str>> = settings.columns.iter().map(|name| Arc::from(name.as_str())).collect();
        if arguments.len() != 1 && (names.len() != arguments.len() || arguments.iter().any(|input| matches!(input, Input::Record(_)))) {
            return Err(MlError::Arguments { name: settings.name.clone(), given: arguments.len() });
        }
        for row in 0..rows {
            match arguments {
                [Input::Record(batch)] => {
                    let fields = batch.names.iter().zip(&batch.columns).filter(|(name, _)| !name.starts_with('#'));
                    out.record(fields, row);
                }
                [Input::Value(column)] => write_value(&column.value(row), &mut out.bytes),
                several => {
                    let columns = several.iter().filter_map(|input| if let Input::Value(column) = input { Some(*column) } else { None });
                    out.record(names.iter().zip(columns), row);
                }
            }
            out.ends.push(out.bytes.len());
        }
        Ok(out)
    }

    fn record<'a>(&mut self, fields: impl Iterator<Item = (&'a Arc<str>, &'a Column)>, row: usize) {
        self.bytes.push(b'{');
        for (place, (name, column)) in fields.enumerate() {
            if place > 0 {
                self.bytes.push(b',');
            }
            write_value(&Value::Text(Arc::clone(name)), &mut self.bytes);
            self.bytes.push(b':');
            write_value(&column.value(row), &mut self.bytes);
        }
        self.bytes.push(b'}');
    }

    /// Bodies of requests, each with its rows: neither more rows nor more bytes than the settings allow.
    fn requests(&self, envelope: &Envelope, settings: &MlSettings) -> Vec<Part<Vec<u8>>> {
        let room = settings.max_request.saturating_sub(envelope.len());
        let mut requests = Vec::new();
        let mut first = 0;
        while first < self.ends.len() {
            let start = if first == 0 { 0 } else { self.ends[first - 1] };
            let mut end = first;
            // A comma after each row.
            while end < self.ends.len() && end - first < settings.batch_size && self.ends[end] - start + (end - first) <= room {
                end += 1;
            }
            if end == first {
                let bytes = self.ends[first] - start;
                let error = MlError::TooLarge { name: settings.name.clone(), bytes, most: settings.max_request };
                requests.push((first..first + 1, Err(error)));
                first += 1;
                continue;
            }
            let rows = (first..end).map(|row| &self.bytes[if row == 0 { 0 } else { self.ends[row - 1] }..self.ends[row]]);
            requests.push((first..end, Ok(envelope.body(rows))));
            first = end;
        }
        requests
    }
}

/// The runtime that requests run on. One for the whole program: it is never shut down.
fn runtime() -> Result<&'static Runtime, MlError> {
    static RUNTIME: OnceLock<Result<Runtime, String>> = OnceLock::new();
    let build = || tokio::runtime::Builder::new_multi_thread().worker_threads(1).thread_name("azure-ml").enable_all().build();
    RUNTIME.get_or_init(|| build().map_err(|error| error.to_string())).as_ref().map_err(|what| MlError::Runtime(what.clone()))
}

#[cfg(test)]
mod tests;
