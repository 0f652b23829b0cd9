//! What the host knows of an event beside its body: `GetMetadataPropertyValue`.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::expression::{Expression, Metadata};
use crate::batch::{Batch, Column, RowId, Value};

const KNOWN: &[&str] = &[
    "EventId",
    "EventHub",
    "[EventHub].[EventEnqueuedUtcTime]",
    "[EventHub].[EventProcessedUtcTime]",
    "[EventHub].[PartitionId]",
    "[EventHub].[Offset]",
    "[EventHub].[SequenceNumber]",
    "[EventHub].[PartitionKey]",
    "[EventHub].[Publisher]",
    "[User].[NAME]",
];

/// The metadata property of that name: `EventId`, `[EventHub].[Offset]`, `EventHub`, … `column`: a column of the input.
///
/// # Errors
/// The names of those that there are.
pub(super) fn property(path: &str, column: impl FnOnce(&str) -> Expression) -> Result<Expression, &'static [&'static str]> {
    let plain: String = path.chars().filter(|letter| !"[] ".contains(*letter)).collect::<String>().to_ascii_lowercase();
    let name = plain.strip_prefix("eventhub.").or_else(|| plain.strip_prefix("iothub.")).unwrap_or(&plain);
    Ok(match name {
        "eventid" => Expression::Metadata(Metadata::EventId),
        "partitionid" => Expression::Metadata(Metadata::PartitionId),
        "offset" => Expression::Metadata(Metadata::Offset),
        "sequencenumber" => Expression::Metadata(Metadata::SequenceNumber),
        "eventhub" | "iothub" => Expression::Metadata(Metadata::All),
        "eventenqueuedutctime" | "enqueuedtime" => Expression::column(ENQUEUED),
        "eventprocessedutctime" => column("EventProcessedUtcTime"),
        "partitionkey" => Expression::column(KEY),
        user if user == "user" || user.starts_with("user.") => Expression::column(format!("#{user}")),
        // A publisher's name is its events' partition key.
        "publisher" => Expression::Constant(Value::Null),
        _ => return Err(KNOWN),
    })
}

/// The hidden column of an event's arrival time.
pub(super) const ENQUEUED: &str = "#enqueued";

/// The hidden column of the partition key that an event was sent with.
const KEY: &str = "#key";
/// That of what the sender says beside the body: a record, or, with a name behind it, one value.
const USER: &str = "#user";

/// Whether a column is one of those that the source fills from what stands beside an event's body.
pub(super) fn is_beside(column: &str) -> bool {
    column == KEY || column == USER || column.strip_prefix(USER).is_some_and(|rest| rest.starts_with('.'))
}

/// One value a row; null for rows that are no event.
pub(super) fn column(which: Metadata, batch: &Batch) -> Column {
    Column::from_values((0..batch.rows()).map(|row| match (batch.row_id(row), which) {
        (None, _) => Value::Null,
        (Some(id), Metadata::EventId) => Value::Text(guid(batch.input(row).unwrap_or_default(), id).into()),
        (Some(id), Metadata::PartitionId) => Value::BigInt(id.partition.into()),
        (Some(id), Metadata::Offset) => Value::Text(id.offset.to_string().into()),
        (Some(id), Metadata::SequenceNumber) => Value::BigInt(id.offset.cast_signed()),
        (Some(id), Metadata::All) => {
            let field = |name: &str, value| (Arc::from(name), value);
            Value::Record(Arc::new(vec![
                field("PartitionId", Value::BigInt(id.partition.into())),
                field("Offset", Value::Text(id.offset.to_string().into())),
                field("SequenceNumber", Value::BigInt(id.offset.cast_signed())),
                field("EventEnqueuedUtcTime", batch.column(ENQUEUED).map_or(Value::Null, |column| column.value(row))),
            ]))
        }
    }))
}

/// A GUID from the place of an event.
fn guid(input: usize, id: RowId) -> String {
    let hash = Sha256::digest(format!("{input}/{}/{}", id.partition, id.offset));
    let hex: String = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
