//! A step with windows: what is computed of its rows before they go into the windows, and of the groups that come out.

use std::sync::Arc;

use super::aggregates::AggregateSpec;
use super::expression::Expression;
use crate::batch::{Batch, Column, Origin};
use crate::fault::Fault;
use crate::time::Timestamp;

/// One window of a step, in ticks of 100 ns. Sizes are above 0 and at most [`WindowForm::MAX`].
#[derive(Debug, Clone)]
pub enum WindowForm {
    /// `TumblingWindow`, `HoppingWindow`; a tumbling window has `hop == size`.
    Hopping {
        /// Length.
        size: i64,
        /// Time between the ends of two windows.
        hop: i64,
        /// How far the boundaries are moved.
        offset: i64,
    },
    /// `SlidingWindow`.
    Sliding {
        /// Length.
        size: i64,
    },
    /// `SessionWindow`.
    Session {
        /// The longest pause within a session.
        timeout: i64,
        /// At every multiple of it, sessions at least as long are cut.
        max_duration: i64,
        /// `OVER (PARTITION BY …)`; empty: one session for all rows.
        partition_by: Vec<Expression>,
    },
    /// `System.Timestamp()`.
    Snapshot,
}

impl WindowForm {
    /// The longest window: 7 days.
    pub const MAX: i64 = 7 * 24 * 3600 * crate::time::TICKS_PER_SECOND;
}

/// A step with GROUP BY. What comes out has the columns `#key0`, `#aggregate0` and so on, and `#window`, the window's id; HAVING
/// and the SELECT list are a step of their own behind it, and WHERE and `udf.…` calls one before it.
#[derive(Debug, Clone)]
pub struct WindowedStep {
    /// One, or those of `Windows(…)`, with their ids.
    pub(super) windows: Vec<(Option<Arc<str>>, WindowForm)>,
    pub(super) keys: Vec<Expression>,
    pub(super) aggregates: Vec<AggregateSpec>,
}

/// Rows on their way into the windows: their columns for keys and aggregates.
#[derive(Debug)]
pub struct WindowRows {
    /// The rows; their times and origin matter, their columns no more.
    pub batch: Batch,
    /// The keys of GROUP BY.
    pub keys: Vec<Column>,
    /// The partition keys of each window that is a session.
    pub partition_keys: Vec<Vec<Column>>,
    /// The argument of each aggregate, then its ORDER BY keys.
    pub arguments: Vec<Vec<Column>>,
}

/// Groups that came out of windows: one row each.
#[derive(Debug)]
pub struct WindowGroups {
    /// The window's end; ascending.
    pub times: Vec<Timestamp>,
    /// Which of the step's windows it is.
    pub windows: Vec<u32>,
    /// The keys of GROUP BY.
    pub keys: Vec<Column>,
    /// The values of the aggregates.
    pub aggregates: Vec<Column>,
}

impl WindowedStep {
    /// A step over one window.
    pub fn new(window: WindowForm, keys: Vec<Expression>, aggregates: Vec<AggregateSpec>) -> Self {
        Self { windows: vec![(None, window)], keys, aggregates }
    }

    /// Its windows.
    pub fn windows(&self) -> impl Iterator<Item = &WindowForm> {
        self.windows.iter().map(|(_, form)| form)
    }

    /// Its aggregates.
    pub fn aggregates(&self) -> &[AggregateSpec] {
        &self.aggregates
    }

    /// How many keys GROUP BY has.
    pub fn keys(&self) -> usize {
        self.keys.len()
    }

    /// Computes what the windows hold of the rows.
    ///
    /// # Errors
    /// A [`Fault`] that stops the job.
    pub fn prepare(&self, batch: &Batch) -> Result<WindowRows, Fault> {
        let columns = |expressions: &[Expression]| expressions.iter().map(|key| key.evaluate(batch)).collect::<Result<Vec<_>, _>>();
        let keys = columns(&self.keys)?;
        let partition_keys = self
            .windows
            .iter()
            .map(|(_, form)| match form {
                WindowForm::Session { partition_by, .. } => columns(partition_by),
                _ => Ok(Vec::new()),
            })
            .collect::<Result<Vec<Vec<Column>>, Fault>>()?;
        let arguments = self
            .aggregates
            .iter()
            .map(|aggregate| {
                let own = aggregate.argument.as_ref().or_else(|| aggregate.takes_rows().then_some(&Expression::Row));
                own.into_iter()
                    .chain(aggregate.order_by.iter().map(|key| &key.expression))
                    .map(|expression| expression.evaluate(batch))
                    .collect()
            })
            .collect::<Result<Vec<Vec<Column>>, Fault>>()?;
        Ok(WindowRows { keys, partition_keys, arguments, batch: batch.clone() })
    }

    /// The groups as rows.
    pub fn results(&self, groups: WindowGroups) -> Batch {
        let WindowGroups { times, windows, keys, aggregates } = groups;
        let ids = windows.iter().map(|window| self.windows.get(*window as usize).and_then(|(id, _)| id.as_deref()));
        let names = (0..keys.len()).map(key_name).chain((0..aggregates.len()).map(aggregate_name)).chain([WINDOW_NAME.into()]).collect();
        let columns = keys.into_iter().chain(aggregates).chain([Column::Text(ids.collect())]).collect();
        Batch { names, columns, times: times.into(), origin: Origin::Derived }
    }
}

/// The column of the window's id, `System.Window().Id`: a text, or null where the window has none.
pub(super) const WINDOW_NAME: &str = "#window";

pub(super) fn key_name(number: usize) -> Arc<str> {
    format!("#key{number}").into()
}

pub(super) fn aggregate_name(number: usize) -> Arc<str> {
    format!("#aggregate{number}").into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Value;

    #[test]
    fn groups_come_out_with_their_keys_their_values_the_end_and_the_id_of_the_window() {
        let windows = vec![(Some("short".into()), WindowForm::Snapshot), (None, WindowForm::Sliding { size: 10 })];
        let step = WindowedStep { windows, ..WindowedStep::new(WindowForm::Snapshot, Vec::new(), Vec::new()) };
        let groups = WindowGroups {
            times: [5, 6].map(Timestamp).to_vec(),
            windows: vec![0, 1],
            keys: vec![Column::from_values(["a", "b"].map(|text| Value::Text(text.into())))],
            aggregates: vec![Column::from_values([2, 1].map(Value::BigInt))],
        };
        let made = step.results(groups);
        assert_eq!(made.names.iter().map(|name| &**name).collect::<Vec<_>>(), ["#key0", "#aggregate0", WINDOW_NAME]);
        let rows: Vec<Vec<Value>> = (0..made.rows()).map(|row| made.columns.iter().map(|column| column.value(row)).collect()).collect();
        let row = |card: &str, n, id| vec![Value::Text(card.into()), Value::BigInt(n), id];
        assert_eq!(rows, [row("a", 2, Value::Text("short".into())), row("b", 1, Value::Null)]);
        assert_eq!(made.times.to_vec(), [5, 6].map(Timestamp));
    }
}
