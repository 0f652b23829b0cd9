//! One suite, four runners: the native build, wasmtime, Node and Chromium give the same bits for every golden row, and
//! the same words for every odd one. onnxruntime, which wrote the golden scores in 32 bits, agrees to 1e-6.

#![expect(clippy::unwrap_used, reason = "tests")]
#![expect(clippy::print_stdout, reason = "one line a runner")]

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use tamis_frame::{ColumnRef, Data, Frame, REJECTED, RESULT, Reply, Values};
use tamis_tests::golden::{Golden, Guest, built, call, model, root, target};

const RUN: u32 = 0;
const SCORE: u32 = 1;

fn golden() -> &'static Golden {
    static GOLDEN: OnceLock<Golden> = OnceLock::new();
    GOLDEN.get_or_init(Golden::read)
}

fn floats(reply: &[u8]) -> Vec<f64> {
    let Reply::Columns(frame) = Reply::parse(reply).unwrap() else { panic!("an error reply") };
    let Values::Float(values) = frame.column(RESULT).unwrap().values else { panic!("not floats") };
    values.to_vec()
}

fn native() -> &'static [f64] {
    static SCORES: OnceLock<Vec<f64>> = OnceLock::new();
    SCORES.get_or_init(|| {
        let golden = golden();
        let frame = golden.frame(golden.scores.len());
        floats(call(SCORE, frame.bytes()).unwrap().bytes())
    })
}

/// Prints the line of one runner and holds it to the native bits.
fn assert_same_bits(runner: &str, scores: &[f64]) {
    let same = scores.iter().zip(native()).filter(|(a, b)| a.to_bits() == b.to_bits()).count();
    println!("{runner}: {same} of {} rows bit-equal", native().len());
    assert_eq!(scores.len(), native().len());
    assert_eq!(same, scores.len(), "{runner} differs from the native build");
}

#[test]
fn native_scores_agree_with_onnxruntime() {
    let golden = golden();
    assert!(golden.scores.len() >= 10_000, "{} golden rows, at least 10,000 are needed", golden.scores.len());
    let (row, difference) =
        native().iter().zip(&golden.scores).map(|(a, b)| (a - b).abs()).enumerate().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
    println!("native: {} rows, at most {difference:.1e} from onnxruntime (row {row})", native().len());
    assert!(difference <= 1e-6, "row {row}: {} here, {} by onnxruntime", native()[row], golden.scores[row]);
}

#[test]
fn wasmtime_gives_the_native_bits() {
    let mut guest = Guest::new();
    let golden = golden();
    let frame = golden.frame(golden.scores.len());
    let scores = floats(guest.run(SCORE, frame.bytes()).bytes());
    assert_same_bits("wasmtime", &scores);
    let classes = guest.run(RUN, frame.bytes());
    assert_eq!(classes, call(RUN, frame.bytes()).unwrap());
}

#[test]
fn one_row_at_a_time_gives_the_same_bits_as_all_at_once() {
    let columns = golden().frame(300);
    let frame = Frame::parse(columns.bytes()).unwrap();
    for row in 0..300 {
        let one: Vec<ColumnRef<'_>> = frame
            .columns()
            .iter()
            .map(|column| {
                let data = match column.values {
                    Values::Float(values) => Data::Float(&values[row..=row]),
                    Values::BigInt(values) => Data::BigInt(&values[row..=row]),
                    Values::Text { offsets, bytes } => Data::Text { offsets: &offsets[row..row + 2], bytes },
                    Values::Bit(bits) => Data::Bit(bits),
                };
                ColumnRef { name: column.name, validity: None, data }
            })
            .collect();
        let score = floats(call(SCORE, tamis_tests::golden::frame(&one, 1).bytes()).unwrap().bytes());
        assert_eq!(score[0].to_bits(), native()[row].to_bits(), "row {row}");
    }
}

#[test]
fn the_doors_of_all_runners_are_the_same_bytes() {
    let wasm = built("tamis_udf.wasm");
    assert!(wasm == built("web/tamis_udf_bg.wasm") && wasm == built("nodejs/tamis_udf_bg.wasm"));
    let mut guest = Guest::new();
    assert_eq!(guest.export::<u32>("tamis_abi"), tamis_frame::ABI_VERSION);
    let signature = guest.export::<u64>("tamis_signature");
    assert_eq!(guest.bytes(signature).bytes(), model().json.as_bytes(), "run ./scripts/build-udf");
}

