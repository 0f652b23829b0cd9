//! Programs written for Event Hubs' REST send to the host unchanged: each makes its tokens and escapes in its own way.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tamis_tests::events::golden_events;
use tamis_tests::golden::root;
use tamis_tests::host::{HUB, Host, SCORED};

const KEY: &str = "c2VjcmV0LWtleS1mb3Itc2VuZGVycw==";

/// What a sender prints: the status of each request.
fn run(program: &[&str], script: &str, host: &Host, key: &str, events: &[String]) -> Vec<String> {
    let mut command = Command::new(program[0]);
    command.args(&program[1..]).arg(root().join("tests/peers/senders").join(script)).args([&host.url(), HUB, "send", key]);
    let mut sender = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    sender.stdin.take().unwrap().write_all(format!("{}\n", events.join("\n")).as_bytes()).unwrap();
    let output = sender.wait_with_output().unwrap();
    assert!(output.status.success(), "{script}: {}", output.status);
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn senders_written_for_event_hubs_send_here_unchanged() {
    let (events, _) = golden_events(60);
    let data = tempfile::tempdir().unwrap();
    let access = format!("send={KEY}");
    let mut host = Host::start_with(data.path(), None, &[("TAMIS_ACCESS_KEYS", &access)]);
    let node = run(&["node"], "send.mjs", &host, KEY, &events[..20]);
    let wanted = ["201 messages 0", "201 partitions/2/messages 0", "201 publishers/device-7/messages 0", "201 messages 0"];
    assert_eq!(node, wanted);
    let python = run(&["python3"], "send.py", &host, KEY, &events[20..50]);
    assert_eq!(python, ["201 messages?timeout=60&api-version=2014-01 0", "201 messages 0"]);
    let bash = run(&["bash"], "send.sh", &host, KEY, &events[50..]);
    assert_eq!(bash, vec!["201 messages 0"; 10]);
    let documents = host.wait_for_documents(SCORED, 60);
    let mut ids: Vec<u64> = documents.iter().map(|document| document["id"].as_u64().unwrap()).collect();
    ids.sort_unstable();
    assert_eq!(ids, (0..60).collect::<Vec<_>>());

    // The same senders with another key get in nowhere.
    for (program, script) in [("node", "send.mjs"), ("python3", "send.py"), ("bash", "send.sh")] {
        let refused = run(&[program], script, &host, "b3RoZXI=", &events[..5]);
        assert!(!refused.is_empty() && refused.iter().all(|line| line.starts_with("401 ")), "{script}: {refused:?}");
    }
    let client = reqwest::Client::new();
    assert_eq!(host.json(&client, "/api/dead-letters").await, json!([]));
    assert!(host.interrupt(), "{}", host.log());
    assert_eq!(host.documents(SCORED).len(), 60);
    assert!(!host.log().contains(KEY));
}

/// What the sender said of itself is on the event: a job may read it.
#[tokio::test]
async fn a_query_reads_what_senders_say_beside_the_body() {
    let data = tempfile::tempdir().unwrap();
    let project = tamis_tests::cosmos::Project::plain().replace(
        "fraud.asaql",
        "SELECT * INTO outputHistory FROM inputHistory",
        "SELECT id, GetMetadataPropertyValue(inputHistory, '[User].[Alert]') AS alert, \
         GetMetadataPropertyValue(inputHistory, '[EventHub].[PartitionKey]') AS device INTO outputHistory FROM inputHistory",
    );
    let host = Host::start_project(data.path(), Some(&project.path()));
    let client = reqwest::Client::new();
    let single = client.post(format!("{}/eventhubspark/messages", host.url())).header("Alert", "\"Strong Wind\"");
    let single = single.header("BrokerProperties", r#"{"PartitionKey": "device 7"}"#).body("{\"id\": 1}");
    assert_eq!(single.send().await.unwrap().status(), 201);
    let batch = json!([{ "Body": "{\"id\": 2}", "UserProperties": { "Alert": 5 } }, { "Body": "{\"id\": 3}" }]);
    let batch = client.post(format!("{}/eventhubspark/messages", host.url())).body(batch.to_string());
    assert_eq!(batch.header("content-type", "application/vnd.microsoft.servicebus.json").send().await.unwrap().status(), 201);
    let mut rows: Vec<Value> = host.wait_for_documents("outputHistory", 3);
    rows.sort_by_key(|row| row["id"].as_u64());
    let said: Vec<(&Value, &Value)> = rows.iter().map(|row| (&row["alert"], &row["device"])).collect();
    assert_eq!(said, [(&json!("Strong Wind"), &json!("device 7")), (&json!("5"), &Value::Null), (&Value::Null, &Value::Null)]);
}
