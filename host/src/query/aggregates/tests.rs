//! Every aggregate against a plain computation over all its values, whatever the way the values came together: added in any
//! order, kept in parts, merged, with the oldest parts taken out again, saved and restored.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::batch::{Batch, Column, ColumnBuilder, Origin, RowOrder, Value};
use crate::query::Expression;
use crate::time::Timestamp;

fn spec(function: AggregateFunction, distinct: bool, order_by: &[bool]) -> AggregateSpec {
    let key = |descending: &bool| OrderKey { expression: Expression::Timestamp, descending: *descending };
    AggregateSpec { function, distinct, argument: Some(Expression::Row), order_by: order_by.iter().map(key).collect() }
}

/// The places of rows at these times.
fn orders(times: &[i64]) -> Vec<RowOrder> {
    let times = times.iter().map(|time| Timestamp(*time)).collect();
    RowOrder::of(&Batch { names: Arc::new([]), columns: Vec::new(), times, origin: Origin::Derived }, 0)
}

/// The result over a few values in one slot.
fn result(aggregate: &AggregateSpec, columns: &[Column]) -> Result<Value, String> {
    let mut aggregator = aggregator(aggregate);
    let rows = columns[0].len();
    aggregator.grow(2);
    assert_eq!(aggregator.check(columns), []);
    aggregator.add(columns, &orders(&(0..rows as i64).collect::<Vec<_>>()), &vec![1; rows]);
    value(&*aggregator, 1)
}

/// The result of a slot.
fn value(aggregator: &dyn Aggregator, slot: u32) -> Result<Value, String> {
    let mut out = ColumnBuilder::default();
    match aggregator.write(slot, &mut out) {
        Some(why) => Err(why),
        None => Ok(out.finish().value(0)),
    }
}

fn over(function: AggregateFunction, values: &[Value]) -> Result<Value, String> {
    result(&spec(function, false, &[]), &[Column::from_values(values.iter().cloned())])
}

fn ints(values: &[i64]) -> Vec<Value> {
    values.iter().map(|value| Value::BigInt(*value)).collect()
}

fn floats(values: &[f64]) -> Vec<Value> {
    values.iter().map(|value| Value::Float(*value)).collect()
}

#[test]
fn sums_keep_the_type_of_their_values_and_do_not_overflow_unseen() {
    assert_eq!(over(AggregateFunction::Sum, &ints(&[i64::MAX, 1, -5])), Ok(Value::BigInt(i64::MAX - 4)));
    assert!(over(AggregateFunction::Sum, &ints(&[i64::MAX, 1])).unwrap_err().contains("9223372036854775808 does not fit bigint"));
    assert_eq!(over(AggregateFunction::Sum, &[Value::BigInt(1), Value::Float(0.5), Value::Null]), Ok(Value::Float(1.5)));
    assert_eq!(over(AggregateFunction::Sum, &floats(&[0.1; 10])), Ok(Value::Float(1.0)));
    assert_eq!(over(AggregateFunction::Sum, &[Value::Null]), Ok(Value::Null));
    assert_eq!(over(AggregateFunction::Avg, &[Value::Null]), Ok(Value::Null));
    assert_eq!(over(AggregateFunction::Avg, &ints(&[1, 2])), Ok(Value::Float(1.5)));
    // A whole part beyond 2^53 is not rounded before the fraction is added.
    let values = [Value::BigInt((1 << 53) + 1), Value::Float(0.5), Value::Float(-0.5)];
    assert_eq!(over(AggregateFunction::Sum, &values), Ok(Value::Float(9_007_199_254_740_992.0)));
    let values = [Value::BigInt(i64::MIN), Value::BigInt(i64::MIN), Value::Float(0.0)];
    assert_eq!(over(AggregateFunction::Sum, &values), Ok(Value::Float(-(2f64.powi(64)))));
}

