//! Analytic functions against a naive evaluation of every row, and by the documented examples.

use proptest::prelude::*;

use super::super::testing::{Out, Row, batch, binary, column, constant, cut, int, row, seconds, straight, text, with_context};
use super::{Analytic, AnalyticFunction, AnalyticSpec};
use crate::batch::{Origin, RowId, Value};
use crate::query::operate::Binary;
use crate::query::operator::Operate;
use crate::query::{AggregateFunction, AggregateSpec, Expression, OrderKey};
use crate::time::Timestamp;

fn spec(number: usize, function: AnalyticFunction, keyed: bool, duration: i64, when: bool) -> AnalyticSpec {
    AnalyticSpec {
        name: format!("a{number}").into(),
        function,
        partition_by: if keyed { vec![column("k")] } else { Vec::new() },
        duration: seconds(duration),
        when: when.then(|| binary(Binary::Equal, column("w"), constant(int(1)))),
    }
}

fn lag(offset: usize, default: Option<Expression>) -> AnalyticFunction {
    AnalyticFunction::Lag { value: column("v"), offset, default }
}

fn aggregate(function: AggregateFunction, order_by: &[(&str, bool)]) -> AnalyticFunction {
    let order_by = order_by.iter().map(|(name, descending)| OrderKey { expression: column(name), descending: *descending }).collect();
    AnalyticFunction::Aggregate(AggregateSpec { function, distinct: false, argument: Some(column("v")), order_by })
}

/// Every function that can be asked for, by number.
fn function(number: usize) -> AnalyticFunction {
    match number {
        0 => lag(1, None),
        1 => lag(2, Some(column("n"))),
        2 => lag(0, Some(constant(text("none")))),
        3 => AnalyticFunction::IsFirst,
        4 => aggregate(AggregateFunction::Count, &[]),
        5 => aggregate(AggregateFunction::Sum, &[]),
        6 => aggregate(AggregateFunction::Avg, &[]),
        7 => aggregate(AggregateFunction::Min { text: false }, &[]),
        8 => aggregate(AggregateFunction::Max { text: false }, &[]),
        9 => aggregate(AggregateFunction::Collect, &[]),
        10 => aggregate(AggregateFunction::TopOne, &[("v", true)]),
        _ => aggregate(AggregateFunction::CollectTop(2), &[("v", false), ("n", true)]),
    }
}

const FUNCTIONS: usize = 12;

/// Halves, so that sums of floats are exact in any order.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::BigInt(value) => Some(*value as f64),
        Value::Float(value) => Some(*value),
        _ => None,
    }
}

fn naive(which: usize, keyed: bool, duration: i64, when: bool, rows: &[Row]) -> Vec<Value> {
    let field =
        |row: usize, name: &str| rows[row].columns.iter().find(|(known, _)| *known == name).map_or(Value::Null, |found| found.1.clone());
    let counts = |row: usize| !when || field(row, "w") == int(1);
    let answer = |row: usize| {
        let same = |other: &usize| !keyed || field(*other, "k") == field(row, "k");
        let near = |other: &usize| rows[*other].time > rows[row].time - duration;
        let before: Vec<usize> = (0..row).filter(|other| same(other) && counts(*other)).collect();
        let group: Vec<usize> = (0..=row).filter(|other| same(other) && counts(*other) && near(other)).collect();
        let values: Vec<Value> = group.iter().map(|row| field(*row, "v")).filter(|value| !value.is_null()).collect();
        let numbers: Vec<f64> = values.iter().filter_map(number).collect();
        let integers = values.iter().all(|value| matches!(value, Value::BigInt(_)));
        let as_sum = |sum: f64| if integers { int(sum as i64) } else { Value::Float(sum) };
        let found = |row: Option<&usize>, default: Value| row.filter(|row| near(row)).map_or(default, |row| field(*row, "v"));
        let extreme = |least: bool| {
            let of = |best: Value, value: Value| {
                let (known, new) = (number(&best).unwrap(), number(&value).unwrap());
                if (least && new < known) || (!least && new > known) { value } else { best }
            };
            values.iter().cloned().reduce(of).unwrap_or(Value::Null)
        };
        let mut ranked = group.clone();
        let value = |row: &usize| number(&field(*row, "v")).unwrap_or(f64::MIN);
        match which {
            0 => found(before.iter().nth_back(0), Value::Null),
            1 => found(before.iter().nth_back(1), field(row, "n")),
            2 => group.last().map_or(text("none"), |row| field(*row, "v")),
            3 => {
                let interval = |row: usize| (rows[row].time + duration - 1).div_euclid(duration);
                int(i64::from(counts(row) && before.iter().all(|other| interval(*other) != interval(row))))
            }
            4 => int(values.len() as i64),
            5 | 6 if values.is_empty() => Value::Null,
            5 => as_sum(numbers.iter().sum()),
            6 if integers => int(numbers.iter().sum::<f64>() as i64 / numbers.len() as i64),
            6 => Value::Float(numbers.iter().sum::<f64>() / numbers.len() as f64),
            7 | 8 => extreme(which == 7),
            9 => Value::Array(group.iter().map(|row| field(*row, "v")).collect()),
            10 => {
                ranked.sort_by(|left, right| value(right).total_cmp(&value(left)));
                ranked.first().map_or(Value::Null, |row| field(*row, "v"))
            }
            _ => {
                ranked.sort_by(|left, right| value(left).total_cmp(&value(right)).then(right.cmp(left)));
                let record =
                    |(row, rank): (&usize, i64)| Value::Record(vec![("rank".into(), int(rank)), ("value".into(), field(*row, "v"))].into());
                Value::Array(ranked.iter().take(2).zip(1..).map(record).collect())
            }
        }
    };
    (0..rows.len()).map(answer).collect()
}

