//! `tamis serve` beside the server that it replaces: azureml-inference-server-http with inference-schema, the same model in
//! onnxruntime. The same requests to both; where the answers differ, the table says why.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use reqwest::{Client, Method};
use serde_json::{Map, Value, json};
use tamis_tests::golden::Golden;
use tamis_tests::guests;
use tamis_tests::host::tamis;
use tamis_tests::server::{Server, inference_server, serve};

/// The first golden rows as objects.
fn golden(count: usize) -> Vec<Value> {
    static COLUMNS: OnceLock<Value> = OnceLock::new();
    let columns = COLUMNS.get_or_init(|| Golden::read().json()).as_object().unwrap();
    let row = |row: usize| columns.iter().map(|(name, values)| (name.clone(), values[row].clone())).collect::<Map<_, _>>().into();
    (0..count).map(row).collect()
}

/// A golden row with one column set to something else.
fn with(column: &str, value: Value) -> Value {
    let mut row = golden(1).remove(0);
    row[column] = value;
    row
}

fn without(column: &str) -> Value {
    let mut row = golden(1).remove(0);
    row.as_object_mut().unwrap().remove(column);
    row
}

fn data(rows: &[Value]) -> String {
    json!({ "data": rows }).to_string()
}

/// A file with a module's signature, for the peer's sample; without a module the built-in one's.
fn signature(module: &[&str]) -> tempfile::NamedTempFile {
    let printed = tamis(&[&["inspect", "--json"], module].concat());
    assert!(printed.status.success());
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), printed.stdout).unwrap();
    file
}

/// A request.
#[derive(Debug, Clone)]
struct Ask {
    method: Method,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

fn ask(method: &str, path: &str) -> Ask {
    Ask { method: method.parse().unwrap(), path: path.to_owned(), headers: Vec::new(), body: Vec::new() }
}

fn post(body: impl Into<Vec<u8>>) -> Ask {
    Ask { body: body.into(), ..ask("POST", "/score") }.header("content-type", "application/json")
}

fn get(query: &[(&str, String)]) -> Ask {
    let url = reqwest::Url::parse_with_params("http://localhost/score", query).unwrap();
    ask("GET", &format!("/score?{}", url.query().unwrap()))
}

impl Ask {
    fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.retain(|(other, _)| *other != name);
        self.headers.push((name, value.to_owned()));
        self
    }
}

/// What came back.
#[derive(Debug, Clone, PartialEq)]
struct Answer {
    status: u16,
    headers: BTreeMap<String, String>,
    body: Value,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or_default()
    }
}

async fn send(server: &Server, ask: &Ask) -> Answer {
    let mut request = Client::new().request(ask.method.clone(), format!("{}{}", server.url(), ask.path));
    for (name, value) in &ask.headers {
        request = request.header(*name, value);
    }
    let answer = request.body(ask.body.clone()).send().await.unwrap();
    let headers = answer.headers().iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
    let status = answer.status().as_u16();
    let text = answer.text().await.unwrap();
    Answer { status, headers, body: serde_json::from_str(&text).unwrap_or(Value::String(text)) }
}

