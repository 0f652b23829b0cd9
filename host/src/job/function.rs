//! `Functions/F.json` and its `Local_F.json`: what `udf.F(...)` calls.

use serde::Deserialize;

use super::{Folder, JobError, Note, local_sibling};

/// The WebAssembly module that a function is in.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Module {
    /// The one that comes with the program.
    BuiltIn,
    /// A file, relative to the project or absolute.
    File(String),
}

/// One function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionSettings {
    /// Its name in the query, after `udf.`.
    pub name: String,
    /// The module it is in; `None` when no local file binds the cloud function to one.
    pub module: Option<Module>,
    /// The module's function; `run` unless the local file says another.
    pub function: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct File {
    name: Option<String>,
    #[serde(default)]
    script_type: String,
    file_path: Option<String>,
    function: Option<String>,
}

const BUILT_IN: &str = "builtin:";

pub(super) fn read(folder: &Folder, path: &str, notes: &mut Vec<Note>) -> Result<FunctionSettings, JobError> {
    let cloud: File = folder.json(path)?;
    let stem = path.rsplit('/').next().unwrap_or(path).trim_end_matches(".json").trim_end_matches(".js").to_owned();
    let name = cloud.name.unwrap_or(stem);
    let local_path = local_sibling(path);
    if !folder.exists(&local_path) {
        let message = format!("'udf.{name}' ({}) has no {local_path} that binds it to a .wasm.", cloud.script_type);
        notes.push(Note { file: path.to_owned(), message });
        return Ok(FunctionSettings { name, module: None, function: "run".to_owned() });
    }
    let local: File = folder.json(&local_path)?;
    let Some(file) = local.file_path else {
        let message = "FilePath is missing: the .wasm that holds the function, or 'builtin:tamis_udf.wasm'".to_owned();
        return Err(JobError::Setting { file: folder.shown(&local_path), message });
    };
    let module = if file.starts_with(BUILT_IN) {
        Module::BuiltIn
    } else {
        let file = file.replace('\\', "/");
        let folder_of = local_path.rsplit_once('/').map_or("", |(folder, _)| folder);
        Module::File(if std::path::Path::new(&file).is_absolute() || folder_of.is_empty() { file } else { format!("{folder_of}/{file}") })
    };
    Ok(FunctionSettings { name, module: Some(module), function: local.function.unwrap_or_else(|| "run".to_owned()) })
}
