//! The aggregates of one way through the pattern.

use std::cmp::Ordering;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::super::order;
use super::{MatchAggregate, MatchFunction};
use crate::batch::{Column, Value};

/// One value an aggregate; `None`: the variable has no row yet, or none with a value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Values(Arc<[Option<Value>]>);

impl Values {
    pub(super) fn new(count: usize) -> Self {
        Self(vec![None; count].into())
    }

    /// Aggregate number `number`; null without rows.
    pub(super) fn get(&self, number: usize) -> Value {
        self.0.get(number).cloned().flatten().unwrap_or(Value::Null)
    }

    /// With one more row, which fits `variable`.
    pub(super) fn with(&self, aggregates: &[MatchAggregate], variable: Option<usize>, columns: &[Column], row: usize) -> Self {
        if !aggregates.iter().any(|aggregate| aggregate.takes(variable)) {
            return self.clone();
        }
        let values = aggregates.iter().zip(self.0.iter()).zip(columns);
        Self(values.map(|((aggregate, known), column)| aggregate.next(variable, known.as_ref(), column, row)).collect())
    }

    /// Aggregate number `number` with one more row, which fits `variable`.
    pub(super) fn get_with(
        &self,
        number: usize,
        aggregate: &MatchAggregate,
        variable: Option<usize>,
        column: &Column,
        row: usize,
    ) -> Value {
        aggregate.next(variable, self.0.get(number).and_then(Option::as_ref), column, row).unwrap_or(Value::Null)
    }
}

impl MatchAggregate {
    fn takes(&self, variable: Option<usize>) -> bool {
        self.variable.is_none() || self.variable == variable
    }

    fn next(&self, variable: Option<usize>, known: Option<&Value>, column: &Column, row: usize) -> Option<Value> {
        if !self.takes(variable) {
            return known.cloned();
        }
        let value = column.value(row);
        let replaces = match (self.function, known) {
            (MatchFunction::Last, _) | (MatchFunction::First, None) => true,
            (MatchFunction::First, Some(_)) => false,
            _ if value.is_null() => false,
            (_, None) => true,
            (MatchFunction::Min, Some(known)) => order(&value, known) == Ordering::Less,
            (MatchFunction::Max, Some(known)) => order(&value, known) == Ordering::Greater,
        };
        if replaces { Some(value) } else { known.cloned() }
    }
}
