//! The door for events: Event Hubs' REST.
//!
//! | request | what is appended |
//! | --- | --- |
//! | `POST /{hub}/messages` | one event: the body as it is |
//! | the same, with content type `application/vnd.microsoft.servicebus.json` | a batch: `[{"Body": "…", "UserProperties": {…}, "BrokerProperties": {"PartitionKey": "…"}, "IsBodyBase64": false}]` |
//! | `POST /{hub}/partitions/{id}/messages`, or `?partitionId={id}` | to that partition |
//! | `POST /{hub}/publishers/{name}/messages` | with the name as partition key |
//!
//! The answer is 201 when the events are durable. Bodies are not looked into: what is not JSON is rejected by the job, not here.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::rejection::PathRejection;
use axum::extract::{ConnectInfo, Path, Request, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bytes::{Bytes, BytesMut};
use futures::StreamExt;

use super::log::{Log, LogError, NewEvent, Place};
use super::sas::{self, AccessKey};
use batch::{Broker, Item};

mod batch;
#[cfg(test)]
mod tests;

/// A refused body is read and thrown away up to this size, so that its sender gets to read the answer.
const DRAIN: usize = 16 << 20;
const BATCH: &str = "application/vnd.microsoft.servicebus.json";

/// How the door is set up.
#[derive(Debug, Clone)]
pub struct DoorSettings {
    /// The largest body, of one event or of a batch.
    pub max_body: usize,
    /// The keys that tokens are signed with. While there are none, any sender on this machine is let in.
    pub keys: Vec<AccessKey>,
    /// Whether even those need something to show: there is another token for senders, which the server checks.
    pub closed: bool,
    /// How long a body may take to come.
    pub patience: Duration,
}

/// In a request's extensions: the server has seen that the sender may come in.
#[derive(Debug, Clone, Copy)]
pub struct LetIn;

impl Default for DoorSettings {
    fn default() -> Self {
        Self { max_body: 1 << 20, keys: Vec::new(), closed: false, patience: Duration::from_secs(30) }
    }
}

/// The door's routes.
pub fn router(log: Log, settings: DoorSettings) -> Router {
    let door = Arc::new(Door { log, settings });
    let only_post = |route: axum::routing::MethodRouter<Arc<Door>>| route.fallback(only_post);
    Router::new()
        .route("/{hub}/messages", only_post(post(to_any)))
        .route("/{hub}/partitions/{partition}/messages", only_post(post(to_partition)))
        .route("/{hub}/publishers/{publisher}/messages", only_post(post(to_publisher)))
        // As an example of Event Hubs' own documentation has it.
        .route("/{hub}/publisher/{publisher}/messages", only_post(post(to_publisher)))
        .with_state(door)
}

#[derive(Debug)]
struct Door {
    log: Log,
    settings: DoorSettings,
}

/// An answer that is not 201.
#[derive(Debug)]
struct Refusal {
    status: StatusCode,
    message: String,
}

impl Refusal {
    fn bad(message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, message: message.into() }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let code = match self.status {
            StatusCode::BAD_REQUEST => "BadRequest",
            StatusCode::UNAUTHORIZED => "Unauthorized",
            StatusCode::NOT_FOUND => "NotFound",
            StatusCode::METHOD_NOT_ALLOWED => "MethodNotAllowed",
            StatusCode::REQUEST_TIMEOUT => "RequestTimeout",
            StatusCode::PAYLOAD_TOO_LARGE => "PayloadTooLarge",
            StatusCode::SERVICE_UNAVAILABLE => "ServiceUnavailable",
            _ => "InternalError",
        };
        let body = serde_json::json!({ "error": { "code": code, "message": self.message } });
        let mut response = (self.status, axum::Json(body)).into_response();
        let headers = response.headers_mut();
        match self.status {
            StatusCode::UNAUTHORIZED => headers.insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("SharedAccessSignature")),
            StatusCode::METHOD_NOT_ALLOWED => headers.insert(header::ALLOW, header::HeaderValue::from_static("POST")),
            StatusCode::SERVICE_UNAVAILABLE => headers.insert(header::RETRY_AFTER, header::HeaderValue::from_static("5")),
            _ => None,
        };
        response
    }
}

