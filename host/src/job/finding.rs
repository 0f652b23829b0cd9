//! What is found in a project: where, what, and what to do about it.

use std::fmt;

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The job does not start with it.
    Error,
    /// The job runs; something is different here, or not used.
    Note,
    /// A setting that only the cloud uses. It stays where it is.
    Cloud,
}

/// A place in a file, from 1; 0 where it is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Place {
    /// Line.
    pub line: usize,
    /// Column.
    pub column: usize,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How much it matters.
    pub level: Level,
    /// The file.
    pub file: String,
    /// Where in it.
    pub place: Place,
    /// What is found.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

impl Finding {
    /// Something that is different here, or not used.
    pub fn note(file: impl Into<String>, message: impl Into<String>) -> Self {
        Self { level: Level::Note, file: file.into(), place: Place::default(), message: message.into(), help: None }
    }

    /// Something that the job does not start with.
    pub fn error(file: impl Into<String>, message: impl Into<String>) -> Self {
        Self { level: Level::Error, ..Self::note(file, message) }
    }

    /// A setting that only the cloud uses.
    pub fn cloud(file: impl Into<String>, message: impl Into<String>) -> Self {
        Self { level: Level::Cloud, ..Self::note(file, message) }
    }

    /// The same, with its place.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.place = place;
        self
    }

    /// The same, with what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 { Ok(()) } else { write!(f, ":{}:{}", self.line, self.column) }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}: {}", self.file, self.place, self.message)?;
        match &self.help {
            Some(help) => write!(f, "\n  help: {}", help.replace('\n', "\n  ")),
            None => Ok(()),
        }
    }
}

impl Place {
    /// Where a JSON text has the last of these keys, each looked for behind the one before, without regard to case. Not known when
    /// one of them is not there.
    pub(super) fn of_key(text: &str, keys: &[&str]) -> Self {
        let mut at = 0;
        let mut found = None;
        for key in keys {
            match find_key(text, key, at) {
                Some(start) => (at, found) = (start + key.len() + 2, Some(start)),
                None => return Self::default(),
            }
        }
        found.map_or(Self::default(), |at| Self::of_byte(text, at))
    }

    /// Where a JSON text has a key for the `number`th time, from 0.
    pub(super) fn of_nth(text: &str, key: &str, number: usize) -> Self {
        let mut at = 0;
        for _ in 0..number {
            match find_key(text, key, at) {
                Some(start) => at = start + key.len() + 2,
                None => return Self::default(),
            }
        }
        find_key(text, key, at).map_or(Self::default(), |at| Self::of_byte(text, at))
    }

    fn of_byte(text: &str, at: usize) -> Self {
        let before = &text[..at];
        let start = before.rfind('\n').map_or(0, |end| end + 1);
        Self { line: before.matches('\n').count() + 1, column: before[start..].chars().count() + 1 }
    }
}

/// Where `"key" :` begins, from byte `from` on.
fn find_key(text: &str, key: &str, from: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let length = key.len() + 2;
    (from..bytes.len().saturating_sub(length)).find(|start| {
        let quoted = &bytes[*start..*start + length];
        quoted[0] == b'"'
            && quoted[length - 1] == b'"'
            && quoted[1..length - 1].eq_ignore_ascii_case(key.as_bytes())
            && bytes[*start + length..].trim_ascii_start().first() == Some(&b':')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_in_their_place() {
        let text = "{\n  \"a\": \"b\",\n  \"Set\": {\"é\": 1, \"B\" : 2},\n  \"b\": 3\n}";
        assert_eq!(Place::of_key(text, &["b"]), Place { line: 3, column: 19 });
        assert_eq!(Place::of_key(text, &["set", "B"]), Place { line: 3, column: 19 });
        assert_eq!(Place::of_nth(text, "b", 1), Place { line: 4, column: 3 });
        assert_eq!(Place::of_key(text, &["set", "c"]), Place::default());
        assert_eq!(Place::of_key("\"", &["a"]), Place::default());
        let finding = Finding::error("x.json", "no").at(Place { line: 3, column: 5 }).help("yes");
        assert_eq!(finding.to_string(), "x.json:3:5: no\n  help: yes");
    }
}
