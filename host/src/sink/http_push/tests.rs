//! What is sent, and what becomes of rows that are refused; against a real server.

use std::sync::Arc;

use axum::http::StatusCode;
use parking_lot::Mutex;
use serde_json::{Value as Json, json};

use super::*;
use crate::batch::{Column, Origin, Value};
use crate::time::Timestamp;

type Bodies = Arc<Mutex<Vec<String>>>;

/// A server that refuses requests with this text in them.
fn server(runtime: &tokio::runtime::Runtime, refused: &'static str) -> (String, Bodies) {
    let bodies = Bodies::default();
    let seen = Arc::clone(&bodies);
    let app = axum::Router::new().fallback(move |body: String| {
        let seen = Arc::clone(&seen);
        async move {
            let status = if !refused.is_empty() && body.contains(refused) { StatusCode::BAD_REQUEST } else { StatusCode::OK };
            if status == StatusCode::OK {
                seen.lock().push(body);
            }
            (status, "said the server")
        }
    });
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    runtime.spawn(async move { axum::serve(listener, app).await });
    (format!("http://{address}/rows?key=never-print-this"), bodies)
}

fn settings(url: &str) -> HttpPushSettings {
    HttpPushSettings {
        output: "out".into(),
        file: "Local_out.json".into(),
        url: url.into(),
        token: None,
        headers: Vec::new(),
        form: Form::Array,
        max_rows: 100,
        max_bytes: 1 << 20,
        requests_per_minute: None,
        rows_per_hour: None,
        power_bi: false,
        key: None,
        timeout: Duration::from_secs(10),
        policy: ErrorPolicy::Drop,
    }
}

fn batch(values: impl IntoIterator<Item = Value>) -> Batch {
    let column = Column::from_values(values);
    let rows = column.len();
    Batch {
        names: vec!["a".into()].into(),
        columns: vec![column],
        times: vec![Timestamp(0); rows].into(),
        origin: Origin::Events { input: 0, partition: 2, offsets: (0..rows as u64).collect() },
    }
}

fn numbers(count: i64) -> Batch {
    batch((0..count).map(Value::BigInt))
}

fn write(sink: &mut HttpPush, batch: &Batch) -> Vec<Refused> {
    sink.write(batch, &DocumentKeys::of(batch, 0)).unwrap()
}

