//! The real program writes to a Cosmos DB server, and what it wrote is read with the official client.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};
use tamis_tests::cosmos::{Cosmos, KEY, Project};
use tamis_tests::events::golden_events;
use tamis_tests::host::{HUB, Host, PATIENCE};

const LOGIN: [(&str, &str); 1] = [("TAMIS_COSMOS_KEY", KEY)];

fn start(project: &Project) -> Host {
    Host::start_with(&project.data(), Some(&project.path()), &LOGIN)
}

/// Sends events, several at a time.
async fn send(host: &Host, events: &[String]) {
    let address = format!("{}/{HUB}/messages", host.url());
    let events: Arc<[String]> = events.to_vec().into();
    let next = Arc::new(AtomicUsize::new(0));
    let senders = (0..4).map(|_| {
        let (address, events, next) = (address.clone(), Arc::clone(&events), Arc::clone(&next));
        tokio::spawn(async move {
            let client = reqwest::Client::new();
            loop {
                let Some(body) = events.get(next.fetch_add(1, Ordering::SeqCst)) else { return };
                let accepted = client.post(&address).bearer_auth("any").body(body.clone()).send().await.unwrap();
                assert_eq!(accepted.status(), 201);
            }
        })
    });
    join_all(senders).await.into_iter().for_each(Result::unwrap);
}

