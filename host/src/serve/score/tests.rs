//! What requests and rows come to, without a server. With the real one: `tests/tests/endpoint.rs`.

use axum::http::Uri;
use axum::response::IntoResponse;
use proptest::prelude::*;
use serde_json::{Value as Json, json};
use tamis_frame::Type;
use tamis_frame::signature::{Column as Wanted, Policy};

use super::Envelope;
use super::request::{of_body, of_query, query};
use super::rows::{Rows, read};
use crate::batch::Value;

fn wanted() -> Vec<Wanted> {
    let column =
        |name: &str, ty| Wanted { name: name.to_owned(), ty, categories: Vec::new(), missing: Policy::Reject, unknown: Policy::Accept };
    vec![column("amount", Type::Float), column("Count", Type::BigInt), column("day", Type::Text)]
}

fn rows(text: &str) -> Rows {
    read(text, &wanted(), false).unwrap()
}

fn row(rows: &Rows, row: usize) -> Vec<Value> {
    rows.batch.columns.iter().map(|column| column.value(row)).collect()
}

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

#[test]
fn rows_are_objects_by_name_or_arrays_by_place() {
    let read = rows(r#"[{"day": "mo\u00dc", "COUNT": 3, "amount": 1.5, "more": {"x": [1, {}]}}, [2, -1, "tu"], {}]"#);
    assert_eq!(read.malformed, []);
    assert_eq!(row(&read, 0), [Value::Float(1.5), Value::BigInt(3), text("moÜ")]);
    assert_eq!(row(&read, 1), [Value::BigInt(2), Value::BigInt(-1), text("tu")]);
    assert_eq!(row(&read, 2), [Value::Null, Value::Null, Value::Null]);
}

#[test]
fn a_columns_own_spelling_wins_and_then_the_first_of_others() {
    let read = rows(
        r#"[{"AMOUNT": 1, "amount": 2, "Amount": 3}, {"amount": 2, "AMOUNT": 1}, {"AMOUNT": 1, "Amount": 3}, {"amount": 1, "amount": null}]"#,
    );
    let amounts: Vec<Value> = (0..4).map(|place| row(&read, place)[0].clone()).collect();
    assert_eq!(amounts, [Value::BigInt(2), Value::BigInt(2), Value::BigInt(1), Value::Null]);
}

#[test]
fn what_is_no_row_is_told_and_leaves_the_others() {
    let read = rows(
        r#"[1, [1, 2, "x"], [1], [1, 2, "x", 4], null, "x", true, 1e3, {"amount": {"a": 1}, "Count": [1], "day": 18446744073709551615}]"#,
    );
    let reasons: Vec<(usize, &str)> = read.malformed.iter().map(|(row, reason)| (*row, reason.as_str())).collect();
    let no_row = |given: &str| format!("a row is expected, an object or an array; {given} was given");
    let expected = [
        (0, no_row("number")),
        (2, "a row of 3 values is expected, 1 were given".to_owned()),
        (3, "a row of 3 values is expected, 4 were given".to_owned()),
        (4, no_row("null")),
        (5, no_row("text")),
        (6, no_row("bit")),
        (7, no_row("number")),
    ];
    assert_eq!(reasons, expected.iter().map(|(row, reason)| (*row, reason.as_str())).collect::<Vec<_>>());
    assert_eq!(row(&read, 2), [Value::Null, Value::Null, Value::Null]);
    let kinds: Vec<Option<&str>> = row(&read, 8).iter().map(Value::type_name).collect();
    assert_eq!(kinds, [Some("record"), Some("array"), Some("float")]);
}

#[test]
fn texts_are_numbers_only_where_numbers_are_wanted_and_only_when_asked_for() {
    let given = r#"[["1.5", " 3 ", "7"], ["1e2", "-0", "x"], ["", "0x1", "inf"], ["inf", "1_0", "nan"]]"#;
    assert_eq!(row(&rows(given), 0), [text("1.5"), text(" 3 "), text("7")]);
    let read = read(given, &wanted(), true).unwrap();
    assert_eq!(row(&read, 0), [Value::Float(1.5), Value::BigInt(3), text("7")]);
    assert_eq!(row(&read, 1), [Value::Float(100.0), Value::BigInt(0), text("x")]);
    assert_eq!(row(&read, 2), [text(""), text("0x1"), text("inf")]);
    assert_eq!(row(&read, 3), [text("inf"), text("1_0"), text("nan")]);
}

#[test]
fn what_is_no_array_of_rows_is_an_error_that_says_what_it_is() {
    for (given, words) in [("5", "integer `5`"), ("null", "null"), ("{\"a\": [1]}", "map"), ("\"[]\"", "string \"[]\"")] {
        let error = read(given, &wanted(), false).unwrap_err().to_string();
        assert!(error.contains(words) && error.contains("expected an array of rows"), "{error}");
    }
}

proptest! {
    #[test]
    fn rows_come_back_as_they_were(given in prop::collection::vec((any::<f64>().prop_filter("JSON has no others", |x| x.is_finite()), any::<i64>(), ".{0,12}"), 0..20)) {
        let json: Vec<Json> = given.iter().map(|(amount, count, day)| json!({ "day": day, "Count": count, "amount": amount })).collect();
        let read = rows(&Json::from(json).to_string());
        prop_assert_eq!(read.batch.rows(), given.len());
        for (place, (amount, count, day)) in given.iter().enumerate() {
            prop_assert_eq!(row(&read, place), [Value::Float(*amount), Value::BigInt(*count), text(day)]);
        }
    }

    #[test]
    fn any_body_is_answered(body in prop::collection::vec(any::<u8>(), 0..60), json in "[\\[\\]{}\":,dataInputs01 ]{0,40}") {
        for body in [body.as_slice(), json.as_bytes()] {
            if let Ok(asked) = of_body(body) {
                let _read = read(&asked.rows, &wanted(), true);
            }
        }
    }
}

#[test]
fn a_query_is_read_value_by_value() {
    let uri: Uri = "/score?data=%5B%7B%22day%22%3A%22a+b%22%7D%5D&other=1".parse().unwrap();
    let asked = of_query(&uri).unwrap();
    assert_eq!((asked.rows.as_ref(), asked.envelope), (r#"[{"day":"a b"}]"#, Envelope::Data));
    let several: Uri = "/score?data=%7B%7D&data=x".parse().unwrap();
    assert_eq!(of_query(&several).unwrap().rows, r#"[{},"x"]"#);
    assert!(of_query(&"/score".parse::<Uri>().unwrap()).is_err());
    assert_eq!(query(&"/?a&b=&c=1=2&&d=%zz".parse::<Uri>().unwrap()).len(), 4);
}

#[tokio::test]
async fn refusals_speak_as_the_inference_server_does() {
    for (body, status, words) in [
        ("", 400, "POST body is empty. Expecting a JSON dictionary."),
        ("{", 400, "POST body could not be decoded as JSON: "),
        ("[1", 400, "POST body could not be decoded as JSON: "),
        ("\u{0}", 400, "POST body could not be decoded as JSON: "),
        ("[1]", 400, "POST body should be a JSON dictionary."),
        ("\"x\"", 400, "POST body should be a JSON dictionary."),
        ("{}", 400, "A value is not provided for the 'data' parameter."),
        (r#"{"Data": []}"#, 400, "A value is not provided for the 'data' parameter."),
        (r#"{"Inputs": []}"#, 500, "An unexpected error occurred in scoring script. Check the logs for more info."),
        (r#"{"Inputs": {"input1": []}}"#, 500, "An unexpected error occurred in scoring script. Check the logs for more info."),
    ] {
        let response = of_body(body.as_bytes()).unwrap_err().into_response();
        assert_eq!(response.status(), status, "{body}");
        assert_eq!(response.headers()["x-ms-run-function-failed"], if status == 500 { "True" } else { "False" });
        let answer = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let answer: Json = serde_json::from_slice(&answer).unwrap();
        assert!(answer["message"].as_str().unwrap().starts_with(words), "{answer}");
    }
}
