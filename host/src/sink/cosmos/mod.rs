//! Cosmos DB: each row of the output becomes one document of a container, inserted or replaced whole.
//!
//! What Stream Analytics does at compatibility level 1.2, and where this differs:
//!
//! | what | rule |
//! | --- | --- |
//! | id, Document ID set | the value of that column; a row that also has another column `id` is refused |
//! | id, Document ID not set | the row's own column `id`, written again when it comes again (there: an error); without such a column the row's [key](crate::batch::DocumentKeys), so that a replayed row overwrites itself (there: a new random id) |
//! | id, its form | text of 1 to 255 characters without `/ \ ? #`, control characters or a space at the end; numbers become text; records and arrays are refused |
//! | partition key | a column of the row, exact in case, never null; its value becomes text (`1` is `"1"`); the container's path must be that column |
//! | merging | never: levels 1.0 and 1.1, which merge into the document that is there, are run as 1.2 |
//!
//! What becomes of what the server answers:
//!
//! | answer | policy Retry | policy Drop | policy Stop |
//! | --- | --- | --- | --- |
//! | 408, 410, 429, 449, 5xx, no answer, a broken one | again, with the server's delay or growing pauses, without end | the same | the same |
//! | 401, 403, 404 | the job stops | the same | the same |
//! | a row that breaks the rules above, or is over 2 MB (413) | dead letter | dead letter | the job stops |
//! | 400 or 409 for one document | again, without end | dead letter | the job stops |
//!
//! A row that can never be written does not hold up the others under Retry, as it would there: it is not lost, it is a dead
//! letter. What only the server judges may be cured at the server (a unique key, an index), and waits.
//!
//! Rows of one partition key go as transactional batches of up to 100, several at a time. Only what was not yet written is
//! sent again.

mod answer;
mod connect;
mod document;
mod read;
mod write;

#[cfg(test)]
#[cfg(feature = "cosmos-emulator")]
mod tests;

use std::fmt;

use azure_core::credentials::Secret;
use azure_data_cosmos::CosmosRuntimeBuilder;
use tokio::runtime::Handle;

use super::{Refused, Sink};
use crate::batch::{Batch, DocumentKeys};
use crate::fault::{Fault, Retry};
use document::{Document, Shape};
pub use read::print_documents;
use write::Writer;

/// How to reach a container, and what its documents are made of.
#[derive(Debug, Clone)]
pub struct CosmosSettings {
    /// The output's name in the query.
    pub output: String,
    /// The file that these settings are from, for messages.
    pub file: String,
    /// The account's address: `https://ACCOUNT.documents.azure.com:443/`.
    pub endpoint: String,
    /// How to log in.
    pub login: Login,
    /// The database.
    pub database: String,
    /// The container.
    pub container: String,
    /// The column that is the partition key.
    pub partition_key: String,
    /// The column that is the document's id, when one is named.
    pub document_id: Option<String>,
    /// What happens to a row that cannot be written.
    pub policy: ErrorPolicy,
}

/// How to log in at an account.
#[derive(Debug, Clone)]
pub enum Login {
    /// With one of the account's keys. It is never printed.
    Key(Secret),
    /// With a token of Entra ID, for whom the environment says: see [`connect`].
    EntraId,
}

/// What happens to a row that cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ErrorPolicy {
    /// It is tried again; what can never be written is a dead letter.
    #[default]
    Retry,
    /// It is a dead letter.
    Drop,
    /// The job stops.
    Stop,
}

impl Login {
    /// With this key.
    pub fn key(key: &str) -> Self {
        Self::Key(Secret::from(key.to_owned()))
    }
}

impl CosmosSettings {
    fn place(&self) -> String {
        format!("output '{}'", self.output)
    }

    fn wrong(&self, message: impl fmt::Display) -> Fault {
        Fault::job(message.to_string()).at(format!("{}: {}", self.file, self.place()))
    }
}

/// Writes rows to a container.
#[derive(Debug)]
pub struct CosmosSink {
    runtime: Handle,
    writer: Connection,
    shape: Shape,
    in_hand: Option<InHand>,
}

