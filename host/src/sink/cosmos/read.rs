//! Reading back: the container's documents as JSON lines.

use std::io::Write;

use azure_data_cosmos::{CosmosRuntimeBuilder, FeedScope, Query};
use futures::TryStreamExt;
use serde_json::{Map, Value};

use super::answer::said;
use super::{CosmosSettings, connect};
use crate::fault::Fault;

/// Ids are unique within a partition key only; documents with the same id come in the order of their partitions.
const ALL: &str = "SELECT * FROM c ORDER BY c.id";
/// What the service adds to each document.
const SYSTEM: [&str; 5] = ["_rid", "_self", "_etag", "_attachments", "_ts"];

/// Prints the container's documents ordered by id, one JSON object a line: their fields in order, then `_output` and `_key`
/// (the partition key and the id, with a `/` between). Answers how many there were. A reader that goes away
/// (`tamis documents | head`) ends it without error.
///
/// # Errors
/// When the container cannot be read.
pub async fn print_documents(settings: &CosmosSettings, out: &mut dyn Write) -> Result<u64, Fault> {
    print_with(settings, CosmosRuntimeBuilder::new(), out).await
}

pub(super) async fn print_with(settings: &CosmosSettings, client: CosmosRuntimeBuilder, out: &mut dyn Write) -> Result<u64, Fault> {
    let container = connect::container(settings, client).await?;
    let failed = |error| Fault::outside(format!("the documents cannot be read: {}", said(&error))).at(settings.place());
    let mut documents =
        container.query_items::<Map<String, Value>>(Query::from(ALL), FeedScope::full_container(), None).await.map_err(failed)?;
    let mut printed = 0;
    while let Some(mut document) = documents.try_next().await.map_err(failed)? {
        for name in SYSTEM {
            document.shift_remove(name);
        }
        let part = |name: &str| document.get(name).and_then(Value::as_str).unwrap_or_default();
        let key = format!("{}/{}", part(&settings.partition_key), part("id"));
        document.insert("_output".to_owned(), Value::from(settings.output.as_str()));
        document.insert("_key".to_owned(), Value::from(key));
        match writeln!(out, "{}", Value::Object(document)) {
            Ok(()) => printed += 1,
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => break,
            Err(error) => return Err(Fault::outside(format!("the documents cannot be printed: {error}")).never()),
        }
    }
    Ok(printed)
}
