//! What requests and responses look like. There are two shapes of request: `{"data": [row, …]}` and
//! `{"Inputs": {"WebServiceInput0": [row, …]}}`; which one an endpoint takes, its settings or its swagger document tell.

use serde_json::Value as Json;

use super::{MlError, MlSettings};
use crate::batch::{Value, of_json};

/// What stands around the rows of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Envelope {
    before: Vec<u8>,
    after: &'static [u8],
}

/// The name of the input where nothing tells another one.
const INPUT: &str = "data";
/// The name of a designer's first input.
const DESIGNER_INPUT: &str = "WebServiceInput0";
const GLOBAL: &str = "GlobalParameters";

impl Envelope {
    /// With an outer label, or without.
    pub(super) fn new(label: Option<&str>, input: Option<&str>) -> Self {
        Self::with(label, input.unwrap_or(if label.is_some() { DESIGNER_INPUT } else { INPUT }), false)
    }

    fn with(label: Option<&str>, input: &str, global: bool) -> Self {
        let quoted = |text: &str| Json::from(text).to_string();
        match label {
            Some(label) => Self {
                before: format!("{{{}:{{{}:[", quoted(label), quoted(input)).into_bytes(),
                after: if global { b"]},\"GlobalParameters\":{}}" } else { b"]}}" },
            },
            None => Self { before: format!("{{{}:[", quoted(input)).into_bytes(), after: b"]}" },
        }
    }

    /// The shape that a swagger document (version 2 or 3) says; `None` when it does not.
    pub(super) fn from_swagger(document: &Json) -> Option<Self> {
        let schemas = document.get("definitions").or_else(|| document.pointer("/components/schemas"))?;
        let properties = schemas.pointer("/ServiceInput/properties")?.as_object()?;
        let (label, schema) = properties.iter().find(|(name, _)| *name != GLOBAL)?;
        match schema.get("properties").and_then(Json::as_object).and_then(|inner| inner.keys().next()) {
            Some(input) => Some(Self::with(Some(label), input, properties.contains_key(GLOBAL))),
            None => Some(Self::with(None, label, false)),
        }
    }

    /// Bytes without rows.
    pub(super) fn len(&self) -> usize {
        self.before.len() + self.after.len()
    }

    /// The body of a request.
    pub(super) fn body<'a>(&self, rows: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
        let mut body = self.before.clone();
        for (place, row) in rows.enumerate() {
            if place > 0 {
                body.push(b',');
            }
            body.extend_from_slice(row);
        }
        body.extend_from_slice(self.after);
        body
    }
}

/// The values of a response: an array by position, bare or in `Results` wrappers.
pub(super) fn results(text: &[u8], settings: &MlSettings, rows: usize) -> Result<Vec<Value>, MlError> {
    let wrong = |what: String| MlError::Answer { name: settings.name.clone(), what };
    let json: Json = serde_json::from_slice(text).map_err(|error| wrong(format!("the response is not JSON: {error}")))?;
    let Some(elements) = unwrap(json.clone(), settings) else {
        return Err(wrong(match json {
            // A script that catches its own exceptions answers their text, with 200.
            Json::String(text) => format!("the endpoint answered a text instead of one value a row: {}", short(&text)),
            other => format!("the response is not an array with one value a row: {}", short(&other.to_string())),
        }));
    };
    if elements.len() != rows {
        return Err(wrong(format!("the response has {} values, {rows} rows were sent", elements.len())));
    }
    let values = elements.into_iter().enumerate();
    values
        .map(|(row, element)| of_json(element).ok_or_else(|| wrong(format!("value {row} has an integer that does not fit bigint"))))
        .collect()
}

fn unwrap(json: Json, settings: &MlSettings) -> Option<Vec<Json>> {
    let mut inner = json;
    // `Results`, then the name of an output.
    for _ in 0..3 {
        inner = match inner {
            Json::Array(elements) => return Some(elements),
            Json::Object(mut fields) => {
                let label = settings.response_label.as_deref().unwrap_or("Results");
                let known = fields.keys().find(|name| name.eq_ignore_ascii_case(label)).cloned();
                match known {
                    Some(name) => fields.remove(&name)?,
                    None if fields.len() == 1 => fields.into_iter().next()?.1,
                    None => return None,
                }
            }
            _ => return None,
        };
    }
    None
}

/// The beginning of a text that came from outside.
pub(super) fn short(text: &str) -> String {
    const MOST: usize = 300;
    let shown: String = text.chars().take(MOST).collect();
    if shown.len() < text.len() { format!("{shown}…") } else { shown }
}
