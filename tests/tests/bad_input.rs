//! Bad events and requests: each has a defined outcome, and no other event suffers from it.

#![expect(clippy::unwrap_used, reason = "tests")]

use serde_json::{Value, json};
use tamis_tests::host::{HUB, Host, PATIENCE, SCORED};

/// A transaction that is well-formed.
fn good(id: i64) -> Value {
    json!({
        "id": id, "date": "24/11/2026 10:00:00", "amount": 121.28, "old_balance": 108254.0, "income": 625.6, "credit": 1,
        "marital_status": 0, "children": 0, "month": 10, "day_of_week": "saturday", "category_recipient": "food_store",
        "transaction_type": "onsite", "transaction_method": "card_without_contact", "foreign_transaction": 0,
    })
}

/// A well-formed transaction with one field set to something else, as text that need not be JSON.
fn with(id: i64, field: &str, value: &str) -> String {
    let mut event = good(id);
    event[field] = json!("\u{1}");
    event.to_string().replace("\"\\u0001\"", value)
}

fn without(id: i64, field: &str) -> String {
    let mut event = good(id);
    event.as_object_mut().unwrap().remove(field);
    event.to_string()
}

/// Waits until there are so many dead letters.
async fn dead_letters(host: &Host, client: &reqwest::Client, count: usize) -> Vec<Value> {
    let start = std::time::Instant::now();
    loop {
        let letters = host.json(client, "/api/dead-letters?limit=1000").await.as_array().unwrap().clone();
        if letters.len() >= count {
            return letters;
        }
        assert!(start.elapsed() < PATIENCE, "{} of {count} dead letters: {letters:#?}\n{}", letters.len(), host.log());
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn each_bad_event_is_a_dead_letter_with_its_reason_and_bytes_and_the_good_ones_go_on() {
    let data = tempfile::tempdir().unwrap();
    let mut host = Host::start(data.path());
    let client = reqwest::Client::new();
    // Body, who rejects it, and words of the reason.
    let bad: Vec<(String, &str, &[&str])> = vec![
        ("this is not JSON".to_owned(), "decode", &["JSON"]),
        ("{\"id\": 1, \"amount\": ".to_owned(), "decode", &["JSON"]),
        ("42".to_owned(), "decode", &["object"]),
        ("\"text\"".to_owned(), "decode", &["object"]),
        ("null".to_owned(), "decode", &["object"]),
        ("[1, 2]".to_owned(), "decode", &["object"]),
        ("\u{0}\u{1}".to_owned(), "decode", &["JSON"]),
        (without(100, "amount"), "udf.prediction", &["amount"]),
        (with(101, "amount", "null"), "udf.prediction", &["amount"]),
        (with(102, "amount", "\"12.5\""), "udf.prediction", &["amount", "float"]),
        (with(103, "credit", "0.5"), "udf.prediction", &["credit"]),
        (with(104, "day_of_week", "7"), "udf.prediction", &["day_of_week"]),
        (with(105, "amount", "NaN"), "decode", &["amount"]),
        (with(106, "amount", "Infinity"), "decode", &["amount"]),
        (with(107, "amount", "{\"of\": 1}"), "udf.prediction", &["amount"]),
        (with(108, "amount", "1e999"), "decode", &["amount"]),
        (with(109, "credit", "99999999999999999999"), "decode", &["credit"]),
    ];
    let path = format!("/{HUB}/messages?partitionId=2");
    let mut sent = Vec::new();
    for (number, (body, _, _)) in bad.iter().enumerate() {
        sent.push(good(number as i64).to_string());
        sent.push(body.clone());
    }
    for body in &sent {
        assert_eq!(host.send(&client, &path, body.clone()).await, (201, String::new()), "{body}");
    }
    let documents = host.wait_for_documents(SCORED, bad.len());
    let ids: Vec<i64> = documents.iter().map(|document| document["id"].as_i64().unwrap()).collect();
    assert_eq!(ids, (0..bad.len() as i64).collect::<Vec<_>>(), "every good event, in order");
    let letters = dead_letters(&host, &client, bad.len()).await;
    assert_eq!(letters.len(), bad.len());
    for (number, (body, step, words)) in bad.iter().enumerate() {
        let offset = number * 2 + 1;
        let letter = letters.iter().find(|letter| letter["offset"] == offset).unwrap_or_else(|| panic!("no dead letter of {body}"));
        let reason = letter["reason"].as_str().unwrap();
        assert_eq!(letter["body"], Value::from(body.as_str()), "the original bytes");
        assert_eq!((&letter["partition"], &letter["input"]), (&json!(2), &json!("inputEventHub")));
        assert_eq!(letter["step"], *step, "{body}: {reason}");
        assert!(words.iter().all(|word| reason.contains(word)), "{body}: {reason}");
        println!("{step}: {reason}");
    }
    assert!(host.interrupt(), "{}", host.log());
    assert!(!host.log().contains("panicked"), "{}", host.log());
}

#[tokio::test]
async fn odd_but_valid_events_are_scored() {
    let data = tempfile::tempdir().unwrap();
    let host = Host::start(data.path());
    let client = reqwest::Client::new();
    let bodies = [
        good(1).to_string(),
        with(2, "day_of_week", "\"someday\""),
        with(3, "amount", "100"),
        with(4, "credit", "1.0"),
        with(5, "extra", "{\"deep\": [1, {\"a\": null}]}"),
        format!("[{}, {}]", good(6), good(7)),
        format!("{}\n{}", good(8), good(9)),
        format!("\u{feff}{}", good(10)),
        good(11).to_string().replace('"', "'"),
        with(12, "extra", "None").replace('"', "'"),
        good(13).to_string().replace("\"amount\"", "\"AMOUNT\""),
    ];
    for body in bodies {
        assert_eq!(host.send(&client, &format!("/{HUB}/messages?partitionId=0"), body.clone()).await.0, 201, "{body}");
    }
    let documents = host.wait_for_documents(SCORED, 13);
    let ids: Vec<i64> = documents.iter().map(|document| document["id"].as_i64().unwrap()).collect();
    assert_eq!(ids, (1..=13).collect::<Vec<_>>());
    assert!(documents.iter().all(|document| document["score"].is_f64()));
    let score = |id: usize| documents[id - 1]["score"].as_f64().unwrap();
    // These are the same transaction, written in different ways.
    for same in [4, 5, 6, 7, 8, 9, 10, 11, 12, 13] {
        assert_eq!(score(same), score(1), "event {same}");
    }
    assert_eq!(host.json(&client, "/api/dead-letters").await, json!([]));
}

#[tokio::test]
async fn a_bad_request_is_refused_with_a_reason_and_nothing_is_appended() {
    let data = tempfile::tempdir().unwrap();
    let host = Host::start(data.path());
    let client = reqwest::Client::new();
    let hub = format!("/{HUB}/messages");
    let event = good(1).to_string();
    let large = with(2, "note", &format!("\"{}\"", "x".repeat(10 << 20)));
    let cases: Vec<(String, String, u16, &[&str])> = vec![
        ("/nosuchhub/messages".to_owned(), event.clone(), 404, &["nosuchhub", HUB]),
        (format!("{hub}?partitionId=99"), event.clone(), 400, &["99", "0 to 3"]),
        (format!("{hub}?partitionId=first"), event.clone(), 400, &["first"]),
        (hub.clone(), String::new(), 400, &["empty"]),
        (hub.clone(), large, 413, &["1048576"]),
        ("/feed".to_owned(), event.clone(), 405, &[]),
        ("/".to_owned(), event.clone(), 405, &[]),
    ];
    for (path, body, status, words) in cases {
        let (got, answer) = host.send(&client, &path, body).await;
        assert_eq!(got, status, "{path}: {answer}");
        if status != 405 {
            let answer: Value = serde_json::from_str(&answer).unwrap();
            let message = answer["error"]["message"].as_str().unwrap();
            assert!(words.iter().all(|word| message.contains(word)), "{path}: {message}");
        }
    }
    for (body, words) in [("[]", "empty"), ("{", "cannot be read"), ("[{\"Boddy\": \"x\"}]", "Body"), ("[1]", "object")] {
        let request = client.post(format!("{}{hub}", host.url())).header("content-type", "application/vnd.microsoft.servicebus.json");
        let answer = request.body(body).send().await.unwrap();
        assert_eq!(answer.status(), 400, "{body}");
        let answer: Value = answer.json().await.unwrap();
        let message = answer["error"]["message"].as_str().unwrap();
        assert!(message.contains(words), "{body}: {message}");
    }
    // The door still takes events, and it took none of those.
    assert_eq!(host.send(&client, &hub, event).await.0, 201);
    assert_eq!(host.wait_for_documents(SCORED, 1).len(), 1);
    assert_eq!(host.json(&client, "/api/dead-letters").await, json!([]));
}

#[tokio::test]
async fn pages_of_other_sites_are_refused() {
    let data = tempfile::tempdir().unwrap();
    let host = Host::start(data.path());
    let client = reqwest::Client::new();
    let feed = format!("{}/api/documents", host.url());
    assert_eq!(client.get(&feed).header("host", "evil.example").send().await.unwrap().status(), 403);
    assert_eq!(client.get(&feed).header("origin", "https://evil.example").send().await.unwrap().status(), 403);
    assert_eq!(client.get(&feed).header("origin", host.url()).send().await.unwrap().status(), 200);
    let events = format!("{}/{HUB}/messages", host.url());
    let answer = client.post(events).header("origin", "https://evil.example").body(good(1).to_string()).send().await.unwrap();
    assert_eq!(answer.status(), 403);
}
