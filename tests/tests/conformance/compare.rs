//! Rows against rows: numbers by value, timestamps as instants, names of columns without regard to case.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use tamis::time::Timestamp;

type Rows = BTreeMap<String, Vec<Map<String, Value>>>;

/// Says what is missing and what is too much.
pub(crate) fn compare(expected: &Rows, written: &Rows, ordered: bool, tolerance: f64) -> Result<(), String> {
    let expected: Rows = expected.iter().map(|(name, rows)| (name.to_lowercase(), rows.clone())).collect();
    let empty = Vec::new();
    let mut problems = String::new();
    for name in expected.keys().chain(written.keys().filter(|name| !expected.contains_key(*name))) {
        let (wanted, found) = (expected.get(name).unwrap_or(&empty), written.get(name).unwrap_or(&empty));
        let equal = |left: &Map<String, Value>, right: &Map<String, Value>| same_row(left, right, tolerance);
        let mut left: Vec<&Map<String, Value>> = found.iter().collect();
        let mut missing = Vec::new();
        if ordered {
            let same = wanted.len() == found.len() && wanted.iter().zip(found).all(|(wanted, found)| equal(wanted, found));
            if same {
                continue;
            }
        }
        for row in wanted {
            match left.iter().position(|found| equal(row, found)) {
                Some(place) => drop(left.remove(place)),
                None => missing.push(row),
            }
        }
        let text = |row: &Map<String, Value>| serde_json::to_string(row).unwrap();
        for row in &missing {
            problems.push_str(&format!("\n  {name} - {}", text(row)));
        }
        for row in &left {
            problems.push_str(&format!("\n  {name} + {}", text(row)));
        }
        if missing.is_empty() && left.is_empty() && ordered {
            problems.push_str(&format!("\n  {name}: the rows are right, their order is not:"));
            found.iter().for_each(|row| problems.push_str(&format!("\n    {}", text(row))));
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

fn same_row(left: &Map<String, Value>, right: &Map<String, Value>, tolerance: f64) -> bool {
    left.len() == right.len()
        && left.iter().all(|(name, value)| {
            let found = right.iter().find(|(other, _)| other.to_lowercase() == name.to_lowercase());
            found.is_some_and(|(_, other)| same(value, other, tolerance))
        })
}

fn same(left: &Value, right: &Value, tolerance: f64) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => match (left.as_i64(), right.as_i64()) {
            (Some(left), Some(right)) => left == right,
            _ => {
                let (left, right) = (left.as_f64().unwrap(), right.as_f64().unwrap());
                (left - right).abs() <= tolerance * left.abs().max(right.abs()).max(f64::MIN_POSITIVE)
            }
        },
        (Value::String(left), Value::String(right)) => {
            left == right || matches!((instant(left), instant(right)), (Some(left), Some(right)) if left == right)
        }
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right, tolerance))
        }
        (Value::Object(left), Value::Object(right)) => same_row(left, right, tolerance),
        _ => left == right,
    }
}

/// An ISO 8601 timestamp with a date and a time.
fn instant(text: &str) -> Option<Timestamp> {
    (text.len() >= 16 && text.contains('T')).then(|| Timestamp::parse(text)).flatten()
}
