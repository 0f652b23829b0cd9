//! Reads an Azure Stream Analytics project folder, as the VS Code and npm tools write it:
//! `asaproj.json`, the query, `JobConfig.json`, `Inputs/`, `Outputs/`, `Functions/`.
//!
//! What the cloud reads stays valid for the cloud; what only this host reads lives in the `Local_*`
//! siblings. A setting that means nothing here is kept and reported as a [`Finding`], never refused.
//! Source: ASA's project files as public projects have them.

mod config;
mod error;
mod fields;
mod finding;
mod folder;
mod function;
mod input;
mod kafka;
mod listing;
mod output;

pub use config::{EventsPolicy, JobConfig, OutputErrorPolicy};
pub use error::JobError;
pub use finding::{Finding, Level, Place};
pub use folder::Folder;
pub use function::{FunctionBody, FunctionSettings, MlEndpoint, Module};
pub use input::{InputFormat, InputSettings, InputSource};
pub use kafka::{KafkaAssignment, KafkaFormat, KafkaInput, KafkaOutput, KafkaServer, KafkaSettings, KafkaStart};
pub use output::{CosmosLogin, CosmosSettings, FilesFormat, FilesSettings, OutputSettings, OutputTarget, PushForm, PushSettings};

use listing::Entry;

/// The job's query.
#[derive(Debug, Clone, Default)]
pub struct Script {
    /// Its file, for messages.
    pub file: String,
    /// Its text.
    pub text: String,
}

/// A job: everything its folder says.
#[derive(Debug, Clone)]
pub struct Project {
    /// Its name.
    pub name: String,
    /// Its query.
    pub script: Script,
    /// Event ordering, compatibility level and the like.
    pub config: JobConfig,
    /// Where events come from.
    pub inputs: Vec<InputSettings>,
    /// Where rows go.
    pub outputs: Vec<OutputSettings>,
    /// What the query may call.
    pub functions: Vec<FunctionSettings>,
    /// What is different here, or kept and not used.
    pub notes: Vec<Finding>,
    /// The folder it was read from.
    pub folder: Folder,
}

/// A project as far as it can be read, and all that is wrong with it.
#[derive(Debug)]
pub struct Survey {
    /// The project; what cannot be read is left out. `None`: there is none.
    pub project: Option<Project>,
    /// What is wrong.
    pub errors: Vec<JobError>,
}

impl Project {
    /// Reads a project.
    ///
    /// # Errors
    /// [`JobError`]: everything that is wrong, with the file and, where it has one, the line and column.
    pub fn read(folder: Folder) -> Result<Self, JobError> {
        let Survey { project, errors } = Self::survey(folder);
        match (JobError::of(errors), project) {
            (Some(error), _) => Err(error),
            (None, Some(project)) => Ok(project),
            (None, None) => Err(JobError::Several(Vec::new())),
        }
    }

