//! Where each `INTO` goes.
//!
//! In: batches with their documents' keys. Out: a file, Cosmos DB, a topic of Kafka, the live page. (The embedded store is a room of its
//! own, because its documents and the checkpoint are one transaction.)
//!
//! - [`JsonLines`]: a file, one row a line
//! - [`cosmos`]: Cosmos DB
//! - [`kafka`]: a topic of Kafka, or an event hub
//! - [`feed`]: the live page's figures and rows
//!
//! A sink is called on the pipeline's thread and may block. What it has taken is acknowledged when [`Sink::flush`] returns;
//! only then does the checkpoint pass those rows.

pub mod cosmos;
pub mod feed;
mod json_lines;
pub mod kafka;

pub use json_lines::JsonLines;

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

    /// Where the output stands after a flush. It is kept with the checkpoint, in one transaction, and handed back when the
    /// output is opened again, so that what was written behind the checkpoint can be taken back. `None`: it need not be.
    fn mark(&self) -> Option<Vec<u8>> {
        None
    }
}
