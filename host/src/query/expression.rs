//! A bound expression and its evaluation over a batch.

use std::sync::Arc;

use super::calling::{Calls, make};
use super::functions::Builtin;
use super::like::Like;
use super::operate::{self, Binary, Operand};
use crate::batch::{Batch, Column, Value};
use crate::fault::Fault;

/// A bound expression.
#[derive(Debug, Clone)]
pub enum Expression {
    /// A column by name, then a path into records. A column that is not there is null.
    Column(Arc<str>, Vec<Arc<str>>),
    /// The first of these columns that is there, then a path: a name that several joined sources may have.
    FirstOf(Vec<Arc<str>>, Vec<Arc<str>>),
    /// A field of what another expression answers.
    Field(Box<Self>, Arc<str>),
    /// The same value in every row.
    Constant(Value),
    /// `System.Timestamp()`.
    Timestamp,
    /// The whole row as a record.
    Row,
    /// The row of one source of a join as a record: the columns named `alias.…`. Null where the source has no row.
    Source(Arc<str>),
    /// Something that the host knows of an event.
    Metadata(Metadata),
    /// A `udf.…` call.
    Call(Arc<Call>),
    /// An operator with two operands.
    Binary(Binary, Box<Self>, Box<Self>),
    /// `NOT`.
    Not(Box<Self>),
    /// Unary minus.
    Negate(Box<Self>),
    /// `~`.
    Flip(Box<Self>),
    /// `IS NULL`.
    IsNull(Box<Self>),
    /// `IN (…)`.
    In(Box<Self>, Vec<Self>),
    /// `LIKE` with a constant pattern.
    Like(Box<Self>, Arc<Like>),
    /// `CASE`: conditions with their values, then `ELSE`.
    Case(Vec<(Self, Self)>, Option<Box<Self>>),
    /// A built-in function.
    Function(Builtin, Vec<Self>),
}

/// A `udf.…` call of a SELECT.
#[derive(Debug, Clone)]
pub struct Call {
    /// Which call of its SELECT it is; the same call is made once.
    pub(super) number: usize,
    /// The function, without `udf.`.
    pub(super) name: String,
    pub(super) arguments: Vec<Expression>,
}

/// What `GetMetadataPropertyValue` answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metadata {
    /// The event's identity as a GUID: the same whenever it is read.
    EventId,
    /// The partition.
    PartitionId,
    /// The offset, as a text.
    Offset,
    /// The sequence number.
    SequenceNumber,
    /// Partition, offset and times as a record.
    All,
}

/// The rows that an expression is evaluated over.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rows<'a> {
    pub(super) batch: &'a Batch,
    /// Where each row stands in the step's batch; `None`: they are its rows.
    pub(super) places: Option<&'a [u32]>,
}

impl<'a> Rows<'a> {
    pub(super) fn of(batch: &'a Batch) -> Self {
        Self { batch, places: None }
    }
}

impl Expression {
    /// A column without a path.
    pub(super) fn column(name: impl Into<Arc<str>>) -> Self {
        Self::Column(name.into(), Vec::new())
    }

    /// Evaluates an expression without `udf.…` calls over a batch.
    ///
    /// # Errors
    /// A [`Fault`] of the job: a conversion or a function that ASA treats as fatal.
    pub fn evaluate(&self, batch: &Batch) -> Result<Column, Fault> {
        self.over(Rows::of(batch), &mut Calls::none())
    }

