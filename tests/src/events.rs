//! Transactions to send, with the scores that they must get.

use serde_json::Value;
use tamis_frame::{RESULT, Reply, Values};

use crate::golden::Golden;

/// The number of the function `score` in the signature.
const SCORE: u32 = 1;

/// An event as the original generator prints it: a Python dict.
fn python(id: usize, row: &serde_json::Map<String, Value>) -> String {
    let fields = row.iter().map(|(name, value)| match value {
        Value::String(text) => format!(", '{name}': '{text}'"),
        other => format!(", '{name}': {other}"),
    });
    format!("{{'id': {id}, 'date': '24/11/2026 10:00:00'{}}}", fields.collect::<String>())
}

/// The golden rows before the edge rows at their end. Some of those hold integers beyond what an event may have: they are dead
/// letters, by the rules for input, and have no document.
const PLAIN: usize = 14_000;

/// As many events as wanted, their `id` counting from 0: the plain golden rows, over and over; and the native build's scores of
/// them.
pub fn golden_events(count: usize) -> (Vec<String>, Vec<f64>) {
    let golden = Golden::read();
    let Value::Object(columns) = golden.json() else { panic!("columns") };
    let rows = PLAIN.min(count);
    let event = |id: usize| {
        let values = columns.iter().map(|(name, values)| (name.clone(), values[id % rows].clone()));
        python(id, &values.collect())
    };
    let reply = crate::golden::call(SCORE, golden.frame(rows).bytes()).unwrap();
    let Reply::Columns(frame) = Reply::parse(reply.bytes()).unwrap() else { panic!("an error reply") };
    let Values::Float(scores) = frame.column(RESULT).unwrap().values else { panic!("not floats") };
    ((0..count).map(event).collect(), (0..count).map(|id| scores[id % rows]).collect())
}
