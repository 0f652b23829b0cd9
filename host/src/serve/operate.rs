//! For machines: metrics and health.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::Shown;
use crate::pipeline::Status;

/// The metrics as Prometheus reads them.
pub(super) async fn metrics(State(shown): State<Shown>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], shown.metrics.render()).into_response()
}

/// 200 while events are processed, 503 when they are not.
pub(super) async fn health(State(shown): State<Shown>) -> Response {
    let (code, status, reason) = match &*shown.status.borrow() {
        Status::Running => (StatusCode::OK, "running", None),
        Status::Waiting(reason) => (StatusCode::SERVICE_UNAVAILABLE, "waiting", Some(reason.clone())),
        Status::Ended => (StatusCode::SERVICE_UNAVAILABLE, "ended", None),
        Status::Failed(reason) => (StatusCode::SERVICE_UNAVAILABLE, "failed", Some(reason.clone())),
    };
    let page = shown.page.borrow().clone();
    let body = json!({
        "status": status,
        "reason": reason,
        "job": page.job.name,
        "started": page.job.started,
        "watermark_delay_seconds": page.rates.watermark_delay_seconds,
        "backlog": page.rates.backlog,
    });
    (code, Json(body)).into_response()
}

/// The body of every refusal.
pub(super) fn error(code: &str, message: &str) -> Json<serde_json::Value> {
    Json(json!({ "error": { "code": code, "message": message } }))
}