fn stream() -> impl Strategy<Value = Vec<Row>> {
    let value = prop_oneof![4 => (-4..5_i64).prop_map(int), 2 => (-4..5_i64).prop_map(|half| Value::Float(half as f64 / 2.0)), 1 => Just(Value::Null)];
    let key = prop_oneof![3 => (0..3_i64).prop_map(int), 1 => Just(text("x")), 1 => Just(Value::Null)];
    prop::collection::vec((0..300_i64, key, value, 0..2_i64), 0..40).prop_map(|mut rows| {
        rows.sort_by_key(|row| row.0);
        let columns = |((time, key, value, when), number)| row(time, &[("k", key), ("v", value), ("w", int(when)), ("n", int(number))]);
        rows.into_iter().zip(0..).map(columns).collect()
    })
}

proptest! {
    #[test]
    fn every_function_is_what_a_naive_evaluation_gives_in_any_cut(
        rows in stream(),
        asked in prop::collection::vec((0..FUNCTIONS, any::<bool>(), 1..120_i64, any::<bool>()), 1..4),
        seed in any::<u64>(),
    ) {
        let specs: Vec<AnalyticSpec> = asked.iter().enumerate().map(|(place, (which, keyed, duration, when))| {
            spec(place, function(*which), *keyed, *duration, *when)
        }).collect();
        let make = || -> Box<dyn Operate> { Box::new(Analytic::new(specs.clone()).unwrap()) };
        let mut expected: Vec<Out> = rows.iter().map(|row| {
            (seconds(row.time), row.columns.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
        }).collect();
        for (place, (which, keyed, duration, when)) in asked.iter().enumerate() {
            for (row, value) in naive(*which, *keyed, *duration, *when, &rows).into_iter().enumerate() {
                expected[row].1.push((format!("a{place}"), value));
            }
        }
        let streams = [rows];
        prop_assert_eq!(straight(&make, &streams), expected.clone());
        prop_assert_eq!(cut(&make, &streams, seed), expected);
    }
}

/// The answers of one function over rows `(second, k, v, w)`.
fn answers(function: AnalyticFunction, keyed: bool, duration: i64, when: bool, rows: &[(i64, i64, Value, i64)]) -> Vec<Value> {
    let rows =
        rows.iter().map(|(time, key, value, when)| row(*time, &[("k", int(*key)), ("v", value.clone()), ("w", int(*when))])).collect();
    let make = || -> Box<dyn Operate> { Box::new(Analytic::new(vec![spec(0, function.clone(), keyed, duration, when)]).unwrap()) };
    straight(&make, &[rows]).into_iter().map(|(_, columns)| columns.last().unwrap().1.clone()).collect()
}

#[test]
fn lag_gives_the_default_for_too_few_too_old_and_no_matching_rows_but_null_for_a_null() {
    let rows = [(0, 1, int(1), 1), (10, 1, Value::Null, 1), (20, 1, int(3), 0), (80, 1, int(4), 1)];
    let default = Some(constant(int(-1)));
    assert_eq!(
        answers(lag(1, default.clone()), true, 60, false, &rows),
        [int(-1), int(1), Value::Null, int(-1)],
        "a minute ago is too old"
    );
    assert_eq!(answers(lag(1, default), true, 61, false, &rows)[3], int(3));
    assert_eq!(answers(lag(1, None), true, 90, true, &rows), [Value::Null, int(1), Value::Null, Value::Null]);
}

#[test]
fn last_includes_the_row_itself_when_it_meets_the_condition() {
    let rows = [(0, 1, int(60), 1), (10, 1, int(20), 0), (20, 2, int(10), 0), (30, 1, int(70), 1)];
    assert_eq!(answers(lag(0, None), true, 3600, true, &rows), [int(60), int(60), Value::Null, int(70)]);
}

#[test]
fn a_row_at_the_end_of_an_interval_belongs_to_it() {
    let rows = [(601, 1, int(0), 1), (1200, 1, int(0), 1), (1201, 1, int(0), 1), (1202, 1, int(0), 0)];
    assert_eq!(answers(AnalyticFunction::IsFirst, true, 600, true, &rows), [int(1), int(0), int(1), int(0)]);
}

#[test]
fn a_row_that_fails_when_still_sees_the_aggregate_of_the_others() {
    let rows = [(0, 1, int(5), 0), (1, 1, int(7), 1), (2, 1, int(9), 0)];
    assert_eq!(answers(aggregate(AggregateFunction::Sum, &[]), true, 60, true, &rows), [Value::Null, int(7), int(7)]);
    assert_eq!(answers(aggregate(AggregateFunction::Count, &[]), true, 60, true, &rows), [int(0), int(1), int(1)]);
}

#[test]
fn a_large_float_that_leaves_takes_nothing_with_it() {
    let rows = [(0, 1, Value::Float(1e18), 1), (1, 1, Value::Float(0.25), 1), (60, 1, Value::Float(0.5), 1)];
    assert_eq!(answers(aggregate(AggregateFunction::Sum, &[]), true, 60, false, &rows)[2], Value::Float(0.75));
}

#[test]
fn a_value_that_is_no_number_and_a_key_without_order_are_told_and_take_no_row() {
    let rows = [row(0, &[("v", text("ten"))])];
    for (function, words) in [
        (aggregate(AggregateFunction::Sum, &[]), "SUM: a value of type 'nvarchar(max)' is not a number: \"ten\""),
        (aggregate(AggregateFunction::TopOne, &[("v", true)]), "ORDER BY of TopOne or CollectTop takes a bigint, float or datetime"),
    ] {
        let mut operator = Analytic::new(vec![spec(0, function, false, 60, false)]).unwrap();
        with_context(|context| {
            let fault = operator.push(0, &batch(0, &rows, &[0]), context).unwrap_err();
            assert!(fault.message.starts_with(words), "{fault}");
            assert!(operator.advance(Timestamp::MAX, context).unwrap().is_empty());
        });
    }
    let distinct = AggregateSpec { function: AggregateFunction::Count, distinct: true, argument: None, order_by: Vec::new() };
    assert!(Analytic::new(vec![spec(0, AnalyticFunction::Aggregate(distinct), false, 60, false)]).is_err());
}

#[test]
fn rows_of_several_partitions_come_in_order_and_keep_their_events() {
    let mut operator = Analytic::new(vec![spec(0, lag(1, None), false, 60, false)]).unwrap();
    let rows = [row(3, &[("v", int(1))]), row(1, &[("v", int(2))]), row(2, &[("v", int(3))])];
    with_context(|context| {
        let mut other = batch(0, &rows, &[1, 2]);
        other.origin = Origin::Events { input: 1, partition: 4, offsets: [8, 9].into() };
        operator.push(0, &batch(0, &rows, &[0]), context).unwrap();
        operator.push(0, &other, context).unwrap();
        let made = operator.advance(Timestamp::MAX, context).unwrap();
        let id = |partition, offset| Some(RowId { partition, offset });
        assert_eq!((0..3).map(|row| made[0].row_id(row)).collect::<Vec<_>>(), [id(4, 8), id(4, 9), id(0, 0)]);
        let lagged = made[0].column("a0").unwrap();
        assert_eq!((0..3).map(|row| lagged.value(row)).collect::<Vec<_>>(), [Value::Null, int(2), int(3)]);
    });
}

#[test]
fn partitions_that_fell_silent_are_forgotten() {
    let mut operator = Analytic::new((0..4).map(|which| spec(which, function(which * 3), true, 60, false)).collect()).unwrap();
    with_context(|context| {
        for step in 0..200_i64 {
            let rows: Vec<Row> = (0..100).map(|number| row(step * 60, &[("k", int(step * 100 + number)), ("v", int(1))])).collect();
            operator.push(0, &batch(0, &rows, &(0..100).collect::<Vec<_>>()), context).unwrap();
            operator.advance(Timestamp(seconds(step * 60 + 59)), context).unwrap();
        }
    });
    assert!(operator.save().unwrap().len() < 200_000, "{}", operator.save().unwrap().len());
}
