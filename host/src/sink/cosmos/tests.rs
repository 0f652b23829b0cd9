//! Against the Azure crates' own server in memory: no socket, binary JSON, real 404, 409, 413 and 429.
//!
//! `cargo test --release -p tamis --lib --features cosmos-emulator cosmos`

use std::sync::Arc;

use azure_core::http::Url;
use azure_data_cosmos::models::{ContainerProperties, PartitionKeyDefinition, UniqueKey, UniqueKeyPolicy};
use azure_data_cosmos::{AccountEndpoint, AccountReference, CosmosClient, RoutingStrategy};
use azure_data_cosmos_driver::in_memory_emulator::{
    ConsistencyLevel, ContainerConfig, InMemoryEmulatorHttpClient, VirtualAccountConfig, VirtualRegion,
};

use super::*;
use crate::batch::{Column, Origin, Value};
use crate::fault::Retry;
use crate::time::Timestamp;

const GATEWAY: &str = "https://eastus.emulator.local";

struct Account {
    server: Arc<InMemoryEmulatorHttpClient>,
    policy: ErrorPolicy,
}

impl Account {
    fn new() -> Self {
        let config = VirtualAccountConfig::new(vec![VirtualRegion::new("East US", Url::parse(GATEWAY).unwrap())]).unwrap();
        let config = config.with_consistency(ConsistencyLevel::Session).with_throttling_enabled(true);
        let server = Arc::new(InMemoryEmulatorHttpClient::new(config));
        server.store().create_database("db");
        Self { server, policy: ErrorPolicy::Retry }
    }

