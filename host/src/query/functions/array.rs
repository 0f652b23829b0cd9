//! GetArrayElement, GetArrayLength, GetRecordPropertyValue. (GetArrayElements and GetRecordProperties belong to APPLY.)

use super::value::{array, field, integer, record, text};
use super::{Builtin, Wrong};
use crate::batch::Value;

pub(super) const TABLE: &[Builtin] = &[
    Builtin::new("GETARRAYELEMENT", (2, 2), element),
    Builtin::new("GETARRAYLENGTH", (1, 1), |values| {
        Ok(array(values, 0)?.map_or(Value::Null, |elements| Value::BigInt(elements.len() as i64)))
    }),
    Builtin::new("GETRECORDPROPERTYVALUE", (2, 2), |values| {
        let (Some(record), Some(name)) = (record(values, 0)?, text(values, 1)?) else { return Ok(Value::Null) };
        Ok(field(record, name).cloned().unwrap_or(Value::Null))
    }),
];

/// Counted from 0; null beyond the ends.
fn element(values: &[Value]) -> Result<Value, Wrong> {
    let (Some(elements), Some(index)) = (array(values, 0)?, integer(values, 1)?) else { return Ok(Value::Null) };
    Ok(usize::try_from(index).ok().and_then(|index| elements.get(index)).cloned().unwrap_or(Value::Null))
}
