//! `Functions/F.json`, `Functions/F.js.json` with `F.js`, and their `Local_` siblings: what `udf.F(…)` and `uda.F(…)` call.
//!
//! Both forms are read: the one of the VS Code and npm tools (`ScriptType`), and the resource of the management API
//! (`properties.binding`). A `Local_` sibling binds a cloud function to a file or an address of this machine.

use std::fmt;

use serde_json::Value as Json;

use super::fields::Fields;
use super::{Finding, Folder, JobError, beside, local_sibling};

/// The WebAssembly module that a function is in.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Module {
    /// The one that comes with the program.
    BuiltIn,
    /// A file, relative to the project or absolute.
    File(String),
}

/// What answers a function's calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FunctionBody {
    /// A function of a WebAssembly module.
    Module {
        /// The module.
        module: Module,
        /// Its function: `run` unless the local file says another.
        function: String,
    },
    /// A script.
    JavaScript {
        /// Its file, for messages.
        file: String,
        /// Its text.
        text: String,
    },
    /// A scoring endpoint.
    AzureMl(MlEndpoint),
    /// Nothing on this machine; a [`Finding`] says why.
    Nothing,
}

/// One function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionSettings {
    /// Its name in the query, after `udf.` or `uda.`.
    pub name: String,
    /// Whether it is an aggregate: `uda.`.
    pub aggregate: bool,
    /// The declared type of its results; `None` (`any`): each has its own.
    pub returns: Option<String>,
    /// What answers its calls.
    pub body: FunctionBody,
}

/// A scoring endpoint, as the project says it.
#[derive(Clone, PartialEq, Eq)]
pub struct MlEndpoint {
    /// Its address.
    pub endpoint: String,
    /// The key, from the file, from `ApiKeyFile` of the local file, from `TAMIS_ML_KEY_<NAME>` or from `TAMIS_ML_KEY`.
    /// Never printed.
    pub key: Option<String>,
    /// Rows of one request.
    pub batch_size: usize,
    /// Requests at a time.
    pub parallel: usize,
    /// The outer label of a request.
    pub request_label: Option<String>,
    /// The label of a response.
    pub response_label: Option<String>,
    /// The name of the input.
    pub input: Option<String>,
    /// The columns of a Studio (classic) input, one a parameter.
    pub columns: Vec<String>,
}

impl fmt::Debug for MlEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MlEndpoint")
            .field("endpoint", &self.endpoint)
            .field("key", &self.key.as_ref().map(|_| "***"))
            .field("batch_size", &self.batch_size)
            .field("parallel", &self.parallel)
            .field("request_label", &self.request_label)
            .field("response_label", &self.response_label)
            .field("input", &self.input)
            .field("columns", &self.columns)
            .finish()
    }
}

const BUILT_IN: &str = "builtin:";
const TYPES: [&str; 7] = ["bigint", "float", "nvarchar(max)", "datetime", "bit", "record", "array"];
const DEFAULT_BATCH: usize = 1000;

/// What is being read, for messages.
struct Reading<'a> {
    folder: &'a Folder,
    path: &'a str,
    notes: &'a mut Vec<Finding>,
}

pub(super) fn read(folder: &Folder, path: &str, notes: &mut Vec<Finding>) -> Result<FunctionSettings, JobError> {
    let mut reading = Reading { folder, path, notes };
    let stem = stem(path);
    // The script itself stands in the project file where its settings should.
    if has_ending(path, ".js") && !folder.exists(&format!("{path}.json")) {
        let text = folder.text(path)?;
        let body = FunctionBody::JavaScript { file: folder.shown(path), text };
        return Ok(FunctionSettings { name: stem, aggregate: false, returns: None, body });
    }
    let settings = if has_ending(path, ".js") { format!("{path}.json") } else { path.to_owned() };
    let json: Json = folder.json(&settings)?;
    let file = Fields::of(&json);
    let properties = inner(file);
    let name = file.text("Name").unwrap_or(stem);
    let aggregate = properties.text("Type").is_some_and(|kind| kind.eq_ignore_ascii_case("Aggregate"));
    let returns = reading.returns(file, properties);
    let body = match local_path(folder, &settings) {
        Some(local) => reading.local(&local, &name, properties)?,
        None => reading.cloud(&settings, &name, file, properties)?,
    };
    Ok(FunctionSettings { name, aggregate, returns, body })
}