    /// Reads a project as far as it goes.
    pub fn survey(folder: Folder) -> Survey {
        let mut notes = Vec::new();
        let listing = match listing::read(&folder, &mut notes) {
            Ok(listing) => listing,
            Err(error) => return Survey { project: None, errors: vec![error] },
        };
        let mut project = Self {
            name: listing.name.unwrap_or_else(|| folder.name()),
            script: Script::default(),
            config: JobConfig::default(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            functions: Vec::new(),
            notes,
            folder,
        };
        let mut errors = Vec::new();
        match listing.script.and_then(|path| Ok((project.folder.text(&path)?, project.folder.shown(&path)))) {
            Ok((text, file)) => project.script = Script { file, text },
            Err(error) => errors.push(error),
        }
        let is_mock = |entry: &&Entry| entry.kind.eq_ignore_ascii_case("InputMock");
        let mocks: input::Mocks = listing
            .entries
            .iter()
            .filter(is_mock)
            .filter_map(|entry| Some((input::name_of(&project.folder, &entry.path)?, entry.path.clone())))
            .collect();
        for entry in &listing.entries {
            if let Err(error) = project.add(entry, &mocks) {
                errors.push(error);
            }
        }
        for (name, path) in &mocks {
            if project.input(name).is_none() {
                match input::read_local(&project.folder, path, &mut project.notes) {
                    Ok(input) => project.inputs.push(input),
                    Err(error) => errors.push(error),
                }
            }
        }
        let mut said = Vec::new();
        errors.retain(|error| {
            let text = error.to_string();
            let is_new = !said.contains(&text);
            said.push(text);
            is_new
        });
        if listing.is_listed {
            project.note_unlisted(&listing.entries);
        }
        Survey { project: Some(project), errors }
    }

    /// A file that the project file does not list is not deployed, and says nothing about it.
    fn note_unlisted(&mut self, entries: &[Entry]) {
        let folder = &self.folder;
        let places =
            folder.folders().into_iter().filter(|place| ["inputs", "outputs", "functions"].contains(&place.to_lowercase().as_str()));
        for path in places.flat_map(|place| folder.list(&place)) {
            let file = path.rsplit('/').next().unwrap_or(&path).to_lowercase();
            let is_listed = |entry: &Entry| {
                let listed = entry.path.to_lowercase();
                listed == path.to_lowercase() || format!("{listed}.json") == path.to_lowercase()
            };
            let counts = file.ends_with(".json") && !file.starts_with("local_") && !entries.iter().any(is_listed);
            // Rows and other files lie there, too.
            if counts && folder.json::<serde_json::Value>(&path).is_ok_and(|json| fields::Fields::of(&json).text("ScriptType").is_some()) {
                let message = "The file is not listed in asaproj.json: neither the cloud nor a local run uses it.".to_owned();
                self.notes.push(folder.noted(&path, &[], message).help("add it to \"configurations\" with its subType"));
            }
        }
    }

    /// Reads one of its files.
    fn add(&mut self, entry: &Entry, mocks: &input::Mocks) -> Result<(), JobError> {
        let (folder, path, notes) = (&self.folder, entry.path.as_str(), &mut self.notes);
        let script_stands_alone = path.to_ascii_lowercase().ends_with(".js") && folder.exists(&format!("{path}.json"));
        if !folder.exists(path) && !script_stands_alone {
            let (file, place) = entry.listed.clone().unwrap_or_default();
            let message = format!("'{path}' is listed and not there");
            return Err(JobError::Setting(Finding::error(file, message).at(place).help("write the file, or take it off the list")));
        }
        if folder.exists(path) && folder.is_blank(path)? {
            let message = "The file is empty: a leftover of the project template.".to_owned();
            notes.push(folder.noted(path, &[], message).help("delete it, and take it off asaproj.json"));
            return Ok(());
        }
        match entry.kind.to_ascii_lowercase().as_str() {
            "jobconfig" | "configuration" => self.config = config::read(folder, path, notes)?,
            "input" => self.inputs.push(input::read(folder, path, mocks, notes)?),
            "output" => self.outputs.push(output::read(folder, path, notes)?),
            "mlfunction" | "jsfunction" | "jsfunctionconfig" | "csharpfunction" | "function" => {
                let function = function::read(folder, path, notes)?;
                // A script and its settings may stand in the project file both.
                let is_known =
                    |known: &FunctionSettings| known.aggregate == function.aggregate && known.name.eq_ignore_ascii_case(&function.name);
                if !self.functions.iter().any(is_known) {
                    self.functions.push(function);
                }
            }
            // Local siblings are read together with the file that they stand beside.
            "inputmock" | "outputmock" | "functionmock" => {}
            other => notes.push(Finding::cloud(folder.shown(path), format!("Files of subType '{other}' are kept and not used here."))),
        }
        Ok(())
    }

    /// The input of that name, without regard to case.
    pub fn input(&self, name: &str) -> Option<&InputSettings> {
        self.inputs.iter().find(|input| input.name.eq_ignore_ascii_case(name))
    }

    /// The output of that name, without regard to case.
    pub fn output(&self, name: &str) -> Option<&OutputSettings> {
        self.outputs.iter().find(|output| output.name.eq_ignore_ascii_case(name))
    }
}

/// The path of the `Local_` sibling: `Inputs/x.json` → `Inputs/Local_x.json`.
fn local_sibling(path: &str) -> String {
    match path.rsplit_once('/') {
        Some((folder, file)) => format!("{folder}/Local_{file}"),
        None => format!("Local_{path}"),
    }
}

/// A path that a file names is relative to that file's own folder.
fn beside(file: &str, path: &str) -> String {
    let path = path.replace('\\', "/");
    match file.rsplit_once('/') {
        Some((folder, _)) if !std::path::Path::new(&path).is_absolute() => format!("{folder}/{path}"),
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_job_reads_without_notes() {
        let project = Project::read(Folder::default_job()).unwrap();
        assert_eq!(project.name, "fraud");
        let hubs: Vec<_> = project.inputs.iter().map(|input| format!("{:?}", input.source)).collect();
        assert!(hubs[0].contains("realtimefdhub") && hubs[1].contains("eventhubspark"), "{hubs:?}");
        assert_eq!(project.functions.iter().map(|function| function.name.as_str()).collect::<Vec<_>>(), ["prediction", "score"]);
        assert!(matches!(project.output("OUTPUTPOWERBI").unwrap().target, OutputTarget::Feed(_)));
        assert!(project.notes.iter().all(|note| note.level == Level::Cloud), "{:?}", project.notes);
    }

    fn folder(files: &[(&str, &str)]) -> (tempfile::TempDir, Folder) {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let folder = Folder::on_disk(dir.path());
        (dir, folder)
    }

    #[test]
    fn a_byte_order_mark_backslashes_and_template_leftovers_are_read() {
        let (_dir, folder) = folder(&[
            (
                "asaproj.json",
                "\u{feff}{\"name\":\"x\",\"startFile\":\"x.asaql\",\"configurations\":[{\"filePath\":\"Inputs\\\\in.json\",\"subType\":\"Input\"},{\"filePath\":\"Inputs/input.json\",\"subType\":\"Input\"}]}",
            ),
            ("x.asaql", "\u{feff}SELECT * FROM [in]"),
            (
                "Inputs/in.json",
                "{\"Name\":\"in\",\"Type\":\"Data Stream\",\"DataSourceType\":\"Event Hub\",\"EventHubProperties\":{\"EventHubName\":\"h\"},\"ScriptType\":\"Input\"}",
            ),
            ("Inputs/input.json", ""),
        ]);
        let project = Project::read(folder).unwrap();
        assert_eq!(project.script.text, "SELECT * FROM [in]");
        assert_eq!(project.inputs.len(), 1);
        assert_eq!(project.notes.len(), 1);
        assert!(project.notes[0].to_string().contains("Inputs/input.json: The file is empty"), "{}", project.notes[0]);
    }

    /// A project with one output to Cosmos DB.
    fn with_cosmos(local: &str) -> (tempfile::TempDir, Folder) {
        folder(&[
            ("asaproj.json", r#"{"startFile":"q.asaql","configurations":[{"filePath":"Outputs/o.json","subType":"Output"}]}"#),
            ("q.asaql", ""),
            (
                "Outputs/o.json",
                r#"{"Name":"o","DataSourceType":"Document DB","DocumentDbProperties":{"AccountId":"acc","Database":"d","ContainerName":"c","PartitionKey":"p","AuthenticationMode":"Msi"}}"#,
            ),
            ("Outputs/Local_o.json", local),
        ])
    }

    fn cosmos(local: &str) -> Result<CosmosSettings, JobError> {
        let (_dir, folder) = with_cosmos(local);
        let project = Project::read(folder)?;
        let OutputTarget::Cosmos(settings) = project.outputs[0].target.clone() else { panic!("{:?}", project.outputs) };
        Ok(settings)
    }

    #[test]
    fn local_settings_of_cosmos_db_complete_those_of_the_cloud() {
        let settings = cosmos(r#"{"DataSourceType":"Cosmos DB"}"#).unwrap();
        assert_eq!(settings.endpoint, "https://acc.documents.azure.com:443/");
        assert_eq!((settings.login, settings.document_id), (CosmosLogin::EntraId, None));
        let local = r#"{"DataSourceType":"Cosmos DB","Endpoint":"http://localhost:1/","DocumentDbProperties":{"ContainerName":"own","DocumentId":"x","AuthenticationMode":"Connection String","AccountKey":"c2VjcmV0"}}"#;
        let settings = cosmos(local).unwrap();
        assert_eq!((settings.endpoint.as_str(), settings.container.as_str()), ("http://localhost:1/", "own"));
        assert_eq!(settings.document_id.as_deref(), Some("x"));
        assert_eq!(settings.login, CosmosLogin::Key(Some("c2VjcmV0".to_owned())));
        assert!(settings.file.ends_with("Local_o.json"), "{}", settings.file);
        let debug = format!("{settings:?}");
        assert!(debug.contains("***") && !debug.contains("c2VjcmV0"), "{debug}");
        let error =
            cosmos(r#"{"DataSourceType":"Cosmos DB","DocumentDbProperties":{"AuthenticationMode":"magic"}}"#).unwrap_err().to_string();
        assert!(error.contains("Local_o.json") && error.contains("magic") && error.contains("Msi"), "{error}");
    }

    #[test]
    fn the_output_error_policy_is_read_and_anything_else_is_refused() {
        let read = |policy: &str| {
            let config = format!("{{\n\"OutputErrorPolicy\": \"{policy}\"}}");
            let project = r#"{"startFile":"q.asaql","configurations":[{"filePath":"JobConfig.json","subType":"JobConfig"}]}"#;
            let (_dir, folder) = folder(&[("asaproj.json", project), ("q.asaql", ""), ("JobConfig.json", &config)]);
            Project::read(folder).map(|project| project.config.output_error_policy)
        };
        assert_eq!(read("Drop").unwrap(), OutputErrorPolicy::Drop);
        assert_eq!(read("Retry").unwrap(), OutputErrorPolicy::Retry);
        assert_eq!(read("Stop").unwrap(), OutputErrorPolicy::Stop);
        let error = read("Maybe").unwrap_err().to_string();
        assert!(error.contains("JobConfig.json:2:") && error.contains("Maybe") && error.contains("Drop"), "{error}");
    }

    #[test]
    fn a_broken_file_is_named_with_line_and_column() {
        let (_dir, broken) = folder(&[("asaproj.json", "{\n  \"startFile\": oops\n}")]);
        let message = Project::read(broken).unwrap_err().to_string();
        assert!(message.contains("asaproj.json:2:"), "{message}");
        let (_dir, stale) = folder(&[("asaproj.json", "{\"startFile\":\"gone.asaql\"}")]);
        let message = Project::read(stale).unwrap_err().to_string();
        assert!(message.contains("gone.asaql"), "{message}");
    }

    const LOCAL: &str =
        r#"{"InputAlias": "In", "Type": "Data Stream", "Format": "csv", "FilePath": "..\\data\\x.csv", "ScriptType": "InputMock"}"#;

    #[test]
    fn a_local_input_is_found_beside_the_input_or_by_its_alias_or_stands_alone() {
        let listed = |files: &str| format!("{{\"startFile\":\"x.asaql\",\"configurations\":[{files}]}}");
        let mock = r#"{"filePath":"Inputs\\Mock.json","subType":"InputMock"}"#;
        let cloud = r#"{"filePath":"Inputs/in.json","subType":"Input"}"#;
        let hub = r#"{"Name":"in","Type":"Data Stream","DataSourceType":"Event Hub","EventHubProperties":{"EventHubName":"h"},"CompresssionType":"GZip"}"#;
        let both = listed(&format!("{cloud},{mock}"));
        let beside = listed(cloud);
        let alone = listed(mock);
        for (project, local, expected) in
            [(&both, "Inputs/Mock.json", 1), (&beside, "Inputs/local_in.json", 1), (&alone, "Inputs/Mock.json", 0)]
        {
            let (_dir, folder) = folder(&[("asaproj.json", project), ("x.asaql", ""), ("Inputs/in.json", hub), (local, LOCAL)]);
            let project = Project::read(folder).unwrap();
            let [input] = project.inputs.as_slice() else { panic!("{:?}", project.inputs) };
            assert!(input.name.eq_ignore_ascii_case("in") && !input.reference);
            let InputSource::File { path } = &input.source else { panic!("{input:?}") };
            assert!(path.ends_with("/../data/x.csv"), "{path}");
            assert_eq!(input.format, InputFormat::Csv { delimiter: b',' });
            let compressed = project.notes.iter().filter(|note| note.message.contains("GZip")).count();
            assert_eq!(compressed, expected, "{:?}", project.notes);
        }
    }

    #[test]
    fn every_file_that_is_wrong_is_told_with_its_place() {
        let (_dir, folder) = folder(&[
            (
                "asaproj.json",
                "{\n\"startFile\":\"y.asaql\",\n\"configurations\":[\n{\"filePath\":\"JobConfig.json\",\"subType\":\"JobConfig\"},\n{\"filePath\":\"gone.json\",\"subType\":\"Input\"}]}",
            ),
            ("x.asaql", ""),
            ("z.asaql", ""),
            (
                "JobConfig.json",
                "{\"CompatibilityLevel\": 1.3,\n \"EventsLateArrivalMaxDelayInSeconds\": 1814400,\n \"EventsOutOfOrderPolicy\": \"adjust\"}",
            ),
        ]);
        let message = Project::read(folder).unwrap_err().to_string();
        for part in [
            "asaproj.json:2:1: startFile names 'y.asaql'",
            "did you mean 'x.asaql'?",
            "JobConfig.json:1:2: CompatibilityLevel '1.3': one of 1.0, 1.1, 1.2 is expected",
            "JobConfig.json:2:2: EventsLateArrivalMaxDelayInSeconds 1814400: -1 to 1814399 is expected",
            "asaproj.json:5:2: 'gone.json' is listed and not there",
        ] {
            assert!(message.contains(part), "'{part}' is not in:\n{message}");
        }
    }

    #[test]
    fn settings_that_are_left_out_are_those_of_the_cloud() {
        let read = |config: &str| {
            let (_dir, folder) =
                folder(&[("asaproj.json", "{\"startFile\":\"x.asaql\"}"), ("x.asaql", ""), ("Configuration.json", config)]);
            Project::read(folder).unwrap().config
        };
        assert_eq!(read("{}").events_late_arrival_max_delay_in_seconds, -1);
        let config = read(
            r#"{"EventsLateArrivalMaxDelayInSeconds": "7", "EventsOutOfOrderMaxDelayInSeconds": null, "EventsOutOfOrderPolicy": "drop"}"#,
        );
        assert_eq!((config.events_late_arrival_max_delay_in_seconds, config.events_out_of_order_max_delay_in_seconds), (7, 0));
        assert_eq!(config.events_out_of_order_policy, EventsPolicy::Drop);
        let (_dir, folder) = folder(&[("asaproj.json", "{\"startFile\":\"x.asaql\"}"), ("x.asaql", "")]);
        assert_eq!(Project::read(folder).unwrap().config.events_late_arrival_max_delay_in_seconds, 5);
    }
}
