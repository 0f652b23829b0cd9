//! Rows pushed by HTTP: as Power BI takes them (`{"rows": […]}`), as an Azure Function does (an array), or one a line, to
//! any address.
//!
//! | answer | policy Retry | policy Drop | policy Stop |
//! | --- | --- | --- | --- |
//! | 408, 425, 429, 5xx, no answer | again, when `Retry-After` says, else with growing pauses, without end | the same | the same |
//! | 400, 409, 413, 422, 431: about the rows | the rows are sent apart until the one at fault is alone, then again | the same, then dead letter | the same, then the job stops |
//! | 413 for one row alone, a row over the limits | dead letter | dead letter | the job stops |
//! | 3xx, 401, 403, 404 and others: about the address or the login | again, without end | the same | the job stops |
//!
//! A request that was answered well is never sent again, but for a crash before the next checkpoint: then its rows come a
//! second time. A receiver that wants each once is given the row's key as a column of its own ([`HttpPushSettings::key`]).
//!
//! - `body`: rows into requests, and which rows fit no request
//! - `pace`: limits on requests and rows
//! - `send`: one request

mod body;
mod pace;
mod send;

#[cfg(test)]
mod tests;

use std::fmt;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use super::{ErrorPolicy, Refused, Sink};
use crate::batch::{Batch, DocumentKeys};
use crate::fault::Fault;
use body::Open;
use pace::Pace;
use send::{Answer, Sender};

/// A wait for the pace that is shorter is slept out; a longer one is told.
const SHORT: Duration = Duration::from_secs(1);
/// After so many rows refused one by one, and none taken, the rest of a request is refused together.
const STREAK: usize = 20;

/// Where rows are pushed to, and how.
#[derive(Clone)]
pub struct HttpPushSettings {
    /// The output's name in the query.
    pub output: String,
    /// The file that these settings are from, for messages.
    pub file: String,
    /// The address. It may hold a key, so no more than its host is ever printed.
    pub url: String,
    /// Sent as `Authorization: Bearer`. Never printed.
    pub token: Option<String>,
    /// More headers. Their values are never printed.
    pub headers: Vec<(String, String)>,
    /// What a request's body is.
    pub form: Form,
    /// Rows of one request.
    pub max_rows: usize,
    /// Bytes of one request.
    pub max_bytes: usize,
    /// Requests a minute.
    pub requests_per_minute: Option<u32>,
    /// Rows an hour.
    pub rows_per_hour: Option<u64>,
    /// Whether Power BI's limits on a row hold: 75 columns, 4,000 characters a text, no records and arrays.
    pub power_bi: bool,
    /// The name of the column that gets the row's key.
    pub key: Option<String>,
    /// How long an answer may take.
    pub timeout: Duration,
    /// What happens to a row that is refused.
    pub policy: ErrorPolicy,
}

impl fmt::Debug for HttpPushSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpPushSettings").field("output", &self.output).field("form", &self.form).finish_non_exhaustive()
    }
}

/// What a request's body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `{"rows": [row, …]}`
    Rows,
    /// `[row, …]`
    Array,
    /// One row a line.
    Lines,
}

/// Pushes rows by HTTP.
#[derive(Debug)]
pub struct HttpPush {
    runtime: Handle,
    sender: Sender,
    open: Open,
    pace: Pace,
    policy: ErrorPolicy,
    /// How many batches were written since the last flush.
    batches: usize,
    refused: Vec<(usize, Refused)>,
    /// The next request has at most so many rows: one of more was refused.
    cut: Option<usize>,
    /// Rows refused one by one since the last that was taken.
    streak: usize,
    /// Not to be tried before.
    retry_at: Option<Instant>,
}

impl HttpPush {
    /// Prepares to push; nothing is sent before the first row.
    ///
    /// # Errors
    /// When the address or a header is none.
    pub fn open(settings: HttpPushSettings, runtime: &Handle) -> Result<Self, Fault> {
        let sender = Sender::new(&settings)?;
        Ok(Self {
            runtime: runtime.clone(),
            sender,
            pace: Pace::new(settings.requests_per_minute, settings.rows_per_hour),
            policy: settings.policy,
            open: Open::new(settings),
            batches: 0,
            refused: Vec::new(),
            cut: None,
            streak: 0,
            retry_at: None,
        })
    }

