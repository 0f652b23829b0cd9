//! Why generating ended early, in words that never hold a key.

use std::io;
use std::path::{Path, PathBuf};

use crate::fault::Fault;

/// Why generating ended early.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// The facts that are compiled in cannot be read.
    #[error("model/fraud/transactions.json cannot be read: {0}")]
    Facts(#[from] serde_json::Error),
    /// A file cannot be written.
    #[error("{}: cannot be written: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
    /// Standard output cannot be written.
    #[error("standard output cannot be written: {0}")]
    Stdout(#[source] io::Error),
    /// An address that cannot be.
    #[error("--to {address}: {what}")]
    Address {
        /// What was given.
        address: String,
        /// What is wrong with it.
        what: String,
    },
    /// A connection string that cannot be.
    #[error(
        "the connection string's '{part}' is missing or cannot be read; \
         Endpoint=sb://…;SharedAccessKeyName=…;SharedAccessKey=… is expected"
    )]
    ConnectionString {
        /// The part.
        part: &'static str,
    },
    /// The server does not take the events, and will not later.
    #[error("{url} refused the events with status {status}: {answer}")]
    Refused {
        /// The address.
        url: String,
        /// The HTTP status.
        status: u16,
        /// What the server said.
        answer: String,
    },
    /// The server was away or busy for too long.
    #[error("{url} did not take the events for {seconds} seconds: {what}")]
    Away {
        /// The address.
        url: String,
        /// For how long.
        seconds: u64,
        /// The last trouble.
        what: String,
    },
    /// The HTTP client does not work.
    #[error("the HTTP client failed: {0}")]
    Client(String),
}

impl GenerateError {
    pub(super) fn writing(path: Option<&Path>, source: io::Error) -> Self {
        match path {
            Some(path) => Self::File { path: path.to_owned(), source },
            None => Self::Stdout(source),
        }
    }

    /// Whoever reads standard output has had enough: that is success.
    pub(super) fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Stdout(source) if source.kind() == io::ErrorKind::BrokenPipe)
    }
}

impl From<GenerateError> for Fault {
    fn from(error: GenerateError) -> Self {
        let message = error.to_string();
        match error {
            GenerateError::Facts(_) | GenerateError::Client(_) => Self::internal(message),
            GenerateError::Address { .. } | GenerateError::ConnectionString { .. } => Self::job(message),
            GenerateError::Away { .. } => Self::outside(message),
            GenerateError::File { .. } | GenerateError::Stdout(_) | GenerateError::Refused { .. } => Self::outside(message).never(),
        }
    }
}
