//! How one value fits one column: the only place that decides what a missing value, an unknown
//! category or a wrong type comes to. Both doors of the guest and the host call it, so that a row has
//! the same outcome, and the same words, wherever it is scored.

use crate::signature::{Column, Policy};
use crate::{Number, Type};

/// A value as it came, before it is fitted to a column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cell<'a> {
    /// No such field, or null.
    Missing,
    /// True or false.
    Bit(bool),
    /// An integer.
    BigInt(i64),
    /// A number with a fraction, or any number of JavaScript.
    Float(f64),
    /// Text.
    Text(&'a str),
    /// Anything else, by the name of its type: `record`, `array`, `datetime`.
    Other(&'static str),
}

/// A value that fits its column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fitted<'a> {
    /// No value, and the model has a meaning for that.
    Missing,
    /// For a column of [`Type::Float`].
    Float(f64),
    /// For a column of [`Type::BigInt`].
    BigInt(i64),
    /// For a column of [`Type::Text`].
    Text(&'a str),
    /// For a column of [`Type::Bit`].
    Bit(bool),
}

/// Why a row is rejected: the column and what is wrong with its value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("column '{column}': {what}")]
pub struct Reject {
    /// The column at fault.
    pub column: String,
    /// What was expected and what was given.
    pub what: String,
}

const MAX_SHOWN: usize = 40;

/// Fits `cell` to `column`.
///
/// - a missing or null value: as the column's `missing` policy says
/// - a number for a `float` column; an integer, or a float without a fraction, for a `bigint` column
/// - NaN counts as missing where the column accepts that; else it is rejected, as the infinities are
/// - text that is not one of the column's categories: as its `unknown` policy says
/// - any other type is rejected: nothing is converted behind the sender's back
///
/// # Errors
/// [`Reject`], which names the column, what it expects and what was given.
pub fn conform<'a>(column: &Column, cell: Cell<'a>) -> Result<Fitted<'a>, Reject> {
    let reject = |what: String| Err(Reject { column: column.name.clone(), what });
    match (column.ty, cell) {
        (_, Cell::Missing) => match column.missing {
            Policy::Accept => Ok(Fitted::Missing),
            Policy::Reject => reject(format!("{} is expected, no value was given", column.ty)),
        },
        (Type::Float, Cell::Float(value)) if value.is_finite() => Ok(Fitted::Float(value)),
        // Where the model has a meaning for what is missing, NaN is how data frames write it.
        (Type::Float | Type::BigInt, Cell::Float(value)) if value.is_nan() && column.missing == Policy::Accept => Ok(Fitted::Missing),
        (Type::Float, Cell::BigInt(value)) => Ok(Fitted::Float(value as f64)),
        (Type::BigInt, Cell::BigInt(value)) => Ok(Fitted::BigInt(value)),
        (Type::BigInt, Cell::Float(value)) if whole(value) => Ok(Fitted::BigInt(value as i64)),
        (Type::Text, Cell::Text(value)) => {
            if column.unknown == Policy::Reject && !column.categories.iter().any(|known| known == value) {
                return reject(format!("'{}' is not one of {}", shown(value), column.categories.join(", ")));
            }
            Ok(Fitted::Text(value))
        }
        (Type::Bit, Cell::Bit(value)) => Ok(Fitted::Bit(value)),
        (ty, given) => reject(format!("{ty} is expected, {} was given", describe(given))),
    }
}

/// Whether a float stands for an integer that 64 bits can hold exactly.
fn whole(value: f64) -> bool {
    value.fract() == 0.0 && value.abs() <= 9_007_199_254_740_992.0
}

fn shown(text: &str) -> String {
    if text.chars().count() <= MAX_SHOWN {
        return text.to_owned();
    }
    text.chars().take(MAX_SHOWN).chain(['…']).collect()
}

fn describe(cell: Cell<'_>) -> String {
    match cell {
        Cell::Missing => "no value".to_owned(),
        Cell::Bit(value) => format!("bit {value}"),
        Cell::BigInt(value) => format!("bigint {value}"),
        Cell::Float(value) => format!("float {}", Number(value)),
        Cell::Text(value) => format!("text '{}'", shown(value)),
        Cell::Other(name) => (*name).to_owned(),
    }
}
