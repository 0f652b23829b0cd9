//! `CROSS APPLY` and `OUTER APPLY`: each row becomes one row per element of an array or per property of a record.

use std::sync::Arc;

use super::Functions;
use super::calling::{Calls, Ended};
use super::expression::{Expression, Rows};
use super::project::Output;
use crate::batch::{Batch, Column, ColumnBuilder, Value};
use crate::fault::Fault;

/// What is taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parts {
    /// `GetArrayElements`: `ArrayIndex`, `ArrayValue`.
    Elements,
    /// `GetRecordProperties`: `PropertyName`, `PropertyValue`.
    Properties,
}

impl Parts {
    /// The names of its two columns.
    pub(super) fn columns(self) -> [&'static str; 2] {
        match self {
            Self::Elements => ["ArrayIndex", "ArrayValue"],
            Self::Properties => ["PropertyName", "PropertyValue"],
        }
    }
}

/// One APPLY. Its columns are named `alias.column`, and so are those of the rows that it is applied to.
#[derive(Debug)]
pub struct Apply {
    /// The alias of the rows' source; `None` when their columns are named `alias.column` already.
    pub(super) left: Option<Arc<str>>,
    pub(super) alias: Arc<str>,
    pub(super) parts: Parts,
    pub(super) value: Expression,
    /// Keeps a row without parts, with nulls.
    pub(super) outer: bool,
}

impl Apply {
    /// Calls `visit` for its expression and those inside.
    pub(super) fn visit(&self, visit: &mut impl FnMut(&Expression)) {
        self.value.visit(visit);
    }

    /// Runs the step over a batch.
    ///
    /// # Errors
    /// A [`Fault`] that stops the job.
    pub fn run(&self, batch: &Batch, functions: &mut dyn Functions) -> Result<Output, Fault> {
        let qualified;
        let batch = match &self.left {
            Some(alias) => {
                qualified = batch.qualified(alias);
                &qualified
            }
            None => batch,
        };
        let mut calls = Calls::with(functions);
        let values = self.value.over(Rows::of(batch), &mut calls)?;
        let Ended { keep, rejected, failed } = calls.finish(batch);
        let mut rows: Vec<u32> = Vec::new();
        let mut firsts = ColumnBuilder::default();
        let mut seconds = ColumnBuilder::default();
        let kept: Vec<u32> = keep.unwrap_or_else(|| (0..batch.rows() as u32).collect());
        for row in kept {
            let before = rows.len();
            let mut add = |first: Value, second: Value| {
                rows.push(row);
                firsts.push(first);
                seconds.push(second);
            };
            match (self.parts, values.value(row as usize)) {
                (Parts::Elements, Value::Array(elements)) => {
                    elements.iter().enumerate().for_each(|(index, element)| add(Value::BigInt(index as i64), element.clone()));
                }
                (Parts::Properties, Value::Record(fields)) => {
                    fields.iter().for_each(|(name, value)| add(Value::Text(Arc::clone(name)), value.clone()));
                }
                _ => {}
            }
            if self.outer && rows.len() == before {
                rows.push(row);
                firsts.push_null();
                seconds.push_null();
            }
        }
        let mut made = batch.take(&rows);
        let [first, second] = self.parts.columns();
        let names: Vec<Arc<str>> = [first, second].iter().map(|name| format!("{}.{name}", self.alias).into()).collect();
        made.names = made.names.iter().cloned().chain(names).collect();
        made.columns.extend([firsts.finish(), seconds.finish()]);
        Ok(Output { batch: made, rejected, failed })
    }
}

/// Hidden columns keep their names; all others become `alias.name`.
pub(super) fn qualified_name(alias: &str, name: &Arc<str>) -> Arc<str> {
    if name.starts_with('#') { Arc::clone(name) } else { format!("{alias}.{name}").into() }
}

impl Batch {
    /// The same rows with the source's alias before each column's name, and their time as `#time.alias`.
    #[must_use]
    pub(in crate::query) fn qualified(&self, alias: &str) -> Self {
        let time: Arc<str> = format!("#time.{alias}").into();
        let names = self.names.iter().map(|name| qualified_name(alias, name)).chain([time]).collect();
        let mut columns = self.columns.clone();
        columns.push(Column::DateTime(self.times.iter().map(|time| time.0).collect::<Vec<_>>().into()));
        Self { names, columns, times: Arc::clone(&self.times), origin: self.origin.clone() }
    }
}
