//! A step with GROUP BY as a running operator: the query says what is computed, the window room which rows belong together.

use std::collections::BTreeMap;

use crate::batch::{Batch, Column, ColumnBuilder, RowOrder, Value, write_value};
use crate::fault::{Domain, Fault, Made, Rejected};
use crate::query::{
    AggregateFunction, Aggregator, Context, Functions, Operate, WindowForm, WindowGroups, WindowRows, WindowedStep, aggregator,
};
use crate::time::Timestamp;
use crate::window::{Accumulator, Closed, WindowInput, WindowKind, Windows};

/// What happens when a row cannot be aggregated (a text where SUM wants a number), or a group has no result (a sum that does
/// not fit `bigint`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowFaults {
    /// A fault that stops the job and names the row, as in Stream Analytics. Nothing of the batch was taken then.
    Stop,
    /// The row or group is rejected; the others go on.
    Reject,
}

/// The running windows of a step.
#[derive(Debug)]
pub struct Windowed {
    step: WindowedStep,
    /// What a dead letter calls the step.
    name: String,
    on_fault: RowFaults,
    windows: Windows,
    /// Know which values can be aggregated; they keep nothing.
    checks: Vec<Box<dyn Aggregator>>,
}

impl Windowed {
    /// The step without rows. `name` is what dead letters call it.
    pub fn new(step: WindowedStep, name: impl Into<String>, on_fault: RowFaults) -> Self {
        let kinds = step.windows().map(window_kind).collect::<Vec<_>>();
        let accumulators = step.aggregates().iter().map(|spec| Box::new(Kept(aggregator(spec))) as Box<dyn Accumulator>).collect();
        let windows = Windows::new(kinds, step.keys(), accumulators);
        let checks = step.aggregates().iter().map(aggregator).collect();
        Self { step, name: name.into(), on_fault, windows, checks }
    }

    /// How many partial results the open windows keep.
    pub fn kept(&self) -> usize {
        self.windows.slots()
    }

    /// Leaves out the rows that cannot be aggregated.
    fn only_good(&self, mut rows: WindowRows, rejected: &mut Vec<Rejected>) -> Result<WindowRows, Fault> {
        let mut refused: BTreeMap<usize, String> = BTreeMap::new();
        for (check, columns) in self.checks.iter().zip(&rows.arguments) {
            for (row, why) in check.check(columns) {
                refused.entry(row).or_insert(why);
            }
        }
        if refused.is_empty() {
            return Ok(rows);
        }
        if let (RowFaults::Stop, Some((row, why))) = (self.on_fault, refused.first_key_value()) {
            return Err(Fault::job(why.clone()).at(format!("{}, {}", self.name, place(&rows.batch, *row))));
        }
        let keep: Vec<u32> = (0..rows.batch.rows()).filter(|row| !refused.contains_key(row)).map(|row| row as u32).collect();
        rejected.extend(refused.into_iter().map(|(row, reason)| Rejected::row(&rows.batch, row, &self.name, reason)));
        let columns = rows.partition_keys.iter_mut().chain(&mut rows.arguments).chain([&mut rows.keys]);
        columns.flatten().for_each(|column| *column = column.take(&keep));
        rows.batch = rows.batch.take(&keep);
        Ok(rows)
    }

    /// The rows of groups that came out of their windows.
    fn results(&self, closed: Closed, context: &mut Context<'_>) -> Result<Batch, Fault> {
        let Closed { times, windows, keys, mut values, mut faults } = closed;
        for (number, (spec, column)) in self.step.aggregates().iter().zip(&mut values).enumerate() {
            if let AggregateFunction::User(name) = &spec.function {
                *column = match user_aggregate(name, column, context.functions) {
                    Err(fault) if self.on_fault == RowFaults::Stop || fault.domain == Domain::Internal => return Err(fault),
                    Err(_) => one_by_one(name, number, column, context.functions, &mut faults),
                    Ok(column) => column,
                };
            }
        }
        let mut groups = WindowGroups { times, windows, keys, aggregates: values };
        if let Some((row, _, why)) = faults.iter().min()
            && self.on_fault == RowFaults::Stop
        {
            return Err(Fault::job(why.clone()).at(format!("{}, in the window that ends at {}", self.name, groups.times[*row])));
        }
        if !faults.is_empty() {
            let bad: BTreeMap<usize, &str> = faults.iter().rev().map(|(row, _, why)| (*row, &**why)).collect();
            context.rejected.extend(bad.iter().map(|(row, why)| Rejected {
                origin: None,
                input: None,
                made: Some(Made { time: groups.times[*row], row: keys_of(&groups, *row) }),
                step: self.name.clone(),
                reason: format!("in the window that ends at {}: {why}", groups.times[*row]),
            }));
            let keep: Vec<u32> = (0..groups.times.len()).filter(|row| !bad.contains_key(row)).map(|row| row as u32).collect();
            groups.times = keep.iter().map(|row| groups.times[*row as usize]).collect();
            groups.windows = keep.iter().map(|row| groups.windows[*row as usize]).collect();
            groups.keys = groups.keys.iter().map(|column| column.take(&keep)).collect();
            groups.aggregates = groups.aggregates.iter().map(|column| column.take(&keep)).collect();
        }
        Ok(self.step.results(groups))
    }
}

