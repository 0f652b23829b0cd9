//! What the host knows of an event beside its body: `GetMetadataPropertyValue`.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::expression::Metadata;
use crate::batch::{Batch, Column, RowId, Value};

/// The metadata property of that name: `EventId`, `[EventHub].[Offset]`, `EventHub`, … `Ok(None)` for one that events here
/// never have.
pub(super) fn property(path: &str) -> Result<Metadata, &'static [&'static str]> {
    const KNOWN: &[&str] =
        &["EventId", "[EventHub].[EventEnqueuedUtcTime]", "[EventHub].[PartitionId]", "[EventHub].[Offset]", "[EventHub].[SequenceNumber]", "EventHub"];
    let plain: String = path.chars().filter(|letter| !"[] ".contains(*letter)).collect::<String>().to_ascii_lowercase();
    Ok(match plain.as_str() {
        "eventid" => Metadata::EventId,
        "eventhub.partitionid" | "iothub.partitionid" => Metadata::PartitionId,
        "eventhub.offset" => Metadata::Offset,
        "eventhub.sequencenumber" => Metadata::SequenceNumber,
        "eventhub" => Metadata::All,
        _ => return Err(KNOWN),
    })
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
                field("EventEnqueuedUtcTime", batch.column("#enqueued").map_or(Value::Null, |column| column.value(row))),
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
