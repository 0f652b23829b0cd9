//! COUNT, COUNT_BIG.

use super::fold::{Fold, Place};
use crate::batch::{Column, Value};

/// Counts rows, or values that are not null.
#[derive(Debug)]
pub(super) struct Count;

impl Fold for Count {
    type State = i64;
    const SUBTRACTS: bool = true;

    fn refuse(&self, _value: &Value) -> Option<String> {
        None
    }

    fn add(&self, count: &mut i64, _value: Value, _place: Place<'_>) {
        *count += 1;
    }

    fn add_column(&self, counts: &mut [i64], columns: &[Column], slots: &[u32]) -> bool {
        let values = columns.first();
        let every = match values {
            None => true,
            Some(values) => values.array().is_some_and(|array| array.null_count() == 0),
        };
        match values {
            Some(values) if !every => {
                for (row, slot) in slots.iter().enumerate() {
                    counts[*slot as usize] += i64::from(!values.is_null(row));
                }
            }
            _ => slots.iter().for_each(|slot| counts[*slot as usize] += 1),
        }
        true
    }

    fn merge(&self, into: &mut i64, from: &i64) {
        *into += from;
    }

    fn subtract(&self, from: &mut i64, part: &i64) {
        *from -= part;
    }

    fn value(&self, count: &i64) -> Result<Value, String> {
        Ok(Value::BigInt(*count))
    }
}
