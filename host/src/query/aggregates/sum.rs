//! SUM and AVG: whole numbers add up to a `bigint`, and as soon as one is a `float`, to a `float`.

use arrow_array::Array;
use serde::{Deserialize, Serialize};

use super::exact::ExactSum;
use super::fold::{Fold, Place};
use super::number::{as_float, refuse_number};
use crate::batch::{Column, Value};

#[derive(Debug)]
pub(super) struct Sum;

/// A float.
#[derive(Debug)]
pub(super) struct Avg;

/// What SUM and AVG keep.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Sums {
    whole: i128,
    wholes: u64,
    floats: ExactSum,
    fractions: u64,
}

impl Sums {
    fn add(&mut self, value: &Value) {
        match value {
            Value::BigInt(value) => self.add_whole(*value),
            value => {
                if let Some(value) = as_float(value) {
                    self.add_float(value);
                }
            }
        }
    }

    #[inline]
    fn add_whole(&mut self, value: i64) {
        self.whole += i128::from(value);
        self.wholes += 1;
    }

    #[inline]
    fn add_float(&mut self, value: f64) {
        self.floats.add(value);
        self.fractions += 1;
    }

    fn add_column(states: &mut [Self], columns: &[Column], slots: &[u32]) -> bool {
        match columns {
            [Column::BigInt(values)] if values.null_count() == 0 => {
                slots.iter().zip(values.values()).for_each(|(slot, value)| states[*slot as usize].add_whole(*value));
            }
            [Column::Float(values)] if values.null_count() == 0 => {
                slots.iter().zip(values.values()).for_each(|(slot, value)| states[*slot as usize].add_float(*value));
            }
            _ => return false,
        }
        true
    }

    fn merge(&mut self, from: &Self) {
        self.whole += from.whole;
        self.wholes += from.wholes;
        self.floats.merge(&from.floats);
        self.fractions += from.fractions;
    }

    fn subtract(&mut self, part: &Self) {
        self.whole -= part.whole;
        self.wholes -= part.wholes;
        self.floats.subtract(&part.floats);
        self.fractions -= part.fractions;
    }

    /// The sum of all as a float, rounded once.
    fn total(&self) -> f64 {
        if self.wholes == 0 {
            return self.floats.value();
        }
        // Pieces of 32 bits are floats without rounding.
        let mut total = self.floats.clone();
        let (negative, mut rest) = (self.whole < 0, self.whole.unsigned_abs());
        let mut unit = if negative { -1.0 } else { 1.0 };
        while rest > 0 {
            total.add((rest & 0xffff_ffff) as f64 * unit);
            rest >>= 32;
            unit *= 4_294_967_296.0;
        }
        total.value()
    }
}

impl Fold for Sum {
    type State = Sums;
    const SUBTRACTS: bool = true;

    fn refuse(&self, value: &Value) -> Option<String> {
        refuse_number("SUM", value)
    }

    fn add(&self, state: &mut Sums, value: Value, _place: Place<'_>) {
        state.add(&value);
    }

    fn add_column(&self, states: &mut [Sums], columns: &[Column], slots: &[u32]) -> bool {
        Sums::add_column(states, columns, slots)
    }

    fn merge(&self, into: &mut Sums, from: &Sums) {
        into.merge(from);
    }

    fn subtract(&self, from: &mut Sums, part: &Sums) {
        from.subtract(part);
    }

    fn value(&self, state: &Sums) -> Result<Value, String> {
        match (state.wholes, state.fractions) {
            (0, 0) => Ok(Value::Null),
            (_, 0) => match i64::try_from(state.whole) {
                Ok(sum) => Ok(Value::BigInt(sum)),
                Err(_) => Err(format!("SUM: {} does not fit bigint; CAST the argument to float", state.whole)),
            },
            _ => Ok(Value::Float(state.total())),
        }
    }
}

impl Fold for Avg {
    type State = Sums;
    const SUBTRACTS: bool = true;

    fn refuse(&self, value: &Value) -> Option<String> {
        refuse_number("AVG", value)
    }

    fn add(&self, state: &mut Sums, value: Value, _place: Place<'_>) {
        state.add(&value);
    }

    fn add_column(&self, states: &mut [Sums], columns: &[Column], slots: &[u32]) -> bool {
        Sums::add_column(states, columns, slots)
    }

    fn merge(&self, into: &mut Sums, from: &Sums) {
        into.merge(from);
    }

    fn subtract(&self, from: &mut Sums, part: &Sums) {
        from.subtract(part);
    }

    fn value(&self, state: &Sums) -> Result<Value, String> {
        let count = state.wholes + state.fractions;
        Ok(if count == 0 { Value::Null } else { Value::Float(state.total() / count as f64) })
    }
}
