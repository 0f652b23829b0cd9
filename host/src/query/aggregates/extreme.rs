//! MIN and MAX.

use std::cmp::Ordering;

use arrow_array::Array;

use super::fold::{Fold, Place};
use super::number::{as_float, shown};
use super::total_order::compare;
use crate::batch::{Column, Value};
use crate::time::Timestamp;

/// Keeps the value at one end of the order.
#[derive(Debug)]
pub(super) struct Extreme {
    /// MAX.
    pub(super) greatest: bool,
    /// Texts are compared as texts; otherwise they are read as floats.
    pub(super) text: bool,
}

impl Extreme {
    fn name(&self) -> &'static str {
        if self.greatest { "MAX" } else { "MIN" }
    }

    fn keep(&self, best: &mut Value, value: Value) {
        let wanted = if self.greatest { Ordering::Greater } else { Ordering::Less };
        if best.is_null() || compare(&value, best) == wanted {
            *best = value;
        }
    }
}

impl Fold for Extreme {
    type State = Value;
    const SUBTRACTS: bool = false;

    fn refuse(&self, value: &Value) -> Option<String> {
        match value {
            Value::Text(_) if self.text => None,
            Value::Text(text) if as_float(value).is_none() => {
                Some(format!("{}: the text '{text}' is not a number; CAST it to nvarchar(max) to compare texts", self.name()))
            }
            Value::Record(_) | Value::Array(_) => Some(format!("{} cannot compare {}", self.name(), shown(value))),
            _ => None,
        }
    }

    fn add(&self, best: &mut Value, value: Value, _place: Place<'_>) {
        let value = match &value {
            Value::Text(_) if !self.text => as_float(&value).map_or(Value::Null, Value::Float),
            _ => value,
        };
        if !value.is_null() {
            self.keep(best, value);
        }
    }

    fn add_column(&self, states: &mut [Value], columns: &[Column], slots: &[u32]) -> bool {
        match columns {
            [Column::BigInt(values)] if values.null_count() == 0 => {
                slots.iter().zip(values.values()).for_each(|(slot, value)| self.keep(&mut states[*slot as usize], Value::BigInt(*value)));
            }
            [Column::Float(values)] if values.null_count() == 0 => {
                slots.iter().zip(values.values()).for_each(|(slot, value)| self.keep(&mut states[*slot as usize], Value::Float(*value)));
            }
            [Column::DateTime(values)] if values.null_count() == 0 => {
                let times = values.values().iter().map(|ticks| Value::DateTime(Timestamp(*ticks)));
                slots.iter().zip(times).for_each(|(slot, time)| self.keep(&mut states[*slot as usize], time));
            }
            _ => return false,
        }
        true
    }

    fn merge(&self, into: &mut Value, from: &Value) {
        if !from.is_null() {
            self.keep(into, from.clone());
        }
    }

    fn value(&self, best: &Value) -> Result<Value, String> {
        Ok(best.clone())
    }
}
