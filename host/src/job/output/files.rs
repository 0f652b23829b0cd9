//! An output to Blob Storage or ADLS as files in a folder: what the cloud's file says, completed by the local one.

use serde::Deserialize;

use super::super::fields::Fields;
use super::{File, plain};

/// Files in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilesSettings {
    /// The file that says so.
    pub file: String,
    /// The folder, relative to the data directory.
    pub folder: String,
    /// The folders below it: `logs/{date}/{time}`.
    pub path_pattern: String,
    /// What `{date}` is.
    pub date_format: String,
    /// What `{time}` is.
    pub time_format: String,
    /// What the files are.
    pub format: FilesFormat,
    /// A Parquet file is written when it has so many rows,
    pub max_rows: usize,
    /// or after so many seconds.
    pub max_seconds: u64,
}

/// What the files are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FilesFormat {
    /// JSON, one object a line (`LineSeparated`).
    JsonLines,
    /// JSON, an array (`Array`).
    JsonArray,
    /// CSV, with its delimiter.
    Csv(u8),
    /// Parquet.
    Parquet,
}

/// What only a local file says.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Own {
    folder_path: Option<String>,
    path_pattern: Option<String>,
    date_format: Option<String>,
    time_format: Option<String>,
    file_rows: Option<usize>,
    file_seconds: Option<u64>,
}

pub(super) fn is_files(kind: &str) -> bool {
    matches!(kind, "folder" | "blobstorage" | "azureblobstorage" | "blobstorageadlsgen2" | "datalakestoragegen2" | "adlsgen2" | "blob")
}

/// The local file's word counts before the cloud's. An error names the key.
pub(super) fn read(file: String, name: &str, cloud: &File, local: &File, own: &Own) -> Result<FilesSettings, (&'static str, String)> {
    let blobs = [&local.blob_storage_properties, &cloud.blob_storage_properties];
    let pick = |own: &Option<String>, key: &str, default: &str| {
        let said = own.clone().into_iter().chain(blobs.into_iter().filter_map(|blob| Fields::of(blob).text(key)));
        said.into_iter().find(|text| !text.trim().is_empty()).unwrap_or_else(|| default.to_owned())
    };
    let serialization = if local.serialization.is_object() { &local.serialization } else { &cloud.serialization };
    let max_rows = own.file_rows.unwrap_or(10_000);
    if max_rows == 0 {
        return Err(("FileRows", "FileRows 0: at least 1 is expected".to_owned()));
    }
    Ok(FilesSettings {
        file,
        folder: own.folder_path.clone().filter(|path| !path.trim().is_empty()).unwrap_or_else(|| format!("outputs/{name}")),
        // An empty pattern of one's own is one: all files in one folder.
        path_pattern: own.path_pattern.clone().unwrap_or_else(|| pick(&None, "PathPattern", "")),
        date_format: pick(&own.date_format, "DateFormat", "YYYY/MM/DD"),
        time_format: pick(&own.time_format, "TimeFormat", "HH"),
        format: format(Fields::of(serialization))?,
        max_rows,
        max_seconds: own.file_seconds.unwrap_or(60),
    })
}

fn format(serialization: Fields<'_>) -> Result<FilesFormat, (&'static str, String)> {
    let said = |key: &str| serialization.text(key).as_deref().map(plain).unwrap_or_default();
    match (said("Type").as_str(), said("Format").as_str()) {
        ("" | "json", "" | "lineseparated" | "lines") => Ok(FilesFormat::JsonLines),
        ("" | "json", "array") => Ok(FilesFormat::JsonArray),
        ("csv", _) => {
            let delimiter =
                serialization.text("FieldDelimiter").or_else(|| serialization.text("Delimiter")).unwrap_or_else(|| ",".to_owned());
            let byte = match (plain(&delimiter).as_str(), delimiter.as_bytes()) {
                ("tab", _) => b'\t',
                ("comma", _) => b',',
                ("semicolon", _) => b';',
                ("space", _) => b' ',
                ("verticalbar" | "pipe", _) => b'|',
                (_, [byte]) if byte.is_ascii() && !byte.is_ascii_alphanumeric() && !b"\"\r\n".contains(byte) => *byte,
                _ => return Err(("Serialization", format!("FieldDelimiter '{delimiter}': one of , ; | tab space is expected"))),
            };
            Ok(FilesFormat::Csv(byte))
        }
        ("parquet", _) => Ok(FilesFormat::Parquet),
        (kind, format) => {
            let message =
                format!("Serialization '{kind}' with Format '{format}': Json (LineSeparated or Array), Csv or Parquet is expected");
            Err(("Serialization", message))
        }
    }
}
