//! Analytic functions as an operator: rows in, the same rows with one more column a function out.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::super::keys::{KeyIndex, group_key};
use super::super::ordered::Ordered;
use super::super::qualify::with_front;
use super::super::{holds, read, write};
use super::first::First;
use super::lag::Lag;
use super::ranked::{Ranked, orderable};
use super::running::{RunningAggregate, prepare};
use super::{AnalyticFunction, AnalyticSpec, Rows, state_of};
use crate::batch::{Batch, Column, Value};
use crate::fault::Fault;
use crate::query::operator::{Context, Operate};
use crate::query::{AggregateFunction, AggregateSpec, Expression};
use crate::time::Timestamp;

/// Running analytic functions over one source.
#[derive(Debug)]
pub struct Analytic {
    specs: Vec<AnalyticSpec>,
    groups: Vec<Group>,
    /// For each function where its columns are among those in front of a waiting row.
    places: Vec<Places>,
    /// How many columns are in front.
    front: usize,
    state: State,
    key: Vec<u8>,
}

/// Functions with the same PARTITION BY.
#[derive(Debug)]
struct Group {
    partition_by: Vec<Expression>,
    /// Its key columns in front of a waiting row.
    first: usize,
    functions: Vec<usize>,
    /// The longest duration of its functions: a partition without rows for so long is forgotten.
    duration: i64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Places {
    when: Option<usize>,
    value: Option<usize>,
    default: Option<usize>,
    /// The first ORDER BY key.
    order: usize,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct State {
    waiting: Ordered,
    groups: Vec<Partitions>,
    functions: Vec<Function>,
}

/// The partitions of a group.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Partitions {
    keys: KeyIndex,
    /// The time of each one's last row.
    last: Vec<Timestamp>,
}

#[derive(Debug, Serialize, Deserialize)]
enum Function {
    Lag(Lag),
    First(First),
    Running(RunningAggregate),
    Ranked(Ranked),
}

impl Analytic {
    /// Functions over the rows of one source, each with the column that it adds, in this order.
    ///
    /// # Errors
    /// A [`Fault`] of the job when an aggregate cannot be used with LIMIT DURATION.
    pub fn new(specs: Vec<AnalyticSpec>) -> Result<Self, Fault> {
        let mut groups: Vec<(String, Group)> = Vec::new();
        let mut front = 0;
        for (number, spec) in specs.iter().enumerate() {
            let text = format!("{:?}", spec.partition_by);
            match groups.iter_mut().find(|(known, _)| *known == text) {
                Some((_, group)) => {
                    group.functions.push(number);
                    group.duration = group.duration.max(spec.duration);
                }
                None => {
                    let partition_by = spec.partition_by.clone();
                    let group = Group { first: front, functions: vec![number], duration: spec.duration, partition_by };
                    front += group.partition_by.len();
                    groups.push((text, group));
                }
            }
        }
        let groups: Vec<Group> = groups.into_iter().map(|(_, group)| group).collect();
        let mut places = Vec::new();
        for spec in &specs {
            let mut next = |count: usize| {
                front += count;
                front - count
            };
            let when = spec.when.as_ref().map(|_| next(1));
            places.push(match &spec.function {
                AnalyticFunction::IsFirst => Places { when, ..Places::default() },
                AnalyticFunction::Lag { default, .. } => {
                    Places { when, value: Some(next(1)), default: default.as_ref().map(|_| next(1)), order: 0 }
                }
                AnalyticFunction::Aggregate(spec) => Places { when, value: Some(next(1)), default: None, order: next(spec.order_by.len()) },
            });
        }
        let functions = specs.iter().map(function).collect::<Result<_, _>>()?;
        let partitions = groups.iter().map(|_| Partitions::default()).collect();
        let state = State { waiting: Ordered::default(), groups: partitions, functions };
        Ok(Self { specs, groups, places, front, state, key: Vec::new() })
    }

