//! The reasons for a score, as records: the columns that move a row's value most, what each adds, and a sentence.

use serde::Serialize;
use tamis_frame::signature::Unit;
use tamis_frame::{Cents, Number, TOP_REASONS};
use tamis_model::Cells;

use crate::call::Memory;
use crate::model::Model;

/// A column's value.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// No value.
    Missing,
    /// A number.
    Float(f64),
    /// A whole number.
    BigInt(i64),
    /// A text.
    Text(String),
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing => f.write_str("missing"),
            Self::Float(value) => Number(*value).fmt(f),
            Self::BigInt(value) => value.fmt(f),
            Self::Text(value) => write!(f, "'{value}'"),
        }
    }
}

/// What one column adds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reason<'m> {
    /// The column.
    pub column: &'m str,
    /// Its value in this row.
    pub value: Value,
    /// What it adds to the row's value.
    pub contribution: f64,
    /// Stable: the column in capitals, and `_RAISES` or `_LOWERS`.
    pub code: String,
    /// A sentence.
    pub text: String,
}

/// A row's reasons: `base`, `rest` and the contributions add up to `value`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reasons<'m> {
    /// The value before any column is looked at.
    pub base: f64,
    /// The row's log-odds or score.
    pub value: f64,
    /// What the columns add that are not among the reasons.
    pub rest: f64,
    /// The columns that move the value most, first the one that moves it most.
    pub reasons: Vec<Reason<'m>>,
}

/// A text that is shown; a longer one is cut.
const MAX_SHOWN: usize = 100;

/// The reasons of each row.
///
/// # Errors
/// When the model's results cannot be told column by column.
pub fn explain<'m>(model: &'m Model, memory: &mut Memory, cells: &[Cells<'_>], rows: usize) -> Result<Vec<Reasons<'m>>, String> {
    let names = &model.contract.columns;
    let base = model.scorer.explained_base().ok_or("the model's results cannot be told column by column")?;
    let unit = match model.contract.unit {
        Some(Unit::LogOdds) => "log-odds",
        _ => "score",
    };
    let (mut values, mut contributions) = (vec![0.0; rows], vec![0.0; rows * names.len()]);
    model.scorer.explain(cells, &mut memory.scratch, &mut values, &mut contributions).map_err(|error| error.to_string())?;
    let explained = values.into_iter().zip(contributions.chunks_exact(names.len().max(1))).enumerate();
    Ok(explained
        .map(|(row, (value, contributions))| {
            let (top, rest) = top(contributions);
            let reason = |column: &usize| reason(&names[*column].name, shown(&cells[*column], row), contributions[*column], unit);
            Reasons { base, value, rest, reasons: top.iter().map(reason).collect() }
        })
        .collect())
}

/// The columns that add most, first the one that adds most (of equal ones the first), and the sum of what all others add.
fn top(contributions: &[f64]) -> (Vec<usize>, f64) {
    let mut top: Vec<usize> = Vec::with_capacity(TOP_REASONS + 1);
    let mut rest = 0.0;
    for (column, share) in contributions.iter().enumerate().filter(|(_, share)| **share != 0.0) {
        let place = top.iter().position(|other| contributions[*other].abs() < share.abs()).unwrap_or(top.len());
        top.insert(place, column);
        if top.len() > TOP_REASONS
            && let Some(column) = top.pop()
        {
            rest += contributions[column];
        }
    }
    (top, rest)
}

fn reason<'m>(column: &'m str, value: Value, contribution: f64, unit: &str) -> Reason<'m> {
    let raises = contribution > 0.0;
    let name: String = column.chars().map(|letter| if letter.is_alphanumeric() { letter.to_ascii_uppercase() } else { '_' }).collect();
    let text =
        format!("{column} is {value}, which {} the {unit} by {}", if raises { "raises" } else { "lowers" }, Cents(contribution.abs()));
    Reason { column, value, contribution, code: format!("{name}_{}", if raises { "RAISES" } else { "LOWERS" }), text }
}

fn shown(cells: &Cells<'_>, row: usize) -> Value {
    match cells {
        Cells::Float(values) => values.get(row).copied().filter(|value| !value.is_nan()).map_or(Value::Missing, Value::Float),
        Cells::BigInt(values) => values.get(row).copied().map_or(Value::Missing, Value::BigInt),
        Cells::Text { offsets, bytes } => {
            let span = offsets.get(row).zip(offsets.get(row + 1)).map(|(start, end)| *start as usize..*end as usize);
            let text = String::from_utf8_lossy(span.and_then(|span| bytes.get(span)).unwrap_or_default());
            let cut = text.char_indices().nth(MAX_SHOWN).map_or(text.len(), |(at, _)| at);
            Value::Text(if cut < text.len() { format!("{}…", &text[..cut]) } else { text.into_owned() })
        }
    }
}
