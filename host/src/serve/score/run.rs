//! One request through the function.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;

use super::answer::{self, Refusal};
use super::request::{self, Asked};
use super::{Envelope, Shared, rows};
use crate::batch::{Column, Value, write_value};

/// A refused body is read and thrown away up to this size, so that its sender gets to read the answer.
const DRAIN: usize = 16 << 20;

/// The door for rows.
pub(super) async fn score(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let answered = match *request.method() {
        Method::OPTIONS => return answer::options(),
        Method::GET => of_query(shared, request.uri().clone()).await,
        Method::POST => of_body(shared, request).await,
        _ => Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed")),
    };
    match answered {
        Ok(scored) => {
            if !scored.rejected.is_empty() {
                tracing::info!(rows = scored.rows, rejected = scored.rejected.len(), "Some rows have no value.");
            }
            answer::scored(scored.body, scored.took, &scored.rejected)
        }
        Err(refusal) => {
            if let Some(reason) = refusal.reason() {
                tracing::warn!(reason, "A request failed.");
            }
            refusal.into_response()
        }
    }
}

async fn of_query(shared: Arc<Shared>, uri: Uri) -> Result<Scored, Refusal> {
    in_turn(shared, move |shared| run(shared, &request::of_query(&uri)?)).await
}

async fn of_body(shared: Arc<Shared>, request: Request) -> Result<Scored, Refusal> {
    if !request::is_json(request.headers()) {
        return Err(request::not_json());
    }
    let body = body(request, shared.settings.max_body, shared.settings.time_limit).await?;
    in_turn(shared, move |shared| run(shared, &request::of_body(&body)?)).await
}

async fn body(request: Request, limit: usize, time: Duration) -> Result<Bytes, Refusal> {
    let read = async {
        let mut stream = request.into_body().into_data_stream();
        let (mut body, mut len) = (BytesMut::new(), 0_usize);
        while let Some(part) = stream.next().await {
            let part = part.map_err(|error| Refusal::bad(format!("The body could not be read: {error}")))?;
            len += part.len();
            if len <= limit {
                body.extend_from_slice(&part);
            } else if len > limit + DRAIN {
                break;
            }
        }
        if len > limit {
            let message = format!("The body is larger than {limit} bytes. Send fewer rows in one request.");
            return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, message));
        }
        Ok(body.freeze())
    };
    let late = |_| Refusal::new(StatusCode::REQUEST_TIMEOUT, format!("The body did not come within {} ms.", time.as_millis()));
    tokio::time::timeout(time, read).await.map_err(late)?
}

/// Runs the work off the async threads, when it is its turn. Work that takes too long is left alone: the sandbox ends it.
async fn in_turn<T: Send + 'static>(
    shared: Arc<Shared>,
    work: impl FnOnce(&Shared) -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let limit = shared.settings.time_limit;
    let start = Instant::now();
    let turn = tokio::time::timeout(limit, Arc::clone(&shared.turns).acquire_owned()).await;
    let busy = |_| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "The server is busy. Send the request again later.");
    let turn = turn.map_err(busy)?.map_err(|_| Refusal::internal())?;
    let working = tokio::task::spawn_blocking(move || {
        let done = work(&shared);
        drop(turn);
        done
    });
    match tokio::time::timeout(limit.saturating_sub(start.elapsed()), working).await {
        Ok(Ok(done)) => done,
        Ok(Err(error)) => {
            tracing::error!(%error, "Scoring failed inside. Please report it.");
            Err(Refusal::internal())
        }
        Err(_) => Err(Refusal::timeout(limit)),
    }
}

/// What a request came to.
#[derive(Debug)]
struct Scored {
    body: Vec<u8>,
    took: Duration,
    rows: usize,
    /// Row, from 0, and reason; ascending.
    rejected: Vec<(usize, String)>,
}

fn run(shared: &Shared, asked: &Asked<'_>) -> Result<Scored, Refusal> {
    let start = Instant::now();
    let (function, settings) = (&shared.function, &shared.settings);
    let rows = rows::read(&asked.rows, &function.signature().columns, settings.text_numbers);
    let rows = rows.map_err(|error| Refusal::failed(format!("the rows cannot be read: {error}")))?;
    let called = function.call(&settings.function, &rows.batch).map_err(|error| Refusal::failed(error.to_string()))?;
    let rejected = merged(rows.malformed, called.rejected);
    if let Some((row, reason)) = rejected.first().filter(|_| settings.strict) {
        return Err(Refusal::failed(format!("row {}, {reason}", row + 1)));
    }
    let json = function.signature().function(&settings.function).is_some_and(|(_, called)| called.json);
    let body = written(&called.column, json, &rejected, asked.envelope);
    Ok(Scored { body, took: start.elapsed(), rows: rows.batch.rows(), rejected })
}

/// A row that is no row keeps that reason, whatever the function said of it.
fn merged(malformed: Vec<(usize, String)>, called: Vec<(usize, String)>) -> Vec<(usize, String)> {
    if malformed.is_empty() {
        return called;
    }
    let mut all: std::collections::BTreeMap<usize, String> = called.into_iter().collect();
    all.extend(malformed);
    all.into_iter().collect()
}

/// One value a row. With `json`, the texts are JSON and go in as they are.
fn written(column: &Column, json: bool, rejected: &[(usize, String)], envelope: Envelope) -> Vec<u8> {
    let mut out = Vec::with_capacity(column.len() * 8 + 16);
    if envelope == Envelope::Inputs {
        out.extend_from_slice(b"{\"Results\":");
    }
    out.push(b'[');
    let mut rejected = rejected.iter().map(|(row, _)| *row).peekable();
    for row in 0..column.len() {
        if row > 0 {
            out.push(b',');
        }
        match rejected.next_if_eq(&row) {
            Some(_) => out.extend_from_slice(b"null"),
            None => match column.value(row) {
                Value::Text(text) if json && is_json(&text) => out.extend_from_slice(text.as_bytes()),
                value => write_value(&value, &mut out),
            },
        }
    }
    out.push(b']');
    if envelope == Envelope::Inputs {
        out.push(b'}');
    }
    out
}

/// A function is not trusted with the answer's form.
fn is_json(text: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}