#[test]
fn rows_are_sent_in_each_form_within_the_limits() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (url, bodies) = server(&runtime, "");
    let sent = |settings: HttpPushSettings, count: i64| {
        bodies.lock().clear();
        let mut sink = HttpPush::open(settings, runtime.handle()).unwrap();
        assert_eq!(write(&mut sink, &numbers(count)), []);
        sink.flush().unwrap();
        bodies.lock().clone()
    };
    assert_eq!(sent(settings(&url), 2), [r#"[{"a":0},{"a":1}]"#]);
    assert_eq!(sent(HttpPushSettings { form: Form::Rows, ..settings(&url) }, 2), [r#"{"rows":[{"a":0},{"a":1}]}"#]);
    assert_eq!(sent(HttpPushSettings { form: Form::Lines, ..settings(&url) }, 2), ["{\"a\":0}\n{\"a\":1}\n"]);
    let keyed = HttpPushSettings { key: Some("_key".into()), ..settings(&url) };
    assert_eq!(sent(keyed, 2), [r#"[{"a":0,"_key":"0-0-2-0-0"},{"a":1,"_key":"0-0-2-1-0"}]"#]);
    let many = sent(settings(&url), 250);
    assert_eq!(many.iter().map(|body| body.matches("\"a\"").count()).collect::<Vec<_>>(), [100, 100, 50]);
    // 17 bytes are two rows in brackets, to the byte.
    for (max_bytes, requests) in [(17, 2), (16, 4)] {
        let bodies = sent(HttpPushSettings { max_bytes, ..settings(&url) }, 4);
        assert_eq!(bodies.len(), requests);
        assert!(bodies.iter().all(|body| body.len() <= max_bytes), "{bodies:?}");
    }
}

#[test]
fn the_row_at_fault_is_found_and_the_others_are_taken_once() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (url, bodies) = server(&runtime, "77}");
    let mut sink = HttpPush::open(settings(&url), runtime.handle()).unwrap();
    let rows = numbers(90);
    assert_eq!(write(&mut sink, &rows), []);
    assert_eq!(write(&mut sink, &numbers(80)), []);
    sink.flush().unwrap();
    let refused = sink.refused_late();
    let places: Vec<_> = refused.iter().map(|(batch, refused)| (*batch, refused.row)).collect();
    assert_eq!(places, [(0, 77), (1, 77)]);
    assert_eq!(refused[0].1.reason, "the row is refused: the answer is 400 Bad Request: said the server");
    let taken: Vec<Json> = bodies.lock().iter().flat_map(|body| serde_json::from_str::<Vec<Json>>(body).unwrap()).collect();
    let expected: Vec<Json> = (0..90).chain(0..80).filter(|value| *value != 77).map(|value| json!({ "a": value })).collect();
    assert_eq!(taken, expected);
    assert!(sink.refused_late().is_empty());

    // Under Retry it is waited for, and nothing is sent twice meanwhile.
    bodies.lock().clear();
    let mut sink = HttpPush::open(HttpPushSettings { policy: ErrorPolicy::Retry, ..settings(&url) }, runtime.handle()).unwrap();
    write(&mut sink, &rows);
    for _ in 0..2 {
        let fault = sink.flush().unwrap_err();
        assert_eq!(fault.retry, crate::fault::Retry::Backoff);
        let text = fault.to_string();
        assert!(text.contains("output 'out' at http://127.0.0.1") && text.contains("policy is Retry"), "{text}");
        assert!(!text.contains("never-print-this") && !format!("{sink:?}").contains("never-print-this"), "{text}");
    }
    let taken: Vec<Json> = bodies.lock().iter().flat_map(|body| serde_json::from_str::<Vec<Json>>(body).unwrap()).collect();
    assert_eq!(taken, (0..77).map(|value| json!({ "a": value })).collect::<Vec<_>>());
    let mut sink = HttpPush::open(HttpPushSettings { policy: ErrorPolicy::Stop, ..settings(&url) }, runtime.handle()).unwrap();
    write(&mut sink, &rows);
    assert_eq!(sink.flush().unwrap_err().retry, crate::fault::Retry::Never);
}

#[test]
fn when_all_rows_are_refused_few_requests_tell_it() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (url, _) = server(&runtime, "a");
    let mut sink = HttpPush::open(HttpPushSettings { max_rows: 10_000, ..settings(&url) }, runtime.handle()).unwrap();
    write(&mut sink, &numbers(5000));
    let start = Instant::now();
    sink.flush().unwrap();
    assert_eq!(sink.refused_late().len(), 5000);
    assert!(start.elapsed() < Duration::from_secs(5), "one request a row");
}

#[test]
fn rows_that_power_bi_does_not_take_are_refused_and_records_become_literals() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (url, bodies) = server(&runtime, "");
    let settings = HttpPushSettings { power_bi: true, form: Form::Rows, ..settings(&url) };
    let mut sink = HttpPush::open(settings, runtime.handle()).unwrap();
    let values = ["x".repeat(4000), "x".repeat(4001), "\u{1f600}".repeat(2001)].map(|text| Value::Text(text.into()));
    let refused = write(&mut sink, &batch(values));
    assert_eq!(refused.iter().map(|refused| refused.row).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(refused[0].reason, "column 'a' has a text of 4001 characters; Power BI takes 4000");
    write(&mut sink, &batch([Value::Array(vec![Value::Null].into()), Value::Record(Arc::default()), Value::BigInt(1)]));
    sink.flush().unwrap();
    let body: Json = serde_json::from_str(&bodies.lock()[0]).unwrap();
    assert_eq!(body["rows"].as_array().unwrap()[1..], [json!({ "a": "IArray" }), json!({ "a": "IRecord" }), json!({ "a": 1 })]);
}

#[test]
fn an_address_or_a_header_that_is_none_is_refused_without_saying_it() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for url in ["nothing", "ftp://host/never-print-this", "http://"] {
        let error = HttpPush::open(settings(url), runtime.handle()).unwrap_err().to_string();
        assert!(error.contains("Local_out.json: output 'out'") && !error.contains("never-print-this"), "{error}");
    }
    let bad = HttpPushSettings { token: Some("never-print-this\n\u{7f}".into()), ..settings("http://host/") };
    let error = HttpPush::open(bad, runtime.handle()).unwrap_err().to_string();
    assert!(!error.contains("never-print-this"), "{error}");
}
