//! A small project in a folder of its own: one hub as input, and a query with the outputs and the module that it names.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// The input's hub, of two partitions.
pub const SMALL_HUB: &str = "events";

/// A project that is gone when this is dropped, with a folder beside it for the host's data.
#[derive(Debug)]
pub struct Small {
    dir: tempfile::TempDir,
}

impl Small {
    /// A project whose outputs of these names are in the embedded store.
    pub fn new(query: &str, outputs: &[&str]) -> Self {
        let small = Self { dir: tempfile::tempdir().unwrap() };
        let mut files = vec![
            json!({ "filePath": "JobConfig.json", "subType": "JobConfig" }),
            json!({ "filePath": "Inputs/events.json", "subType": "Input" }),
        ];
        small.write("small.asaql", query.as_bytes());
        small.json(
            "JobConfig.json",
            &json!({ "CompatibilityLevel": "1.2", "EventsLateArrivalMaxDelayInSeconds": 3, "EventsOutOfOrderMaxDelayInSeconds": 1 }),
        );
        small.json(
            "Inputs/events.json",
            &json!({ "Name": "events", "Type": "Data Stream", "DataSourceType": "Event Hub", "Serialization": { "Type": "Json" } }),
        );
        let local = json!({
            "Name": "events", "Type": "Data Stream", "DataSourceType": "Embedded Log", "Hub": SMALL_HUB, "Partitions": 2,
            "Serialization": { "Type": "Json" }, "ScriptType": "InputMock",
        });
        small.json("Inputs/Local_events.json", &local);
        for output in outputs {
            files.push(json!({ "filePath": format!("Outputs/{output}.json"), "subType": "Output" }));
            small.json(&format!("Outputs/{output}.json"), &json!({ "Name": output, "DataSourceType": "Blob Storage" }));
            small.output(output, &json!({ "DataSourceType": "Embedded Store" }));
        }
        small.json("asaproj.json", &json!({ "name": "small", "startFile": "small.asaql", "configurations": files }));
        small
    }

    /// Binds an output to something else.
    pub fn output(&self, name: &str, settings: &Value) {
        let mut settings = settings.clone();
        settings["Name"] = json!(name);
        settings["ScriptType"] = json!("OutputMock");
        self.json(&format!("Outputs/Local_{name}.json"), &settings);
    }

    /// Adds `udf.f`, a function of this module.
    #[must_use]
    pub fn function(self, wasm: &[u8]) -> Self {
        self.write("Functions/f.wasm", wasm);
        self.json("Functions/f.json", &json!({ "Name": "f", "Type": "Scalar", "ScriptType": "MLFunction", "OutputType": "float" }));
        self.json("Functions/Local_f.json", &json!({ "Name": "f", "FilePath": "f.wasm", "Function": "run", "ScriptType": "FunctionMock" }));
        let path = self.path().join("asaproj.json");
        let mut project: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        project["configurations"].as_array_mut().unwrap().push(json!({ "filePath": "Functions/f.json", "subType": "MLFunction" }));
        self.json("asaproj.json", &project);
        self
    }

    fn json(&self, path: &str, value: &Value) {
        self.write(path, value.to_string().as_bytes());
    }

    /// Writes a file of the project.
    pub fn write(&self, path: &str, bytes: &[u8]) {
        let path = self.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    /// The project's folder.
    pub fn path(&self) -> PathBuf {
        self.dir.path().join("small")
    }

    /// A folder for the host's data.
    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Another one.
    pub fn other_data(&self) -> PathBuf {
        self.dir.path().join("other-data")
    }
}

/// Copies a folder.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
