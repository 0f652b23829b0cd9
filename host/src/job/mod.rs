//! Reads an Azure Stream Analytics project folder, as the VS Code and npm tools write it:
//! `asaproj.json`, the query, `JobConfig.json`, `Inputs/`, `Outputs/`, `Functions/`.
//!
//! What the cloud reads stays valid for the cloud; what only this host reads lives in the `Local_*`
//! siblings. A setting that means nothing here is kept and reported as a [`Note`], never refused.
//! Source: ASA's project files as public projects have them.

mod config;
mod error;
mod fields;
mod folder;
mod function;
mod input;
mod output;

pub use config::{EventsPolicy, JobConfig};
pub use error::JobError;
pub use folder::Folder;
pub use function::{FunctionBody, FunctionSettings, MlEndpoint, Module};
pub use input::{InputFormat, InputSettings, InputSource};
pub use output::{CosmosSettings, OutputSettings, OutputTarget};

use serde::Deserialize;

/// The job's query.
#[derive(Debug, Clone)]
pub struct Script {
    /// Its file, for messages.
    pub file: String,
    /// Its text.
    pub text: String,
}

/// Something in the project that the local run does not use, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The file it is in.
    pub file: String,
    /// What is not used, and why.
    pub message: String,
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
    /// What is kept but not used here.
    pub notes: Vec<Note>,
    /// The folder it was read from.
    pub folder: Folder,
}

#[derive(Debug, Deserialize)]
struct ProjectFile {
    #[serde(default)]
    name: Option<String>,
    #[serde(rename = "startFile")]
    start_file: String,
    #[serde(default)]
    configurations: Vec<Configuration>,
}

#[derive(Debug, Deserialize)]
struct Configuration {
    #[serde(rename = "filePath")]
    file_path: String,
    #[serde(rename = "subType", default)]
    sub_type: String,
}

const PROJECT_FILE: &str = "asaproj.json";

impl Project {
    /// Reads a project.
    ///
    /// # Errors
    /// [`JobError`], which names the file and, where it has one, the line and column.
    pub fn read(folder: Folder) -> Result<Self, JobError> {
        let project: ProjectFile = folder.json(PROJECT_FILE)?;
        let script = Script { text: folder.text(&project.start_file)?, file: folder.shown(&project.start_file) };
        let mut notes = Vec::new();
        let mut read = Self {
            name: project.name.filter(|name| !name.is_empty()).unwrap_or_else(|| folder.name()),
            script,
            config: JobConfig::default(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            functions: Vec::new(),
            notes: Vec::new(),
            folder: folder.clone(),
        };
        for entry in &project.configurations {
            let path = entry.file_path.replace('\\', "/");
            if folder.is_blank(&path)? {
                notes.push(Note { file: path, message: "The file is empty: a leftover of the project template.".to_owned() });
                continue;
            }
            match entry.sub_type.as_str() {
                "JobConfig" => read.config = config::read(&folder, &path, &mut notes)?,
                "Input" => read.inputs.push(input::read(&folder, &path, &mut notes)?),
                "Output" => read.outputs.push(output::read(&folder, &path, &mut notes)?),
                "MLFunction" | "JSFunction" | "JSFunctionConfig" | "CSharpFunction" => {
                    let function = function::read(&folder, &path, &mut notes)?;
                    // A script and its settings may stand in the project file both.
                    let is_known =
                        |known: &FunctionSettings| known.aggregate == function.aggregate && known.name.eq_ignore_ascii_case(&function.name);
                    if !read.functions.iter().any(is_known) {
                        read.functions.push(function);
                    }
                }
                // Local siblings are read together with the file that they stand beside.
                "InputMock" | "OutputMock" | "FunctionMock" => {}
                other => notes.push(Note { file: path, message: format!("Files of subType '{other}' are not used here.") }),
            }
        }
        read.notes = notes;
        Ok(read)
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
        assert_eq!(project.notes, []);
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
}