impl Operate for Windowed {
    fn push(&mut self, _port: usize, batch: &Batch, context: &mut Context<'_>) -> Result<(), Fault> {
        let rows = self.step.prepare(batch)?;
        let mut rejected = Vec::new();
        let rows = self.only_good(rows, &mut rejected)?;
        let WindowRows { batch, keys, partition_keys, arguments, .. } = &rows;
        self.windows.push(&WindowInput { batch, keys, partition_keys, arguments })?;
        context.rejected.append(&mut rejected);
        Ok(())
    }

    fn advance(&mut self, watermark: Timestamp, context: &mut Context<'_>) -> Result<Vec<Batch>, Fault> {
        let mut batches = Vec::new();
        for closed in self.windows.advance(watermark) {
            let batch = self.results(closed, context)?;
            if batch.rows() > 0 {
                batches.push(batch);
            }
        }
        Ok(batches)
    }

    fn save(&self) -> Result<Vec<u8>, Fault> {
        self.windows.save()
    }

    fn restore(&mut self, saved: &[u8]) -> Result<(), Fault> {
        self.windows.restore(saved)
    }
}

/// The query's window as the window room has it.
pub fn window_kind(form: &WindowForm) -> WindowKind {
    match form {
        WindowForm::Hopping { size, hop, offset } => WindowKind::Hopping { size: *size, hop: *hop, offset: *offset },
        WindowForm::Sliding { size } => WindowKind::Sliding { size: *size },
        WindowForm::Session { timeout, max_duration, .. } => WindowKind::Session { timeout: *timeout, max_duration: *max_duration },
        WindowForm::Snapshot => WindowKind::Snapshot,
    }
}

/// Where a row came from, in words.
fn place(batch: &Batch, row: usize) -> String {
    match batch.row_id(row) {
        Some(id) => format!("partition {}, offset {}", id.partition, id.offset),
        None => format!("the row of {}", batch.times[row]),
    }
}

/// What there is of a group without a result: the keys that its rows share, as JSON.
fn keys_of(groups: &WindowGroups, row: usize) -> String {
    let mut text = b"{\"keys\":".to_vec();
    write_value(&Value::Array(groups.keys.iter().map(|column| column.value(row)).collect()), &mut text);
    text.push(b'}');
    String::from_utf8_lossy(&text).into_owned()
}

/// Runs a JavaScript aggregate over what was held of each group: values and times in turn.
fn user_aggregate(name: &str, held: &Column, functions: &mut dyn Functions) -> Result<Column, Fault> {
    let mut values = Vec::new();
    let mut times = Vec::new();
    let mut ends = Vec::with_capacity(held.len());
    for row in 0..held.len() {
        if let Value::Array(pairs) = held.value(row) {
            for pair in pairs.chunks_exact(2) {
                if let [value, Value::DateTime(time)] = pair {
                    values.push(value.clone());
                    times.push(*time);
                }
            }
        }
        ends.push(values.len());
    }
    let results = functions.aggregate(name, &Column::from_values(values), &times, &ends)?;
    if results.len() == held.len() {
        Ok(results)
    } else {
        Err(Fault::internal(format!("uda.{name} gave {} results for {} groups", results.len(), held.len())))
    }
}

/// The same where a group is at fault: the others have their results.
fn one_by_one(name: &str, number: usize, held: &Column, functions: &mut dyn Functions, faults: &mut Vec<(usize, usize, String)>) -> Column {
    let values = (0..held.len()).map(|row| match user_aggregate(name, &held.slice(row, 1), functions) {
        Ok(column) if column.len() == 1 => column.value(0),
        Ok(_) => Value::Null,
        Err(fault) => {
            faults.push((row, number, fault.to_string()));
            Value::Null
        }
    });
    Column::from_values(values.collect::<Vec<_>>())
}

/// An aggregate of the query, as the windows see it.
#[derive(Debug)]
struct Kept(Box<dyn Aggregator>);

impl Accumulator for Kept {
    fn grow(&mut self, slots: usize) {
        self.0.grow(slots);
    }

    fn add(&mut self, columns: &[Column], orders: &[RowOrder], slots: &[u32]) {
        self.0.add(columns, orders, slots);
    }

    fn merge(&mut self, into: u32, from: u32) {
        self.0.merge(into, from);
    }

    fn subtracts(&self) -> bool {
        self.0.subtracts()
    }

    fn subtract(&mut self, from: u32, part: u32) {
        self.0.subtract(from, part);
    }

    fn clear(&mut self, slot: u32) {
        self.0.clear(slot);
    }

    fn write(&self, slot: u32, out: &mut ColumnBuilder) -> Option<String> {
        self.0.write(slot, out)
    }

    fn save(&self) -> Result<Vec<u8>, Fault> {
        self.0.save()
    }

    fn restore(&mut self, saved: &[u8]) -> Result<(), Fault> {
        self.0.restore(saved)
    }
}

#[cfg(test)]
mod tests;