    /// Sends until fewer rows than this are left.
    fn send(&mut self, left: usize) -> Result<(), Fault> {
        while self.open.rows() > left {
            let rows = self.open.fits(self.cut);
            self.wait(rows)?;
            let answer = self.runtime.block_on(self.sender.post(self.open.body(rows), self.open.form()));
            self.pace.sent(Instant::now(), rows);
            match answer {
                Answer::Taken => {
                    self.open.take_first(rows);
                    self.streak = 0;
                    self.cut = self.cut.map(|cut| cut * 2).filter(|cut| *cut < self.open.most());
                }
                Answer::Later { why, after } => {
                    self.retry_at = after.map(|after| Instant::now() + after);
                    return Err(self.sender.fault(format!("rows are not taken for now: {why}")));
                }
                Answer::Rows { .. } if rows > 1 && self.streak < STREAK => self.cut = Some(rows.div_ceil(2)),
                Answer::Rows { why, too_large } => self.refuse(rows, &why, too_large)?,
                Answer::Elsewhere(why) => {
                    let why = format!("rows are not taken: {why}; check the address and the login");
                    return Err(if self.policy == ErrorPolicy::Stop { self.sender.fault(why).never() } else { self.sender.fault(why) });
                }
            }
        }
        Ok(())
    }

    /// The first rows are refused; nearly always it is one.
    fn refuse(&mut self, rows: usize, why: &str, too_large: bool) -> Result<(), Fault> {
        match self.policy {
            ErrorPolicy::Stop => {
                return Err(self.sender.fault(format!("a row is refused, and the output error policy is Stop: {why}")).never());
            }
            ErrorPolicy::Retry if !too_large => {
                return Err(self.sender.fault(format!("a row is refused: {why}; the output error policy is Retry")));
            }
            ErrorPolicy::Retry | ErrorPolicy::Drop => {}
        }
        let reason = format!("the row is refused: {why}");
        self.refused.extend(self.open.take_first(rows).into_iter().map(|(batch, row)| (batch, Refused { row, reason: reason.clone() })));
        self.streak += 1;
        if self.streak >= STREAK {
            self.cut = None;
        }
        Ok(())
    }

    /// Waits until the next request may go.
    fn wait(&mut self, rows: usize) -> Result<(), Fault> {
        let now = Instant::now();
        if let Some(at) = self.retry_at.filter(|at| *at > now + SHORT) {
            let seconds = (at - now).as_secs();
            return Err(self.sender.fault(format!("rows are not taken for now: the next may come in {seconds} s")));
        }
        let at = self.pace.next().max(self.retry_at.take().unwrap_or(now));
        let left = at.saturating_duration_since(now);
        if left > SHORT {
            self.retry_at = Some(at);
            let why = format!("the next request of {rows} rows goes in {} s, because of the limits on requests and rows", left.as_secs());
            return Err(self.sender.fault(why));
        }
        std::thread::sleep(left);
        Ok(())
    }
}

impl Sink for HttpPush {
    fn write(&mut self, batch: &Batch, keys: &DocumentKeys) -> Result<Vec<Refused>, Fault> {
        // Before the batch is taken: when this fails, the same batch is brought again.
        self.send(self.open.most())?;
        let refused = self.open.add(self.batches, batch, keys);
        if let (ErrorPolicy::Stop, Some(first)) = (self.policy, refused.first()) {
            let why = format!("a row cannot be sent, and the output error policy is Stop: {}", first.reason);
            return Err(self.sender.fault(why).never());
        }
        self.batches += 1;
        Ok(refused)
    }

    fn flush(&mut self) -> Result<(), Fault> {
        self.send(0)?;
        self.batches = 0;
        Ok(())
    }

    fn refused_late(&mut self) -> Vec<(usize, Refused)> {
        std::mem::take(&mut self.refused)
    }

    fn retry_at(&self) -> Option<Instant> {
        self.retry_at
    }
}
