//! A step with a window: groups the rows of a closed window and computes one row per group.

use std::collections::HashMap;
use std::sync::Arc;

use super::expression::{Expression, Rows};
use super::operate::{number, order, truth};
use super::plan::WindowSpec;
use super::project::{Call, CallArgument, Filter, Functions, Output, make_calls};
use crate::batch::{Batch, Column, ColumnBuilder, Origin, Value};
use crate::fault::Fault;
use crate::time::Timestamp;

/// An aggregate function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Count,
    CountDistinct,
    Sum,
    Avg,
    Min,
    Max,
}

impl Kind {
    pub(super) fn of(name: &str) -> Option<Self> {
        Some(match name {
            "COUNT" | "COUNT_BIG" => Self::Count,
            "SUM" => Self::Sum,
            "AVG" => Self::Avg,
            "MIN" => Self::Min,
            "MAX" => Self::Max,
            _ => return None,
        })
    }
}

/// One aggregate of a step; `None` as argument counts rows.
#[derive(Debug, Clone)]
pub(super) struct Aggregate {
    pub(super) kind: Kind,
    pub(super) argument: Option<Expression>,
}

/// A step with a window. Inside `items` and `having`, `#key0`, `#aggregate0` and so on are columns.
#[derive(Debug)]
pub struct WindowStep {
    pub(super) filter: Filter,
    pub(super) spec: WindowSpec,
    pub(super) calls: Vec<Call>,
    pub(super) keys: Vec<Expression>,
    pub(super) aggregates: Vec<Aggregate>,
    pub(super) items: Vec<(Arc<str>, Expression)>,
    pub(super) having: Option<Expression>,
}

pub(super) fn key_name(number: usize) -> Arc<str> {
    format!("#key{number}").into()
}

pub(super) fn aggregate_name(number: usize) -> Arc<str> {
    format!("#aggregate{number}").into()
}

impl WindowStep {
    /// Its window.
    pub fn window(&self) -> WindowSpec {
        self.spec
    }

    /// The rows that the window is to hold, with the columns that are needed when it closes.
    ///
    /// # Errors
    /// A [`Fault`] that stops the job.
    pub fn filter(&self, batch: &Batch, functions: &mut dyn Functions) -> Result<Output, Fault> {
        let Output { batch, rejected } = self.filter.run(batch, functions)?;
        let Some(needed) = self.needed() else { return Ok(Output { batch, rejected }) };
        let kept: Vec<usize> =
            (0..batch.names.len()).filter(|index| needed.iter().any(|name| name.eq_ignore_ascii_case(&batch.names[*index]))).collect();
        let names = kept.iter().map(|index| Arc::clone(&batch.names[*index])).collect();
        let columns = kept.iter().map(|index| batch.columns[*index].clone()).collect();
        Ok(Output { batch: Batch { names, columns, ..batch }, rejected })
    }

    /// The columns that are read when a window closes; `None`: all.
    fn needed(&self) -> Option<Vec<Arc<str>>> {
        let mut names = Vec::new();
        let mut all = false;
        let mut note = |expression: &Expression| {
            expression.visit(&mut |inner| match inner {
                Expression::Column(name, _) => names.push(Arc::clone(name)),
                Expression::Row => all = true,
                _ => {}
            });
        };
        self.keys.iter().for_each(&mut note);
        self.aggregates.iter().filter_map(|aggregate| aggregate.argument.as_ref()).for_each(&mut note);
        for argument in self.calls.iter().flat_map(|call| &call.arguments) {
            match argument {
                CallArgument::Record => return None,
                CallArgument::Value(expression) => note(expression),
            }
        }
        (!all).then_some(names)
    }

    /// One row per group of a closed window's rows; groups are in the order of their keys, so that a replay gives
    /// the same rows in the same order. Function calls inside aggregates are made once, over all rows.
    ///
    /// # Errors
    /// A [`Fault`] that stops the job.
    pub fn aggregate(&self, rows: &Batch, end: Timestamp, functions: &mut dyn Functions) -> Result<Output, Fault> {
        let (batch, calls, rejected) = make_calls(&self.calls, rows, functions)?;
        let over = Rows { batch: &batch, calls: &calls };
        let keys = self.keys.iter().map(|key| key.over(over)).collect::<Result<Vec<_>, _>>()?;
        let arguments = self
            .aggregates
            .iter()
            .map(|aggregate| aggregate.argument.as_ref().map(|argument| argument.over(over)).transpose())
            .collect::<Result<Vec<_>, _>>()?;
        let (groups, firsts) = group(&keys, batch.rows());
        let mut names = Vec::new();
        let mut columns = Vec::new();
        for (number, key) in keys.iter().enumerate() {
            names.push(key_name(number));
            columns.push(key.take(&firsts));
        }
        for (number, (aggregate, argument)) in self.aggregates.iter().zip(&arguments).enumerate() {
            names.push(aggregate_name(number));
            columns.push(compute(aggregate.kind, argument.as_ref(), &groups, firsts.len())?);
        }
        let mut made = Batch { names: names.into(), columns, times: vec![end; firsts.len()].into(), origin: Origin::Derived };
        if let Some(having) = &self.having {
            let holds = truth(&having.over(Rows { batch: &made, calls: &[] })?);
            made = made.take(&(0..holds.len() as u32).filter(|row| holds[*row as usize]).collect::<Vec<_>>());
        }
        let over = Rows { batch: &made, calls: &[] };
        let columns = self.items.iter().map(|(_, expression)| expression.over(over)).collect::<Result<Vec<_>, _>>()?;
        let names = self.items.iter().map(|(name, _)| Arc::clone(name)).collect();
        Ok(Output { batch: Batch { names, columns, ..made }, rejected })
    }
}

