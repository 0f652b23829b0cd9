//! What is wrong with a script, and where: file, line, column, the line itself, and what to do.

use std::fmt;

use sqlparser::tokenizer::{Location, Span};

use crate::fault::Fault;
pub(super) use crate::fault::nearest;

/// A place in the script, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position {
    /// Line, from 1; 0 when unknown.
    pub line: u64,
    /// Column, from 1.
    pub column: u64,
}

impl From<Location> for Position {
    fn from(location: Location) -> Self {
        Self { line: location.line, column: location.column }
    }
}

impl From<Span> for Position {
    fn from(span: Span) -> Self {
        span.start.into()
    }
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Where.
    pub position: Position,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Diagnostic {
    pub(super) fn new(position: impl Into<Position>, message: impl Into<String>) -> Self {
        Self { position: position.into(), message: message.into(), help: None }
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// All findings of one script; at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostics {
    /// The script's file.
    pub file: String,
    /// Its lines, to show the place.
    lines: Vec<String>,
    /// The findings, in the order of the script.
    pub found: Vec<Diagnostic>,
}

impl Diagnostics {
    pub(super) fn new(file: &str, text: &str, mut found: Vec<Diagnostic>) -> Self {
        found.sort_by_key(|diagnostic| diagnostic.position);
        found.dedup();
        Self { file: file.to_owned(), lines: text.lines().map(str::to_owned).collect(), found }
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Diagnostic { position, message, help }) in self.found.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{}:{}:{}: {message}", self.file, position.line, position.column)?;
            if let Some(line) = (position.line as usize).checked_sub(1).and_then(|line| self.lines.get(line)) {
                let caret = " ".repeat((position.column as usize).saturating_sub(1));
                write!(f, "\n  | {}\n  | {caret}^", line.replace('\t', " "))?;
            }
            if let Some(help) = help {
                write!(f, "\n  help: {}", help.replace('\n', "\n  "))?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

impl From<Diagnostics> for Fault {
    fn from(diagnostics: Diagnostics) -> Self {
        Self::job(diagnostics.to_string())
    }
}

/// "did you mean" for a near name, or the list of names.
pub(super) fn suggest<'a>(asked: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    match nearest(asked, known.clone()) {
        Some(near) => format!("did you mean '{near}'?"),
        None => match known.into_iter().collect::<Vec<_>>().as_slice() {
            [] => "there are none".to_owned(),
            known => format!("known are {}", known.join(", ")),
        },
    }
}