impl From<LogError> for Refusal {
    fn from(error: LogError) -> Self {
        let status = match &error {
            LogError::NoHub { .. } => StatusCode::NOT_FOUND,
            LogError::NoPartition { .. } => StatusCode::BAD_REQUEST,
            LogError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            LogError::Io { .. } | LogError::Closed => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let message = match &error {
            // The paths of this machine are in the log, not in the answer.
            LogError::Io { .. } if error.is_disk_full() => "the disk is full; the events were not taken, send them again later".to_owned(),
            LogError::Io { .. } => "the events could not be written; they were not taken, send them again later".to_owned(),
            _ => error.to_string(),
        };
        Self { status, message }
    }
}

async fn only_post(request: Request) -> Refusal {
    let message = format!("{} is not possible here: events are sent with POST, and cannot be read by HTTP", request.method());
    Refusal { status: StatusCode::METHOD_NOT_ALLOWED, message }
}

type TheDoor = State<Arc<Door>>;

async fn to_any(State(door): TheDoor, path: Result<Path<String>, PathRejection>, request: Request) -> Result<Response, Refusal> {
    let Path(hub) = path.map_err(|error| Refusal::bad(error.to_string()))?;
    let place = match query_parameter(&request, "partitionId") {
        Some(partition) => partition_place(&door, &hub, &partition),
        None => Ok(Place::Any),
    };
    door.take(&hub, place, request).await
}

async fn to_partition(
    State(door): TheDoor,
    path: Result<Path<(String, String)>, PathRejection>,
    request: Request,
) -> Result<Response, Refusal> {
    let Path((hub, partition)) = path.map_err(|error| Refusal::bad(error.to_string()))?;
    let place = partition_place(&door, &hub, &partition);
    door.take(&hub, place, request).await
}

async fn to_publisher(
    State(door): TheDoor,
    path: Result<Path<(String, String)>, PathRejection>,
    request: Request,
) -> Result<Response, Refusal> {
    let Path((hub, publisher)) = path.map_err(|error| Refusal::bad(error.to_string()))?;
    door.take(&hub, Ok(Place::Key(publisher)), request).await
}

fn partition_place(door: &Door, hub: &str, partition: &str) -> Result<Place, Refusal> {
    let known = door.log.hub(hub)?;
    match partition.parse() {
        Ok(number) if number < known.partitions() => Ok(Place::Partition(number)),
        _ => {
            let last = known.partitions() - 1;
            Err(Refusal::bad(format!("hub '{}' has no partition '{partition}'; its partitions are 0 to {last}", known.name())))
        }
    }
}

fn query_parameter(request: &Request, name: &str) -> Option<String> {
    let parameters = request.uri().query()?.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let value = parameters.into_iter().find(|(given, _)| given.eq_ignore_ascii_case(name))?.1;
    Some(percent_encoding::percent_decode_str(value).decode_utf8_lossy().into_owned())
}

impl Door {
    /// Takes a request's events. `place` is looked at only when the sender may come in.
    async fn take(&self, hub: &str, place: Result<Place, Refusal>, request: Request) -> Result<Response, Refusal> {
        self.let_in(&request)?;
        self.log.hub(hub)?;
        let place = place?;
        let (head, body) = request.into_parts();
        let broker = head.headers.get("brokerproperties").map(|text| Broker::parse(text.as_bytes())).transpose()?.unwrap_or_default();
        let late = |_| Refusal {
            status: StatusCode::REQUEST_TIMEOUT,
            message: format!("the body did not come within {:?}; nothing was taken", self.settings.patience),
        };
        let body = tokio::time::timeout(self.settings.patience, self.body(&head.headers, body)).await.map_err(late)??;
        if body.is_empty() {
            return Err(Refusal::bad("an event is expected, the body is empty"));
        }
        let content_type = head.headers.get(header::CONTENT_TYPE).and_then(|text| text.to_str().ok()).unwrap_or_default();
        let media = content_type.split(';').next().unwrap_or_default().trim();
        if media.eq_ignore_ascii_case(BATCH) {
            self.append_batch(hub, place, broker, &body).await?;
        } else {
            let (place, key) = placed(place, broker.partition_key)?;
            let event = NewEvent { body, properties: user_properties(&head.headers), key };
            self.log.append(hub, place, vec![event]).await?;
        }
        let created = (StatusCode::CREATED, [(header::CONTENT_TYPE, "application/xml; charset=utf-8")]);
        Ok(created.into_response())
    }

    fn let_in(&self, request: &Request) -> Result<(), Refusal> {
        let unauthorized = |message: String| Refusal { status: StatusCode::UNAUTHORIZED, message };
        if request.extensions().get::<LetIn>().is_some() {
            return Ok(());
        }
        if self.settings.keys.is_empty() {
            if self.settings.closed {
                return Err(unauthorized("a token is needed: Authorization: Bearer …".to_owned()));
            }
            let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
            return match peer {
                Some(ConnectInfo(peer)) if !peer.ip().to_canonical().is_loopback() => {
                    Err(unauthorized("no keys are configured, so only senders on this machine are let in".to_owned()))
                }
                _ => Ok(()),
            };
        }
        let authorization = request.headers().get(header::AUTHORIZATION).and_then(|text| text.to_str().ok());
        let path = percent_encoding::percent_decode_str(request.uri().path()).decode_utf8_lossy();
        sas::check(authorization, &self.settings.keys, &path, self.log.clock().now()).map_err(|error| unauthorized(error.to_string()))
    }

