//! Aggregates that need every value: Collect, STRING_AGG, the percentiles, and JavaScript aggregates.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::fold::{Fold, Place};
use super::number::{as_float, refuse_number, shown};
use super::total_order::compare;
use crate::batch::{RowOrder, Value};

/// Values with their places. They are put in order when the result is asked for.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Held {
    rows: Vec<(RowOrder, Value)>,
}

impl Held {
    fn add(&mut self, order: RowOrder, value: Value) {
        self.rows.push((order, value));
    }

    fn merge(&mut self, from: &Self) {
        self.rows.extend(from.rows.iter().cloned());
    }

    /// The part's rows are the oldest.
    fn subtract(&mut self, part: &Self) {
        if let Some(last) = part.rows.iter().map(|(order, _)| order.time).max() {
            self.rows.retain(|(order, _)| order.time > last);
        }
    }

    fn in_order(&self) -> Vec<(RowOrder, &Value)> {
        let mut rows: Vec<_> = self.rows.iter().map(|(order, value)| (*order, value)).collect();
        rows.sort_by_key(|(order, _)| *order);
        rows
    }
}

/// What is made of the values.
pub(super) trait Gather: std::fmt::Debug + Send {
    /// Whether nulls are held too.
    const TAKES_NULL: bool;
    fn refuse(&self, value: &Value) -> Option<String>;
    /// The rows in their order; none of a group without values.
    fn gather(&self, rows: Vec<(RowOrder, &Value)>) -> Value;
}

/// A fold that holds every value.
#[derive(Debug)]
pub(super) struct Holding<G>(pub(super) G);

impl<G: Gather> Fold for Holding<G> {
    type State = Held;
    const SUBTRACTS: bool = true;
    const TAKES_NULL: bool = G::TAKES_NULL;

    fn refuse(&self, value: &Value) -> Option<String> {
        self.0.refuse(value)
    }

    fn add(&self, state: &mut Held, value: Value, place: Place<'_>) {
        state.add(place.order, value);
    }

    fn merge(&self, into: &mut Held, from: &Held) {
        into.merge(from);
    }

    fn subtract(&self, from: &mut Held, part: &Held) {
        from.subtract(part);
    }

    fn value(&self, state: &Held) -> Result<Value, String> {
        Ok(self.0.gather(state.in_order()))
    }
}

/// An array of all values, in the order of their rows.
#[derive(Debug)]
pub(super) struct Collect;

impl Gather for Collect {
    const TAKES_NULL: bool = true;

    fn refuse(&self, _value: &Value) -> Option<String> {
        None
    }

    fn gather(&self, rows: Vec<(RowOrder, &Value)>) -> Value {
        Value::Array(rows.into_iter().map(|(_, value)| value.clone()).collect())
    }
}

/// What a JavaScript aggregate is given: an array of the values and their times in turn. The step that owns it calls the function.
#[derive(Debug)]
pub(super) struct ForUser;

impl Gather for ForUser {
    const TAKES_NULL: bool = true;

    fn refuse(&self, _value: &Value) -> Option<String> {
        None
    }

    fn gather(&self, rows: Vec<(RowOrder, &Value)>) -> Value {
        Value::Array(rows.into_iter().flat_map(|(order, value)| [value.clone(), Value::DateTime(order.time)]).collect())
    }
}

/// Texts, joined by the separator.
#[derive(Debug)]
pub(super) struct StringAgg(pub(super) Arc<str>);

impl Gather for StringAgg {
    const TAKES_NULL: bool = false;

    fn refuse(&self, value: &Value) -> Option<String> {
        match value {
            Value::Record(_) | Value::Array(_) => Some(format!("STRING_AGG: a text is expected, not {}", shown(value))),
            _ => None,
        }
    }

    fn gather(&self, rows: Vec<(RowOrder, &Value)>) -> Value {
        if rows.is_empty() {
            return Value::Null;
        }
        let texts = rows.into_iter().map(|(_, value)| match value {
            Value::Text(text) => Arc::clone(text),
            Value::DateTime(time) => time.to_string().into(),
            Value::Bit(value) => if *value { "1" } else { "0" }.into(),
            other => {
                let mut text = Vec::new();
                crate::batch::write_value(other, &mut text);
                String::from_utf8_lossy(&text).into()
            }
        });
        Value::Text(texts.collect::<Vec<_>>().join(&*self.0).into())
    }
}

/// A percentile: between two values, or the first value whose share of the values reaches the fraction.
#[derive(Debug)]
pub(super) struct Percentile {
    pub(super) fraction: f64,
    pub(super) descending: bool,
    pub(super) continuous: bool,
}

impl Gather for Percentile {
    const TAKES_NULL: bool = false;

    fn refuse(&self, value: &Value) -> Option<String> {
        refuse_number(if self.continuous { "PERCENTILE_CONT" } else { "PERCENTILE_DISC" }, value)
    }

    fn gather(&self, rows: Vec<(RowOrder, &Value)>) -> Value {
        let mut values: Vec<Value> = rows
            .into_iter()
            .map(|(_, value)| match value {
                Value::Text(_) => as_float(value).map_or(Value::Null, Value::Float),
                value => value.clone(),
            })
            .collect();
        if values.is_empty() {
            return Value::Null;
        }
        values.sort_by(compare);
        if self.descending {
            values.reverse();
        }
        if !self.continuous {
            let count = values.len();
            let reaches = |number: usize| number as f64 / count as f64 >= self.fraction;
            let mut number = ((self.fraction * count as f64).ceil() as usize).clamp(1, count);
            // The product may be off by a rounding.
            while number > 1 && reaches(number - 1) {
                number -= 1;
            }
            while number < count && !reaches(number) {
                number += 1;
            }
            return values.swap_remove(number - 1);
        }
        let place = self.fraction * (values.len() - 1) as f64;
        let at = |number: f64| values.get(number as usize).and_then(as_float).unwrap_or(f64::NAN);
        let (low, high) = (at(place.floor()), at(place.ceil()));
        Value::Float(if low == high { low } else { low + (high - low) * (place - place.floor()) })
    }
}
