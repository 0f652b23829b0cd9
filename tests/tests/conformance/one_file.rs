//! Cases in one JSON file: `{"cases": [{"name", "query", "inputs", "expected", …}]}`.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value};
use tamis::source::FileFormat;

use crate::case::{Case, Expected};

/// All cases of a file.
pub(crate) fn read_all(path: &Path) -> Vec<Case> {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let file: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    file["cases"].as_array().unwrap().iter().map(case).collect()
}

fn lines(rows: &Value) -> String {
    rows.as_array().unwrap().iter().map(|row| format!("{row}\n")).collect()
}

fn case(case: &Value) -> Case {
    let name = case["name"].as_str().unwrap().to_owned();
    let object = |key: &str| case.get(key).and_then(Value::as_object).cloned().unwrap_or_default();
    let csv = object("csv");
    let input = |(name, rows): (&String, &Value)| match csv.get(name).and_then(Value::as_str) {
        Some(text) => (name.clone(), FileFormat::Csv { delimiter: b',' }, text.to_owned()),
        None => (name.clone(), FileFormat::Json, lines(rows)),
    };
    let inputs = object("inputs").iter().map(input).collect();
    let references = object("reference").iter().map(input).collect();
    let function = |(name, text): (&String, &Value)| {
        let text = text.as_str().unwrap().to_owned();
        (name.clone(), text.clone(), text.contains("accumulate"))
    };
    let settings = object("settings");
    let integer = |key: &str| settings.get(key).and_then(Value::as_i64);
    let ordering = match (integer("late_arrival_seconds"), integer("out_of_order_seconds")) {
        (None, None) => None,
        (late, out_of_order) => {
            let drop = settings.get("policy").and_then(Value::as_str) == Some("drop");
            Some((late.unwrap_or(5), out_of_order.unwrap_or(0), drop))
        }
    };
    let expected = match case.get("error").and_then(Value::as_str) {
        Some(error) => Expected::Error(error.to_owned()),
        None => {
            let rows = |rows: &Value| -> Vec<Map<String, Value>> {
                rows.as_array().unwrap().iter().map(|row| row.as_object().unwrap().clone()).collect()
            };
            Expected::Rows(object("expected").iter().map(|(name, value)| (name.clone(), rows(value))).collect())
        }
    };
    Case {
        query: case["query"].as_str().unwrap().to_owned(),
        inputs,
        references,
        functions: object("functions").iter().map(function).collect(),
        ordering,
        dead_letter: false,
        rejected: None,
        expected,
        ordered: case.get("ordered").and_then(Value::as_bool).unwrap_or(false),
        tolerance: case.get("tolerance").and_then(Value::as_f64).unwrap_or(1e-9),
        name,
    }
}
