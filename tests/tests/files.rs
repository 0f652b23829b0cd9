//! An output that is a file of JSON lines: every row is there once, although the host is killed while it writes.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use tamis_tests::cosmos::Project;
use tamis_tests::events::golden_events;
use tamis_tests::host::{HUB, Host, PATIENCE};

/// The whole lines of the file; the host may be writing the next one.
fn lines(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
    whole.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_line_is_lost_or_twice_after_kills() {
    const EVENTS: usize = 4000;
    const KILLS: usize = 5;
    let (events, scores) = golden_events(EVENTS);
    let project = Project::json_lines("rows/scored.jsonl");
    let file = project.data().join("rows/scored.jsonl");
    let mut host = Host::start_project(&project.data(), Some(&project.path()));
    for part in events.chunks(EVENTS / KILLS) {
        let before = lines(&file).len();
        let client = reqwest::Client::new();
        let address = format!("{}/{HUB}/messages", host.url());
        let sends = part.iter().map(|event| client.post(&address).bearer_auth("any").body(event.clone()).send());
        // All at once, so that rows are on their way when the host dies.
        for sent in futures::future::join_all(sends).await {
            assert_eq!(sent.unwrap().status(), 201);
        }
        let start = Instant::now();
        while lines(&file).len() == before {
            assert!(start.elapsed() < PATIENCE, "no line came:\n{}", host.log());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        host.kill_and_start();
    }
    let start = Instant::now();
    while lines(&file).len() < EVENTS {
        assert!(start.elapsed() < PATIENCE, "{} of {EVENTS} lines came:\n{}", lines(&file).len(), host.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(host.interrupt(), "{}", host.log());
    let mut found: HashMap<usize, usize> = HashMap::new();
    for line in lines(&file) {
        let id = usize::try_from(line["id"].as_u64().unwrap()).unwrap();
        *found.entry(id).or_default() += 1;
        assert_eq!(line["score"].as_f64().unwrap().to_bits(), scores[id].to_bits(), "event {id}");
    }
    let twice: Vec<_> = found.iter().filter(|(_, count)| **count != 1).collect();
    assert!(twice.is_empty(), "events with several lines: {twice:?}");
    assert_eq!(found.len(), EVENTS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_behind_the_checkpoint_are_written_once() {
    let (events, _) = golden_events(20);
    let project = Project::json_lines("scored.jsonl");
    let file = project.data().join("scored.jsonl");
    let client = reqwest::Client::new();
    let mut host = Host::start_project(&project.data(), Some(&project.path()));
    for event in &events[..10] {
        assert_eq!(host.send(&client, &format!("/{HUB}/messages"), event.clone()).await.0, 201);
    }
    let start = Instant::now();
    while lines(&file).len() < 10 {
        assert!(start.elapsed() < PATIENCE, "{}", host.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(host.interrupt());
    // As after a kill between the file's flush and the checkpoint: rows, and half a row, that no checkpoint knows of.
    let committed = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{committed}{{\"id\":10}}\n{{\"id\":11}}\n{{\"id\"")).unwrap();
    host.start_again();
    let client = reqwest::Client::new();
    for event in &events[10..] {
        assert_eq!(host.send(&client, &format!("/{HUB}/messages"), event.clone()).await.0, 201);
    }
    let start = Instant::now();
    while lines(&file).len() < 20 {
        assert!(start.elapsed() < PATIENCE, "{}", host.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(host.interrupt());
    let mut ids: Vec<u64> = lines(&file).iter().map(|line| line["id"].as_u64().unwrap()).collect();
    ids.sort_unstable();
    assert_eq!(ids, (0..20).collect::<Vec<_>>());
    assert!(std::fs::read_to_string(&file).unwrap().starts_with(&committed), "what was committed is as it was");
}
