//! `LIKE` patterns: `%` any text, `_` one letter, `[abc]` and `[^a-c]` one of these letters.

use arrow_array::{Array, StringArray};
use regex::Regex;

use crate::batch::{Column, Value};

/// A pattern, ready to be matched.
#[derive(Debug)]
pub struct Like {
    pattern: String,
    form: Form,
}

#[derive(Debug)]
enum Form {
    Exactly(String),
    StartsWith(String),
    EndsWith(String),
    Contains(String),
    Regex(Regex),
    /// No text fits: a bracket that holds nothing.
    Nothing,
}

impl Like {
    /// Reads a pattern. Any text is one.
    pub(super) fn new(pattern: &str) -> Self {
        let special = |text: &str| text.contains(['%', '_', '[']);
        let inner = pattern.trim_start_matches('%').trim_end_matches('%');
        let form = if special(inner) {
            Regex::new(&translated(pattern)).map_or(Form::Nothing, Form::Regex)
        } else {
            match (pattern.starts_with('%'), pattern.ends_with('%')) {
                (false, false) => Form::Exactly(inner.to_owned()),
                (false, true) => Form::StartsWith(inner.to_owned()),
                (true, false) => Form::EndsWith(inner.to_owned()),
                (true, true) => Form::Contains(inner.to_owned()),
            }
        };
        Self { pattern: pattern.to_owned(), form }
    }

    pub(super) fn pattern(&self) -> &str {
        &self.pattern
    }

    /// Whether a text fits.
    pub(super) fn fits(&self, text: &str) -> bool {
        match &self.form {
            Form::Exactly(whole) => text == whole,
            Form::StartsWith(start) => text.starts_with(start.as_str()),
            Form::EndsWith(end) => text.ends_with(end.as_str()),
            Form::Contains(part) => text.contains(part.as_str()),
            Form::Regex(regex) => regex.is_match(text),
            Form::Nothing => false,
        }
    }

    /// Whether each text fits; what is no text does not.
    pub(super) fn over(&self, column: &Column) -> Column {
        match column {
            Column::Text(array) => Column::Bit(fit(array, self)),
            Column::Mixed(values) => {
                Column::Bit(values.iter().map(|value| Some(matches!(value, Value::Text(text) if self.fits(text)))).collect())
            }
            other => Column::Bit(vec![false; other.len()].into()),
        }
    }
}

fn fit(array: &StringArray, like: &Like) -> arrow_array::BooleanArray {
    (0..array.len()).map(|row| Some(array.is_valid(row) && like.fits(array.value(row)))).collect()
}

fn translated(pattern: &str) -> String {
    let mut out = String::from("(?s)^");
    let mut letters = pattern.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '%' => out.push_str(".*"),
            '_' => out.push('.'),
            '[' => {
                let mut inside = String::new();
                let mut closed = false;
                for letter in letters.by_ref() {
                    if letter == ']' && !inside.is_empty() {
                        closed = true;
                        break;
                    }
                    inside.push(letter);
                }
                if closed {
                    let (not, set) = inside.strip_prefix('^').map_or(("", inside.as_str()), |set| ("^", set));
                    out.push('[');
                    out.push_str(not);
                    for letter in set.chars() {
                        if letter != '-' && !letter.is_alphanumeric() {
                            out.push('\\');
                        }
                        out.push(letter);
                    }
                    out.push(']');
                } else {
                    out.push_str(&regex::escape(&format!("[{inside}")));
                }
            }
            other => out.push_str(&regex::escape(other.encode_utf8(&mut [0; 4]))),
        }
    }
    out.push('$');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_stand_for_letters_and_sets() {
        let fits = |pattern: &str, text: &str| Like::new(pattern).fits(text);
        assert!(fits("Till", "Till") && !fits("Till", "Till 2") && !fits("till", "Till"));
        assert!(fits("%AC%", "xACx") && fits("%AC%", "AC") && !fits("%AC%", "A C"));
        assert!(fits("a%", "a") && fits("a%c", "abbc") && !fits("a%c", "abb") && fits("%", "") && fits("%c", "abc"));
        assert!(fits("_-[0-9][0-9]", "C-42") && !fits("_-[0-9][0-9]", "C-4x") && !fits("_", ""));
        assert!(fits("[^a-c]x", "dx") && !fits("[^a-c]x", "ax") && fits("5[%]", "5%") && !fits("5[%]", "50"));
        assert!(fits("a.c(", "a.c(") && !fits("a.c(", "abc(") && fits("[abc", "[abc") && fits("a\nb%", "a\nbc"));
    }
}
