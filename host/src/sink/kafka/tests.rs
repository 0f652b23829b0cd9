//! Against librdkafka's own cluster in memory. What needs a real broker is in `tests/tests/kafka.rs`.

use std::collections::BTreeMap;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::{Offset, TopicPartitionList};

use super::*;
use crate::batch::{Column, Origin};
use crate::fault::Retry;
use crate::time::Timestamp;

const TOPIC: &str = "scored";

fn cluster() -> MockCluster<'static, DefaultProducerContext> {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic(TOPIC, 2, 1).unwrap();
    cluster
}

fn settings(cluster: &MockCluster<'static, DefaultProducerContext>) -> KafkaSettings {
    KafkaSettings {
        output: "out".to_owned(),
        server: "the cluster".to_owned(),
        topic: TOPIC.to_owned(),
        properties: vec![("bootstrap.servers".to_owned(), cluster.bootstrap_servers())],
        partition_key: Some("day".to_owned()),
        property_columns: vec!["kind".to_owned()],
        written: Written::Json,
    }
}

/// Rows of events 0, 1, … of a partition; `texts` are the values of a column.
fn rows(texts: &[&str]) -> Batch {
    let count = texts.len();
    let numbers: Vec<i64> = (0..count as i64).collect();
    Batch {
        names: vec!["id".into(), "day".into(), "kind".into(), "text".into()].into(),
        columns: vec![
            Column::BigInt(numbers.into()),
            Column::Text((0..count).map(|row| (row % 3 != 2).then(|| format!("day {}", row % 3))).collect()),
            Column::Text((0..count).map(|_| Some("card, or cash")).collect()),
            Column::Text(texts.iter().map(Some).collect()),
        ],
        times: vec![Timestamp(0); count].into(),
        origin: Origin::Events { input: 0, partition: 1, offsets: (0..count as u64).collect() },
    }
}

#[derive(Debug)]
struct Read {
    partition: i32,
    key: Option<String>,
    headers: BTreeMap<String, String>,
    body: String,
}

/// Everything in the topic, when so much is there.
fn read(cluster: &MockCluster<'static, DefaultProducerContext>, count: usize) -> Vec<Read> {
    let consumer: BaseConsumer =
        ClientConfig::new().set("bootstrap.servers", cluster.bootstrap_servers()).set("group.id", "check").create().unwrap();
    let mut all = TopicPartitionList::new();
    for partition in 0..2 {
        all.add_partition_offset(TOPIC, partition, Offset::Beginning).unwrap();
    }
    consumer.assign(&all).unwrap();
    let (start, mut found) = (Instant::now(), Vec::new());
    let mut quiet = Instant::now();
    // Also a little longer than it takes, so that a row that is there twice is seen.
    while found.len() < count || quiet.elapsed() < Duration::from_millis(600) {
        assert!(start.elapsed() < Duration::from_secs(30), "{} of {count} messages came", found.len());
        let Some(message) = consumer.poll(Duration::from_millis(50)) else { continue };
        let message = message.unwrap();
        quiet = Instant::now();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        found.push(Read {
            partition: message.partition(),
            key: message.key().map(text),
            headers: message.headers().unwrap().iter().map(|header| (header.key.to_owned(), text(header.value.unwrap()))).collect(),
            body: text(message.payload().unwrap()),
        });
    }
    found.sort_by_key(|read| read.headers["tamis-id"].clone());
    found
}

