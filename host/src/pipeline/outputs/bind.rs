//! A project's settings of an output as its sink takes them, with what the environment says.

use std::path::Path;
use std::time::Duration;

use crate::fault::Fault;
use crate::job::{FilesFormat, FilesSettings, OutputErrorPolicy, OutputSettings, Project, PushForm, PushSettings};
use crate::sink::ErrorPolicy;
use crate::sink::folder::{FileFormat, FolderSettings, PathPattern};
use crate::sink::http_push::{Form, HttpPushSettings};

/// The variables with the address and the token of a pushed output, each with the output's name behind it; they come
/// before what the project's file says.
const PUSH_URL: &str = "TAMIS_PUSH_URL";
const PUSH_TOKEN: &str = "TAMIS_PUSH_TOKEN";

pub(super) fn policy(project: &Project) -> ErrorPolicy {
    match project.config.output_error_policy {
        OutputErrorPolicy::Retry => ErrorPolicy::Retry,
        OutputErrorPolicy::Drop => ErrorPolicy::Drop,
        OutputErrorPolicy::Stop => ErrorPolicy::Stop,
    }
}

/// How an output writes files.
///
/// # Errors
/// When its path pattern is none.
pub(super) fn files(project: &Project, output: &OutputSettings, files: &FilesSettings, data_dir: &Path) -> Result<FolderSettings, Fault> {
    let pattern = PathPattern::new(&files.path_pattern, &files.date_format, &files.time_format)
        .map_err(|message| Fault::job(message).at(format!("{}: output '{}'", files.file, output.name)))?;
    Ok(FolderSettings {
        output: output.name.clone(),
        folder: data_dir.join(&files.folder),
        pattern,
        format: match files.format {
            FilesFormat::JsonLines => FileFormat::JsonLines,
            FilesFormat::JsonArray => FileFormat::JsonArray,
            FilesFormat::Csv(delimiter) => FileFormat::Csv(delimiter),
            FilesFormat::Parquet => FileFormat::Parquet,
        },
        max_rows: files.max_rows,
        max_age: Duration::from_secs(files.max_seconds),
        policy: policy(project),
    })
}

/// How an output pushes rows.
///
/// # Errors
/// When there is no address.
pub(super) fn push(project: &Project, output: &OutputSettings, push: &PushSettings) -> Result<HttpPushSettings, Fault> {
    let url = variable(PUSH_URL, &output.name);
    let url = url.1.or_else(|| push.url.clone()).ok_or_else(|| {
        Fault::job(format!("there is no address to push rows to; set Url in the file, or {} when it holds a key", url.0))
            .at(format!("{}: output '{}'", push.file, output.name))
    })?;
    Ok(HttpPushSettings {
        output: output.name.clone(),
        file: push.file.clone(),
        url,
        token: variable(PUSH_TOKEN, &output.name).1.or_else(|| push.token.clone()),
        headers: push.headers.clone(),
        form: match push.form {
            PushForm::Rows => Form::Rows,
            PushForm::Array => Form::Array,
            PushForm::Lines => Form::Lines,
        },
        max_rows: push.max_rows,
        max_bytes: push.max_bytes,
        requests_per_minute: push.requests_per_minute,
        rows_per_hour: push.rows_per_hour,
        power_bi: push.power_bi,
        key: push.key_column.clone(),
        timeout: Duration::from_secs(push.timeout_seconds),
        policy: policy(project),
    })
}

/// A variable of an output, by name and value: `TAMIS_PUSH_URL_OUTPUT_POWERBI` for `output-PowerBI`.
fn variable(prefix: &str, output: &str) -> (String, Option<String>) {
    let of = |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_uppercase() } else { '_' };
    let name = format!("{prefix}_{}", output.chars().map(of).collect::<String>());
    let value = std::env::var(&name).ok().filter(|value| !value.trim().is_empty());
    (name, value)
}
