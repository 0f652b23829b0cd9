//! The real program reads from a Kafka broker and writes to it. The broker is `tansu`; its end offsets are too low at times,
//! so lag and "start at the end" are tested against librdkafka's own cluster (`host/src/source/kafka/tests.rs`).

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tamis_tests::cosmos::{Cosmos, KEY, Project};
use tamis_tests::events::golden_events;
use tamis_tests::host::{HUB, Host, PATIENCE, SCORED};
use tamis_tests::kafka::{Broker, Message};

const PARTITIONS: i32 = 4;

/// The live input of the fraud project as a topic of this broker.
fn input(broker: &Broker, more: &Value) -> Value {
    let mut kafka = json!({ "BootstrapServers": broker.servers(), "Topic": HUB, "ConsumerGroup": "fraud" });
    for (name, value) in more.as_object().unwrap() {
        kafka[name] = value.clone();
    }
    json!({ "InputAlias": "inputEventHub", "Type": "Kafka", "Format": "Json", "Kafka": kafka, "ScriptType": "InputMock" })
}

fn on_kafka(broker: &Broker, more: &Value) -> Project {
    Project::plain().file("Inputs/Local_inputEventHub.json", &input(broker, more))
}

/// Events, one after the other into each partition.
fn spread(events: &[String]) -> impl Iterator<Item = (i32, String, Option<i64>)> {
    events.iter().enumerate().map(|(number, body)| (i32::try_from(number).unwrap() % PARTITIONS, body.clone(), None))
}

/// Every event is there once, with its score to the last bit.
fn assert_scored(documents: &[Value], scores: &[f64]) {
    let mut found: HashMap<usize, usize> = HashMap::new();
    for document in documents {
        let id = document["id"].as_u64().or_else(|| document["id"].as_str().and_then(|id| id.parse().ok())).unwrap();
        let id = usize::try_from(id).unwrap();
        *found.entry(id).or_default() += 1;
        assert_eq!(document["score"].as_f64().unwrap().to_bits(), scores[id].to_bits(), "event {id}");
    }
    let twice: Vec<_> = found.iter().filter(|(_, count)| **count != 1).collect();
    assert!(twice.is_empty(), "events with several documents: {twice:?}");
    let lost: Vec<_> = (0..scores.len()).filter(|id| !found.contains_key(id)).collect();
    assert!(lost.is_empty(), "events without a document: {lost:?}");
}

