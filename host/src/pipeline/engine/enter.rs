//! How rows of an input enter: `CREATE TABLE` checks them, `TIMESTAMP BY` and the policies give them their time.

use std::sync::Arc;

use crate::batch::{Batch, Column, ColumnBuilder, Value};
use crate::fault::{Fault, Rejected};
use crate::query::{Expression, Plan};
use crate::time::Timestamp;
use crate::window::time::{Arrived, Policies, TimeSource, Timeline};

use super::{Engine, EngineSettings, Results, TimeMode};

/// One feed of the plan.
#[derive(Debug)]
pub(super) struct Entrance {
    input: usize,
    pub(super) timeline: Timeline,
    timestamp_by: Option<Expression>,
    over: Vec<Expression>,
    enqueued: bool,
}

impl Entrance {
    pub(super) fn new(plan: &Plan, feed: usize, settings: &EngineSettings) -> Self {
        let feed = &plan.feeds[feed];
        let source = match (&feed.timestamp_by, feed.over.is_empty()) {
            (None, _) => TimeSource::Arrival,
            (Some(_), true) => TimeSource::Event,
            (Some(_), false) => TimeSource::EventOverKey,
        };
        let policies = match settings.time {
            TimeMode::Arriving(policies) if settings.finished.get(feed.input) == Some(&true) => {
                Policies { early: None, late: None, ..policies }
            }
            TimeMode::Arriving(policies) => policies,
            TimeMode::Sorted => Policies::none(),
        };
        let partitions = settings.partitions.get(feed.input).copied().unwrap_or(1);
        Self {
            input: feed.input,
            timeline: Timeline::new(policies, source, partitions, settings.now),
            timestamp_by: feed.timestamp_by.clone(),
            over: feed.over.clone(),
            enqueued: feed.enqueued,
        }
    }

    pub(super) fn input(&self) -> usize {
        self.input
    }

    pub(super) fn idle(&mut self, partition: usize, now: Timestamp) {
        self.timeline.idle(partition, now);
    }

    pub(super) fn widen(&mut self, partitions: usize, now: Timestamp) {
        self.timeline.widen(partitions, now);
    }

    pub(super) fn end(&mut self, partition: usize) {
        self.timeline.finish(partition);
    }

    pub(super) fn end_all(&mut self) {
        (0..self.timeline.partitions()).for_each(|partition| self.timeline.finish(partition));
    }

    pub(super) fn watermark(&self) -> Timestamp {
        self.timeline.watermark()
    }

    /// Gives rows their time.
    fn stamp(
        &mut self,
        feed: usize,
        partition: usize,
        mut batch: Batch,
        now: Timestamp,
        explain: bool,
        results: &mut Results,
    ) -> Result<Batch, Fault> {
        if self.enqueued {
            batch.names = batch.names.iter().cloned().chain([Arc::from("#enqueued")]).collect();
            batch.columns.push(Column::DateTime(batch.times.iter().map(|time| time.0).collect::<Vec<_>>().into()));
        }
        let events = self.timestamp_by.as_ref().map(|expression| moments(expression, &batch)).unwrap_or_default();
        let keys = self.over.iter().map(|key| lenient(key, &batch)).collect::<Vec<_>>();
        let mut explained = Vec::new();
        let rows = Arrived { batch, events: &events, keys: &keys };
        let stamped = self.timeline.stamp(partition, rows, now, explain.then_some(&mut explained))?;
        results.explained.extend(explained.into_iter().map(|explained| (feed, explained)));
        results.rejected.extend(stamped.rejected);
        results.adjusted += stamped.early + stamped.late + stamped.out_of_order;
        Ok(stamped.batch)
    }
}

/// The time that an expression gives each row; `None` where there is none, or none can be computed.
fn moments(expression: &Expression, batch: &Batch) -> Vec<Option<Timestamp>> {
    let column = lenient(expression, batch);
    match &column {
        Column::DateTime(array) => array.iter().map(|ticks| ticks.map(Timestamp)).collect(),
        _ => (0..column.len())
            .map(|row| match column.value(row) {
                Value::DateTime(moment) => Some(moment),
                Value::Text(text) => Timestamp::parse(&text),
                _ => None,
            })
            .collect(),
    }
}

/// The values of an expression; null where it fails.
fn lenient(expression: &Expression, batch: &Batch) -> Column {
    match expression.evaluate(batch) {
        Ok(column) => column,
        Err(_) if batch.rows() > 1 => {
            let half = batch.rows() / 2;
            Column::concat(&[&lenient(expression, &batch.slice(0, half)), &lenient(expression, &batch.slice(half, batch.rows() - half))])
        }
        Err(_) => Column::Null(batch.rows()),
    }
}

