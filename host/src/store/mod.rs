//! The embedded store: documents, dead letters, the checkpoint and what else must survive, in one SQLite file.
//!
//! In: batches with their keys, dead letters, a checkpoint, all in one [`Unit`] that is committed or not at all.
//! Out: the same, through a [`Reader`], also from another process while the job runs.
//!
//! - [`Store`]: the one writer (the pipeline's thread)
//! - [`Unit`]: one transaction
//! - [`Reader`]: reads, also from another process
//! - `outbox`: rows that an output has not taken yet
//! - `schema`: the tables, their version, and why they are laid out as they are

mod error;
mod outbox;
mod print;
mod read;
mod schema;
mod unit;
mod write;

#[cfg(test)]
mod tests;

pub use error::StoreError;
pub use outbox::{Parcel, Waiting};
pub use print::print_documents;
pub use read::{Document, Documents, Reader};
pub use unit::{Scored, Unit};
pub use write::{Store, in_use};

use crate::time::Timestamp;

/// How far the job has come.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Checkpoint {
    /// Each partition of each input.
    pub partitions: Vec<PartitionCheckpoint>,
    /// Windows that end at or before it are in the outputs.
    pub watermark: Timestamp,
}

impl Checkpoint {
    /// The partition's part of it.
    pub fn partition(&self, input: &str, partition: u32) -> Option<&PartitionCheckpoint> {
        self.partitions.iter().find(|known| known.partition == partition && known.input == input)
    }
}

/// How far one partition has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionCheckpoint {
    /// The job's input.
    pub input: String,
    /// The partition.
    pub partition: u32,
    /// All events below this offset are in the outputs.
    pub committed: u64,
    /// The oldest offset that an open window still needs; never above `committed`.
    pub replay_from: u64,
}

/// An event or row that was not processed, with all that is needed to look at it and to send it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The job's input; empty for a row that a window or join made.
    pub input: String,
    /// Partition and offset; `None` for a row that a window or join made.
    pub origin: Option<crate::batch::RowId>,
    /// When the event arrived, or the row's own time.
    pub time: Timestamp,
    /// When it became a dead letter.
    pub recorded: Timestamp,
    /// Who rejected it: `decode`, `udf.prediction`, an output's name.
    pub step: String,
    /// Why.
    pub reason: String,
    /// Name, version and hash of the function that rejected it; empty when none did.
    pub model: String,
    /// The event's bytes as they came, or the row as JSON.
    pub body: Vec<u8>,
}

/// The store's file in the data directory.
const FILE: &str = "documents.db";
