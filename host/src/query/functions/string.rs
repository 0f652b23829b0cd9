//! CONCAT, LEFT, LEN, LOWER, LTRIM, REPLACE, REVERSE, RIGHT, RTRIM, SUBSTRING, TRIM, UPPER.

use super::{ANY, Builtin, integer, text};
use crate::batch::Value;

pub(super) const TABLE: &[Builtin] = &[
    Builtin { name: "CONCAT", arguments: (2, ANY), run: concat },
    Builtin { name: "LEFT", arguments: (2, 2), run: |values| part(values, |letters, count| letters.into_iter().take(count).collect()) },
    Builtin {
        name: "LEN",
        arguments: (1, 1),
        run: |values| Ok(text(values, 0)?.map_or(Value::Null, |text| Value::BigInt(text.trim_end_matches(' ').chars().count() as i64))),
    },
    Builtin { name: "LOWER", arguments: (1, 1), run: |values| change(values, str::to_lowercase) },
    Builtin { name: "LTRIM", arguments: (1, 1), run: |values| change(values, |text| text.trim_start_matches(' ').to_owned()) },
    Builtin { name: "REPLACE", arguments: (3, 3), run: replace },
    Builtin { name: "REVERSE", arguments: (1, 1), run: |values| change(values, |text| text.chars().rev().collect()) },
    Builtin {
        name: "RIGHT",
        arguments: (2, 2),
        run: |values| part(values, |letters, count| letters[letters.len().saturating_sub(count)..].iter().collect()),
    },
    Builtin { name: "RTRIM", arguments: (1, 1), run: |values| change(values, |text| text.trim_end_matches(' ').to_owned()) },
    Builtin { name: "SUBSTRING", arguments: (3, 3), run: substring },
    Builtin { name: "TRIM", arguments: (1, 1), run: |values| change(values, |text| text.trim_matches(' ').to_owned()) },
    Builtin { name: "UPPER", arguments: (1, 1), run: |values| change(values, str::to_uppercase) },
];

fn change(values: &[Value], with: fn(&str) -> String) -> Result<Value, String> {
    Ok(text(values, 0)?.map_or(Value::Null, |text| Value::Text(with(text).into())))
}

fn part(values: &[Value], of: fn(Vec<char>, usize) -> String) -> Result<Value, String> {
    match (text(values, 0)?, integer(values, 1)?) {
        (Some(text), Some(count)) if count >= 0 => Ok(Value::Text(of(text.chars().collect(), count as usize).into())),
        (Some(_), Some(count)) => Err(format!("a length of {count} was given, 0 or more is expected")),
        _ => Ok(Value::Null),
    }
}

fn concat(values: &[Value]) -> Result<Value, String> {
    let mut out = Vec::new();
    for value in values {
        match value {
            Value::Null => {}
            Value::Text(text) => out.extend_from_slice(text.as_bytes()),
            other => crate::batch::write_value(other, &mut out),
        }
    }
    Ok(Value::Text(String::from_utf8_lossy(&out).into()))
}

fn replace(values: &[Value]) -> Result<Value, String> {
    Ok(match (text(values, 0)?, text(values, 1)?, text(values, 2)?) {
        (Some(text), Some(""), Some(_)) => Value::Text(text.into()),
        (Some(text), Some(from), Some(to)) => Value::Text(text.replace(from, to).into()),
        _ => Value::Null,
    })
}

/// Counted from 1; a start before the text shortens the part.
fn substring(values: &[Value]) -> Result<Value, String> {
    let (Some(text), Some(start), Some(length)) = (text(values, 0)?, integer(values, 1)?, integer(values, 2)?) else {
        return Ok(Value::Null);
    };
    if length < 0 {
        return Err(format!("a length of {length} was given, 0 or more is expected"));
    }
    let end = start.saturating_add(length).saturating_sub(1).max(0) as usize;
    let skip = (start - 1).max(0) as usize;
    Ok(Value::Text(text.chars().take(end).skip(skip).collect::<String>().into()))
}
