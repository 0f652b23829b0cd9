use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use parking_lot::Mutex;
use serde_json::{Value as Json, json};

use super::{AzureMl, Key, MlAnswers, MlError, MlSettings};
use crate::batch::{Batch, Column, Origin, Value};
use crate::time::Timestamp;
use crate::udf::Input;

type Answer = Arc<dyn Fn(usize, &Json) -> Response + Send + Sync>;

/// Body and bearer.
type Request = (Json, Option<String>);

/// What the endpoint saw, and what it answers.
#[derive(Clone)]
struct Seen {
    answer: Answer,
    requests: Arc<Mutex<Vec<Request>>>,
    running: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

/// An HTTP server that answers as it is told, for faults that a real one does not make on demand.
struct Endpoint {
    address: String,
    seen: Seen,
    _runtime: tokio::runtime::Runtime,
}

async fn score(State(seen): State<Seen>, headers: HeaderMap, body: Bytes) -> Response {
    let now = seen.running.fetch_add(1, Ordering::SeqCst) + 1;
    seen.most.fetch_max(now, Ordering::SeqCst);
    let bearer = headers.get("authorization").map(|bearer| bearer.to_str().unwrap().to_owned());
    let body: Json = serde_json::from_slice(&body).unwrap();
    let number = {
        let mut requests = seen.requests.lock();
        requests.push((body.clone(), bearer));
        requests.len() - 1
    };
    tokio::time::sleep(Duration::from_millis(20)).await;
    let response = (seen.answer)(number, &body);
    seen.running.fetch_sub(1, Ordering::SeqCst);
    response
}

impl Endpoint {
    fn new(swagger: Option<Json>, answer: impl Fn(usize, &Json) -> Response + Send + Sync + 'static) -> Self {
        let seen = Seen { answer: Arc::new(answer), requests: Arc::default(), running: Arc::default(), most: Arc::default() };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = format!("http://{}/score", listener.local_addr().unwrap());
        let mut router =
            Router::new().route("/score", post(score).layer(axum::extract::DefaultBodyLimit::disable())).with_state(seen.clone());
        if let Some(swagger) = swagger {
            router = router.route("/swagger.json", get(move || async move { axum::Json(swagger) }));
        }
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self { address, seen, _runtime: runtime }
    }

    fn settings(&self) -> MlSettings {
        MlSettings {
            first_pause: Duration::from_millis(5),
            retry_for: Some(Duration::from_secs(20)),
            ..MlSettings::new("prediction", &self.address)
        }
    }

    fn requests(&self) -> Vec<Json> {
        self.seen.requests.lock().iter().map(|(body, _)| body.clone()).collect()
    }
}

fn call(settings: MlSettings, input: Input<'_>, rows: usize) -> Result<MlAnswers, MlError> {
    AzureMl::new(settings, Arc::default())?.call(&[input], rows)
}

fn rows(count: usize) -> Batch {
    Batch {
        names: ["amount".into(), "card".into(), "#time.p".into()].into(),
        columns: vec![
            Column::from_values((0..count).map(|row| Value::Float(row as f64))),
            Column::from_values((0..count).map(|row| Value::Text(format!("C-{row}").into()))),
            Column::Null(count),
        ],
        times: vec![Timestamp(0); count].into(),
        origin: Origin::Derived,
    }
}

/// The amounts of a request's rows, doubled.
fn doubled(body: &Json) -> Vec<Json> {
    body["data"].as_array().unwrap().iter().map(|row| json!(row["amount"].as_f64().unwrap() * 2.0)).collect()
}

fn values(column: &Column) -> Vec<Value> {
    (0..column.len()).map(|row| column.value(row)).collect()
}

fn floats(numbers: impl IntoIterator<Item = usize>) -> Vec<Value> {
    numbers.into_iter().map(|number| Value::Float(number as f64)).collect()
}

#[test]
fn rows_go_in_batches_and_answers_come_back_by_position() {
    let endpoint = Endpoint::new(None, |_, body| axum::Json(doubled(body)).into_response());
    let key = Some(Key("s3cret".into()));
    let settings = MlSettings { batch_size: 4, parallel: 2, key, ..endpoint.settings() };
    assert!(!format!("{settings:?}").contains("s3cret"));
    let answers = call(settings, Input::Record(&rows(10)), 10).unwrap();
    assert_eq!(values(&answers.column), floats((0..10).map(|row| row * 2)));
    assert_eq!(answers.failed, []);
    let mut sizes: Vec<_> = endpoint.requests().iter().map(|body| body["data"].as_array().unwrap().len()).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [2, 4, 4]);
    assert!(endpoint.requests().contains(&json!({"data": [{"amount": 8.0, "card": "C-8"}, {"amount": 9.0, "card": "C-9"}]})));
    assert!(endpoint.seen.requests.lock().iter().all(|(_, bearer)| bearer.as_deref() == Some("Bearer s3cret")));
    assert_eq!(endpoint.seen.most.load(Ordering::SeqCst), 2);
}

