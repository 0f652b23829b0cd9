//! The newest documents and dead letters, for people who look something up.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use super::Shown;
use crate::pipeline::replay::{Replay, Replayed};
use crate::store::{Reader, StoreError};

#[derive(Debug, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    output: Option<String>,
    limit: usize,
}

impl Default for Asked {
    fn default() -> Self {
        Self { output: None, limit: 100 }
    }
}

const MOST: usize = 1000;

/// `GET /api/documents?output=NAME&limit=N`: newest first.
pub(super) async fn documents(State(shown): State<Shown>, Query(asked): Query<Asked>) -> Response {
    read(shown, move |reader| {
        let documents = reader.last_documents(asked.output.as_deref(), asked.limit.min(MOST))?;
        let texts: Vec<String> = documents.iter().map(|document| document.json()).collect();
        Ok(format!("[{}]", texts.join(",\n")))
    })
    .await
}

/// `GET /api/dead-letters?limit=N`: newest first, with all that is known of each.
pub(super) async fn dead_letters(State(shown): State<Shown>, Query(asked): Query<Asked>) -> Response {
    read(shown, move |reader| {
        let letters = reader.last_dead_letters(asked.limit.min(MOST))?;
        let letters: Vec<_> = letters.iter().map(|(id, letter)| letter.json(*id)).collect();
        Ok(serde_json::Value::from(letters).to_string())
    })
    .await
}

/// `POST /api/dead-letters/{id}/replay`: the event is appended to its hub's log again, and the dead letter is marked.
pub(super) async fn replay(State(shown): State<Shown>, Path(id): Path<i64>) -> Response {
    let opened = tokio::task::spawn_blocking(move || Replay::with_log(&shown.data_dir, shown.log)).await;
    let sent = match opened {
        Ok(Ok(mut replay)) => replay.send(id).await,
        Ok(Err(fault)) => Err(fault),
        Err(error) => return failed(&error.to_string()),
    };
    match sent {
        Ok(Replayed::Sent(letters)) => Json(json!({ "sent": true, "marked": letters })).into_response(),
        Ok(Replayed::Before) => (StatusCode::CONFLICT, super::operate::error("Conflict", "it was sent again before")).into_response(),
        Ok(Replayed::Cannot(why)) => (StatusCode::CONFLICT, super::operate::error("Conflict", &why)).into_response(),
        Err(fault) => failed(&fault.to_string()),
    }
}

async fn read(shown: Shown, question: impl FnOnce(&Reader) -> Result<String, StoreError> + Send + 'static) -> Response {
    let answer = tokio::task::spawn_blocking(move || question(&Reader::open(&shown.data_dir)?)).await;
    match answer {
        Ok(Ok(text)) => ([(header::CONTENT_TYPE, "application/json")], text).into_response(),
        Ok(Err(error @ StoreError::NoOutput { .. })) => {
            (StatusCode::NOT_FOUND, super::operate::error("NotFound", &error.to_string())).into_response()
        }
        Ok(Err(error)) => failed(&error.to_string()),
        Err(error) => failed(&error.to_string()),
    }
}

fn failed(error: &str) -> Response {
    tracing::error!(error, "Store cannot be read.");
    (StatusCode::INTERNAL_SERVER_ERROR, super::operate::error("InternalError", "the store cannot be read; the log says why"))
        .into_response()
}
