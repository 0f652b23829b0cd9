//! The embedded store: documents, dead letters, the checkpoint and what else must survive, in one SQLite file.
//!
//! In: batches with their keys, dead letters, a checkpoint, all in one [`Unit`] that is committed or not at all.
//! Out: the same, through a [`Reader`], also from another process while the job runs.
//!
//! - [`Store`]: the one writer (the pipeline's thread)
//! - [`Unit`]: one transaction
//! - [`Reader`]: reads, also from another process
//! - `outbox`: rows that an output has not taken yet
//! - [`Letters`]: dead letters by what they are about, and the mark that one was sent again; also from another process
//! - `schema`: the tables, their version, and why they are laid out as they are

mod error;
mod letters;
mod outbox;
mod print;
mod read;
mod schema;
mod unit;
mod write;

#[cfg(test)]
mod tests;

pub use error::StoreError;
pub use letters::{Letters, Only};
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
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeadLetter {
    /// The job's input; empty for a row that a window or join made, and for a row that an output refused.
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
    /// The partition key that the event was sent with.
    pub key: Option<String>,
    /// The properties that its sender gave it.
    pub properties: Vec<(String, String)>,
    /// When it was sent again.
    pub replayed: Option<Timestamp>,
}

impl DeadLetter {
    /// All of it as one JSON object. A body that is no text is `body_base64`.
    pub fn json(&self, id: i64) -> serde_json::Value {
        use base64::Engine as _;
        let mut object = serde_json::json!({
            "id": id,
            "input": self.input,
            "partition": self.origin.map(|origin| origin.partition),
            "offset": self.origin.map(|origin| origin.offset),
            "time": self.time.to_string(),
            "recorded": self.recorded.to_string(),
            "step": self.step,
            "reason": self.reason,
            "model": Some(&self.model).filter(|model| !model.is_empty()),
            "replayed": self.replayed.map(|replayed| replayed.to_string()),
        });
        if let Some(key) = &self.key {
            object["key"] = key.as_str().into();
        }
        if !self.properties.is_empty() {
            object["properties"] =
                self.properties.iter().map(|(name, value)| (name.clone(), serde_json::Value::from(value.as_str()))).collect();
        }
        match std::str::from_utf8(&self.body) {
            Ok(text) => object["body"] = text.into(),
            Err(_) => object["body_base64"] = base64::engine::general_purpose::STANDARD.encode(&self.body).into(),
        }
        object
    }
}

/// The state's key for what each input of the job reads: `{"input": "hub"}`, null for one that is no hub of the log.
pub const INPUTS_STATE: &str = "inputs";

/// The store's file in the data directory.
const FILE: &str = "documents.db";
