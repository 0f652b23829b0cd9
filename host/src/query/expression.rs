//! A bound expression and its evaluation over a batch.

use std::sync::Arc;

use super::functions::Builtin;
use super::operate::{self, Binary};
use crate::batch::{Batch, Column, Value};
use crate::fault::Fault;

/// A bound expression.
#[derive(Debug, Clone)]
pub enum Expression {
    /// A column by name, then a path into records. A column that is not there is null.
    Column(Arc<str>, Vec<Arc<str>>),
    /// The same value in every row.
    Constant(Value),
    /// `System.Timestamp()`.
    Timestamp,
    /// The whole row as a record.
    Row,
    /// A `udf.…` call of the step, by its number.
    Call(usize),
    /// An operator with two operands.
    Binary(Binary, Box<Self>, Box<Self>),
    /// `NOT`.
    Not(Box<Self>),
    /// Unary minus.
    Negate(Box<Self>),
    /// `IS NULL`.
    IsNull(Box<Self>),
    /// `CASE`: conditions with their values, then `ELSE`.
    Case(Vec<(Self, Self)>, Option<Box<Self>>),
    /// A built-in function.
    Function(Builtin, Vec<Self>),
}

/// What an expression is evaluated over.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rows<'a> {
    pub(super) batch: &'a Batch,
    /// The results of the step's calls.
    pub(super) calls: &'a [Column],
}

impl Expression {
    /// Evaluates an expression without function calls over a batch.
    ///
    /// # Errors
    /// A [`Fault`] of the job: a conversion or a function that ASA treats as fatal.
    pub fn evaluate(&self, batch: &Batch) -> Result<Column, Fault> {
        self.over(Rows { batch, calls: &[] })
    }

    pub(super) fn over(&self, rows: Rows<'_>) -> Result<Column, Fault> {
        let count = rows.batch.rows();
        match self {
            Self::Column(name, path) => Ok(follow(rows.batch.column(name).cloned().unwrap_or(Column::Null(count)), path)),
            Self::Constant(value) => Ok(Column::constant(value, count)),
            Self::Timestamp => Ok(Column::DateTime(rows.batch.times.iter().map(|time| time.0).collect::<Vec<_>>().into())),
            Self::Row => Ok(Column::Mixed((0..count).map(|row| record(rows.batch, row)).collect())),
            Self::Call(number) => Ok(rows.calls.get(*number).cloned().unwrap_or(Column::Null(count))),
            Self::Binary(operator, left, right) => operate::binary(*operator, &left.over(rows)?, &right.over(rows)?),
            Self::Not(inner) => Ok(operate::not(&inner.over(rows)?)),
            Self::Negate(inner) => operate::binary(Binary::Subtract, &Column::constant(&Value::BigInt(0), count), &inner.over(rows)?),
            Self::IsNull(inner) => {
                let column = inner.over(rows)?;
                Ok(Column::Bit((0..count).map(|row| Some(column.is_null(row))).collect()))
            }
            Self::Case(branches, otherwise) => case(branches, otherwise.as_deref(), rows),
            Self::Function(function, arguments) => call(function, arguments, rows),
        }
    }

    /// Calls `visit` for this expression and every one inside it.
    pub(super) fn visit(&self, visit: &mut impl FnMut(&Self)) {
        visit(self);
        match self {
            Self::Binary(_, left, right) => {
                left.visit(visit);
                right.visit(visit);
            }
            Self::Not(inner) | Self::Negate(inner) | Self::IsNull(inner) => inner.visit(visit),
            Self::Case(branches, otherwise) => {
                for (condition, value) in branches {
                    condition.visit(visit);
                    value.visit(visit);
                }
                if let Some(otherwise) = otherwise {
                    otherwise.visit(visit);
                }
            }
            Self::Function(_, arguments) => arguments.iter().for_each(|argument| argument.visit(visit)),
            Self::Column(..) | Self::Constant(_) | Self::Timestamp | Self::Row | Self::Call(_) => {}
        }
    }
}

/// A row as a record.
pub(super) fn record(batch: &Batch, row: usize) -> Value {
    Value::Record(Arc::new(batch.names.iter().cloned().zip(batch.columns.iter().map(|column| column.value(row))).collect()))
}

fn follow(column: Column, path: &[Arc<str>]) -> Column {
    path.iter().fold(column, |column, name| Column::from_values((0..column.len()).map(|row| field(&column.value(row), name))))
}

fn field(value: &Value, name: &str) -> Value {
    let Value::Record(fields) = value else { return Value::Null };
    let exact = fields.iter().find(|(known, _)| &**known == name);
    exact.or_else(|| fields.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))).map_or(Value::Null, |(_, value)| value.clone())
}

/// Each branch is evaluated only over the rows that reach it, so that `CASE` can guard a conversion.
fn case(branches: &[(Expression, Expression)], otherwise: Option<&Expression>, rows: Rows<'_>) -> Result<Column, Fault> {
    let count = rows.batch.rows();
    let mut values = vec![Value::Null; count];
    let mut open: Vec<u32> = (0..count as u32).collect();
    let mut fill = |chosen: &[u32], expression: &Expression| -> Result<(), Fault> {
        if chosen.is_empty() {
            return Ok(());
        }
        let (batch, calls) = narrow(rows, chosen);
        let column = expression.over(Rows { batch: &batch, calls: &calls })?;
        chosen.iter().enumerate().for_each(|(place, row)| values[*row as usize] = column.value(place));
        Ok(())
    };
    for (condition, value) in branches {
        if open.is_empty() {
            break;
        }
        let (batch, calls) = narrow(rows, &open);
        let holds = operate::truth(&condition.over(Rows { batch: &batch, calls: &calls })?);
        let (taken, left): (Vec<_>, Vec<_>) = open.iter().zip(&holds).partition(|(_, holds)| **holds);
        let rows_of = |pairs: Vec<(&u32, &bool)>| pairs.into_iter().map(|(row, _)| *row).collect::<Vec<u32>>();
        fill(&rows_of(taken), value)?;
        open = rows_of(left);
    }
    if let Some(otherwise) = otherwise {
        fill(&open, otherwise)?;
    }
    Ok(Column::from_values(values))
}

fn narrow(rows: Rows<'_>, chosen: &[u32]) -> (Batch, Vec<Column>) {
    (rows.batch.take(chosen), rows.calls.iter().map(|column| column.take(chosen)).collect())
}

fn call(function: &Builtin, arguments: &[Expression], rows: Rows<'_>) -> Result<Column, Fault> {
    let columns = arguments.iter().map(|argument| argument.over(rows)).collect::<Result<Vec<_>, _>>()?;
    function.over(&columns, rows.batch.rows()).map_err(|failure| Fault::job(failure.message).at(function.name))
}
