//! From rows to documents: the rules of ids and partition keys.

use std::collections::HashSet;
use std::fmt;

use serde_json::{Map, Value as Json};

use super::CosmosSettings;
use crate::batch::{Batch, DocumentKeys, Value, write_row, write_value};
use crate::fault::Fault;
use crate::sink::Refused;

/// The largest document, in bytes of its JSON.
pub(super) const MAX_BYTES: usize = 2 << 20;
const MAX_ID: usize = 255;
const ID: &str = "id";

/// One document, ready to be sent.
#[derive(Clone)]
pub(super) struct Document {
    pub(super) row: usize,
    pub(super) partition: String,
    pub(super) id: String,
    pub(super) body: Json,
    /// The length of its JSON.
    pub(super) bytes: usize,
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Document({}/{}, {} bytes)", self.partition, self.id, self.bytes)
    }
}

/// What makes a row's id and partition key.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    partition_key: String,
    document_id: Option<String>,
}

impl Shape {
    /// Checks what can be known before the first row: `columns` are the columns of each statement that fixes them.
    pub(super) fn new(settings: &CosmosSettings, columns: &[Vec<String>]) -> Result<Self, Fault> {
        let partition_key = settings.partition_key.clone();
        if partition_key.contains('/') {
            return Err(settings.wrong(format!(
                "DocumentDbProperties.PartitionKey is '{partition_key}'; a column of the row is expected, like 'region', not a path into it"
            )));
        }
        let shape = Self { partition_key, document_id: settings.document_id.clone() };
        columns.iter().try_for_each(|columns| shape.check(settings, columns))?;
        Ok(shape)
    }

    fn check(&self, settings: &CosmosSettings, columns: &[String]) -> Result<(), Fault> {
        let has = |name: &str| columns.iter().any(|column| column == name);
        let missing = |setting: &str, name: &str| {
            settings.wrong(format!("DocumentDbProperties.{setting} is '{name}', but {}", absent(name, columns.iter().map(String::as_str))))
        };
        if !has(&self.partition_key) {
            return Err(missing("PartitionKey", &self.partition_key));
        }
        if let Some(id) = &self.document_id {
            if !has(id) {
                return Err(missing("DocumentId", id));
            }
            if id != ID && has(ID) {
                return Err(settings.wrong(two_ids(id)));
            }
        }
        Ok(())
    }

    /// The documents of a batch, and the rows that can be none. Of rows with the same partition key and id, the last one counts.
    pub(super) fn documents(&self, batch: &Batch, keys: &DocumentKeys) -> (Vec<Document>, Vec<Refused>) {
        let mut documents = Vec::with_capacity(batch.rows());
        let mut refused = Vec::new();
        let columns = Places {
            partition: place(batch, &self.partition_key),
            id: place(batch, ID),
            named: self.document_id.as_deref().map(|name| (name, place(batch, name))),
        };
        let mut json = Vec::new();
        for row in 0..batch.rows() {
            match self.document(batch, keys, row, &columns, &mut json) {
                Ok(document) => documents.push(document),
                Err(reason) => refused.push(Refused { row, reason }),
            }
        }
        if columns.id.is_some() || columns.named.is_some() {
            keep_last(&mut documents);
        }
        (documents, refused)
    }