    /// Evaluates it over rows; one value a row.
    pub(super) fn over(&self, rows: Rows<'_>, calls: &mut Calls<'_>) -> Result<Column, Fault> {
        let batch = rows.batch;
        let count = batch.rows();
        Ok(match self {
            Self::Column(name, path) => read(batch.column(name), path, count),
            Self::FirstOf(names, path) => read(names.iter().find_map(|name| batch.column(name)), path, count),
            Self::Field(inner, name) => follow(inner.over(rows, calls)?, std::slice::from_ref(name)),
            Self::Constant(value) => Column::constant(value, count),
            Self::Timestamp => Column::DateTime(batch.times.iter().map(|time| time.0).collect::<Vec<_>>().into()),
            Self::Row => Column::Mixed((0..count).map(|row| batch.record(row)).collect()),
            Self::Source(alias) => source(batch, alias),
            Self::Metadata(which) => super::metadata::column(*which, batch),
            Self::Call(call) => make(call, rows, calls)?,
            Self::Binary(operator @ (Binary::And | Binary::Or), left, right) => logic(*operator, left, right, rows, calls)?,
            Self::Binary(operator, left, right) => chain(*operator, left, right, rows, calls)?,
            Self::Not(inner) => operate::not(&inner.over(rows, calls)?),
            Self::Negate(inner) => operate::negate(&inner.over(rows, calls)?)?,
            Self::Flip(inner) => operate::flip(&inner.over(rows, calls)?)?,
            Self::IsNull(inner) => {
                let column = inner.over(rows, calls)?;
                Column::Bit((0..count).map(|row| Some(column.is_null(row))).collect())
            }
            Self::In(value, list) => {
                let value = value.over(rows, calls)?;
                let list = list.iter().map(|item| item.operand(rows, calls)).collect::<Result<Vec<_>, _>>()?;
                operate::is_in(&value, &list, count)?
            }
            Self::Like(value, like) => like.over(&value.over(rows, calls)?),
            Self::Case(branches, otherwise) => case(branches, otherwise.as_deref(), rows, calls)?,
            Self::Function(function, arguments) => {
                let columns = arguments.iter().map(|argument| argument.over(rows, calls)).collect::<Result<Vec<_>, _>>()?;
                function.over(&columns, count).map_err(|failure| Fault::job(failure.message))?
            }
        })
    }

    /// As an operand: a constant is not spread over the rows.
    fn operand(&self, rows: Rows<'_>, calls: &mut Calls<'_>) -> Result<Operand, Fault> {
        match self {
            Self::Constant(value) => Ok(Operand::Constant(value.clone())),
            _ => self.over(rows, calls).map(Operand::Column),
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
            Self::Not(inner)
            | Self::Negate(inner)
            | Self::Flip(inner)
            | Self::IsNull(inner)
            | Self::Field(inner, _)
            | Self::Like(inner, _) => {
                inner.visit(visit);
            }
            Self::In(value, list) => {
                value.visit(visit);
                list.iter().for_each(|item| item.visit(visit));
            }
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
            Self::Call(call) => call.arguments.iter().for_each(|argument| argument.visit(visit)),
            Self::Column(..)
            | Self::FirstOf(..)
            | Self::Constant(_)
            | Self::Timestamp
            | Self::Row
            | Self::Source(_)
            | Self::Metadata(_) => {}
        }
    }

    fn any(&self, is: impl Fn(&Self) -> bool) -> bool {
        let mut found = false;
        self.visit(&mut |inner| found |= is(inner));
        found
    }

    /// Whether there is a `udf.…` call in it.
    pub(super) fn has_call(&self) -> bool {
        self.any(|inner| matches!(inner, Self::Call(_)))
    }

    /// Whether it may stop the job on some value: it is not to be evaluated where its result is not needed.
    fn may_fail(&self) -> bool {
        self.any(|inner| match inner {
            Self::Call(_) | Self::Function(..) | Self::Negate(_) | Self::Flip(_) => true,
            Self::Binary(operator, ..) => operator.may_fail(),
            _ => false,
        })
    }

    /// Whether both are the same, but for the case of names.
    pub(super) fn same(&self, other: &Self) -> bool {
        let all = |left: &[Self], right: &[Self]| left.len() == right.len() && left.iter().zip(right).all(|(left, right)| left.same(right));
        let names = |left: &[Arc<str>], right: &[Arc<str>]| {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| left.eq_ignore_ascii_case(right))
        };
        match (self, other) {
            (Self::Column(left, path), Self::Column(right, other)) => left.eq_ignore_ascii_case(right) && names(path, other),
            (Self::FirstOf(left, path), Self::FirstOf(right, other)) => names(left, right) && names(path, other),
            (Self::Field(left, name), Self::Field(right, other)) => left.same(right) && name.eq_ignore_ascii_case(other),
            (Self::Constant(left), Self::Constant(right)) => left == right,
            (Self::Timestamp, Self::Timestamp) | (Self::Row, Self::Row) => true,
            (Self::Source(left), Self::Source(right)) => left.eq_ignore_ascii_case(right),
            (Self::Metadata(left), Self::Metadata(right)) => left == right,
            (Self::Call(left), Self::Call(right)) => left.name.eq_ignore_ascii_case(&right.name) && all(&left.arguments, &right.arguments),
            (Self::Binary(one, left, right), Self::Binary(other, left2, right2)) => one == other && left.same(left2) && right.same(right2),
            (Self::Not(left), Self::Not(right))
            | (Self::Negate(left), Self::Negate(right))
            | (Self::Flip(left), Self::Flip(right))
            | (Self::IsNull(left), Self::IsNull(right)) => left.same(right),
            (Self::In(left, list), Self::In(right, other)) => left.same(right) && all(list, other),
            (Self::Like(left, like), Self::Like(right, other)) => left.same(right) && like.pattern() == other.pattern(),
            (Self::Case(left, otherwise), Self::Case(right, other)) => {
                left.len() == right.len()
                    && left.iter().zip(right).all(|(left, right)| left.0.same(&right.0) && left.1.same(&right.1))
                    && match (otherwise, other) {
                        (Some(left), Some(right)) => left.same(right),
                        (None, None) => true,
                        _ => false,
                    }
            }
            (Self::Function(left, arguments), Self::Function(right, other)) => left.is(right) && all(arguments, other),
            _ => false,
        }
    }
}

