//! The project's own cases: a folder each.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Map, Value};
use tamis::source::FileFormat;

use crate::case::{Case, Expected};

/// All cases in a folder of families of cases.
pub(crate) fn read_all(root: &Path) -> Vec<Case> {
    let mut cases = Vec::new();
    for family in folders(root) {
        for folder in folders(&family) {
            let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
            cases.push(read(&folder, format!("{}/{}", name(&family), name(&folder))));
        }
    }
    cases
}

fn folders(path: &Path) -> Vec<std::path::PathBuf> {
    let mut found: Vec<_> = fs::read_dir(path).map_or_else(|_| Vec::new(), |entries| entries.map(|entry| entry.unwrap().path()).collect());
    found.retain(|path| path.is_dir());
    found.sort();
    found
}

fn files(path: &Path) -> Vec<(String, FileFormat, String)> {
    let mut found: Vec<_> = fs::read_dir(path).map_or_else(|_| Vec::new(), |entries| entries.map(|entry| entry.unwrap().path()).collect());
    found.sort();
    let file = |path: std::path::PathBuf| {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        (name, FileFormat::of(&path), fs::read_to_string(&path).unwrap())
    };
    found.into_iter().map(file).collect()
}

fn rows(text: &str) -> Vec<Map<String, Value>> {
    text.lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")))
        .collect()
}

fn read(folder: &Path, name: String) -> Case {
    let settings: Value = match fs::read_to_string(folder.join("case.json")) {
        Ok(text) => serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}/case.json: {error}")),
        Err(_) => Value::Object(Map::new()),
    };
    let integer = |name: &str| settings.get(name).and_then(Value::as_i64);
    let flag = |name: &str| settings.get(name).and_then(Value::as_bool);
    let drop = settings.get("policy").and_then(Value::as_str) == Some("drop");
    let ordering = match (integer("late_arrival_seconds"), integer("out_of_order_seconds")) {
        (None, None) => None,
        (late, out_of_order) => Some((late.unwrap_or(5), out_of_order.unwrap_or(0), drop)),
    };
    let expected = match settings.get("error").and_then(Value::as_str) {
        Some(error) => Expected::Error(error.to_owned()),
        None => {
            let outputs: BTreeMap<_, _> = files(&folder.join("expected")).into_iter().map(|(name, _, text)| (name, rows(&text))).collect();
            assert!(!outputs.is_empty(), "{name} expects nothing");
            Expected::Rows(outputs)
        }
    };
    let function = |(name, _, text): (String, FileFormat, String)| match name.strip_suffix(".uda") {
        Some(name) => (name.to_owned(), text, true),
        None => (name, text, false),
    };
    Case {
        query: fs::read_to_string(folder.join("query.asaql")).unwrap_or_else(|error| panic!("{name}/query.asaql: {error}")),
        inputs: files(&folder.join("inputs")),
        references: files(&folder.join("references")),
        functions: files(&folder.join("functions")).into_iter().map(function).collect(),
        ordering,
        dead_letter: settings.get("on_error").and_then(Value::as_str) == Some("dead-letter"),
        rejected: integer("rejected").map(|count| count as usize),
        expected,
        ordered: flag("ordered").unwrap_or(true),
        tolerance: 1e-9,
        name,
    }
}
