//! Rows for one output as they are handed to its thread and as they lie in the outbox.

use serde::{Deserialize, Serialize};

use crate::batch::{Batch, DocumentKeys};
use crate::fault::Fault;
use crate::store::Parcel;

/// A parcel has at most so many rows, so that whoever reads it back needs little memory.
const ROWS: usize = 8192;

/// Rows with their number in the order of delivery.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) seq: u64,
    pub(super) keys: DocumentKeys,
    pub(super) batch: Batch,
}

/// What a parcel's bytes are.
#[derive(Serialize, Deserialize)]
struct Contents {
    keys: DocumentKeys,
    batch: Batch,
}

/// A batch cut to what one parcel may hold, numbered from `next`.
pub(super) fn parts(keys: DocumentKeys, batch: Batch, next: &mut u64) -> Vec<Part> {
    let mut numbered = |keys, batch| {
        let seq = *next;
        *next += 1;
        Part { seq, keys, batch }
    };
    let rows = batch.rows();
    if rows <= ROWS {
        return vec![numbered(keys, batch)];
    }
    let cut = |first: usize| {
        let rows = ROWS.min(rows - first);
        numbered(keys.slice(first, rows), batch.slice(first, rows))
    };
    (0..rows).step_by(ROWS).map(cut).collect()
}

impl Part {
    /// As the store keeps it.
    ///
    /// # Errors
    /// A [`Fault`] of this program.
    pub(super) fn pack(&self) -> Result<Parcel, Fault> {
        let contents = Contents { keys: self.keys.clone(), batch: self.batch.clone() };
        let body =
            postcard::to_stdvec(&contents).map_err(|error| Fault::internal(format!("rows cannot be kept in the outbox: {error}")))?;
        Ok(Parcel { seq: self.seq, rows: self.batch.rows() as u64, body })
    }

    /// What [`Part::pack`] made.
    ///
    /// # Errors
    /// When it is damaged.
    pub(super) fn unpack(parcel: &Parcel) -> Result<Self, Fault> {
        let damaged = |why: &dyn std::fmt::Display| {
            Fault::outside(format!(
                "parcel {} of the outbox cannot be read: {why}. The store is damaged; restore it from a copy",
                parcel.seq
            ))
            .never()
        };
        let Contents { keys, batch } = postcard::from_bytes(&parcel.body).map_err(|error| damaged(&error))?;
        let whole = keys.len() == batch.rows()
            && batch.rows() as u64 == parcel.rows
            && batch.names.len() == batch.columns.len()
            && batch.columns.iter().all(|column| column.len() == batch.rows());
        if !whole {
            return Err(damaged(&"its parts do not fit"));
        }
        Ok(Self { seq: parcel.seq, keys, batch })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{Column, Origin, Value};
    use crate::time::Timestamp;

    fn batch(rows: usize) -> Batch {
        Batch {
            names: vec!["a".into(), "b".into()].into(),
            columns: vec![
                Column::BigInt((0..rows as i64).collect::<Vec<_>>().into()),
                Column::from_values((0..rows).map(|row| if row % 2 == 0 { Value::Missing } else { Value::Text("x".into()) })),
            ],
            times: vec![Timestamp(7); rows].into(),
            origin: Origin::Events { input: 0, partition: 3, offsets: (0..rows as u64).collect() },
        }
    }

    #[test]
    fn a_large_batch_is_cut_and_every_part_comes_back_as_it_was() {
        let whole = batch(ROWS + 10);
        let keys = DocumentKeys::of(&whole, 1);
        let mut next = 5;
        let parts = parts(keys.clone(), whole.clone(), &mut next);
        assert_eq!((parts.iter().map(|part| part.seq).collect::<Vec<_>>(), next), (vec![5, 6], 7));
        let read: Vec<Part> = parts.iter().map(|part| Part::unpack(&part.pack().unwrap()).unwrap()).collect();
        assert_eq!(Batch::union(&read.iter().map(|part| part.batch.clone()).collect::<Vec<_>>()).unwrap(), whole);
        assert_eq!(read[1].keys.get(9), keys.get(ROWS + 9));
    }

    #[test]
    fn a_damaged_parcel_is_told() {
        let mut next = 1;
        let whole = batch(3);
        let parcel = parts(DocumentKeys::of(&whole, 0), whole, &mut next)[0].pack().unwrap();
        for cut in [0, 1, parcel.body.len() / 2, parcel.body.len() - 1] {
            let short = Parcel { body: parcel.body[..cut].to_vec(), ..parcel.clone() };
            assert!(Part::unpack(&short).unwrap_err().to_string().contains("parcel 1 of the outbox"));
        }
        assert!(Part::unpack(&Parcel { rows: 4, ..parcel }).is_err());
    }
}
