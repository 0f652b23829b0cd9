//! A Kafka broker on this machine as a process of its own (`peers/kafka`), and what a test does with it.

use std::collections::BTreeMap;
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message as _};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::golden::root;
use crate::host::PATIENCE;
use crate::server::free_port;

/// A running broker; what it has is in memory and ends with it.
#[derive(Debug)]
pub struct Broker {
    process: Child,
    port: u16,
}

/// A message as it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its partition.
    pub partition: i32,
    /// Its key.
    pub key: Option<String>,
    /// Its headers.
    pub headers: BTreeMap<String, String>,
    /// Its body.
    pub body: String,
}

impl Broker {
    /// Starts a broker with nothing in it. What it needs is installed first, by uv.
    pub fn start() -> Self {
        static INSTALLED: OnceLock<()> = OnceLock::new();
        let program = root().join("tests/peers/kafka/broker");
        INSTALLED.get_or_init(|| assert!(Command::new(&program).status().unwrap().success(), "uv installs the broker"));
        let port = free_port();
        let process = Command::new(&program).arg(port.to_string()).stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        let mut broker = Self { process, port };
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = broker.process.try_wait().unwrap();
            assert!(ended.is_none() && start.elapsed() < PATIENCE, "the broker does not answer: {ended:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
        broker
    }

    /// Its address.
    pub fn servers(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.servers());
        config
    }

    /// Makes a topic.
    pub async fn make(&self, topic: &str, partitions: i32) {
        let admin: AdminClient<DefaultClientContext> = self.config().create().unwrap();
        let options = AdminOptions::new().request_timeout(Some(PATIENCE));
        let made = admin.create_topics(&[NewTopic::new(topic, partitions, TopicReplication::Fixed(1))], &options).await.unwrap();
        assert!(made.iter().all(Result::is_ok), "{made:?}");
    }

    /// Sends messages, `(partition, body, milliseconds since 1970)`, and waits until all are acknowledged.
    pub fn produce(&self, topic: &str, messages: impl IntoIterator<Item = (i32, String, Option<i64>)>) {
        let producer: BaseProducer = self.config().set("linger.ms", "2").create().unwrap();
        for (partition, body, time) in messages {
            let mut record: BaseRecord<'_, str, str> = BaseRecord::to(topic).payload(body.as_str()).partition(partition);
            record.timestamp = time;
            while let Err((error, back)) = producer.send(record) {
                assert_eq!(error.rdkafka_error_code(), Some(RDKafkaErrorCode::QueueFull), "{error}");
                producer.poll(Duration::from_millis(10));
                record = back;
            }
        }
        producer.flush(PATIENCE).unwrap();
    }

    /// Reads a topic from its beginning until `enough` says so of the messages.
    pub fn read(&self, topic: &str, partitions: i32, enough: impl Fn(&[Message]) -> bool) -> Vec<Message> {
        let consumer: BaseConsumer = self.config().set("group.id", "test").set("enable.auto.commit", "false").create().unwrap();
        let mut all = TopicPartitionList::new();
        for partition in 0..partitions {
            all.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
        }
        consumer.assign(&all).unwrap();
        let (start, mut found) = (Instant::now(), Vec::new());
        loop {
            // Asked only when nothing more comes: the answer may take long over many messages.
            let Some(message) = consumer.poll(Duration::from_millis(300)) else {
                if enough(&found) {
                    return found;
                }
                assert!(start.elapsed() < PATIENCE, "after {} messages of {topic}", found.len());
                continue;
            };
            let message = message.unwrap();
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            let headers = message.headers().into_iter().flat_map(Headers::iter);
            found.push(Message {
                partition: message.partition(),
                key: message.key().map(text),
                headers: headers.map(|header| (header.key.to_owned(), text(header.value.unwrap()))).collect(),
                body: text(message.payload().unwrap()),
            });
        }
    }

    /// How far a consumer group is, by partition.
    pub fn committed(&self, topic: &str, partitions: i32, group: &str) -> BTreeMap<i32, i64> {
        let consumer: BaseConsumer = self.config().set("group.id", group).create().unwrap();
        let mut asked = TopicPartitionList::new();
        asked.add_partition_range(topic, 0, partitions - 1);
        let found = consumer.committed_offsets(asked, PATIENCE).unwrap();
        let offset = |offset| if let Offset::Offset(offset) = offset { Some(offset) } else { None };
        found.elements().iter().filter_map(|element| Some((element.partition(), offset(element.offset())?))).collect()
    }

    /// From now on it answers nobody, and keeps what it has.
    pub fn pause(&self) {
        self.signal("-STOP");
    }

    /// It goes on.
    pub fn resume(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        assert!(Command::new("kill").args([signal, &self.process.id().to_string()]).status().unwrap().success());
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _gone = self.process.kill();
        let _reaped = self.process.wait();
    }
}
