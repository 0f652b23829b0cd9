//! Against librdkafka's own cluster in memory. What needs a real broker is in `tests/tests/kafka.rs`.

use std::collections::BTreeMap;
use std::time::Instant;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer};
use rdkafka::{Offset, TopicPartitionList};

use super::*;

const TOPIC: &str = "transactions";
const PATIENCE: Duration = Duration::from_secs(30);

struct Cluster {
    cluster: MockCluster<'static, DefaultProducerContext>,
    producer: BaseProducer,
}

fn servers(servers: &str) -> Vec<(String, String)> {
    vec![("bootstrap.servers".to_owned(), servers.to_owned())]
}

impl Cluster {
    fn new(partitions: i32) -> Self {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic(TOPIC, partitions, 1).unwrap();
        let producer = ClientConfig::new().set("bootstrap.servers", cluster.bootstrap_servers()).create().unwrap();
        Self { cluster, producer }
    }

    /// Events `from` to `to`, one after the other into each partition, a second apart from 1970 on.
    fn produce(&self, partitions: i32, from: u32, to: u32) {
        for number in from..to {
            let body = number.to_string();
            let record: BaseRecord<'_, str, str> = BaseRecord::to(TOPIC).payload(body.as_str()).key("k");
            let record = record.partition(number.cast_signed() % partitions).timestamp(i64::from(number + 1) * 1000);
            self.producer.send(record).map_err(|(error, _)| error).unwrap();
        }
        self.producer.flush(PATIENCE).unwrap();
    }

    fn settings(&self, start: Start) -> KafkaSettings {
        KafkaSettings {
            input: "in".to_owned(),
            server: "the cluster".to_owned(),
            topic: TOPIC.to_owned(),
            group: "g".to_owned(),
            start,
            shared: false,
            properties: servers(&self.cluster.bootstrap_servers()),
        }
    }

    /// What the consumer group has committed.
    fn committed(&self) -> BTreeMap<i32, i64> {
        let consumer: BaseConsumer =
            ClientConfig::new().set("bootstrap.servers", self.cluster.bootstrap_servers()).set("group.id", "g").create().unwrap();
        let mut asked = TopicPartitionList::new();
        asked.add_partition_range(TOPIC, 0, 1);
        let found = consumer.committed_offsets(asked, PATIENCE).unwrap();
        let offset = |offset| if let Offset::Offset(offset) = offset { Some(offset) } else { None };
        found.elements().iter().filter_map(|element| Some((element.partition(), offset(element.offset())?))).collect()
    }
}

/// A source that is read.
struct Reading {
    source: KafkaSource,
    partitions: Vec<KafkaPartition>,
    reached: watch::Sender<Arc<[Progress]>>,
    pump: JoinHandle<()>,
}

impl Reading {
    fn open(settings: KafkaSettings, known: &[(u32, u64)]) -> Self {
        let (reached, told) = watch::channel(Arc::from([]));
        let known = known.iter().copied().collect();
        let (source, pump) = KafkaSource::open(settings, &known, told).unwrap();
        Self { source, partitions: Vec::new(), reached, pump }
    }

    fn take(&mut self) -> Vec<(u32, Event)> {
        self.partitions.extend(self.source.found());
        let mut events = Vec::new();
        for partition in &mut self.partitions {
            let taken = partition.take(1000, 1 << 20).unwrap();
            events.extend(taken.events.into_iter().map(|event| (partition.partition, event)));
        }
        events
    }

    /// Waits for so many events; answers what they say, sorted.
    fn wait_for(&mut self, count: usize) -> Vec<u32> {
        let (start, mut events) = (Instant::now(), Vec::new());
        while events.len() < count {
            assert!(start.elapsed() < PATIENCE, "{} of {count} events came", events.len());
            events.extend(self.take());
            std::thread::sleep(Duration::from_millis(5));
        }
        let mut numbers: Vec<u32> = events.iter().map(|(_, event)| number(event)).collect();
        numbers.sort_unstable();
        numbers
    }

    /// A checkpoint of these partitions.
    fn checkpoint(&self, partitions: &[(u32, u64)]) {
        let of = |(partition, next): &(u32, u64)| Progress { input: "in".to_owned(), partition: *partition, next: *next };
        self.reached.send_replace(partitions.iter().map(of).collect());
    }

    fn close(self) {
        drop(self.reached);
        self.pump.join().unwrap();
    }
}

