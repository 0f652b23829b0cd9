//! Windowed steps with real aggregates: the documented examples, three ways to one answer, and rows at fault.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::batch::{Origin, RowId, write_row};
use crate::query::{AggregateSpec, Argument, Called, Expression, OrderKey};
use crate::time::TICKS_PER_SECOND;

/// Sums the values of `uda.total`, weighted by their place; there are no others.
struct Total;

impl Functions for Total {
    fn call(&mut self, name: &str, _arguments: &[Argument<'_>], _rows: usize) -> Result<Called, Fault> {
        Err(Fault::job(format!("there is no function {name}")))
    }

    fn aggregate(&mut self, name: &str, values: &Column, times: &[Timestamp], ends: &[usize]) -> Result<Column, Fault> {
        assert_eq!((name, values.len()), ("total", times.len()));
        if (0..values.len()).any(|row| values.value(row) == Value::BigInt(666)) {
            return Err(Fault::function("TypeError: not that one"));
        }
        let mut start = 0;
        Ok(Column::from_values(ends.iter().map(|end| {
            let group = start..*end;
            start = *end;
            assert!(times[group.clone()].is_sorted());
            let weighted =
                group.zip(1i64..).map(|(row, place)| if let Value::BigInt(value) = values.value(row) { value * place } else { 0 });
            Value::BigInt(weighted.sum())
        })))
    }
}

fn column(name: &str) -> Expression {
    Expression::Column(name.into(), Vec::new())
}

fn aggregate(function: AggregateFunction, argument: Option<&str>) -> AggregateSpec {
    AggregateSpec { function, distinct: false, argument: argument.map(column), order_by: Vec::new() }
}

fn step(window: WindowForm, keys: &[&str], aggregates: Vec<AggregateSpec>) -> WindowedStep {
    WindowedStep::new(window, keys.iter().map(|key| column(key)).collect(), aggregates)
}

fn batch(names: &[&str], rows: &[(i64, Vec<Value>)]) -> Batch {
    Batch {
        names: names.iter().map(|name| Arc::from(*name)).collect(),
        columns: (0..names.len()).map(|place| Column::from_values(rows.iter().map(|(_, values)| values[place].clone()))).collect(),
        times: rows.iter().map(|(time, _)| Timestamp(*time)).collect(),
        origin: Origin::Events { input: 0, partition: 0, offsets: (0..rows.len() as u64).collect() },
    }
}

fn with<T>(rejected: &mut Vec<Rejected>, run: impl FnOnce(&mut Context<'_>) -> T) -> T {
    run(&mut Context { functions: &mut Total, rejected })
}

/// Each row as JSON, with its time, without the id of its window.
fn json(batches: &[Batch]) -> Vec<String> {
    let rows = batches.iter().flat_map(|batch| (0..batch.rows()).map(move |row| (batch, row)));
    rows.map(|(batch, row)| {
        let mut batch = batch.clone();
        let kept = batch.names.len() - 1;
        assert_eq!((&*batch.names[kept], batch.columns.pop().map(|column| column.value(row))), ("#window", Some(Value::Null)));
        batch.names = batch.names.iter().take(kept).map(|name| name.trim_start_matches('#').into()).chain([Arc::from("until")]).collect();
        batch.columns.push(Column::DateTime(batch.times.iter().map(|time| time.0).collect::<Vec<_>>().into()));
        let mut out = Vec::new();
        write_row(&batch, row, &mut out);
        String::from_utf8(out).unwrap()
    })
    .collect()
}

/// All rows at once, and the end.
fn run(step: WindowedStep, rows: &Batch) -> Vec<String> {
    let mut operator = Windowed::new(step, "counts", RowFaults::Stop);
    let mut rejected = Vec::new();
    let batches = with(&mut rejected, |context| {
        operator.push(0, rows, context)?;
        operator.advance(Timestamp::MAX, context)
    });
    assert_eq!(rejected, []);
    json(&batches.unwrap())
}

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

const SECOND: i64 = TICKS_PER_SECOND;

fn tumbling(size: i64) -> WindowForm {
    WindowForm::Hopping { size, hop: size, offset: 0 }
}

#[test]
fn groups_come_out_at_the_end_of_their_window_in_the_order_of_their_first_rows() {
    let rows: Vec<(i64, Vec<Value>)> =
        [(4, "Lumen", 15.0), (1, "Quai 9", 11.5), (3, "Quai 9", 23.0), (12, "Lumen", 4.0), (10, "Lumen", 0.5)]
            .map(|(time, merchant, amount)| (time * SECOND, vec![text(merchant), Value::Float(amount)]))
            .to_vec();
    let step = step(
        tumbling(10 * SECOND),
        &["merchant"],
        vec![aggregate(AggregateFunction::Count, None), aggregate(AggregateFunction::Sum, Some("amount"))],
    );
    let expected = [
        r#"{"key0":"Quai 9","aggregate0":2,"aggregate1":34.5,"until":"1970-01-01T00:00:10.0000000Z"}"#,
        r#"{"key0":"Lumen","aggregate0":2,"aggregate1":15.5,"until":"1970-01-01T00:00:10.0000000Z"}"#,
        r#"{"key0":"Lumen","aggregate0":1,"aggregate1":4.0,"until":"1970-01-01T00:00:20.0000000Z"}"#,
    ];
    assert_eq!(run(step, &batch(&["merchant", "amount"], &rows)), expected);
}

#[test]
fn the_latest_row_of_a_hopping_window_fills_the_gaps() {
    let rows: Vec<(i64, Vec<Value>)> =
        [(0, "C-1"), (5, "C-2"), (20, "C-3")].map(|(time, card)| (time * SECOND, vec![text(card), Value::BigInt(time)])).to_vec();
    let order_by = vec![OrderKey { expression: column("at"), descending: true }];
    let latest = AggregateSpec { order_by, ..aggregate(AggregateFunction::TopOne, Some("card")) };
    let step = step(WindowForm::Hopping { size: 20 * SECOND, hop: 5 * SECOND, offset: 0 }, &[], vec![latest]);
    let expected: Vec<String> = [(0, 1), (5, 2), (10, 2), (15, 2), (20, 3), (25, 3), (30, 3), (35, 3)]
        .map(|(until, card)| format!(r#"{{"aggregate0":"C-{card}","until":"1970-01-01T00:00:{until:02}.0000000Z"}}"#))
        .to_vec();
    assert_eq!(run(step, &batch(&["card", "at"], &rows)), expected);
}

#[test]
fn a_row_without_an_expression_is_the_whole_row() {
    let rows = batch(&["card", "n"], &[(1, vec![text("a"), Value::BigInt(2)]), (2, vec![text("b"), Value::BigInt(1)])]);
    let order_by = vec![OrderKey { expression: column("n"), descending: false }];
    let top = AggregateSpec { order_by, ..aggregate(AggregateFunction::TopOne, None) };
    let unique = AggregateSpec { distinct: true, argument: Some(Expression::Row), ..aggregate(AggregateFunction::Count, None) };
    let step = step(tumbling(10), &[], vec![aggregate(AggregateFunction::Collect, None), top, unique]);
    let expected = r#"{"aggregate0":[{"card":"a","n":2},{"card":"b","n":1}],"aggregate1":{"card":"b","n":1},"aggregate2":2,"until":"1970-01-01T00:00:00.0000010Z"}"#;
    assert_eq!(run(step, &rows), [expected]);
}

#[test]
fn a_javascript_aggregate_is_called_with_the_values_of_each_group_in_their_order() {
    let rows: Vec<(i64, Vec<Value>)> = [(3, 30), (1, 10), (2, 20), (7, 1)].map(|(time, value)| (time, vec![Value::BigInt(value)])).to_vec();
    let step = step(tumbling(5), &[], vec![aggregate(AggregateFunction::User("total".to_owned()), Some("v"))]);
    let values: Vec<String> = run(step, &batch(&["v"], &rows)).iter().map(|row| row.split([':', ',']).nth(1).unwrap().to_owned()).collect();
    assert_eq!(values, ["140", "1"], "10 + 2 * 20 + 3 * 30");
}

#[test]
fn a_javascript_aggregate_that_fails_for_one_group_stops_the_job_or_leaves_that_group_out() {
    let rows = batch(&["v"], &[(1, vec![Value::BigInt(5)]), (11, vec![Value::BigInt(666)]), (21, vec![Value::BigInt(7)])]);
    let totals = || step(tumbling(10), &[], vec![aggregate(AggregateFunction::User("total".to_owned()), Some("v"))]);
    let mut rejected = Vec::new();
    let mut advance = |on_fault| {
        let mut operator = Windowed::new(totals(), "totals", on_fault);
        with(&mut rejected, |context| {
            operator.push(0, &rows, context).unwrap();
            operator.advance(Timestamp::MAX, context)
        })
    };
    assert!(advance(RowFaults::Stop).unwrap_err().to_string().contains("not that one"));
    assert_eq!(json(&advance(RowFaults::Reject).unwrap()).len(), 2);
    assert_eq!(rejected.len(), 1);
    assert!(rejected[0].reason.contains("ends at 1970-01-01T00:00:00.0000020Z: TypeError"), "{rejected:?}");
}

#[test]
fn a_row_that_cannot_be_aggregated_is_named_and_nothing_of_its_batch_is_taken() {
    let rows = batch(&["v"], &[(1, vec![Value::BigInt(5)]), (2, vec![text("five")]), (3, vec![Value::BigInt(6)])]);
    let sums = || step(tumbling(10), &[], vec![aggregate(AggregateFunction::Sum, Some("v"))]);
    let mut stops = Windowed::new(sums(), "sums", RowFaults::Stop);
    let mut rejected = Vec::new();
    let fault = with(&mut rejected, |context| stops.push(0, &rows, context)).unwrap_err();
    assert_eq!(fault.to_string(), "sums, partition 0, offset 1: SUM: a number is expected, not \"five\" of type nvarchar(max)");
    assert_eq!((stops.kept(), rejected.len()), (0, 0));

    let mut goes_on = Windowed::new(sums(), "sums", RowFaults::Reject);
    let batches = with(&mut rejected, |context| {
        goes_on.push(0, &rows, context).unwrap();
        goes_on.advance(Timestamp::MAX, context).unwrap()
    });
    assert_eq!(json(&batches), [r#"{"aggregate0":11,"until":"1970-01-01T00:00:00.0000010Z"}"#]);
    assert_eq!(rejected.len(), 1);
    assert_eq!((rejected[0].origin, &*rejected[0].step), (Some(RowId { partition: 0, offset: 1 }), "sums"));
}

#[test]
fn a_sum_that_does_not_fit_names_its_window() {
    let rows = batch(
        &["k", "v"],
        &[(1, vec![text("a"), Value::BigInt(i64::MAX)]), (2, vec![text("a"), Value::BigInt(1)]), (3, vec![text("b"), Value::BigInt(1)])],
    );
    let sums = || step(tumbling(10), &["k"], vec![aggregate(AggregateFunction::Sum, Some("v"))]);
    let mut rejected = Vec::new();
    let mut advance = |on_fault| {
        let mut operator = Windowed::new(sums(), "sums", on_fault);
        with(&mut rejected, |context| {
            operator.push(0, &rows, context).unwrap();
            operator.advance(Timestamp::MAX, context)
        })
    };
    let fault = advance(RowFaults::Stop).unwrap_err();
    assert!(fault.to_string().contains("in the window that ends at 1970-01-01T00:00:00.0000010Z"), "{fault}");
    assert_eq!(json(&advance(RowFaults::Reject).unwrap()), [r#"{"key0":"b","aggregate0":1,"until":"1970-01-01T00:00:00.0000010Z"}"#]);
    assert!(rejected.len() == 1 && rejected[0].reason.contains("does not fit bigint"), "{rejected:?}");
}

/// Rows of several partitions, values of several types.
fn stream() -> impl Strategy<Value = Vec<(i64, u32, Vec<Value>)>> {
    let value = prop_oneof![
        2 => (-9i64..9).prop_map(Value::BigInt),
        4 => (-1000i32..1000).prop_map(|value| Value::Float(f64::from(value) / 7.0)),
        1 => Just(Value::Null),
    ];
    let row = (0i64..60, 0u32..3, prop::sample::select(vec!["a", "b"]), value, 0i64..5);
    prop::collection::vec(row, 0..40).prop_map(|rows| {
        rows.into_iter().map(|(time, partition, key, value, rank)| (time, partition, vec![text(key), value, Value::BigInt(rank)])).collect()
    })
}

fn all_aggregates() -> Vec<AggregateSpec> {
    let by_rank = || vec![OrderKey { expression: column("rank"), descending: true }];
    let mut all: Vec<AggregateSpec> = [
        AggregateFunction::Count,
        AggregateFunction::Sum,
        AggregateFunction::Avg,
        AggregateFunction::Min { text: false },
        AggregateFunction::Max { text: false },
        AggregateFunction::Stdev,
        AggregateFunction::Varp,
        AggregateFunction::Collect,
        AggregateFunction::PercentileCont { fraction: 0.4, descending: false },
        AggregateFunction::StringAgg(",".into()),
    ]
    .into_iter()
    .map(|function| aggregate(function, Some("v")))
    .collect();
    all.push(AggregateSpec { order_by: by_rank(), ..aggregate(AggregateFunction::TopOne, None) });
    all.push(AggregateSpec { order_by: by_rank(), ..aggregate(AggregateFunction::CollectTop(2), Some("v")) });
    all.push(AggregateSpec { distinct: true, ..aggregate(AggregateFunction::Sum, Some("v")) });
    all.push(aggregate(AggregateFunction::User("total".to_owned()), Some("rank")));
    all
}

fn forms() -> impl Strategy<Value = WindowForm> {
    prop_oneof![
        (1i64..20, 1i64..20, -5i64..5).prop_map(|(size, hop, offset)| WindowForm::Hopping { size, hop, offset }),
        (1i64..20).prop_map(|size| WindowForm::Sliding { size }),
        (1i64..9, 1i64..20, any::<bool>()).prop_map(|(timeout, max_duration, by_key)| {
            let partition_by = if by_key { vec![column("k")] } else { Vec::new() };
            WindowForm::Session { timeout, max_duration, partition_by }
        }),
        Just(WindowForm::Snapshot),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn three_ways_give_one_answer(form in forms(), stream in stream(), marks in prop::collection::vec(0i64..70, 0..6), order in prop::collection::vec(any::<u32>(), 40)) {
        let names: Arc<[Arc<str>]> = ["k", "v", "rank"].map(Arc::from).into();
        let rows_of = |rows: &[usize]| Batch {
            names: Arc::clone(&names),
            columns: (0..3).map(|place| Column::from_values(rows.iter().map(|row| stream[*row].2[place].clone()))).collect(),
            times: rows.iter().map(|row| Timestamp(stream[*row].0)).collect(),
            origin: Origin::Several(rows.iter().map(|row| (0, RowId { partition: stream[*row].1, offset: *row as u64 })).collect()),
        };
        let new = || Windowed::new(step(form.clone(), &["k"], all_aggregates()), "all", RowFaults::Stop);
        let all: Vec<usize> = (0..stream.len()).collect();
        let mut rejected = Vec::new();
        // Straight: all rows, then the end.
        let mut straight = new();
        let expected = with(&mut rejected, |context| {
            straight.push(0, &rows_of(&all), context).unwrap();
            json(&straight.advance(Timestamp::MAX, context).unwrap())
        });
        // One-row batches in another order, and a watermark after every row that it allows.
        let mut marks = marks;
        marks.sort_unstable();
        let mut other = all;
        other.sort_by_key(|row| (marks.partition_point(|mark| *mark < stream[*row].0), order[*row]));
        let stage = |row: usize| marks.partition_point(|mark| *mark < stream[row].0);
        let mut way = |restored: bool| {
            let mut operator = new();
            let mut found = Vec::new();
            for (number, mark) in marks.iter().copied().chain([i64::MAX]).enumerate() {
                for row in other.iter().filter(|row| stage(**row) == number) {
                    with(&mut rejected, |context| operator.push(0, &rows_of(&[*row]), context)).unwrap();
                    if restored {
                        let saved = operator.save().unwrap();
                        operator = new();
                        operator.restore(&saved).unwrap();
                    }
                }
                found.extend(json(&with(&mut rejected, |context| operator.advance(Timestamp(mark), context)).unwrap()));
            }
            assert_eq!(operator.kept(), 0);
            found
        };
        prop_assert_eq!(way(false), expected.clone());
        prop_assert_eq!(way(true), expected);
        prop_assert_eq!(rejected, []);
    }
}