/// Waits for a condition.
async fn until(what: &str, host: &Host, mut condition: impl AsyncFnMut() -> bool) {
    let start = std::time::Instant::now();
    while !condition().await {
        assert!(start.elapsed() < PATIENCE, "{what} did not come:\n{}", host.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Every event is there once, with its score to the last bit.
fn assert_scored(documents: &[Value], column: &str, scores: &[f64]) {
    let mut found: HashMap<u64, usize> = HashMap::new();
    for document in documents {
        let id = document[column].as_u64().or_else(|| document[column].as_str().and_then(|id| id.parse().ok())).unwrap();
        *found.entry(id).or_default() += 1;
        let expected = scores[usize::try_from(id).unwrap()];
        assert_eq!(document["score"].as_f64().unwrap().to_bits(), expected.to_bits(), "event {id}");
        assert_eq!(document["prediction"], i64::from(expected >= 0.5), "event {id}");
    }
    let twice: Vec<_> = found.iter().filter(|(_, count)| **count != 1).collect();
    assert!(twice.is_empty(), "events with several documents: {twice:?}");
    let lost: Vec<_> = (0..scores.len() as u64).filter(|id| !found.contains_key(id)).collect();
    assert!(lost.is_empty(), "events without a document: {lost:?}");
}

/// The key is nowhere that a person or a program looks.
async fn assert_key_is_hidden(host: &Host, client: &reqwest::Client) {
    let mut text = host.log();
    for page in ["/metrics", "/health", "/api/dead-letters"] {
        text.push_str(&client.get(format!("{}{page}", host.url())).send().await.unwrap().text().await.unwrap());
    }
    assert!(!text.contains(KEY) && !text.contains("never-print-this-key"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_event_is_one_document_after_kills_and_faults_of_every_kind() {
    const EVENTS: usize = 3000;
    const KINDS: [&str; 6] = ["throttle", "busy", "cut", "lost", "half", "slow"];
    let (events, scores) = golden_events(EVENTS);
    let cosmos = Cosmos::start();
    cosmos.make("scored", "/day_of_week", None);
    // No column `id`: the documents' ids are ours, and only they can tell that a row comes again.
    let project = Project::new(&cosmos.door, "scored", &json!({ "AuthenticationMode": "ConnectionString" }))
        .statement("SELECT id AS transaction, day_of_week, prediction, score INTO outputCosmosDB FROM Scored");
    let mut host = start(&project);
    cosmos.disturb(3, &KINDS, 500).await;
    for part in events.chunks(EVENTS / 3) {
        send(&host, part).await;
        // Killed while writes are on their way.
        let writes = cosmos.seen().await["writes"].as_u64().unwrap();
        until("another write", &host, async || cosmos.seen().await["writes"].as_u64().unwrap() > writes).await;
        host.kill_and_start();
    }
    cosmos.wait_for("scored", EVENTS);
    let client = reqwest::Client::new();
    until("the end of waiting", &host, async || host.json(&client, "/health").await["status"] == "running").await;
    assert!(host.interrupt(), "{}", host.log());
    assert_scored(&cosmos.documents("scored"), "transaction", &scores);
    let seen = cosmos.seen().await;
    for kind in KINDS {
        assert!(seen["met"][kind].as_u64().is_some_and(|met| met > 0), "no write met the fault '{kind}': {seen}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn documents_have_the_rows_own_ids_and_are_read_back_in_a_stable_order() {
    const EVENTS: usize = 500;
    let (events, scores) = golden_events(EVENTS);
    let cosmos = Cosmos::start();
    cosmos.make("own", "/day_of_week", None);
    // The key stands in the file here.
    let project = Project::new(&cosmos.door, "own", &json!({ "AccountKey": KEY }));
    let mut host = Host::start_with(&project.data(), Some(&project.path()), &[]);
    send(&host, &events).await;
    // The same events again overwrite themselves.
    send(&host, &events[..100]).await;
    cosmos.wait_for("own", EVENTS);
    let client = reqwest::Client::new();
    assert_key_is_hidden(&host, &client).await;
    assert!(host.interrupt(), "{}", host.log());

    let official = cosmos.documents("own");
    assert_scored(&official, "id", &scores);
    assert!(official.iter().all(|document| document["id"].is_string()), "ids are text");
    let printed = project.documents();
    assert_scored(&printed, "id", &scores);
    assert_eq!(printed, project.documents(), "the order is stable");
    let ids: Vec<&str> = printed.iter().map(|document| document["id"].as_str().unwrap()).collect();
    assert!(ids.is_sorted(), "{ids:?}");
    let first = &printed[0];
    assert_eq!(first["_output"], "outputCosmosDB");
    assert_eq!(first["_key"], format!("{}/0", first["day_of_week"].as_str().unwrap()));
    assert_eq!(first.get("_rid"), None, "what the service adds is left out");
    // As it was sent, to the last field.
    let known = official.iter().find(|document| document["id"] == "0").unwrap();
    for (name, value) in first.as_object().unwrap().iter().filter(|(name, _)| !name.starts_with('_')) {
        assert_eq!(known[name], *value, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_429_and_an_account_that_is_down_are_waited_out() {
    const EVENTS: usize = 200;
    let (events, scores) = golden_events(EVENTS);
    let cosmos = Cosmos::start();
    cosmos.make("storm", "/day_of_week", None);
    let project = Project::new(&cosmos.door, "storm", &json!({ "AuthenticationMode": "ConnectionString" }));
    let mut host = start(&project);
    let client = reqwest::Client::new();
    for kind in ["throttle", "busy", "cut"] {
        // Nothing at all passes.
        cosmos.disturb(1, &[kind], 500).await;
        send(&host, &events).await;
        until("being behind", &host, async || host.json(&client, "/health").await["status"] == "behind").await;
        let health = host.json(&client, "/health").await;
        assert!(health["reason"].as_str().unwrap().contains("outputCosmosDB"), "{health}");
        cosmos.disturb(0, &[], 0).await;
        until("running again", &host, async || host.json(&client, "/health").await["status"] == "running").await;
    }
    assert_scored(&cosmos.wait_for("storm", EVENTS), "id", &scores);
    assert_eq!(host.json(&client, "/api/dead-letters").await, json!([]), "nothing is given up");
    assert_key_is_hidden(&host, &client).await;
    assert!(host.interrupt(), "{}", host.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_that_is_refused_stops_the_job_and_the_next_start_goes_on() {
    let (events, scores) = golden_events(50);
    let cosmos = Cosmos::start();
    cosmos.make("login", "/day_of_week", None);
    let project = Project::new(&cosmos.door, "login", &json!({ "AuthenticationMode": "ConnectionString" }));
    for status in [401, 403, 404] {
        let mut host = start(&project);
        cosmos.disturb(1, &["refuse"], status).await;
        // The host ends at the first write, so only one event is sure to be accepted.
        assert_eq!(host.send(&reqwest::Client::new(), &format!("/{HUB}/messages"), events[0].clone()).await.0, 201);
        let log = host.ended();
        assert!(log.contains("output 'outputCosmosDB'") && log.contains(&status.to_string()) && log.contains("started again"), "{log}");
        assert!(!log.contains(KEY), "{log}");
        cosmos.disturb(0, &[], 0).await;
    }
    let host = start(&project);
    send(&host, &events).await;
    assert_scored(&cosmos.wait_for("login", 50), "id", &scores);
}

/// Two events with the same `amount`, which must be unique in the container.
fn rivals() -> (Vec<String>, Vec<f64>) {
    let (mut events, scores) = golden_events(20);
    let amount = |event: &str| event.split("'amount': ").nth(1).unwrap().split(',').next().unwrap().to_owned();
    let (first, second) = (amount(&events[3]), amount(&events[4]));
    events[4] = events[4].replace(&format!("'amount': {second},"), &format!("'amount': {first},"));
    (events, scores)
}

const RIVALS: &str = "SELECT id, 'all' AS day_of_week, amount INTO outputCosmosDB FROM Scored";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_document_that_the_server_refuses_is_a_dead_letter_under_drop() {
    let (events, _) = rivals();
    let cosmos = Cosmos::start();
    cosmos.make("drop", "/day_of_week", Some("/amount"));
    let project = Project::new(&cosmos.door, "drop", &json!({ "AuthenticationMode": "ConnectionString" })).statement(RIVALS).replace(
        "JobConfig.json",
        "\"OutputErrorPolicy\": \"Retry\"",
        "\"OutputErrorPolicy\": \"Drop\"",
    );
    let host = start(&project);
    send(&host, &events).await;
    cosmos.wait_for("drop", 19);
    let client = reqwest::Client::new();
    until("the dead letter", &host, async || host.json(&client, "/api/dead-letters").await != json!([])).await;
    let letters = host.json(&client, "/api/dead-letters").await;
    assert_eq!(letters.as_array().unwrap().len(), 1, "{letters}");
    let text = letters[0].to_string();
    assert!(text.contains("output outputCosmosDB") && text.contains("409") && text.contains("amount"), "{text}");
    let body: Value = serde_json::from_str(letters[0]["body"].as_str().unwrap()).unwrap();
    assert!(body["id"] == 3 || body["id"] == 4, "the row itself is kept: {body}");
    assert_eq!(cosmos.documents("drop").len(), 19);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_document_that_the_server_refuses_waits_under_retry_until_the_server_takes_it() {
    let (events, _) = rivals();
    let cosmos = Cosmos::start();
    cosmos.make("retry", "/day_of_week", Some("/amount"));
    let project = Project::new(&cosmos.door, "retry", &json!({ "AuthenticationMode": "ConnectionString" })).statement(RIVALS);
    let host = start(&project);
    send(&host, &events).await;
    let client = reqwest::Client::new();
    until("being behind", &host, async || host.json(&client, "/health").await["status"] == "behind").await;
    // It is said by name; what comes after it waits, too.
    let health = host.json(&client, "/health").await.to_string();
    assert!(health.contains("refuses document") && health.contains("partition key 'all'"), "{health}");
    assert_eq!(host.json(&client, "/api/dead-letters").await, json!([]), "nothing is given up");
    // Cured at the server: its rival goes.
    let there = cosmos.documents("retry");
    let rival = there.iter().find_map(|document| document["id"].as_str().filter(|id| ["3", "4"].contains(id))).unwrap();
    cosmos.remove("retry", rival, "all");
    let documents = cosmos.wait_for("retry", 19);
    assert!(documents.iter().all(|document| document["id"] != rival), "{documents:?}");
    until("running again", &host, async || host.json(&client, "/health").await["status"] == "running").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_document_that_the_server_refuses_stops_the_job_under_stop() {
    let (events, _) = rivals();
    let cosmos = Cosmos::start();
    cosmos.make("stop", "/day_of_week", Some("/amount"));
    let project = Project::new(&cosmos.door, "stop", &json!({ "AuthenticationMode": "ConnectionString" })).statement(RIVALS).replace(
        "JobConfig.json",
        "\"OutputErrorPolicy\": \"Retry\"",
        "\"OutputErrorPolicy\": \"Stop\"",
    );
    let mut host = start(&project);
    for event in &events[3..5] {
        assert_eq!(host.send(&reqwest::Client::new(), &format!("/{HUB}/messages"), event.clone()).await.0, 201);
    }
    let log = host.ended();
    assert!(log.contains("output 'outputCosmosDB'") && log.contains("409") && log.contains("policy is Stop"), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_can_be_no_document_is_a_dead_letter_and_the_others_are_written() {
    let (mut events, _) = golden_events(10);
    let cosmos = Cosmos::start();
    cosmos.make("rules", "/day_of_week", None);
    // The id is text that the sender chose; the date is passed through as it is.
    events[2] = events[2].replace("'24/11/2026 10:00:00'", "'a-2'");
    let project = Project::new(&cosmos.door, "rules", &json!({ "AuthenticationMode": "ConnectionString", "DocumentId": "chosen" }))
        .statement("SELECT date_of_transact AS chosen, day_of_week, amount INTO outputCosmosDB FROM Scored");
    let host = start(&project);
    send(&host, &events).await;
    let client = reqwest::Client::new();
    until("the dead letters", &host, async || host.json(&client, "/api/dead-letters").await.as_array().unwrap().len() == 9).await;
    let letters = host.json(&client, "/api/dead-letters").await;
    for letter in letters.as_array().unwrap() {
        assert!(letter["reason"].as_str().unwrap().contains("the document's id 'chosen' has the character '/'"), "{letter}");
        assert!(letter["body"].as_str().unwrap().contains("24/11/2026"), "{letter}");
    }
    let documents = cosmos.wait_for("rules", 1);
    assert_eq!(documents.len(), 1);
    assert_eq!((&documents[0]["id"], &documents[0]["chosen"]), (&json!("a-2"), &json!("a-2")));
}

#[test]
fn what_does_not_fit_is_refused_at_start_with_the_file_and_what_to_do() {
    let cosmos = Cosmos::start();
    cosmos.make("fits", "/day_of_week", None);
    let with = |properties: Value| {
        let mut all = json!({ "AuthenticationMode": "ConnectionString" });
        all.as_object_mut().unwrap().extend(properties.as_object().unwrap().clone());
        Project::new(&cosmos.server, "fits", &all)
    };
    let says = |refusal: String, words: &[&str]| {
        assert!(!refusal.contains(KEY), "the key is printed: {refusal}");
        for word in ["Local_outputCosmosDB.json", "output 'outputCosmosDB'"].iter().chain(words) {
            assert!(refusal.contains(word), "'{word}' is not in:\n{refusal}");
        }
    };
    says(with(json!({ "PartitionKey": "month" })).refusal(&LOGIN), &["'month'", "'/month'", "'/day_of_week'", "'fits'"]);
    says(with(json!({ "PartitionKey": "day_of_weak" })).refusal(&LOGIN), &["no column 'day_of_weak'", "date_of_transact"]);
    says(with(json!({ "PartitionKey": "Day_Of_Week" })).refusal(&LOGIN), &["only 'day_of_week'"]);
    says(with(json!({ "DocumentId": "month" })).refusal(&LOGIN), &["another column 'id'"]);
    says(with(json!({ "ContainerName": "gone" })).refusal(&LOGIN), &["no container 'gone'", "'/day_of_week'"]);
    says(with(json!({})).refusal(&[]), &["no key", "TAMIS_COSMOS_KEY", "AccountKey", "Msi"]);
    says(with(json!({})).refusal(&[("TAMIS_COSMOS_KEY", "not base64!")]), &["not base64"]);
    let nobody = Project::new("http://localhost:1/", "fits", &json!({ "AuthenticationMode": "ConnectionString" })).refusal(&LOGIN);
    assert!(nobody.contains("output 'outputCosmosDB'") && nobody.contains("http://localhost:1/") && !nobody.contains(KEY), "{nobody}");
}

/// Answers every request as the identity endpoint of Azure App Service does, with this token.
fn identity_endpoint(token: &'static str) -> String {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/msi/token", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut request = [0; 4096];
            let read = stream.read(&mut request).unwrap_or(0);
            let request = String::from_utf8_lossy(&request[..read]).to_ascii_lowercase();
            let asked = request.contains("x-identity-header: from-the-test") && request.contains("resource=");
            let body = if asked {
                json!({ "access_token": token, "expires_on": "4102444800", "resource": "https://cosmos.azure.com", "token_type": "Bearer" })
                    .to_string()
            } else {
                String::new()
            };
            let status = if asked { "200 OK" } else { "400 Bad Request" };
            let head = format!(
                "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            let _answered = stream.write_all((head + &body).as_bytes());
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entra_id_logs_in_with_a_token_and_without_a_key() {
    const TOKEN: &str = "the-token-of-a-managed-identity";
    let (events, scores) = golden_events(20);
    let cosmos = Cosmos::start();
    cosmos.make("entra", "/day_of_week", None);
    let project = Project::new(&cosmos.door, "entra", &json!({ "AuthenticationMode": "Msi" }));
    let identity = identity_endpoint(TOKEN);
    let environment = [("IDENTITY_ENDPOINT", identity.as_str()), ("IDENTITY_HEADER", "from-the-test")];
    let mut host = Host::start_with(&project.data(), Some(&project.path()), &environment);
    send(&host, &events).await;
    assert_scored(&cosmos.wait_for("entra", 20), "id", &scores);
    assert!(host.interrupt(), "{}", host.log());
    let authorization = cosmos.seen().await["authorization"].as_str().unwrap().to_owned();
    assert!(authorization.contains("aad") && authorization.contains(TOKEN), "{authorization}");
    assert!(!host.log().contains(TOKEN));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_that_is_down_when_the_job_starts_again_gets_its_rows_later_and_once() {
    const FILE: &str = "Outputs/Local_outputCosmosDB.json";
    const NOBODY: &str = "http://localhost:1/";
    let (events, scores) = golden_events(300);
    let cosmos = Cosmos::start();
    cosmos.make("later", "/day_of_week", None);
    let project = Project::new(&cosmos.door, "later", &json!({ "AuthenticationMode": "ConnectionString" }))
        .statement("SELECT id AS transaction, day_of_week, prediction, score INTO outputCosmosDB FROM Scored");
    let client = reqwest::Client::new();
    let mut host = start(&project);
    send(&host, &events[..100]).await;
    cosmos.wait_for("later", 100);
    host.kill();
    // Nobody answers there, neither now nor after a kill.
    let project = project.replace(FILE, &cosmos.door, NOBODY);
    for part in [100..200, 200..300] {
        host.start_again();
        send(&host, &events[part.clone()]).await;
        let behind = || async { host.json(&client, "/health").await["outputs"][0]["behind"].as_u64().unwrap() };
        until("the rows behind", &host, async || behind().await >= part.end as u64 - 100).await;
        let told = async || {
            let health = host.json(&client, "/health").await;
            health["status"] == "behind" && health["reason"].as_str().unwrap().contains(NOBODY)
        };
        until("the reason", &host, told).await;
        host.kill();
    }
    let _project = project.replace(FILE, NOBODY, &cosmos.door);
    host.start_again();
    cosmos.wait_for("later", 300);
    until("the end of waiting", &host, async || host.json(&client, "/health").await["status"] == "running").await;
    assert!(host.interrupt(), "{}", host.log());
    assert_scored(&cosmos.documents("later"), "transaction", &scores);
}
