//! The newest documents and dead letters, for people who look something up.

use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use super::Shown;
use crate::store::{DeadLetter, Reader, StoreError};

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

/// `GET /api/dead-letters?limit=N`: newest first, with the body as text.
pub(super) async fn dead_letters(State(shown): State<Shown>, Query(asked): Query<Asked>) -> Response {
    read(shown, move |reader| {
        let letters = reader.last_dead_letters(asked.limit.min(MOST))?;
        let letters: Vec<_> = letters.iter().map(|(id, letter)| shape(*id, letter)).collect();
        Ok(serde_json::Value::from(letters).to_string())
    })
    .await
}

fn shape(id: i64, letter: &DeadLetter) -> serde_json::Value {
    json!({
        "id": id,
        "input": letter.input,
        "partition": letter.origin.map(|origin| origin.partition),
        "offset": letter.origin.map(|origin| origin.offset),
        "time": letter.time.to_string(),
        "recorded": letter.recorded.to_string(),
        "step": letter.step,
        "reason": letter.reason,
        "body": String::from_utf8_lossy(&letter.body),
    })
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
    (StatusCode::INTERNAL_SERVER_ERROR, super::operate::error("InternalError", "the store cannot be read; the log says why")).into_response()
}
