//! Texts. Positions and lengths count characters, positions from 1.

use arrow_array::StringArray;

use super::value::{fail, integer, text};
use super::{ANY, Builtin, Wrong, conversion, pattern};
use crate::batch::{Column, Value};

pub(super) const TABLE: &[Builtin] = &[
    Builtin::new("CHARINDEX", (2, 3), charindex),
    Builtin::new("CONCAT", (2, ANY), |values| join(values, "")),
    Builtin::new("CONCAT_WS", (3, ANY), |values| join(&values[1..], text(values, 0)?.unwrap_or_default())),
    Builtin::new("LEFT", (2, 2), |values| part(values, |text, count| &text[..byte(text, count)])),
    Builtin::new("LEN", (1, 1), |values| {
        Ok(text(values, 0)?.map_or(Value::Null, |text| Value::BigInt(text.trim_end_matches(' ').chars().count() as i64)))
    }),
    Builtin::new("LOWER", (1, 1), |values| change(values, lower)).vector(|columns| each(columns, lower)),
    Builtin::new("LTRIM", (1, 1), |values| change(values, |text| text.trim_start().to_owned())),
    Builtin::new("NCHAR", (1, 1), |values| {
        let letter = integer(values, 0)?.and_then(|code| char::from_u32(u32::try_from(code).ok()?));
        Ok(letter.map_or(Value::Null, |letter| Value::Text(letter.to_string().into())))
    }),
    Builtin::new("PATINDEX", (2, 2), |values| found(text(values, 1)?, text(values, 0)?, pattern::like)),
    Builtin::new("REGEXMATCH", (2, 2), |values| found(text(values, 0)?, text(values, 1)?, pattern::regular)),
    Builtin::new("REPLACE", (3, 3), replace),
    Builtin::new("REPLICATE", (2, 2), |values| match (text(values, 0)?, integer(values, 1)?) {
        (Some(text), Some(count)) if count >= 0 => repeat(text, count),
        _ => Ok(Value::Null),
    }),
    Builtin::new("REVERSE", (1, 1), |values| change(values, |text| text.chars().rev().collect())),
    Builtin::new("RIGHT", (2, 2), |values| {
        part(
            values,
            |text, count| if count == 0 { "" } else { text.char_indices().rev().nth(count - 1).map_or(text, |(at, _)| &text[at..]) },
        )
    }),
    Builtin::new("RTRIM", (1, 1), |values| change(values, |text| text.trim_end().to_owned())),
    Builtin::new("SPACE", (1, 1), |values| match integer(values, 0)? {
        Some(count) if count >= 0 => repeat(" ", count),
        _ => Ok(Value::Null),
    }),
    Builtin::new("STUFF", (4, 4), stuff),
    Builtin::new("SUBSTRING", (3, 3), substring),
    Builtin::new("TRANSLATE", (3, 3), translate),
    Builtin::new("TRIM", (1, 1), |values| change(values, |text| text.trim().to_owned()))
        .vector(|columns| each(columns, |text| text.trim().to_owned())),
    Builtin::new("UNICODE", (1, 1), |values| {
        let letter = text(values, 0)?.and_then(|text| text.chars().next());
        Ok(letter.map_or(Value::Null, |letter| Value::BigInt(u32::from(letter).into())))
    }),
    Builtin::new("UPPER", (1, 1), |values| change(values, upper)).vector(|columns| each(columns, upper)),
];

/// The longest text that a function makes, in bytes: so that a query cannot fill the memory.
const LONGEST: usize = 16 << 20;

fn made(length: Option<usize>) -> Result<usize, Wrong> {
    match length.filter(|length| *length <= LONGEST) {
        Some(length) => Ok(length),
        None => fail(format!("the result would be longer than {LONGEST} bytes")),
    }
}

fn change(values: &[Value], with: fn(&str) -> String) -> Result<Value, Wrong> {
    Ok(text(values, 0)?.map_or(Value::Null, |text| Value::Text(with(text).into())))
}

/// The same over a column of texts.
fn each(columns: &[Column], with: fn(&str) -> String) -> Option<Column> {
    let Some(Column::Text(texts)) = columns.first() else { return None };
    Some(Column::Text(texts.iter().map(|text| text.map(with)).collect::<StringArray>()))
}

/// Letters whose other case is several letters stay as they are, as in .NET.
fn upper(text: &str) -> String {
    text.chars().map(|letter| only(letter.to_uppercase(), letter)).collect()
}

fn lower(text: &str) -> String {
    text.chars().map(|letter| only(letter.to_lowercase(), letter)).collect()
}

fn only(mut cased: impl Iterator<Item = char>, letter: char) -> char {
    match (cased.next(), cased.next()) {
        (Some(only), None) => only,
        _ => letter,
    }
}

/// The place in bytes of a letter, counted from 0; the end when there is none.
fn byte(text: &str, letter: usize) -> usize {
    text.char_indices().nth(letter).map_or(text.len(), |(at, _)| at)
}