/// A column as an expression sees it: what is missing is null.
fn read(column: Option<&Column>, path: &[Arc<str>], rows: usize) -> Column {
    let Some(column) = column else { return Column::Null(rows) };
    if path.is_empty()
        && let Column::Mixed(values) = column
        && values.iter().any(|value| matches!(value, Value::Missing))
    {
        return Column::from_values((0..rows).map(|row| column.value(row)));
    }
    follow(column.clone(), path)
}

fn follow(column: Column, path: &[Arc<str>]) -> Column {
    path.iter().fold(column, |column, name| match column {
        Column::Mixed(values) => Column::from_values(values.iter().map(|value| field(value, name))),
        other => Column::Null(other.len()),
    })
}

fn field(value: &Value, name: &str) -> Value {
    let Value::Record(fields) = value else { return Value::Null };
    let exact = fields.iter().find(|(known, _)| &**known == name);
    exact.or_else(|| fields.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))).map_or(Value::Null, |(_, value)| value.clone())
}

/// The columns of one source of a join, under their own names.
pub(super) fn part(batch: &Batch, alias: &str) -> Batch {
    let own = |name: &str| -> Option<Arc<str>> {
        let (head, rest) = (name.get(..alias.len())?, name.get(alias.len()..)?);
        if name.starts_with('#') || !head.eq_ignore_ascii_case(alias) { None } else { rest.strip_prefix('.').map(Arc::from) }
    };
    let columns = batch.names.iter().zip(&batch.columns).filter_map(|(name, column)| Some((own(name)?, column.clone())));
    let (names, columns): (Vec<_>, Vec<_>) = columns.unzip();
    Batch { names: names.into(), columns, times: Arc::clone(&batch.times), origin: batch.origin.clone() }
}

/// For each row whether the source has one: its time is there, or any of its columns.
pub(super) fn present(batch: &Batch, part: &Batch, alias: &str) -> Vec<bool> {
    match batch.column(&format!("#time.{alias}")) {
        Some(time) => (0..batch.rows()).map(|row| !time.is_null(row)).collect(),
        None => (0..batch.rows()).map(|row| part.columns.iter().any(|column| !column.is_null(row))).collect(),
    }
}

pub(super) fn source(batch: &Batch, alias: &str) -> Column {
    let part = part(batch, alias);
    let present = present(batch, &part, alias);
    let values = present.iter().enumerate().map(|(row, is_there)| if *is_there { part.record(row) } else { Value::Null });
    Column::from_values(values)
}

/// `a + b - c …` from the left, without going deep.
fn chain(operator: Binary, left: &Expression, right: &Expression, rows: Rows<'_>, calls: &mut Calls<'_>) -> Result<Column, Fault> {
    let mut rest = vec![(operator, right)];
    let mut first = left;
    while let Expression::Binary(operator, left, right) = first
        && !matches!(operator, Binary::And | Binary::Or)
    {
        rest.push((*operator, right));
        first = left;
    }
    let mut result = first.operand(rows, calls)?;
    for (operator, right) in rest.into_iter().rev() {
        result = Operand::Column(operate::binary(operator, &result, &right.operand(rows, calls)?, rows.batch.rows())?);
    }
    match result {
        Operand::Column(column) => Ok(column),
        Operand::Constant(value) => Ok(Column::constant(&value, rows.batch.rows())),
    }
}

