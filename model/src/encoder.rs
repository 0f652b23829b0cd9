//! What a column becomes before the trees see it: one 32-bit feature a row.

use crate::Categories;

/// How one column's values become 32-bit features.
#[derive(Debug, Clone)]
pub enum Encoder {
    /// 64-bit floats, rounded to the nearest 32-bit float.
    Float,
    /// 64-bit integers, rounded to the nearest 32-bit float, as ONNX's Cast does.
    BigInt,
    /// Texts: each known one has a value, all others share one.
    Text {
        /// The known texts.
        categories: Categories,
        /// Their values, and behind them the value of an unknown text.
        values: Vec<f32>,
    },
}

impl Encoder {
    /// A text encoder. `values` gives one value a name.
    pub fn text(names: Vec<String>, mut values: Vec<f32>, unknown: f32) -> Self {
        values.resize(names.len(), unknown);
        values.push(unknown);
        Self::Text { categories: Categories::new(names), values }
    }

    /// What it reads, in a word.
    pub fn reads(&self) -> &'static str {
        match self {
            Self::Float => "floats",
            Self::BigInt => "integers",
            Self::Text { .. } => "texts",
        }
    }

    /// Writes the features of the rows from `start` on. The kinds must match, as [`crate::Scorer::score`] checks.
    pub(crate) fn encode(&self, cells: Cells<'_>, start: usize, out: &mut [f32]) {
        match (self, cells) {
            (Self::Float, Cells::Float(values)) => {
                for (out, value) in out.iter_mut().zip(&values[start..]) {
                    *out = *value as f32;
                }
            }
            (Self::BigInt, Cells::BigInt(values)) => {
                for (out, value) in out.iter_mut().zip(&values[start..]) {
                    *out = *value as f32;
                }
            }
            (Self::Text { categories, values }, Cells::Text { offsets, bytes }) => {
                for (out, span) in out.iter_mut().zip(offsets[start..].windows(2)) {
                    *out = values[categories.find(bytes, span[0] as usize, span[1] as usize)];
                }
            }
            _ => {}
        }
    }
}

/// The values of one column, as they come.
#[derive(Debug, Clone, Copy)]
pub enum Cells<'a> {
    /// 64-bit floats.
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

    pub(crate) fn fits(&self, encoder: &Encoder) -> bool {
        matches!(
            (encoder, self),
            (Encoder::Float, Self::Float(_)) | (Encoder::BigInt, Self::BigInt(_)) | (Encoder::Text { .. }, Self::Text { .. })
        )
    }
}