async fn until(what: &str, host: &Host, mut condition: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !condition().await {
        assert!(start.elapsed() < PATIENCE, "{what} did not come:\n{}", host.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The ids of the rows in a topic.
fn ids(messages: &[Message]) -> BTreeSet<u64> {
    messages.iter().map(|message| serde_json::from_str::<Value>(&message.body).unwrap()["id"].as_u64().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_event_is_written_once_although_the_host_is_killed_three_times() {
    const EVENTS: usize = 6000;
    let (events, scores) = golden_events(EVENTS);
    let broker = Broker::start();
    broker.make(HUB, PARTITIONS).await;
    broker.make("scored", PARTITIONS).await;
    // The same rows go to the store and, by the other output, to a topic.
    let project = on_kafka(&broker, &json!({}))
        .replace("fraud.asaql", "SELECT * INTO outputHistory FROM inputHistory", "SELECT * INTO outputHistory FROM Scored")
        .file(
            "Outputs/Local_outputHistory.json",
            &json!({
                "Name": "outputHistory", "DataSourceType": "Kafka", "ScriptType": "OutputMock",
                "Kafka": { "BootstrapServers": broker.servers(), "Topic": "scored", "PartitionKey": "day_of_week" },
            }),
        );
    let mut host = Host::start_project(&project.data(), Some(&project.path()));
    for (number, part) in events.chunks(EVENTS / 3).enumerate() {
        if number == 1 {
            broker.produce(HUB, [(2, "{'id': no event".to_owned(), None)]);
        }
        let before = host.documents(SCORED).len();
        broker.produce(HUB, spread(part));
        // Killed while the events are on their way.
        until("another document", &host, async || host.documents(SCORED).len() > before).await;
        host.kill_and_start();
    }
    host.wait_for_documents(SCORED, EVENTS);
    let messages = broker.read("scored", PARTITIONS, |messages| ids(messages).len() == EVENTS);
    // Rows that came again after a kill have the same id; a reader can leave them out.
    let mut by_id: BTreeMap<&str, &str> = BTreeMap::new();
    for message in &messages {
        let body = by_id.insert(&message.headers["tamis-id"], &message.body);
        assert!(body.is_none_or(|body| body == message.body), "{message:?}");
    }
    assert_eq!(by_id.len(), EVENTS);
    let mut of_key: BTreeMap<&str, BTreeSet<i32>> = BTreeMap::new();
    for message in &messages {
        let row: Value = serde_json::from_str(&message.body).unwrap();
        assert_eq!(message.key.as_deref(), row["day_of_week"].as_str(), "{message:?}");
        of_key.entry(message.key.as_deref().unwrap()).or_default().insert(message.partition);
    }
    assert!(of_key.len() == 7 && of_key.values().all(|partitions| partitions.len() == 1), "{of_key:?}");

    // The bad event is told with its place and its bytes.
    let client = reqwest::Client::new();
    let letters = host.json(&client, "/api/dead-letters").await;
    assert_eq!(letters.as_array().unwrap().len(), 1, "{letters}");
    assert_eq!((&letters[0]["input"], &letters[0]["partition"]), (&json!("inputEventHub"), &json!(2)));
    assert_eq!((&letters[0]["offset"], &letters[0]["body"]), (&json!(500), &json!("{'id': no event")));
    // The consumer group is told, for other tools.
    let all = BTreeMap::from([(0, 1500), (1, 1500), (2, 1501), (3, 1500)]);
    until("the commit", &host, async || broker.committed(HUB, PARTITIONS, "fraud") == all).await;
    assert!(host.interrupt(), "{}", host.log());
    assert_scored(&host.documents(SCORED), &scores);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reading_starts_at_the_beginning_at_a_time_or_where_the_group_stands() {
    let (events, _) = golden_events(40);
    let broker = Broker::start();
    broker.make(HUB, PARTITIONS).await;
    let first = 1_767_225_600_000; // 2026-01-01T00:00:00Z
    let of_time = |number: usize| Some(first + i64::try_from(number / 4 * 1000).unwrap());
    broker.produce(HUB, spread(&events).enumerate().map(|(number, (partition, body, _))| (partition, body, of_time(number))));
    let read = async |start: &str, count: usize| {
        let project = on_kafka(&broker, &json!({ "Start": start }));
        let mut host = Host::start_project(&project.data(), Some(&project.path()));
        let documents = host.wait_for_documents(SCORED, count);
        until("the commit", &host, async || broker.committed(HUB, PARTITIONS, "fraud").values().sum::<i64>() == 40).await;
        // Ended and begun again, it goes on where it was, whatever the file says.
        assert!(host.interrupt(), "{}", host.log());
        host.start_again();
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(host.interrupt(), "{}", host.log());
        assert_eq!(host.documents(SCORED).len(), count, "{start}");
        documents.iter().map(|document| document["id"].as_u64().unwrap()).min()
    };
    assert_eq!(read("beginning", 40).await, Some(0));
    assert_eq!(read("time:2026-01-01T00:00:07Z", 12).await, Some(28));
    // Another host, with nothing of its own, goes on where the group is.
    let project = on_kafka(&broker, &json!({}));
    let host = Host::start_project(&project.data(), Some(&project.path()));
    broker.produce(HUB, spread(&events[..4]));
    assert_eq!(host.wait_for_documents(SCORED, 4).len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_does_not_answer_is_waited_for_and_nothing_is_lost() {
    const EVENTS: usize = 600;
    let (events, scores) = golden_events(EVENTS);
    let broker = Broker::start();
    broker.make(HUB, PARTITIONS).await;
    broker.make("scored", PARTITIONS).await;
    let project = on_kafka(&broker, &json!({})).file(
        "Outputs/Local_outputHistory.json",
        &json!({
            "Name": "outputHistory", "DataSourceType": "Kafka", "ScriptType": "OutputMock",
            "Kafka": { "BootstrapServers": broker.servers(), "Topic": "scored" },
        }),
    );
    // The history comes by the embedded log, so that it comes also while the broker is away.
    let mut host = Host::start_project(&project.data(), Some(&project.path()));
    let client = reqwest::Client::new();
    broker.produce(HUB, spread(&events[..EVENTS / 2]));
    host.wait_for_documents(SCORED, EVENTS / 2);

    broker.pause();
    until("waiting", &host, async || host.json(&client, "/health").await["status"] == "waiting").await;
    let health = host.json(&client, "/health").await;
    assert!(health["reason"].as_str().unwrap().contains("inputEventHub"), "{health}");
    // A row for the topic waits with it.
    assert_eq!(host.send(&client, "/eventhubspark/messages", "{\"id\": 7}").await.0, 201);
    until("the output to wait", &host, async || {
        let outputs = host.json(&client, "/health").await["outputs"].as_array().cloned().unwrap_or_default();
        outputs.iter().any(|output| output["name"] == "outputHistory" && output["behind"].as_u64() > Some(0))
    })
    .await;
    broker.resume();
    until("running again", &host, async || host.json(&client, "/health").await["status"] == "running").await;
    broker.produce(HUB, spread(&events[EVENTS / 2..]));
    host.wait_for_documents(SCORED, EVENTS);
    assert_eq!(ids(&broker.read("scored", PARTITIONS, |messages| !messages.is_empty())), BTreeSet::from([7]));

    // Also a start while it is away begins, and reads when it is back.
    assert!(host.interrupt(), "{}", host.log());
    broker.pause();
    let mut late = Host::start_unready(&project.data(), Some(&project.path()), &[]);
    assert_eq!(late.json(&client, "/health").await["status"], "waiting", "{}", late.log());
    broker.resume();
    until("running", &late, async || late.json(&client, "/health").await["status"] == "running").await;
    broker.produce(HUB, spread(&events[..1]));
    late.wait_for_documents(SCORED, EVENTS + 1);
    assert!(late.interrupt(), "{}", late.log());
    let mut documents = late.documents(SCORED);
    documents.truncate(EVENTS);
    assert_scored(&documents, &scores);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_job_runs_embedded_and_on_kafka_with_cosmos_db_by_its_local_files_or_the_environment() {
    const EVENTS: usize = 400;
    let (events, scores) = golden_events(EVENTS);
    let client = reqwest::Client::new();

    // As it comes: the embedded log and store.
    let embedded = Project::plain();
    let host = Host::start_project(&embedded.data(), Some(&embedded.path()));
    for event in &events {
        assert_eq!(host.send(&client, &format!("/{HUB}/messages"), event.clone()).await.0, 201);
    }
    let in_store = host.wait_for_documents(SCORED, EVENTS);
    assert_scored(&in_store, &scores);
    drop(host);

    // Two Local_ files are others.
    let broker = Broker::start();
    broker.make(HUB, PARTITIONS).await;
    broker.produce(HUB, spread(&events));
    let cosmos = Cosmos::start();
    cosmos.make("scored", "/day_of_week", None);
    let outside = on_kafka(&broker, &json!({})).file(
        "Outputs/Local_outputCosmosDB.json",
        &json!({
            "DataSourceType": "Cosmos DB", "Endpoint": cosmos.server, "ScriptType": "OutputMock",
            "DocumentDbProperties": { "Database": tamis_tests::cosmos::DATABASE, "ContainerName": "scored" },
        }),
    );
    for name in ["asaproj.json", "fraud.asaql", "JobConfig.json", "Inputs/inputEventHub.json", "Outputs/outputCosmosDB.json"] {
        let bytes = |project: &Project| std::fs::read(project.path().join(name)).unwrap();
        assert_eq!(bytes(&embedded), bytes(&outside), "{name} is the cloud's");
    }
    let mut host = Host::start_with(&outside.data(), Some(&outside.path()), &[("TAMIS_COSMOS_KEY", KEY)]);
    let in_cosmos = cosmos.wait_for("scored", EVENTS);
    assert_scored(&in_cosmos, &scores);
    assert!(host.interrupt(), "{}", host.log());
    let plain = |documents: &[Value]| -> BTreeMap<String, String> {
        let of =
            |document: &Value| (document["id"].to_string().replace('"', ""), format!("{} {}", document["score"], document["prediction"]));
        documents.iter().map(of).collect()
    };
    assert_eq!(plain(&in_cosmos), plain(&in_store));

    // No file is another, only the environment: the job that is in the program.
    broker.make("eventhubspark", 1).await;
    let data = tempfile::tempdir().unwrap();
    let servers = broker.servers();
    let by_environment = [("TAMIS_KAFKA_SERVERS", servers.as_str()), ("TAMIS_KAFKA_GROUP", "by environment")];
    let host = Host::start_with(data.path(), None, &by_environment);
    assert_scored(&host.wait_for_documents(SCORED, EVENTS), &scores);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hosts_of_a_group_share_the_partitions_and_take_over_from_one_that_is_killed() {
    const EVENTS: usize = 1200;
    let (events, scores) = golden_events(EVENTS);
    let broker = Broker::start();
    broker.make(HUB, PARTITIONS).await;
    let group = || on_kafka(&broker, &json!({ "Assignment": "group", "Properties": { "session.timeout.ms": 6000 } }));
    let (of_first, of_second) = (group(), group());
    let mut first = Host::start_project(&of_first.data(), Some(&of_first.path()));
    broker.produce(HUB, spread(&events[..400]));
    first.wait_for_documents(SCORED, 400);
    let mut second = Host::start_project(&of_second.data(), Some(&of_second.path()));
    let part = |host: &Host| ["[2, 3]", "[0, 1]"].iter().any(|part| host.log().contains(part));
    until("the second host's part", &second, async || part(&second) && part(&first)).await;
    broker.produce(HUB, spread(&events[400..800]));
    second.wait_for_documents(SCORED, 200);
    first.wait_for_documents(SCORED, 600);
    // Killed with events on their way to it; the other one takes them when the group has noticed.
    broker.produce(HUB, spread(&events[800..1000]));
    first.kill();
    broker.produce(HUB, spread(&events[1000..]));
    let mut all: BTreeMap<u64, Value> = BTreeMap::new();
    until("every event", &second, async || {
        for document in first.documents(SCORED).into_iter().chain(second.documents(SCORED)) {
            // An event that both have read is the same in both.
            let id = document["id"].as_u64().unwrap();
            let score = document["score"].clone();
            let known = all.insert(id, document);
            assert!(known.is_none_or(|known| known["score"] == score), "{id}");
        }
        all.len() == EVENTS
    })
    .await;
    assert!(second.interrupt(), "{}", second.log());
    assert_scored(&all.into_values().collect::<Vec<_>>(), &scores);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_is_refused_and_no_secret_is_shown() {
    let broker = Broker::start();
    broker.make(HUB, PARTITIONS).await;
    let says = |refusal: &str, words: &[&str]| {
        for word in words {
            assert!(refusal.contains(word), "'{word}' is not in:\n{refusal}");
        }
    };
    says(&on_kafka(&broker, &json!({ "Topic": "nowhere" })).refusal(&[]), &["input 'inputEventHub'", "no topic 'nowhere'"]);
    says(&on_kafka(&broker, &json!({ "Startt": "end" })).refusal(&[]), &["Local_inputEventHub.json", "'Startt'", "'Start'"]);
    let login = json!({ "PropertiesFromEnv": { "sasl.password": "NO_SUCH_VARIABLE" } });
    says(&on_kafka(&broker, &login).refusal(&[]), &["NO_SUCH_VARIABLE", "sasl.password", "Local_inputEventHub.json"]);

    // The offsets of a checkpoint are those of one source.
    let project = Project::plain();
    let mut host = Host::start_project(&project.data(), Some(&project.path()));
    let client = reqwest::Client::new();
    assert_eq!(host.send(&client, &format!("/{HUB}/messages"), golden_events(1).0.remove(0)).await.0, 201);
    host.wait_for_documents(SCORED, 1);
    assert!(host.interrupt(), "{}", host.log());
    let moved = project.file("Inputs/Local_inputEventHub.json", &input(&broker, &json!({})));
    says(&moved.refusal(&[]), &["input 'inputEventHub'", "local log", "topic realtimefdhub", "--data-dir"]);

    // Event Hubs that cannot be reached: the job waits, and its key is nowhere.
    let connection = format!("Endpoint=sb://localhost/;SharedAccessKeyName=listen;SharedAccessKey={KEY};EntityPath=ignored");
    let local = json!({ "Name": "inputEventHub", "DataSourceType": "Event Hub", "ScriptType": "InputMock",
        "Kafka": { "ConnectionStringFromEnv": "FRAUDHUBS" } });
    let project = Project::plain().file("Inputs/Local_inputEventHub.json", &local);
    says(&project.refusal(&[]), &["FRAUDHUBS", "connection string"]);
    let mut host = Host::start_unready(&project.data(), Some(&project.path()), &[("FRAUDHUBS", &connection), ("RUST_LOG", "debug")]);
    let health = host.json(&client, "/health").await;
    assert_eq!(health["status"], "waiting");
    says(health["reason"].as_str().unwrap(), &["inputEventHub", HUB, "localhost:9093"]);
    let mut text = health.to_string();
    for page in ["/metrics", "/api/dead-letters"] {
        text.push_str(&client.get(format!("{}{page}", host.url())).send().await.unwrap().text().await.unwrap());
    }
    assert!(host.interrupt(), "{}", host.log());
    text.push_str(&host.log());
    assert!(!text.contains(KEY), "{text}");
    says(&text, &["SharedAccessKey=***", "EntityPath=ignored"]);
}