#[test]
fn the_envelope_comes_from_settings_or_from_swagger() {
    let swagger = json!({"swagger": "2.0", "definitions": {"ServiceInput": {"properties": {
        "GlobalParameters": {"type": "object"}, "Inputs": {"properties": {"WebServiceInput0": {"type": "array"}}}}}}});
    let results = |_: usize, body: &Json| {
        let sent = body["Inputs"].as_object().unwrap().values().next().unwrap().as_array().unwrap().len();
        axum::Json(json!({"Results": {"WebServiceOutput0": vec![json!({"Scored Labels": 1}); sent]}})).into_response()
    };
    let endpoint = Endpoint::new(Some(swagger), results);
    let answers = call(endpoint.settings(), Input::Record(&rows(1)), 1).unwrap();
    assert!(matches!(&answers.column.value(0), Value::Record(fields) if *fields[0].0 == *"Scored Labels"), "{answers:?}");
    let told = MlSettings { request_label: Some("Inputs".into()), input: Some("data".into()), ..endpoint.settings() };
    call(told, Input::Record(&rows(1)), 1).unwrap();
    let row = json!({"amount": 0.0, "card": "C-0"});
    assert_eq!(
        endpoint.requests(),
        [json!({"Inputs": {"WebServiceInput0": [row]}, "GlobalParameters": {}}), json!({"Inputs": {"data": [row]}})]
    );
    let swagger = json!({"openapi": "3.0.3", "components": {"schemas": {"ServiceInput": {"properties": {"rows": {"type": "array"}}}}}});
    let endpoint = Endpoint::new(Some(swagger), |_, _| axum::Json(json!({"Results": [0.5]})).into_response());
    let answers = call(endpoint.settings(), Input::Record(&rows(1)), 1).unwrap();
    assert_eq!(values(&answers.column), [Value::Float(0.5)]);
    assert_eq!(endpoint.requests(), [json!({"rows": [row]})]);
}

#[test]
fn an_array_is_a_row_too_and_several_values_are_the_columns_of_the_settings() {
    let endpoint = Endpoint::new(None, |_, _| axum::Json(json!([1])).into_response());
    let arrays = Column::from_values([crate::batch::read_json("[1, \"Mon\", 5.8, null]").unwrap()]);
    let answers = call(MlSettings { returns: Some("float".into()), ..endpoint.settings() }, Input::Value(&arrays), 1).unwrap();
    assert_eq!(values(&answers.column), [Value::Float(1.0)]);
    let (a, b) = (Column::from_values([Value::BigInt(1)]), Column::from_values([Value::Text("x".into())]));
    let settings = MlSettings { columns: vec!["a".into(), "b c".into()], ..endpoint.settings() };
    let both = [Input::Value(&a), Input::Value(&b)];
    AzureMl::new(settings, Arc::default()).unwrap().call(&both, 1).unwrap();
    assert_eq!(endpoint.requests(), [json!({"data": [[1, "Mon", 5.8, null]]}), json!({"data": [{"a": 1, "b c": "x"}]})]);
    let error = AzureMl::new(endpoint.settings(), Arc::default()).unwrap().call(&both, 1).unwrap_err();
    assert!(matches!(error, MlError::Arguments { given: 2, .. }));
}

#[test]
fn what_may_pass_is_tried_again() {
    let endpoint = Endpoint::new(None, |number, body| match number {
        0 => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        1 => (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "0")], "slow down").into_response(),
        2 => StatusCode::BAD_GATEWAY.into_response(),
        3 => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        _ => axum::Json(doubled(body)).into_response(),
    });
    let answers = call(endpoint.settings(), Input::Record(&rows(2)), 2).unwrap();
    assert_eq!(values(&answers.column), floats([0, 2]));
    assert_eq!(endpoint.requests().len(), 5);
}

#[test]
fn a_refusal_is_told_at_once_for_its_rows_only() {
    for status in [400, 401, 403, 404, 409, 413] {
        let endpoint = Endpoint::new(None, move |_, body| {
            if doubled(body)[0] == json!(4.0) {
                (StatusCode::from_u16(status).unwrap(), axum::Json(json!({"message": "schema mismatch"}))).into_response()
            } else {
                axum::Json(doubled(body)).into_response()
            }
        });
        let answers = call(MlSettings { batch_size: 2, ..endpoint.settings() }, Input::Record(&rows(6)), 6).unwrap();
        assert_eq!(values(&answers.column), [floats([0, 2]), vec![Value::Null; 2], floats([8, 10])].concat());
        let [(range, error)] = answers.failed.as_slice() else { panic!("{:?}", answers.failed) };
        assert_eq!(*range, 2..4);
        assert!(matches!(error, MlError::Refused { status: told, what, .. } if *told == status && what == "schema mismatch"), "{error}");
        assert_eq!(endpoint.requests().len(), 3);
        let message = error.to_string();
        assert!(message.contains(&format!("/score refused the request with {status}: schema mismatch")), "{message}");
    }
}

