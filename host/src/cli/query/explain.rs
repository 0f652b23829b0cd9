//! `--explain-time`: what happened to each event's time.

use comfy_table::Table;
use serde_json::{Value as Json, json};

use crate::pipeline::{ExplainedEvent, Windows};
use crate::time::Timestamp;

/// One event as JSON.
pub(super) fn json(event: &ExplainedEvent) -> Json {
    let times = &event.times;
    json!({"explain": {
        "input": event.input,
        "row": times.id.map(|id| id.offset + 1),
        "arrival": text(times.arrival),
        "event_time": times.event.and_then(text),
        "policy": times.verdict.words(),
        "timestamp": times.time.and_then(text),
        "watermark": text(times.watermark),
        "windows": event.windows.iter().flat_map(windows).collect::<Vec<_>>(),
    }})
}

/// `None` before everything: no event has moved it yet.
fn text(time: Timestamp) -> Option<String> {
    (time != Timestamp::MIN).then(|| time.to_string())
}

fn windows(windows: &Windows) -> Vec<Json> {
    let base = json!({"step": &*windows.step, "kind": windows.kind});
    let with = |names: [&str; 2], (first, second): (Timestamp, Timestamp)| {
        let mut window = base.clone();
        window[names[0]] = first.to_string().into();
        window[names[1]] = second.to_string().into();
        window
    };
    match windows.kind {
        "session" => vec![base],
        "sliding" => windows.spans.iter().map(|span| with(["first_end", "left_at"], *span)).collect(),
        _ => windows.spans.iter().map(|span| with(["start", "end"], *span)).collect(),
    }
}

/// All events in a table.
pub(super) fn fill(mut table: Table, events: &[ExplainedEvent]) -> Table {
    table.set_header(["input", "row", "arrival", "event time", "policy", "timestamp", "watermark", "windows"]);
    let shown = |time: Option<Timestamp>| time.and_then(text).unwrap_or_default();
    table.add_rows(events.iter().map(|event| {
        let times = &event.times;
        let windows: Vec<String> = event.windows.iter().map(words).collect();
        [
            event.input.clone(),
            times.id.map(|id| (id.offset + 1).to_string()).unwrap_or_default(),
            shown(Some(times.arrival)),
            shown(times.event),
            times.verdict.words().to_owned(),
            shown(times.time),
            shown(Some(times.watermark)),
            windows.join("\n"),
        ]
    }));
    table
}

fn words(windows: &Windows) -> String {
    let spans = windows.spans.iter().map(|(start, end)| match windows.kind {
        "sliding" => format!("ends from {start} until {end}"),
        _ => format!("({start}, {end}]"),
    });
    format!("{} {}: {}", windows.step, windows.kind, spans.collect::<Vec<_>>().join(", "))
}
