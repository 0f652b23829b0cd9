//! Dead letters in the real program: a function that misbehaves rejects rows and harms no other, `tamis dead-letters` tells all
//! of them, and after a fix they are sent again: while the host runs and while it does not.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::Path;
use std::process::Output;
use std::time::Instant;

use serde_json::{Value, json};
use tamis_tests::crash::until;
use tamis_tests::host::{Host, PATIENCE, tamis};
use tamis_tests::hostile::{Guest, LOOP, signature, when};
use tamis_tests::small::{SMALL_HUB, Small};

const QUERY: &str = "WITH Rows AS (SELECT id, x FROM events) SELECT id, udf.f(Rows) AS y INTO answers FROM Rows";

/// Misdeeds by the row's `x`, with the reason that each has.
const DEEDS: [(f64, &str, &str); 6] = [
    (-1.0, "unreachable", "the function trapped: wasm trap: wasm `unreachable` instruction executed"),
    (-2.0, "(drop (call $deep (i32.const 0)))", "the function trapped: its calls are nested too deeply"),
    (-3.0, "(local.set $y (f64.const nan))", "the function's result is NaN"),
    (-4.0, "(call $secret)", "the function trapped: unknown import: `env::secret` has not been defined"),
    (
        -5.0,
        "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) unreachable",
        "the function trapped: wasm trap: wasm `unreachable` instruction executed",
    ),
    (-6.0, LOOP, "the function took longer than its deadline of 1s"),
];

