//! Where each `INTO` goes.
//!
//! In: batches with their documents' keys. Out: a file, Cosmos DB, the live page. (The embedded store is a room of its
//! own, because its documents and the checkpoint are one transaction.)
//!
//! - [`JsonLines`]: a file, one row a line
//! - [`cosmos`]: Cosmos DB
//! - [`feed`]: the live page's figures and rows
//!
//! A sink is called on the pipeline's thread and may block. What it has taken is acknowledged when [`Sink::flush`] returns;
//! only then does the checkpoint pass those rows.

pub mod cosmos;
pub mod feed;
mod json_lines;

pub use json_lines::JsonLines;

use crate::batch::{Batch, DocumentKeys};
use crate::fault::{Fault, Rejected};

/// An output.
pub trait Sink: Send + std::fmt::Debug {
    /// Takes the rows of a batch. A row that this output can never take is answered as rejected, and the others are taken.
    /// A fault with [`crate::fault::Retry::Never`] stops the job; the sink itself retries what may pass.
    fn write(&mut self, batch: &Batch, keys: &DocumentKeys) -> Result<Vec<Rejected>, Fault>;

    /// Returns when everything taken so far is durable.
    fn flush(&mut self) -> Result<(), Fault>;

    /// How far it is written, after [`Sink::flush`], where rows that come again after a crash would be there twice. It is kept
    /// with the checkpoint, and [`Sink::resume`] gets it at the next start.
    fn position(&self) -> Option<u64> {
        None
    }

    /// Forgets what was written behind a position.
    ///
    /// # Errors
    /// A [`Fault`] when it cannot.
    fn resume(&mut self, position: u64) -> Result<(), Fault> {
        let _nothing_to_forget = position;
        Ok(())
    }
}