fn number(event: &Event) -> u32 {
    std::str::from_utf8(&event.body).unwrap().parse().unwrap()
}

fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "{what} did not come");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn everything_is_read_from_the_beginning_with_its_place_and_time() {
    let cluster = Cluster::new(2);
    cluster.produce(2, 0, 10);
    let mut reading = Reading::open(cluster.settings(Start::Beginning), &[]);
    let (start, mut events) = (Instant::now(), Vec::new());
    while events.len() < 10 && start.elapsed() < PATIENCE {
        events.extend(reading.take());
    }
    assert_eq!(events.len(), 10);
    for (partition, event) in &events {
        let number = number(event);
        assert_eq!((*partition, event.offset), (number % 2, u64::from(number / 2)));
        assert_eq!(event.enqueued, Timestamp::from_millis(i64::from(number + 1) * 1000));
        assert_eq!(event.key.as_deref(), Some("k"));
    }
    until("the end of both partitions", || reading.partitions.iter().all(KafkaPartition::is_quiet));
    assert_eq!(reading.partitions.iter().map(|partition| partition.backlog(5)).sum::<u64>(), 0);
    // One of them again, for a dead letter.
    let again = reading.partitions[1].again(3).unwrap();
    assert_eq!((number(&again), again.offset), (7, 3));
    assert_eq!(number(&reading.partitions[0].again(0).unwrap()), 0);
    // What comes later is read, too, and ends the quiet.
    cluster.produce(2, 10, 13);
    assert_eq!(reading.wait_for(3), [10, 11, 12]);
    reading.close();
}

#[test]
fn reading_starts_where_it_is_told_to() {
    let cluster = Cluster::new(2);
    cluster.produce(2, 0, 20);
    // Behind the newest.
    let mut end = Reading::open(cluster.settings(Start::End), &[]);
    // The host's own checkpoint comes before any start.
    let mut own = Reading::open(cluster.settings(Start::End), &[(0, 9), (1, 8)]);
    // No event is that young yet: the first that is begins it.
    let mut late = Reading::open(cluster.settings(Start::Time(Timestamp::from_millis(1_000_000))), &[]);
    assert_eq!(own.wait_for(3), [17, 18, 19]);
    cluster.produce(2, 20, 22);
    assert_eq!(end.wait_for(2), [20, 21]);
    cluster.produce(2, 998, 1001);
    assert_eq!(late.wait_for(2), [999, 1000]);
    for reading in [end, own, late] {
        reading.close();
    }
}

#[test]
fn the_group_is_told_after_a_checkpoint_and_the_next_host_goes_on_there() {
    let cluster = Cluster::new(2);
    cluster.produce(2, 0, 20);
    let mut first = Reading::open(cluster.settings(Start::Checkpoint), &[]);
    assert_eq!(first.wait_for(20).len(), 20);
    assert_eq!(cluster.committed(), BTreeMap::new(), "nothing is told before it is written");
    first.checkpoint(&[(0, 4), (1, 5)]);
    until("the commit", || cluster.committed() == BTreeMap::from([(0, 4), (1, 5)]));
    first.checkpoint(&[(0, 7), (1, 8)]);
    // The last checkpoint is told when the job ends.
    first.close();
    assert_eq!(cluster.committed(), BTreeMap::from([(0, 7), (1, 8)]));
    let mut second = Reading::open(cluster.settings(Start::Checkpoint), &[]);
    assert_eq!(second.wait_for(5), [14, 16, 17, 18, 19]);
    second.close();
}

#[test]
fn a_broker_that_is_away_is_told_and_waited_for() {
    let cluster = Cluster::new(2);
    cluster.produce(2, 0, 4);
    let mut reading = Reading::open(cluster.settings(Start::Beginning), &[]);
    assert_eq!(reading.wait_for(4).len(), 4);
    let trouble = reading.source.trouble();
    assert_eq!(*trouble.borrow(), None);
    cluster.cluster.broker_down(1).unwrap();
    until("the trouble", || trouble.borrow().is_some());
    let said = trouble.borrow().clone().unwrap();
    assert!(said.contains("input 'in'") && said.contains(TOPIC) && said.contains("the cluster"), "{said}");
    assert!(reading.partitions.iter().all(|partition| !partition.is_quiet()), "nobody knows what waits there");
    cluster.cluster.broker_up(1).unwrap();
    until("the end of the trouble", || trouble.borrow().is_none());
    cluster.produce(2, 4, 6);
    assert_eq!(reading.wait_for(2), [4, 5]);
    reading.close();
}

