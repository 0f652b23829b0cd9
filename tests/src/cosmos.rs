//! A Cosmos DB server on this machine with a door that disturbs (`peers/cosmos.mjs`), the official client, and a copy of the
//! fraud project that writes there.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Instant;

use serde_json::{Value, json};

use crate::golden::root;
use crate::host::{PATIENCE, program};
use crate::small::copy;

/// The database of the tests.
pub const DATABASE: &str = "fraud";
/// Any key: the server does not check it. It must not be found anywhere.
pub const KEY: &str = "bmV2ZXItcHJpbnQtdGhpcy1rZXktYW55d2hlcmUtb3ItZWxzZQ==";

/// A running server; it ends with this value.
#[derive(Debug)]
pub struct Cosmos {
    process: Child,
    _stdin: ChildStdin,
    /// Where the server is.
    pub server: String,
    /// Where the door before it is.
    pub door: String,
    client: reqwest::Client,
}

impl Cosmos {
    /// Starts a server with nothing in it.
    pub fn start() -> Self {
        let peers = root().join("tests/peers");
        assert!(peers.join("node_modules").is_dir(), "the packages of tests/peers are not there; run ./scripts/test rust, or npm ci in it");
        let mut process = Command::new("node").arg(peers.join("cosmos.mjs")).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let addresses: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let address = |name: &str| addresses[name].as_str().unwrap().to_owned();
        let stdin = process.stdin.take().unwrap();
        Self { process, _stdin: stdin, server: address("server"), door: address("door"), client: reqwest::Client::new() }
    }

    /// Makes a container by the official client.
    pub fn make(&self, container: &str, partition_path: &str, unique_path: Option<&str>) {
        let mut arguments = vec!["make", DATABASE, container, partition_path];
        arguments.extend(unique_path);
        self.official(&arguments);
    }

    /// Deletes a document, by the official client.
    pub fn remove(&self, container: &str, id: &str, partition_key: &str) {
        self.official(&["remove", DATABASE, container, id, partition_key]);
    }

    /// All documents of a container, as the official client reads them.
    pub fn documents(&self, container: &str) -> Vec<Value> {
        self.official(&["read", DATABASE, container]).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Waits until a container has so many documents, and answers them.
    pub fn wait_for(&self, container: &str, count: usize) -> Vec<Value> {
        let start = Instant::now();
        loop {
            let documents = self.documents(container);
            if documents.len() >= count {
                return documents;
            }
            assert!(start.elapsed() < PATIENCE, "{} of {count} documents are in {container}", documents.len());
            std::thread::sleep(std::time::Duration::from_millis(200));
        }
    }

    fn official(&self, arguments: &[&str]) -> String {
        let client = root().join("tests/peers/cosmos-client.mjs");
        let output = Command::new("node").arg(client).arg(&self.server).args(arguments).env("TAMIS_COSMOS_KEY", KEY).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// From now on, every so-manieth write through the door meets the next of these faults.
    pub async fn disturb(&self, every: usize, kinds: &[&str], status: u16) {
        let faults = json!({ "every": every, "kinds": kinds, "status": status });
        self.client.post(format!("{}-/faults", self.door)).json(&faults).send().await.unwrap();
    }

    /// What the door has seen.
    pub async fn seen(&self) -> Value {
        self.client.get(format!("{}-/faults", self.door)).send().await.unwrap().json().await.unwrap()
    }
}

impl Drop for Cosmos {
    fn drop(&mut self) {
        let _gone = self.process.kill();
        let _reaped = self.process.wait();
    }
}

/// A copy of the fraud project whose scored output is in Cosmos DB, or in a file.
#[derive(Debug)]
pub struct Project {
    dir: tempfile::TempDir,
}

impl Project {
    /// Bound to a container at this address; `properties` are put over its `DocumentDbProperties`.
    pub fn new(endpoint: &str, container: &str, properties: &Value) -> Self {
        let mut all = json!({ "Database": DATABASE, "ContainerName": container });
        for (name, value) in properties.as_object().unwrap() {
            all[name] = value.clone();
        }
        let local = json!({ "DataSourceType": "Cosmos DB", "Endpoint": endpoint, "DocumentDbProperties": all, "ScriptType": "OutputMock" });
        Self::with_output(&local)
    }

    /// The scored output is a file of JSON lines, relative to the data directory.
    pub fn json_lines(path: &str) -> Self {
        Self::with_output(&json!({ "DataSourceType": "JSON Lines", "FilePath": path, "ScriptType": "OutputMock" }))
    }

    /// The scored output's local file is this.
    pub fn with_output(local: &Value) -> Self {
        Self::plain().file("Outputs/Local_outputCosmosDB.json", local)
    }

    /// As it is: hubs of the embedded log, and the embedded store.
    pub fn plain() -> Self {
        let project = Self { dir: tempfile::tempdir().unwrap() };
        copy(&root().join("host/jobs/fraud"), &project.path());
        project
    }

    /// With another file.
    #[must_use]
    pub fn file(self, file: &str, json: &Value) -> Self {
        std::fs::write(self.path().join(file), json.to_string()).unwrap();
        self
    }

    /// The statement that feeds the scored output.
    #[must_use]
    pub fn statement(self, statement: &str) -> Self {
        self.replace("fraud.asaql", "SELECT * INTO outputCosmosDB FROM Scored", statement)
    }

    /// Changes a file.
    #[must_use]
    pub fn replace(self, file: &str, from: &str, to: &str) -> Self {
        let path = self.path().join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file} has no '{from}'");
        std::fs::write(path, text.replacen(from, to, 1)).unwrap();
        self
    }

    /// Its folder.
    pub fn path(&self) -> PathBuf {
        self.dir.path().join("fraud")
    }

    /// A folder beside it for the host's data.
    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// What `tamis run` says when it refuses to start.
    pub fn refusal(&self, environment: &[(&str, &str)]) -> String {
        let mut process = Command::new(program())
            .args(["run", "--listen", "127.0.0.1:0", "--data-dir"])
            .args([self.data(), self.path()])
            .env_remove("TAMIS_COSMOS_KEY")
            .envs(environment.iter().copied())
            .env("RUST_LOG", "debug")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let start = Instant::now();
        let errors = process.stderr.take().unwrap();
        let log = std::thread::spawn(move || std::io::read_to_string(errors).unwrap());
        while process.try_wait().unwrap().is_none() {
            if start.elapsed() > PATIENCE {
                process.kill().unwrap();
                panic!("the job started:\n{}", log.join().unwrap());
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        assert_eq!(process.wait().unwrap().code(), Some(1));
        log.join().unwrap()
    }

    /// The scored output's documents, as `tamis documents` reads them from Cosmos DB.
    pub fn documents(&self) -> Vec<Value> {
        let output = Command::new(program())
            .args(["documents", "--output", "outputCosmosDB", "--project"])
            .arg(self.path())
            .env("TAMIS_COSMOS_KEY", KEY)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}
