//! COUNT, SUM, AVG, MIN and MAX over the last rows.
//!
//! The rows of the duration are a queue of two stacks: the older one holds in each place the aggregate of all rows from there
//! to its end, the newer one the values. So nothing is ever subtracted, which for floats would leave errors behind, and each
//! row is looked at twice at most.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::super::order;
use super::{Rows, clear, state_of};
use crate::batch::{Column, ColumnBuilder, Value};
use crate::fault::Fault;
use crate::query::AggregateFunction;

/// The rows of the duration of each partition.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct RunningAggregate {
    partitions: Vec<Queue>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Queue {
    /// The oldest row is last.
    older: Vec<(i64, Partial)>,
    newer: Vec<(i64, Partial)>,
    /// Of all in `newer`.
    newest: Partial,
}

/// An aggregate of some rows.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Partial {
    /// Values that are not null.
    count: u64,
    integers: i128,
    /// The sum of the floats; `None`: there are none.
    floats: Option<f64>,
    /// The least or greatest value.
    extreme: Option<Value>,
}

impl RunningAggregate {
    pub(super) fn run(&mut self, rows: &Rows<'_>, duration: i64, function: &AggregateFunction, value: &Column) -> Result<Column, Fault> {
        let mut answers = ColumnBuilder::with_capacity(rows.times.len());
        for (row, time) in rows.times.iter().enumerate() {
            let queue = state_of(&mut self.partitions, rows.slots[row]);
            queue.expire(time.0.saturating_sub(duration), function);
            if rows.counts(row) && !value.is_null(row) {
                queue.push(time.0, Partial::of(function, value, row), function);
            }
            answers.push(queue.total(function).answer(function)?);
        }
        Ok(answers.finish())
    }

    pub(super) fn forget(&mut self, slot: usize) {
        clear(&mut self.partitions, slot);
    }
}

impl Queue {
    /// Lets go of rows at or before `time`.
    fn expire(&mut self, time: i64, function: &AggregateFunction) {
        while self.older.pop_if(|(seen, _)| *seen <= time).is_some() {}
        if !self.older.is_empty() || self.newer.first().is_none_or(|(seen, _)| *seen > time) {
            return;
        }
        let mut rest = Partial::default();
        for (seen, partial) in self.newer.drain(..).rev().take_while(|(seen, _)| *seen > time) {
            rest = partial.and(&rest, function);
            self.older.push((seen, rest.clone()));
        }
        self.newest = Partial::default();
    }

    fn push(&mut self, time: i64, partial: Partial, function: &AggregateFunction) {
        self.newest = self.newest.and(&partial, function);
        self.newer.push((time, partial));
    }

    fn total(&self, function: &AggregateFunction) -> Partial {
        self.older.last().map_or_else(|| self.newest.clone(), |(_, older)| older.and(&self.newest, function))
    }
}

impl Partial {
    /// Of one value, as [`prepare`] gives it.
    fn of(function: &AggregateFunction, column: &Column, row: usize) -> Self {
        let one = Self { count: 1, ..Self::default() };
        match (function, column.value(row)) {
            (AggregateFunction::Count, _) => one,
            (AggregateFunction::Min { .. } | AggregateFunction::Max { .. }, value) => Self { extreme: Some(value), ..one },
            (_, Value::BigInt(value)) => Self { integers: value.into(), ..one },
            (_, Value::Float(value)) => Self { floats: Some(value), ..one },
            _ => one,
        }
    }

    /// Of these rows and later ones.
    fn and(&self, later: &Self, function: &AggregateFunction) -> Self {
        let floats = match (self.floats, later.floats) {
            (Some(earlier), Some(later)) => Some(earlier + later),
            (earlier, later) => earlier.or(later),
        };
        let extreme = match (&self.extreme, &later.extreme) {
            (Some(earlier), Some(later)) => {
                let least = matches!(function, AggregateFunction::Min { .. });
                let replaces = if least { Ordering::Less } else { Ordering::Greater };
                Some(if order(later, earlier) == replaces { later } else { earlier }.clone())
            }
            (earlier, later) => earlier.clone().or_else(|| later.clone()),
        };
        Self { count: self.count + later.count, integers: self.integers + later.integers, floats, extreme }
    }

    fn answer(&self, function: &AggregateFunction) -> Result<Value, Fault> {
        match function {
            AggregateFunction::Count => Ok(Value::BigInt(self.count as i64)),
            AggregateFunction::Min { .. } | AggregateFunction::Max { .. } => Ok(self.extreme.clone().unwrap_or(Value::Null)),
            _ if self.count == 0 => Ok(Value::Null),
            AggregateFunction::Avg => match self.floats {
                Some(floats) => Ok(Value::Float((floats + self.integers as f64) / self.count as f64)),
                None => integer(self.integers / i128::from(self.count)),
            },
            _ => self.floats.map_or_else(|| integer(self.integers), |floats| Ok(Value::Float(floats + self.integers as f64))),
        }
    }
}

fn integer(value: i128) -> Result<Value, Fault> {
    let value =
        i64::try_from(value).map_err(|_| Fault::job("SUM: the sum does not fit a bigint. Convert the values with CAST(… AS float)."))?;
    Ok(Value::BigInt(value))
}

/// The values as the aggregate takes them: a text is read as a float where it was not cast to a text, a bit is summed as 0 or 1.
///
/// # Errors
/// A [`Fault`] of the job for a value that is no number where one is needed.
pub(super) fn prepare(function: &AggregateFunction, column: Column) -> Result<Column, Fault> {
    let fits = match (function, &column) {
        (AggregateFunction::Count, _) | (_, Column::BigInt(_) | Column::Float(_) | Column::Null(_)) => true,
        (AggregateFunction::Min { text } | AggregateFunction::Max { text }, column) => {
            matches!(column, Column::Bit(_) | Column::DateTime(_)) || (*text && matches!(column, Column::Text(_)))
        }
        _ => false,
    };
    if fits {
        return Ok(column);
    }
    let values = (0..column.len()).map(|row| number(column.value(row), function));
    Ok(Column::from_values(values.collect::<Result<Vec<_>, _>>()?))
}

fn number(value: Value, function: &AggregateFunction) -> Result<Value, Fault> {
    match (function, value) {
        (_, value @ (Value::Null | Value::BigInt(_) | Value::Float(_))) => Ok(value),
        (AggregateFunction::Min { .. } | AggregateFunction::Max { .. }, value @ (Value::Bit(_) | Value::DateTime(_))) => Ok(value),
        (AggregateFunction::Min { text: true } | AggregateFunction::Max { text: true }, value @ Value::Text(_)) => Ok(value),
        (_, Value::Bit(value)) => Ok(Value::BigInt(value.into())),
        (_, value) => match &value {
            Value::Text(text) => text.trim().parse().map(Value::Float).map_err(|_| misfit(&value, function)),
            _ => Err(misfit(&value, function)),
        },
    }
}

fn misfit(value: &Value, function: &AggregateFunction) -> Fault {
    let name = match function {
        AggregateFunction::Sum => "SUM",
        AggregateFunction::Avg => "AVG",
        AggregateFunction::Min { .. } => "MIN",
        _ => "MAX",
    };
    let mut shown = Vec::new();
    crate::batch::write_value(value, &mut shown);
    let (shown, kind) = (String::from_utf8_lossy(&shown).into_owned(), value.type_name().unwrap_or("null"));
    Fault::job(format!("{name}: a value of type '{kind}' is not a number: {shown}. Convert it with TRY_CAST."))
}
