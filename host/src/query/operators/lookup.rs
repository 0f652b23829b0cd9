//! The join with reference data: a table that is held whole and may be replaced, without a bound in time.

use std::collections::HashMap;
use std::sync::Arc;

use super::gather::{NOTHING, Pick, gather_named};
use super::keys::equality_key;
use super::qualify::Qualifier;
use super::{JoinKind, holds};
use crate::batch::{Batch, Column};
use crate::fault::Fault;
use crate::query::Expression;

/// So many pairs of a row and a table row are tested at once.
const PAIRS: usize = 32 * 1024;

/// A join of a stream, or of an earlier join's rows, with reference data on the right.
#[derive(Debug, Clone)]
pub struct LookupSpec {
    /// Inner or left.
    pub kind: JoinKind,
    /// The left source's alias; `None` when the left rows' columns are already `alias.column`.
    pub left: Option<Arc<str>>,
    /// The reference input's alias.
    pub right: Arc<str>,
    /// Equalities of the ON condition, one expression over each side's `alias.column` names. Without one every row of the
    /// table is tried.
    pub keys: Vec<(Expression, Expression)>,
    /// The whole ON condition over the joined rows.
    pub condition: Option<Expression>,
}

/// A running join with reference data. It holds no rows of the stream.
#[derive(Debug)]
pub struct Lookup {
    spec: LookupSpec,
    names: Qualifier,
    table: Table,
}

#[derive(Debug)]
struct Table {
    batch: Batch,
    /// The table's rows by key, in the table's order.
    by_key: HashMap<Box<[u8]>, Vec<u32>, ahash::RandomState>,
    all: Vec<u32>,
}

impl Lookup {
    /// A lookup in `table`, the rows of the reference input.
    ///
    /// # Errors
    /// A [`Fault`] of the job when a key cannot be computed for a row of the table.
    pub fn new(spec: LookupSpec, table: &Batch) -> Result<Self, Fault> {
        let names = Qualifier::new(spec.left.clone());
        let table = Table::new(&spec, table)?;
        Ok(Self { spec, names, table })
    }

    /// Takes another table from now on.
    ///
    /// # Errors
    /// As [`Lookup::new`]; the old table then stays.
    pub fn replace(&mut self, table: &Batch) -> Result<(), Fault> {
        self.table = Table::new(&self.spec, table)?;
        Ok(())
    }

    /// The rows joined with the table's: for each row its partners in the table's order; times and origin stay.
    ///
    /// # Errors
    /// A [`Fault`] of the job when a key or the condition cannot be computed for a row.
    pub fn run(&mut self, batch: &Batch) -> Result<Batch, Fault> {
        let batch = self.names.qualify(batch);
        let keys = self.spec.keys.iter().map(|(left, _)| left.evaluate(&batch)).collect::<Result<Vec<_>, _>>()?;
        let mut found: Vec<(u32, u32)> = Vec::new();
        let mut pairs: Vec<(u32, u32)> = Vec::new();
        let mut key = Vec::new();
        for row in 0..batch.rows() {
            for partner in self.table.partners(&keys, row, &mut key) {
                pairs.push((row as u32, *partner));
                if pairs.len() == PAIRS {
                    self.test(&batch, &mut pairs, &mut found)?;
                }
            }
        }
        self.test(&batch, &mut pairs, &mut found)?;
        let (rows, picks) = self.result(batch.rows(), &found);
        Ok(self.joined(batch.take(&rows), &picks))
    }

    /// Moves the pairs for which the condition holds to `found`.
    fn test(&self, batch: &Batch, pairs: &mut Vec<(u32, u32)>, found: &mut Vec<(u32, u32)>) -> Result<(), Fault> {
        let Some(condition) = self.spec.condition.as_ref().filter(|_| !pairs.is_empty()) else {
            found.append(pairs);
            return Ok(());
        };
        let rows: Vec<u32> = pairs.iter().map(|(row, _)| *row).collect();
        let picks: Vec<Pick> = pairs.iter().map(|(_, partner)| (0, *partner as usize)).collect();
        let holds = holds(&condition.evaluate(&self.joined(batch.take(&rows), &picks))?);
        found.extend(pairs.drain(..).zip(holds).filter(|(_, holds)| *holds).map(|(pair, _)| pair));
        Ok(())
    }

    /// Which rows come out, and the partner of each.
    fn result(&self, rows: usize, found: &[(u32, u32)]) -> (Vec<u32>, Vec<Pick>) {
        if self.spec.kind == JoinKind::Inner {
            return found.iter().map(|(row, partner)| (*row, (0, *partner as usize))).unzip();
        }
        let mut found = found.iter().peekable();
        let mut result = (Vec::with_capacity(rows), Vec::with_capacity(rows));
        for row in 0..rows as u32 {
            let before = result.0.len();
            while let Some((_, partner)) = found.next_if(|(found, _)| *found == row) {
                result.0.push(row);
                result.1.push((0, *partner as usize));
            }
            if result.0.len() == before {
                result.0.push(row);
                result.1.push(NOTHING);
            }
        }
        result
    }

    fn joined(&self, left: Batch, picks: &[Pick]) -> Batch {
        let table = &self.table.batch;
        let right = gather_named(&table.names, &[(&table.names, &table.columns, table.rows())], picks);
        Batch {
            names: left.names.iter().chain(table.names.iter()).cloned().collect(),
            columns: left.columns.into_iter().chain(right).collect(),
            ..left
        }
    }
}

