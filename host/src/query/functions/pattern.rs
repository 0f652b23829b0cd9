//! Patterns of PATINDEX and REGEXMATCH. Each is compiled once for many rows.

use std::cell::RefCell;
use std::rc::Rc;

use regex::RegexBuilder;

/// So many compiled patterns are kept in each thread; beyond, the oldest goes.
const KEPT: usize = 32;
/// A pattern may take so many bytes when compiled.
const SIZE: usize = 1 << 20;

#[derive(Debug)]
enum Compiled {
    /// In time linear in the text.
    Linear(regex::Regex),
    /// All of ECMAScript: look-around and back references too, which need backtracking.
    Full(regress::Regex),
    /// Not a valid pattern.
    Wrong,
}

type Kept = RefCell<Vec<(String, Rc<Compiled>)>>;

thread_local! {
    static LIKE: Kept = const { RefCell::new(Vec::new()) };
    static REGULAR: Kept = const { RefCell::new(Vec::new()) };
}

/// The place in bytes at which a pattern of `LIKE` (`%`, `_`, `[a-z]`, `[^a-z]`) is first found.
pub(super) fn like(pattern: &str, text: &str) -> Option<usize> {
    LIKE.with(|kept| compiled(kept, pattern, |pattern| build(&like_regex(pattern), false).unwrap_or(Compiled::Wrong))).find(text)
}

/// The place in bytes at which an ECMAScript regular expression is first found, without regard to case; a `.` is any
/// character. None also when it is not a valid one.
pub(super) fn regular(pattern: &str, text: &str) -> Option<usize> {
    let compile = |pattern: &str| {
        let full = || regress::Regex::with_flags(pattern, "is").map(Compiled::Full);
        build(&ecmascript(pattern), true).or_else(|| full().ok()).unwrap_or(Compiled::Wrong)
    };
    REGULAR.with(|kept| compiled(kept, pattern, compile)).find(text)
}

impl Compiled {
    fn find(&self, text: &str) -> Option<usize> {
        match self {
            Self::Linear(regex) => regex.find(text).map(|found| found.start()),
            Self::Full(regex) => regex.find(text).map(|found| found.start()),
            Self::Wrong => None,
        }
    }
}

fn compiled(kept: &Kept, pattern: &str, compile: impl FnOnce(&str) -> Compiled) -> Rc<Compiled> {
    let mut kept = kept.borrow_mut();
    if let Some((_, compiled)) = kept.iter().find(|(known, _)| known == pattern) {
        return Rc::clone(compiled);
    }
    let compiled = Rc::new(compile(pattern));
    if kept.len() == KEPT {
        kept.remove(0);
    }
    kept.push((pattern.to_owned(), Rc::clone(&compiled)));
    compiled
}

fn build(pattern: &str, any_case: bool) -> Option<Compiled> {
    let mut builder = RegexBuilder::new(pattern);
    builder.case_insensitive(any_case).dot_matches_new_line(true).size_limit(SIZE).build().ok().map(Compiled::Linear)
}

/// Without `%` at its start the pattern is held to the text's beginning, without one at its end to the text's end.
fn like_regex(pattern: &str) -> String {
    let inner = pattern.trim_start_matches('%');
    let mut out = String::from(if inner.len() == pattern.len() { r"\A" } else { "" });
    let mut letters = inner.trim_end_matches('%').chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '%' => out.push_str(".*?"),
            '_' => out.push('.'),
            '[' => class(&mut letters, &mut out),
            other => out.push_str(&regex::escape(other.encode_utf8(&mut [0; 4]))),
        }
    }
    if !pattern.ends_with('%') {
        out.push_str(r"\z");
    }
    out
}

/// `[…]` of a `LIKE` pattern: only `^` at its start and `-` between letters are special. Without an end it matches nothing.
fn class(letters: &mut std::iter::Peekable<std::str::Chars<'_>>, out: &mut String) {
    out.push('[');
    if letters.next_if_eq(&'^').is_some() {
        out.push('^');
    }
    for letter in letters.by_ref() {
        match letter {
            ']' => return out.push(']'),
            '-' => out.push('-'),
            '\\' | '[' | '^' | '&' | '~' => out.extend(['\\', letter]),
            other => out.push(other),
        }
    }
}

/// The differences between ECMAScript's syntax and the library's: classes are ASCII, `\uXXXX` and `\cX` are letters,
/// a `[` inside a class is itself.
fn ecmascript(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut in_class = false;
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        match (letter, in_class) {
            ('[', false) => {
                in_class = true;
                out.push('[');
            }
            (']', true) => {
                in_class = false;
                out.push(']');
            }
            ('[' | '&' | '~', true) => out.extend(['\\', letter]),
            ('\\', _) => escape(&mut letters, in_class, &mut out),
            (other, _) => out.push(other),
        }
    }
    out
}

fn escape(letters: &mut std::str::Chars<'_>, in_class: bool, out: &mut String) {
    let Some(letter) = letters.next() else { return out.push('\\') };
    let class = match letter {
        'd' => "0-9",
        'w' => "0-9A-Za-z_",
        'D' => return out.push_str("[^0-9]"),
        'W' => return out.push_str("[^0-9A-Za-z_]"),
        'b' | 'B' if !in_class => return out.push_str(if letter == 'b' { r"(?-u:\b)" } else { r"(?-u:\B)" }),
        'b' => return out.push_str(r"\x08"),
        'u' if letters.as_str().starts_with(|next: char| next.is_ascii_hexdigit()) => {
            let digits: String = letters.by_ref().take(4).collect();
            return out.push_str(&format!(r"\x{{{digits}}}"));
        }
        'c' => {
            let control = letters.next().map_or(0, |letter| u32::from(letter) % 32);
            return out.push_str(&format!(r"\x{{{control:x}}}"));
        }
        other => return out.extend(['\\', other]),
    };
    if in_class { out.push_str(class) } else { out.push_str(&format!("[{class}]")) }
}
