//! `GET /feed`: what the page shows, as Server-Sent Events.
//!
//! `event: state` carries the whole state, at once and then as it changes. With `?rows=1`, `event: rows` carries each
//! row of the feed outputs; a reader that comes back with `Last-Event-ID` goes on behind that row, and is told by
//! `event: gap` when rows between are gone.

use std::convert::Infallible;

use async_stream::stream;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::Stream;
use serde::Deserialize;

use super::Shown;

/// Rows sent before other things are looked at.
const ROWS: usize = 500;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    /// Whether rows are wanted.
    rows: Option<u8>,
    /// As the header `Last-Event-ID`, for readers that cannot set it.
    #[serde(rename = "last-event-id")]
    last_event_id: Option<u64>,
}

pub(super) async fn feed(
    State(shown): State<Shown>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok()).or(asked.last_event_id);
    let events = events(shown, asked.rows.is_some_and(|rows| rows != 0), last);
    Sse::new(events).keep_alive(KeepAlive::default())
}

fn events(shown: Shown, rows_wanted: bool, last: Option<u64>) -> impl Stream<Item = Result<Event, Infallible>> {
    let Shown { mut page, rows, mut ending, .. } = shown;
    stream! {
        let mut newest = rows.newest();
        let mut seq = last.unwrap_or_else(|| *newest.borrow());
        page.mark_changed();
        loop {
            if rows_wanted {
                loop {
                    let run = rows.after(seq, ROWS);
                    if run.gap {
                        yield Ok(Event::default().event("gap").data(format!("{{\"after\":{seq}}}")));
                        // What is left follows; an empty ring starts over at its own number.
                        seq = run.rows.first().map_or_else(|| *newest.borrow_and_update(), |row| row.seq - 1);
                        if run.rows.is_empty() {
                            break;
                        }
                    }
                    let full = run.rows.len() == ROWS;
                    for row in run.rows {
                        seq = row.seq;
                        yield Ok(Event::default().event("rows").id(seq.to_string()).data(row.json));
                    }
                    if !full {
                        break;
                    }
                }
            }
            tokio::select! {
                changed = page.changed() => {
                    if changed.is_err() {
                        break;
                    }
                    let state = page.borrow_and_update().clone();
                    let event = Event::default().event("state");
                    // With rows, the ids are theirs: a reader goes on behind the last row that it got.
                    let event = if rows_wanted { event } else { event.id(state.seq.to_string()) };
                    match event.json_data(&*state) {
                        Ok(event) => yield Ok(event),
                        Err(error) => tracing::error!(%error, "State cannot be written as JSON."),
                    }
                }
                changed = newest.changed(), if rows_wanted => {
                    if changed.is_err() {
                        break;
                    }
                }
                () = ended(&mut ending) => break,
            }
        }
    }
}

/// Waits until the server stops.
async fn ended(ending: &mut tokio::sync::watch::Receiver<bool>) {
    let _stopped_or_gone = ending.wait_for(|ending| *ending).await.is_ok();
}
