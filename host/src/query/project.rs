//! A step without a window: filters and computes, batch by batch. Function calls are made once a batch.

use std::ops::Range;
use std::sync::Arc;

use super::expression::{Expression, Rows};
use super::operate::truth;
use crate::batch::{Batch, Column};
use crate::fault::{Fault, Rejected};
use crate::time::Timestamp;

/// What the query calls for `udf.…`; the pipeline answers it from the sandbox.
pub trait Functions {
    /// Calls a function over `rows` rows.
    ///
    /// # Errors
    /// A [`Fault`] that stops the job. Trouble with a row is not one: it is in [`Called::rejected`].
    fn call(&mut self, name: &str, arguments: &[Argument<'_>], rows: usize) -> Result<Called, Fault>;

    /// Runs an aggregate function, `uda.NAME`, from its start over each group: the group's values with their times, in
    /// that order. Group number `g` has the rows from `ends[g - 1]` (0 for the first) up to `ends[g]`.
    /// The answer has one value a group.
    ///
    /// # Errors
    /// A [`Fault`] that stops the job, also when there is no such function.
    fn aggregate(&mut self, name: &str, values: &Column, times: &[Timestamp], ends: &[usize]) -> Result<Column, Fault> {
        let _unused = (values, times, ends);
        Err(Fault::job(format!("there is no aggregate function 'uda.{name}'")))
    }
}

/// One argument of a call.
#[derive(Debug)]
pub enum Argument<'a> {
    /// The whole rows of a source.
    Record(&'a Batch),
    /// One value a row.
    Value(&'a Column),
}

/// What a call answered.
#[derive(Debug)]
pub struct Called {
    /// One value a row; null where there is none.
    pub column: Column,
    /// Rows that do not fit the function, and why, rows ascending: they go to the dead letter.
    pub rejected: Vec<(usize, String)>,
    /// Rows whose call failed in a way that stops a job in Stream Analytics, rows ascending.
    pub failed: Vec<Failed>,
}

/// A call that failed: a script that threw, an endpoint that refused. What follows is the job's policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// The rows of the call.
    pub rows: Range<usize>,
    /// Why.
    pub fault: Fault,
}

/// Rows that go on, and rows that do not.
#[derive(Debug)]
pub struct Output {
    /// The rows that go on.
    pub batch: Batch,
    /// Rows that a function rejected.
    pub rejected: Vec<Rejected>,
}

/// A `udf.…` call of a step.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) name: String,
    pub(super) arguments: Vec<CallArgument>,
}

#[derive(Debug, Clone)]
pub(super) enum CallArgument {
    Record,
    Value(Expression),
}

/// One entry of a SELECT list.
#[derive(Debug, Clone)]
pub(super) enum Item {
    /// All columns that are not there yet.
    Star,
    /// An expression and its name.
    Named(Arc<str>, Expression),
}

/// A step without a window.
#[derive(Debug)]
pub struct Project {
    pub(super) filter: Filter,
    pub(super) calls: Vec<Call>,
    pub(super) items: Vec<Item>,
}

/// A WHERE clause, with the calls in it.
#[derive(Debug, Default)]
pub(super) struct Filter {
    pub(super) calls: Vec<Call>,
    pub(super) condition: Option<Expression>,
}

impl Filter {
    /// The rows for which the condition holds.
    pub(super) fn run(&self, batch: &Batch, functions: &mut dyn Functions) -> Result<Output, Fault> {
        let Some(condition) = &self.condition else { return Ok(Output { batch: batch.clone(), rejected: Vec::new() }) };
        let (batch, calls, rejected) = make_calls(&self.calls, batch, functions)?;
        let holds = truth(&condition.over(Rows { batch: &batch, calls: &calls })?);
        if holds.iter().all(|holds| *holds) {
            return Ok(Output { batch, rejected });
        }
        let keep: Vec<u32> = (0..holds.len() as u32).filter(|row| holds[*row as usize]).collect();
        Ok(Output { batch: batch.take(&keep), rejected })
    }
}

impl Project {
    /// Runs the step over a batch.
    ///
    /// # Errors
    /// A [`Fault`] that stops the job.
    pub fn run(&self, batch: &Batch, functions: &mut dyn Functions) -> Result<Output, Fault> {
        let Output { batch, mut rejected } = self.filter.run(batch, functions)?;
        let (batch, calls, more) = make_calls(&self.calls, &batch, functions)?;
        rejected.extend(more);
        let rows = Rows { batch: &batch, calls: &calls };
        let mut names: Vec<Arc<str>> = Vec::new();
        let mut columns = Vec::new();
        for item in &self.items {
            match item {
                Item::Star => {
                    for (name, column) in batch.names.iter().zip(&batch.columns) {
                        // A column that is already projected is not repeated by a later star.
                        if !names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                            names.push(Arc::clone(name));
                            columns.push(column.clone());
                        }
                    }
                }
                Item::Named(name, expression) => {
                    names.push(Arc::clone(name));
                    columns.push(expression.over(rows)?);
                }
            }
        }
        Ok(Output { batch: Batch { names: names.into(), columns, times: Arc::clone(&batch.times), origin: batch.origin }, rejected })
    }
}

/// Makes each call once; rows that any of them rejects are left out of all.
pub(super) fn make_calls(
    calls: &[Call],
    batch: &Batch,
    functions: &mut dyn Functions,
) -> Result<(Batch, Vec<Column>, Vec<Rejected>), Fault> {
    let mut results = Vec::with_capacity(calls.len());
    let mut reasons: std::collections::BTreeMap<usize, (String, String)> = std::collections::BTreeMap::new();
    if batch.rows() == 0 {
        return Ok((batch.clone(), vec![Column::Null(0); calls.len()], Vec::new()));
    }
    for call in calls {
        let values = call
            .arguments
            .iter()
            .map(|argument| match argument {
                CallArgument::Record => Ok(None),
                CallArgument::Value(expression) => expression.over(Rows { batch, calls: &[] }).map(Some),
            })
            .collect::<Result<Vec<_>, Fault>>()?;
        let arguments: Vec<Argument<'_>> =
            values.iter().map(|value| value.as_ref().map_or(Argument::Record(batch), Argument::Value)).collect();
        let called = functions.call(&call.name, &arguments, batch.rows())?;
        if let Some(failed) = called.failed.into_iter().next() {
            return Err(failed.fault);
        }
        for (row, reason) in called.rejected {
            reasons.entry(row).or_insert_with(|| (format!("udf.{}", call.name), reason));
        }
        results.push(called.column);
    }
    if reasons.is_empty() {
        return Ok((batch.clone(), results, Vec::new()));
    }
    let keep: Vec<u32> = (0..batch.rows() as u32).filter(|row| !reasons.contains_key(&(*row as usize))).collect();
    let rejected = reasons.into_iter().map(|(row, (step, reason))| Rejected { origin: batch.row_id(row), step, reason }).collect();
    Ok((batch.take(&keep), results.iter().map(|column| column.take(&keep)).collect(), rejected))
}
