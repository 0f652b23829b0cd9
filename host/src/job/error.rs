//! What can be wrong with a project folder.

use crate::fault::Fault;

/// Why a project cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// A file that the project names is not there.
    #[error("{file}: the file cannot be read: {source}")]
    Read {
        /// The file.
        file: String,
        /// Why.
        source: std::io::Error,
    },
    /// A file is not JSON, or not of its form.
    #[error("{file}:{line}:{column}: {message}")]
    Json {
        /// The file.
        file: String,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What is wrong.
        message: String,
    },
    /// A setting has a value that cannot be used.
    #[error("{file}: {message}")]
    Setting {
        /// The file.
        file: String,
        /// What was given, what is expected.
        message: String,
    },
}

impl From<JobError> for Fault {
    fn from(error: JobError) -> Self {
        Self::job(error.to_string())
    }
}
