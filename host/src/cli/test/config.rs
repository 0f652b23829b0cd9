//! Cases of the npm tool `azure-streamanalytics-cicd`: `test/testConfig.json`.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::case::{Case, Expected};
use super::compare::Comparison;
use crate::cli::bind;
use crate::fault::Fault;
use crate::job::{Folder, InputFormat, Project};
use crate::pipeline::bounded::{BoundedInput, Data};
use crate::pipeline::engine::OnError;
use crate::source::FileFormat;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Config {
    test_cases: Vec<TestCase>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TestCase {
    name: String,
    #[serde(default)]
    inputs: Vec<Input>,
    #[serde(default)]
    expected_outputs: Vec<Output>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input {
    input_alias: String,
    #[serde(rename = "Type", default)]
    kind: String,
    #[serde(default)]
    format: Option<String>,
    file_path: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Output {
    output_alias: String,
    file_path: String,
    #[serde(default)]
    required: Option<bool>,
}

/// The cases of a file.
///
/// # Errors
/// When it cannot be read, or names a file that is not there.
pub(super) fn read(path: &Path, project: &Project, output_path: &Path) -> Result<Vec<Case>, Fault> {
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|error| Fault::job(format!("the test configuration cannot be read: {error}")).at(shown.as_str()))?;
    let config: Config = serde_json::from_str(text.strip_prefix('\u{feff}').unwrap_or(&text)).map_err(|error| {
        let message = error.to_string();
        let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(before, _)| before).to_owned();
        Fault::job(message).at(format!("{shown}:{}:{}", error.line(), error.column()))
    })?;
    let folder = super::absolute(path).parent().map(Path::to_owned).unwrap_or_default();
    config.test_cases.into_iter().map(|case| read_case(case, &folder, &shown, project, output_path)).collect()
}

fn read_case(case: TestCase, folder: &Path, shown: &str, project: &Project, output_path: &Path) -> Result<Case, Fault> {
    let wrong = |message: String| Fault::job(format!("case '{}': {message}", case.name)).at(shown);
    let (mut inputs, mut references) = (Vec::new(), Vec::new());
    for input in &case.inputs {
        let known = project.input(&input.input_alias);
        let path = resolve(folder, &input.file_path);
        if !path.is_file() {
            return Err(wrong(format!("FilePath of the input '{}' names {}, which is not there", input.input_alias, path.display())));
        }
        let delimiter = match known.map(|known| known.format) {
            Some(InputFormat::Csv { delimiter }) => delimiter,
            _ => b',',
        };
        let format = match input.format.as_deref().map(str::to_ascii_lowercase).as_deref() {
            Some("json") => FileFormat::Json,
            Some("csv") => FileFormat::Csv { delimiter },
            None | Some("") => bind::format(&path)?,
            Some(other) => return Err(wrong(format!("Format '{other}' of the input '{}': Json or Csv is expected", input.input_alias))),
        };
        let given = BoundedInput { name: input.input_alias.clone(), format, data: Data::File(path) };
        let is_reference = input.kind.trim().eq_ignore_ascii_case("Reference data") || known.is_some_and(|known| known.reference);
        if is_reference { references.push(given) } else { inputs.push(given) }
    }
    let notes = complete(project, &mut inputs, &mut references);
    let expected = |output: &Output| Expected {
        output: output.output_alias.clone(),
        path: resolve(folder, &output.file_path),
        required: output.required != Some(false),
    };
    let expected: Vec<Expected> = case.expected_outputs.iter().map(expected).collect();
    if let Some(missing) = expected.iter().find(|expected| expected.required && !expected.path.is_file()) {
        // `--update` may write it.
        if missing.path.file_name().is_none() || missing.path.is_dir() {
            return Err(wrong(format!("FilePath of the expected output '{}' names no file", missing.output)));
        }
    }
    let policies = bind::policies(&project.config);
    Ok(Case {
        name: case.name,
        script: (project.script.file.clone(), project.script.text.clone()),
        inputs,
        references,
        functions: project.functions.clone(),
        folder: project.folder.clone(),
        ordering: None,
        policies,
        on_error: OnError::Stop,
        now: super::folder::start_of_tests(),
        expected,
        error: None,
        rejected: None,
        comparison: Comparison::default(),
        output_path: Some(output_path.to_owned()),
        expected_folder: None,
        notes,
    })
}

/// Inputs of the project that a case does not list: reference data has the rows of its local file, a stream has no events.
pub(super) fn complete(project: &Project, inputs: &mut Vec<BoundedInput>, references: &mut Vec<BoundedInput>) -> Vec<String> {
    let mut notes = Vec::new();
    for input in &project.inputs {
        let is_given = inputs.iter().chain(references.iter()).any(|given| given.name.eq_ignore_ascii_case(&input.name));
        if is_given {
            continue;
        }
        if input.reference {
            references.push(bind::of_project(input, &project.folder));
        } else {
            notes.push(format!("the case does not list the input '{}': it has no events", input.name));
            inputs.push(BoundedInput { name: input.name.clone(), format: FileFormat::Json, data: Data::Bytes(Vec::new().into()) });
        }
    }
    notes
}

/// A path is absolute or relative to the configuration; `.//x`, backslashes and other case are read, too.
fn resolve(folder: &Path, path: &str) -> PathBuf {
    Folder::on_disk(folder).path(path.trim()).unwrap_or_else(|| folder.join(path))
}