impl Engine {
    /// Gives rows of an input their times, for every feed of it. Rows that are taken sorted are held.
    pub(super) fn enter(
        &mut self,
        input: usize,
        partition: usize,
        batch: Batch,
        now: Timestamp,
        results: &mut Results,
    ) -> Result<Vec<(usize, Batch)>, Fault> {
        let Some(plan) = self.plan.inputs.get(input) else { return Err(Fault::internal(format!("the query has no input {input}"))) };
        let batch = match &plan.table {
            Some(table) => conform(table, batch, self.settings.text.get(input).copied().unwrap_or(false), &mut results.rejected),
            None => batch,
        };
        let mut entered = Vec::new();
        if batch.rows() == 0 {
            return Ok(entered);
        }
        for feed in 0..self.entrances.len() {
            let entrance = &mut self.entrances[feed];
            if entrance.input != input {
                continue;
            }
            let stamped = entrance.stamp(feed, partition, batch.clone(), now, self.settings.explain, results)?;
            if stamped.rows() == 0 {
                continue;
            }
            match self.settings.time {
                TimeMode::Sorted => self.held.push((feed, stamped)),
                TimeMode::Arriving(_) => entered.push((feed, stamped)),
            }
        }
        Ok(entered)
    }

    /// Lets rows that were held go, in the order of their times; rows of one time in the order of inputs and arrival.
    pub(super) fn release(&mut self, results: &mut Results) -> Result<(), Fault> {
        let held = std::mem::take(&mut self.held);
        let mut order: Vec<(Timestamp, usize, usize, u32)> = Vec::new();
        for (place, (feed, batch)) in held.iter().enumerate() {
            order.extend(batch.times.iter().enumerate().map(|(row, time)| (*time, *feed, place, row as u32)));
        }
        order.sort();
        let mut start = 0;
        while start < order.len() {
            let (_, feed, place, _) = order[start];
            let length = order[start..].iter().take_while(|(_, _, other, _)| *other == place).count();
            let rows: Vec<u32> = order[start..start + length].iter().map(|(_, _, _, row)| *row).collect();
            let whole = rows.len() == held[place].1.rows() && rows.windows(2).all(|pair| pair[0] < pair[1]);
            let batch = if whole { held[place].1.clone() } else { held[place].1.take(&rows) };
            self.feed(feed, &batch, results)?;
            start += length;
        }
        Ok(())
    }
}

/// The rows that fit the declared types; the others are rejected. `text`: all values are text and are read as their type.
fn conform(table: &[(Arc<str>, Arc<str>)], mut batch: Batch, text: bool, rejected: &mut Vec<Rejected>) -> Batch {
    let mut bad: std::collections::BTreeMap<usize, String> = std::collections::BTreeMap::new();
    for (name, ty) in table {
        let Some(position) = batch.position(name) else { continue };
        let column = &batch.columns[position];
        if is_of(column, ty) {
            continue;
        }
        let mut values = ColumnBuilder::with_capacity(batch.rows());
        for row in 0..batch.rows() {
            let value = column.stored(row);
            match fitted(&value, ty, text) {
                Some(value) => values.push(value),
                None => {
                    values.push(Value::Null);
                    let given = value.type_name().unwrap_or("null");
                    let what = format!(
                        "InputDeserializationError: column '{name}' is declared {ty}, the event has {} of type {given}",
                        shown(&value)
                    );
                    bad.entry(row).or_insert(what);
                }
            }
        }
        batch.columns[position] = values.finish();
    }
    if bad.is_empty() {
        return batch;
    }
    let keep: Vec<u32> = (0..batch.rows() as u32).filter(|row| !bad.contains_key(&(*row as usize))).collect();
    rejected.extend(bad.into_iter().map(|(row, reason)| Rejected::row(&batch, row, "decode", reason)));
    batch.take(&keep)
}

fn shown(value: &Value) -> String {
    let mut text = Vec::new();
    crate::batch::write_value(value, &mut text);
    String::from_utf8_lossy(&text).chars().take(60).collect()
}

/// Whether a whole column is of a type already.
fn is_of(column: &Column, ty: &str) -> bool {
    matches!(
        (column, ty),
        (Column::Null(_), _)
            | (Column::BigInt(_), "bigint")
            | (Column::Float(_), "float")
            | (Column::Text(_), "nvarchar")
            | (Column::Bit(_), "bit")
    )
}

/// A value as one of the declared type; `None` when it is none.
fn fitted(value: &Value, ty: &str, text: bool) -> Option<Value> {
    if value.is_null() {
        return Some(value.clone());
    }
    match (ty, value) {
        ("bigint", Value::BigInt(_))
        | ("float", Value::Float(_))
        | ("nvarchar", Value::Text(_))
        | ("datetime", Value::DateTime(_))
        | ("bit", Value::Bit(_))
        | ("record", Value::Record(_))
        | ("array", Value::Array(_)) => Some(value.clone()),
        ("float", Value::BigInt(value)) => Some(Value::Float(*value as f64)),
        ("bigint", Value::Float(value)) if value.fract() == 0.0 && value.abs() < 9.2e18 => Some(Value::BigInt(*value as i64)),
        ("bit", Value::BigInt(value @ (0 | 1))) => Some(Value::Bit(*value == 1)),
        ("datetime", Value::Text(moment)) => Timestamp::parse(moment).map(Value::DateTime),
        ("bigint", Value::Text(number)) if text => number.trim().parse().ok().map(Value::BigInt),
        ("float", Value::Text(number)) if text => number.trim().parse().ok().filter(|value: &f64| value.is_finite()).map(Value::Float),
        ("bit", Value::Text(bit)) if text => match bit.trim().to_ascii_lowercase().as_str() {
            "true" | "1" => Some(Value::Bit(true)),
            "false" | "0" => Some(Value::Bit(false)),
            _ => None,
        },
        _ => None,
    }
}
