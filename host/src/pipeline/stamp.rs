//! Application time: `TIMESTAMP BY` gives each row its time, the out-of-order policy keeps it in order.

use crate::batch::{Batch, Column, Value};
use crate::fault::Rejected;
use crate::job::EventsPolicy;
use crate::query::Expression;
use crate::time::Timestamp;

const NOT_FOUND: &str = "InputEventTimestampNotFound: the TIMESTAMP BY value is missing or is not a time";

/// Gives each row the time that `expression` says. A row without one goes to the dead letter.
pub(super) fn by_application(expression: &Expression, batch: Batch, rejected: &mut Vec<Rejected>) -> Batch {
    let moments = moments(expression, &batch);
    if moments.iter().all(Option::is_some) {
        let times = moments.into_iter().flatten().collect();
        return Batch { times, ..batch };
    }
    let mut keep = Vec::with_capacity(batch.rows());
    for (row, moment) in moments.iter().enumerate() {
        if moment.is_some() {
            keep.push(row as u32);
        } else {
            rejected.push(Rejected { origin: batch.row_id(row), step: "timestamp".to_owned(), reason: NOT_FOUND.to_owned() });
        }
    }
    let times = moments.into_iter().flatten().collect();
    Batch { times, ..batch.take(&keep) }
}

/// Arrival times as they are, except behind the watermark: a window that was released is not opened again.
pub(super) fn by_arrival(batch: Batch, watermark: Timestamp) -> Batch {
    if batch.times.iter().all(|time| *time > watermark) || watermark == Timestamp::MAX {
        return batch;
    }
    let earliest = Timestamp(watermark.0.saturating_add(1));
    Batch { times: batch.times.iter().map(|time| (*time).max(earliest)).collect(), ..batch }
}

/// The time of each row; `None` where there is none.
fn moments(expression: &Expression, batch: &Batch) -> Vec<Option<Timestamp>> {
    match expression.evaluate(batch) {
        Ok(column) => (0..batch.rows()).map(|row| moment(&column, row)).collect(),
        // One row spoils the expression for all: the others have their time.
        Err(_) if batch.rows() > 1 => {
            (0..batch.rows() as u32).flat_map(|row| moments(expression, &batch.take(&[row]))).collect()
        }
        Err(_) => vec![None; batch.rows()],
    }
}

fn moment(column: &Column, row: usize) -> Option<Timestamp> {
    match column.value(row) {
        Value::DateTime(moment) => Some(moment),
        Value::Text(text) => Timestamp::parse(&text),
        _ => None,
    }
}

/// Rows that are not after the partition's watermark are moved just behind it, or left out, as the job's policy says.
/// Answers the rows that were moved or left out too.
pub(super) fn in_order(batch: Batch, watermark: Timestamp, policy: EventsPolicy) -> (Batch, Vec<Rejected>) {
    let late: Vec<usize> = (0..batch.rows()).filter(|row| batch.times[*row] <= watermark).collect();
    if late.is_empty() {
        return (batch, Vec::new());
    }
    let changed = late
        .iter()
        .map(|row| Rejected {
            origin: batch.row_id(*row),
            step: "event ordering".to_owned(),
            reason: format!("out of order: its time {} is not after the watermark {watermark}", batch.times[*row]),
        })
        .collect();
    let batch = match policy {
        EventsPolicy::Adjust => Batch { times: batch.times.iter().map(|time| (*time).max(Timestamp(watermark.0.saturating_add(1)))).collect(), ..batch },
        EventsPolicy::Drop => {
            let keep: Vec<u32> = (0..batch.rows() as u32).filter(|row| batch.times[*row as usize] > watermark).collect();
            batch.take(&keep)
        }
    };
    (batch, changed)
}
