//! Nothing that was accepted is lost and nothing is there twice, wherever the host is killed. `TAMIS_CRASH_KILLS` and
//! `TAMIS_CRASH_SEED` make a long run of it: `./scripts/crash`.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "tests that say what they counted")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;
use tamis_tests::cosmos::{Cosmos, KEY, Project};
use tamis_tests::crash::{
    Held, Senders, Tally, compare, kill_again_and_again, kills, post, random, records, segments, settle, tear, until,
};
use tamis_tests::events::golden_events;
use tamis_tests::golden::root;
use tamis_tests::host::{HUB, Host, SCORED, tamis};
use tamis_tests::small::{SMALL_HUB, Small, copy};

const EVENTS: usize = 60;
/// More than are sent in the usual run.
const GOLDEN: usize = 200_000;
const SENDERS: usize = 8;
const PAUSE: Duration = Duration::from_millis(4);

/// Reads an output.
type Read<'a> = &'a dyn Fn() -> Vec<Value>;

/// The default model packed as another version, with another threshold: the same scores, other predictions.
fn packed(dir: &Path, version: &str, threshold: &str) -> String {
    let path = dir.join(format!("fraud-{version}.wasm")).to_str().unwrap().to_owned();
    let model = root().join("model/fraud/fraud.onnx");
    let output = tamis(&["pack", model.to_str().unwrap(), "-o", &path, "--version", version, "--threshold", threshold]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    path
}

/// Sends golden events to the door of a host.
fn senders(host: &Host, events: Vec<String>) -> Senders {
    let (address, events, client) = (format!("{}/{HUB}/messages", host.url()), Arc::new(events), reqwest::Client::new());
    Senders::start(SENDERS, PAUSE, move |event| {
        let (client, address, events) = (client.clone(), address.clone(), Arc::clone(&events));
        async move { post(&client, &address, events[event].clone()).await }
    })
}

fn ids(documents: &[Value], column: &str) -> Vec<usize> {
    documents.iter().map(|document| usize::try_from(document[column].as_u64().unwrap()).unwrap()).collect()
}

fn assert_scored(documents: &[Value], column: &str, scores: &[f64], threshold: impl Fn(&Value) -> f64) {
    for document in documents {
        let id = usize::try_from(document[column].as_u64().unwrap()).unwrap();
        let score = document["score"].as_f64().unwrap();
        assert_eq!(score.to_bits(), scores[id].to_bits(), "event {id} has score {score}, {} is right", scores[id]);
        assert_eq!(document["prediction"], i64::from(score >= threshold(document)), "{document}");
    }
}

fn assert_whole(what: &str, tally: &Tally) {
    println!("{what}: {tally}");
    assert_eq!((tally.lost, tally.duplicates), (0, 0), "{what}: {tally}");
    assert!(tally.accepted >= 8 * tally.kills, "{what}: hardly anything was accepted: {tally}");
}

/// The fraud job: every accepted event is one document with the golden score. Between the kills some segments get a torn end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_accepted_event_is_one_document_with_the_golden_score_whenever_the_host_is_killed() {
    let data = tempfile::tempdir().unwrap();
    let (events, scores) = golden_events(GOLDEN);
    let mut host = Host::start(data.path());
    let senders = senders(&host, events);
    let tear_some = |random: &mut _| {
        let torn: Vec<_> = segments(data.path(), HUB).into_iter().take(rand::RngExt::random_range(random, 0..3)).collect();
        torn.iter().for_each(|path| tear(path, random));
        torn.len()
    };
    let mut tally = kill_again_and_again(&mut host, kills(12), &mut random(), tear_some).await;
    let (sent, accepted) = senders.end().await;
    settle(&accepted, || ids(&host.documents(SCORED), "id")).await;
    assert!(host.interrupt(), "{}", host.log());
    let documents = host.documents(SCORED);
    assert_scored(&documents, "id", &scores, |_| 0.5);
    compare(&mut tally, sent, &accepted, ids(&documents, "id"));
    assert_whole("embedded store", &tally);
    assert!(tally.faults > 0 && host.log().contains("A torn end of the log was cut off"), "{tally}");
}

