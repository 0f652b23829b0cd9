//! For machines: metrics and health.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::Shown;
use crate::pipeline::Status;
use crate::sink::feed::OutputState;

/// The metrics as Prometheus reads them.
pub(super) async fn metrics(State(shown): State<Shown>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], shown.metrics.render()).into_response()
}

/// 200 while events are processed, 503 when they are not. An output that is behind holds up no other: it is told, with 200.
pub(super) async fn health(State(shown): State<Shown>) -> Response {
    let page = shown.page.borrow().clone();
    let behind: Vec<String> = page.outputs.iter().filter_map(behind).collect();
    let (code, status, reason) = match &*shown.status.borrow() {
        Status::Running if behind.is_empty() => (StatusCode::OK, "running", None),
        Status::Running => (StatusCode::OK, "behind", Some(behind.join("; "))),
        Status::Waiting(reason) => (StatusCode::SERVICE_UNAVAILABLE, "waiting", Some(reason.clone())),
        Status::Ended => (StatusCode::SERVICE_UNAVAILABLE, "ended", None),
        Status::Failed(reason) => (StatusCode::SERVICE_UNAVAILABLE, "failed", Some(reason.clone())),
    };
    let body = json!({
        "status": status,
        "reason": reason,
        "job": page.job.name,
        "started": page.job.started,
        "watermark_delay_seconds": page.rates.watermark_delay_seconds,
        "backlog": page.rates.backlog,
        "outputs": page.outputs,
    });
    (code, Json(body)).into_response()
}

/// What is to be said of an output, when it does not keep up.
fn behind(output: &OutputState) -> Option<String> {
    let OutputState { name, behind, refuses } = output;
    match (behind, refuses) {
        (0, None) => None,
        (_, None) => Some(format!("output '{name}' is {behind} rows behind")),
        (_, Some(why)) => Some(format!("output '{name}' is {behind} rows behind and refuses: {why}")),
    }
}

/// The body of every refusal.
pub(super) fn error(code: &str, message: &str) -> Json<serde_json::Value> {
    Json(json!({ "error": { "code": code, "message": message } }))
}
