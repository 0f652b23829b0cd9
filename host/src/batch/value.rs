//! One value, for the row path.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tamis_frame::Cell;

use crate::time::Timestamp;

/// The fields of a record, in their order.
pub type Record = Vec<(Arc<str>, Value)>;

/// A value of any of Stream Analytics' types.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub enum Value {
    /// No value.
    #[default]
    Null,
    /// No such field: reads as null everywhere, but `*` does not write it. It stands only inside [`Column::Mixed`](super::Column::Mixed);
    /// [`Column::value`](super::Column::value) answers null for it.
    Missing,
    /// `bit`.
    Bit(bool),
    /// `bigint`.
    BigInt(i64),
    /// `float`.
    Float(f64),
    /// `nvarchar(max)`.
    Text(Arc<str>),
    /// `datetime`.
    DateTime(Timestamp),
    /// `record`.
    Record(Arc<Record>),
    /// `array`.
    Array(Arc<[Self]>),
}

impl Value {
    /// The name of its type, as `GetType` answers; `None` for null.
    pub fn type_name(&self) -> Option<&'static str> {
        match self {
            Self::Null | Self::Missing => None,
            Self::Bit(_) => Some("bit"),
            Self::BigInt(_) => Some("bigint"),
            Self::Float(_) => Some("float"),
            Self::Text(_) => Some("nvarchar(max)"),
            Self::DateTime(_) => Some("datetime"),
            Self::Record(_) => Some("record"),
            Self::Array(_) => Some("array"),
        }
    }

    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null | Self::Missing)
    }

    /// As a function's contract sees it.
    pub fn cell(&self) -> Cell<'_> {
        match self {
            Self::Null | Self::Missing => Cell::Missing,
            Self::Bit(value) => Cell::Bit(*value),
            Self::BigInt(value) => Cell::BigInt(*value),
            Self::Float(value) => Cell::Float(*value),
            Self::Text(value) => Cell::Text(value),
            Self::DateTime(_) => Cell::Other("datetime"),
            Self::Record(_) => Cell::Other("record"),
            Self::Array(_) => Cell::Other("array"),
        }
    }
}
