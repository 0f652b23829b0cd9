//! The built-in functions. To add one: write it in its family's file and add its line to that file's table.

mod array;
mod conversion;
pub(super) mod date;
mod geospatial;
mod json;
mod logic;
mod math;
mod pattern;
mod string;
mod value;

#[cfg(test)]
mod tests;

use crate::batch::{Column, ColumnBuilder, Value};

/// A scalar function: its arguments' values in, its value out.
pub(super) type Scalar = fn(&[Value]) -> Result<Value, Wrong>;

/// The same over whole columns, where that is quicker; `None`: go row by row, with the same answers.
pub(super) type Vector = fn(&[Column]) -> Option<Column>;

/// A built-in function.
#[derive(Debug, Clone, Copy)]
pub struct Builtin {
    /// Its name, in upper case.
    pub name: &'static str,
    /// The fewest and the most arguments.
    pub arguments: (usize, usize),
    /// Whether its first argument is the name of a date part, which stands in the query without quotes; `run` gets it
    /// as a text. [`date::part`] tells whether there is such a part.
    pub date_part: bool,
    run: Scalar,
    vector: Option<Vector>,
}

impl Builtin {
    const fn new(name: &'static str, arguments: (usize, usize), run: Scalar) -> Self {
        Self { name, arguments, date_part: false, run, vector: None }
    }

    const fn of_date_part(mut self) -> Self {
        self.date_part = true;
        self
    }

    const fn vector(mut self, vector: Vector) -> Self {
        self.vector = Some(vector);
        self
    }

    /// Whether both are the same: casts to different types share a name.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.name == other.name && std::ptr::fn_addr_eq(self.run, other.run)
    }

    /// One value from the values of the arguments.
    #[cfg(test)]
    pub(super) fn of(&self, values: &[Value]) -> Result<Value, String> {
        (self.run)(values).map_err(|wrong| wrong.message(self.name))
    }

    /// One value a row from the columns of the arguments.
    pub(super) fn over(&self, columns: &[Column], rows: usize) -> Result<Column, Failure> {
        if let Some(column) = self.vector.and_then(|vector| vector(columns)) {
            return Ok(column);
        }
        let mut out = ColumnBuilder::with_capacity(rows);
        let mut values = Vec::with_capacity(columns.len());
        for row in 0..rows {
            values.clear();
            values.extend(columns.iter().map(|column| column.value(row)));
            out.push((self.run)(&values).map_err(|wrong| Failure { row, message: wrong.message(self.name) })?);
        }
        Ok(out.finish())
    }
}

/// The first row for which a function has no answer. In Stream Analytics this stops the job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) row: usize,
    pub(super) message: String,
}

/// Why a function has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wrong {
    /// An argument, counted from 0, has a type that the function does not take.
    Type { place: usize, given: &'static str, allowed: &'static [&'static str] },
    /// What is wrong with the arguments' values.
    Value(String),
    /// A whole sentence, which names the function or needs not.
    Whole(String),
}

impl Wrong {
    /// In the words of Stream Analytics, where they are known.
    fn message(&self, function: &str) -> String {
        let function = function.to_ascii_lowercase();
        match self {
            Self::Type { place, given, allowed } => {
                let number = place + 1;
                let suffix = match (number % 10, number % 100) {
                    (_, 11..=13) => "th",
                    (1, _) => "st",
                    (2, _) => "nd",
                    (3, _) => "rd",
                    _ => "th",
                };
                let allowed = allowed.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ");
                format!("The {number}{suffix} argument of function {function} has invalid type '{given}'. Only {allowed} is allowed.")
            }
            Self::Value(what) => format!("Function {function} failed: {what}."),
            Self::Whole(message) => message.clone(),
        }
    }
}

const FAMILIES: [&[Builtin]; 8] =
    [array::TABLE, conversion::TABLE, date::TABLE, geospatial::TABLE, json::TABLE, logic::TABLE, math::TABLE, string::TABLE];

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

/// A cast to a type, by its name in the language; a lenient one (`TRY_CAST`) answers null where the other fails.
pub(super) fn cast(ty: &str, lenient: bool) -> Option<Builtin> {
    conversion::cast(ty, lenient)
}
