//! Nothing that was accepted is lost and nothing is there twice, although the host is killed three times mid-stream.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::Value;
use tamis_tests::events::golden_events;
use tamis_tests::host::{HUB, Host, SCORED};

const EVENTS: usize = 6000;
const SENDERS: usize = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_accepted_event_is_one_document_with_the_golden_score_after_three_kills() {
    let data = tempfile::tempdir().unwrap();
    let (events, scores) = golden_events(EVENTS);
    let mut host = Host::start(data.path());
    let address = format!("{}/{HUB}/messages", host.url());
    let events = Arc::new(events);
    let next = Arc::new(AtomicUsize::new(0));
    let accepted: Arc<Mutex<Vec<usize>>> = Arc::default();
    let paused = Arc::new(AtomicBool::new(false));
    let senders: Vec<_> = (0..SENDERS)
        .map(|_| {
            let (events, next, accepted, paused) = (Arc::clone(&events), Arc::clone(&next), Arc::clone(&accepted), Arc::clone(&paused));
            let address = address.clone();
            tokio::spawn(async move {
                let client = reqwest::Client::new();
                loop {
                    while paused.load(Ordering::SeqCst) {
                        tokio::time::sleep(Duration::from_millis(5)).await;
                    }
                    let event = next.fetch_add(1, Ordering::SeqCst);
                    let Some(body) = events.get(event) else { return };
                    let request = client.post(&address).bearer_auth("SharedAccessSignature sr=any");
                    let request = request.header("content-type", "application/atom+xml;type=entry;charset=utf-8").body(body.clone());
                    // What is not answered with 201 was not accepted; it may be there or not, and is not sent again.
                    match request.send().await {
                        Ok(answer) if answer.status() == 201 => accepted.lock().push(event),
                        Ok(answer) => panic!("{}: {}", answer.status(), answer.text().await.unwrap()),
                        Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
                    }
                }
            })
        })
        .collect();
    for kill in 1..=3 {
        let mark = kill * EVENTS / 4;
        while next.load(Ordering::SeqCst) < mark {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        // Killed while events are on their way; senders wait until it is there again, so that most events are accepted.
        host.kill();
        paused.store(true, Ordering::SeqCst);
        host.start_again();
        paused.store(false, Ordering::SeqCst);
    }
    for sender in senders {
        sender.await.unwrap();
    }
    let accepted = Arc::try_unwrap(accepted).unwrap().into_inner();
    assert!(accepted.len() > EVENTS * 9 / 10, "only {} of {EVENTS} events were accepted", accepted.len());

    host.wait_for_documents(SCORED, accepted.len());
    assert!(host.interrupt(), "{}", host.log());
    let documents = host.documents(SCORED);
    let mut found: HashMap<usize, usize> = HashMap::new();
    for document in &documents {
        let id = usize::try_from(document["id"].as_u64().unwrap()).unwrap();
        *found.entry(id).or_default() += 1;
        let score = document["score"].as_f64().unwrap();
        assert_eq!(score.to_bits(), scores[id].to_bits(), "event {id} has score {score}, {} is right", scores[id]);
        assert_eq!(document["prediction"], i64::from(scores[id] >= 0.5), "event {id}");
    }
    let twice: Vec<_> = found.iter().filter(|(_, count)| **count != 1).collect();
    assert!(twice.is_empty(), "events with several documents: {twice:?}");
    let lost: Vec<_> = accepted.iter().filter(|event| !found.contains_key(event)).collect();
    assert!(lost.is_empty(), "accepted, but no document: {lost:?}");
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