#[test]
fn least_and_greatest_read_text_as_numbers_unless_it_is_cast() {
    let texts = ["10", "9", "9.5"].map(|text| Value::Text(text.into()));
    assert_eq!(over(AggregateFunction::Max { text: false }, &texts), Ok(Value::Float(10.0)));
    assert_eq!(over(AggregateFunction::Max { text: true }, &texts), Ok(Value::Text("9.5".into())));
    assert_eq!(over(AggregateFunction::Min { text: true }, &texts), Ok(Value::Text("10".into())));
    let bad = aggregator(&spec(AggregateFunction::Max { text: false }, false, &[]))
        .check(&[Column::from_values([texts[0].clone(), Value::Text("x".into())])]);
    assert_eq!((bad.len(), bad[0].0), (1, 1));
    assert!(bad[0].1.contains("'x' is not a number"), "{}", bad[0].1);
    assert_eq!(over(AggregateFunction::Min { text: false }, &[Value::Bit(true), Value::Bit(false)]), Ok(Value::Bit(false)));
    let times = [Value::DateTime(Timestamp(5)), Value::Null, Value::DateTime(Timestamp(7))];
    assert_eq!(over(AggregateFunction::Max { text: false }, &times), Ok(Value::DateTime(Timestamp(7))));
    assert_eq!(over(AggregateFunction::Min { text: false }, &ints(&[3, -2])), Ok(Value::BigInt(-2)));
}

#[test]
fn spreads_of_samples_and_populations() {
    let values = ints(&[2, 4, 4, 4, 5, 5, 7, 9]);
    assert_eq!(over(AggregateFunction::Varp, &values), Ok(Value::Float(4.0)));
    assert_eq!(over(AggregateFunction::Stdevp, &values), Ok(Value::Float(2.0)));
    assert_eq!(over(AggregateFunction::Var, &values), Ok(Value::Float(32.0 / 7.0)));
    assert_eq!(over(AggregateFunction::Stdev, &values), Ok(Value::Float((32.0f64 / 7.0).sqrt())));
    assert_eq!(over(AggregateFunction::Stdev, &values[..1]), Ok(Value::Null), "one value has no sample deviation");
    assert_eq!(over(AggregateFunction::Stdevp, &values[..1]), Ok(Value::Float(0.0)));
    assert_eq!(over(AggregateFunction::Varp, &[Value::Null]), Ok(Value::Null));
    // A small spread far from zero.
    assert_eq!(over(AggregateFunction::Var, &floats(&[1e9 + 0.25, 1e9 + 0.5, 1e9 + 0.75])), Ok(Value::Float(0.0625)));
}

#[test]
fn percentiles_as_the_documentation_computes_them() {
    let values = floats(&[0.98, 0.93, 0.78, 0.99, 0.89]);
    let continuous = |fraction, descending| AggregateFunction::PercentileCont { fraction, descending };
    let discrete = |fraction, descending| AggregateFunction::PercentileDisc { fraction, descending };
    let Ok(Value::Float(smooth)) = over(continuous(0.95, false), &values) else { panic!("a float") };
    assert!((smooth - 0.988).abs() < 1e-12, "{smooth}");
    assert_eq!(over(discrete(0.95, false), &values), Ok(Value::Float(0.99)));
    assert_eq!(over(discrete(0.95, true), &values), Ok(Value::Float(0.78)));
    assert_eq!(over(continuous(0.0, true), &values), Ok(Value::Float(0.99)));
    assert_eq!(over(continuous(0.5, false), &ints(&[1, 2])), Ok(Value::Float(1.5)));
    assert_eq!(over(discrete(0.5, false), &ints(&[1, 2, 3, 4])), Ok(Value::BigInt(2)), "the type of the values");
    assert_eq!(over(discrete(0.0, false), &ints(&[1, 2])), Ok(Value::BigInt(1)));
    assert_eq!(over(continuous(0.5, false), &[Value::Null]), Ok(Value::Null));
}

#[test]
fn the_example_of_collect_top() {
    // value1, value2, value3, time; CollectTop(2) OVER (ORDER BY value2 ASC, value3 DESC), here for value1 = 1.
    let rows: Vec<Value> = [(10, 0), (50, 2), (30, 3)]
        .iter()
        .map(|(value2, time)| {
            Value::Record(Arc::new(vec![("Value2".into(), Value::BigInt(*value2)), ("Time".into(), Value::BigInt(*time))]))
        })
        .collect();
    let columns =
        [Column::from_values(rows.iter().cloned()), Column::from_values(ints(&[10, 50, 30])), Column::from_values(ints(&[10, 10, 10]))];
    let top = |rank: i64, row: &Value| Value::Record(Arc::new(vec![("rank".into(), Value::BigInt(rank)), ("value".into(), row.clone())]));
    let expected = Value::Array([top(1, &rows[0]), top(2, &rows[2])].into());
    assert_eq!(result(&spec(AggregateFunction::CollectTop(2), false, &[false, true]), &columns), Ok(expected));
    assert_eq!(result(&spec(AggregateFunction::TopOne, false, &[true, true]), &columns), Ok(rows[1].clone()));
}

