//! The doors of a running job: feed, metrics, health, function, who may read; and jobs whose events come from files.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use futures::StreamExt;
use serde_json::Value;
use tamis_tests::golden::{built, root};
use tamis_tests::host::{HUB, Host, SCORED, program, tamis};

/// Transactions as `tamis generate` writes them.
fn transactions(count: usize) -> Vec<String> {
    let output = tamis(&["generate", "--count", &count.to_string(), "--seed", "3", "--quiet"]);
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

async fn send(host: &Host, client: &reqwest::Client, bodies: &[String]) {
    for body in bodies {
        assert_eq!(host.send(client, &format!("/{HUB}/messages?partitionId=1"), body.clone()).await.0, 201);
    }
}

/// The first events of a feed that satisfy `enough`: name, id and data of each.
async fn feed(host: &Host, client: &reqwest::Client, last: Option<&str>, enough: impl Fn(&[Event]) -> bool) -> Vec<Event> {
    let mut request = client.get(format!("{}/feed?rows=1", host.url()));
    if let Some(last) = last {
        request = request.header("last-event-id", last);
    }
    let answer = request.send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let mut chunks = answer.bytes_stream();
    let mut text = String::new();
    let read = async {
        loop {
            let events: Vec<Event> = text.split("\n\n").filter(|part| part.contains("data:")).map(Event::parse).collect();
            if enough(&events) {
                return events;
            }
            text.push_str(std::str::from_utf8(&chunks.next().await.unwrap().unwrap()).unwrap());
        }
    };
    tokio::time::timeout(Duration::from_secs(30), read).await.unwrap()
}

#[derive(Debug, Clone)]
struct Event {
    name: String,
    id: String,
    data: String,
}

impl Event {
    fn parse(text: &str) -> Self {
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim().to_owned();
        Self { name: field("event:"), id: field("id:"), data: field("data:") }
    }
}

fn rows(events: &[Event]) -> Vec<&Event> {
    events.iter().filter(|event| event.name == "rows").collect()
}

#[tokio::test]
async fn a_reader_of_the_feed_goes_on_where_it_stopped() {
    let data = tempfile::tempdir().unwrap();
    let host = Host::start(data.path());
    let client = reqwest::Client::new();
    let bodies = transactions(60);
    send(&host, &client, &bodies[..30]).await;
    host.wait_for_documents(SCORED, 30);
    let first = feed(&host, &client, Some("0"), |events| rows(events).len() >= 30).await;
    let last = rows(&first)[19].id.clone();
    send(&host, &client, &bodies[30..]).await;
    let rest = feed(&host, &client, Some(&last), |events| rows(events).len() >= 40).await;
    let id = |event: &&Event| serde_json::from_str::<Value>(&event.data).unwrap()["row"]["id"].as_i64().unwrap();
    let seen: Vec<i64> = rows(&first)[..20].iter().map(id).chain(rows(&rest)[..40].iter().map(id)).collect();
    let sent: Vec<i64> = bodies.iter().map(|body| serde_json::from_str::<Value>(body).unwrap()["id"].as_i64().unwrap()).collect();
    assert_eq!(seen, sent, "each row once, in order");
    // A number that was never given out: the reader is told.
    let unknown = feed(&host, &client, Some("999999"), |events| rows(events).len() >= 60).await;
    assert!(unknown.iter().any(|event| event.name == "gap"), "{unknown:?}");
}

#[tokio::test]
async fn metrics_and_health_tell_what_happened() {
    let data = tempfile::tempdir().unwrap();
    let host = Host::start(data.path());
    let client = reqwest::Client::new();
    send(&host, &client, &transactions(25)).await;
    send(&host, &client, &["broken".to_owned()]).await;
    host.wait_for_documents(SCORED, 25);
    let start = Instant::now();
    let metric = |text: &str, name: &str| -> f64 {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name} in:\n{text}")).parse().unwrap()
    };
    let text = loop {
        let text = client.get(format!("{}/metrics", host.url())).send().await.unwrap().text().await.unwrap();
        if metric(&text, "Errors") == 1.0 {
            break text;
        }
        assert!(start.elapsed() < Duration::from_secs(20), "{text}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(metric(&text, "InputEvents"), 26.0);
    assert_eq!(metric(&text, "DeserializationError"), 1.0);
    assert_eq!(metric(&text, "AMLCalloutInputEvents"), 50.0, "two functions, 25 rows each");
    assert_eq!(metric(&text, "AMLCalloutFailedRequests"), 0.0);
    assert!(metric(&text, "OutputEvents") >= 50.0, "store and page");
    assert!(metric(&text, "InputEventBytes") > 25.0 * 200.0);
    for name in ["OutputWatermarkDelaySeconds", "InputEventsSourcesBacklogged", "ConversionErrors", "DroppedOrAdjustedEvents"] {
        metric(&text, name);
    }
    let health = host.json(&client, "/health").await;
    assert_eq!((&health["status"], &health["job"]), (&Value::from("running"), &Value::from("fraud")));
    let function = client.get(format!("{}/function.wasm", host.url())).send().await.unwrap();
    assert_eq!(function.headers()["content-type"], "application/wasm");
    assert_eq!(function.bytes().await.unwrap(), built("tamis_udf.wasm"));
}

#[tokio::test]
async fn with_a_token_nobody_reads_without_it_and_senders_need_a_key() {
    let data = tempfile::tempdir().unwrap();
    let token = "a-token-of-some-length";
    let mut process = Command::new(program())
        .args(["run", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(data.path())
        .env("TAMIS_TOKEN", token)
        .env("TAMIS_ACCESS_KEYS", "send=c2VjcmV0LWtleQ==")
        .env("RUST_LOG", "tamis=info")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = std::io::BufReader::new(process.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("Job runs") {
        line.clear();
        assert!(std::io::BufRead::read_line(&mut log, &mut line).unwrap() > 0, "the host ended");
        assert!(!line.contains(token) && !line.contains("c2VjcmV0"), "{line}");
    }
    let url = line.split("http://").nth(1).unwrap().split('/').next().unwrap();
    let url = format!("http://{url}");
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    for path in ["/", "/feed", "/metrics", "/api/documents", "/function.wasm"] {
        let answer = client.get(format!("{url}{path}")).send().await.unwrap();
        assert_eq!(answer.status(), 401, "{path}");
        assert!(!answer.text().await.unwrap().contains(token));
        assert_eq!(client.get(format!("{url}{path}")).bearer_auth("a-token-of-some-lengtH").send().await.unwrap().status(), 401, "{path}");
        assert_eq!(client.get(format!("{url}{path}")).bearer_auth(token).send().await.unwrap().status(), 200, "{path}");
    }
    let answer = client.get(format!("{url}/?token={token}")).send().await.unwrap();
    assert_eq!(answer.status(), 303);
    let cookie = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    let cookie = cookie.split(';').next().unwrap();
    assert_eq!(client.get(format!("{url}/metrics")).header("cookie", cookie).send().await.unwrap().status(), 200);
    assert_eq!(client.get(format!("{url}/health")).send().await.unwrap().status(), 200, "probes carry no token");
    let events = format!("{url}/{HUB}/messages");
    assert_eq!(client.post(&events).bearer_auth("any").body("{}").send().await.unwrap().status(), 401);
    let connection = format!("Endpoint={url};SharedAccessKeyName=send;SharedAccessKey=c2VjcmV0LWtleQ==");
    let sent = Command::new(program())
        .args(["generate", "--count", "5", "--seed", "1"])
        .env("TAMIS_CONNECTION_STRING", connection)
        .output()
        .unwrap();
    assert!(sent.status.success(), "{}", String::from_utf8_lossy(&sent.stderr));
    process.kill().unwrap();
    process.wait().unwrap();
}

/// A project whose input is a file and whose outputs are files.
fn files_project(dir: &Path, format: &str, file: &str) {
    let write = |path: &str, text: &str| {
        let path = dir.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write(
        "asaproj.json",
        r#"{"name": "files", "startFile": "files.asaql", "configurations": [
            {"filePath": "JobConfig.json", "subType": "JobConfig"}, {"filePath": "Inputs/payments.json", "subType": "Input"},
            {"filePath": "Outputs/scored.json", "subType": "Output"}, {"filePath": "Outputs/counts.json", "subType": "Output"},
            {"filePath": "Functions/score.json", "subType": "MLFunction"}]}"#,
    );
    write("JobConfig.json", r#"{"CompatibilityLevel": "1.2"}"#);
    let cast = if format == "Csv" {
        "SELECT CAST(id AS bigint) AS id, CAST(amount AS float) AS amount, CAST(old_balance AS float) AS old_balance, \
         CAST(income AS float) AS income, CAST(credit AS bigint) AS credit, CAST(marital_status AS bigint) AS marital_status, \
         CAST(children AS bigint) AS children, CAST(month AS bigint) AS month, day_of_week, category_recipient, \
         transaction_type, transaction_method, CAST(foreign_transaction AS bigint) AS foreign_transaction FROM payments"
    } else {
        "SELECT * FROM payments"
    };
    write(
        "files.asaql",
        &format!(
            "WITH d AS ({cast})\nSELECT id, udf.score(d) AS score INTO scored FROM d\n\
             SELECT category_recipient, COUNT(*) AS n INTO counts FROM d GROUP BY category_recipient, TumblingWindow(hour, 1)"
        ),
    );
    write("Inputs/payments.json", r#"{"Name": "payments", "DataSourceType": "Event Hub", "Serialization": {"Type": "Json"}}"#);
    let local = format!(r#"{{"Name": "payments", "FilePath": "{file}", "Format": "{format}"}}"#);
    write("Inputs/Local_payments.json", &local);
    for output in ["scored", "counts"] {
        write(&format!("Outputs/{output}.json"), &format!(r#"{{"Name": "{output}", "DataSourceType": "Blob Storage"}}"#));
        let local = format!(r#"{{"Name": "{output}", "DataSourceType": "JSON Lines", "FilePath": "{output}.jsonl"}}"#);
        write(&format!("Outputs/Local_{output}.json"), &local);
    }
    write("Functions/score.json", r#"{"Name": "score", "ScriptType": "MLFunction"}"#);
    write("Functions/Local_score.json", r#"{"Name": "score", "FilePath": "builtin:tamis_udf.wasm", "Function": "score"}"#);
}

fn json_lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_job_over_files_ends_by_itself_with_every_row_written() {
    let lines = transactions(500);
    let events: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    for format in ["Json", "Csv"] {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(format!("Inputs/events.{}", format.to_lowercase()));
        files_project(dir.path(), format, file.file_name().unwrap().to_str().unwrap());
        let text = if format == "Json" { lines.join("\n") } else { csv(&events) };
        std::fs::write(&file, text).unwrap();
        let data = dir.path().join("data");
        for round in 0..2 {
            let output = tamis(&["run", dir.path().to_str().unwrap(), "--listen", "127.0.0.1:0", "--data-dir", data.to_str().unwrap()]);
            assert!(output.status.success(), "{format}: {}", String::from_utf8_lossy(&output.stderr));
            let scored = json_lines(&data.join("scored.jsonl"));
            let ids: Vec<&Value> = scored.iter().map(|row| &row["id"]).collect();
            assert_eq!(
                ids,
                events.iter().map(|event| &event["id"]).collect::<Vec<_>>(),
                "{format}, round {round}: the second adds nothing"
            );
            assert!(scored.iter().all(|row| row["score"].is_f64()), "{format}");
            let counts = json_lines(&data.join("counts.jsonl"));
            assert_eq!(counts.iter().map(|row| row["n"].as_i64().unwrap()).sum::<i64>(), 500, "{format}: {counts:?}");
        }
    }
}

fn csv(events: &[Value]) -> String {
    let names: Vec<&String> = events[0].as_object().unwrap().keys().collect();
    let mut text = names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(",");
    for event in events {
        let values: Vec<String> = names
            .iter()
            .map(|name| event[name.as_str()].as_str().map_or_else(|| event[name.as_str()].to_string(), str::to_owned))
            .collect();
        text.push('\n');
        text.push_str(&values.join(","));
    }
    text
}

#[test]
fn tamis_score_gives_the_golden_scores() {
    let golden = root().join("model/fraud/golden.csv");
    let output = tamis(&["score", golden.to_str().unwrap()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let mut reader = csv::Reader::from_path(&golden).unwrap();
    let place = reader.headers().unwrap().iter().position(|name| name == "score").unwrap();
    let expected: Vec<f64> = reader.records().map(|record| record.unwrap()[place].parse().unwrap()).collect();
    // The file has a column `score` of its own; the one that was computed comes last.
    let computed: Vec<f64> = text.lines().map(|line| line.rsplit(':').next().unwrap().trim_end_matches('}').parse().unwrap()).collect();
    assert_eq!(computed.len(), expected.len());
    let worst = computed.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(worst <= 1e-6, "{worst}");
}
