//! Sorts the values of a column into labels or bins, and counts them.

use arrow_array::Array;
use serde::{Deserialize, Serialize};

use super::settings::BreakdownSettings;
use super::state::BreakdownState;
use crate::batch::{Column, Value};
use crate::fault::Fault;

/// The counts of one breakdown. The first and last places are those outside the bins, or `other` (last).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Breakdown {
    pub(super) column: String,
    pub(super) labels: Vec<String>,
    #[serde(skip)]
    edges: Vec<f64>,
    all: Vec<u64>,
    flagged: Vec<u64>,
    /// Places that are shown only once something falls there.
    #[serde(skip)]
    rare: Vec<usize>,
    /// The numbers of the labels, for numeric columns.
    #[serde(skip)]
    numbers: Vec<Option<i64>>,
}

impl Breakdown {
    pub(super) fn new(settings: &BreakdownSettings) -> Result<Self, Fault> {
        let refused = |what: &str| Fault::job(format!("Page: the breakdown by `{}` {what}", settings.column));
        let (labels, rare) = match (settings.labels.as_slice(), settings.edges.as_slice()) {
            ([], []) => return Err(refused("needs `Labels` (values) or `Edges` (of numeric bins)")),
            (labels, []) => {
                let mut labels = labels
                    .iter()
                    .map(|label| match label {
                        serde_json::Value::String(text) => Ok(text.clone()),
                        serde_json::Value::Number(number) if number.is_i64() => Ok(number.to_string()),
                        serde_json::Value::Bool(bit) => Ok(bit.to_string()),
                        other => Err(refused(&format!("has the label {other}; a label is a text, a whole number or a bit"))),
                    })
                    .collect::<Result<Vec<_>, _>>()?;
                labels.push("other".into());
                let rare = vec![labels.len() - 1];
                (labels, rare)
            }
            ([], edges) => {
                if edges.len() < 2 || edges.windows(2).any(|pair| pair[0] >= pair[1]) || edges.iter().any(|edge| !edge.is_finite()) {
                    return Err(refused("needs at least two `Edges`, each greater than the one before"));
                }
                let mut labels = vec![format!("under {}", edges[0])];
                labels.extend(edges.windows(2).map(|pair| format!("{}\u{2013}{}", pair[0], pair[1])));
                labels.push(format!("{} and more", edges[edges.len() - 1]));
                labels.push("other".into());
                let rare = vec![0, labels.len() - 2, labels.len() - 1];
                (labels, rare)
            }
            _ => return Err(refused("has both `Labels` and `Edges`; give one of them")),
        };
        let numbers = labels.iter().map(|label| label.parse().ok()).collect();
        let counts = vec![0; labels.len()];
        Ok(Self {
            column: settings.column.clone(),
            labels,
            edges: settings.edges.clone(),
            all: counts.clone(),
            flagged: counts,
            rare,
            numbers,
        })
    }

    /// Counts a column; `flags` tells per row whether it is flagged, or `None` when it has no prediction.
    pub(super) fn add(&mut self, column: Option<&Column>, flags: &[Option<bool>]) {
        let other = self.labels.len() - 1;
        let mut last_text = (String::new(), other);
        for (row, flag) in flags.iter().enumerate() {
            let Some(flag) = flag else { continue };
            let place = match column {
                None => other,
                Some(Column::Text(array)) if self.edges.is_empty() && !array.is_null(row) => {
                    let text = array.value(row);
                    if last_text.0 != text {
                        last_text = (text.to_owned(), self.labels[..other].iter().position(|label| label == text).unwrap_or(other));
                    }
                    last_text.1
                }
                Some(Column::BigInt(array)) if self.edges.is_empty() && !array.is_null(row) => self.whole(array.value(row)),
                Some(Column::Float(array)) if !self.edges.is_empty() && !array.is_null(row) => self.bin(array.value(row)),
                Some(column) => self.place(&column.value(row)),
            };
            self.all[place] += 1;
            self.flagged[place] += u64::from(*flag);
        }
    }

    fn place(&self, value: &Value) -> usize {
        let other = self.labels.len() - 1;
        let named = |text: &str| self.labels[..other].iter().position(|label| label == text).unwrap_or(other);
        match value {
            Value::Float(value) if !self.edges.is_empty() => self.bin(*value),
            #[expect(
                clippy::cast_precision_loss,
                reason = "a bin's edge is a float; beyond 2^53 a value next to an edge may fall to either side"
            )]
            Value::BigInt(value) if !self.edges.is_empty() => self.bin(*value as f64),
            _ if !self.edges.is_empty() => other,
            Value::BigInt(value) => self.whole(*value),
            Value::Float(value) => named(&value.to_string()),
            Value::Bit(value) => named(if *value { "true" } else { "false" }),
            Value::Text(value) => named(value),
            _ => other,
        }
    }

    fn whole(&self, value: i64) -> usize {
        self.numbers.iter().position(|number| *number == Some(value)).unwrap_or(self.labels.len() - 1)
    }

    fn bin(&self, value: f64) -> usize {
        if value.is_nan() { self.labels.len() - 1 } else { self.edges.partition_point(|edge| *edge <= value) }
    }

    /// Takes over the counts of the same breakdown as it was saved.
    pub(super) fn take_over(&mut self, saved: Self) {
        if saved.labels == self.labels && saved.all.len() == self.all.len() && saved.flagged.len() == self.flagged.len() {
            self.all = saved.all;
            self.flagged = saved.flagged;
        }
    }

    pub(super) fn state(&self, title: &str) -> BreakdownState {
        let shown = |place: &usize| self.all[*place] > 0 || !self.rare.contains(place);
        let places: Vec<usize> = (0..self.labels.len()).filter(shown).collect();
        BreakdownState {
            title: title.to_owned(),
            column: self.column.clone(),
            labels: places.iter().map(|place| self.labels[*place].clone()).collect(),
            all: places.iter().map(|place| self.all[*place]).collect(),
            flagged: places.iter().map(|place| self.flagged[*place]).collect(),
        }
    }
}