/// AND, OR. A right side that may fail is evaluated only where the left one leaves it open.
fn logic(operator: Binary, left: &Expression, right: &Expression, rows: Rows<'_>, calls: &mut Calls<'_>) -> Result<Column, Fault> {
    let left = left.over(rows, calls)?;
    let decides = |truth: Option<bool>| truth == Some(operator == Binary::Or);
    if !right.may_fail() {
        return Ok(operate::logic(operator, &left, &right.over(rows, calls)?));
    }
    let known = operate::truths(&left);
    let open: Vec<u32> = (0..known.len() as u32).filter(|row| !decides(known[*row as usize])).collect();
    if open.len() == known.len() {
        return Ok(operate::logic(operator, &left, &right.over(rows, calls)?));
    }
    if open.is_empty() {
        return Ok(Column::Bit(known.into_iter().collect()));
    }
    let found = narrowed(right, rows, &open, calls)?;
    let part = operate::logic(operator, &left.take(&open), &found);
    let mut all = known;
    for (place, truth) in operate::truths(&part).into_iter().enumerate() {
        all[open[place] as usize] = truth;
    }
    Ok(Column::Bit(all.into_iter().collect()))
}

/// Each branch is evaluated only over the rows that reach it, so that `CASE` can guard a conversion.
fn case(
    branches: &[(Expression, Expression)],
    otherwise: Option<&Expression>,
    rows: Rows<'_>,
    calls: &mut Calls<'_>,
) -> Result<Column, Fault> {
    let count = rows.batch.rows();
    let mut open: Vec<u32> = (0..count as u32).collect();
    // The values of the branches one after the other, and where each row's value is among them.
    let mut parts: Vec<Column> = Vec::new();
    let mut places = vec![0_u32; count];
    let mut length = 0;
    let mut add = |chosen: &[u32], column: Column| {
        chosen.iter().enumerate().for_each(|(place, row)| places[*row as usize] = (length + place) as u32);
        length += chosen.len();
        parts.push(column);
    };
    for (condition, value) in branches {
        if open.is_empty() {
            break;
        }
        let holds = operate::truth(&narrowed(condition, rows, &open, calls)?);
        let mut taken = Vec::new();
        let mut left = Vec::new();
        open.iter().zip(holds).for_each(|(row, holds)| if holds { taken.push(*row) } else { left.push(*row) });
        if !taken.is_empty() {
            add(&taken, narrowed(value, rows, &taken, calls)?);
        }
        open = left;
    }
    if !open.is_empty() {
        let column = match otherwise {
            Some(otherwise) => narrowed(otherwise, rows, &open, calls)?,
            None => Column::Null(open.len()),
        };
        add(&open, column);
    }
    match parts.as_slice() {
        [] => Ok(Column::Null(count)),
        [only] => Ok(only.clone()),
        _ => Ok(Column::concat(&parts.iter().collect::<Vec<_>>()).take(&places)),
    }
}

/// Evaluates an expression over some of the rows.
fn narrowed(expression: &Expression, rows: Rows<'_>, chosen: &[u32], calls: &mut Calls<'_>) -> Result<Column, Fault> {
    if chosen.len() == rows.batch.rows() {
        return expression.over(rows, calls);
    }
    match expression {
        Expression::Constant(value) => return Ok(Column::constant(value, chosen.len())),
        Expression::Column(..) => return Ok(expression.over(rows, calls)?.take(chosen)),
        _ => {}
    }
    let mut reads: Option<Vec<&str>> = Some(Vec::new());
    expression.visit(&mut |inner| match inner {
        Expression::Row | Expression::Source(_) => reads = None,
        _ => {}
    });
    let mut names: Vec<Arc<str>> = Vec::new();
    expression.visit(&mut |inner| match inner {
        Expression::Column(name, _) => names.push(Arc::clone(name)),
        Expression::FirstOf(several, _) => names.extend(several.iter().cloned()),
        _ => {}
    });
    let batch = match reads {
        None => rows.batch.take(chosen),
        Some(_) => {
            let kept = rows
                .batch
                .names
                .iter()
                .zip(&rows.batch.columns)
                .filter(|(name, _)| names.iter().any(|read| read.eq_ignore_ascii_case(name)));
            let (names, columns): (Vec<Arc<str>>, Vec<Column>) = kept.map(|(name, column)| (Arc::clone(name), column.clone())).unzip();
            let batch = Batch { names: names.into(), columns, times: Arc::clone(&rows.batch.times), origin: rows.batch.origin.clone() };
            batch.take(chosen)
        }
    };
    let places: Vec<u32> = match rows.places {
        Some(places) => chosen.iter().map(|row| places[*row as usize]).collect(),
        None => chosen.to_vec(),
    };
    expression.over(Rows { batch: &batch, places: Some(&places) }, calls)
}