#[test]
fn top_takes_null_as_the_smallest_and_the_first_of_equals() {
    let texts = ["a", "b", "c", "d"].map(|text| Value::Text(text.into()));
    let keys = [Value::BigInt(1), Value::Null, Value::Float(1.0), Value::BigInt(0)];
    let columns = [Column::from_values(texts.clone()), Column::from_values(keys)];
    assert_eq!(result(&spec(AggregateFunction::TopOne, false, &[false]), &columns), Ok(texts[1].clone()));
    let same = [
        Column::from_values(texts.clone()),
        Column::from_values([Value::Float(2.0), Value::BigInt(2), Value::Float(2.0), Value::BigInt(1)]),
    ];
    assert_eq!(result(&spec(AggregateFunction::TopOne, false, &[true]), &same), Ok(texts[0].clone()));
    let refused = aggregator(&spec(AggregateFunction::TopOne, false, &[true])).check(&[same[0].clone(), same[0].clone()]);
    assert!(refused[0].1.contains("ORDER BY takes bigint, float and datetime") && refused[0].1.contains("nvarchar(max)"), "{refused:?}");
}

#[test]
fn texts_are_joined_in_the_order_of_their_rows_and_null_is_left_out() {
    let values = [Value::Text("a".into()), Value::Null, Value::BigInt(7), Value::Text("".into())];
    assert_eq!(over(AggregateFunction::StringAgg("; ".into()), &values), Ok(Value::Text("a; 7; ".into())));
    assert_eq!(over(AggregateFunction::StringAgg(",".into()), &[Value::Null]), Ok(Value::Null));
    assert_eq!(over(AggregateFunction::Collect, &values), Ok(Value::Array(values.to_vec().into())));
}

#[test]
fn what_is_no_number_is_refused_by_its_row() {
    for function in [AggregateFunction::Sum, AggregateFunction::Avg, AggregateFunction::Stdev, AggregateFunction::Varp] {
        let values = [Value::BigInt(1), Value::Text("two".into()), Value::Null, Value::DateTime(Timestamp(0)), Value::Bit(true)];
        let refused = aggregator(&spec(function, false, &[])).check(&[Column::from_values(values)]);
        assert_eq!(refused.iter().map(|(row, _)| *row).collect::<Vec<_>>(), [1, 3, 4]);
        assert!(refused[0].1.contains("a number is expected, not \"two\" of type nvarchar(max)"), "{}", refused[0].1);
    }
    let times = Column::from_values([Value::Null, Value::DateTime(Timestamp(0)), Value::DateTime(Timestamp(1))]);
    assert_eq!(aggregator(&spec(AggregateFunction::Sum, false, &[])).check(&[times]).len(), 2, "a column of one type too");
}

#[test]
fn constants_of_aggregates_are_checked() {
    let make = |name: &str, constant: Value| known_aggregate(name).unwrap().function(Some(&constant), false, false);
    assert_eq!(make("collecttop", Value::BigInt(3)), Ok(AggregateFunction::CollectTop(3)));
    assert!(make("CollectTop", Value::BigInt(0)).is_err());
    assert!(make("Percentile_Cont", Value::Float(1.5)).is_err());
    assert_eq!(make("PERCENTILE_DISC", Value::BigInt(1)), Ok(AggregateFunction::PercentileDisc { fraction: 1.0, descending: false }));
    assert!(make("STRING_AGG", Value::BigInt(1)).is_err());
    assert_eq!(known_aggregate("MAX").unwrap().function(None, true, false), Ok(AggregateFunction::Max { text: true }));
    assert!(known_aggregate("MEDIAN").is_none());
}

/// Values that sum without rounding, so that a plain sum is right in any order.
fn number() -> impl Strategy<Value = Value> {
    prop_oneof![
        1 => Just(Value::Null),
        3 => (-5i64..5).prop_map(Value::BigInt),
        3 => (-20i32..20).prop_map(|quarters| Value::Float(f64::from(quarters) / 4.0)),
    ]
}

/// A column of one type, or of several.
fn numbers() -> impl Strategy<Value = Vec<Value>> {
    prop_oneof![
        prop::collection::vec(number(), 1..40),
        prop::collection::vec((-5i64..5).prop_map(Value::BigInt), 1..40),
        prop::collection::vec((-20i32..20).prop_map(|quarters| Value::Float(f64::from(quarters) / 4.0)), 1..40),
    ]
}