fn hostile() -> Vec<u8> {
    let guest = Guest::new().put("imports", r#"(import "env" "secret" (func $secret))"#);
    DEEDS.iter().fold(guest, |guest, (x, deed, _)| guest.put("row", &when(*x, deed))).wasm()
}

fn harmless() -> Vec<u8> {
    let mut says = signature();
    says["model"]["version"] = json!("2");
    Guest::new().signature(&says).wasm()
}

fn dead_letters(data: &Path, arguments: &[&str]) -> Output {
    tamis(&[&["dead-letters"], arguments, &["--data-dir", data.to_str().unwrap()]].concat())
}

/// Standard output of a command that must go well.
fn said(data: &Path, arguments: &[&str]) -> String {
    let output = dead_letters(data, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn list(data: &Path, arguments: &[&str]) -> Vec<Value> {
    said(data, &[&["list"], arguments].concat()).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

async fn send(host: &Host, partition: u32, body: Vec<u8>) {
    let client = reqwest::Client::new();
    let path = format!("/{SMALL_HUB}/partitions/{partition}/messages");
    assert_eq!(host.send(&client, &path, body).await.0, 201);
}

fn event(id: usize, x: f64) -> Vec<u8> {
    json!({ "id": id, "x": x }).to_string().into_bytes()
}

fn answers(host: &Host) -> Vec<(u64, f64)> {
    let mut answers: Vec<_> =
        host.documents("answers").iter().map(|answer| (answer["id"].as_u64().unwrap(), answer["y"].as_f64().unwrap())).collect();
    answers.sort_by_key(|(id, _)| *id);
    answers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hostile_function_harms_only_its_rows_and_after_a_fix_they_are_sent_again_through_the_door() {
    let small = Small::new(QUERY, &["answers"]).function(&hostile());
    let mut host = Host::start_project(&small.data(), Some(&small.path()));
    let data = small.data();
    for id in 0..30 {
        let x = DEEDS.get(id / 4).filter(|_| id % 4 == 1).map_or(id as f64, |(x, ..)| *x);
        send(&host, 0, event(id, x)).await;
        send(&host, 1, event(100 + id, 0.5)).await;
    }
    // No JSON, no text; with properties and a key.
    let client = reqwest::Client::new();
    let request = client.post(format!("{}/{SMALL_HUB}/messages", host.url())).header("kind", "\"odd one\"");
    let request = request.header("BrokerProperties", r#"{"PartitionKey": "key"}"#).body(b"\xff\xfe\x00".to_vec());
    assert_eq!(request.send().await.unwrap().status(), 201);
    until("the answers", &host, async || answers(&host).len() == 54).await;
    until("the dead letters", &host, async || list(&data, &[]).len() == 7).await;
    let good: Vec<_> =
        (0..30).filter(|id| id % 4 != 1 || *id > 22).map(|id| (id, id as f64)).chain((100..130).map(|id| (id, 0.5))).collect();
    assert_eq!(answers(&host), good);

    let letters = list(&data, &["--step", "UDF.f"]);
    assert_eq!(letters.len(), DEEDS.len());
    for (number, (x, _, reason)) in DEEDS.iter().enumerate() {
        let id = number * 4 + 1;
        let letter = letters.iter().find(|letter| letter["offset"] == id).unwrap_or_else(|| panic!("{id}: {letters:#?}"));
        assert_eq!(letter["reason"], *reason, "{letter}");
        assert_eq!((&letter["input"], &letter["partition"], &letter["step"]), (&json!("events"), &json!(0), &json!("udf.f")));
        assert_eq!(letter["body"], Value::from(String::from_utf8(event(id, *x)).unwrap()));
        assert!(letter["model"].as_str().unwrap().starts_with("hostile 1 "), "{letter}");
        assert!(letter["time"].as_str() <= letter["recorded"].as_str() && letter["replayed"].is_null(), "{letter}");
    }
    let [odd] = list(&data, &["--step", "decode"]).try_into().unwrap();
    assert_eq!((&odd["body_base64"], &odd["key"], &odd["properties"]), (&json!("//4A"), &json!("key"), &json!({ "kind": "odd one" })));
    assert_eq!(dead_letters(&data, &["show", &odd["id"].to_string(), "--body"]).stdout, b"\xff\xfe\x00");
    assert_eq!(serde_json::from_str::<Value>(&said(&data, &["show", &odd["id"].to_string()])).unwrap(), odd);
    assert_eq!(list(&data, &["--limit", "2"]).len(), 2);
    assert_eq!(list(&data, &["--since", "1h"]).len(), 7);
    assert_eq!(list(&data, &["--since", "2099-01-01T00:00:00Z"]).len(), 0);
    assert_eq!(list(&data, &["--input", "other"]).len(), 0);
    let wrong = dead_letters(&data, &["list", "--since", "yesterday"]);
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("90s, 10m, 2h, 3d"));
    let open = async |host: &Host| {
        let metrics = client.get(format!("{}/metrics", host.url())).send().await.unwrap().text().await.unwrap();
        metrics.lines().find_map(|line| line.strip_prefix("DeadLettersOpen ")?.parse::<f64>().ok()).unwrap()
    };
    until("the metric", &host, async || open(&host).await == 7.0).await;

    // The fix: another version of the function, while the job runs.
    small.write("fixed.wasm", &harmless());
    let fixed = small.path().join("fixed.wasm");
    let added = tamis(&["models", "add", fixed.to_str().unwrap(), "--promote", "--data-dir", data.to_str().unwrap()]);
    assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
    assert!(String::from_utf8_lossy(&dead_letters(&data, &["replay"]).stderr).contains("which ones?"));
    let told = said(&data, &["replay", "--step", "udf.f"]);
    assert!(told.ends_with("6 sent again, 0 that cannot be\n"), "{told}");
    until("the answers", &host, async || answers(&host).len() == 60).await;
    for (number, (x, ..)) in DEEDS.iter().enumerate() {
        assert!(answers(&host).contains(&((number * 4 + 1) as u64, *x)), "{:?}", answers(&host));
    }
    assert_eq!(list(&data, &["--step", "udf.f"]).len(), 0, "what was sent again is no longer open");
    let closed = list(&data, &["--step", "udf.f", "--replayed"]);
    assert!(closed.len() == 6 && closed.iter().all(|letter| letter["replayed"].is_string()), "{closed:#?}");
    let id = closed[0]["id"].to_string();
    assert!(said(&data, &["replay", &id]).starts_with(&format!("{id}: was sent before")));
    until("the metric", &host, async || open(&host).await == 1.0).await;
    let page = host.json(&client, "/health").await;
    assert_eq!(page["status"], "running");

    // What is still wrong is a new dead letter, with all that came with the event.
    let id = odd["id"].to_string();
    assert!(said(&data, &["replay", &id]).contains("sent again"));
    until("another dead letter", &host, async || {
        list(&data, &["--step", "decode"]).first().is_some_and(|letter| letter["id"] != odd["id"])
    })
    .await;
    let [again] = list(&data, &["--step", "decode"]).try_into().unwrap();
    for field in ["body_base64", "key", "properties", "partition", "input", "reason"] {
        assert_eq!(again[field], odd[field], "{field}");
    }
    assert!(again["offset"].as_u64() > odd["offset"].as_u64());
    // The same by HTTP.
    let replay = format!("{}/api/dead-letters/{}/replay", host.url(), again["id"]);
    assert_eq!(client.post(&replay).send().await.unwrap().json::<Value>().await.unwrap(), json!({ "sent": true, "marked": 1 }));
    assert_eq!(client.post(&replay).send().await.unwrap().status(), 409);
    assert!(host.interrupt(), "{}", host.log());
    assert!(!host.log().contains("panicked"), "{}", host.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_no_host_runs_events_are_sent_again_into_the_log_and_what_cannot_be_is_said() {
    let small = Small::new(QUERY, &["answers"]).function(&hostile());
    let data = small.data();
    let mut host = Host::start_project(&data, Some(&small.path()));
    for id in 0..10 {
        send(&host, 1, event(id, if id == 4 { -1.0 } else { 1.0 })).await;
    }
    until("the dead letter", &host, async || list(&data, &[]).len() == 1 && answers(&host).len() == 9).await;
    host.kill();
    // A row that an output refused, and one that a window made, as the host notes them.
    let store = rusqlite::Connection::open(data.join("documents.db")).unwrap();
    for (step, offset) in [("output answers", Some(3)), ("sums", None)] {
        let values = (offset, step);
        store
            .execute("INSERT INTO dead_letters (input, partition, offset, time, recorded, step, reason, model, body) VALUES ('', 1, ?1, 1, 1, ?2, 'why', '', CAST('{}' AS BLOB))", values)
            .unwrap();
    }
    drop(store);
    let told = said(&data, &["replay", "--all"]);
    assert!(told.contains("1: sent again\n"), "{told}");
    assert!(told.contains("2: not sent: output 'answers' refused the row; what is kept is the row, not the event."), "{told}");
    assert!(told.contains("3: not sent: a window or a join made the row"), "{told}");
    assert!(told.ends_with("1 sent again, 2 that cannot be\n"), "{told}");
    assert!(!dead_letters(&data, &["replay", "2", "77"]).status.success());
    small.write("Functions/f.wasm", &harmless());
    host.start_again();
    until("the answer", &host, async || answers(&host).len() == 10).await;
    assert!(answers(&host).contains(&(4, -1.0)), "{:?}", answers(&host));
    assert_eq!(list(&data, &[]).len(), 2);
    let nowhere = tempfile::tempdir().unwrap();
    let error = dead_letters(nowhere.path(), &["list"]);
    assert!(String::from_utf8_lossy(&error.stderr).contains("Start the job with `tamis run` first"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_function_that_always_loops_keeps_no_partition_from_going_on() {
    // Nothing but loops in partition 0; partition 1 has good rows, and each is answered although every batch waits.
    let small = Small::new(QUERY, &["answers"]).function(&hostile());
    let host = Host::start_project(&small.data(), Some(&small.path()));
    let started = Instant::now();
    for id in 0..3 {
        send(&host, 0, event(id, -6.0)).await;
        send(&host, 1, event(10 + id, 1.0)).await;
    }
    until("the answers", &host, async || answers(&host).len() == 3).await;
    until("the dead letters", &host, async || list(&small.data(), &[]).len() == 3).await;
    assert!(started.elapsed() < PATIENCE / 2, "{:?}", started.elapsed());
}