    /// Everything that the functions read of the rows, in the order of [`Places`]. A conversion that fails does so here, before
    /// a row is taken.
    fn inputs(&self, batch: &Batch) -> Result<Vec<(Arc<str>, Column)>, Fault> {
        let mut columns = Vec::with_capacity(self.front);
        for expression in self.groups.iter().flat_map(|group| &group.partition_by) {
            columns.push(expression.evaluate(batch)?);
        }
        for spec in &self.specs {
            if let Some(when) = &spec.when {
                columns.push(when.evaluate(batch)?);
            }
            match &spec.function {
                AnalyticFunction::IsFirst => {}
                AnalyticFunction::Lag { value, default, .. } => {
                    columns.push(value.evaluate(batch)?);
                    if let Some(default) = default {
                        columns.push(default.evaluate(batch)?);
                    }
                }
                AnalyticFunction::Aggregate(spec) => {
                    columns.push(argument(spec, batch)?);
                    for key in &spec.order_by {
                        let column = key.expression.evaluate(batch)?;
                        orderable(&column)?;
                        columns.push(column);
                    }
                }
            }
        }
        Ok(columns.into_iter().enumerate().map(|(number, column)| (Arc::from(format!("#over{number}")), column)).collect())
    }

    fn run(&mut self, batch: Batch) -> Result<Batch, Fault> {
        let mut results: Vec<Option<Column>> = vec![None; self.specs.len()];
        for (group, partitions) in self.groups.iter().zip(&mut self.state.groups) {
            let slots = partitions.slots(&batch, group, &mut self.key);
            for number in &group.functions {
                let (spec, places) = (&self.specs[*number], self.places[*number]);
                let when = places.when.map(|place| holds(&batch.columns[place]));
                let rows = Rows { times: &batch.times, slots: &slots, when: when.as_deref() };
                results[*number] = Some(self.state.functions[*number].run(spec, places, &rows, &batch.columns)?);
            }
        }
        let rows = batch.rows();
        let own = batch.names.iter().cloned().zip(batch.columns).skip(self.front);
        let made = self.specs.iter().zip(results).map(|(spec, column)| (Arc::clone(&spec.name), column.unwrap_or(Column::Null(rows))));
        let (names, columns): (Vec<_>, Vec<_>) = own.chain(made).unzip();
        Ok(Batch { names: names.into(), columns, times: batch.times, origin: batch.origin })
    }

