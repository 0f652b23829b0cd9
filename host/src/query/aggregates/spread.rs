//! VAR, VARP, STDEV, STDEVP. The sums of the values and of their squares are exact, so that large values with a small spread
//! lose nothing.

use serde::{Deserialize, Serialize};

use super::exact::ExactSum;
use super::fold::{Fold, Place};
use super::number::{as_float, refuse_number};
use crate::batch::Value;

#[derive(Debug)]
pub(super) struct Spread {
    /// As the query spells it.
    pub(super) name: &'static str,
    /// Of a sample: n - 1.
    pub(super) sample: bool,
    /// The standard deviation: the root of the variance.
    pub(super) deviation: bool,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Moments {
    count: u64,
    sum: ExactSum,
    squares: ExactSum,
}

impl Moments {
    /// The sum of the squared distances from the mean.
    fn squared_distances(&self) -> f64 {
        let count = self.count as f64;
        let (sum, sum_rest) = self.sum.pair();
        let (squares, squares_rest) = self.squares.pair();
        // sum² / count, as two floats.
        let square = sum * sum;
        let square_rest = sum.mul_add(sum, -square) + 2.0 * sum * sum_rest;
        let share = square / count;
        let share_rest = ((-share).mul_add(count, square) + square_rest) / count;
        ((squares - share) + (squares_rest - share_rest)).max(0.0)
    }
}

impl Fold for Spread {
    type State = Moments;
    const SUBTRACTS: bool = true;

    fn refuse(&self, value: &Value) -> Option<String> {
        refuse_number(self.name, value)
    }

    fn add(&self, state: &mut Moments, value: Value, _place: Place<'_>) {
        let Some(value) = as_float(&value) else { return };
        let square = value * value;
        state.count += 1;
        state.sum.add(value);
        state.squares.add(square);
        if square.is_finite() {
            state.squares.add(value.mul_add(value, -square));
        }
    }

    fn merge(&self, into: &mut Moments, from: &Moments) {
        into.count += from.count;
        into.sum.merge(&from.sum);
        into.squares.merge(&from.squares);
    }

    fn subtract(&self, from: &mut Moments, part: &Moments) {
        from.count -= part.count;
        from.sum.subtract(&part.sum);
        from.squares.subtract(&part.squares);
    }

    fn value(&self, state: &Moments) -> Result<Value, String> {
        let freedom = if self.sample { state.count.saturating_sub(1) } else { state.count };
        if freedom == 0 {
            return Ok(Value::Null);
        }
        let variance = state.squared_distances() / freedom as f64;
        Ok(Value::Float(if self.deviation { variance.sqrt() } else { variance }))
    }
}
