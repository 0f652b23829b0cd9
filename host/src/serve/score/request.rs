//! A request taken apart: which rows, and in which envelope.

use std::borrow::Cow;
use std::collections::BTreeMap;

use axum::http::{HeaderMap, StatusCode, Uri, header};
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::Envelope;
use super::answer::Refusal;

/// The rows of a request, still as JSON text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked<'a> {
    pub(super) rows: Cow<'a, str>,
    pub(super) envelope: Envelope,
}

const DATA: &str = "data";
const INPUTS: &str = "Inputs";
const PORT: &str = "WebServiceInput0";

/// Whether the body is said to be JSON.
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    let given = headers.get(header::CONTENT_TYPE).and_then(|given| given.to_str().ok()).unwrap_or_default();
    let kind = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}

pub(super) fn not_json() -> Refusal {
    Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Expects Content-Type to be application/json")
}

/// The rows of a body.
pub(super) fn of_body(body: &[u8]) -> Result<Asked<'_>, Refusal> {
    if body.is_empty() {
        return Err(Refusal::bad("POST body is empty. Expecting a JSON dictionary."));
    }
    let undecoded = |what: String| Refusal::bad(format!("POST body could not be decoded as JSON: {what}"));
    let text = std::str::from_utf8(body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body)).map_err(|error| undecoded(error.to_string()))?;
    let fields: BTreeMap<Cow<'_, str>, &RawValue> = match serde_json::from_str(text) {
        Ok(fields) => fields,
        // Bad JSON of another kind than an object is told as bad JSON.
        Err(error) if error.is_data() => match serde_json::from_str::<IgnoredAny>(text) {
            Ok(_) => return Err(Refusal::bad("POST body should be a JSON dictionary.")),
            Err(error) => return Err(undecoded(error.to_string())),
        },
        Err(error) => return Err(undecoded(error.to_string())),
    };
    if let Some(rows) = fields.get(DATA) {
        return Ok(Asked { rows: Cow::Borrowed(rows.get()), envelope: Envelope::Data });
    }
    match fields.get(INPUTS) {
        Some(inputs) => of_inputs(inputs),
        None => Err(missing()),
    }
}

fn missing() -> Refusal {
    Refusal::bad("A value is not provided for the 'data' parameter.")
}

fn of_inputs(inputs: &RawValue) -> Result<Asked<'_>, Refusal> {
    let ports: BTreeMap<Cow<'_, str>, &RawValue> =
        serde_json::from_str(inputs.get()).map_err(|_| Refusal::failed(format!("'{INPUTS}' must be an object with '{PORT}'")))?;
    let rows = ports.get(PORT).ok_or_else(|| {
        let given: Vec<&str> = ports.keys().take(5).map(AsRef::as_ref).collect();
        Refusal::failed(format!(
            "'{INPUTS}' has no '{PORT}'; it has {}",
            if given.is_empty() { "nothing".to_owned() } else { given.join(", ") }
        ))
    })?;
    Ok(Asked { rows: Cow::Borrowed(rows.get()), envelope: Envelope::Inputs })
}

/// The rows of a query: each value is JSON, or else a text; a name that is there several times gives an array.
pub(super) fn of_query(uri: &Uri) -> Result<Asked<'static>, Refusal> {
    let given = query(uri);
    let values = |name: &str| -> Vec<String> {
        let own = given.iter().filter(|(other, _)| other == name);
        own.map(|(_, value)| match serde_json::from_str::<IgnoredAny>(value) {
            Ok(_) => value.clone(),
            Err(_) => serde_json::Value::from(value.as_str()).to_string(),
        })
        .collect()
    };
    let joined = |values: &[String]| match values {
        [] => None,
        [one] => Some(one.clone()),
        several => Some(format!("[{}]", several.join(","))),
    };
    if let Some(rows) = joined(&values(DATA)) {
        return Ok(Asked { rows: Cow::Owned(rows), envelope: Envelope::Data });
    }
    let inputs = joined(&values(INPUTS)).ok_or_else(missing)?;
    let raw = RawValue::from_string(inputs).map_err(|_| Refusal::internal())?;
    let asked = of_inputs(&raw)?;
    Ok(Asked { rows: Cow::Owned(asked.rows.into_owned()), envelope: asked.envelope })
}

/// The names and values of a query, in their order.
pub(super) fn query(uri: &Uri) -> Vec<(String, String)> {
    let text = |part: &str| percent_encoding::percent_decode_str(&part.replace('+', " ")).decode_utf8_lossy().into_owned();
    let pairs = uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| match pair.split_once('=') {
            Some((name, value)) => (text(name), text(value)),
            None => (text(pair), String::new()),
        })
        .collect()
}
