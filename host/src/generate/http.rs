//! Sends transactions to Event Hubs' REST, ours or the real one.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode, Url};

use super::GenerateError;
use super::simulate::Transaction;
use crate::source::AccessKey;

/// A request has at most so many bytes and events, which every tier of Event Hubs takes.
const MAX_BYTES: usize = 256_000;
pub(super) const MAX_EVENTS: usize = 500;
/// How long a token is good for, and when it is renewed.
const TOKEN_SECONDS: i64 = 3600;
const RENEW_SECONDS: i64 = 600;
/// How long a server may be away or busy.
const PATIENCE: Duration = Duration::from_secs(120);

/// A text that is not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl FromStr for Secret {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

/// Where an Event Hubs namespace is and the key to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Connection {
    pub(super) endpoint: Url,
    pub(super) key: Option<AccessKey>,
    pub(super) hub: Option<String>,
}

impl Connection {
    /// From an address such as `http://127.0.0.1:8400`.
    pub(super) fn from_address(address: &str) -> Result<Self, GenerateError> {
        let wrong = |what: &str| GenerateError::Address { address: address.to_owned(), what: what.to_owned() };
        let with_scheme = address.replacen("sb://", "https://", 1);
        let endpoint =
            Url::parse(&with_scheme).map_err(|error| wrong(&format!("{error}; an address such as http://127.0.0.1:8400 is expected")))?;
        if !matches!(endpoint.scheme(), "http" | "https") || endpoint.host().is_none() {
            return Err(wrong("an address such as http://127.0.0.1:8400 is expected"));
        }
        if endpoint.path() != "/" || endpoint.query().is_some() {
            return Err(wrong("only the host is expected here; name the hub with --hub"));
        }
        Ok(Self { endpoint, key: None, hub: None })
    }

    /// From a connection string. Its parts are never part of an error, except for their names.
    pub(super) fn from_secret(secret: &Secret) -> Result<Self, GenerateError> {
        let part = |wanted: &str| {
            let parts = secret.0.split(';').filter_map(|part| part.trim().split_once('='));
            parts.into_iter().find(|(name, _)| name.trim().eq_ignore_ascii_case(wanted)).map(|(_, value)| value.trim().to_owned())
        };
        let endpoint = part("Endpoint").ok_or(GenerateError::ConnectionString { part: "Endpoint" })?;
        let mut connection =
            Self::from_address(endpoint.trim_end_matches('/')).map_err(|_| GenerateError::ConnectionString { part: "Endpoint" })?;
        connection.key = match (part("SharedAccessKeyName"), part("SharedAccessKey")) {
            (Some(name), Some(key)) => Some(AccessKey { name, key }),
            (None, None) => None,
            (None, Some(_)) => return Err(GenerateError::ConnectionString { part: "SharedAccessKeyName" }),
            (Some(_), None) => return Err(GenerateError::ConnectionString { part: "SharedAccessKey" }),
        };
        connection.hub = part("EntityPath").filter(|hub| !hub.is_empty());
        Ok(connection)
    }
}

/// How events are put into requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Many, as a JSON batch.
    Batch,
    /// One a request, as JSON.
    Single,
    /// One a request, printed as a Python dict: the original sender's way.
    Python,
}

impl Shape {
    fn content_type(self) -> &'static str {
        match self {
            Self::Batch => "application/vnd.microsoft.servicebus.json",
            Self::Single => "application/json",
            Self::Python => "application/atom+xml;type=entry;charset=utf-8",
        }
    }

    /// The bodies of the requests for these transactions, with the number of events of each.
    pub(super) fn bodies(self, transactions: &[Transaction]) -> Vec<(Vec<u8>, usize)> {
        let mut bodies: Vec<(Vec<u8>, usize)> = Vec::new();
        let mut one = Vec::new();
        for transaction in transactions {
            one.clear();
            if self == Self::Python {
                transaction.write_python(&mut one);
            } else {
                transaction.write_json(&mut one);
            }
            if self != Self::Batch {
                bodies.push((one.clone(), 1));
                continue;
            }
            let mut item = b"{\"Body\":".to_vec();
            // JSON is text, and writing into a Vec cannot fail.
            let _written = serde_json::to_writer(&mut item, &String::from_utf8_lossy(&one));
            item.push(b'}');
            match bodies.last_mut().filter(|(body, events)| body.len() + item.len() + 2 <= MAX_BYTES && *events < MAX_EVENTS) {
                Some((body, events)) => {
                    body.push(b',');
                    body.append(&mut item);
                    *events += 1;
                }
                None => {
                    item.insert(0, b'[');
                    bodies.push((item, 1));
                }
            }
        }
        if self == Self::Batch {
            bodies.iter_mut().for_each(|(body, _)| body.push(b']'));
        }
        bodies
    }
}