#[test]
fn an_exception_of_the_scoring_script_is_not_tried_again() {
    let endpoint = Endpoint::new(None, |_, _| {
        let message = axum::Json(json!({"message": "An unexpected error occurred in scoring script."}));
        (StatusCode::INTERNAL_SERVER_ERROR, [("x-ms-run-function-failed", "True")], message).into_response()
    });
    let answers = call(endpoint.settings(), Input::Record(&rows(1)), 1).unwrap();
    assert!(matches!(answers.failed[0].1, MlError::Refused { status: 500, .. }));
    assert_eq!(endpoint.requests().len(), 1);
}

#[test]
fn an_answer_that_is_not_one_value_a_row_is_an_error() {
    for (answer, part) in [
        (json!("Exception: bad column"), "the endpoint answered a text instead of one value a row: Exception: bad column"),
        (json!([1]), "the response has 1 values, 2 rows were sent"),
        (json!({"a": 1, "b": 2}), "the response is not an array"),
        (json!(5), "the response is not an array"),
        (json!([1, 18_446_744_073_709_551_615_u64]), "value 1 has an integer that does not fit bigint"),
    ] {
        let endpoint = Endpoint::new(None, move |_, _| axum::Json(answer.clone()).into_response());
        let answers = call(endpoint.settings(), Input::Record(&rows(2)), 2).unwrap();
        let [(range, error)] = answers.failed.as_slice() else { panic!("{:?}", answers.failed) };
        assert!(*range == (0..2) && matches!(error, MlError::Answer { .. }) && error.to_string().contains(part), "{error}");
    }
    let endpoint = Endpoint::new(None, |_, _| "[NaN]".into_response());
    let answers = call(endpoint.settings(), Input::Record(&rows(1)), 1).unwrap();
    assert!(answers.failed[0].1.to_string().contains("the response is not JSON"));
}

#[test]
fn a_request_has_a_largest_size() {
    let endpoint = Endpoint::new(None, |_, body| {
        let rows = body["data"].as_array().unwrap().len();
        axum::Json(vec![1; rows]).into_response()
    });
    let texts = Column::from_values([10, 10, 30, 200, 10].map(|length| Value::Text("x".repeat(length).into())));
    let settings = MlSettings { max_request: 60, ..endpoint.settings() };
    let answers = call(settings, Input::Value(&texts), 5).unwrap();
    let one = Value::BigInt(1);
    assert_eq!(values(&answers.column), [one.clone(), one.clone(), one.clone(), Value::Null, one]);
    assert!(matches!(answers.failed.as_slice(), [(range, MlError::TooLarge { bytes: 202, most: 60, .. })] if *range == (3..4)));
    assert!(endpoint.requests().iter().all(|body| body.to_string().len() <= 60));
    assert_eq!(endpoint.requests().len(), 3);
}

#[test]
fn nothing_there_and_no_answer_in_time_are_tried_for_the_time_given_and_a_stop_ends_the_wait() {
    let settings = MlSettings {
        first_pause: Duration::from_millis(1),
        retry_for: Some(Duration::from_millis(30)),
        ..MlSettings::new("prediction", "http://127.0.0.1:9/score?code=s3cret")
    };
    let answers = call(settings.clone(), Input::Record(&rows(1)), 1).unwrap();
    let message = answers.failed[0].1.to_string();
    assert!(matches!(answers.failed[0].1, MlError::Unreachable { .. }) && !message.contains("s3cret"), "{message}");
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}/score", silent.local_addr().unwrap());
    let timed =
        MlSettings { endpoint: endpoint.clone(), input: Some("data".into()), timeout: Duration::from_millis(50), ..settings.clone() };
    let answers = call(timed, Input::Record(&rows(1)), 1).unwrap();
    assert!(answers.failed[0].1.to_string().contains("no answer in time"), "{:?}", answers.failed);
    let stop = Arc::new(AtomicBool::new(true));
    let endless = MlSettings { retry_for: None, endpoint, ..settings };
    let stopped = AzureMl::new(endless, stop).unwrap().call(&[Input::Record(&rows(1))], 1);
    assert!(matches!(stopped, Err(MlError::Stopped { .. })));
}

#[test]
fn settings_that_cannot_be_used_are_refused() {
    let refused = |settings: MlSettings| AzureMl::new(settings, Arc::default()).unwrap_err().to_string();
    let new = |endpoint: &str| MlSettings::new("p", endpoint);
    assert!(refused(new("score")).contains("the endpoint is not an address"));
    assert!(refused(new("ftp://x/score")).contains("http or https"));
    assert!(refused(new("https://user:pass@x/score")).contains("must not have a user or password"));
    assert!(refused(MlSettings { batch_size: 10_001, ..new("https://x/score") }).contains("1 to 10000 is expected"));
    assert!(refused(MlSettings { parallel: 0, ..new("https://x/score") }).contains("0 parallel requests"));
    let odd = refused(MlSettings { key: Some(Key("a\nb".into())), ..new("https://x/score") });
    assert!(odd.contains("characters that no header takes") && !odd.contains("a\nb"));
}
