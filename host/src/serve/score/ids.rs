//! The ids of a request, as the inference server reads and answers them.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::answer::Refusal;

const REQUEST: HeaderName = HeaderName::from_static("x-request-id");
/// Was both the request's and the client's id once; is still answered.
const LEGACY: HeaderName = HeaderName::from_static("x-ms-request-id");
const CLIENT: HeaderName = HeaderName::from_static("x-ms-client-request-id");
const TRACE: HeaderName = HeaderName::from_static("traceid");
const SERVER: HeaderName = HeaderName::from_static("x-ms-server-version");
const VERSION: HeaderValue = HeaderValue::from_static(concat!("tamis/", env!("CARGO_PKG_VERSION")));
/// Characters of an id.
const LONGEST: usize = 100;

#[derive(Debug, Default)]
struct Ids {
    request: Option<HeaderValue>,
    legacy: Option<HeaderValue>,
    client: Option<HeaderValue>,
}

impl Ids {
    fn of(headers: &HeaderMap) -> (Self, Result<(), &'static str>) {
        let given = |name: HeaderName| headers.get(name).filter(|value| !value.is_empty()).cloned();
        let short = |id: &HeaderValue| id.len() <= LONGEST;
        let mut ids = Self::default();
        let request = headers.get(REQUEST).cloned().unwrap_or_else(new_id);
        if !short(&request) {
            return (ids, Err("x-request-id must not exceed 100 characters"));
        }
        ids.request = Some(request.clone());
        let (legacy, client) = match (given(LEGACY), given(CLIENT)) {
            (Some(legacy), client) => (legacy.clone(), Some(client.unwrap_or(legacy))),
            (None, Some(client)) => (client.clone(), Some(client)),
            (None, None) => (request, None),
        };
        if !short(&legacy) || !client.iter().all(short) {
            return (ids, Err("x-ms-request-id and x-ms-client-request-id must not exceed 100 characters"));
        }
        ids.legacy = Some(legacy);
        ids.client = client;
        (ids, Ok(()))
    }
}

fn new_id() -> HeaderValue {
    HeaderValue::from_str(&uuid::Uuid::new_v4().to_string()).unwrap_or(HeaderValue::from_static("0"))
}

/// Gives the answer the request's ids; too long ones are refused.
pub(super) async fn carry(request: Request, next: Next) -> Response {
    let (ids, checked) = Ids::of(request.headers());
    let trace = request.headers().get(TRACE).cloned();
    let mut response = match checked {
        Ok(()) => next.run(request).await,
        Err(message) => Refusal::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, message).into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(SERVER, VERSION);
    for (name, id) in [(REQUEST, ids.request), (LEGACY, ids.legacy), (CLIENT, ids.client), (TRACE, trace)] {
        if let Some(id) = id.filter(|id| !id.is_empty()) {
            headers.insert(name, id);
        }
    }
    response
}
