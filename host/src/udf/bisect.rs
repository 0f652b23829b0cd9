//! Finds the rows at fault when a call fails: the batch is halved until each failing part is one row.
//! The time that failing calls may take is bounded, because each may cost a whole deadline; past it, what is left is rejected.

use std::ops::Range;
use std::time::{Duration, Instant};

use super::UdfError;
use super::function::{Called, Function};
use crate::batch::{Batch, Column, ColumnBuilder};

/// Calls over halves of `batch`, whose whole failed with `first` after `took`.
pub(super) fn find(function: &Function, number: u32, batch: &Batch, first: &UdfError, took: Duration) -> Result<Called, UdfError> {
    let rows = batch.rows();
    let mut parts: Vec<(Range<usize>, Column)> = Vec::new();
    let mut rejected: Vec<(usize, String)> = Vec::new();
    let (mut failures, mut spent) = (1, took);
    let mut open = halves(0..rows, first, &mut rejected);
    while let Some(part) = open.pop() {
        if spent >= function.limits().search {
            let reason = format!("{first}; {failures} calls over parts of this batch failed, the rest was not tried");
            rejected.extend(part.map(|row| (row, reason.clone())));
            continue;
        }
        let chosen: Vec<u32> = part.clone().map(|row| row as u32).collect();
        let started = Instant::now();
        match function.once_over(number, &batch.take(&chosen)) {
            Ok(called) => {
                rejected.extend(called.rejected.into_iter().map(|(row, reason)| (part.start + row, reason)));
                parts.push((part, called.column));
            }
            Err(error) => {
                failures += 1;
                spent += started.elapsed();
                open.extend(halves(part, &error, &mut rejected));
            }
        }
    }
    rejected.sort_by_key(|(row, _)| *row);
    parts.sort_by_key(|(part, _)| part.start);
    let mut column = ColumnBuilder::with_capacity(rows);
    for (part, values) in parts {
        (column.len()..part.start).for_each(|_| column.push_null());
        (0..values.len()).for_each(|row| column.push(values.value(row)));
    }
    (column.len()..rows).for_each(|_| column.push_null());
    Ok(Called { column: column.finish(), rejected })
}

/// One row at fault is rejected; more are halved, the first half to be looked at first.
fn halves(part: Range<usize>, error: &UdfError, rejected: &mut Vec<(usize, String)>) -> Vec<Range<usize>> {
    if part.len() == 1 {
        rejected.push((part.start, error.to_string()));
        return Vec::new();
    }
    let middle = part.start + part.len() / 2;
    vec![middle..part.end, part.start..middle]
}
