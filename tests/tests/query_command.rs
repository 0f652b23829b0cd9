//! `tamis query` as a process: rows in, rows out, what went no further, and clear errors.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use tamis_tests::golden::built;
use tamis_tests::host::program;

/// A folder for a test's files.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn query(&self, arguments: &[&str]) -> Output {
        Command::new(program()).arg("query").args(arguments).current_dir(self.path()).env("RUST_LOG", "warn").output().unwrap()
    }
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    assert!(!text.contains("panicked"), "{text}");
    text
}

fn lines(output: &Output) -> Vec<Value> {
    assert_eq!(output.status.code(), Some(0), "{}", err(output));
    out(output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn says(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "'{word}' is not in:\n{text}");
    }
}

const PAYMENTS: &str = r#"{"card": "a", "amount": 1.5, "at": "2025-01-01T00:00:01Z"}
{"card": "b", "amount": 2.0, "at": "2025-01-01T00:00:02Z"}
{"card": "a", "amount": 4.0, "at": "2025-01-01T00:00:12Z"}
"#;
const BY_CARD: &str = "SELECT card, SUM(amount) AS total INTO sums FROM payments TIMESTAMP BY at GROUP BY card, TumblingWindow(second, 10)";

#[test]
fn rows_come_out_as_json_lines_with_their_output() {
    let place = Place::new();
    place.write("payments.jsonl", PAYMENTS);
    place.write("q.asaql", format!("\u{feff}{BY_CARD}\n\nSELECT card INTO big FROM payments TIMESTAMP BY at WHERE amount > 3\n"));
    let output = place.query(&["-f", "q.asaql", "--input", "payments=payments.jsonl"]);
    let mut rows = lines(&output);
    rows.sort_by_key(Value::to_string);
    assert_eq!(
        rows,
        [
            json!({"output": "big", "row": {"card": "a"}}),
            json!({"output": "sums", "row": {"card": "a", "total": 1.5}}),
            json!({"output": "sums", "row": {"card": "a", "total": 4.0}}),
            json!({"output": "sums", "row": {"card": "b", "total": 2.0}}),
        ]
    );
}

#[test]
fn an_output_goes_to_its_file_as_bare_rows_and_the_others_are_printed() {
    let place = Place::new();
    place.write("payments.jsonl", PAYMENTS);
    let query =
        format!("{BY_CARD} SELECT card INTO big FROM payments WHERE amount > 3 SELECT card INTO none FROM payments WHERE amount > 9");
    let arguments = ["-e", &query, "--input", "PAYMENTS=payments.jsonl", "--output", "Sums=sums.jsonl", "--output", "none=none.jsonl"];
    assert_eq!(lines(&place.query(&arguments)), [json!({"output": "big", "row": {"card": "a"}})]);
    assert_eq!(std::fs::read_to_string(place.path().join("sums.jsonl")).unwrap().lines().count(), 3);
    assert_eq!(std::fs::read_to_string(place.path().join("none.jsonl")).unwrap(), "", "an output without rows is an empty file");
    let wrong = place.query(&["-e", BY_CARD, "--input", "payments=payments.jsonl", "--output", "total=t.jsonl"]);
    assert_eq!(wrong.status.code(), Some(1));
    says(&err(&wrong), &["'total'", "sums"]);
    assert!(!place.path().join("t.jsonl").exists());
}