/// The group of each row, and the first row of each group; groups ascend by their keys' text.
fn group(keys: &[Column], rows: usize) -> (Vec<u32>, Vec<u32>) {
    let mut known: HashMap<Vec<u8>, u32> = HashMap::new();
    let mut groups = Vec::with_capacity(rows);
    let mut firsts = Vec::new();
    let mut text = Vec::new();
    for row in 0..rows {
        text.clear();
        for key in keys {
            crate::batch::write_value(&key.value(row), &mut text);
            text.push(0);
        }
        let next = firsts.len() as u32;
        let number = match known.get(&text) {
            Some(number) => *number,
            None => {
                known.insert(text.clone(), next);
                firsts.push(row as u32);
                next
            }
        };
        groups.push(number);
    }
    let mut order: Vec<(&Vec<u8>, u32)> = known.iter().map(|(text, number)| (text, *number)).collect();
    order.sort();
    let mut places = vec![0; firsts.len()];
    order.iter().enumerate().for_each(|(place, (_, number))| places[*number as usize] = place as u32);
    let sorted = order.iter().map(|(_, number)| firsts[*number as usize]).collect();
    (groups.into_iter().map(|number| places[number as usize]).collect(), sorted)
}

fn compute(kind: Kind, argument: Option<&Column>, groups: &[u32], count: usize) -> Result<Column, Fault> {
    let values = |row: usize| argument.map_or(Value::BigInt(1), |column| column.value(row));
    match kind {
        Kind::Count => {
            let mut counts = vec![0_i64; count];
            let counted = groups.iter().enumerate().filter(|(row, _)| argument.is_none_or(|column| !column.is_null(*row)));
            counted.for_each(|(_, group)| counts[*group as usize] += 1);
            Ok(Column::BigInt(counts.into()))
        }
        Kind::CountDistinct => {
            let mut seen: Vec<std::collections::HashSet<Vec<u8>>> = vec![Default::default(); count];
            for (row, group) in groups.iter().enumerate() {
                let value = values(row);
                if !value.is_null() {
                    let mut text = Vec::new();
                    crate::batch::write_value(&value, &mut text);
                    seen[*group as usize].insert(text);
                }
            }
            Ok(Column::BigInt(seen.iter().map(|seen| seen.len() as i64).collect::<Vec<_>>().into()))
        }
        Kind::Sum => fold(values, groups, count, |sum, value| add(&sum, &value)),
        Kind::Avg => {
            let mut sums = vec![(0.0, 0_u64); count];
            for (row, group) in groups.iter().enumerate() {
                let value = values(row);
                if !value.is_null() {
                    let value = number(&value).ok_or_else(|| Fault::job("AVG: a number is expected"))?;
                    let (sum, seen) = &mut sums[*group as usize];
                    *sum += value;
                    *seen += 1;
                }
            }
            let mut out = ColumnBuilder::default();
            for (sum, seen) in sums {
                if seen == 0 { out.push_null() } else { out.push_float(sum / seen as f64) }
            }
            Ok(out.finish())
        }
        Kind::Min => fold(values, groups, count, |best, value| {
            Ok(if order(&value, &best).is_some_and(std::cmp::Ordering::is_lt) { value } else { best })
        }),
        Kind::Max => fold(values, groups, count, |best, value| {
            Ok(if order(&value, &best).is_some_and(std::cmp::Ordering::is_gt) { value } else { best })
        }),
    }
}

/// Folds each group's values; nulls are passed over, and a group of nothing but nulls is null.
fn fold(
    values: impl Fn(usize) -> Value,
    groups: &[u32],
    count: usize,
    step: impl Fn(Value, Value) -> Result<Value, Fault>,
) -> Result<Column, Fault> {
    let mut folded = vec![Value::Null; count];
    for (row, group) in groups.iter().enumerate() {
        let value = values(row);
        if value.is_null() {
            continue;
        }
        let slot = &mut folded[*group as usize];
        *slot = if slot.is_null() { value } else { step(std::mem::replace(slot, Value::Null), value)? };
    }
    Ok(Column::from_values(folded))
}

fn add(sum: &Value, value: &Value) -> Result<Value, Fault> {
    match (sum, value) {
        (Value::BigInt(sum), Value::BigInt(value)) => {
            sum.checked_add(*value).map(Value::BigInt).ok_or_else(|| Fault::job("SUM: the result does not fit bigint"))
        }
        _ => match (number(sum), number(value)) {
            (Some(sum), Some(value)) => Ok(Value::Float(sum + value)),
            _ => Err(Fault::job("SUM: a number is expected")),
        },
    }
}
