//! A stateless step: filters and computes, batch by batch. Function calls are made once a batch.

use std::sync::Arc;

use super::Functions;
use super::calling::{Calls, Ended};
use super::expression::{Expression, Rows};
use super::operate::truth;
use crate::batch::{Batch, Column, Record, Value};
use crate::fault::{Fault, Rejected};

/// Rows that go on, and rows that do not.
#[derive(Debug)]
pub struct Output {
    /// The rows that go on.
    pub batch: Batch,
    /// Rows that a function rejected.
    pub rejected: Vec<Rejected>,
    /// Rows that a function failed on: they stop the job, or are rejected, too, as the job's policy says.
    pub failed: Vec<Failure>,
}

/// A row that stops the job.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The row, as far as it is known.
    pub row: Value,
    /// What becomes of it when the job goes on.
    pub rejected: Rejected,
    /// Why.
    pub fault: Fault,
}

/// One entry of a SELECT list.
#[derive(Debug, Clone)]
pub(super) enum Item {
    /// All columns that are not there yet.
    Star,
    /// All columns of one source of a join.
    StarOf(Arc<str>),
    /// All fields of a record.
    Fields(Expression),
    /// An expression and its name.
    Named(Arc<str>, Expression),
}

/// Filters rows, then computes columns.
#[derive(Debug, Default)]
pub struct Project {
    pub(super) filter: Option<Expression>,
    /// `None`: the rows as they are, with `more` beside their columns.
    pub(super) items: Option<Vec<Item>>,
    /// Hidden columns that are added.
    pub(super) more: Vec<(Arc<str>, Expression)>,
}

impl Project {
    /// Calls `visit` for each of its expressions and those inside.
    pub(super) fn visit(&self, visit: &mut impl FnMut(&Expression)) {
        self.filter.iter().for_each(|filter| filter.visit(visit));
        self.more.iter().for_each(|(_, expression)| expression.visit(visit));
        for item in self.items.iter().flatten() {
            if let Item::Named(_, expression) | Item::Fields(expression) = item {
                expression.visit(visit);
            }
        }
    }

    /// Runs the step over a batch.
    ///
    /// # Errors
    /// A [`Fault`] that stops the job.
    pub fn run(&self, batch: &Batch, functions: &mut dyn Functions) -> Result<Output, Fault> {
        let Output { batch, mut rejected, mut failed } = self.filtered(batch, functions)?;
        let mut calls = Calls::with(functions);
        let rows = Rows::of(&batch);
        let mut names: Vec<Arc<str>> = Vec::new();
        let mut columns: Vec<Column> = Vec::new();
        match &self.items {
            None => {
                names.extend(batch.names.iter().cloned());
                columns.extend(batch.columns.iter().cloned());
            }
            Some(items) => {
                for item in items {
                    item.run(rows, &mut calls, &mut names, &mut columns)?;
                }
            }
        }
        for (name, expression) in &self.more {
            names.push(Arc::clone(name));
            columns.push(expression.over(rows, &mut calls)?);
        }
        let names = if self.items.is_none() && self.more.is_empty() { Arc::clone(&batch.names) } else { names.into() };
        let projected = Batch { names, columns, times: Arc::clone(&batch.times), origin: batch.origin.clone() };
        let ended = calls.finish(&batch);
        rejected.extend(ended.rejected);
        failed.extend(ended.failed);
        let batch = match ended.keep {
            Some(keep) => projected.take(&keep),
            None => projected,
        };
        Ok(Output { batch, rejected, failed })
    }

    /// The rows for which the condition holds.
    fn filtered(&self, batch: &Batch, functions: &mut dyn Functions) -> Result<Output, Fault> {
        let Some(condition) = &self.filter else { return Ok(Output { batch: batch.clone(), rejected: Vec::new(), failed: Vec::new() }) };
        let mut calls = Calls::with(functions);
        let mut holds = truth(&condition.over(Rows::of(batch), &mut calls)?);
        let Ended { keep, rejected, failed } = calls.finish(batch);
        if let Some(keep) = keep {
            let mut good = vec![false; holds.len()];
            keep.iter().for_each(|row| good[*row as usize] = true);
            holds.iter_mut().zip(good).for_each(|(holds, good)| *holds &= good);
        }
        if holds.iter().all(|holds| *holds) {
            return Ok(Output { batch: batch.clone(), rejected, failed });
        }
        let keep: Vec<u32> = (0..holds.len() as u32).filter(|row| holds[*row as usize]).collect();
        Ok(Output { batch: batch.take(&keep), rejected, failed })
    }
}

impl Item {
    /// Appends the item's columns. A column that is already there is not repeated by a star.
    fn run(&self, rows: Rows<'_>, calls: &mut Calls<'_>, names: &mut Vec<Arc<str>>, columns: &mut Vec<Column>) -> Result<(), Fault> {
        let mut add = |name: Arc<str>, column: Column| {
            if !name.starts_with('#') && !names.iter().any(|known| known.eq_ignore_ascii_case(&name)) {
                names.push(name);
                columns.push(column);
            }
        };
        match self {
            Self::Star => {
                rows.batch.names.iter().zip(&rows.batch.columns).for_each(|(name, column)| add(Arc::clone(name), column.clone()));
            }
            Self::StarOf(alias) => {
                for (name, column) in rows.batch.names.iter().zip(&rows.batch.columns) {
                    let head = name.get(..alias.len()).is_some_and(|head| head.eq_ignore_ascii_case(alias));
                    if let Some(rest) = name.get(alias.len()..).and_then(|rest| rest.strip_prefix('.'))
                        && head
                    {
                        add(rest.into(), column.clone());
                    }
                }
            }
            Self::Fields(record) => {
                let record = record.over(rows, calls)?;
                fields(&record).into_iter().for_each(|(name, column)| add(name, column));
            }
            Self::Named(name, expression) => {
                if !names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                    names.push(Arc::clone(name));
                    columns.push(expression.over(rows, calls)?);
                }
            }
        }
        Ok(())
    }
}

/// A column for each field of a column of records; absent where a record does not have it.
fn fields(records: &Column) -> Vec<(Arc<str>, Column)> {
    let Column::Mixed(values) = records else { return Vec::new() };
    let records: Vec<Option<&Record>> =
        values.iter().map(|value| if let Value::Record(fields) = value { Some(&**fields) } else { None }).collect();
    let mut names: Vec<Arc<str>> = Vec::new();
    for (name, _) in records.iter().flatten().flat_map(|fields| fields.iter()) {
        if !names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            names.push(Arc::clone(name));
        }
    }
    let value = |fields: &Option<&Record>, name: &str| {
        let found = fields.and_then(|fields| fields.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)));
        found.map_or(Value::Missing, |(_, value)| value.clone())
    };
    names
        .into_iter()
        .map(|name| {
            let column = Column::from_values(records.iter().map(|fields| value(fields, &name)));
            (name, column)
        })
        .collect()
}
