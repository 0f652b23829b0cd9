//! One request and its retries.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{StatusCode, Url};

use super::envelope::{Envelope, short};
use super::{MlError, MlSettings};

/// Connections to an endpoint. Cloning is cheap.
#[derive(Debug, Clone)]
pub(super) struct Client {
    http: reqwest::Client,
    endpoint: Url,
}

const CONNECT: Duration = Duration::from_secs(10);
/// The longest pause between two tries, also when the endpoint asks for more.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// The largest swagger document.
const SWAGGER: usize = 4 << 20;
/// What the inference server says of an exception in the scoring script.
const FUNCTION_FAILED: &str = "x-ms-run-function-failed";

impl Client {
    pub(super) fn new(settings: &MlSettings) -> Result<Self, MlError> {
        let wrong = |what: String| MlError::Settings { name: settings.name.clone(), what };
        let endpoint = Url::parse(&settings.endpoint).map_err(|error| wrong(format!("the endpoint is not an address: {error}")))?;
        if !matches!(endpoint.scheme(), "http" | "https") || endpoint.host_str().is_none() {
            return Err(wrong("the endpoint must be an http or https address".to_owned()));
        }
        if !endpoint.username().is_empty() || endpoint.password().is_some() {
            return Err(wrong("the endpoint must not have a user or password in it; give a key".to_owned()));
        }
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(key) = &settings.key {
            let bearer = HeaderValue::from_str(&format!("Bearer {}", key.0));
            let mut bearer = bearer.map_err(|_| wrong("the key has characters that no header takes".to_owned()))?;
            bearer.set_sensitive(true);
            headers.insert(AUTHORIZATION, bearer);
        }
        let http = reqwest::Client::builder()
            .default_headers(headers)
            .timeout(settings.timeout)
            .connect_timeout(CONNECT)
            // The key goes to this endpoint only.
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| MlError::Runtime(error.to_string()))?;
        Ok(Self { http, endpoint })
    }

    /// The address as messages show it.
    fn shown(&self) -> String {
        let mut shown = self.endpoint.clone();
        shown.set_query(None);
        shown.set_fragment(None);
        shown.to_string()
    }

    /// The shape of requests: from the settings, else from the `swagger.json` beside the endpoint, else `data`.
    pub(super) async fn envelope(&self, settings: &MlSettings) -> Envelope {
        if settings.request_label.is_some() || settings.input.is_some() {
            return Envelope::new(settings.request_label.as_deref(), settings.input.as_deref());
        }
        match self.swagger().await {
            Ok(Some(envelope)) => envelope,
            Ok(None) => Envelope::new(None, None),
            Err(reason) => {
                tracing::info!(function = settings.name, reason, "The endpoint tells no swagger.json; rows are sent as {{\"data\": […]}}.");
                Envelope::new(None, None)
            }
        }
    }

    async fn swagger(&self) -> Result<Option<Envelope>, String> {
        let address = self.endpoint.join("swagger.json").map_err(|error| error.to_string())?;
        let response = self.http.get(address).timeout(CONNECT).send().await.map_err(|error| described(&error))?;
        if response.status() != StatusCode::OK {
            return Err(format!("status {}", response.status().as_u16()));
        }
        let text = body(response, SWAGGER).await?;
        let document = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
        Ok(Envelope::from_swagger(&document))
    }

    /// The body of the response to one request, which is tried again while that may help.
    pub(super) async fn score(&self, settings: &MlSettings, request: Bytes) -> Result<Vec<u8>, MlError> {
        let pauses = ExponentialBuilder::new()
            .with_min_delay(settings.first_pause)
            .with_max_delay(LONGEST_PAUSE)
            .with_jitter()
            .with_total_delay(settings.retry_for)
            .without_max_times();
        let once = || self.once(settings, request.clone());
        once.retry(pauses)
            .when(MlError::is_retriable)
            .adjust(|error, pause| match (error, pause) {
                (MlError::Busy { wait: Some(wait), .. }, Some(pause)) => Some((*wait).max(pause).min(LONGEST_PAUSE)),
                (_, pause) => pause,
            })
            .notify(|error, pause| {
                tracing::warn!(function = settings.name, %error, pause_ms = pause.as_millis(), "The request is tried again.");
            })
            .await
    }

    async fn once(&self, settings: &MlSettings, request: Bytes) -> Result<Vec<u8>, MlError> {
        let (name, endpoint) = (settings.name.clone(), self.shown());
        let unreachable = |what: String| MlError::Unreachable { name: settings.name.clone(), endpoint: self.shown(), what };
        let sent = self.http.post(self.endpoint.clone()).body(request).send().await;
        let response = sent.map_err(|error| unreachable(described(&error)))?;
        let status = response.status();
        let function_failed = response.headers().get(FUNCTION_FAILED).is_some_and(|failed| failed.as_bytes().eq_ignore_ascii_case(b"true"));
        let wait = response.headers().get(RETRY_AFTER).and_then(|wait| wait.to_str().ok()?.parse().ok()).map(Duration::from_secs);
        let text = body(response, settings.max_response).await;
        if status == StatusCode::OK {
            return text.map_err(unreachable);
        }
        let what = text.map_or_else(|what| what, |text| short(&message(&text)));
        let status = status.as_u16();
        // An exception of the scoring script comes again with the same rows.
        if matches!(status, 408 | 425 | 429 | 500 | 502 | 503 | 504) && !function_failed {
            return Err(MlError::Busy { name, endpoint, status, what, wait });
        }
        Err(MlError::Refused { name, endpoint, status, what })
    }
}

/// What a failed request's body says: its `message`, else all of it.
fn message(text: &[u8]) -> String {
    let json: Option<serde_json::Value> = serde_json::from_slice(text).ok();
    let message = json.as_ref().and_then(|json| json.get("message")?.as_str());
    message.map_or_else(|| String::from_utf8_lossy(text).trim().to_owned(), str::to_owned)
}

async fn body(mut response: reqwest::Response, most: usize) -> Result<Vec<u8>, String> {
    let mut text = Vec::new();
    while let Some(part) = response.chunk().await.map_err(|error| described(&error))? {
        if text.len() + part.len() > most {
            return Err(format!("the response is longer than {most} bytes"));
        }
        text.extend_from_slice(&part);
    }
    Ok(text)
}

/// An error with its causes, without the address: its query may hold a secret.
fn described(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut parts = Vec::new();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        parts.push(inner.to_string());
        cause = inner.source();
    }
    if parts.is_empty() { "the request failed".to_owned() } else { parts.join(": ") }
}
