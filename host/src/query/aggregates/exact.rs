//! Sums of floats without error: the order of the values does not matter, and what was added can be taken away again.
//!
//! A sum is a few floats that do not overlap (J. R. Shewchuk, "Adaptive Precision Floating-Point Arithmetic", 1997), as Python's
//! `math.fsum` has it; only the result is rounded, once.

use serde::{Deserialize, Serialize};

/// The exact sum of floats.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct ExactSum {
    /// The parts, magnitudes ascending; zero where there is none. Two suffice for most data.
    parts: [f64; 2],
    more: Option<Box<More>>,
}

/// What does not fit two parts.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct More {
    /// All parts; those outside are not used then.
    parts: Vec<f64>,
    infinities: i64,
    negative_infinities: i64,
    nans: i64,
}

impl ExactSum {
    /// Adds a value.
    #[inline]
    pub(super) fn add(&mut self, value: f64) {
        self.count(value, 1);
    }

    /// Adds another sum.
    pub(super) fn merge(&mut self, other: &Self) {
        self.combine(other, 1);
    }

    /// Takes another sum away.
    pub(super) fn subtract(&mut self, other: &Self) {
        self.combine(other, -1);
    }

    fn combine(&mut self, other: &Self, sign: i64) {
        for part in other.parts() {
            self.count(if sign > 0 { *part } else { -*part }, 1);
        }
        if let Some(other) = &other.more
            && (other.infinities, other.negative_infinities, other.nans) != (0, 0, 0)
        {
            let more = self.more();
            more.infinities += sign * other.infinities;
            more.negative_infinities += sign * other.negative_infinities;
            more.nans += sign * other.nans;
        }
    }

    fn parts(&self) -> &[f64] {
        self.more.as_ref().map_or(&self.parts[..], |more| &more.parts)
    }

    fn more(&mut self) -> &mut More {
        let parts = self.parts;
        self.more
            .get_or_insert_with(|| Box::new(More { parts: parts.into_iter().filter(|part| *part != 0.0).collect(), ..More::default() }))
    }

    fn count(&mut self, value: f64, times: i64) {
        if !value.is_finite() {
            return self.more().note(value, times);
        }
        let Some(more) = &mut self.more else {
            let mut value = value;
            let mut parts = [0.0; 3];
            let mut used = 0;
            for part in self.parts {
                let (sum, error) = two_sum(value, part);
                if error != 0.0 {
                    parts[used] = error;
                    used += 1;
                }
                value = sum;
            }
            parts[used] = value;
            if !value.is_finite() {
                self.more().note(value, times);
            } else if parts[2] == 0.0 {
                self.parts = [parts[0], parts[1]];
            } else {
                self.more = Some(Box::new(More { parts: parts.to_vec(), ..More::default() }));
            }
            return;
        };
        more.add(value, times);
    }

    /// The sum, rounded once; NaN and infinities as their addition gives.
    pub(super) fn value(&self) -> f64 {
        if let Some(more) = &self.more {
            match (more.infinities > 0, more.negative_infinities > 0, more.nans > 0) {
                (_, _, true) | (true, true, _) => return f64::NAN,
                (true, ..) => return f64::INFINITY,
                (_, true, _) => return f64::NEG_INFINITY,
                _ => {}
            }
        }
        round(self.parts())
    }

    /// The sum as two floats: the rounded sum, and what it lacks, rounded.
    pub(super) fn pair(&self) -> (f64, f64) {
        let high = self.value();
        if !high.is_finite() {
            return (high, 0.0);
        }
        let mut rest = self.clone();
        rest.add(-high);
        (high, rest.value())
    }
}

impl More {
    fn note(&mut self, value: f64, times: i64) {
        if value.is_nan() {
            self.nans += times;
        } else if value > 0.0 {
            self.infinities += times;
        } else {
            self.negative_infinities += times;
        }
    }

