//! The outbox: rows that an output has not taken yet, in parcels. They are put there in the transaction that holds the
//! checkpoint, and go when the output has acknowledged them. What a parcel's bytes mean is the pipeline's business.

use rusqlite::Connection;

use super::{Reader, Store, StoreError, Unit};

/// Rows for one output that wait to be delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parcel {
    /// Its number; parcels are delivered in this order.
    pub seq: u64,
    /// How many rows are in it.
    pub rows: u64,
    /// The rows.
    pub body: Vec<u8>,
}

/// What waits for an output, in sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Waiting {
    /// Rows.
    pub rows: u64,
    /// Bytes of the parcels.
    pub bytes: u64,
}

impl Unit<'_> {
    /// Puts a parcel for an output; its number must be above all that are there.
    pub fn put_parcel(&mut self, output: &str, parcel: &Parcel) -> Result<(), StoreError> {
        let sql = "INSERT INTO outbox (seq, output, rows, bytes, body) VALUES (?1, ?2, ?3, ?4, ?5)";
        let Parcel { seq, rows, body } = parcel;
        self.connection().prepare_cached(sql)?.execute((whole(*seq)?, output, whole(*rows)?, body.len() as i64, body))?;
        Ok(())
    }

    /// Takes an output's parcels out, up to this number. Answers what they held.
    pub fn remove_parcels(&mut self, output: &str, up_to: u64) -> Result<Waiting, StoreError> {
        let (connection, up_to) = (self.connection(), whole(up_to)?);
        let held = waiting(connection, output, up_to)?;
        connection.prepare_cached("DELETE FROM outbox WHERE output = ?1 AND seq <= ?2")?.execute((output, up_to))?;
        Ok(held)
    }

    /// Takes all parcels out whose number is above this one: those that the last checkpoint does not cover.
    pub fn remove_parcels_above(&mut self, seq: u64) -> Result<(), StoreError> {
        self.connection().prepare_cached("DELETE FROM outbox WHERE seq > ?1")?.execute([whole(seq)?])?;
        Ok(())
    }
}

impl Store {
    /// What waits for an output.
    pub fn waiting(&self, output: &str) -> Result<Waiting, StoreError> {
        waiting(&self.connection, output, i64::MAX)
    }

    /// The outputs that rows wait for.
    pub fn waited_for(&self) -> Result<Vec<String>, StoreError> {
        let mut statement = self.connection.prepare_cached("SELECT DISTINCT output FROM outbox ORDER BY output")?;
        let names = statement.query_map([], |row| row.get(0))?;
        Ok(names.collect::<Result<_, _>>()?)
    }
}

impl Reader {
    /// The next parcels of an output: numbers above `after` up to `up_to`, until `bytes` are together; at least one when there is one.
    pub fn parcels(&self, output: &str, after: u64, up_to: u64, bytes: usize) -> Result<Vec<Parcel>, StoreError> {
        let sql = "SELECT seq, rows, body FROM outbox WHERE output = ?1 AND seq > ?2 AND seq <= ?3 ORDER BY seq";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query((output, whole(after)?, whole(up_to)?))?;
        let (mut parcels, mut together) = (Vec::new(), 0);
        while together < bytes
            && let Some(row) = rows.next()?
        {
            let number = |index| row.get::<_, i64>(index).map(i64::cast_unsigned);
            let parcel = Parcel { seq: number(0)?, rows: number(1)?, body: row.get(2)? };
            together += parcel.body.len();
            parcels.push(parcel);
        }
        Ok(parcels)
    }
}

fn waiting(connection: &Connection, output: &str, up_to: i64) -> Result<Waiting, StoreError> {
    let sql = "SELECT ifnull(sum(rows), 0), ifnull(sum(bytes), 0) FROM outbox WHERE output = ?1 AND seq <= ?2";
    let mut statement = connection.prepare_cached(sql)?;
    Ok(statement.query_row((output, up_to), |row| {
        let number = |index| row.get::<_, i64>(index).map(i64::cast_unsigned);
        Ok(Waiting { rows: number(0)?, bytes: number(1)? })
    })?)
}

fn whole(number: u64) -> Result<i64, StoreError> {
    i64::try_from(number).map_err(|_| StoreError::Offset(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parcels_come_in_order_and_go_when_they_are_taken() {
        let directory = tempfile::tempdir().unwrap();
        let mut store = Store::open(directory.path()).unwrap();
        let parcel = |seq: u64, size: usize| Parcel { seq, rows: 10 * seq, body: vec![7; size] };
        let mut unit = store.begin().unwrap();
        for (output, seq, size) in [("a", 1, 100), ("b", 2, 1), ("a", 3, 100), ("a", 4, 100), ("a", 5, 1)] {
            unit.put_parcel(output, &parcel(seq, size)).unwrap();
        }
        // What was put and not committed is nowhere.
        drop(unit);
        assert_eq!(store.waiting("a").unwrap(), Waiting::default());
        let mut unit = store.begin().unwrap();
        for (output, seq, size) in [("a", 1, 100), ("b", 2, 1), ("a", 3, 100), ("a", 4, 100), ("a", 5, 1)] {
            unit.put_parcel(output, &parcel(seq, size)).unwrap();
        }
        unit.commit().unwrap();
        assert_eq!(store.waited_for().unwrap(), ["a", "b"]);
        assert_eq!(store.waiting("a").unwrap(), Waiting { rows: 130, bytes: 301 });
        let reader = Reader::open(directory.path()).unwrap();
        let seqs =
            |after, up_to, bytes| reader.parcels("a", after, up_to, bytes).unwrap().iter().map(|parcel| parcel.seq).collect::<Vec<_>>();
        assert_eq!(seqs(0, 9, 1 << 20), [1, 3, 4, 5]);
        assert_eq!(seqs(0, 9, 150), [1, 3], "bytes are counted");
        assert_eq!(seqs(1, 4, 1 << 20), [3, 4]);
        assert_eq!(reader.parcels("a", 1, 3, 1).unwrap(), [parcel(3, 100)]);

        let mut unit = store.begin().unwrap();
        unit.remove_parcels_above(4).unwrap();
        assert_eq!(unit.remove_parcels("a", 3).unwrap(), Waiting { rows: 40, bytes: 200 });
        assert_eq!(unit.remove_parcels("a", 3).unwrap(), Waiting::default());
        unit.commit().unwrap();
        assert_eq!((seqs(0, 9, 1 << 20), store.waiting("b").unwrap().rows), (vec![4], 20));
    }
}