#[test]
fn a_row_is_a_message_with_its_key_its_headers_and_its_id() {
    let cluster = cluster();
    let mut sink = KafkaSink::open(settings(&cluster)).unwrap();
    let batch = rows(&["a", "b", "c", "d"]);
    let keys = DocumentKeys::of(&batch, 3);
    assert_eq!(sink.write(&batch, &keys).unwrap(), []);
    sink.flush().unwrap();
    let found = read(&cluster, 4);
    assert_eq!(found.len(), 4);
    assert_eq!(found[0].body, r#"{"id":0,"day":"day 0","text":"a"}"#);
    assert_eq!(found[2].body, r#"{"id":2,"day":null,"text":"c"}"#);
    let of_keys: Vec<Option<&str>> = found.iter().map(|read| read.key.as_deref()).collect();
    assert_eq!(of_keys, [Some("day 0"), Some("day 1"), None, Some("day 0")]);
    assert_eq!(found[0].partition, found[3].partition, "a key keeps to its partition");
    assert_eq!(found[1].headers["tamis-id"], "3-0-1-1-0");
    assert_eq!(found[1].headers["kind"], "card, or cash");
}

#[test]
fn rows_are_written_as_the_output_says() {
    let cluster = cluster();
    let batch = rows(&["a;\"b\"", "c"]);
    let keys = DocumentKeys::of(&batch, 0);
    for written in [Written::Csv { delimiter: b';' }, Written::JsonArray] {
        let own = KafkaSettings { written, property_columns: Vec::new(), ..settings(&cluster) };
        assert_eq!(KafkaSink::open(own).unwrap().write(&batch, &keys).unwrap(), []);
    }
    let bodies: Vec<String> = read(&cluster, 4).into_iter().map(|read| read.body).collect();
    let csv = "id;day;kind;text\r\n0;day 0;card, or cash;\"a;\"\"b\"\"\"\r\n";
    assert!(bodies.contains(&csv.to_owned()), "{bodies:?}");
    let array = r#"[{"id":1,"day":"day 1","kind":"card, or cash","text":"c"}]"#;
    assert!(bodies.contains(&array.to_owned()), "{bodies:?}");
}

#[test]
fn a_row_that_is_too_large_is_refused_and_the_others_are_written() {
    let cluster = cluster();
    let mut own = settings(&cluster);
    own.properties.push(("message.max.bytes".to_owned(), "2000".to_owned()));
    let mut sink = KafkaSink::open(own).unwrap();
    let long = "x".repeat(5000);
    let batch = rows(&["a", &long, "c"]);
    let refused = sink.write(&batch, &DocumentKeys::of(&batch, 0)).unwrap();
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].row, 1);
    assert!(refused[0].reason.contains("5032 bytes"), "{}", refused[0].reason);
    assert_eq!(read(&cluster, 2).len(), 2);
}

#[test]
fn a_broker_that_is_away_is_waited_for_and_no_row_is_written_twice() {
    let cluster = cluster();
    let mut sink = KafkaSink::open(settings(&cluster)).unwrap();
    let texts: Vec<String> = (0..500).map(|number| number.to_string()).collect();
    let batch = rows(&texts.iter().map(String::as_str).collect::<Vec<_>>());
    let keys = DocumentKeys::of(&batch, 0);
    cluster.broker_down(1).unwrap();
    let fault = sink.write(&batch, &keys).unwrap_err();
    assert_eq!(fault.retry, Retry::Backoff);
    let said = fault.to_string();
    assert!(said.contains("output 'out'") && said.contains("500 rows") && said.contains("the cluster"), "{said}");
    cluster.broker_up(1).unwrap();
    let start = Instant::now();
    while let Err(fault) = sink.write(&batch, &keys) {
        assert!(start.elapsed() < Duration::from_secs(30), "{fault}");
    }
    assert_eq!(read(&cluster, 500).len(), 500);
    // The next batch is another one.
    let batch = rows(&["z"]);
    assert_eq!(sink.write(&batch, &DocumentKeys::of(&batch, 1)).unwrap(), []);
    assert_eq!(read(&cluster, 501).len(), 501);
}

#[test]
fn wrong_settings_are_told_at_once_and_without_secrets() {
    let cluster = cluster();
    let refusal = |change: &dyn Fn(&mut KafkaSettings)| {
        let mut own = settings(&cluster);
        change(&mut own);
        KafkaSink::open(own).map(drop).unwrap_err().to_string()
    };
    let acks = refusal(&|own| own.properties.push(("acks".to_owned(), "0".to_owned())));
    assert!(acks.contains("'acks'") && acks.contains("output 'out'"), "{acks}");
    let secret = refusal(&|own| own.properties.push(("no.such.password".to_owned(), "hunter2".to_owned())));
    assert!(secret.contains("no.such.password") && !secret.contains("hunter2"), "{secret}");
    let mut own = settings(&cluster);
    own.properties.push(("sasl.password".to_owned(), "hunter2".to_owned()));
    let sink = KafkaSink::open(own).unwrap();
    assert!(!format!("{sink:?}").contains("hunter2"));
}