    fn with_policy(mut self, policy: ErrorPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// A container with the path `/p`.
    fn with(self, container: &str) -> Self {
        self.with_config(container, ContainerConfig::new().with_partition_count(3))
    }

    fn with_config(self, container: &str, config: ContainerConfig) -> Self {
        self.server.store().create_container_with_config("db", container, PartitionKeyDefinition::from("/p"), config.build().unwrap());
        self
    }

    fn runtime(&self) -> CosmosRuntimeBuilder {
        CosmosRuntimeBuilder::from(self.server.runtime_builder())
    }

    async fn client(&self) -> CosmosClient {
        let account = AccountReference::with_authentication_key(GATEWAY.parse::<AccountEndpoint>().unwrap(), Secret::from("c2VjcmV0"));
        let builder = CosmosClient::builder().with_runtime(self.runtime().build().await.unwrap());
        builder.build(account, RoutingStrategy::PreferredRegions(Vec::new())).await.unwrap()
    }

    /// A container in which each value of `n` may be there once in a partition key.
    async fn with_unique_n(self, container: &str) -> Self {
        let unique = UniqueKeyPolicy::default().with_unique_key(UniqueKey::default().with_path("/n"));
        let properties = ContainerProperties::new(container.to_owned(), PartitionKeyDefinition::from("/p")).with_unique_key_policy(unique);
        self.client().await.database_client("db").create_container(properties, None).await.unwrap();
        self
    }

    fn settings(&self, container: &str) -> CosmosSettings {
        CosmosSettings {
            output: "out".to_owned(),
            file: "Outputs/Local_out.json".to_owned(),
            endpoint: GATEWAY.to_owned(),
            login: Login::key("c2VjcmV0"),
            database: "db".to_owned(),
            container: container.to_owned(),
            partition_key: "p".to_owned(),
            document_id: None,
            policy: self.policy,
        }
    }

    fn open(&self, settings: &CosmosSettings) -> Result<CosmosSink, Fault> {
        CosmosSink::open_with(settings, &[], false, &Handle::current(), self.runtime())
    }

    async fn printed(&self, container: &str) -> Vec<serde_json::Value> {
        let mut out = Vec::new();
        let printed = read::print_with(&self.settings(container), self.runtime(), &mut out).await.unwrap();
        let lines: Vec<_> = String::from_utf8(out).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(printed, lines.len() as u64);
        lines
    }
}

/// Rows of partition `p` = row modulo 7, with a number and whatever else.
fn rows(count: usize, more: &[(&str, &dyn Fn(usize) -> Value)]) -> Batch {
    let partition = |row: usize| Value::BigInt(row as i64 % 7);
    let number = |row: usize| Value::Float(row as f64);
    let mut columns: Vec<(&str, &dyn Fn(usize) -> Value)> = vec![("p", &partition), ("n", &number)];
    columns.extend(more);
    Batch {
        names: columns.iter().map(|(name, _)| (*name).into()).collect(),
        columns: columns.iter().map(|(_, value)| Column::from_values((0..count).map(value))).collect(),
        times: vec![Timestamp(0); count].into(),
        origin: Origin::Events { input: 0, partition: 1, offsets: (0..count as u64).collect() },
    }
}

/// As the commit thread does it.
async fn write(mut sink: CosmosSink, batch: Batch) -> (CosmosSink, Result<Vec<Refused>, Fault>) {
    let writing = tokio::task::spawn_blocking(move || {
        let written = sink.write(&batch, &DocumentKeys::of(&batch, 0));
        (sink, written)
    });
    writing.await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_are_documents_and_a_replay_overwrites_itself() {
    let account = Account::new().with("c");
    let sink = account.open(&account.settings("c")).unwrap();
    let (sink, written) = write(sink, rows(1000, &[])).await;
    assert_eq!(written, Ok(vec![]));
    let (_, written) = write(sink, rows(1000, &[("note", &|_| Value::Text("again".into()))])).await;
    assert_eq!(written, Ok(vec![]));
    let documents = account.printed("c").await;
    assert_eq!(documents.len(), 1000);
    assert!(documents.iter().all(|document| document["note"] == "again"), "replaced, not left");
    let one = documents.iter().find(|document| document["n"] == 8.0).unwrap();
    assert_eq!(one.to_string(), r#"{"p":"1","n":8,"note":"again","id":"0-0-1-8-0","_output":"out","_key":"1/0-0-1-8-0"}"#);
    let ids: Vec<_> = documents.iter().map(|document| document["id"].as_str().unwrap()).collect();
    assert!(ids.is_sorted(), "read in the order of ids");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replaced_document_loses_the_columns_that_the_row_has_no_more() {
    let account = Account::new().with("c");
    let sink = account.open(&account.settings("c")).unwrap();
    let (sink, _) = write(sink, rows(2, &[("old", &|_| Value::Bit(true))])).await;
    let (_, _) = write(sink, rows(2, &[])).await;
    assert!(account.printed("c").await.iter().all(|document| document.get("old").is_none()), "level 1.2 replaces, it does not merge");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_much_for_the_throughput_is_written_all_the_same() {
    let account = Account::new().with_config("slow", ContainerConfig::new().with_throughput(2000));
    let mut sink = account.open(&account.settings("slow")).unwrap();
    // 400 documents cost about 2,600 units: more than a second's.
    let mut refusals = 0;
    loop {
        let (same, written) = write(sink, rows(400, &[("id", &|row| Value::BigInt(row as i64))])).await;
        sink = same;
        match written {
            Ok(refused) => break assert_eq!(refused, []),
            Err(fault) => assert_eq!(fault.retry, Retry::Backoff, "{fault}"),
        }
        refusals += 1;
        assert!(refusals < 100, "it never comes to an end");
    }
    assert_eq!(account.printed("slow").await.len(), 400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_refused_document_of_a_batch_does_not_take_the_others_with_it() {
    let twins = |row: usize| Value::Float(if row == 13 { 6.0 } else { row as f64 });
    let batch = || {
        let mut batch = rows(50, &[]);
        batch.columns[1] = Column::from_values((0..50).map(twins));
        batch
    };
    let account = Account::new().with_policy(ErrorPolicy::Drop).with_unique_n("c").await;
    let (_, written) = write(account.open(&account.settings("c")).unwrap(), batch()).await;
    let refused = written.unwrap();
    assert_eq!(refused.iter().map(|refused| refused.row).collect::<Vec<_>>(), [13]);
    assert!(refused[0].reason.contains("409") && refused[0].reason.contains("'0-0-1-13-0'"), "{}", refused[0].reason);
    assert_eq!(account.printed("c").await.len(), 49);

    let account = Account::new().with_policy(ErrorPolicy::Retry).with_unique_n("c").await;
    let (sink, written) = write(account.open(&account.settings("c")).unwrap(), batch()).await;
    let fault = written.unwrap_err();
    assert!(fault.retry == Retry::Backoff && fault.to_string().contains("output 'out'"), "{fault}");
    assert_eq!(sink.in_hand.as_ref().unwrap().left.len(), 1, "only what is not written is sent again");
    assert_eq!(account.printed("c").await.len(), 49);

    let account = Account::new().with_policy(ErrorPolicy::Stop).with_unique_n("c").await;
    let (_, written) = write(account.open(&account.settings("c")).unwrap(), batch()).await;
    let fault = written.unwrap_err();
    assert!(fault.retry == Retry::Never && fault.to_string().contains("policy is Stop"), "{fault}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_documents_are_written_and_larger_ones_refused() {
    let long = |row: usize| Value::Text("a".repeat(if row == 2 { document::MAX_BYTES } else { 700 << 10 }).into());
    let account = Account::new().with_policy(ErrorPolicy::Retry).with("c");
    let (_, written) = write(account.open(&account.settings("c")).unwrap(), rows(4, &[("long", &long)])).await;
    let refused = written.unwrap();
    assert_eq!(refused.iter().map(|refused| refused.row).collect::<Vec<_>>(), [2], "{refused:?}");
    assert_eq!(account.printed("c").await.len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_container_that_is_gone_stops_the_job() {
    let account = Account::new().with("c");
    let sink = account.open(&account.settings("c")).unwrap();
    account.client().await.database_client("db").container_client("c", None).await.unwrap().delete(None).await.unwrap();
    let (_, written) = write(sink, rows(10, &[])).await;
    let fault = written.unwrap_err();
    assert!(fault.retry == Retry::Never && fault.to_string().contains("404"), "{fault}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_container_and_its_partition_key_are_checked_at_start() {
    let account = Account::new().with("c");
    let error = account.open(&account.settings("gone")).unwrap_err().to_string();
    assert!(error.starts_with("Outputs/Local_out.json: output 'out': ") && error.contains("no container 'gone'"), "{error}");
    let error = account.open(&CosmosSettings { database: "nowhere".to_owned(), ..account.settings("c") }).unwrap_err().to_string();
    assert!(error.contains("'nowhere'"), "{error}");
    let error = account.open(&CosmosSettings { partition_key: "q".to_owned(), ..account.settings("c") }).unwrap_err().to_string();
    assert!(error.contains("'/q'") && error.contains("'/p'"), "{error}");
    let debug = format!("{:?}", account.settings("c"));
    assert!(!debug.contains("c2VjcmV0"), "{debug}");
}
