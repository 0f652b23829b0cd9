//! Rows that wait for the watermark, and come out in the order that results depend on: time, then input, partition and offset
//! for events, arrival for derived rows.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::gather::{Part, Pick, add_names, gather_named};
use crate::batch::{Batch, Origin, RowId};
use crate::time::Timestamp;

/// Waiting rows.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Ordered {
    /// The number of the next batch.
    next: u64,
    /// By the time of its first waiting row, then its number. Each batch is in order.
    waiting: BTreeMap<(Timestamp, u64), Waiting>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Waiting {
    batch: Batch,
    /// The first waiting row.
    first: usize,
}

/// What orders rows.
type Place = (Timestamp, usize, RowId, u64, usize);

const DERIVED: RowId = RowId { partition: 0, offset: 0 };

fn place(batch: &Batch, number: u64, row: usize) -> Place {
    let (input, id) = identity(batch, row).unwrap_or((usize::MAX, DERIVED));
    (batch.times[row], input, id, number, row)
}

fn identity(batch: &Batch, row: usize) -> Option<(usize, RowId)> {
    match &batch.origin {
        Origin::Events { input, partition, offsets } => Some((*input, RowId { partition: *partition, offset: offsets[row] })),
        Origin::Several(ids) => Some(ids[row]),
        Origin::Derived => None,
    }
}

impl Ordered {
    /// Takes rows in any order.
    pub(super) fn push(&mut self, batch: Batch) {
        if batch.rows() == 0 {
            return;
        }
        let number = self.next;
        self.next += 1;
        let batch = sorted(batch, number);
        self.waiting.insert((batch.times[0], number), Waiting { batch, first: 0 });
    }

    /// The rows up to the watermark, in order.
    pub(super) fn release(&mut self, watermark: Timestamp) -> Option<Batch> {
        let mut parts: Vec<(u64, Batch)> = Vec::new();
        while let Some(entry) = self.waiting.first_entry() {
            let (time, number) = *entry.key();
            if time > watermark {
                break;
            }
            let Waiting { batch, first } = entry.remove();
            let end = first + batch.times[first..].partition_point(|time| *time <= watermark);
            if end == batch.rows() && first == 0 {
                parts.push((number, batch));
            } else {
                parts.push((number, batch.slice(first, end - first)));
                if end < batch.rows() {
                    self.waiting.insert((batch.times[end], number), Waiting { batch, first: end });
                }
            }
        }
        merged(parts)
    }
}

/// The rows in order; nearly always they are already.
fn sorted(batch: Batch, number: u64) -> Batch {
    if (1..batch.rows()).all(|row| place(&batch, number, row - 1) <= place(&batch, number, row)) {
        return batch;
    }
    let mut rows: Vec<u32> = (0..batch.rows() as u32).collect();
    rows.sort_by_key(|row| place(&batch, number, *row as usize));
    batch.take(&rows)
}

fn merged(mut parts: Vec<(u64, Batch)>) -> Option<Batch> {
    if parts.len() <= 1 {
        return parts.pop().map(|(_, batch)| batch);
    }
    // Parts came out by the time of their first row, so most are one after the other, and the sort sees runs.
    let place_of = |part: usize, row: usize| (place(&parts[part].1, parts[part].0, row), (part, row));
    let mut places: Vec<(Place, Pick)> =
        (0..parts.len()).flat_map(|part| (0..parts[part].1.rows()).map(move |row| place_of(part, row))).collect();
    places.sort_by_key(|(place, _)| *place);
    let picks: Vec<Pick> = places.into_iter().map(|(_, pick)| pick).collect();
    let mut names = Vec::new();
    parts.iter().for_each(|(_, batch)| add_names(&mut names, &batch.names));
    let batches: Vec<Part<'_>> = parts.iter().map(|(_, batch)| (&*batch.names, &*batch.columns, batch.rows())).collect();
    let columns = gather_named(&names, &batches, &picks);
    let times = picks.iter().map(|(part, row)| parts[*part].1.times[*row]).collect();
    Some(Batch { names: names.into(), columns, times, origin: origin(&parts, &picks) })
}

fn origin(parts: &[(u64, Batch)], picks: &[Pick]) -> Origin {
    let ids: Option<Vec<(usize, RowId)>> = picks.iter().map(|(part, row)| identity(&parts[*part].1, *row)).collect();
    let Some(ids) = ids else { return Origin::Derived };
    match ids.first() {
        Some((input, RowId { partition, .. })) if ids.iter().all(|id| id.0 == *input && id.1.partition == *partition) => {
            Origin::Events { input: *input, partition: *partition, offsets: ids.iter().map(|(_, id)| id.offset).collect() }
        }
        _ => Origin::Several(Arc::from(ids)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Column;

    fn events(partition: u32, rows: &[(i64, u64)]) -> Batch {
        Batch {
            names: [Arc::from("at")].into(),
            columns: vec![Column::BigInt(rows.iter().map(|row| row.0).collect::<Vec<_>>().into())],
            times: rows.iter().map(|row| Timestamp(row.0)).collect(),
            origin: Origin::Events { input: 0, partition, offsets: rows.iter().map(|row| row.1).collect() },
        }
    }

    #[test]
    fn rows_come_out_by_time_partition_and_offset_however_they_came() {
        let mut ordered = Ordered::default();
        ordered.push(events(1, &[(5, 0), (3, 1), (9, 2)]));
        ordered.push(events(0, &[(3, 7), (3, 6)]));
        let early = ordered.release(Timestamp(5)).unwrap();
        let ids: Vec<_> = (0..early.rows()).map(|row| (early.times[row].0, early.row_id(row).unwrap())).collect();
        let id = |partition, offset| RowId { partition, offset };
        assert_eq!(ids, [(3, id(0, 6)), (3, id(0, 7)), (3, id(1, 1)), (5, id(1, 0))]);
        assert_eq!(early.column("at"), Some(&Column::BigInt(vec![3, 3, 3, 5].into())));
        assert!(ordered.release(Timestamp(8)).is_none());
        let late = ordered.release(Timestamp::MAX).unwrap();
        assert_eq!(late.origin, Origin::Events { input: 0, partition: 1, offsets: [2].into() });
        assert!(ordered.waiting.is_empty());
    }

    #[test]
    fn derived_rows_of_one_time_keep_the_order_in_which_they_came() {
        let mut ordered = Ordered::default();
        for value in [1_i64, 2, 3] {
            ordered.push(Batch { columns: vec![Column::BigInt(vec![value].into())], origin: Origin::Derived, ..events(0, &[(4, 0)]) });
        }
        assert_eq!(ordered.release(Timestamp(4)).unwrap().columns, [Column::BigInt(vec![1, 2, 3].into())]);
    }
}
