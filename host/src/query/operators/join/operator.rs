//! The join as an operator: rows in, pairs out.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::super::keys::equality_key;
use super::super::ordered::Ordered;
use super::super::qualify::{Qualifier, with_front};
use super::super::{holds, read, write};
use super::slots::{Bounds, Entry, Slots};
use super::store::Store;
use super::unmatched::Unmatched;
use super::{JoinKind, JoinSpec};
use crate::batch::{Batch, Column, Origin};
use crate::fault::Fault;
use crate::query::operator::{Context, Operate};
use crate::time::Timestamp;

/// So many pairs are gathered and tested at once.
const PAIRS: usize = 32 * 1024;

/// A running join of two streams.
#[derive(Debug)]
pub struct Join {
    spec: JoinSpec,
    bounds: Bounds,
    names: [Qualifier; 2],
    state: State,
    /// The rows of `state` by key; made anew from them when a state is restored.
    slots: Slots,
    key: Vec<u8>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct State {
    waiting: [Ordered; 2],
    rows: [Store; 2],
    /// For a left join.
    unmatched: Unmatched,
    results: Ordered,
    settled: Timestamp,
}

/// Two rows that may match: left, right, time of the pair.
type Pair = (u64, u64, Timestamp);

impl Join {
    /// No rows yet.
    pub fn new(spec: JoinSpec) -> Self {
        let bounds = Bounds { low: spec.within.0, high: spec.within.1, lag: spec.anchor_lag };
        let names = [Qualifier::new(spec.left.clone()), Qualifier::new(Some(Arc::clone(&spec.right)))];
        let state = State { settled: Timestamp::MIN, ..State::default() };
        Self { spec, bounds, names, state, slots: Slots::default(), key: Vec::new() }
    }

    /// Takes rows in order and gives the pairs, in the order of their times.
    fn take(&mut self, left: Option<Batch>, right: Option<Batch>) -> Result<Vec<Batch>, Fault> {
        let (left, right) = (Rows::of(left, &self.spec, 0), Rows::of(right, &self.spec, 1));
        let [left_store, right_store] = &mut self.state.rows;
        let (left_first, right_first) = (append(left_store, &left), append(right_store, &right));
        let (mut next_left, mut next_right) = (0, 0);
        let mut pairs: Vec<Pair> = Vec::new();
        let mut results = Vec::new();
        loop {
            let (left_time, right_time) = (left.times.get(next_left), right.times.get(next_right));
            match (left_time, right_time) {
                (Some(time), other) if other.is_none_or(|other| time <= other) => {
                    self.take_left(&left, next_left, left_first, &mut pairs);
                    next_left += 1;
                }
                (_, Some(_)) => {
                    self.take_right(&right, next_right, right_first, &mut pairs);
                    next_right += 1;
                }
                (_, None) => break,
            }
            if pairs.len() >= PAIRS {
                results.extend(self.test(&pairs)?);
                pairs.clear();
            }
        }
        results.extend(self.test(&pairs)?);
        Ok(results)
    }

    fn take_left(&mut self, rows: &Rows, place: usize, first: u64, pairs: &mut Vec<Pair>) {
        let (time, row) = (rows.times[place], first + place as u64);
        let anchor = rows.anchor(place);
        if self.spec.kind == JoinKind::Left {
            let decided = anchor.map_or(time.0, |anchor| anchor.saturating_add(self.bounds.high).max(time.0));
            let result = anchor.map_or(time.0, |anchor| anchor.saturating_add(self.spec.unmatched_after).max(time.0));
            self.state.unmatched.push(row, decided, result);
        }
        if let Some(anchor) = anchor
            && equality_key(&rows.keys, place, &mut self.key)
        {
            let entry = Entry { time: time.0, anchor, row };
            self.slots.slot(&self.key).left(entry, self.bounds, |right| pairs.push((row, right, time)));
        }
    }

    fn take_right(&mut self, rows: &Rows, place: usize, first: u64, pairs: &mut Vec<Pair>) {
        let (time, row) = (rows.times[place], first + place as u64);
        if equality_key(&rows.keys, place, &mut self.key) {
            let entry = Entry { time: time.0, anchor: time.0, row };
            self.slots.slot(&self.key).right(entry, self.bounds, |left| pairs.push((left, row, time)));
        }
    }

    /// The pairs for which the ON condition holds, as joined rows.
    fn test(&mut self, pairs: &[Pair]) -> Result<Option<Batch>, Fault> {
        if pairs.is_empty() {
            return Ok(None);
        }
        let right = pairs.iter().map(|(_, right, _)| Some(*right));
        let mut batch = self.joined(pairs.iter().map(|(left, ..)| Some(*left)), right, pairs.iter().map(|(.., time)| *time).collect());
        let mut kept = None;
        if let Some(condition) = &self.spec.condition {
            let holds = holds(&condition.evaluate(&batch)?);
            if !holds.iter().all(|holds| *holds) {
                let rows: Vec<u32> = (0..pairs.len() as u32).filter(|row| holds[*row as usize]).collect();
                batch = batch.take(&rows);
                kept = Some(rows);
            }
        }
        if self.spec.kind == JoinKind::Left {
            match kept {
                Some(rows) => rows.iter().for_each(|row| self.state.unmatched.matches(pairs[*row as usize].0)),
                None => pairs.iter().for_each(|(left, ..)| self.state.unmatched.matches(*left)),
            }
        }
        Ok((batch.rows() > 0).then_some(batch))
    }