    fn add(&mut self, mut value: f64, times: i64) {
        let mut kept = 0;
        for place in 0..self.parts.len() {
            let (sum, error) = two_sum(value, self.parts[place]);
            if error != 0.0 {
                self.parts[kept] = error;
                kept += 1;
            }
            value = sum;
        }
        self.parts.truncate(kept);
        if !value.is_finite() {
            self.note(value, times);
        } else if value != 0.0 {
            self.parts.push(value);
        }
    }
}

/// The rounded sum of two floats, and the rounding error; no error when the sum is too great for a float.
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let (large, small) = if a.abs() < b.abs() { (b, a) } else { (a, b) };
    let sum = large + small;
    let error = small - (sum - large);
    (sum, if sum.is_finite() { error } else { 0.0 })
}

/// The sum of parts that do not overlap, magnitudes ascending, rounded to the nearest float, ties to even.
fn round(parts: &[f64]) -> f64 {
    let mut rest = parts.iter().rev().copied().filter(|part| *part != 0.0);
    let Some(mut high) = rest.next() else { return 0.0 };
    while let Some(part) = rest.next() {
        let sum = high + part;
        let error = part - (sum - high);
        high = sum;
        if error != 0.0 {
            // Half-way cases: what is left decides.
            if let Some(next) = rest.next()
                && (error < 0.0) == (next < 0.0)
            {
                let twice = error * 2.0;
                let moved = high + twice;
                if moved - high == twice {
                    high = moved;
                }
            }
            break;
        }
    }
    high
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sum(values: impl IntoIterator<Item = f64>) -> ExactSum {
        let mut sum = ExactSum::default();
        values.into_iter().for_each(|value| sum.add(value));
        sum
    }

    #[test]
    fn tenths_and_cancelling_giants_sum_exactly() {
        assert_eq!(sum([0.1; 10]).value(), 1.0);
        assert_eq!(sum([1e100, 1.0, -1e100]).value(), 1.0);
        assert_eq!(sum([1e16, 1.0, 1e-16]).value(), 10000000000000002.0, "the smallest part breaks the tie");
        assert_eq!(sum([]).value(), 0.0);
        assert_eq!(sum([f64::INFINITY, 1.0]).value(), f64::INFINITY);
        assert!(sum([f64::INFINITY, f64::NEG_INFINITY]).value().is_nan());
        let mut without = sum([f64::INFINITY, 0.5]);
        without.subtract(&sum([f64::INFINITY]));
        assert_eq!(without.value(), 0.5);
    }

    fn floats() -> impl Strategy<Value = Vec<f64>> {
        let float = prop_oneof![-1e3..1e3, (-1.0..1.0, -200..200i32).prop_map(|(digits, power)| digits * 10f64.powi(power))];
        prop::collection::vec(float, 0..40)
    }

    proptest! {
        #[test]
        fn the_order_does_not_matter_and_what_is_taken_away_is_gone((values, shuffled) in floats().prop_flat_map(|values| (Just(values.clone()), Just(values).prop_shuffle())), other in floats()) {
            let whole = sum(values.iter().copied());
            prop_assert_eq!(whole.value().to_bits(), sum(shuffled).value().to_bits());
            let (left, right) = values.split_at(values.len() / 2);
            let mut merged = sum(left.iter().copied());
            merged.merge(&sum(right.iter().copied()));
            prop_assert_eq!(merged.value().to_bits(), whole.value().to_bits());
            let mut with = sum(other.iter().copied());
            with.merge(&whole);
            with.subtract(&sum(other.iter().copied()));
            prop_assert_eq!(with.value().to_bits(), whole.value().to_bits());
            // Both parts of the pair are the same whatever the way to the sum.
            prop_assert_eq!(with.pair(), whole.pair());
        }

        /// The oracle: integers of 128 bits count in units of 2^-20.
        #[test]
        fn sums_are_rounded_once(values in prop::collection::vec(-(1i64 << 52)..(1i64 << 52), 0..60)) {
            let unit = 2f64.powi(-20);
            let exact: i128 = values.iter().map(|value| i128::from(*value)).sum();
            prop_assert_eq!(sum(values.iter().map(|value| *value as f64 * unit)).value(), exact as f64 * unit);
        }
    }
}