#[test]
fn node_gives_the_native_bits_and_words() {
    check_javascript("node", &ask("node.mjs"));
}

#[test]
fn chromium_gives_the_native_bits_and_words() {
    check_javascript("chromium", &ask("chromium.mjs"));
}

fn ask(runner: &str) -> Value {
    let request = json!({ "columns": golden().json(), "odd": odd_rows() });
    let mut child = Command::new("node")
        .arg(root().join("tests/parity").join(runner))
        .arg(target().join("udf"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("node 20 or newer runs the JavaScript side");
    child.stdin.take().unwrap().write_all(request.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{runner}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// JavaScript has one kind of number: 150.0 comes back as 150.
fn by_value(json: &Value) -> Value {
    match json {
        Value::Number(number) => json!(number.as_f64()),
        Value::Array(items) => items.iter().map(by_value).collect(),
        Value::Object(fields) => Value::Object(fields.iter().map(|(name, value)| (name.clone(), by_value(value))).collect()),
        other => other.clone(),
    }
}

fn check_javascript(runner: &str, answers: &Value) {
    let bits = |hex: &Value| f64::from_bits(u64::from_str_radix(hex.as_str().unwrap(), 16).unwrap());
    let scores: Vec<f64> = answers["scores"].as_array().unwrap().iter().map(bits).collect();
    assert_same_bits(runner, &scores);
    assert_eq!(answers["same_by_row"], true);
    let classes: Vec<i64> = answers["classes"].as_array().unwrap().iter().map(|class| class.as_i64().unwrap()).collect();
    let threshold = model().contract.threshold;
    assert!(classes.iter().zip(native()).all(|(class, score)| *class == i64::from(*score >= threshold)));
    let signature: Value = serde_json::from_str(&model().json).unwrap();
    assert_eq!(by_value(&answers["signature"]), by_value(&signature));
    for (row, answer) in odd_rows().iter().zip(answers["odd"].as_array().unwrap()) {
        match outcome(call(SCORE, odd_frame(row).bytes()).unwrap().bytes()) {
            Ok(score) => assert_eq!(bits(&answer["score"]).to_bits(), score.to_bits(), "{row}"),
            Err(reason) => assert_eq!(answer["error"], format!("row 1, {reason}"), "{row}"),
        }
    }
}

/// A valid row with one value replaced; `{"$": …}` stands for what JSON cannot say.
fn odd(column: &str, value: Value) -> Value {
    let mut row: Map<String, Value> =
        golden().json().as_object().unwrap().iter().map(|(name, values)| (name.clone(), values[0].clone())).collect();
    if value == json!({ "$": "undefined" }) {
        row.remove(column);
    } else {
        row.insert(column.to_owned(), value);
    }
    Value::Object(row)
}

fn odd_rows() -> Vec<Value> {
    let mut rows = Vec::new();
    for (column, _) in &golden().columns {
        let values = [
            json!({ "$": "undefined" }),
            Value::Null,
            json!("abc"),
            json!(""),
            json!("Ünbekannt, \"quoted\"\n"),
            json!("x".repeat(if column == "day_of_week" { 1_000_000 } else { 50_000 })),
            json!(3),
            json!(-7),
            json!(2.5),
            json!(1e300),
            json!(-1e-310),
            json!(9_007_199_254_740_992_i64),
            json!({ "$": "NaN" }),
            json!({ "$": "Infinity" }),
            json!({ "$": "-Infinity" }),
            json!(true),
        ];
        rows.extend(values.into_iter().map(|value| odd(column, value)));
    }
    rows
}

/// The row as a frame: each value a column of its own type.
fn odd_frame(row: &Value) -> tamis_udf::Block {
    let owned: Vec<(&String, Cell)> = row.as_object().unwrap().iter().map(|(name, value)| (name, Cell::of(value))).collect();
    let columns: Vec<ColumnRef<'_>> = owned
        .iter()
        .map(|(name, cell)| {
            let (validity, data): (Option<&[u8]>, _) = match cell {
                Cell::Null => (Some(&[0]), Data::Float(&[0.0])),
                Cell::Float(value) => (None, Data::Float(value)),
                Cell::BigInt(value) => (None, Data::BigInt(value)),
                Cell::Bit => (None, Data::Bit(&[1])),
                Cell::Text(offsets, text) => (None, Data::Text { offsets, bytes: text.as_bytes() }),
            };
            ColumnRef { name, validity, data }
        })
        .collect();
    tamis_tests::golden::frame(&columns, 1)
}

enum Cell {
    Null,
    Float([f64; 1]),
    BigInt([i64; 1]),
    Bit,
    Text([i32; 2], String),
}

impl Cell {
    fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(_) => Self::Bit,
            Value::Number(number) if number.is_i64() => Self::BigInt([number.as_i64().unwrap()]),
            Value::Number(number) => Self::Float([number.as_f64().unwrap()]),
            Value::String(text) => Self::Text([0, text.len() as i32], text.clone()),
            other => Self::Float([other["$"].as_str().unwrap().parse().unwrap()]),
        }
    }
}

/// The score of a one-row reply, or why the row was rejected.
fn outcome(reply: &[u8]) -> Result<f64, String> {
    let Reply::Columns(frame) = Reply::parse(reply).unwrap() else { panic!("an error reply") };
    let result = frame.column(RESULT).unwrap();
    match (frame.column(REJECTED).and_then(|column| column.text(0)), result.values) {
        (Some(reason), _) => {
            assert!(!result.is_valid(0), "a rejected row has no result");
            Err(reason.to_owned())
        }
        (None, Values::Float(values)) => Ok(values[0]),
        _ => panic!("not floats"),
    }
}

#[test]
fn wasmtime_says_of_odd_rows_what_the_native_build_says() {
    let mut guest = Guest::new();
    let mut said = std::collections::BTreeSet::new();
    for row in odd_rows() {
        let frame = odd_frame(&row);
        let native = call(SCORE, frame.bytes()).unwrap();
        assert_eq!(guest.run(SCORE, frame.bytes()), native, "{row}");
        said.extend(outcome(native.bytes()).err());
    }
    for expected in [
        "column 'amount': float is expected, text 'abc' was given",
        "column 'amount': float is expected, no value was given",
        "column 'amount': float is expected, float NaN was given",
        "column 'amount': float is expected, bit true was given",
        "column 'month': bigint is expected, float 2.5 was given",
        "column 'day_of_week': nvarchar(max) is expected, bigint 3 was given",
    ] {
        assert!(said.contains(expected), "{expected} is not among {said:#?}");
    }
}

#[test]
fn an_unknown_category_has_a_score() {
    let reply = call(SCORE, odd_frame(&odd("day_of_week", json!("someday"))).bytes()).unwrap();
    assert!(outcome(reply.bytes()).unwrap() > 0.0);
}

#[test]
fn column_names_match_without_regard_to_case() {
    let row = odd("day_of_week", json!("monday"));
    let upper: Map<String, Value> = row.as_object().unwrap().iter().map(|(name, value)| (name.to_uppercase(), value.clone())).collect();
    let reply = |row: &Value| call(SCORE, odd_frame(row).bytes()).unwrap();
    assert_eq!(reply(&row), reply(&Value::Object(upper)));
}

#[test]
fn zero_rows_give_zero_scores() {
    let frame = golden().frame(0);
    assert!(floats(call(SCORE, frame.bytes()).unwrap().bytes()).is_empty());
    assert!(floats(Guest::new().run(SCORE, frame.bytes()).bytes()).is_empty());
}

#[test]
fn a_million_rows_in_one_frame_give_the_native_bits() {
    let (golden, rows) = (golden(), 1_000_000);
    let known = golden.scores.len();
    let repeated: Vec<tamis_tests::golden::Values> = golden
        .columns
        .iter()
        .map(|(_, values)| {
            use tamis_tests::golden::Values;
            match values {
                Values::Float(values) => Values::Float(values.iter().copied().cycle().take(rows).collect()),
                Values::BigInt(values) => Values::BigInt(values.iter().copied().cycle().take(rows).collect()),
                Values::Text(offsets, bytes) => {
                    let (mut starts, mut texts) = (vec![0], Vec::new());
                    for row in 0..rows {
                        let row = row % known;
                        texts.extend_from_slice(&bytes[offsets[row] as usize..offsets[row + 1] as usize]);
                        starts.push(texts.len() as i32);
                    }
                    Values::Text(starts, texts)
                }
            }
        })
        .collect();
    let many = Golden { columns: golden.columns.iter().map(|(name, _)| name.clone()).zip(repeated).collect(), scores: Vec::new() };
    let frame = many.frame(rows);
    let scores = floats(Guest::new().run(SCORE, frame.bytes()).bytes());
    assert_eq!(scores.len(), rows);
    assert!(scores.iter().zip(native().iter().cycle()).all(|(ours, native)| ours.to_bits() == native.to_bits()));
}

#[test]
fn a_rejected_row_leaves_the_others_their_scores() {
    let frame = golden().frame(3);
    let parsed = Frame::parse(frame.bytes()).unwrap();
    let amounts = [1.0, f64::NAN, 3.0];
    let columns: Vec<ColumnRef<'_>> = parsed
        .columns()
        .iter()
        .map(|column| {
            let data = match column.values {
                Values::Float(_) if column.name == "amount" => Data::Float(&amounts),
                Values::Float(values) => Data::Float(values),
                Values::BigInt(values) => Data::BigInt(values),
                Values::Text { offsets, bytes } => Data::Text { offsets, bytes },
                Values::Bit(bits) => Data::Bit(bits),
            };
            ColumnRef { name: column.name, validity: None, data }
        })
        .collect();
    let reply = call(RUN, tamis_tests::golden::frame(&columns, 3).bytes()).unwrap();
    let Reply::Columns(reply) = Reply::parse(reply.bytes()).unwrap() else { panic!("an error reply") };
    let (result, rejected) = (reply.column(RESULT).unwrap(), reply.column(REJECTED).unwrap());
    assert_eq!([result.is_valid(0), result.is_valid(1), result.is_valid(2)], [true, false, true]);
    assert_eq!(rejected.text(0), None);
    assert_eq!(rejected.text(1), Some("column 'amount': float is expected, float NaN was given"));
}

fn error(reply: &[u8]) -> String {
    match Reply::parse(reply).unwrap() {
        Reply::Error(message) => message.to_owned(),
        Reply::Columns(_) => panic!("columns where an error was expected"),
    }
}

#[test]
fn a_call_that_cannot_be_understood_is_an_error_reply() {
    let mut guest = Guest::new();
    let frame = golden().frame(2);
    assert_eq!(error(guest.run(7, frame.bytes()).bytes()), "there is no function number 7; there are 3, from 0: run, score, explain");
    assert!(error(guest.run(SCORE, &frame.bytes()[..100]).bytes()).starts_with("frame is cut off"));
    assert!(error(guest.run(SCORE, &[]).bytes()).starts_with("frame is cut off"));
    assert!(error(guest.run(SCORE, &[0xFF; 64]).bytes()).starts_with("not a frame"));
}

#[test]
fn a_hostile_pointer_is_an_error_reply() {
    let mut guest = Guest::new();
    for (at, len) in [(0, 0), (0, u32::MAX), (u32::MAX, u32::MAX), (8, 24), (1 << 20, 1 << 10)] {
        let packed = guest.call.call(&mut guest.store, (SCORE, at, len)).unwrap();
        assert_eq!(error(guest.bytes(packed).bytes()), format!("there is no block of {len} bytes at {at}; tamis_alloc gives one"));
        guest.free.call(&mut guest.store, (at, len)).unwrap();
    }
    assert_eq!(guest.alloc.call(&mut guest.store, u32::MAX).unwrap(), 0, "there is no block of 4 GiB");
    assert!(!floats(guest.run(SCORE, golden().frame(2).bytes()).bytes()).is_empty(), "it still works");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_corrupted_frame_is_answered_and_never_a_panic(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        let mut frame = golden().frame(3);
        let len = frame.bytes().len();
        for (index, byte) in changes {
            frame.bytes_mut()[index.index(len)] = byte;
        }
        let reply = call(SCORE, frame.bytes()).unwrap();
        prop_assert!(Reply::parse(reply.bytes()).is_ok());
    }
}
