//! The built-in functions. To add one: write it in its family's file and add its line to that file's table.

mod conversion;
pub(super) mod date;
mod math;
mod string;

use super::expression::Scalar;
use crate::batch::Value;

/// A built-in function.
#[derive(Debug, Clone, Copy)]
pub(super) struct Builtin {
    pub(super) name: &'static str,
    /// The fewest and the most arguments.
    pub(super) arguments: (usize, usize),
    pub(super) run: Scalar,
}

const FAMILIES: [&[Builtin]; 4] = [conversion::TABLE, date::TABLE, math::TABLE, string::TABLE];
/// As many arguments as one likes.
const ANY: usize = usize::MAX;

/// The function of that name, in upper case.
pub(super) fn find(name: &str) -> Option<&'static Builtin> {
    FAMILIES.iter().flat_map(|family| family.iter()).find(|builtin| builtin.name == name)
}

/// The names of all functions.
pub(super) fn names() -> impl Iterator<Item = &'static str> + Clone {
    FAMILIES.iter().flat_map(|family| family.iter()).map(|builtin| builtin.name)
}

/// A cast to a type, by its name in the language.
pub(super) fn cast(ty: &str, lenient: bool) -> Option<Builtin> {
    conversion::cast(ty, lenient)
}

fn wrong<T>(place: usize, value: &Value, allowed: &str) -> Result<T, String> {
    let ordinal = ["1st", "2nd", "3rd"].get(place).copied().unwrap_or("next");
    Err(format!("the {ordinal} argument has invalid type '{}'; only {allowed} is allowed", value.type_name().unwrap_or("null")))
}

/// The text of an argument; `Ok(None)` when it is null.
fn text(values: &[Value], place: usize) -> Result<Option<&str>, String> {
    match &values[place] {
        Value::Null => Ok(None),
        Value::Text(text) => Ok(Some(text)),
        other => wrong(place, other, "'nvarchar(max)'"),
    }
}

/// The integer of an argument; `Ok(None)` when it is null.
fn integer(values: &[Value], place: usize) -> Result<Option<i64>, String> {
    match &values[place] {
        Value::Null => Ok(None),
        Value::BigInt(value) => Ok(Some(*value)),
        other => wrong(place, other, "'bigint'"),
    }
}
