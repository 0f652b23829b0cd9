//! One request, and what its answer means.

use std::fmt;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode, Url};

use super::{Form, HttpPushSettings};
use crate::fault::Fault;

/// So much of an answer's body is told.
const TOLD: usize = 200;
/// Nobody is waited for longer than this, whatever he asks for.
const LONGEST: Duration = Duration::from_secs(600);

/// What became of a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Its rows are taken.
    Taken,
    /// Again, after so long when the server says so.
    Later { why: String, after: Option<Duration> },
    /// Something is wrong with the rows.
    Rows { why: String, too_large: bool },
    /// Something is wrong with the address or the login.
    Elsewhere(String),
}

/// Sends requests to one address.
pub(super) struct Sender {
    client: Client,
    url: Url,
    place: String,
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("place", &self.place).finish_non_exhaustive()
    }
}

impl Sender {
    pub(super) fn new(settings: &HttpPushSettings) -> Result<Self, Fault> {
        let wrong = |message: String| Fault::job(message).at(format!("{}: output '{}'", settings.file, settings.output));
        let url = Url::parse(settings.url.trim()).map_err(|error| wrong(format!("the Url is none: {error}")))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(wrong("the Url must begin with https:// or http:// and name a host".to_owned()));
        }
        let mut headers = HeaderMap::new();
        let mut secret = |name: HeaderName, text: &str| {
            let mut value =
                HeaderValue::from_str(text).map_err(|_| wrong(format!("the header '{name}' has characters that no header may have")))?;
            value.set_sensitive(true);
            headers.insert(name, value);
            Ok::<_, Fault>(())
        };
        for (name, text) in &settings.headers {
            let name = HeaderName::try_from(name).map_err(|_| wrong(format!("'{name}' is no name of a header")))?;
            secret(name, text)?;
        }
        if let Some(token) = &settings.token {
            secret(AUTHORIZATION, &format!("Bearer {}", token.trim()))?;
        }
        let client = Client::builder()
            .default_headers(headers)
            .timeout(settings.timeout)
            // What was meant for one address is not sent to another.
            .redirect(Policy::none())
            .user_agent(concat!("tamis/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| Fault::internal(format!("no HTTP client: {}", told(&error.without_url()))))?;
        let place = format!("output '{}' at {}", settings.output, url.origin().ascii_serialization());
        Ok(Self { client, url, place })
    }

    /// A fault of this address that may pass.
    pub(super) fn fault(&self, message: String) -> Fault {
        Fault::outside(message).at(self.place.clone())
    }

    pub(super) async fn post(&self, body: Vec<u8>, form: Form) -> Answer {
        let kind = match form {
            Form::Rows | Form::Array => "application/json",
            Form::Lines => "application/x-ndjson",
        };
        let sent = self.client.post(self.url.clone()).header(CONTENT_TYPE, kind).body(body).send().await;
        let answer = match sent {
            Ok(answer) => answer,
            // An error's address may hold a key.
            Err(error) => return Answer::Later { why: told(&error.without_url()), after: None },
        };
        let (status, after) = (answer.status(), retry_after(answer.headers()));
        if status.is_success() {
            // The connection is used again once the body is read.
            return match answer.bytes().await {
                Ok(_) => Answer::Taken,
                Err(error) => Answer::Later { why: format!("the answer broke off: {}", told(&error.without_url())), after: None },
            };
        }
        let body = answer.text().await.unwrap_or_default();
        of_status(status, after, &body)
    }
}

fn of_status(status: StatusCode, after: Option<Duration>, body: &str) -> Answer {
    let body: String = body.trim().chars().take(TOLD).map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    let why = if body.is_empty() { format!("the answer is {status}") } else { format!("the answer is {status}: {body}") };
    match status.as_u16() {
        408 | 425 | 429 | 500.. => Answer::Later { why, after },
        413 => Answer::Rows { why, too_large: true },
        400 | 409 | 422 | 431 => Answer::Rows { why, too_large: false },
        _ => Answer::Elsewhere(why),
    }
}

/// Seconds, or a date.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let date = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
            Duration::try_from(date.duration_since(jiff::Timestamp::now())).unwrap_or_default()
        }
    };
    Some(wait.min(LONGEST))
}

/// An error with its causes.
fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_about_the_rows_the_moment_or_the_address() {
        let of = |status: u16| of_status(StatusCode::from_u16(status).unwrap(), None, " no\nrows ");
        for status in [408, 429, 500, 503] {
            assert!(matches!(of(status), Answer::Later { .. }), "{status}");
        }
        for status in [400, 409, 413, 422] {
            assert!(matches!(of(status), Answer::Rows { too_large, .. } if too_large == (status == 413)), "{status}");
        }
        for status in [301, 401, 403, 404, 410] {
            assert!(matches!(of(status), Answer::Elsewhere(_)), "{status}");
        }
        assert_eq!(of(404), Answer::Elsewhere("the answer is 404 Not Found: no rows".to_owned()));
    }

    #[test]
    fn a_wait_is_seconds_or_a_date_and_never_very_long() {
        let of = |text: &str| retry_after(&HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_str(text).unwrap())]));
        assert_eq!(of("7"), Some(Duration::from_secs(7)));
        assert_eq!(of("999999999"), Some(LONGEST));
        assert_eq!(of("Fri, 31 Dec 1999 23:59:59 GMT"), Some(Duration::ZERO));
        assert_eq!(of("Tue, 31 Dec 2199 23:59:59 GMT"), Some(LONGEST));
        assert_eq!(of("soon"), None);
    }
}