fn float(value: &Value) -> f64 {
    match value {
        Value::BigInt(value) => *value as f64,
        Value::Float(value) => *value,
        other => panic!("{other:?} is no number"),
    }
}

/// The plain computation. `rows`: values and keys in the order of the rows.
fn plain(function: &AggregateFunction, distinct: bool, rows: &[(Value, Value)]) -> Value {
    let mut values: Vec<Value> = rows.iter().map(|(value, _)| value.clone()).filter(|value| !value.is_null()).collect();
    if distinct {
        let mut seen: Vec<Value> = Vec::new();
        values.retain(|value| {
            let new = !seen.iter().any(|known| known == value);
            seen.push(value.clone());
            new
        });
    }
    let count = values.len() as f64;
    let sum: f64 = values.iter().map(float).sum();
    let variance = |freedom: f64| {
        let mean = sum / count;
        values.iter().map(|value| (float(value) - mean).powi(2)).sum::<f64>() / freedom
    };
    let sorted = |descending: bool| {
        let mut values = values.clone();
        values.sort_by(|a, b| float(a).total_cmp(&float(b)).then_with(|| matches!(a, Value::Float(_)).cmp(&matches!(b, Value::Float(_)))));
        if descending {
            values.reverse();
        }
        values
    };
    let top = |count: usize| {
        let mut ranked: Vec<&(Value, Value)> = rows.iter().collect();
        let key = |value: &Value| if value.is_null() { f64::NEG_INFINITY } else { float(value) };
        // Greatest first; the sort keeps equals as they came.
        ranked.sort_by(|a, b| key(&b.1).total_cmp(&key(&a.1)));
        ranked.into_iter().take(count).map(|(value, _)| value.clone()).collect::<Vec<_>>()
    };
    let or_null = |some: bool, value: Value| if some { value } else { Value::Null };
    match function {
        AggregateFunction::Count => Value::BigInt(values.len() as i64),
        AggregateFunction::Sum if values.iter().all(|value| matches!(value, Value::BigInt(_))) => {
            or_null(count > 0.0, Value::BigInt(sum as i64))
        }
        AggregateFunction::Sum => Value::Float(sum),
        AggregateFunction::Avg => or_null(count > 0.0, Value::Float(sum / count)),
        AggregateFunction::Min { .. } => sorted(false).first().cloned().unwrap_or_default(),
        AggregateFunction::Max { .. } => sorted(true).first().cloned().unwrap_or_default(),
        AggregateFunction::Stdev => or_null(count > 1.0, Value::Float(variance(count - 1.0).sqrt())),
        AggregateFunction::Stdevp => or_null(count > 0.0, Value::Float(variance(count).sqrt())),
        AggregateFunction::Var => or_null(count > 1.0, Value::Float(variance(count - 1.0))),
        AggregateFunction::Varp => or_null(count > 0.0, Value::Float(variance(count))),
        AggregateFunction::Collect => Value::Array(rows.iter().map(|(value, _)| value.clone()).collect()),
        AggregateFunction::CollectTop(count) => {
            let ranked = top(*count).into_iter().zip(1..);
            Value::Array(
                ranked
                    .map(|(value, rank)| Value::Record(Arc::new(vec![("rank".into(), Value::BigInt(rank)), ("value".into(), value)])))
                    .collect(),
            )
        }
        AggregateFunction::TopOne => top(1).first().cloned().unwrap_or_default(),
        AggregateFunction::PercentileCont { fraction, descending } => {
            let sorted = sorted(*descending);
            let place = fraction * (count - 1.0);
            or_null(
                count > 0.0,
                Value::Float(if sorted.is_empty() {
                    0.0
                } else {
                    let low = float(&sorted[place as usize]);
                    low + (float(&sorted[place.ceil() as usize]) - low) * place.fract()
                }),
            )
        }
        AggregateFunction::PercentileDisc { fraction, descending } => {
            let sorted = sorted(*descending);
            let number = (1..=sorted.len()).find(|number| *number as f64 / count >= *fraction);
            number.map_or(Value::Null, |number| sorted[number - 1].clone())
        }
        AggregateFunction::StringAgg(separator) => {
            let texts: Vec<String> = values
                .iter()
                .map(|value| if let Value::BigInt(value) = value { value.to_string() } else { format!("{:?}", float(value)) })
                .collect();
            or_null(count > 0.0, Value::Text(texts.join(separator).into()))
        }
        AggregateFunction::User(_) => {
            let pairs = rows.iter().zip(0..).flat_map(|((value, _), time)| [value.clone(), Value::DateTime(Timestamp(time))]);
            Value::Array(pairs.collect())
        }
    }
}