    /// Reads the body, but never more than the largest one.
    async fn body(&self, headers: &HeaderMap, body: Body) -> Result<Bytes, Refusal> {
        let max = self.settings.max_body;
        let too_large = || Refusal {
            status: StatusCode::PAYLOAD_TOO_LARGE,
            message: format!("a body may have {max} bytes, this one has more; send smaller events or fewer in one batch"),
        };
        let expected = body.size_hint().exact();
        if expected.is_some_and(|length| length > max as u64) {
            // A sender that waits for "100 Continue" has sent nothing yet.
            if !headers.contains_key(header::EXPECT) && expected.is_some_and(|length| length <= DRAIN as u64) {
                drain(body, 0).await;
            }
            return Err(too_large());
        }
        let mut chunks = body.into_data_stream();
        let broken = |error: axum::Error| Refusal::bad(format!("the body ended early: {error}"));
        let Some(first) = chunks.next().await.transpose().map_err(broken)? else { return Ok(Bytes::new()) };
        if first.len() > max {
            return Err(too_large());
        }
        let Some(mut next) = chunks.next().await.transpose().map_err(broken)? else { return Ok(first) };
        let mut whole = BytesMut::with_capacity(expected.unwrap_or(0).clamp(first.len() as u64 + next.len() as u64, max as u64) as usize);
        whole.extend_from_slice(&first);
        loop {
            if whole.len() + next.len() > max {
                drain(Body::from_stream(chunks), whole.len()).await;
                return Err(too_large());
            }
            whole.extend_from_slice(&next);
            match chunks.next().await.transpose().map_err(broken)? {
                Some(chunk) => next = chunk,
                None => return Ok(whole.freeze()),
            }
        }
    }

    async fn append_batch(&self, hub: &str, place: Place, broker: Broker, body: &[u8]) -> Result<(), Refusal> {
        let items = batch::parse(body)?;
        // One append for each partition key; mostly there is none, and one append.
        let mut groups: Vec<(Option<String>, Vec<NewEvent>)> = Vec::new();
        for Item { body, properties, key } in items {
            let key = key.or_else(|| broker.partition_key.clone());
            let (_, key) = placed(place.clone(), key)?;
            let group = match groups.iter().position(|(known, _)| *known == key) {
                Some(group) => group,
                None => {
                    groups.push((key.clone(), Vec::new()));
                    groups.len() - 1
                }
            };
            groups[group].1.push(NewEvent { body, properties, key });
        }
        let appends = groups.into_iter().map(|(key, events)| {
            let place = match (&place, key) {
                (Place::Any, Some(key)) => Place::Key(key),
                (place, _) => place.clone(),
            };
            self.log.append(hub, place, events)
        });
        futures::future::try_join_all(appends).await?;
        Ok(())
    }
}

/// A partition key decides the place, unless something else has.
fn placed(place: Place, key: Option<String>) -> Result<(Place, Option<String>), Refusal> {
    match (place, key) {
        (Place::Any, Some(key)) => Ok((Place::Key(key.clone()), Some(key))),
        (Place::Key(publisher), Some(key)) if key != publisher => {
            Err(Refusal::bad(format!("the partition key '{key}' is not the publisher '{publisher}'; leave it out")))
        }
        (Place::Key(publisher), _) => Ok((Place::Key(publisher.clone()), Some(publisher))),
        (Place::Partition(_), Some(_)) => Err(Refusal::bad("a partition key and a partition were given; leave one of them out")),
        (place, None) => Ok((place, None)),
    }
}

/// Reads what is left of a body and throws it away, up to a limit.
async fn drain(body: Body, mut read: usize) {
    let mut chunks = body.into_data_stream();
    while let Some(Ok(chunk)) = chunks.next().await {
        read += chunk.len();
        if read > DRAIN {
            break;
        }
    }
}

/// The headers that the sender added of its own. Service Bus senders quote texts: `Alert: "Strong Wind"`.
fn user_properties(headers: &HeaderMap) -> Vec<(String, String)> {
    let own = headers.iter().filter(|(name, _)| !is_protocol(name));
    own.filter_map(|(name, value)| {
        let text = std::str::from_utf8(value.as_bytes()).ok()?;
        let text = serde_json::from_str(text).unwrap_or_else(|_not_quoted| text.to_owned());
        Some((name.as_str().to_owned(), text))
    })
    .collect()
}

/// Whether a header belongs to HTTP or to Event Hubs.
fn is_protocol(name: &HeaderName) -> bool {
    const PREFIXES: [&str; 8] = ["accept", "content-", "access-control-", "if-", "proxy-", "sec-", "x-forwarded-", "x-ms-"];
    const NAMES: [&str; 30] = [
        "authorization",
        "baggage",
        "brokerproperties",
        "cache-control",
        "connection",
        "cookie",
        "date",
        "dnt",
        "expect",
        "forwarded",
        "from",
        "host",
        "keep-alive",
        "max-forwards",
        "origin",
        "pragma",
        "priority",
        "range",
        "referer",
        "request-id",
        "te",
        "traceparent",
        "tracestate",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "upgrade-insecure-requests",
        "user-agent",
        "via",
        "x-real-ip",
    ];
    NAMES.contains(&name.as_str()) || PREFIXES.iter().any(|prefix| name.as_str().starts_with(prefix))
}