    /// Lets go of partitions that no later row can look back to, now and then.
    fn forget(&mut self, watermark: Timestamp) {
        for (group, partitions) in self.groups.iter().zip(&mut self.state.groups) {
            let end = watermark.0.saturating_sub(group.duration);
            let functions = &mut self.state.functions;
            let last = &partitions.last;
            partitions.keys.sweep(|slot| {
                let keeps = last.get(slot).is_some_and(|last| last.0 > end);
                if !keeps {
                    group.functions.iter().for_each(|number| functions[*number].forget(slot));
                }
                keeps
            });
        }
    }
}

impl Partitions {
    fn slots(&mut self, batch: &Batch, group: &Group, key: &mut Vec<u8>) -> Vec<u32> {
        let columns = &batch.columns[group.first..group.first + group.partition_by.len()];
        let slot = |(row, time): (usize, &Timestamp)| {
            group_key(columns, row, key);
            let slot = self.keys.number(key) as u32;
            *state_of(&mut self.last, slot) = *time;
            slot
        };
        batch.times.iter().enumerate().map(slot).collect()
    }
}

/// The values that an aggregate takes.
fn argument(spec: &AggregateSpec, batch: &Batch) -> Result<Column, Fault> {
    match (&spec.argument, &spec.function) {
        (None, AggregateFunction::Count) => Ok(Column::constant(&Value::BigInt(1), batch.rows())),
        (None, _) => Expression::Row.evaluate(batch),
        (Some(argument), AggregateFunction::TopOne | AggregateFunction::CollectTop(_) | AggregateFunction::Collect) => {
            argument.evaluate(batch)
        }
        (Some(argument), function) => prepare(function, argument.evaluate(batch)?),
    }
}

fn function(spec: &AnalyticSpec) -> Result<Function, Fault> {
    let AnalyticFunction::Aggregate(aggregate) = &spec.function else {
        return Ok(match spec.function {
            AnalyticFunction::IsFirst => Function::First(First::default()),
            _ => Function::Lag(Lag::default()),
        });
    };
    if aggregate.distinct {
        return Err(Fault::job("DISTINCT cannot be used with OVER (… LIMIT DURATION …)"));
    }
    match &aggregate.function {
        AggregateFunction::Count
        | AggregateFunction::Sum
        | AggregateFunction::Avg
        | AggregateFunction::Min { .. }
        | AggregateFunction::Max { .. } => Ok(Function::Running(RunningAggregate::default())),
        AggregateFunction::TopOne | AggregateFunction::CollectTop(_) | AggregateFunction::Collect => {
            Ok(Function::Ranked(Ranked::default()))
        }
        _ => Err(Fault::job("with OVER (… LIMIT DURATION …) only COUNT, SUM, AVG, MIN, MAX, TopOne, CollectTop and Collect can be used")),
    }
}

impl Function {
    fn run(&mut self, spec: &AnalyticSpec, places: Places, rows: &Rows<'_>, columns: &[Column]) -> Result<Column, Fault> {
        let nothing = Column::Null(rows.times.len());
        let value = places.value.map_or(&nothing, |place| &columns[place]);
        match (self, &spec.function) {
            (Self::First(first), _) => Ok(first.run(rows, spec.duration)),
            (Self::Lag(lag), AnalyticFunction::Lag { offset, .. }) => {
                Ok(lag.run(rows, spec.duration, *offset, value, places.default.map(|place| &columns[place])))
            }
            (Self::Running(running), AnalyticFunction::Aggregate(aggregate)) => {
                running.run(rows, spec.duration, &aggregate.function, value)
            }
            (Self::Ranked(ranked), AnalyticFunction::Aggregate(aggregate)) => {
                let keys = columns[places.order..].iter().zip(&aggregate.order_by).map(|(column, key)| (column, key.descending));
                Ok(ranked.run(rows, spec.duration, &aggregate.function, value, &keys.collect::<Vec<_>>()))
            }
            _ => Err(Fault::internal("the state of an analytic function is of another function")),
        }
    }

    fn forget(&mut self, slot: usize) {
        match self {
            Self::Lag(lag) => lag.forget(slot),
            Self::First(first) => first.forget(slot),
            Self::Running(running) => running.forget(slot),
            Self::Ranked(ranked) => ranked.forget(slot),
        }
    }
}

impl Operate for Analytic {
    fn push(&mut self, _port: usize, batch: &Batch, _context: &mut Context<'_>) -> Result<(), Fault> {
        let inputs = self.inputs(batch)?;
        self.state.waiting.push(with_front(inputs, batch.clone()));
        Ok(())
    }

    fn advance(&mut self, watermark: Timestamp, _context: &mut Context<'_>) -> Result<Vec<Batch>, Fault> {
        let Some(batch) = self.state.waiting.release(watermark) else { return Ok(Vec::new()) };
        let batch = self.run(batch)?;
        self.forget(watermark);
        Ok(vec![batch])
    }

    fn save(&self) -> Result<Vec<u8>, Fault> {
        write("analytic function", &self.state)
    }

    fn restore(&mut self, saved: &[u8]) -> Result<(), Fault> {
        let state: State = read("analytic function", saved)?;
        let kinds = |state: &State| state.functions.iter().map(std::mem::discriminant).collect::<Vec<_>>();
        if kinds(&state) != kinds(&self.state) || state.groups.len() != self.groups.len() {
            return Err(Fault::internal("the saved analytic functions are others than those of the query"));
        }
        self.state = state;
        Ok(())
    }
}
