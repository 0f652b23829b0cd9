//! What can be wrong with an endpoint.

use std::time::Duration;

use crate::fault::{Domain, Fault, Retry};

/// Why a request failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MlError {
    /// A setting cannot be used.
    #[error("function '{name}': {what}")]
    Settings {
        /// The function.
        name: String,
        /// What was given, what is expected.
        what: String,
    },
    /// The query passes several values.
    #[error("udf.{name} takes one record or one array, {given} arguments were given; pass the name of a step")]
    Arguments {
        /// The function.
        name: String,
        /// How many.
        given: usize,
    },
    /// One row alone is larger than a request may be.
    #[error("udf.{name}: one row has {bytes} bytes as JSON, a request has at most {most}")]
    TooLarge {
        /// The function.
        name: String,
        /// Its size.
        bytes: usize,
        /// The limit.
        most: usize,
    },
    /// The endpoint cannot be reached, or does not answer in time.
    #[error("udf.{name}: {endpoint} cannot be reached: {what}")]
    Unreachable {
        /// The function.
        name: String,
        /// The address, without its query.
        endpoint: String,
        /// Why.
        what: String,
    },
    /// An answer that may be another one later: 503 and its like.
    #[error("udf.{name}: {endpoint} answered {status}: {what}")]
    Busy {
        /// The function.
        name: String,
        /// The address, without its query.
        endpoint: String,
        /// The HTTP status.
        status: u16,
        /// What it says.
        what: String,
        /// How long it asks to wait.
        wait: Option<Duration>,
    },
    /// The endpoint refuses the request: 400, 401, 404, 409 and their like. It stops a job in Stream Analytics.
    #[error("udf.{name}: {endpoint} refused the request with {status}: {what}{}", advice(*status))]
    Refused {
        /// The function.
        name: String,
        /// The address, without its query.
        endpoint: String,
        /// The HTTP status.
        status: u16,
        /// What it says.
        what: String,
    },
    /// The answer is not one value a row.
    #[error("udf.{name}: {what}")]
    Answer {
        /// The function.
        name: String,
        /// What came, what is expected.
        what: String,
    },
    /// The job stops while the call waits.
    #[error("udf.{name}: the job stops")]
    Stopped {
        /// The function.
        name: String,
    },
    /// No thread for requests.
    #[error("requests cannot be made: {0}")]
    Runtime(String),
}

fn advice(status: u16) -> &'static str {
    match status {
        400 => "; does the record have the columns and types that the model expects?",
        401 | 403 => "; is the key right?",
        404 => "; is the address right?",
        _ => "",
    }
}

impl MlError {
    /// Whether the same request may go well later.
    pub(super) fn is_retriable(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Busy { .. })
    }
}

impl From<MlError> for Fault {
    fn from(error: MlError) -> Self {
        let domain = match error {
            MlError::Settings { .. } | MlError::Arguments { .. } => Domain::Job,
            MlError::Unreachable { .. } | MlError::Busy { .. } | MlError::Stopped { .. } => Domain::Outside,
            MlError::Runtime(_) => Domain::Internal,
            MlError::TooLarge { .. } => Domain::Data,
            MlError::Refused { .. } | MlError::Answer { .. } => Domain::Function,
        };
        let retry = if error.is_retriable() { Retry::Backoff } else { Retry::Never };
        Self { retry, ..Self::new(domain, error.to_string()) }
    }
}
