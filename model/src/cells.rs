//! The values of the columns that a model reads, as they come.

use crate::program::Kind;

/// The values of one column.
#[derive(Debug, Clone, Copy)]
pub enum Cells<'a> {
    /// 64-bit floats; NaN is a missing value.
    Float(&'a [f64]),
    /// 64-bit integers.
    BigInt(&'a [i64]),
    /// Texts: `rows + 1` offsets into `bytes`. A span that is out of range counts as an unknown text.
    Text {
        /// Where each text starts and the last one ends.
        offsets: &'a [i32],
        /// All texts, one after the other.
        bytes: &'a [u8],
    },
}

impl Cells<'_> {
    /// How many rows it has.
    pub fn rows(&self) -> usize {
        match self {
            Self::Float(values) => values.len(),
            Self::BigInt(values) => values.len(),
            Self::Text { offsets, .. } => offsets.len().saturating_sub(1),
        }
    }

    pub(crate) fn fits(&self, kind: &Kind) -> bool {
        matches!((kind, self), (Kind::Float, Self::Float(_)) | (Kind::BigInt, Self::BigInt(_)) | (Kind::Text { .. }, Self::Text { .. }))
    }
}
