//! The live page's files and the function that its "try it" panel runs.

use axum::extract::State;
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};

use super::Shown;
use crate::embedded;

/// A file of the page; anything else is 404, or 405 when it is not asked for but sent.
pub(super) async fn file(method: Method, uri: Uri) -> Response {
    if !matches!(method, Method::GET | Method::HEAD) {
        let message = format!("{method} is not possible here; events are sent to /{{hub}}/messages");
        let allow = [(header::ALLOW, "GET, HEAD")];
        return (StatusCode::METHOD_NOT_ALLOWED, allow, super::operate::error("MethodNotAllowed", &message)).into_response();
    }
    let path = uri.path().trim_start_matches('/');
    let path = if path.is_empty() { "index.html" } else { path };
    if let Some(file) = embedded::SITE.get_file(path) {
        // The build puts a hash into the names of what it makes, so those never change.
        let keep = if path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
        return ([(header::CONTENT_TYPE, media_type(path)), (header::CACHE_CONTROL, keep)], file.contents()).into_response();
    }
    if path == "index.html" {
        let text = "This build of tamis has no live page; build it with scripts/build. The feed is at /feed, metrics at /metrics.\n";
        return (StatusCode::OK, text).into_response();
    }
    (StatusCode::NOT_FOUND, super::operate::error("NotFound", &format!("there is nothing at '/{path}'"))).into_response()
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "json" | "map" => "application/json",
        "woff2" => "font/woff2",
        "png" => "image/png",
        "wasm" => "application/wasm",
        _ => "application/octet-stream",
    }
}

/// The job's function: the bytes that the host itself runs.
pub(super) async fn function(State(shown): State<Shown>) -> Response {
    let bytes = shown.function.borrow().as_ref().map(|function| function.bytes().clone());
    match bytes {
        Some(bytes) => ([(header::CONTENT_TYPE, "application/wasm"), (header::CACHE_CONTROL, "no-cache")], bytes).into_response(),
        None => (StatusCode::NOT_FOUND, super::operate::error("NotFound", "the job has no function")).into_response(),
    }
}

/// The JavaScript that loads it.
pub(super) async fn function_script() -> Response {
    match embedded::function_script() {
        Some(text) => {
            ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")], text).into_response()
        }
        None => (StatusCode::NOT_FOUND, super::operate::error("NotFound", "this build of tamis carries no function")).into_response(),
    }
}
