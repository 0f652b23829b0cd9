//! DISTINCT: every value once.

use std::collections::BTreeMap;

use super::fold::{Fold, Place};
use super::total_order::Ordered;
use crate::batch::{RowOrder, Value};

/// Keeps how often each value came; what the fold makes of them is asked for at the end.
#[derive(Debug)]
pub(super) struct Distinct<F>(pub(super) F);

impl<F: Fold> Fold for Distinct<F> {
    type State = BTreeMap<Ordered, u64>;
    const SUBTRACTS: bool = true;

    fn refuse(&self, value: &Value) -> Option<String> {
        self.0.refuse(value)
    }

    fn add(&self, state: &mut Self::State, value: Value, _place: Place<'_>) {
        *state.entry(Ordered(value)).or_insert(0) += 1;
    }

    fn merge(&self, into: &mut Self::State, from: &Self::State) {
        for (value, count) in from {
            match into.get_mut(value) {
                Some(known) => *known += count,
                None => {
                    into.insert(value.clone(), *count);
                }
            }
        }
    }

    fn subtract(&self, from: &mut Self::State, part: &Self::State) {
        for (value, count) in part {
            if let Some(known) = from.get_mut(value) {
                *known = known.saturating_sub(*count);
                if *known == 0 {
                    from.remove(value);
                }
            }
        }
    }

    fn value(&self, state: &Self::State) -> Result<Value, String> {
        let mut inner = F::State::default();
        for Ordered(value) in state.keys() {
            self.0.add(&mut inner, value.clone(), Place { order: RowOrder::default(), keys: &[], row: 0 });
        }
        self.0.value(&inner)
    }
}
