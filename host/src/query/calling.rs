//! The `udf.…` calls of a step: each is made once over the rows that reach it, and rows that a function rejects or fails on
//! are noted.

use std::collections::{BTreeMap, HashMap};

use super::call::{Argument, Functions};
use super::expression::{Call, Expression, Rows, part, present, source};
use super::project::Failure;
use crate::batch::{Batch, Column};
use crate::fault::{Fault, Rejected};

/// The calls of one step over one batch: each is made once, and rows that a function rejects or fails on are noted.
pub(super) struct Calls<'f> {
    functions: Option<&'f mut dyn Functions>,
    made: HashMap<usize, Column>,
    rejected: BTreeMap<usize, (String, String)>,
    failed: BTreeMap<usize, (String, Fault)>,
}

/// What the calls of a step came to.
pub(super) struct Ended {
    /// The rows that go on; `None`: all.
    pub(super) keep: Option<Vec<u32>>,
    pub(super) rejected: Vec<Rejected>,
    pub(super) failed: Vec<Failure>,
}

impl<'f> Calls<'f> {
    pub(super) fn with(functions: &'f mut dyn Functions) -> Self {
        Self { functions: Some(functions), ..Self::none() }
    }

    pub(super) fn none() -> Self {
        Self { functions: None, made: HashMap::new(), rejected: BTreeMap::new(), failed: BTreeMap::new() }
    }

    /// Which rows of the step's batch go on, and what became of the others.
    pub(super) fn finish(self, batch: &Batch) -> Ended {
        let Self { rejected, failed, .. } = self;
        if rejected.is_empty() && failed.is_empty() {
            return Ended { keep: None, rejected: Vec::new(), failed: Vec::new() };
        }
        let goes_on = |row: &u32| !rejected.contains_key(&(*row as usize)) && !failed.contains_key(&(*row as usize));
        let keep = (0..batch.rows() as u32).filter(goes_on).collect();
        let failed = failed
            .into_iter()
            .map(|(row, (step, fault))| Failure {
                row: batch.record(row),
                rejected: Rejected::row(batch, row, &step, fault.to_string()),
                fault,
            })
            .collect();
        let rejected = rejected.into_iter().map(|(row, (step, reason))| Rejected::row(batch, row, &step, reason)).collect();
        Ended { keep: Some(keep), rejected, failed }
    }
}

/// Makes a call over the rows, or takes the answer that it gave before.
pub(super) fn make(call: &Call, rows: Rows<'_>, calls: &mut Calls<'_>) -> Result<Column, Fault> {
    let count = rows.batch.rows();
    if count == 0 {
        return Ok(Column::Null(0));
    }
    if let (None, Some(column)) = (rows.places, calls.made.get(&call.number)) {
        return Ok(column.clone());
    }
    enum Given {
        Record(Batch),
        Value(Column),
    }
    let mut given = Vec::with_capacity(call.arguments.len());
    for argument in &call.arguments {
        given.push(match argument {
            Expression::Row => Given::Record(rows.batch.visible()),
            Expression::Source(alias) => {
                let part = part(rows.batch, alias);
                if present(rows.batch, &part, alias).iter().all(|present| *present) {
                    Given::Record(part)
                } else {
                    Given::Value(source(rows.batch, alias))
                }
            }
            other => Given::Value(other.over(rows, calls)?),
        });
    }
    let arguments: Vec<Argument<'_>> = given
        .iter()
        .map(|given| match given {
            Given::Record(batch) => Argument::Record(batch),
            Given::Value(column) => Argument::Value(column),
        })
        .collect();
    let Some(functions) = calls.functions.as_deref_mut() else {
        return Err(Fault::internal(format!("udf.{} cannot be called here", call.name)));
    };
    let called = functions.call(&call.name, &arguments, count)?;
    let place = |row: usize| rows.places.map_or(row, |places| places[row] as usize);
    let step = || format!("udf.{}", call.name);
    for (row, reason) in called.rejected {
        calls.rejected.entry(place(row)).or_insert_with(|| (step(), reason));
    }
    for failed in called.failed {
        for row in failed.rows {
            calls.failed.entry(place(row)).or_insert_with(|| (step(), failed.fault.clone()));
        }
    }
    if rows.places.is_none() {
        calls.made.insert(call.number, called.column.clone());
    }
    Ok(called.column)
}