/// A job with windows: its results are those of a run over the same events that nobody disturbed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn windows_have_the_results_of_an_uninterrupted_run() {
    let query = "SELECT System.Timestamp() AS ends, card, COUNT(*) AS n, SUM(amount) AS total INTO tumbling
                 FROM events TIMESTAMP BY at GROUP BY card, TumblingWindow(second, 1)
                 SELECT System.Timestamp() AS ends, COUNT(*) AS n, MAX(id) AS last INTO hopping
                 FROM events TIMESTAMP BY at GROUP BY HoppingWindow(second, 3, 1)
                 SELECT id, LAG(id) OVER (PARTITION BY card LIMIT DURATION(hour, 1)) AS before INTO lagging FROM events TIMESTAMP BY at";
    let outputs = ["tumbling", "hopping", "lagging"];
    let small = Small::new(query, &outputs);
    let mut host = Host::start_project(&small.data(), Some(&small.path()));
    let (address, client) = (format!("{}/{SMALL_HUB}/messages", host.url()), reqwest::Client::new());
    let senders = Senders::start(4, PAUSE, move |id| {
        let (client, address) = (client.clone(), address.clone());
        let at = tamis::time::Timestamp::to_string(&tamis::time::Clock::now(&tamis::time::SystemClock));
        let body = serde_json::json!({ "id": id, "at": at, "card": format!("card {}", id % 7), "amount": (id % 100) as f64 / 4.0 });
        async move { post(&client, &address, body.to_string()).await }
    });
    let mut tally = kill_again_and_again(&mut host, kills(10), &mut random(), |_| 0).await;
    let (sent, accepted) = senders.end().await;
    // The last windows close when time has passed.
    let counted = |host: &Host| ids(&host.documents("tumbling"), "n").into_iter().sum::<usize>();
    let last = |host: &Host| ids(&host.documents("hopping"), "n").len();
    let settled = async |host: &Host| {
        until("the last window", host, async || {
            host.documents("lagging").len() >= accepted.len() && counted(host) == host.documents("lagging").len()
        })
        .await;
        let mut before = 0;
        until("the last hop", host, async || {
            let now = last(host);
            tokio::time::sleep(Duration::from_secs(1)).await;
            std::mem::replace(&mut before, now) == now && now > 0
        })
        .await;
    };
    settled(&host).await;
    assert!(host.interrupt(), "{}", host.log());
    copy(&small.data().join("log"), &small.other_data().join("log"));
    let undisturbed = Host::start_project(&small.other_data(), Some(&small.path()));
    settled(&undisturbed).await;
    for output in outputs {
        let sorted = |host: &Host| {
            let mut rows: Vec<String> = host.documents(output).iter().map(Value::to_string).collect();
            rows.sort();
            rows
        };
        let (disturbed, other) = (sorted(&host), sorted(&undisturbed));
        assert!(!other.is_empty());
        let different: Vec<_> = disturbed
            .iter()
            .filter(|row| !other.contains(row))
            .chain(other.iter().filter(|row| !disturbed.contains(row)))
            .take(6)
            .collect();
        assert!(different.is_empty(), "{output}: {different:#?}");
    }
    compare(&mut tally, sent, &accepted, ids(&host.documents("lagging"), "id"));
    assert_whole("windows", &tally);
}

/// Cosmos DB with faults on the way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn documents_in_cosmos_db_are_there_once() {
    let (events, scores) = golden_events(GOLDEN);
    let cosmos = Cosmos::start();
    cosmos.make("scored", "/day_of_week", None);
    let project = cosmos_project(&cosmos);
    let mut host = Host::start_with(&project.data(), Some(&project.path()), &[("TAMIS_COSMOS_KEY", KEY)]);
    cosmos.disturb(7, &["throttle", "busy", "cut", "lost", "half", "slow"], 500).await;
    let senders = senders(&host, events);
    let mut tally = kill_again_and_again(&mut host, kills(5), &mut random(), |_| 0).await;
    let (sent, accepted) = senders.end().await;
    settle(&accepted, || ids(&cosmos.documents("scored"), "transaction")).await;
    assert!(host.interrupt(), "{}", host.log());
    let documents = cosmos.documents("scored");
    tally.faults = cosmos.seen().await["met"].as_object().unwrap().values().map(|met| met.as_u64().unwrap() as usize).sum();
    assert_scored(&documents, "transaction", &scores, |_| 0.5);
    compare(&mut tally, sent, &accepted, ids(&documents, "transaction"));
    assert_whole("Cosmos DB", &tally);
}

fn cosmos_project(cosmos: &Cosmos) -> Project {
    // No column `id`: the documents' ids are ours, and only they can tell that a row comes again.
    Project::new(&cosmos.door, "scored", &serde_json::json!({ "AuthenticationMode": "ConnectionString" }))
        .statement("SELECT id AS transaction, day_of_week, prediction, score INTO outputCosmosDB FROM Scored")
}

