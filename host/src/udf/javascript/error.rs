//! What can be wrong with a script.

use std::time::Duration;

use crate::fault::{Domain, Fault};

/// Why a script cannot be used, or a call of it failed. The texts follow Stream Analytics where it has one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScriptError {
    /// The engine does not start.
    #[error("the JavaScript engine does not start: {0}")]
    Engine(String),
    /// The file is not JavaScript, or has not the one function that is called.
    #[error("{file}: {what}")]
    Script {
        /// The file.
        file: String,
        /// What is wrong with it, and what is expected.
        what: String,
    },
    /// The script threw.
    #[error("Function '{name}' resulted in an error: '{error}' Stack: {stack}{}", given(arguments))]
    Threw {
        /// The function.
        name: String,
        /// What it threw.
        error: String,
        /// Where, as the engine tells it.
        stack: String,
        /// The arguments as JSON, shortened; empty when they are not known.
        arguments: String,
    },
    /// A call took too long.
    #[error("Function '{name}' took longer than {deadline:?}.{}", given(arguments))]
    Deadline {
        /// The function.
        name: String,
        /// What one call may take.
        deadline: Duration,
        /// The arguments as JSON, shortened.
        arguments: String,
    },
    /// The script needs more memory than it may have.
    #[error("Function '{name}' ran out of its memory of {bytes} bytes.{}", given(arguments))]
    Memory {
        /// The function.
        name: String,
        /// What it may have.
        bytes: usize,
        /// The arguments as JSON, shortened.
        arguments: String,
    },
    /// What it returned is no value of the language, or not of the declared type.
    #[error("Function '{name}' returned {what}{}", given(arguments))]
    Returned {
        /// The function.
        name: String,
        /// What it returned, and what is expected.
        what: String,
        /// The arguments as JSON, shortened.
        arguments: String,
    },
    /// So many calls of a batch ran out of time or memory that the rest of it was not tried.
    #[error("Function '{name}' was not called for this row: {calls} rows before it ran out of time or memory")]
    GivenUp {
        /// The function.
        name: String,
        /// How many.
        calls: usize,
    },
}

fn given(arguments: &str) -> String {
    if arguments.is_empty() { String::new() } else { format!(" Arguments: {arguments}") }
}

impl ScriptError {
    /// Whether the engine must not be used again.
    pub(super) fn is_exhausted(&self) -> bool {
        matches!(self, Self::Deadline { .. } | Self::Memory { .. } | Self::Engine(_))
    }

    /// The same with the arguments of the call.
    #[must_use]
    pub(super) fn with(mut self, shown: String) -> Self {
        match &mut self {
            Self::Threw { arguments, .. }
            | Self::Deadline { arguments, .. }
            | Self::Memory { arguments, .. }
            | Self::Returned { arguments, .. } => *arguments = shown,
            Self::Engine(_) | Self::Script { .. } | Self::GivenUp { .. } => {}
        }
        self
    }
}

impl From<ScriptError> for Fault {
    fn from(error: ScriptError) -> Self {
        let domain = match error {
            ScriptError::Engine(_) => Domain::Internal,
            ScriptError::Script { .. } => Domain::Job,
            _ => Domain::Function,
        };
        Self::new(domain, error.to_string())
    }
}