    fn joined(&self, left: impl Iterator<Item = Option<u64>>, right: impl Iterator<Item = Option<u64>>, times: Arc<[Timestamp]>) -> Batch {
        let skip = self.spec.keys.len();
        let [left_store, right_store] = &self.state.rows;
        let (mut names, mut columns) = left_store.gather(left, skip);
        let (right_names, right_columns) = right_store.gather(right, skip);
        names.extend(right_names);
        columns.extend(right_columns);
        Batch { names: names.into(), columns, times, origin: Origin::Derived }
    }

    /// The rows that have no partner, each with nulls on the right.
    fn alone(&mut self, watermark: Timestamp) -> Option<Batch> {
        let decided = self.state.unmatched.decide(watermark);
        if decided.is_empty() {
            return None;
        }
        let times = decided.iter().map(|(_, time)| *time).collect();
        Some(self.joined(decided.iter().map(|(row, _)| Some(*row)), decided.iter().map(|_| None), times))
    }

    fn forget(&mut self, watermark: Timestamp) {
        let [left, right] = &mut self.state.rows;
        left.forget(Timestamp(self.bounds.left_end(watermark.0)));
        right.forget(Timestamp(self.bounds.right_end(watermark.0)));
        if self.spec.kind == JoinKind::Left {
            self.state.unmatched.forget(left.oldest());
        }
        self.slots.sweep(watermark.0, self.bounds);
    }
}

/// Rows of one side in order, with their keys.
struct Rows {
    batch: Option<Batch>,
    times: Arc<[Timestamp]>,
    keys: Vec<Column>,
    anchor: Option<Column>,
}

impl Rows {
    fn of(batch: Option<Batch>, spec: &JoinSpec, side: usize) -> Self {
        let times = batch.as_ref().map_or_else(|| Arc::new([]) as Arc<[_]>, |batch| Arc::clone(&batch.times));
        let keys = batch.as_ref().map_or_else(Vec::new, |batch| batch.columns[..spec.keys.len()].to_vec());
        let anchor = spec.anchor.as_ref().filter(|_| side == 0);
        let anchor = anchor.map(|name| batch.as_ref().and_then(|batch| batch.column(name)).cloned().unwrap_or(Column::Null(times.len())));
        Self { batch, times, keys, anchor }
    }

    /// What the row's distance is measured from; none when that source has no row here.
    fn anchor(&self, row: usize) -> Option<i64> {
        match &self.anchor {
            None => Some(self.times[row].0),
            Some(column) => match column.value(row) {
                crate::batch::Value::DateTime(time) => Some(time.0),
                _ => None,
            },
        }
    }
}

fn append(store: &mut Store, rows: &Rows) -> u64 {
    rows.batch.as_ref().map_or(0, |batch| store.append(batch.clone()))
}

impl Operate for Join {
    fn push(&mut self, port: usize, batch: &Batch, _context: &mut Context<'_>) -> Result<(), Fault> {
        let side = port.min(1);
        let batch = self.names[side].qualify(batch);
        let mut keys = Vec::with_capacity(self.spec.keys.len());
        for (number, (left, right)) in self.spec.keys.iter().enumerate() {
            let expression = if side == 0 { left } else { right };
            keys.push((Arc::from(format!("#join{number}")), expression.evaluate(&batch)?));
        }
        self.state.waiting[side].push(with_front(keys, batch));
        Ok(())
    }

    fn advance(&mut self, watermark: Timestamp, _context: &mut Context<'_>) -> Result<Vec<Batch>, Fault> {
        let [left, right] = &mut self.state.waiting;
        let (left, right) = (left.release(watermark), right.release(watermark));
        let pairs = self.take(left, right)?;
        let results = match self.spec.kind {
            JoinKind::Inner => {
                self.state.settled = watermark;
                pairs
            }
            JoinKind::Left => {
                let alone = self.alone(watermark);
                pairs.into_iter().chain(alone).for_each(|batch| self.state.results.push(batch));
                let wait = self.bounds.high.saturating_sub(self.spec.unmatched_after);
                self.state.settled = self.state.settled.max(self.state.unmatched.settled(watermark, wait));
                self.state.results.release(self.state.settled).into_iter().collect()
            }
        };
        self.forget(watermark);
        Ok(results)
    }

    fn settled(&self, _watermark: Timestamp) -> Timestamp {
        self.state.settled
    }

    fn save(&self) -> Result<Vec<u8>, Fault> {
        write("join", &self.state)
    }

    fn restore(&mut self, saved: &[u8]) -> Result<(), Fault> {
        self.state = read("join", saved)?;
        self.slots = Slots::default();
        let count = self.spec.keys.len();
        for (side, store) in self.state.rows.iter().enumerate() {
            for chunk in store.chunks() {
                if chunk.batch.columns.len() < count {
                    return Err(Fault::internal("the saved join has other keys than the query"));
                }
                let rows = Rows::of(Some(chunk.batch.clone()), &self.spec, side);
                for (place, row) in (0..chunk.batch.rows()).zip(chunk.first..) {
                    let Some(anchor) = rows.anchor(place) else { continue };
                    if equality_key(&rows.keys, place, &mut self.key) {
                        self.slots.slot(&self.key).keep(side, Entry { time: rows.times[place].0, anchor, row });
                    }
                }
            }
        }
        Ok(())
    }
}