/// How far two answers are the same.
#[derive(Debug)]
enum Same {
    /// Status, content type, headers of the contract, body.
    All,
    /// As `All`, and ours gives the reason beside the same message, which there is in the server's log only.
    Reason(&'static str),
    /// As `All`, up to the words of another JSON parser.
    Start(&'static str),
    /// Another answer, and why.
    Differs(u16, Value, #[expect(dead_code, reason = "for who reads this")] &'static str),
}

fn compare(what: &str, ours: &Answer, theirs: &Answer, same: &Same) {
    let both = format!("{what}\nours: {ours:#?}\ntheirs: {theirs:#?}");
    for name in ["x-request-id", "x-ms-request-id", "x-ms-server-version"] {
        assert_eq!(ours.header(name).is_some(), theirs.header(name).is_some(), "{name}: {both}");
    }
    for name in ["x-ms-client-request-id", "traceid"] {
        assert_eq!(ours.header(name), theirs.header(name), "{name}: {both}");
    }
    // There it is a set, in any order.
    let allowed = |answer: &Answer| answer.header("allow").map(|list| list.split(", ").map(str::to_owned).collect::<BTreeSet<_>>());
    assert_eq!(allowed(ours), allowed(theirs), "{both}");
    if let Same::Differs(status, body, _) = same {
        assert_eq!((ours.status, &ours.body), (*status, body), "{both}");
        assert!(ours.status != theirs.status || ours.body != theirs.body, "no difference any more: {both}");
        return;
    }
    assert_eq!(ours.status, theirs.status, "{both}");
    for name in ["content-type", "x-ms-run-function-failed"] {
        assert_eq!(ours.header(name), theirs.header(name), "{name}: {both}");
    }
    assert_eq!(ours.header("x-ms-run-fn-exec-ms").is_some(), theirs.header("x-ms-run-fn-exec-ms").is_some(), "{both}");
    match same {
        Same::All => assert_eq!(ours.body, theirs.body, "{both}"),
        Same::Reason(words) => {
            assert_eq!(ours.message(), theirs.message(), "{both}");
            assert!(ours.body["reason"].as_str().is_some_and(|reason| reason.contains(words)), "{both}");
        }
        Same::Start(start) => assert!(ours.message().starts_with(start) && theirs.message().starts_with(start), "{both}"),
        Same::Differs(..) => {}
    }
}

/// The cases of the contract. The endpoint runs with `--strict --text-numbers`: the way in which it is nearest to the other.
fn cases() -> Vec<(&'static str, Ask, Same)> {
    use Same::{All, Differs, Reason, Start};
    let good = golden(1).remove(0);
    let guess = "a null or a broken number would be a guess: the row has no value (here: the request fails, by --strict)";
    let failed = |reason: &str| json!({ "message": FAILED, "reason": reason });
    let upper: Map<String, Value> = good.as_object().unwrap().iter().map(|(name, value)| (name.to_uppercase(), value.clone())).collect();
    let by_place: Vec<Value> = good.as_object().unwrap().values().cloned().collect();
    let predictions = |asked: &[Value]| json!(vec![0; asked.len()]);
    let mut more = good.clone();
    more["more"] = json!({ "x": [1] });
    let undecoded = "POST body could not be decoded as JSON: ";
    let long = "x".repeat(101);
    vec![
        ("health", ask("GET", "/"), All),
        ("health, head only", ask("HEAD", "/"), All),
        ("health, options", ask("OPTIONS", "/"), All),
        ("health, posted", ask("POST", "/"), All),
        ("no such path", ask("GET", "/nowhere"), All),
        ("a path below", ask("POST", "/score/x"), All),
        ("rows", post(data(&golden(500))), All),
        ("one row", post(data(&golden(1))), All),
        ("with a charset", post(data(&golden(2))).header("content-type", "Application/JSON; charset=utf-8"), All),
        ("another kind of JSON", post(data(&golden(2))).header("content-type", "application/vnd.tamis+json"), All),
        ("more beside data", post(json!({ "GlobalParameters": {}, "data": golden(2), "x": null }).to_string()), All),
        ("an unknown category", post(data(&[with("day_of_week", json!("someday"))])), All),
        ("a whole float for an integer", post(data(&[with("month", json!(3.0))])), All),
        ("an integer for a float", post(data(&[with("amount", json!(100))])), All),
        ("a text for a float", post(data(&[with("amount", json!("121.28"))])), All),
        ("a text for an integer", post(data(&[with("month", json!("3"))])), All),
        ("by query", get(&[("data", json!(golden(3)).to_string())]), All),
        ("by query, several", get(&[("data", good.to_string()), ("x", "1".to_owned()), ("data", good.to_string())]), All),
        ("by query, nothing", get(&[("x", "1".to_owned())]), All),
        ("by query, no JSON", get(&[("data", "abc".to_owned())]), Reason("expected an array of rows")),
        ("put", ask("PUT", "/score"), All),
        ("delete", ask("DELETE", "/score"), All),
        ("head", ask("HEAD", "/score"), All),
        ("options", ask("OPTIONS", "/score"), All),
        ("no content type", Ask { headers: Vec::new(), ..post(data(&golden(1))) }, All),
        ("text", post(data(&golden(1))).header("content-type", "text/plain"), All),
        ("no body", post(""), All),
        ("no object", post("[1]"), All),
        ("no object but a text", post("\"x\""), All),
        ("no data", post("{}"), All),
        ("data by another name", post(json!({ "Data": golden(1) }).to_string()), All),
        ("no JSON", post("this is not JSON"), Start(undecoded)),
        ("cut off", post(&data(&golden(1)).as_bytes()[..100]), Start(undecoded)),
        ("blanks only", post("  "), Start(undecoded)),
        ("data is a number", post(r#"{"data": 5}"#), Reason("integer `5`")),
        ("data is null", post(r#"{"data": null}"#), Reason("null")),
        ("data is a text", post(r#"{"data": "x"}"#), Reason("string")),
        ("data is a row", post(json!({ "data": good }).to_string()), Reason("map")),
        ("a row is a number", post(r#"{"data": [5]}"#), Reason("row 1, a row is expected")),
        ("a column is missing", post(data(&[without("amount")])), Reason("row 1, column 'amount': float is expected, no value was given")),
        (
            "text for a number",
            post(data(&[with("amount", json!("abc"))])),
            Reason("column 'amount': float is expected, text 'abc' was given"),
        ),
        ("the second row is bad", post(data(&[good.clone(), with("month", json!("abc"))])), Reason("row 2, column 'month'")),
        (
            "a record for a number",
            post(data(&[with("amount", json!({ "x": 1 }))])),
            Reason("column 'amount': float is expected, record was given"),
        ),
        ("swagger", ask("GET", "/swagger.json"), All),
        ("swagger 9", ask("GET", "/swagger.json?version=9"), All),
        ("swagger of nothing", ask("GET", "/swagger.json?version="), All),
        ("swagger, posted", ask("POST", "/swagger.json"), All),
        ("swagger, options", ask("OPTIONS", "/swagger.json"), All),
        ("the client's id", post(data(&golden(1))).header("x-ms-client-request-id", "abc"), All),
        ("the client's id by its old name", post(data(&golden(1))).header("x-ms-request-id", "abc"), All),
        (
            "all ids",
            post(data(&golden(1))).header("x-ms-request-id", "a").header("x-ms-client-request-id", "b").header("x-request-id", "c"),
            All,
        ),
        ("a trace", post("{}").header("traceid", "7"), All),
        ("a long id", post(data(&golden(1))).header("x-request-id", &long), All),
        ("a long id by its old name", ask("GET", "/").header("x-ms-request-id", &long), All),
        ("a long client's id", ask("GET", "/swagger.json").header("x-ms-client-request-id", &long), All),
        // What differs.
        ("no rows", post(r#"{"data": []}"#), Differs(200, json!([]), "no rows have no values; there it is an error inside")),
        (
            "a null",
            post(data(&[with("amount", Value::Null)])),
            Differs(500, failed("row 1, column 'amount': float is expected, no value was given"), guess),
        ),
        (
            "a broken integer",
            post(data(&[with("month", json!(2.5))])),
            Differs(500, failed("row 1, column 'month': bigint is expected, float 2.5 was given"), guess),
        ),
        (
            "a bit for an integer",
            post(data(&[with("month", json!(true))])),
            Differs(500, failed("row 1, column 'month': bigint is expected, bit true was given"), guess),
        ),
        (
            "NaN, which JSON has not",
            post(data(&golden(1)).replacen("\"amount\":", "\"amount\":NaN,\"x\":", 1)),
            Differs(
                400,
                json!({ "message": "POST body could not be decoded as JSON: expected value at line 1 column 20" }),
                "Python's parser alone takes it",
            ),
        ),
        (
            "bytes that are no text",
            post([b"{\"data\": \"".as_slice(), b"\xFF\"}"].concat()),
            Differs(
                400,
                json!({ "message": "POST body could not be decoded as JSON: invalid utf-8 sequence of 1 bytes from index 10" }),
                "there it is an error inside",
            ),
        ),
        ("a column more", post(data(&[more.clone()])), Differs(200, predictions(&[more]), "an event has more than a model reads")),
        (
            "names in capitals",
            post(data(&[upper.clone().into()])),
            Differs(200, predictions(&[upper.into()]), "Stream Analytics does not tell cases apart, and its level 1.0 lowers them"),
        ),
        (
            "rows by place",
            post(data(&[by_place.clone().into()])),
            Differs(200, predictions(&[by_place.into()]), "what a script with a matrix takes, this takes for every model"),
        ),
        (
            "the designer's envelope",
            post(json!({ "Inputs": { "WebServiceInput0": golden(2) }, "GlobalParameters": {} }).to_string()),
            Differs(200, json!({ "Results": [0, 0] }), "one endpoint takes both envelopes; there it takes two scripts"),
        ),
    ]
}

const FAILED: &str = "An unexpected error occurred in scoring script. Check the logs for more info.";

#[tokio::test]
async fn requests_are_answered_as_the_inference_server_answers_them() {
    let signature = signature(&[]);
    let theirs = inference_server("data.py", signature.path());
    let ours = serve(&["--strict", "--text-numbers"]);
    let mut failed = Vec::new();
    for (what, ask, same) in cases() {
        let (ours, theirs) = (send(&ours, &ask).await, send(&theirs, &ask).await);
        // All that differs is told, not only the first.
        if std::panic::catch_unwind(|| compare(what, &ours, &theirs, &same)).is_err() {
            failed.push(what);
        }
    }
    assert!(failed.is_empty(), "{failed:?}");
}

#[tokio::test]
async fn the_designers_envelope_is_answered_as_there() {
    let signature = signature(&[]);
    let theirs = inference_server("inputs.py", signature.path());
    let ours = serve(&["--strict", "--text-numbers", "--envelope", "inputs"]);
    let rows = |rows: &[Value]| json!({ "Inputs": { "WebServiceInput0": rows }, "GlobalParameters": {} }).to_string();
    for (what, ask, same) in [
        ("rows", post(rows(&golden(300))), Same::All),
        (
            "by query",
            get(&[("Inputs", json!({ "WebServiceInput0": golden(2) }).to_string()), ("GlobalParameters", "{}".to_owned())]),
            Same::All,
        ),
        ("a bad row", post(rows(&[with("amount", json!("abc"))])), Same::Reason("column 'amount'")),
        (
            "another port",
            post(r#"{"Inputs": {"input1": []}, "GlobalParameters": {}}"#),
            Same::Reason("'Inputs' has no 'WebServiceInput0'; it has input1"),
        ),
        ("no ports", post(r#"{"Inputs": 5, "GlobalParameters": {}}"#), Same::Reason("'Inputs' must be an object")),
    ] {
        compare(what, &send(&ours, &ask).await, &send(&theirs, &ask).await, &same);
    }
    same_documents(&ours, &theirs).await;
}

/// Every value by its path.
fn leaves(value: &Value, path: &str, found: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| leaves(value, &format!("{path}/{name}"), found)),
        Value::Array(values) => values.iter().enumerate().for_each(|(place, value)| leaves(value, &format!("{path}/{place}"), found)),
        _ => {}
    }
    let shown = if value.is_object() || value.is_array() { String::new() } else { value.to_string() };
    found.insert(path.to_owned(), shown);
}

async fn same_documents(ours: &Server, theirs: &Server) {
    for version in ["", "?version=2", "?version=2.0", "?version=3", "?version=3.0", "?version=3.1"] {
        let ask = ask("GET", &format!("/swagger.json{version}"));
        let (ours, theirs) = (send(ours, &ask).await, send(theirs, &ask).await);
        let named = |answer: &Answer| {
            let mut found = BTreeMap::new();
            leaves(&answer.body, "", &mut found);
            found
        };
        let (named_here, named_there) = (named(&ours), named(&theirs));
        assert!(named_there.len() > 100);
        assert_eq!(named_here, named_there, "{version}");
        // Also the order of the columns, which is the order of a row by place.
        let columns = |answer: &Answer| {
            let schemas =
                if answer.body["definitions"].is_object() { &answer.body["definitions"] } else { &answer.body["components"]["schemas"] };
            assert!(schemas["ServiceInput"].is_object());
            schemas["ServiceInput"]["example"].to_string()
        };
        assert_eq!(columns(&ours), columns(&theirs));
    }
}

#[tokio::test]
async fn the_swagger_documents_are_the_inference_servers_key_by_key() {
    let signature = signature(&[]);
    same_documents(&serve(&[]), &inference_server("data.py", signature.path())).await;
}

#[tokio::test]
async fn a_model_of_numbers_takes_arrays_as_there() {
    let module = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(module.path(), guests::sums(&["a", "b", "c"])).unwrap();
    let signature = signature(&[module.path().to_str().unwrap()]);
    let theirs = inference_server("matrix.py", signature.path());
    let ours = serve(&[module.path().to_str().unwrap(), "--strict", "--rows", "arrays"]);
    let rows = |rows: Value| post(json!({ "data": rows }).to_string());
    for (what, ask, same) in [
        ("rows", rows(json!([[1, 2.5, -3], [-1, 0.5, 0.25], [0, 0, 0.0], [1e300, -1e299, 5]])), Same::All),
        ("too short", rows(json!([[1, 2]])), Same::Reason("row 1, a row of 3 values is expected, 2 were given")),
        ("too long", rows(json!([[1, 2, 3], [1, 2, 3, 4]])), Same::Reason("row 2, a row of 3 values is expected, 4 were given")),
        ("text", rows(json!([[1, 2, "abc"]])), Same::Reason("column 'c'")),
        ("not nested", rows(json!([1, 2, 3])), Same::Reason("row 1, a row is expected")),
    ] {
        compare(what, &send(&ours, &ask).await, &send(&theirs, &ask).await, &same);
    }
    same_documents(&ours, &theirs).await;
}

#[tokio::test]
async fn a_bad_row_is_null_with_its_reason_and_the_others_have_their_values() {
    let ours = serve(&["--function", "score"]);
    let mut rows = golden(5);
    let fine = send(&ours, &post(data(&rows))).await;
    assert_eq!((fine.header("x-tamis-rejected"), fine.header("x-tamis-reasons")), (None, None));
    rows[1]["amount"] = json!("Ünfug");
    rows[2] = json!(7);
    rows[3].as_object_mut().unwrap().remove("month");
    let answer = send(&ours, &post(data(&rows))).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("x-ms-run-function-failed"), Some("False"));
    assert_eq!(answer.body, json!([fine.body[0], null, null, null, fine.body[4]]));
    assert_eq!(answer.header("x-tamis-rejected"), Some("3"));
    let reasons: Value = serde_json::from_str(answer.header("x-tamis-reasons").unwrap()).unwrap();
    assert_eq!(
        reasons,
        json!([
            { "row": 2, "reason": "column 'amount': float is expected, text 'Ünfug' was given" },
            { "row": 3, "reason": "a row is expected, an object or an array; number was given" },
            { "row": 4, "reason": "column 'month': bigint is expected, no value was given" },
        ])
    );
    // Numbers that come as texts have no value either, until it is asked for.
    let texts = post(data(&[with("amount", json!("121.28"))]));
    assert_eq!(send(&ours, &texts).await.body, json!([null]));
    // 10,000 bad rows: as many reasons as a header can hold, and the count of all.
    let answer = send(&ours, &post(data(&vec![without("amount"); 10_000]))).await;
    assert_eq!((answer.header("x-tamis-rejected"), answer.body.as_array().unwrap().len()), (Some("10000"), 10_000));
    assert!(answer.header("x-tamis-reasons").unwrap().len() <= 4096);
}

#[tokio::test]
async fn the_key_is_asked_for_and_outside_of_this_machine_it_must_be_set() {
    let key = "0123456789abcdef-key";
    let ours = serve(&["--key", key]);
    let rows = post(data(&golden(1)));
    let bearer = |key: &str| rows.clone().header("authorization", &format!("Bearer {key}"));
    for wrong in [
        rows.clone(),
        bearer("0123456789abcdef-kez"),
        bearer(""),
        rows.clone().header("authorization", key),
        rows.clone().header("authorization", "Basic eDp5"),
    ] {
        let answer = send(&ours, &wrong).await;
        assert_eq!((answer.status, answer.header("www-authenticate")), (401, Some("Bearer")));
        assert!(!answer.message().is_empty() && !answer.message().contains(key));
    }
    assert_eq!(send(&ours, &bearer(key)).await.status, 200);
    assert_eq!(send(&ours, &rows.clone().header("authorization", &format!("bearer {key}"))).await.status, 200);
    assert_eq!(send(&ours, &ask("GET", "/")).await.status, 200, "health is shown to everybody");
    assert_eq!(send(&ours, &ask("GET", "/swagger.json")).await.status, 401);
    assert_eq!(send(&serve(&["--key", key, "--open-swagger"]), &ask("GET", "/swagger.json")).await.status, 200);
    assert!(!ours.log().contains(key));
    let refused = tamis(&["serve", "--listen", "0.0.0.0:0"]);
    let message = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success() && message.contains("a key is needed: set TAMIS_KEY"), "{message}");
    assert!(!tamis(&["serve", "--key", "short"]).status.success());
    let unknown = tamis(&["serve", "--function", "guess"]);
    let message = String::from_utf8(unknown.stderr).unwrap();
    assert!(message.contains("there is no function 'guess'; the module has run, score"), "{message}");
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused_and_the_endpoint_goes_on() {
    let ours = serve(&["--max-body", "20000"]);
    let answer = send(&ours, &post(data(&golden(1000)))).await;
    assert_eq!(answer.status, 413);
    assert!(answer.message().contains("larger than 20000 bytes"), "{answer:?}");
    assert_eq!(send(&ours, &post(data(&golden(10)))).await.status, 200);
    // What Stream Analytics sends at most fits the default.
    let rows = golden(10_000);
    let body = data(&[rows.as_slice(), &rows[..3000]].concat());
    assert!((3_500_000..4_500_000).contains(&body.len()), "{}", body.len());
    assert_eq!(send(&serve(&[]), &post(body)).await.status, 200);
}

#[tokio::test]
async fn a_function_that_does_not_end_is_a_timeout_and_health_goes_on() {
    let module = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(module.path(), guests::endless()).unwrap();
    let ours = serve(&[module.path().to_str().unwrap(), "--time-limit", "0.3"]);
    let rows: Vec<Value> = (0..1000).map(|x| json!({ "x": x })).collect();
    let (slow, other) = (post(data(&rows)), post(data(&rows[..3])));
    let (slow, other, health) = tokio::join!(send(&ours, &slow), send(&ours, &other), async { send(&ours, &ask("GET", "/")).await });
    assert_eq!((slow.status, slow.message(), slow.header("x-ms-run-function-failed")), (500, "Scoring timeout after 300 ms", Some("True")));
    assert_eq!(health.status, 200);
    // The other one waited for its turn, or found its rows at fault one by one.
    assert!([200, 500, 503].contains(&other.status), "{other:?}");
}

#[tokio::test]
async fn pages_of_other_sites_do_not_score() {
    let ours = serve(&[]);
    let rows = post(data(&golden(1)));
    assert_eq!(send(&ours, &rows.clone().header("origin", "https://evil.example")).await.status, 403);
    assert_eq!(send(&ours, &rows.clone().header("host", "evil.example")).await.status, 403);
    assert_eq!(send(&ours, &rows.header("origin", &ours.url())).await.status, 200);
}