    fn document(
        &self,
        batch: &Batch,
        keys: &DocumentKeys,
        row: usize,
        columns: &Places<'_>,
        json: &mut Vec<u8>,
    ) -> Result<Document, String> {
        let value = |place: usize| batch.columns[place].value(row);
        let partition = match columns.partition.map(value) {
            None => return Err(format!("the partition key is missing: {}", absent(&self.partition_key, names(batch)))),
            Some(Value::Null) => return Err(format!("the partition key '{}' is null", self.partition_key)),
            Some(value) => text(&value).ok_or_else(|| format!("the partition key '{}' is {}", self.partition_key, kind(&value)))?,
        };
        let id = match (columns.named, columns.id) {
            (Some((name, None)), _) => return Err(format!("the document's id is missing: {}", absent(name, names(batch)))),
            (Some((name, Some(named))), id) => {
                if id.is_some_and(|id| id != named && !value(id).is_null()) {
                    return Err(two_ids(name));
                }
                id_text(name, &value(named))?
            }
            (None, Some(id)) => id_text(ID, &value(id))?,
            (None, None) => keys.text(row),
        };
        json.clear();
        write_row(batch, row, json);
        let mut body: Map<String, Json> =
            serde_json::from_slice(json).map_err(|error| format!("the row cannot be written as JSON: {error}"))?;
        let before = |body: &Map<String, Json>, name: &str| body.get(name).map_or(0, |value| value.to_string().len());
        let grown = partition.len() + id.len() + ID.len() + 8;
        let bytes = json.len() + grown - before(&body, ID).min(grown);
        if bytes > MAX_BYTES {
            return Err(format!("the document has {bytes} bytes; Cosmos DB takes {MAX_BYTES}"));
        }
        body.insert(self.partition_key.clone(), Json::from(partition.clone()));
        body.insert(ID.to_owned(), Json::from(id.clone()));
        Ok(Document { row, partition, id, body: Json::Object(body), bytes })
    }
}

/// Where the columns are that matter, in one batch.
struct Places<'a> {
    partition: Option<usize>,
    id: Option<usize>,
    /// The Document ID column: its name, and where it is.
    named: Option<(&'a str, Option<usize>)>,
}

/// Names are case-sensitive here, as in Cosmos DB.
fn place(batch: &Batch, name: &str) -> Option<usize> {
    batch.names.iter().position(|column| &**column == name)
}

fn names(batch: &Batch) -> impl Iterator<Item = &str> {
    batch.names.iter().map(|name| &**name)
}

fn keep_last(documents: &mut Vec<Document>) {
    let mut seen = HashSet::new();
    let kept: Vec<bool> = documents.iter().rev().map(|document| seen.insert((document.partition.clone(), document.id.clone()))).collect();
    let mut kept = kept.into_iter().rev();
    documents.retain(|_| kept.next().unwrap_or(true));
}

/// A scalar as text; `None` for a record, an array or null.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null | Value::Record(_) | Value::Array(_) => None,
        Value::Text(text) => Some(text.to_string()),
        _ => {
            let mut out = Vec::new();
            write_value(value, &mut out);
            let text = String::from_utf8(out).ok()?;
            Some(text.trim_matches('"').to_owned())
        }
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Record(_) => "a record",
        Value::Array(_) => "an array",
        _ => "null",
    }
}

fn id_text(column: &str, value: &Value) -> Result<String, String> {
    let Some(id) = text(value) else {
        return Err(format!("the document's id '{column}' is {}; text or a number is expected", kind(value)));
    };
    if id.is_empty() {
        return Err(format!("the document's id '{column}' is empty"));
    }
    let length = id.chars().count();
    if length > MAX_ID {
        return Err(format!("the document's id '{column}' has {length} characters; at most {MAX_ID} are allowed"));
    }
    if let Some(letter) = id.chars().find(|letter| matches!(letter, '/' | '\\' | '?' | '#') || letter.is_control()) {
        return Err(format!("the document's id '{column}' has the character {letter:?}; / \\ ? # and control characters are not allowed"));
    }
    if id.ends_with(' ') {
        return Err(format!("the document's id '{column}' ends with a space"));
    }
    Ok(id)
}

fn two_ids(column: &str) -> String {
    format!(
        "the document's id is the column '{column}', so the row must not have another column 'id'; rename it in the query (SELECT id AS …)"
    )
}

/// Says that a column is not there, and the one that may have been meant.
fn absent<'a>(name: &str, columns: impl Iterator<Item = &'a str>) -> String {
    let columns: Vec<&str> = columns.collect();
    match columns.iter().find(|column| column.eq_ignore_ascii_case(name)) {
        Some(similar) => format!("the row has no column '{name}', only '{similar}': upper and lower case matter here"),
        None => format!("the row has no column '{name}'; it has {}", columns.join(", ")),
    }
}

#[cfg(test)]
mod tests;
