//! What went wrong, said the same way in every room: whose fault it is, whether to try again, where, and what to do.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::batch::{Batch, RowId, write_value};
use crate::time::Timestamp;

/// Whose fault it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Domain {
    /// The job: its query, its settings, its project files. The job stops, or does not start.
    Job,
    /// One event or row. It goes to the dead letter; the job goes on.
    Data,
    /// The function: it trapped, ran out of time or memory, or answered nonsense.
    Function,
    /// Something outside: a network, a server, a disk.
    Outside,
    /// This program. Please report it.
    Internal,
}

/// Whether the same thing may work when it is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// It will fail again.
    Never,
    /// Try again, later each time.
    Backoff,
}

/// A fault with everything that its reader needs. Each room has its own typed errors and turns them into this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Whose fault it is.
    pub domain: Domain,
    /// Whether to try again.
    pub retry: Retry,
    /// Where: a file with line and column, a step, a partition with offset, an address. Empty when the message says it.
    pub place: String,
    /// What was given, what was expected, and what to do.
    pub message: String,
}

impl Fault {
    /// A fault that trying again does not cure.
    pub fn new(domain: Domain, message: impl Into<String>) -> Self {
        Self { domain, retry: Retry::Never, place: String::new(), message: message.into() }
    }

    /// A fault of the job.
    pub fn job(message: impl Into<String>) -> Self {
        Self::new(Domain::Job, message)
    }

    /// A fault of the function.
    pub fn function(message: impl Into<String>) -> Self {
        Self::new(Domain::Function, message)
    }

    /// A fault outside that may pass.
    pub fn outside(message: impl Into<String>) -> Self {
        Self { retry: Retry::Backoff, ..Self::new(Domain::Outside, message) }
    }

    /// A fault of this program.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(Domain::Internal, message)
    }

    /// The same fault, with the place where it happened.
    #[must_use]
    pub fn at(mut self, place: impl Into<String>) -> Self {
        self.place = place.into();
        self
    }

    /// The same fault, which trying again does not cure.
    #[must_use]
    pub fn never(mut self) -> Self {
        self.retry = Retry::Never;
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.place.is_empty() { f.write_str(&self.message) } else { write!(f, "{}: {}", self.place, self.message) }
    }
}

impl std::error::Error for Fault {}

/// A row or event that is not processed further, and why. Trouble with one row is data, not an `Err`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejected {
    /// Where the event came from; `None` for a row that was made by a window or a join.
    pub origin: Option<RowId>,
    /// The place of the job's input that it came from, where that is known here.
    pub input: Option<usize>,
    /// What there is of a row that no single event made.
    pub made: Option<Made>,
    /// The step or room that rejected it: `decode`, `udf.prediction`.
    pub step: String,
    /// Why, in words that name the column.
    pub reason: String,
}

/// A row that a window or a join made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// Its time.
    pub time: Timestamp,
    /// The row as JSON.
    pub row: String,
}

impl Rejected {
    /// An event, or the place of one that is lost.
    pub fn event(origin: RowId, step: &str, reason: String) -> Self {
        Self { origin: Some(origin), input: None, made: None, step: step.to_owned(), reason }
    }

    /// Row `row` of a batch.
    pub fn row(batch: &Batch, row: usize, step: &str, reason: String) -> Self {
        let origin = batch.row_id(row);
        let made = origin.is_none().then(|| {
            let mut text = Vec::new();
            write_value(&batch.record(row), &mut text);
            Made { time: batch.times[row], row: String::from_utf8_lossy(&text).into_owned() }
        });
        Self { origin, input: batch.input(row), made, step: step.to_owned(), reason }
    }
}

/// The known name that is nearest to a misspelt one, if any is near.
pub fn nearest<'a>(asked: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let asked = asked.to_lowercase();
    let limit = 1 + asked.chars().count() / 4;
    known
        .into_iter()
        .map(|name| (distance(&asked, &name.to_lowercase()), name))
        .filter(|(far, _)| *far <= limit)
        .min()
        .map(|(_, name)| name)
}

/// Edits (insert, delete, change) between two words.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (at, letter) in left.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], at + 1);
        for (column, other) in right.iter().enumerate() {
            let change = diagonal + usize::from(letter != *other);
            diagonal = row[column + 1];
            row[column + 1] = change.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}
