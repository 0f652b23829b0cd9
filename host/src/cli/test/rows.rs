//! Files with rows: a JSON array, JSON lines, or objects one after the other.

use std::path::Path;

use serde_json::Value as Json;

use super::case::Row;
use crate::fault::Fault;

/// The rows of a file.
///
/// # Errors
/// When it cannot be read, or something in it is no JSON object; with line and column.
pub(super) fn read(path: &Path) -> Result<Vec<Row>, Fault> {
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|error| Fault::job(format!("the expected rows cannot be read: {error}")).at(shown.as_str()))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let mut rows = Vec::new();
    for value in serde_json::Deserializer::from_str(text).into_iter::<Json>() {
        let value = value.map_err(|error| {
            let message = error.to_string();
            let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(before, _)| before);
            Fault::job(format!("the expected rows are no JSON: {message}")).at(format!("{shown}:{}:{}", error.line(), error.column()))
        })?;
        match value {
            Json::Array(values) => {
                for value in values {
                    rows.push(row(value, &shown)?);
                }
            }
            value => rows.push(row(value, &shown)?),
        }
    }
    Ok(rows)
}

fn row(value: Json, shown: &str) -> Result<Row, Fault> {
    match value {
        Json::Object(row) => Ok(row),
        other => Err(Fault::job(format!("a row is a JSON object, not {other}")).at(shown)),
    }
}

/// Replaces a file of rows, in the form that it has: an array, or lines.
pub(super) fn rewrite(path: &Path, rows: &[Row]) -> Result<(), Fault> {
    let is_array = std::fs::read_to_string(path).is_ok_and(|text| text.trim_start_matches('\u{feff}').trim_start().starts_with('['));
    if !is_array {
        return write_lines(path, rows);
    }
    let lines: Vec<String> = rows.iter().map(|row| format!("  {}", line(row))).collect();
    write(path, &if lines.is_empty() { "[]\n".to_owned() } else { format!("[\n{}\n]\n", lines.join(",\n")) })
}

/// Writes rows as JSON lines.
pub(super) fn write_lines(path: &Path, rows: &[Row]) -> Result<(), Fault> {
    write(path, &rows.iter().map(|row| line(row) + "\n").collect::<String>())
}

/// One row as JSON.
pub(super) fn line(row: &Row) -> String {
    // A map of values can always be written.
    serde_json::to_string(row).unwrap_or_default()
}

/// Writes a file and the folders that it is in.
pub(super) fn write(path: &Path, text: &str) -> Result<(), Fault> {
    let cannot = |error: std::io::Error| Fault::outside(format!("cannot be written: {error}")).never().at(path.display().to_string());
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(cannot)?;
    }
    std::fs::write(path, text).map_err(cannot)
}