#[test]
fn a_start_without_a_broker_begins_when_it_is_there() {
    let cluster = Cluster::new(2);
    cluster.produce(2, 0, 4);
    cluster.cluster.broker_down(1).unwrap();
    let mut reading = Reading::open(cluster.settings(Start::Beginning), &[]);
    let trouble = reading.source.trouble();
    assert!(trouble.borrow().is_some() && reading.source.found().is_empty());
    cluster.cluster.broker_up(1).unwrap();
    assert_eq!(reading.wait_for(4), [0, 1, 2, 3]);
    until("the end of the trouble", || trouble.borrow().is_none());
    reading.close();
}

#[test]
fn what_waits_is_bounded_however_much_there_is() {
    let cluster = Cluster::new(1);
    let body = vec![b'x'; 100_000];
    // More than the queue takes; the mock keeps 5 MiB a partition, so it is fed while it is read.
    let shared = Shared::default();
    shared.begin(0, start::Begun::at(0));
    let event = |offset| Event { offset, enqueued: Timestamp(0), body: body.clone().into(), key: None, properties: Vec::new() };
    let mut offset = 0;
    while shared.has_room(Duration::ZERO) {
        shared.push(vec![(0, event(offset))], &[]);
        offset += 1;
        assert!(offset < 1000, "the queue has no end");
    }
    assert!((300..=400).contains(&offset), "{offset}");
    let taken = shared.take(0, 10, usize::MAX).unwrap();
    assert_eq!((taken.events.len(), taken.next), (10, Some(10)));
    assert!(shared.has_room(Duration::ZERO));
    // Given up, it takes no room.
    shared.give_up(0);
    assert!(shared.take(0, 10, usize::MAX).unwrap().events.is_empty());
    drop(cluster);
}

#[test]
fn wrong_settings_are_told_at_once_and_without_secrets() {
    let cluster = Cluster::new(1);
    let refusal = |change: &dyn Fn(&mut KafkaSettings)| {
        let mut settings = cluster.settings(Start::Beginning);
        change(&mut settings);
        let (_reached, told) = watch::channel(Arc::from([]));
        KafkaSource::open(settings, &HashMap::new(), told).map(drop).unwrap_err().to_string()
    };
    let no_topic = refusal(&|settings| settings.topic = "nowhere".to_owned());
    assert!(no_topic.contains("no topic 'nowhere'") && no_topic.contains("Kafka.Topic"), "{no_topic}");
    let own = refusal(&|settings| settings.properties.push(("enable.auto.commit".to_owned(), "true".to_owned())));
    assert!(own.contains("enable.auto.commit") && own.contains("checkpoint"), "{own}");
    let unknown = refusal(&|settings| settings.properties.push(("no.such.setting".to_owned(), "x".to_owned())));
    assert!(unknown.contains("no.such.setting"), "{unknown}");
    let secret = refusal(&|settings| settings.properties.push(("sasl.oauthbearer.client.secret.typo".to_owned(), "hunter2".to_owned())));
    assert!(secret.contains("client.secret.typo") && !secret.contains("hunter2"), "{secret}");
    let mut settings = cluster.settings(Start::Beginning);
    settings.properties.push(("sasl.password".to_owned(), "hunter2".to_owned()));
    assert!(!format!("{settings:?}").contains("hunter2"));
}

#[test]
fn a_server_that_does_not_know_times_is_made_up_for() {
    let shared = Shared::default();
    shared.begin(0, start::Begun { after: Some(Timestamp(50)), ..start::Begun::at(0) });
    let event = |offset, time| Event { offset, enqueued: Timestamp(time), body: "{}".into(), key: None, properties: Vec::new() };
    shared.push(vec![(0, event(0, 10)), (0, event(1, 40)), (0, event(2, 50)), (0, event(3, 30))], &[]);
    let taken = shared.take(0, 10, usize::MAX).unwrap();
    let offsets: Vec<u64> = taken.events.iter().map(|event| event.offset).collect();
    assert_eq!((offsets, taken.next), (vec![2, 3], Some(4)), "what comes after the first is read, whatever its time");
}

#[test]
fn events_that_the_topic_no_longer_has_are_told() {
    let lost = start::gone(5, 100);
    assert_eq!(lost.offset, 5);
    assert!(lost.reason.contains("5 to 99") && lost.reason.contains("100"), "{}", lost.reason);
}
