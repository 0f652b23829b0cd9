//! What can be wrong with a project folder.

use super::{Finding, Place};
use crate::fault::Fault;

/// Why a project cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// A file cannot be read.
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
    #[error("{0}")]
    Setting(Finding),
    /// Several things are wrong.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Several(Vec<Self>),
}

impl JobError {
    /// One error of several; `None` of none.
    pub(super) fn of(mut errors: Vec<Self>) -> Option<Self> {
        if errors.len() > 1 { Some(Self::Several(errors)) } else { errors.pop() }
    }

    /// Each thing that is wrong.
    pub fn findings(self) -> Vec<Finding> {
        match self {
            Self::Read { file, source } => vec![Finding::error(file, format!("the file cannot be read: {source}"))],
            Self::Json { file, line, column, message } => vec![Finding::error(file, message).at(Place { line, column })],
            Self::Setting(finding) => vec![finding],
            Self::Several(errors) => errors.into_iter().flat_map(Self::findings).collect(),
        }
    }
}

impl From<JobError> for Fault {
    fn from(error: JobError) -> Self {
        Self::job(error.to_string())
    }
}