fn functions() -> impl Strategy<Value = (AggregateFunction, bool)> {
    let plain = prop::sample::select(vec![
        AggregateFunction::Count,
        AggregateFunction::Sum,
        AggregateFunction::Avg,
        AggregateFunction::Min { text: false },
        AggregateFunction::Max { text: true },
        AggregateFunction::Stdev,
        AggregateFunction::Stdevp,
        AggregateFunction::Var,
        AggregateFunction::Varp,
        AggregateFunction::Collect,
        AggregateFunction::CollectTop(3),
        AggregateFunction::TopOne,
        AggregateFunction::PercentileCont { fraction: 0.3, descending: false },
        AggregateFunction::PercentileDisc { fraction: 0.7, descending: true },
        AggregateFunction::StringAgg("|".into()),
        AggregateFunction::User("x".to_owned()),
    ]);
    (plain, any::<bool>()).prop_map(|(function, distinct)| {
        let may = matches!(
            function,
            AggregateFunction::Count
                | AggregateFunction::Sum
                | AggregateFunction::Avg
                | AggregateFunction::Stdev
                | AggregateFunction::Varp
                | AggregateFunction::Min { .. }
        );
        (function, distinct && may)
    })
}

fn same(left: &Value, right: &Value, function: &AggregateFunction) -> bool {
    match (left, right) {
        (Value::Float(left), Value::Float(right)) if !matches!(function, AggregateFunction::Sum | AggregateFunction::Min { .. }) => {
            (left - right).abs() <= 1e-9 * left.abs().max(right.abs()).max(1.0)
        }
        _ => left == right,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn the_way_to_a_result_does_not_matter(
        (function, distinct) in functions(), values in numbers(), keys in prop::collection::vec(number(), 40), parts in 1usize..6, gone in 0usize..6,
        seed in prop::collection::vec(any::<u32>(), 40),
    ) {
        let ordered = matches!(function, AggregateFunction::TopOne | AggregateFunction::CollectTop(_));
        let aggregate = spec(function.clone(), distinct, if ordered { &[true] } else { &[] });
        let mut aggregator = super::aggregator(&aggregate);
        let count = values.len();
        let places = orders(&(0..count as i64).collect::<Vec<_>>());
        // Slot 1: the total; the parts follow, each a stretch of time. Rows are added in any order.
        aggregator.grow(2 + parts);
        let part = |row: usize| row * parts / count;
        let mut shuffled: Vec<usize> = (0..count).collect();
        shuffled.sort_by_key(|row| seed[*row]);
        for rows in shuffled.chunks(7) {
            let mut columns = vec![Column::from_values(rows.iter().map(|row| values[*row].clone()))];
            if ordered {
                columns.push(Column::from_values(rows.iter().map(|row| keys[*row].clone())));
            }
            prop_assert_eq!(aggregator.check(&columns), []);
            let slots: Vec<u32> = rows.iter().map(|row| 2 + part(*row) as u32).collect();
            aggregator.add(&columns, &rows.iter().map(|row| places[*row]).collect::<Vec<_>>(), &slots);
        }
        let saved = aggregator.save().unwrap();
        aggregator = super::aggregator(&aggregate);
        aggregator.restore(&saved).unwrap();
        for number in 0..parts {
            aggregator.merge(1, 2 + number as u32);
        }
        let rows: Vec<(Value, Value)> = values.iter().cloned().zip(keys).collect();
        let found = value(&*aggregator, 1).unwrap();
        let expected = plain(&function, distinct, &rows);
        prop_assert!(same(&found, &expected, &function), "{:?} instead of {:?}", found, expected);
        if aggregator.subtracts() && !matches!(function, AggregateFunction::User(_)) {
            let gone = gone.min(parts);
            (0..gone).for_each(|number| aggregator.subtract(1, 2 + number as u32));
            let left: Vec<_> = rows.iter().enumerate().filter(|(row, _)| part(*row) >= gone).map(|(_, row)| row.clone()).collect();
            let expected = plain(&function, distinct, &left);
            let found = value(&*aggregator, 1).unwrap();
            prop_assert!(same(&found, &expected, &function), "{:?} instead of {:?}", found, expected);
        }
        // An emptied slot is like one that had nothing.
        aggregator.clear(1);
        prop_assert_eq!(value(&*aggregator, 1), value(&*aggregator, 0));
    }
}