/// The moment after a sink has acknowledged and before the checkpoint is written: the store is held, so that it does not pass.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_between_the_acknowledgement_and_the_checkpoint_writes_nothing_twice() {
    let (events, scores) = golden_events(EVENTS);
    let cosmos = Cosmos::start();
    cosmos.make("scored", "/day_of_week", None);
    let in_file =
        Project::json_lines("scored.jsonl").statement("SELECT id AS transaction, prediction, score INTO outputCosmosDB FROM Scored");
    let lines = in_file.data().join("scored.jsonl");
    let read_lines = || -> Vec<Value> {
        let text = std::fs::read_to_string(&lines).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    };
    let in_cosmos = cosmos_project(&cosmos);
    let sinks: [(&str, &Project, Read<'_>); 2] =
        [("file", &in_file, &read_lines), ("Cosmos DB", &in_cosmos, &|| cosmos.documents("scored"))];
    for (what, project, read) in sinks {
        let mut host = Host::start_with(&project.data(), Some(&project.path()), &[("TAMIS_COSMOS_KEY", KEY)]);
        let mut tally = Tally::default();
        for (round, part) in events.chunks(EVENTS / 6).enumerate() {
            let held = Held::hold(&project.data());
            let client = reqwest::Client::new();
            let items: Vec<Value> = part.iter().map(|event| serde_json::json!({ "Body": event })).collect();
            let request = client.post(format!("{}/{HUB}/messages?partitionId=1", host.url()));
            let request = request.header("content-type", "application/vnd.microsoft.servicebus.json");
            assert_eq!(request.body(Value::from(items).to_string()).send().await.unwrap().status(), 201);
            // Now and then a unit without rows, which carries the watermark on, is before it and is held in its place.
            let sent = std::time::Instant::now();
            let mut acknowledged = false;
            while !acknowledged && sent.elapsed() < Duration::from_secs(4) {
                acknowledged = read().len() > round * part.len();
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            if acknowledged {
                host.kill();
                tally.kills += 1;
                held.release();
                host.start_again();
            } else {
                held.release();
            }
            until("the rows", &host, async || read().len() >= (round + 1) * part.len()).await;
        }
        assert!(tally.kills >= 2, "{what}: {tally}");
        assert!(host.interrupt(), "{}", host.log());
        let documents = read();
        assert_scored(&documents, "transaction", &scores, |_| 0.5);
        let all: Vec<usize> = (0..EVENTS).collect();
        compare(&mut tally, EVENTS, &all, ids(&documents, "transaction"));
        assert_whole(&format!("between acknowledgement and checkpoint, {what}"), &tally);
    }
}

/// Two versions take turns while the host is killed: each document is scored by the one that it names.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn versions_take_turns_while_the_host_is_killed() {
    let data = tempfile::tempdir().unwrap();
    let (events, scores) = golden_events(GOLDEN);
    let mut host = Host::start(data.path());
    let second = packed(data.path(), "9.9.9", "0.9");
    let models = |arguments: &[&str]| tamis(&[&["models"], arguments, &["--data-dir", data.path().to_str().unwrap()]].concat());
    assert!(models(&["add", &second]).status.success());
    let stop = Arc::new(AtomicBool::new(false));
    let (directory, stopped) = (data.path().to_owned(), Arc::clone(&stop));
    let swaps = std::thread::spawn(move || {
        let mut swaps = 0;
        for version in ["9.9.9", "1.1.0"].into_iter().cycle() {
            if stopped.load(Ordering::SeqCst) {
                return swaps;
            }
            // It may fail when the host is killed at that moment; the wish is noted all the same.
            swaps += usize::from(tamis(&["models", "promote", version, "--data-dir", directory.to_str().unwrap()]).status.success());
        }
        swaps
    });
    let senders = senders(&host, events);
    let mut tally = kill_again_and_again(&mut host, kills(6), &mut random(), |_| 0).await;
    stop.store(true, Ordering::SeqCst);
    tally.faults = swaps.join().unwrap();
    let (sent, accepted) = senders.end().await;
    settle(&accepted, || ids(&host.documents(SCORED), "id")).await;
    assert!(host.interrupt(), "{}", host.log());
    let documents = host.documents(SCORED);
    let by = |document: &Value, version: &str| document["_model"].as_str().is_some_and(|model| model.contains(version));
    assert_scored(&documents, "id", &scores, |document| if by(document, "9.9.9") { 0.9 } else { 0.5 });
    assert!(documents.iter().all(|document| by(document, "9.9.9") || by(document, "1.1.0")));
    assert!(["9.9.9", "1.1.0"].iter().all(|version| documents.iter().any(|document| by(document, version))), "both had their turn");
    compare(&mut tally, sent, &accepted, ids(&documents, "id"));
    assert_whole("swaps of versions", &tally);
}

/// Bits that flip on the disk: what is damaged is told and is a dead letter, everything else is there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damage_in_the_log_costs_the_damaged_events_only_and_is_told() {
    let data = tempfile::tempdir().unwrap();
    let (events, scores) = golden_events(EVENTS);
    let client = reqwest::Client::new();
    let mut host = Host::start(data.path());
    let address = format!("{}/{HUB}/messages?partitionId=1", host.url());
    for event in &events[..20] {
        assert!(post(&client, &address, event.clone()).await);
    }
    host.wait_for_documents(SCORED, 20);
    // Twenty more are accepted and not processed: the store is held.
    let held = Held::hold(data.path());
    for event in &events[20..40] {
        assert!(post(&client, &address, event.clone()).await);
    }
    host.kill();
    held.release();
    let [path] = segments(data.path(), HUB).try_into().unwrap();
    let flip = |record: usize, back: usize| {
        let mut bytes = std::fs::read(&path).unwrap();
        let at = records(&bytes)[record].end - back;
        bytes[at] ^= 0x10;
        std::fs::write(&path, bytes).unwrap();
    };
    // One that was processed, two in the middle that were not, and the last one.
    [3, 25, 30, 39].into_iter().for_each(|record| flip(record, 7));
    host.start_again();
    let documents = host.wait_for_documents(SCORED, 37);
    let expected: Vec<usize> = (0..39).filter(|id| ![25, 30].contains(id)).collect();
    assert_eq!(ids(&documents, "id"), expected);
    let log = host.log();
    assert!(log.contains("A torn end of the log was cut off") && log.contains("The log is damaged"), "{log}");
    let letters = host.json(&client, "/api/dead-letters").await;
    let damaged: Vec<_> =
        letters.as_array().unwrap().iter().map(|letter| (letter["step"].as_str().unwrap(), letter["offset"].as_u64().unwrap())).collect();
    assert_eq!(damaged, [("log", 30), ("log", 25)], "{letters}");
    // The next start meets the same damage and makes nothing new of it; the end goes on.
    host.kill_and_start();
    let client = reqwest::Client::new();
    for event in &events[40..50] {
        assert!(post(&client, &address, event.clone()).await);
    }
    host.wait_for_documents(SCORED, 47);
    // Now the end that was processed is lost: what comes is not taken for it.
    host.kill();
    let bytes = std::fs::read(&path).unwrap();
    let end = records(&bytes)[45].start + 11;
    std::fs::write(&path, &bytes[..end]).unwrap();
    host.start_again();
    let client = reqwest::Client::new();
    for event in &events[50..] {
        assert!(post(&client, &address, event.clone()).await);
    }
    let documents = host.wait_for_documents(SCORED, 57);
    let expected: Vec<usize> = (0..EVENTS).filter(|id| ![25, 30, 39].contains(id)).collect();
    assert_eq!(ids(&documents, "id"), expected, "{}", host.log());
    assert_scored(&documents, "id", &scores, |_| 0.5);
    assert!(host.log().contains("the log ends here, and events behind it were processed before"), "{}", host.log());
}

