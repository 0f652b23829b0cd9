//! What can go wrong in the log. Every message names the file.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::fault::{Domain, Fault};

/// A place in the log that cannot be read: what was there is lost, what follows is not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{}: the log is damaged at byte {position}: {reason}; hub '{hub}', partition {partition}, offset {offset}; the next readable event has offset {resume}",
    path.display()
)]
pub struct Damage {
    /// The hub.
    pub hub: String,
    /// The partition.
    pub partition: u32,
    /// The first offset that cannot be read.
    pub offset: u64,
    /// The segment file.
    pub path: PathBuf,
    /// Where in the file.
    pub position: u64,
    /// What is wrong there.
    pub reason: String,
    /// The next offset that can be read: go on from here.
    pub resume: u64,
}

/// The end of a file that a crash left unfinished; it was never acknowledged, and was cut off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// The hub.
    pub hub: String,
    /// The partition.
    pub partition: u32,
    /// The segment file.
    pub path: PathBuf,
    /// The file's length now.
    pub position: u64,
    /// How many bytes were cut off.
    pub bytes: u64,
}

/// Why the log did not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LogError {
    /// The disk said no.
    #[error("{}: cannot {action}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system answered.
        source: Arc<io::Error>,
    },
    /// Another process has this log open.
    #[error("{}: the data directory is in use{holder}; stop the other host or give this one another --data-dir", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// Who holds it: ` by process 1234`, or empty.
        holder: String,
    },
    /// Settings that cannot be.
    #[error("hub '{hub}': {what}")]
    Settings {
        /// The hub.
        hub: String,
        /// What is wrong with it.
        what: String,
    },
    /// No such hub.
    #[error("no hub is named '{hub}'; the hubs are {}", known.join(", "))]
    NoHub {
        /// What was asked for.
        hub: String,
        /// What there is.
        known: Vec<String>,
    },
    /// No such partition.
    #[error("hub '{hub}' has no partition {partition}; its partitions are 0 to {}", partitions - 1)]
    NoPartition {
        /// The hub.
        hub: String,
        /// What was asked for.
        partition: u32,
        /// How many there are.
        partitions: u32,
    },
    /// An event that the log does not take.
    #[error("event {index} is too large for the log: {what}")]
    TooLarge {
        /// Which of the events given.
        index: usize,
        /// What is too large.
        what: String,
    },
    /// The events at this place cannot be read.
    #[error(transparent)]
    Damaged(#[from] Damage),
    /// A reader asks for events that were deleted.
    #[error("hub '{hub}', partition {partition}: offset {from} is no longer kept; the oldest is {start}")]
    Gone {
        /// The hub.
        hub: String,
        /// The partition.
        partition: u32,
        /// What was asked for.
        from: u64,
        /// The oldest that is kept.
        start: u64,
    },
    /// A reader asks for events that never were: its checkpoint belongs to another log.
    #[error("hub '{hub}', partition {partition}: offset {from} is after the log's end {end}; the checkpoint belongs to another log")]
    Ahead {
        /// The hub.
        hub: String,
        /// The partition.
        partition: u32,
        /// What was asked for.
        from: u64,
        /// The next offset that will be written.
        end: u64,
    },
    /// A file of a newer program.
    #[error("{}: {what}; use the version of tamis that wrote it, or a newer one", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What was found and what is known.
        what: String,
    },
    /// The log is closed.
    #[error("the log is closed")]
    Closed,
}

impl LogError {
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, path: path.to_owned(), source: Arc::new(source) }
    }

    /// Whether the disk is full (or the quota used up).
    pub fn is_disk_full(&self) -> bool {
        use io::ErrorKind::{QuotaExceeded, StorageFull};
        matches!(self, Self::Io { source, .. } if matches!(source.kind(), StorageFull | QuotaExceeded))
    }
}

impl From<LogError> for Fault {
    fn from(error: LogError) -> Self {
        let message = error.to_string();
        match error {
            LogError::Io { .. } if error.is_disk_full() => {
                Self::outside(format!("{message}; make room on the disk and start again: nothing that was acknowledged is lost")).never()
            }
            LogError::Io { .. } | LogError::Damaged(_) | LogError::Locked { .. } | LogError::Format { .. } => {
                Self::outside(message).never()
            }
            LogError::Settings { .. } | LogError::NoHub { .. } | LogError::NoPartition { .. } => Self::job(message),
            LogError::Gone { .. } | LogError::Ahead { .. } => Self::outside(message).never(),
            LogError::TooLarge { .. } => Self::new(Domain::Data, message),
            LogError::Closed => Self::internal(message),
        }
    }
}
