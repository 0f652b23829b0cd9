//! TopOne and CollectTop: the first rows in an order.

use std::cmp::Ordering;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::fold::{Fold, Place};
use super::number::shown;
use super::total_order::by_value;
use crate::batch::{RowOrder, Value};

/// Keeps the first rows. Rows that are equal in the order come as they came.
#[derive(Debug)]
pub(super) struct Top {
    /// How many.
    pub(super) count: usize,
    /// `DESC`, for each key.
    pub(super) descending: Vec<bool>,
    /// TopOne: the value itself, not an array.
    pub(super) one: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Ranked {
    keys: Vec<Value>,
    order: RowOrder,
    value: Value,
}

impl Top {
    fn name(&self) -> &'static str {
        if self.one { "TopOne" } else { "CollectTop" }
    }

    fn rank(&self, left: &[Value], left_order: RowOrder, right: &Ranked) -> Ordering {
        let keys = left.iter().zip(&right.keys).zip(&self.descending).map(|((left, right), descending)| {
            let order = by_value(left, right);
            if *descending { order.reverse() } else { order }
        });
        keys.into_iter().find(|order| order.is_ne()).unwrap_or_else(|| left_order.cmp(&right.order))
    }

    fn insert(&self, rows: &mut Vec<Ranked>, row: Ranked) {
        let place = rows.partition_point(|known| self.rank(&row.keys, row.order, known).is_gt());
        if place < self.count {
            rows.insert(place, row);
            rows.truncate(self.count);
        }
    }
}

impl Fold for Top {
    type State = Vec<Ranked>;
    const SUBTRACTS: bool = false;
    const TAKES_NULL: bool = true;

    fn refuse(&self, _value: &Value) -> Option<String> {
        None
    }

    fn refuse_key(&self, key: &Value) -> Option<String> {
        match key {
            Value::BigInt(_) | Value::Float(_) | Value::DateTime(_) => None,
            _ => Some(format!("{}: ORDER BY takes bigint, float and datetime, not {}; CAST it", self.name(), shown(key))),
        }
    }

    fn add(&self, rows: &mut Vec<Ranked>, value: Value, place: Place<'_>) {
        let keys: Vec<Value> = place.keys.iter().map(|key| key.value(place.row)).collect();
        if rows.len() == self.count && rows.last().is_some_and(|last| self.rank(&keys, place.order, last).is_gt()) {
            return;
        }
        self.insert(rows, Ranked { keys, order: place.order, value });
    }

    fn merge(&self, into: &mut Vec<Ranked>, from: &Vec<Ranked>) {
        from.iter().for_each(|row| self.insert(into, row.clone()));
    }

    fn value(&self, rows: &Vec<Ranked>) -> Result<Value, String> {
        if self.one {
            return Ok(rows.first().map_or(Value::Null, |row| row.value.clone()));
        }
        let ranked = rows
            .iter()
            .zip(1..)
            .map(|(row, rank)| Value::Record(Arc::new(vec![("rank".into(), Value::BigInt(rank)), ("value".into(), row.value.clone())])));
        Ok(Value::Array(ranked.collect()))
    }
}