#[test]
fn inputs_are_json_lines_an_array_csv_or_standard_input() {
    let place = Place::new();
    place.write("lines.jsonl", "{\"n\": 1}\n{\"n\": 2}\n");
    place.write("array.json", "\u{feff}[{\"n\": 1},\n {\"n\": 2}]");
    place.write("wide.json", "{\n \"n\": 1\n}\n{\n \"n\": 2\n}");
    place.write("values.csv", "n,x\n1,a\n2,b\n");
    place.write("values.txt", "x;n\na;1\nb;2\n");
    place.write("rows", "[{\"n\": 1}, {\"n\": 2}]");
    for file in ["lines.jsonl", "array.json", "wide.json", "values.csv", "values.txt", "rows"] {
        let rows = lines(&place.query(&["-e", "SELECT CAST(n AS bigint) * 2 AS m FROM i", "--input", &format!("i={file}")]));
        assert_eq!(rows, [json!({"output": "output", "row": {"m": 2}}), json!({"output": "output", "row": {"m": 4}})], "{file}");
    }
    let mut process = Command::new(program())
        .args(["query", "-e", "SELECT n + 1 AS m FROM i", "--input", "i=-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    process.stdin.take().unwrap().write_all(b"{\"n\": 1}\n").unwrap();
    assert_eq!(lines(&process.wait_with_output().unwrap()), [json!({"output": "output", "row": {"m": 2}})]);
    let mut process = Command::new(program())
        .args(["query", "-f", "-", "--input"])
        .arg(format!("i={}", place.path().join("lines.jsonl").display()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    process.stdin.take().unwrap().write_all(b"SELECT n FROM i WHERE n > 1").unwrap();
    assert_eq!(lines(&process.wait_with_output().unwrap()), [json!({"output": "output", "row": {"n": 2}})]);
}

#[test]
fn reference_data_and_functions_of_every_kind_are_bound() {
    let place = Place::new();
    place.write("payments.jsonl", PAYMENTS);
    place.write("limits.csv", "card,limit\na,3\nb,1\n");
    place.write("over.js", "function main(amount, limit) { return amount > Number(limit); }");
    place.write(
        "span.js",
        "function main() { this.init = () => { this.n = 0; }; this.accumulate = (v, t) => { this.n += v; }; this.computeResult = () => this.n; }",
    );
    let query = "WITH p AS (SELECT p.card, p.amount, udf.over(p.amount, l.limit) AS above FROM payments p TIMESTAMP BY at JOIN limits l ON p.card = l.card)
        SELECT card, uda.span(amount) AS sum INTO o FROM p WHERE above = 1 GROUP BY card, TumblingWindow(minute, 1)";
    let arguments = [
        "-e",
        query,
        "--input",
        "payments=payments.jsonl",
        "--reference",
        "limits=limits.csv",
        "--function",
        "over=over.js",
        "--function",
        "span=span.js",
    ];
    let mut rows = lines(&place.query(&arguments));
    rows.sort_by_key(Value::to_string);
    assert_eq!(rows, [json!({"output": "o", "row": {"card": "a", "sum": 4}}), json!({"output": "o", "row": {"card": "b", "sum": 2}})]);
}

#[test]
fn a_module_scores_rows_and_its_other_functions_are_named_with_a_hash() {
    let place = Place::new();
    place.write("fraud.wasm", built("tamis_udf.wasm"));
    let row = r#"{"id": 1, "amount": 120.5, "old_balance": 10.0, "income": 2000.0, "credit": 0.0, "marital_status": "single", "children": 0,
        "month": 1, "day_of_week": "monday", "category_recipient": "food", "transaction_type": "payment", "transaction_method": "chip",
        "foreign_transaction": 0, "date": "2025-01-01"}"#;
    place.write("t.json", row);
    let arguments = [
        "-e",
        "WITH D AS (SELECT * FROM t) SELECT udf.prediction(D) AS p, udf.score(D) AS s FROM D",
        "--input",
        "t=t.json",
        "--function",
        "prediction=fraud.wasm",
        "--function",
        "score=fraud.wasm#score",
    ];
    let output = place.query(&arguments);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    // The row is scored, or its column that the model does not know is named: never silently lost.
    if out(&output).is_empty() {
        says(&err(&output), &["1 of 1 rows went no further", "udf.prediction"]);
    } else {
        let row = &lines(&output)[0]["row"];
        assert!(row["s"].as_f64().is_some_and(|score| (0.0..=1.0).contains(&score)), "{row}");
    }
    let unknown = place.query(&["-e", "SELECT udf.f(t) AS p FROM t", "--input", "t=t.json", "--function", "f=fraud.wasm#nothing"]);
    assert_eq!(unknown.status.code(), Some(1));
    says(&err(&unknown), &["nothing", "run, score"]);
}

#[test]
fn policies_and_their_effects_are_explained_event_by_event() {
    let place = Place::new();
    let events = r#"{"card": "a", "at": "2025-01-01T00:00:01Z", "_arrival": "2025-01-01T00:00:02Z"}
{"card": "a", "at": "2025-01-01T00:00:02Z", "_arrival": "2025-01-01T00:00:40Z"}
{"card": "b", "at": "2025-01-01T00:20:00Z", "_arrival": "2025-01-01T00:00:41Z"}
{"card": "b", "at": "2025-01-01T00:00:38Z", "_arrival": "2025-01-01T00:00:42Z"}
{"card": "b", "at": "2025-01-01T00:00:37Z", "_arrival": "2025-01-01T00:00:42Z"}
"#;
    place.write("e.jsonl", events);
    let query = "SELECT card, COUNT(*) AS n, System.Timestamp() AS until FROM e TIMESTAMP BY at GROUP BY card, TumblingWindow(second, 10)";
    let explained = |more: &[&str]| {
        let output = place.query(&[&["-e", query, "--input", "e=e.jsonl", "--explain-time"], more].concat());
        let events: Vec<Value> = lines(&output).into_iter().filter_map(|line| line.get("explain").cloned()).collect();
        (events, err(&output))
    };
    let (events, told) = explained(&[]);
    let policies: Vec<&str> = events.iter().map(|event| event["policy"].as_str().unwrap()).collect();
    assert_eq!(policies, ["kept", "late: adjusted", "early: dropped", "kept", "out of order: adjusted"]);
    assert_eq!(events[1]["arrival"], "2025-01-01T00:00:40.0000000Z");
    assert_eq!(events[1]["event_time"], "2025-01-01T00:00:02.0000000Z");
    assert_eq!(events[1]["timestamp"], "2025-01-01T00:00:35.0000000Z");
    assert_eq!(events[1]["windows"][0]["end"], "2025-01-01T00:00:40.0000000Z");
    assert_eq!(events[4]["timestamp"], "2025-01-01T00:00:38.0000000Z");
    assert_eq!(events[2]["timestamp"], Value::Null);
    assert_eq!(events[3]["watermark"], "2025-01-01T00:00:38.0000000Z");
    says(&told, &["1 of 5 rows went no further", "row 3", "input e", "InputEventEarlyBeyondThreshold"]);

    let (events, _) = explained(&["--late", "1m", "--out-of-order", "2s", "--early", "1h"]);
    assert_eq!(events[2]["policy"], "kept");
    assert_eq!(events[2]["watermark"], "2025-01-01T00:19:58.0000000Z");
    let (events, told) = explained(&["--policy", "drop"]);
    let policies: Vec<&str> = events.iter().map(|event| event["policy"].as_str().unwrap()).collect();
    assert_eq!(policies, ["kept", "late: dropped", "early: dropped", "kept", "out of order: dropped"]);
    says(&told, &["3 of 5 rows went no further"]);
    let (events, _) = explained(&["--late", "500ms"]);
    assert_eq!(events[0]["timestamp"], "2025-01-01T00:00:01.5000000Z");
}

#[test]
fn what_goes_no_further_is_told_and_counted() {
    let place = Place::new();
    let mut events = String::from("{\"n\": 1}\n{\"n\":\nnonsense\n{\"n\": 99999999999999999999}\n");
    (0..10).for_each(|_| events.push_str("]\n"));
    place.write("e.jsonl", events);
    let output = place.query(&["-e", "SELECT n FROM e", "--input", "e=e.jsonl"]);
    assert_eq!(lines(&output), [json!({"output": "output", "row": {"n": 1}})]);
    says(&err(&output), &["13 of 14 rows went no further", "row 2 (decode, input e)", "row 3", "row 4", "and 8 more"]);
}

#[test]
fn a_row_that_fails_stops_the_job_or_goes_to_the_dead_letter() {
    let place = Place::new();
    place.write("e.jsonl", "{\"n\": \"1\"}\n{\"n\": \"x\"}\n{\"n\": \"3\"}\n");
    place.write("q.asaql", "SELECT\n    CAST(n AS bigint) AS n\nFROM e\n");
    let stopped = place.query(&["-f", "q.asaql", "--input", "e=e.jsonl"]);
    assert_eq!(stopped.status.code(), Some(1));
    says(&err(&stopped), &["q.asaql:", "| SELECT", "^", "x", "bigint", "TRY_CAST"]);
    let kept = place.query(&["-f", "q.asaql", "--input", "e=e.jsonl", "--on-error", "dead-letter"]);
    assert_eq!(lines(&kept).len(), 2);
    says(&err(&kept), &["1 of 3 rows went no further", "row 2"]);
}

#[test]
fn wrong_queries_name_the_place_and_the_fix() {
    let place = Place::new();
    place.write("payments.jsonl", PAYMENTS);
    let wrong = |query: &str, words: &[&str]| {
        let output = place.query(&["-e", query, "--input", "payments=payments.jsonl"]);
        assert_eq!(output.status.code(), Some(1), "{query}");
        says(&err(&output), words);
    };
    wrong(
        "SELECT card\nFROM paiments",
        &["query:2:6", "'paiments'", "did you mean 'payments'?", "| FROM paiments", "|      ^", "--input NAME=FILE"],
    );
    wrong("SELECT udf.limit(card) AS l FROM payments", &["query:1:", "udf.limit", "--function NAME=FILE"]);
    wrong("SELECT card FROM payments GROUP BY card", &["query:1:", "window"]);
    wrong("SELEKT card FROM payments", &["query:1:1"]);
    let nothing = place.query(&["-e", "SELECT * FROM payments"]);
    assert_eq!(nothing.status.code(), Some(1));
    says(&err(&nothing), &["'payments'", "there are none", "--input NAME=FILE"]);
}

#[test]
fn missing_files_are_named() {
    let place = Place::new();
    place.write("payments.jsonl", PAYMENTS);
    for (arguments, name) in [
        (&["-f", "gone.asaql", "--input", "payments=payments.jsonl"] as &[&str], "gone.asaql"),
        (&["-e", BY_CARD, "--input", "payments=gone.jsonl"], "gone.jsonl"),
        (&["-e", BY_CARD, "--input", "payments=payments.jsonl", "--reference", "r=gone.csv"], "gone.csv"),
        (&["-e", BY_CARD, "--input", "payments=payments.jsonl", "--function", "f=gone.js"], "gone.js"),
        (&["-e", BY_CARD, "--input", "payments=payments.jsonl", "--function", "f=gone.wasm"], "gone.wasm"),
        (&["-e", BY_CARD, "--input", "payments=payments.jsonl", "--output", "sums=no/such/place.jsonl"], "no/such/place.jsonl"),
        (&["--project", "gone"], "gone"),
    ] {
        let output = place.query(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        says(&err(&output), &[name]);
    }
}

#[test]
fn a_wrong_call_is_answered_with_usage() {
    let place = Place::new();
    for arguments in [
        &[] as &[&str],
        &["-e", "SELECT 1", "-f", "q.asaql"],
        &["-e", "SELECT 1", "--input", "payments"],
        &["-e", "SELECT 1", "--late", "soon"],
        &["-e", "SELECT 1", "--policy", "maybe"],
        &["-e", "SELECT 1", "--no-such-flag"],
    ] {
        assert_eq!(place.query(arguments).status.code(), Some(2), "{arguments:?}");
    }
}

#[test]
fn a_table_is_printed_when_it_is_asked_for() {
    let place = Place::new();
    place.write("payments.jsonl", PAYMENTS);
    let output = place.query(&["-e", BY_CARD, "--input", "payments=payments.jsonl", "--format", "table", "--explain-time"]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    says(&out(&output), &["sums", "card", "total", "1.5", "event time", "tumbling"]);
}
