//! Answers and refusals: their bodies and headers.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde_json::json;

/// Whether the function failed, in every answer but those of health.
const FAILED: HeaderName = HeaderName::from_static("x-ms-run-function-failed");
/// The time that the function took.
const TIME: HeaderName = HeaderName::from_static("x-ms-run-fn-exec-ms");
/// How many rows have no value.
const REJECTED: HeaderName = HeaderName::from_static("x-tamis-rejected");
/// Why, for the first of them: a JSON array of `{"row": 1, "reason": "…"}`.
const REASONS: HeaderName = HeaderName::from_static("x-tamis-reasons");
/// Bytes of reasons; clients refuse headers that are much longer.
const MAX_REASONS: usize = 4096;

/// An answer that is not 200.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    message: String,
    /// What the inference server says in its log only.
    reason: Option<String>,
    failed: bool,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), reason: None, failed: false }
    }

    pub(super) fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// The function failed, or its input is not what it reads: a 500 there, and so here.
    pub(super) fn failed(reason: impl Into<String>) -> Self {
        let message = "An unexpected error occurred in scoring script. Check the logs for more info.";
        Self { reason: Some(reason.into()), failed: true, ..Self::new(StatusCode::INTERNAL_SERVER_ERROR, message) }
    }

    pub(super) fn timeout(limit: std::time::Duration) -> Self {
        let message = format!("Scoring timeout after {} ms", limit.as_millis());
        Self { failed: true, ..Self::new(StatusCode::INTERNAL_SERVER_ERROR, message) }
    }

    pub(super) fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "An unexpected internal error occurred. Check the logs for more info.")
    }

    /// What the log should say of it, when the answer alone does not tell the operator.
    pub(super) fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut body = json!({ "message": self.message });
        if let Some(reason) = self.reason {
            body["reason"] = reason.into();
        }
        let mut response = json(self.status, body.to_string());
        if self.failed {
            response.headers_mut().insert(FAILED, HeaderValue::from_static("True"));
        }
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// JSON text as an answer.
pub(super) fn json(status: StatusCode, body: impl Into<Bytes>) -> Response {
    let mut response = Response::new(Body::from(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(FAILED, HeaderValue::from_static("False"));
    response
}

/// The answer to `OPTIONS` on a path that is only read.
pub(super) fn allowed() -> Response {
    let mut response = axum::response::Html("").into_response();
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD, OPTIONS"));
    response
}

/// The answer to `OPTIONS /score`.
pub(super) fn options() -> Response {
    let mut response = axum::response::Html("").into_response();
    response.headers_mut().insert(FAILED, HeaderValue::from_static("False"));
    response
}

/// The answer of a call: its JSON, what it took, and why some rows have no value.
pub(super) fn scored(body: Vec<u8>, took: std::time::Duration, rejected: &[(usize, String)]) -> Response {
    let mut response = json(StatusCode::OK, body);
    let headers = response.headers_mut();
    if let Ok(time) = HeaderValue::from_str(&format!("{:.3}", took.as_secs_f64() * 1e3)) {
        headers.insert(TIME, time);
    }
    if !rejected.is_empty() {
        headers.insert(REJECTED, HeaderValue::from(rejected.len()));
        if let Ok(reasons) = HeaderValue::from_str(&reasons(rejected)) {
            headers.insert(REASONS, reasons);
        }
    }
    response
}

/// As many whole reasons as a header can hold.
fn reasons(rejected: &[(usize, String)]) -> String {
    let mut text = String::from("[");
    for (row, reason) in rejected {
        let entry = ascii(&json!({ "row": row + 1, "reason": reason }).to_string());
        if text.len() + entry.len() + 2 > MAX_REASONS {
            break;
        }
        if text.len() > 1 {
            text.push(',');
        }
        text.push_str(&entry);
    }
    text.push(']');
    text
}

/// JSON text with escapes for what a header cannot carry.
fn ascii(json: &str) -> String {
    use std::fmt::Write;
    let mut text = String::with_capacity(json.len());
    for letter in json.chars() {
        if (' '..='~').contains(&letter) {
            text.push(letter);
        } else {
            for unit in letter.encode_utf16(&mut [0; 2]) {
                let _written = write!(text, "\\u{unit:04x}");
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_json_that_a_header_can_carry_and_whole_ones_only() {
        let odd = "column 'day': bit is expected, text 'Ünb\u{7f}ekannt 🙂\n' was given";
        let rejected: Vec<(usize, String)> = (0..500).map(|row| (row, odd.to_owned())).collect();
        let text = reasons(&rejected);
        assert!(text.len() <= MAX_REASONS && HeaderValue::from_str(&text).is_ok());
        let read: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
        assert!(read.len() > 10 && read.len() < 500);
        assert_eq!(read[1], json!({ "row": 2, "reason": odd }));
        assert_eq!(reasons(&[]), "[]");
    }
}
