//! What can go wrong with the store.

use std::path::PathBuf;

use crate::fault::Fault;

/// Trouble with the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The data directory cannot be made or used.
    #[error("cannot use the data directory {}: {cause}. Choose another with --data-dir", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// Nothing was ever stored there.
    #[error("no documents in {}: {} is not there. Start the job with `tamis run` first, or name its directory with --data-dir", path.display(), super::FILE)]
    Absent {
        /// The directory.
        path: PathBuf,
    },
    /// Another host writes there.
    #[error("another host is using the data directory {}. Stop it, or choose another directory with --data-dir", path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// The file was written by a later version of this program.
    #[error("{} was written by a newer tamis: its layout is version {found}, this tamis knows up to {known}. Use the newer tamis, or another --data-dir", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest version that this program knows.
        known: i64,
    },
    /// The file is something else.
    #[error("{} is not a tamis store. Move it away, or choose another --data-dir", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// No such output.
    #[error("no output `{name}` has documents; known outputs: {}", if known.is_empty() { "none yet".to_owned() } else { known.join(", ") })]
    NoOutput {
        /// The name that was asked for.
        name: String,
        /// The names that are there.
        known: Vec<String>,
    },
    /// A number that SQLite cannot hold.
    #[error("offset {0} is beyond what the store can hold (2^63 - 1)")]
    Offset(u64),
    /// The disk is full.
    #[error("the disk of the data directory is full. Nothing is lost: free some space and start again")]
    DiskFull,
    /// The file is damaged.
    #[error("the store is damaged: {0}. Restore it from a copy, or move it away: the log still has the events")]
    Damaged(String),
    /// Another trouble that SQLite reports.
    #[error("the store failed: {0}")]
    Sqlite(rusqlite::Error),
    /// The documents could not be written out.
    #[error("cannot write the documents out: {0}")]
    Output(#[from] std::io::Error),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::DiskFull,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged(error.to_string()),
            _ => Self::Sqlite(error),
        }
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        let message = error.to_string();
        match error {
            StoreError::Sqlite(_) => Self::outside(message),
            StoreError::Offset(_) => Self::internal(message),
            _ => Self::outside(message).never(),
        }
    }
}