/// The number, from 1, of the letter at a place in bytes.
fn position(text: &str, byte: usize) -> i64 {
    text[..byte].chars().count() as i64 + 1
}

fn not_negative(length: i64) -> Result<usize, Wrong> {
    usize::try_from(length).map_err(|_| Wrong::Value(format!("a length of {length} was given, 0 or more is expected")))
}

fn part(values: &[Value], of: fn(&str, usize) -> &str) -> Result<Value, Wrong> {
    match (text(values, 0)?, integer(values, 1)?) {
        (Some(text), Some(count)) => Ok(Value::Text(of(text, not_negative(count)?).into())),
        _ => Ok(Value::Null),
    }
}

/// Values of any type; nulls are left out.
fn join(values: &[Value], separator: &str) -> Result<Value, Wrong> {
    let mut out = String::new();
    let mut first = true;
    for value in values {
        let Some(Value::Text(text)) = conversion::to_text(value) else { continue };
        if !std::mem::take(&mut first) {
            out.push_str(separator);
        }
        made(out.len().checked_add(text.len()))?;
        out.push_str(&text);
    }
    Ok(Value::Text(out.into()))
}

/// From a start that counts from 1; below 1 it is the first letter. 0: not found.
fn charindex(values: &[Value]) -> Result<Value, Wrong> {
    let (Some(wanted), Some(text)) = (text(values, 0)?, text(values, 1)?) else { return Ok(Value::Null) };
    let start = if values.len() > 2 { integer(values, 2)? } else { Some(1) };
    let Some(start) = start else { return Ok(Value::Null) };
    let from = byte(text, usize::try_from(start.max(1) - 1).unwrap_or(usize::MAX));
    let at = if wanted.is_empty() { None } else { text[from..].find(wanted) };
    Ok(Value::BigInt(at.map_or(0, |at| position(text, from + at))))
}

fn found(text: Option<&str>, pattern: Option<&str>, find: fn(&str, &str) -> Option<usize>) -> Result<Value, Wrong> {
    let (Some(text), Some(pattern)) = (text, pattern) else { return Ok(Value::Null) };
    Ok(Value::BigInt(find(pattern, text).map_or(0, |at| position(text, at))))
}

fn replace(values: &[Value]) -> Result<Value, Wrong> {
    let (Some(text), Some(from), Some(to)) = (text(values, 0)?, text(values, 1)?, text(values, 2)?) else { return Ok(Value::Null) };
    if from.is_empty() {
        return Ok(values[0].clone());
    }
    if to.len() > from.len() {
        let more = text.matches(from).count().checked_mul(to.len() - from.len());
        made(more.and_then(|more| more.checked_add(text.len())))?;
    }
    Ok(Value::Text(text.replace(from, to).into()))
}

fn repeat(text: &str, count: i64) -> Result<Value, Wrong> {
    let count = not_negative(count)?;
    made(text.len().checked_mul(count))?;
    Ok(Value::Text(text.repeat(count).into()))
}

/// A start before the text begins at its first letter; one behind it gives nothing.
fn stuff(values: &[Value]) -> Result<Value, Wrong> {
    let (Some(text), Some(start), Some(length), Some(inserted)) =
        (text(values, 0)?, integer(values, 1)?, integer(values, 2)?, text(values, 3)?)
    else {
        return Ok(Value::Null);
    };
    let length = not_negative(length)?;
    let start = usize::try_from(start.max(1) - 1).unwrap_or(usize::MAX);
    if start >= text.chars().count() {
        return Ok(Value::Text("".into()));
    }
    let (before, rest) = text.split_at(byte(text, start));
    let after = &rest[byte(rest, length)..];
    made(text.len().checked_add(inserted.len()))?;
    Ok(Value::Text([before, inserted, after].concat().into()))
}

/// A start before the text shortens the part.
fn substring(values: &[Value]) -> Result<Value, Wrong> {
    let (Some(text), Some(start), Some(length)) = (text(values, 0)?, integer(values, 1)?, integer(values, 2)?) else {
        return Ok(Value::Null);
    };
    not_negative(length)?;
    let end = start.saturating_add(length).saturating_sub(1).max(0);
    let start = start.saturating_sub(1).max(0);
    let rest = &text[byte(text, usize::try_from(start).unwrap_or(usize::MAX))..];
    let length = usize::try_from(end.saturating_sub(start).max(0)).unwrap_or(usize::MAX);
    Ok(Value::Text(rest[..byte(rest, length)].into()))
}

fn translate(values: &[Value]) -> Result<Value, Wrong> {
    let (Some(text), Some(from), Some(to)) = (text(values, 0)?, text(values, 1)?, text(values, 2)?) else { return Ok(Value::Null) };
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    if from.len() != to.len() {
        return fail(format!("{} characters are to be replaced by {}; the two must be as many", from.len(), to.len()));
    }
    let letter = |letter: char| from.iter().position(|known| *known == letter).map_or(letter, |place| to[place]);
    Ok(Value::Text(text.chars().map(letter).collect::<String>().into()))
}