/// An account that was reached before may be down when the job starts; it is connected to with the first row then.
#[derive(Debug)]
enum Connection {
    Open(Writer),
    Later(Box<(CosmosSettings, CosmosRuntimeBuilder)>),
}

/// What is left of a batch whose writing was interrupted; the pipeline brings the same batch again.
#[derive(Debug)]
struct InHand {
    keys: DocumentKeys,
    left: Vec<Document>,
    refused: Vec<Refused>,
}

impl CosmosSink {
    /// Connects, and checks that the container is there with the partition key that the rows have.
    /// `columns` are the names of the columns of each statement that feeds it, where they are known before the first row. Blocks.
    /// `known`: an earlier run has reached it, so that it may be down now; it is checked once it can be reached.
    ///
    /// # Errors
    /// When the container cannot be reached, or the settings do not fit it or the columns.
    pub fn open(settings: &CosmosSettings, columns: &[Vec<String>], known: bool, runtime: &Handle) -> Result<Self, Fault> {
        Self::open_with(settings, columns, known, runtime, CosmosRuntimeBuilder::new())
    }

    fn open_with(
        settings: &CosmosSettings,
        columns: &[Vec<String>],
        known: bool,
        runtime: &Handle,
        client: CosmosRuntimeBuilder,
    ) -> Result<Self, Fault> {
        let shape = Shape::new(settings, columns)?;
        let writer = match Self::connect(settings, runtime, &client) {
            Ok(writer) => Connection::Open(writer),
            Err(fault) if known && fault.retry == Retry::Backoff => {
                tracing::warn!(%fault, "The job starts without it; its rows wait until it can be reached.");
                Connection::Later(Box::new((settings.clone(), client)))
            }
            Err(fault) => return Err(fault.never()),
        };
        Ok(Self { runtime: runtime.clone(), writer, shape, in_hand: None })
    }

    fn connect(settings: &CosmosSettings, runtime: &Handle, client: &CosmosRuntimeBuilder) -> Result<Writer, Fault> {
        let container = connect::wait_for(runtime, connect::container(settings, client.clone()))?;
        Ok(Writer::new(container, settings.place(), settings.policy))
    }

    fn take_up(&mut self, writer: &Writer, batch: &Batch, keys: &DocumentKeys) -> Result<InHand, Fault> {
        if let Some(in_hand) = self.in_hand.take()
            && in_hand.keys == *keys
        {
            return Ok(in_hand);
        }
        let (left, refused) = self.shape.documents(batch, keys);
        for row in &refused {
            writer.allow(row)?;
        }
        Ok(InHand { keys: keys.clone(), left, refused })
    }

    fn write_with(&mut self, writer: &Writer, batch: &Batch, keys: &DocumentKeys) -> Result<Vec<Refused>, Fault> {
        let mut in_hand = self.take_up(writer, batch, keys)?;
        let round = self.runtime.block_on(writer.round(std::mem::take(&mut in_hand.left)));
        in_hand.refused.extend(round.refused);
        let Some(fault) = round.fault else {
            in_hand.refused.sort_by_key(|refused| refused.row);
            return Ok(in_hand.refused);
        };
        in_hand.left = round.left;
        self.in_hand = Some(in_hand);
        Err(fault)
    }
}

impl Sink for CosmosSink {
    fn write(&mut self, batch: &Batch, keys: &DocumentKeys) -> Result<Vec<Refused>, Fault> {
        if let Connection::Later(later) = &self.writer {
            self.writer = Connection::Open(Self::connect(&later.0, &self.runtime, &later.1)?);
        }
        let Connection::Open(writer) = &self.writer else { return Err(Fault::internal("Cosmos DB is not connected")) };
        let writer = writer.clone();
        self.write_with(&writer, batch, keys)
    }

    /// What [`Sink::write`] has taken, the server has acknowledged.
    fn flush(&mut self) -> Result<(), Fault> {
        Ok(())
    }
}
