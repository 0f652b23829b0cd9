//! The running job: the only place that knows all rooms. It moves batches from one to the next.
//!
//! Two threads, joined by a bounded queue: [`compute`] reads, decodes and runs the query; [`commit`] writes. While one
//! unit of work becomes durable, the next is computed.
//!
//! - [`start`](Job::start): a project becomes a running job, or a fault that names file and line
//! - `reader`: one partition of one input; `references`: the rows of reference data
//! - [`check`]: everything that is wrong with a project
//! - [`bounded`]: a query over finished inputs; `explain`: what happened to an event's time
//! - [`engine`]: the running query; `operators`: stateful steps that join the query with another room
//! - `functions`: `udf.…` calls, answered by the sandbox
//! - `versions`: other modules take over while the job runs; `shadow`: what challengers answer
//! - `outputs`: what each `INTO` opens; `delivery`: a thread for each sink, and the outbox of one that is behind
//! - [`replay`]: dead letters sent again
//! - `kafka`: topics, as inputs and outputs; `health`: how inputs and outputs do, as one status
//! - `measure`: the metrics' names

pub mod bounded;
mod check;
mod commit;
mod compute;
mod delivery;
pub mod engine;
mod explain;
mod functions;
mod health;
mod kafka;
mod measure;
pub mod operators;
mod outputs;
mod reader;
mod references;
pub mod replay;
mod shadow;
mod start;
mod versions;

pub use check::check;
pub use explain::{ExplainedEvent, Windows};
pub use functions::built_in as built_in_function;
pub use outputs::cosmos as cosmos_settings;
pub use start::Settings;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{oneshot, watch};

use crate::fault::Fault;
use crate::job::Finding;
use crate::sink::feed::{PageState, Rows};
use crate::source::Log;
use crate::udf::Function;

/// How the job is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// Events are processed as they come.
    Running,
    /// The store or the outbox takes nothing for now, or an input's broker is away; it is tried again. Nothing is lost meanwhile:
    /// events wait in the log or at the broker.
    Waiting(String),
    /// It was stopped, or its files were read to their end.
    Ended,
    /// It cannot go on.
    Failed(String),
}

/// The function that the page shows; `None` when the job has none. It changes when another version takes over.
pub type Shown = watch::Receiver<Option<Function>>;

/// A running job.
#[derive(Debug)]
pub struct Job {
    name: String,
    data_dir: PathBuf,
    log: Log,
    shown: Shown,
    page: watch::Receiver<Arc<PageState>>,
    rows: Rows,
    status: watch::Receiver<Status>,
    notes: Vec<Finding>,
    stop: Arc<AtomicBool>,
    done: Option<oneshot::Receiver<Result<(), Fault>>>,
}

impl Job {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where its log and store are.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// The log that its hubs are in.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// The function that the page shows, as it is now.
    pub fn shown(&self) -> Shown {
        self.shown.clone()
    }

    /// What the page shows, as it changes.
    pub fn page(&self) -> watch::Receiver<Arc<PageState>> {
        self.page.clone()
    }

    /// The last rows of the feed outputs.
    pub fn rows(&self) -> Rows {
        self.rows.clone()
    }

    /// How it is doing.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// What the project says that a local run does not use.
    pub fn notes(&self) -> &[Finding] {
        &self.notes
    }

    /// Asks it to stop after the work at hand. Everything that was read is written.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// Why it could not go on.
    pub async fn ended(&mut self) -> Result<(), Fault> {
        // It stays in place until it has an answer: the caller may stop waiting and come back.
        let Some(done) = &mut self.done else { return Ok(()) };
        let ended = done.await.unwrap_or_else(|_| Err(Fault::internal("the job's threads are gone")));
        self.done = None;
        ended
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        self.stop();
    }
}
