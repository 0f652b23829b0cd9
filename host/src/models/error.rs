//! What can be wrong with a wish, or with the file.

use std::path::PathBuf;

use crate::fault::Fault;

/// Trouble with the versions of functions.
#[derive(Debug, thiserror::Error)]
pub enum ModelsError {
    /// No data directory, or one that was never used.
    #[error("no versions in {}: start the job with `tamis run` first, or name its directory with --data-dir", path.display())]
    Absent {
        /// The directory.
        path: PathBuf,
    },
    /// No version of that name.
    #[error("there is no version '{asked}'; known are {}", listed(known))]
    Unknown {
        /// What was asked for.
        asked: String,
        /// What there is.
        known: Vec<String>,
    },
    /// A name or the start of a hash that fits several.
    #[error("'{asked}' fits several versions: {}; give more of the hash", known.join(", "))]
    Ambiguous {
        /// What was asked for.
        asked: String,
        /// What it fits.
        known: Vec<String>,
    },
    /// The job has several functions, or none of that name.
    #[error("which function? the job has {}; say it with --function", listed(known))]
    Function {
        /// The functions.
        known: Vec<String>,
    },
    /// Nothing to go back to.
    #[error("udf.{function} had no champion before this one; there is nothing to go back to")]
    First {
        /// The function.
        function: String,
    },
    /// The champion cannot challenge itself.
    #[error("{version} decides already; a challenger is another version")]
    Same {
        /// The version.
        version: String,
    },
    /// The file fails.
    #[error("the versions' file failed: {0}")]
    Sqlite(#[from] rusqlite::Error),
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "none yet".to_owned() } else { names.join(", ") }
}

impl From<ModelsError> for Fault {
    fn from(error: ModelsError) -> Self {
        match error {
            ModelsError::Sqlite(_) => Self::outside(error.to_string()),
            _ => Self::job(error.to_string()),
        }
    }
}
