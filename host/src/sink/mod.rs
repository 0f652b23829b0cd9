//! Where each `INTO` goes.
//!
//! In: batches with their documents' keys. Out: a file, Cosmos DB, a topic of Kafka, the live page. (The embedded store is a room of its
//! own, because its documents and the checkpoint are one transaction.)
//!
//! - [`JsonLines`]: a file, one row a line
//! - [`folder`]: many files, by the path pattern of a Blob Storage output: JSON, CSV, Parquet
//! - [`cosmos`]: Cosmos DB
//! - [`http_push`]: Power BI or any other address that takes rows by HTTP
//! - [`kafka`]: a topic of Kafka, or an event hub
//! - [`feed`]: the live page's figures and rows
//!
//! A sink is called on a thread of its own and may block. What it has taken is acknowledged when [`Sink::flush`] returns.

pub mod cosmos;
pub mod feed;
pub mod folder;
pub mod http_push;
mod json_lines;
pub mod kafka;

pub use cosmos::ErrorPolicy;
pub use json_lines::JsonLines;

use std::time::Instant;

use crate::batch::{Batch, DocumentKeys};
use crate::fault::Fault;

/// A row that an output can never take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Its place in the batch.
    pub row: usize,
    /// Why, in words that name the column.
    pub reason: String,
}

/// An output.
pub trait Sink: Send + std::fmt::Debug {
    /// Takes the rows of a batch. Rows that this output can never take are answered, ascending, and the others are taken.
    /// A fault with [`crate::fault::Retry::Never`] stops the job; after any other, the same batch is brought again, later
    /// each time, until it is taken or the job is asked to stop.
    fn write(&mut self, batch: &Batch, keys: &DocumentKeys) -> Result<Vec<Refused>, Fault>;

    /// Returns when everything taken so far is durable.
    fn flush(&mut self) -> Result<(), Fault>;

    /// Rows taken since the last flush that turned out, in that flush, to be ones that this output can never take: the
    /// number of the batch among those written since the flush before, and the row. Asked for once after each flush.
    fn refused_late(&mut self) -> Vec<(usize, Refused)> {
        Vec::new()
    }

    /// When it makes sense to try again after the fault that was just answered, when the output knows.
    fn retry_at(&self) -> Option<Instant> {
        None
    }

    /// Where the output stands after it was opened, and after a flush. It is kept with the checkpoint, in one transaction, and handed back when the
    /// output is opened again, so that what was written behind the checkpoint can be taken back. `None`: it need not be.
    fn mark(&self) -> Option<Vec<u8>> {
        None
    }

    /// That mark is durable: nothing before it is ever brought again. Comes now and then between two flushes, also while
    /// no rows come.
    fn kept(&mut self, mark: &[u8]) -> Result<(), Fault> {
        let _nothing_to_do = mark;
        Ok(())
    }

    /// The job ends in order, everything taken is durable and its mark is kept: no more rows come until the next start.
    fn finish(&mut self) -> Result<(), Fault> {
        Ok(())
    }
}