/// The settings proper: a resource of the management API has them one or two levels down.
fn inner(file: Fields<'_>) -> Fields<'_> {
    let mut fields = file;
    while fields.get("Binding").is_none()
        && let Some(deeper) = fields.object("Properties")
    {
        // `type` stands beside the inner `properties`.
        if fields.text("Type").is_some_and(|kind| ["scalar", "aggregate"].contains(&kind.to_ascii_lowercase().as_str())) {
            return fields;
        }
        fields = deeper;
    }
    fields
}

/// Where the binding is: beside or below the type.
fn binding(properties: Fields<'_>) -> Option<Fields<'_>> {
    properties.object("Binding").or_else(|| properties.object("Properties")?.object("Binding"))
}

/// `Functions/Local_X.json` also for `X.js.json`.
fn local_path(folder: &Folder, settings: &str) -> Option<String> {
    let exact = local_sibling(settings);
    let plain = local_sibling(&settings.replace(".js.json", ".json"));
    [exact, plain].into_iter().find(|path| folder.exists(path))
}

fn has_ending(path: &str, ending: &str) -> bool {
    path.to_ascii_lowercase().ends_with(ending)
}

fn stem(path: &str) -> String {
    path.rsplit('/').next().unwrap_or(path).trim_end_matches(".json").trim_end_matches(".js").to_owned()
}

impl Reading<'_> {
    fn note(&mut self, message: String) {
        self.notes.push(Finding::note(self.folder.shown(self.path), message));
    }

    fn returns(&mut self, file: Fields<'_>, properties: Fields<'_>) -> Option<String> {
        let output = || properties.object("Output").or_else(|| properties.object("Properties")?.object("Output"));
        let declared = file.text("OutputType").or_else(|| output()?.text("DataType"))?.to_ascii_lowercase();
        if TYPES.contains(&declared.as_str()) {
            return Some(declared);
        }
        if declared != "any" && !declared.is_empty() {
            self.note(format!("OutputType '{declared}' is not a type of the language; results are taken as they come."));
        }
        None
    }

    /// What the cloud would run.
    fn cloud(&mut self, settings: &str, name: &str, file: Fields<'_>, properties: Fields<'_>) -> Result<FunctionBody, JobError> {
        let script_type = file.text("ScriptType").unwrap_or_default();
        let bound = binding(properties);
        let bound_type = bound.and_then(|binding| binding.text("Type")).unwrap_or_default();
        let bound = bound.and_then(|binding| binding.object("Properties"));
        if bound_type.ends_with("JavascriptUdf")
            && let Some(text) = bound.and_then(|bound| bound.text("Script"))
        {
            return Ok(FunctionBody::JavaScript { file: self.folder.shown(settings), text });
        }
        if script_type.starts_with("JSFunction") || has_ending(settings, ".js.json") {
            self.unused(file, &["Name", "Type", "ScriptType", "FunctionInputs", "OutputType"]);
            let path = settings.trim_end_matches(".json").to_owned();
            let path = if has_ending(&path, ".js") { path } else { format!("{path}.js") };
            return Ok(FunctionBody::JavaScript { file: self.folder.shown(&path), text: self.folder.text(&path)? });
        }
        if script_type == "CSharpFunction" || bound_type.ends_with("CLRUdf") {
            self.note(format!(
                "'udf.{name}' is a C# function: Azure retired those in September 2024, and they do not run here. \
                 {} can bind it to a .wasm or a .js.",
                local_sibling(settings)
            ));
            return Ok(FunctionBody::Nothing);
        }
        let endpoint = file.object("AzureMLProperties").or(bound);
        match endpoint.and_then(|endpoint| self.endpoint(name, endpoint, None)) {
            Some(endpoint) => Ok(FunctionBody::AzureMl(endpoint)),
            None => {
                let kind = if script_type.is_empty() { bound_type } else { script_type };
                self.note(format!("'udf.{name}' ({kind}) has no {} that binds it to a .wasm.", local_sibling(settings)));
                Ok(FunctionBody::Nothing)
            }
        }
    }

    /// What the local file says instead.
    fn local(&mut self, local: &str, name: &str, properties: Fields<'_>) -> Result<FunctionBody, JobError> {
        let json: Json = self.folder.json(local)?;
        let file = Fields::of(&json);
        let beside = |path: &str| beside(local, path);
        if let Some(path) = file.text("FilePath") {
            if let Some(known) = path.strip_prefix(BUILT_IN) {
                tracing::debug!(function = name, module = known, "The function is the one that comes with the program.");
                let function = file.text("Function").unwrap_or_else(|| "run".to_owned());
                return Ok(FunctionBody::Module { module: Module::BuiltIn, function });
            }
            let path = beside(&path);
            if has_ending(&path, ".js") {
                return Ok(FunctionBody::JavaScript { file: self.folder.shown(&path), text: self.folder.text(&path)? });
            }
            let function = file.text("Function").unwrap_or_else(|| "run".to_owned());
            return Ok(FunctionBody::Module { module: Module::File(path), function });
        }
        if file.text("Endpoint").is_some() {
            let key = match file.text("ApiKeyFile") {
                Some(path) => Some(self.folder.text(&beside(&path))?.trim().to_owned()),
                None => None,
            };
            let mut endpoint = self.endpoint(name, file, key);
            // What the local file leaves out, the cloud's file says.
            let cloud = binding(properties).and_then(|binding| binding.object("Properties"));
            if let (Some(endpoint), Some(cloud)) = (&mut endpoint, properties.object("AzureMLProperties").or(cloud)) {
                complete(endpoint, file, cloud);
            }
            if let Some(endpoint) = endpoint {
                return Ok(FunctionBody::AzureMl(endpoint));
            }
        }
        let message = "FilePath is missing: the .wasm or .js that holds the function, or 'builtin:tamis_udf.wasm'; \
                       or Endpoint: the address of a scoring service"
            .to_owned();
        Err(self.folder.wrong(local, &["FilePath"], message))
    }

    /// `None` when there is no address.
    fn endpoint(&mut self, name: &str, fields: Fields<'_>, key: Option<String>) -> Option<MlEndpoint> {
        let address = fields.text("Endpoint").filter(|address| !address.is_empty())?;
        let key = key.or_else(|| fields.text("ApiKey").filter(|key| !key.is_empty())).or_else(|| key_of(name));
        if key.is_none() {
            self.note(format!("'udf.{name}' is called without a key; TAMIS_ML_KEY_{} or TAMIS_ML_KEY can hold one.", variable(name)));
        }
        let mut endpoint = MlEndpoint {
            endpoint: address,
            key,
            batch_size: DEFAULT_BATCH,
            parallel: 1,
            request_label: None,
            response_label: None,
            input: None,
            columns: Vec::new(),
        };
        shape(&mut endpoint, fields);
        Some(endpoint)
    }

    /// Notes the settings that are there and mean nothing here.
    fn unused(&mut self, file: Fields<'_>, known: &[&str]) {
        let unknown: Vec<&str> = file.names().filter(|name| !known.iter().any(|known| known.eq_ignore_ascii_case(name))).collect();
        if !unknown.is_empty() {
            self.note(format!("{} mean nothing here and are not used.", unknown.join(", ")));
        }
    }
}

/// Sizes, labels and names of a request.
fn shape(endpoint: &mut MlEndpoint, fields: Fields<'_>) {
    if let Some(size) = fields.integer("BatchSize") {
        endpoint.batch_size = size;
    }
    if let Some(parallel) = fields.integer("NumberOfParallelRequests") {
        endpoint.parallel = parallel;
    }
    endpoint.request_label = fields.text("InputRequestName").filter(|label| !label.is_empty());
    endpoint.response_label = fields.text("OutputResponseName").filter(|label| !label.is_empty());
    match fields.get("Inputs") {
        Some(Json::Array(inputs)) => {
            endpoint.input = inputs.first().and_then(|input| Fields::of(input).text("Name")).filter(|name| !name.is_empty());
        }
        // Studio (classic): one input with a column for each parameter.
        Some(input @ Json::Object(_)) => {
            let input = Fields::of(input);
            endpoint.request_label.get_or_insert_with(|| "Inputs".to_owned());
            endpoint.input = input.text("Name");
            let mut columns: Vec<(usize, String)> = Vec::new();
            if let Some(Json::Array(names)) = input.get("ColumnNames") {
                for (place, column) in names.iter().map(Fields::of).enumerate() {
                    columns.extend(column.text("Name").map(|name| (column.integer("MapTo").unwrap_or(place), name)));
                }
            }
            columns.sort_by_key(|(place, _)| *place);
            endpoint.columns = columns.into_iter().map(|(_, name)| name).collect();
        }
        _ => {}
    }
}

/// Takes over what the local file does not say itself.
fn complete(endpoint: &mut MlEndpoint, local: Fields<'_>, cloud: Fields<'_>) {
    let said = endpoint.clone();
    shape(endpoint, cloud);
    if local.integer("BatchSize").is_some() {
        endpoint.batch_size = said.batch_size;
    }
    if local.integer("NumberOfParallelRequests").is_some() {
        endpoint.parallel = said.parallel;
    }
    if said.request_label.is_some() || said.input.is_some() {
        (endpoint.request_label, endpoint.input, endpoint.columns) = (said.request_label, said.input, said.columns);
    }
    endpoint.response_label = said.response_label.or_else(|| endpoint.response_label.take());
}

fn variable(name: &str) -> String {
    name.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter.to_ascii_uppercase() } else { '_' }).collect()
}

fn key_of(name: &str) -> Option<String> {
    let own = format!("TAMIS_ML_KEY_{}", variable(name));
    [own.as_str(), "TAMIS_ML_KEY"].into_iter().find_map(|name| std::env::var(name).ok().filter(|key| !key.is_empty()))
}

#[cfg(test)]
mod tests;
