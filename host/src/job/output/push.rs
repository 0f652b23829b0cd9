//! An output that is pushed by HTTP: to Power BI, an Azure Function or any other address.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

use super::super::fields::Fields;
use super::{File, plain};

/// Rows pushed by HTTP.
#[derive(Clone, PartialEq, Eq)]
pub struct PushSettings {
    /// The file that says so.
    pub file: String,
    /// The address, when the file has it. It may hold a key: never printed.
    pub url: Option<String>,
    /// Sent as a bearer token, when the file has it. Never printed.
    pub token: Option<String>,
    /// More headers. Their values are never printed.
    pub headers: Vec<(String, String)>,
    /// What a request's body is.
    pub form: PushForm,
    /// Rows of one request.
    pub max_rows: usize,
    /// Bytes of one request.
    pub max_bytes: usize,
    /// Requests a minute.
    pub requests_per_minute: Option<u32>,
    /// Rows an hour.
    pub rows_per_hour: Option<u64>,
    /// Whether Power BI's limits on a row hold.
    pub power_bi: bool,
    /// The column that gets the row's key.
    pub key_column: Option<String>,
    /// How long an answer may take.
    pub timeout_seconds: u64,
}

impl fmt::Debug for PushSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PushSettings").field("file", &self.file).field("form", &self.form).finish_non_exhaustive()
    }
}

/// What a request's body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PushForm {
    /// `{"rows": [row, …]}`
    Rows,
    /// `[row, …]`
    Array,
    /// One row a line.
    Lines,
}

/// What only a local file says.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Own {
    url: Option<String>,
    token: Option<String>,
    headers: BTreeMap<String, String>,
    body: Option<String>,
    max_rows: Option<usize>,
    max_bytes: Option<usize>,
    requests_per_minute: Option<u32>,
    rows_per_hour: Option<u64>,
    key_column: Option<String>,
    timeout_seconds: Option<u64>,
}

pub(super) fn is_push(kind: &str) -> bool {
    matches!(kind, "httppush" | "http" | "webhook" | "powerbi" | "azurefunction")
}

/// The usual settings of such an address, and what the local file says of them. An error names the key.
pub(super) fn read(file: String, kind: &str, cloud: &File, own: &Own) -> Result<PushSettings, (&'static str, String)> {
    let of = |wanted: &str| kind == wanted || plain(&cloud.data_source_type) == wanted;
    // Power BI: 10,000 rows a request, 120 requests a minute, 1,000,000 rows an hour.
    let (form, rows, bytes, requests, hour) = if of("powerbi") {
        (PushForm::Rows, 10_000, 4 << 20, Some(120), Some(1_000_000))
    } else if of("azurefunction") {
        let said = Fields::of(&cloud.azure_function_properties);
        let at_least_one = |key: &str, default| said.integer(key).filter(|number| *number > 0).unwrap_or(default);
        (PushForm::Array, at_least_one("MaxBatchCount", 100), at_least_one("MaxBatchSize", 262_144), None, None)
    } else {
        (PushForm::Array, 1000, 1 << 20, None, None)
    };
    let form = match own.body.as_deref().map(plain).as_deref() {
        None => form,
        Some("rows") => PushForm::Rows,
        Some("array") => PushForm::Array,
        Some("lines") => PushForm::Lines,
        Some(other) => return Err(("Body", format!("Body '{other}': 'Rows', 'Array' or 'Lines' is expected"))),
    };
    for (key, given) in [
        ("MaxRows", own.max_rows.map(|rows| rows as u64)),
        ("MaxBytes", own.max_bytes.map(|bytes| bytes as u64)),
        ("RequestsPerMinute", own.requests_per_minute.map(u64::from)),
        ("RowsPerHour", own.rows_per_hour),
        ("TimeoutSeconds", own.timeout_seconds),
    ] {
        if given == Some(0) {
            return Err((key, format!("{key} 0: at least 1 is expected")));
        }
    }
    Ok(PushSettings {
        file,
        url: own.url.clone().filter(|url| !url.trim().is_empty()),
        token: own.token.clone().filter(|token| !token.trim().is_empty()),
        headers: own.headers.clone().into_iter().collect(),
        form,
        max_rows: own.max_rows.unwrap_or(rows),
        max_bytes: own.max_bytes.unwrap_or(bytes),
        requests_per_minute: own.requests_per_minute.or(requests),
        rows_per_hour: own.rows_per_hour.or(hour),
        power_bi: of("powerbi"),
        key_column: own.key_column.clone().filter(|name| !name.is_empty()),
        timeout_seconds: own.timeout_seconds.unwrap_or(30),
    })
}