/// A hub to send to.
#[derive(Debug)]
pub(super) struct Sender {
    client: Client,
    url: Url,
    /// What tokens are made for.
    resource: String,
    key: Option<AccessKey>,
    /// The token in use and when it expires, in seconds since 1970.
    token: Mutex<Option<(String, i64)>>,
    pub(super) shape: Shape,
}

impl Sender {
    pub(super) fn new(connection: Connection, hub: &str, shape: Shape) -> Result<Self, GenerateError> {
        let mut url = connection.endpoint;
        // An address with a host has a path that can be extended.
        if let Ok(mut path) = url.path_segments_mut() {
            path.clear().push(hub);
        }
        let resource = url.to_string();
        if let Ok(mut path) = url.path_segments_mut() {
            path.push("messages");
        }
        url.set_query(Some("timeout=60&api-version=2014-01"));
        let client = Client::builder().timeout(Duration::from_secs(60)).connect_timeout(Duration::from_secs(10));
        let client = client.build().map_err(|error| GenerateError::Client(error.to_string()))?;
        Ok(Self { client, url, resource, key: connection.key, token: Mutex::new(None), shape })
    }

    fn authorization(&self) -> Option<String> {
        let key = self.key.as_ref()?;
        let now = jiff::Timestamp::now().as_second();
        let mut token = self.token.lock();
        if let Some((text, expiry)) = &*token
            && now < expiry - RENEW_SECONDS
        {
            return Some(text.clone());
        }
        let expiry = now + TOKEN_SECONDS;
        let text = key.token(&self.resource, expiry);
        *token = Some((text.clone(), expiry));
        Some(text)
    }

    /// Sends one request until it is taken. What may pass is tried again, later each time.
    pub(super) async fn send(&self, body: Vec<u8>) -> Result<(), GenerateError> {
        let body = bytes::Bytes::from(body);
        let start = Instant::now();
        let mut pause = Duration::from_millis(100);
        loop {
            let mut request = self.client.post(self.url.clone()).header(CONTENT_TYPE, self.shape.content_type()).body(body.clone());
            if let Some(token) = self.authorization() {
                request = request.header(AUTHORIZATION, token);
            }
            let (what, wait) = match request.send().await {
                Ok(response) if response.status().is_success() => return Ok(()),
                Ok(response) => {
                    let status = response.status();
                    let wait = retry_after(&response);
                    let answer = answer(response).await;
                    if status != StatusCode::TOO_MANY_REQUESTS && !status.is_server_error() {
                        return Err(GenerateError::Refused { url: self.url.to_string(), status: status.as_u16(), answer });
                    }
                    (format!("{status}: {answer}"), wait)
                }
                Err(error) if error.is_builder() => return Err(GenerateError::Client(error.to_string())),
                Err(error) => (deepest(&error), None),
            };
            if start.elapsed() > PATIENCE {
                return Err(GenerateError::Away { url: self.url.to_string(), seconds: PATIENCE.as_secs(), what });
            }
            let pause_now = wait.unwrap_or(pause).min(Duration::from_secs(30));
            tracing::debug!(url = %self.url, what, ?pause_now, "The server did not take the events; they are sent again.");
            tokio::time::sleep(pause_now).await;
            pause = (pause * 2).min(Duration::from_secs(5));
        }
    }
}

fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// What the server says, short.
async fn answer(response: Response) -> String {
    let text = response.text().await.unwrap_or_default();
    let message =
        serde_json::from_str::<serde_json::Value>(&text).ok().and_then(|json| Some(json["error"]["message"].as_str()?.to_owned()));
    let text = message.unwrap_or(text);
    text.chars().take(300).collect()
}

/// The cause at the bottom: "Connection refused" rather than "error sending request".
fn deepest(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
