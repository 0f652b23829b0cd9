//! ISJSON, JSON_MODIFY, JSON_PARSE, JSON_QUERY, JSON_VALUE. A document is a text, or a record or array.
//! JSON_PARSE is documented; the others follow T-SQL, whose names they have.

use serde_json::Value as Json;

use super::value::{fail, text, wrong};
use super::{Builtin, Wrong, conversion};
use crate::batch::{Value, read_json, write_value};

pub(super) const TABLE: &[Builtin] = &[
    Builtin::new("ISJSON", (1, 1), |values| {
        Ok(match &values[0] {
            Value::Null => Value::Null,
            Value::Text(text) => {
                Value::BigInt(serde_json::from_str(text).is_ok_and(|json: Json| json.is_object() || json.is_array()).into())
            }
            Value::Record(_) | Value::Array(_) => Value::BigInt(1),
            _ => Value::BigInt(0),
        })
    }),
    Builtin::new("JSON_MODIFY", (3, 3), modify),
    Builtin::new("JSON_PARSE", (1, 1), |values| {
        let Value::Text(text) = &values[0] else { return Ok(Value::Null) };
        Ok(read_json(text).filter(|value| matches!(value, Value::Record(_))).unwrap_or(Value::Null))
    }),
    Builtin::new("JSON_QUERY", (1, 2), |values| {
        select(values, "an object or an array", |json| json.is_object() || json.is_array(), Json::to_string)
    }),
    Builtin::new("JSON_VALUE", (2, 2), |values| {
        select(
            values,
            "a scalar",
            |json| !json.is_object() && !json.is_array(),
            |json| match json {
                Json::String(text) => text.clone(),
                other => other.to_string(),
            },
        )
    }),
];

const DOCUMENT: &[&str] = &["nvarchar(max)", "record", "array"];

fn document(values: &[Value]) -> Result<Option<Json>, Wrong> {
    let parsed = match &values[0] {
        Value::Null => return Ok(None),
        Value::Text(text) => serde_json::from_str(text),
        other @ (Value::Record(_) | Value::Array(_)) => serde_json::from_slice(&written(other)),
        _ => return wrong(values, 0, DOCUMENT),
    };
    parsed.map(Some).map_err(|error| Wrong::Value(format!("the text is not JSON: {error}")))
}

fn written(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    write_value(value, &mut out);
    out
}

/// A path into a document: `$.a.b[0]."c d"`; lax (the default): what is not there is null.
#[derive(Debug, Default)]
struct Path {
    strict: bool,
    append: bool,
    steps: Vec<Step>,
}

#[derive(Debug)]
enum Step {
    Key(String),
    Index(usize),
}

impl Path {
    fn parse(text: &str) -> Result<Self, Wrong> {
        let mut path = Self::default();
        let mut rest = text.trim();
        if let Some(after) = rest.strip_prefix("append ") {
            path.append = true;
            rest = after.trim_start();
        }
        if let Some(after) = rest.strip_prefix("strict ").or_else(|| rest.strip_prefix("lax ")) {
            path.strict = rest.starts_with("strict");
            rest = after.trim_start();
        }
        let wrong = || Wrong::Value(format!("'{text}' is not a JSON path; one looks like $.records[0].name"));
        rest = rest.strip_prefix('$').ok_or_else(wrong)?;
        while !rest.is_empty() {
            let step;
            if let Some(after) = rest.strip_prefix(".\"") {
                let (key, after) = after.split_once('"').ok_or_else(wrong)?;
                step = Step::Key(key.to_owned());
                rest = after;
            } else if let Some(after) = rest.strip_prefix('.') {
                let end = after.find(['.', '[']).unwrap_or(after.len());
                if end == 0 {
                    return Err(wrong());
                }
                step = Step::Key(after[..end].to_owned());
                rest = &after[end..];
            } else {
                let (index, after) = rest.strip_prefix('[').and_then(|after| after.split_once(']')).ok_or_else(wrong)?;
                step = Step::Index(index.trim().parse().map_err(|_| wrong())?);
                rest = after;
            }
            path.steps.push(step);
        }
        Ok(path)
    }

    fn get<'a>(&self, json: &'a Json) -> Option<&'a Json> {
        self.steps.iter().try_fold(json, |json, step| match step {
            Step::Key(key) => json.get(key),
            Step::Index(index) => json.get(index),
        })
    }
}

fn path(values: &[Value], place: usize) -> Result<Option<Path>, Wrong> {
    text(values, place)?.map(Path::parse).transpose()
}

fn select(values: &[Value], kind: &str, fits: fn(&Json) -> bool, shown: fn(&Json) -> String) -> Result<Value, Wrong> {
    let document = document(values)?;
    let path = if values.len() > 1 { path(values, 1)? } else { Some(Path::default()) };
    let (Some(document), Some(path)) = (document, path) else { return Ok(Value::Null) };
    match path.get(&document) {
        Some(Json::Null) => Ok(Value::Null),
        Some(found) if fits(found) => Ok(Value::Text(shown(found).into())),
        _ if path.strict => fail(format!("the path does not lead to {kind}")),
        _ => Ok(Value::Null),
    }
}

/// A null in a lax path takes the key away.
fn modify(values: &[Value]) -> Result<Value, Wrong> {
    let (Some(mut document), Some(path)) = (document(values)?, path(values, 1)?) else { return Ok(Value::Null) };
    let Some((last, before)) = path.steps.split_last() else { return fail("the path must lead into the document") };
    let missing = || if path.strict { fail("the path does not lead to a value") } else { Ok(()) };
    let json = to_json(&values[2])?;
    let parent = before.iter().try_fold(&mut document, |json, step| match step {
        Step::Key(key) => json.get_mut(key),
        Step::Index(index) => json.get_mut(index),
    });
    match (parent, last) {
        (Some(Json::Object(fields)), Step::Key(key)) => match fields.get_mut(key) {
            Some(Json::Array(elements)) if path.append => elements.push(json),
            None if path.append => missing().map(|()| fields.insert(key.clone(), Json::Array(vec![json]))).map(drop)?,
            Some(_) if json.is_null() && !path.strict => drop(fields.shift_remove(key)),
            Some(known) => *known = json,
            None if path.strict => missing()?,
            None if json.is_null() => {}
            None => drop(fields.insert(key.clone(), json)),
        },
        (Some(Json::Array(elements)), Step::Index(index)) => match elements.get_mut(*index) {
            Some(Json::Array(inner)) if path.append => inner.push(json),
            Some(known) => *known = json,
            None => missing()?,
        },
        _ => missing()?,
    }
    Ok(Value::Text(document.to_string().into()))
}

/// A text goes in as a text, a record or array as what it is.
fn to_json(value: &Value) -> Result<Json, Wrong> {
    match value {
        Value::DateTime(_) => Ok(match conversion::to_text(value) {
            Some(Value::Text(text)) => Json::String(text.to_string()),
            _ => Json::Null,
        }),
        other => serde_json::from_slice(&written(other)).map_err(|error| Wrong::Value(format!("the value is not JSON: {error}"))),
    }
}