impl Table {
    fn new(spec: &LookupSpec, batch: &Batch) -> Result<Self, Fault> {
        let batch = Qualifier::new(Some(Arc::clone(&spec.right))).qualify(batch);
        let keys = spec.keys.iter().map(|(_, right)| right.evaluate(&batch)).collect::<Result<Vec<_>, _>>()?;
        let mut by_key: HashMap<Box<[u8]>, Vec<u32>, ahash::RandomState> = HashMap::default();
        let mut key = Vec::new();
        for row in 0..batch.rows() {
            if !keys.is_empty() && equality_key(&keys, row, &mut key) {
                by_key.entry(key.as_slice().into()).or_default().push(row as u32);
            }
        }
        let all = if keys.is_empty() { (0..batch.rows() as u32).collect() } else { Vec::new() };
        Ok(Self { batch, by_key, all })
    }

    fn partners(&self, keys: &[Column], row: usize, key: &mut Vec<u8>) -> &[u32] {
        if keys.is_empty() {
            return &self.all;
        }
        if !equality_key(keys, row, key) {
            return &[];
        }
        self.by_key.get(key.as_slice()).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Row, all, batch, binary, column, int, row, text};
    use super::*;
    use crate::batch::{Origin, Value};
    use crate::query::operate::Binary;

    fn spec(kind: JoinKind, keyed: bool) -> LookupSpec {
        let condition =
            if keyed { binary(Binary::Equal, column("p.k"), column("t.k")) } else { binary(Binary::Less, column("p.n"), column("t.n")) };
        let keys = if keyed { vec![(column("p.k"), column("t.k"))] } else { Vec::new() };
        LookupSpec { kind, left: Some("p".into()), right: "t".into(), keys, condition: all(vec![condition]) }
    }

    fn whole(rows: &[Row]) -> Batch {
        batch(0, rows, &(0..rows.len()).collect::<Vec<_>>())
    }

    fn values(batch: &Batch, name: &str) -> Vec<Value> {
        let column = batch.column(name).cloned().unwrap_or(Column::Null(batch.rows()));
        (0..batch.rows()).map(|row| column.value(row)).collect()
    }

    #[test]
    fn keys_are_compared_with_their_type_and_rows_keep_their_origin() {
        let table = whole(&[
            row(0, &[("k", text("1")), ("n", int(10))]),
            row(0, &[("k", Value::Float(2.0)), ("n", int(20))]),
            row(0, &[("k", text("x"))]),
        ]);
        let rows = whole(&[row(5, &[("k", int(1))]), row(6, &[("k", int(2))]), row(7, &[("k", text("x"))]), row(8, &[("k", Value::Null)])]);
        let inner = Lookup::new(spec(JoinKind::Inner, true), &table).unwrap().run(&rows).unwrap();
        assert_eq!(values(&inner, "t.n"), [int(20), Value::Null]);
        assert_eq!(inner.origin, Origin::Events { input: 0, partition: 0, offsets: [1, 2].into() });
        assert_eq!(inner.times[..], rows.times[1..3]);
        let left = Lookup::new(spec(JoinKind::Left, true), &table).unwrap().run(&rows).unwrap();
        assert_eq!(values(&left, "t.k"), [Value::Null, Value::Float(2.0), text("x"), Value::Null]);
    }

    #[test]
    fn several_partners_come_in_the_order_of_the_table_and_a_new_table_replaces_the_old_one() {
        let table = whole(&[row(0, &[("k", int(1)), ("n", int(3))]), row(0, &[("k", int(1)), ("n", int(2))])]);
        let mut lookup = Lookup::new(spec(JoinKind::Left, true), &table).unwrap();
        let rows = whole(&[row(0, &[("k", int(2))]), row(0, &[("k", int(1))])]);
        assert_eq!(values(&lookup.run(&rows).unwrap(), "t.n"), [Value::Null, int(3), int(2)]);
        lookup.replace(&whole(&[row(0, &[("k", int(2)), ("n", int(9))])])).unwrap();
        assert_eq!(values(&lookup.run(&rows).unwrap(), "t.n"), [int(9), Value::Null]);
    }

    #[test]
    fn without_an_equality_every_row_of_the_table_is_tried_also_when_that_is_many() {
        let table = whole(&(0..700).map(|number| row(0, &[("n", int(number))])).collect::<Vec<_>>());
        let rows = whole(&(0..100).map(|number| row(number, &[("n", int(600 + number))])).collect::<Vec<_>>());
        let joined = Lookup::new(spec(JoinKind::Left, false), &table).unwrap().run(&rows).unwrap();
        // Row n of 100 is below 99 - n rows of the table, and the last has none.
        assert_eq!(joined.rows(), (0..100).map(|number| 99 - number).sum::<usize>() + 1);
        assert_eq!(values(&joined, "t.n").last(), Some(&Value::Null));
        assert_eq!(values(&joined, "t.n")[..2], [int(601), int(602)]);
    }

    #[test]
    fn an_empty_table_gives_nothing_or_rows_of_nulls() {
        let table = whole(&[row(0, &[("k", int(1))])]).take(&[]);
        let rows = whole(&[row(0, &[("k", int(1))])]);
        assert_eq!(Lookup::new(spec(JoinKind::Inner, true), &table).unwrap().run(&rows).unwrap().rows(), 0);
        assert_eq!(values(&Lookup::new(spec(JoinKind::Left, true), &table).unwrap().run(&rows).unwrap(), "t.k"), [Value::Null]);
    }
}