#[tokio::test]
async fn a_stop_by_ctrl_c_writes_what_was_taken_and_a_start_goes_on() {
    let data = tempfile::tempdir().unwrap();
    let (events, _) = golden_events(EVENTS);
    let client = reqwest::Client::new();
    let mut host = Host::start(data.path());
    for event in &events[..50] {
        assert_eq!(host.send(&client, &format!("/{HUB}/messages"), event.clone()).await.0, 201);
    }
    assert!(host.interrupt(), "{}", host.log());
    let first = host.documents(SCORED);
    host.start_again();
    // The old connection went with the old process.
    let client = reqwest::Client::new();
    for event in &events[50..60] {
        assert_eq!(host.send(&client, &format!("/{HUB}/messages"), event.clone()).await.0, 201);
    }
    let documents = host.wait_for_documents(SCORED, 60);
    assert_eq!(documents.len(), 60);
    assert_eq!(documents[..first.len()], first[..], "documents of the first run are as they were");
    let page = page_state(&client, &host, 60).await;
    assert_eq!(page["totals"]["predictions"], 60, "the page counts each event once");
}

/// The page's state, once it counts so many predictions.
async fn page_state(client: &reqwest::Client, host: &Host, predictions: u64) -> Value {
    use futures::StreamExt;
    let answer = client.get(format!("{}/feed", host.url())).send().await.unwrap();
    let mut text = String::new();
    let mut chunks = answer.bytes_stream();
    let found = async {
        while let Some(chunk) = chunks.next().await {
            text.push_str(&String::from_utf8_lossy(&chunk.unwrap()));
            let last = text.rsplit("event: state").next().unwrap_or_default();
            let data = last.lines().find_map(|line| line.strip_prefix("data: "));
            if let Some(Ok(state)) = data.map(serde_json::from_str::<Value>)
                && state["totals"]["predictions"].as_u64().unwrap() >= predictions
            {
                return state;
            }
        }
        panic!("the feed ended")
    };
    tokio::time::timeout(Duration::from_secs(20), found).await.unwrap()
}
