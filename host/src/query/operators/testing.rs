//! What the tests of the operators share: streams of rows, and a run of an operator over them, straight or cut and restored anywhere.

use std::sync::Arc;

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

use crate::batch::{Batch, Column, Origin, Value};
use crate::fault::Fault;
use crate::query::operate::Binary;
use crate::query::operator::{Context, Operate};
use crate::query::{Argument, Called, Expression, Functions};
use crate::time::{TICKS_PER_SECOND, Timestamp};

/// A row of a stream: its time in seconds and its columns.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub(super) time: i64,
    pub(super) columns: Vec<(&'static str, Value)>,
}

/// A row that came out: its time in ticks and its columns, hidden ones left out.
pub(super) type Out = (i64, Vec<(String, Value)>);

pub(super) fn row(time: i64, columns: &[(&'static str, Value)]) -> Row {
    Row { time, columns: columns.to_vec() }
}

pub(super) fn text(value: &str) -> Value {
    Value::Text(value.into())
}

pub(super) fn int(value: i64) -> Value {
    Value::BigInt(value)
}

pub(super) const fn seconds(count: i64) -> i64 {
    count * TICKS_PER_SECOND
}

pub(super) fn column(name: &str) -> Expression {
    Expression::Column(name.into(), Vec::new())
}

pub(super) fn constant(value: Value) -> Expression {
    Expression::Constant(value)
}

pub(super) fn binary(operator: Binary, left: Expression, right: Expression) -> Expression {
    Expression::Binary(operator, Box::new(left), Box::new(right))
}

pub(super) fn all(conditions: Vec<Expression>) -> Option<Expression> {
    conditions.into_iter().reduce(|left, right| binary(Binary::And, left, right))
}

/// `DATEDIFF(minute, from, to)` of two datetime columns: boundaries crossed.
pub(super) fn minutes_between(from: &str, to: &str) -> Expression {
    let minute = Expression::Constant(Value::Text("minute".into()));
    let difference = *crate::query::functions::find("DATEDIFF").unwrap();
    Expression::Function(difference, vec![minute, column(from), column(to)])
}

#[derive(Debug)]
struct NoFunctions;

impl Functions for NoFunctions {
    fn call(&mut self, name: &str, _arguments: &[Argument<'_>], _rows: usize) -> Result<Called, Fault> {
        Err(Fault::job(format!("there is no function '{name}'")))
    }
}

/// Does something with an operator's context.
pub(super) fn with_context<T>(work: impl FnOnce(&mut Context<'_>) -> T) -> T {
    let mut rejected = Vec::new();
    let answer = work(&mut Context { functions: &mut NoFunctions, rejected: &mut rejected });
    assert!(rejected.is_empty());
    answer
}

/// The rows of a stream with these numbers, as one batch of input `input`.
pub(super) fn batch(input: usize, stream: &[Row], numbers: &[usize]) -> Batch {
    let mut names: Vec<&str> = Vec::new();
    for number in numbers {
        for (name, _) in &stream[*number].columns {
            if !names.contains(name) {
                names.push(name);
            }
        }
    }
    let value = |number: &usize, name: &str| {
        stream[*number].columns.iter().find(|(known, _)| *known == name).map_or(Value::Null, |found| found.1.clone())
    };
    Batch {
        columns: names.iter().map(|name| Column::from_values(numbers.iter().map(|number| value(number, name)))).collect(),
        names: names.iter().map(|name| Arc::from(*name)).collect(),
        times: numbers.iter().map(|number| Timestamp(seconds(stream[*number].time))).collect(),
        origin: Origin::Events { input, partition: 0, offsets: numbers.iter().map(|number| *number as u64).collect() },
    }
}

fn out(batches: &[Batch]) -> Vec<Out> {
    let rows = batches.iter().flat_map(|batch| (0..batch.rows()).map(move |row| (batch, row)));
    let shown = |(batch, row): (&Batch, usize)| {
        let columns = batch.names.iter().zip(&batch.columns).filter(|(name, _)| !name.starts_with('#'));
        (batch.times[row].0, columns.map(|(name, column)| (name.to_string(), column.value(row))).collect())
    };
    rows.map(shown).collect()
}

/// All rows at once, then the end.
pub(super) fn straight(make: &dyn Fn() -> Box<dyn Operate>, streams: &[Vec<Row>]) -> Vec<Out> {
    let mut operator = make();
    with_context(|context| {
        for (port, stream) in streams.iter().enumerate() {
            let all: Vec<usize> = (0..stream.len()).collect();
            operator.push(port, &batch(port, stream, &all), context).unwrap();
        }
        let batches = operator.advance(Timestamp::MAX, context).unwrap();
        out(&batches)
    })
}

/// Rows in batches of any size, in any order that the watermarks allow; the operator is saved and restored now and then.
pub(super) fn cut(make: &dyn Fn() -> Box<dyn Operate>, streams: &[Vec<Row>], seed: u64) -> Vec<Out> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut operator = make();
    let mut left: Vec<(usize, usize)> =
        streams.iter().enumerate().flat_map(|(port, stream)| (0..stream.len()).map(move |number| (port, number))).collect();
    left.shuffle(&mut random);
    let time = |(port, number): (usize, usize)| seconds(streams[port][number].time);
    let (mut watermark, mut settled) = (i64::MIN, i64::MIN);
    let first = left.iter().map(|row| time(*row)).min().unwrap_or(0);
    let mut results = Vec::new();
    loop {
        let end = left.is_empty() && random.random_bool(0.5);
        watermark = if end { i64::MAX } else { watermark.max(first - 1).saturating_add(random.random_range(0..seconds(90))) };
        // Everything up to the watermark comes before it, and some of the rest too.
        let mut now: Vec<(usize, usize)> = left.extract_if(.., |row| time(*row) <= watermark).collect();
        now.extend(left.extract_if(.., |_| random.random_bool(0.1)));
        now.shuffle(&mut random);
        with_context(|context| {
            while !now.is_empty() {
                let port = now[0].0;
                let size = random.random_range(1..=4);
                let mut part: Vec<usize> = Vec::new();
                now.retain(|row| {
                    let takes = row.0 == port && part.len() < size;
                    part.extend(takes.then_some(row.1));
                    !takes
                });
                operator.push(port, &batch(port, &streams[port], &part), context).unwrap();
            }
            let batches = operator.advance(Timestamp(watermark), context).unwrap();
            let made = out(&batches);
            assert!(made.is_sorted_by_key(|row| row.0), "the results are in the order of their times");
            assert!(made.iter().all(|row| row.0 > settled && row.0 <= watermark), "no result is before what was settled");
            settled = operator.settled(Timestamp(watermark)).0;
            assert!(made.iter().all(|row| row.0 <= settled) && settled <= watermark, "what came out is settled");
            results.extend(made);
        });
        if end {
            return results;
        }
        if random.random_bool(0.3) {
            let saved = operator.save().unwrap();
            operator = make();
            operator.restore(&saved).unwrap();
        }
    }
}
