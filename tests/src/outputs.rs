//! A small project whose one input goes to several outputs, and events for it.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::golden::root;

/// The hub that it reads.
pub const HUB: &str = "events";

/// A project in a folder of its own.
#[derive(Debug)]
pub struct Outputs {
    dir: tempfile::TempDir,
}

impl Outputs {
    /// Each event goes to all of these outputs as it came; the values are their local files.
    pub fn new(policy: &str, outputs: &[(&str, Value)]) -> Self {
        Self::with_query(policy, outputs, |output| format!("SELECT id, part, kind, bad, place INTO [{output}] FROM input\n"))
    }

    /// The same, with a statement for each output.
    pub fn with_query(policy: &str, outputs: &[(&str, Value)], statement: impl Fn(&str) -> String) -> Self {
        let made = Self { dir: tempfile::tempdir().unwrap() };
        let mut listed = vec![
            json!({ "filePath": "JobConfig.json", "subType": "JobConfig" }),
            json!({ "filePath": "Inputs/input.json", "subType": "Input" }),
        ];
        listed.extend(outputs.iter().map(|(name, _)| json!({ "filePath": format!("Outputs/{name}.json"), "subType": "Output" })));
        made.put("asaproj.json", &json!({ "name": "outputs", "startFile": "job.asaql", "configurations": listed }));
        made.put("JobConfig.json", &json!({ "OutputErrorPolicy": policy, "CompatibilityLevel": "1.2", "ScriptType": "JobConfig" }));
        let hub =
            json!({ "Name": "input", "Type": "Data Stream", "DataSourceType": "Event Hub", "EventHubProperties": { "EventHubName": HUB } });
        made.put("Inputs/input.json", &hub);
        let log = json!({ "Name": "input", "Type": "Data Stream", "DataSourceType": "Embedded Log", "Hub": HUB, "Partitions": 2 });
        made.put("Inputs/Local_input.json", &log);
        for (name, local) in outputs {
            made.put(&format!("Outputs/{name}.json"), &json!({ "Name": name, "DataSourceType": "Blob Storage", "ScriptType": "Output" }));
            made.put(&format!("Outputs/Local_{name}.json"), local);
        }
        let script: String = outputs.iter().map(|(name, _)| statement(name)).collect();
        std::fs::write(made.path().join("job.asaql"), script).unwrap();
        made
    }

    fn put(&self, file: &str, json: &Value) {
        let path = self.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, json.to_string()).unwrap();
    }

    /// Its folder.
    pub fn path(&self) -> PathBuf {
        self.dir.path().join("outputs")
    }

    /// A folder beside it for the host's data.
    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }
}

/// A batch of events with these ids, as Event Hubs' REST door takes it.
pub fn batch(ids: std::ops::Range<u64>) -> String {
    let event = |id: u64| json!({ "Body": event(id).to_string() });
    Value::Array(ids.map(event).collect()).to_string()
}

/// One event.
pub fn event(id: u64) -> Value {
    json!({ "id": id, "part": id % 5, "kind": format!("kind {}", id % 3), "bad": id % 10 == 7, "place": { "at": [id] } })
}

/// Sends a batch to one partition; answers the status, or `None` when the host is not there.
pub async fn send(client: &reqwest::Client, url: &str, partition: u32, body: String) -> Option<u16> {
    let answer = client
        .post(format!("{url}/{HUB}/partitions/{partition}/messages"))
        .header("content-type", "application/vnd.microsoft.servicebus.json")
        .bearer_auth("any token")
        .body(body)
        .send()
        .await
        .ok()?;
    Some(answer.status().as_u16())
}

/// All rows of a folder, with their files, as other programs read them.
pub fn read_files(folder: &Path) -> Vec<(String, Value)> {
    let output = Command::new(root().join("model/train/train"))
        .arg("--python")
        .arg(root().join("tests/peers/files.py"))
        .arg(folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let line = |line: &str| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        (line["file"].as_str().unwrap().to_owned(), line["row"].take())
    };
    text.lines().map(line).collect()
}
