//! What the engine answers for: the same rows three ways, faults with their row, policies, recovery.

use std::sync::Arc;

use super::*;
use crate::batch::{Column, Origin, Value, write_row};
use crate::query::{Argument, Called, Catalog, Script, compile};
use crate::time::TICKS_PER_SECOND;

/// The job has no functions.
struct Nothing;

impl Functions for Nothing {
    fn call(&mut self, name: &str, _: &[Argument<'_>], _: usize) -> Result<Called, Fault> {
        Err(Fault::job(format!("there is no function {name}")))
    }
}

fn engine(script: &str, settings: EngineSettings) -> Engine {
    let plan = compile(Script { file: "q.asaql", text: script }, &Catalog::default()).unwrap_or_else(|error| panic!("{error}"));
    Engine::new(plan, Box::new(Nothing), &[], settings).unwrap()
}

/// Rows of (second, card, amount) that arrive at that second.
fn rows(first: u64, partition: u32, rows: &[(i64, &str, Value)]) -> Batch {
    Batch {
        names: ["card", "amount", "at"].map(Arc::from).into(),
        columns: vec![
            Column::from_values(rows.iter().map(|(_, card, _)| Value::Text((*card).into()))),
            Column::from_values(rows.iter().map(|(_, _, amount)| amount.clone())),
            Column::from_values(rows.iter().map(|(second, _, _)| Value::DateTime(Timestamp(second * TICKS_PER_SECOND)))),
        ],
        times: rows.iter().map(|(second, _, _)| Timestamp(second * TICKS_PER_SECOND)).collect(),
        origin: Origin::Events { input: 0, partition, offsets: (first..first + rows.len() as u64).collect() },
    }
}

fn lines(results: &Results) -> Vec<String> {
    let rows = results.rows.iter().flat_map(|rows| (0..rows.batch.rows()).map(move |row| (&rows.batch, row)));
    rows.map(|(batch, row)| {
        let mut out = Vec::new();
        write_row(batch, row, &mut out);
        String::from_utf8(out).unwrap()
    })
    .collect()
}

fn second(second: i64) -> Timestamp {
    Timestamp(second * TICKS_PER_SECOND)
}

const COUNT: &str = "SELECT card, COUNT(*) AS n FROM payments GROUP BY card, TumblingWindow(second, 10)";

#[test]
fn a_window_comes_out_when_every_partition_has_passed_its_end() {
    let settings = EngineSettings { partitions: vec![2], ..EngineSettings::new(TimeMode::arriving(5, 0, false)) };
    let mut engine = engine(COUNT, settings);
    let none: Vec<String> = Vec::new();
    assert_eq!(lines(&engine.push(0, 0, rows(0, 0, &[(1, "a", Value::Null), (12, "a", Value::Null)]), second(12)).unwrap()), none);
    assert_eq!(lines(&engine.push(0, 1, rows(0, 1, &[(3, "a", Value::Null)]), second(12)).unwrap()), none);
    // The second partition is idle: it is not waited for longer than the late tolerance.
    engine.idle(0, 1, second(25));
    assert_eq!(lines(&engine.advance().unwrap()), [r#"{"card":"a","n":2}"#]);
    assert_eq!(lines(&engine.finish().unwrap()), [r#"{"card":"a","n":1}"#]);
}

#[test]
fn a_restored_engine_goes_on_where_the_saved_one_was_and_takes_no_state_of_another_query() {
    let settings = EngineSettings::new(TimeMode::arriving(5, 0, false));
    let mut first = engine(COUNT, settings.clone());
    first.push(0, 0, rows(0, 0, &[(1, "a", Value::Null), (2, "b", Value::Null)]), second(2)).unwrap();
    let saved = first.save().unwrap();
    let mut second_engine = engine(COUNT, settings.clone());
    assert!(second_engine.restore(&saved).unwrap());
    let more = rows(2, 0, &[(3, "a", Value::Null), (14, "a", Value::Null)]);
    let expected = first.push(0, 0, more.clone(), second(14)).unwrap();
    assert_eq!(lines(&second_engine.push(0, 0, more, second(14)).unwrap()), lines(&expected));
    assert_eq!(lines(&expected), [r#"{"card":"a","n":2}"#, r#"{"card":"b","n":1}"#]);
    let mut other = engine("SELECT card FROM payments", settings);
    assert!(!other.restore(&saved).unwrap());
    assert!(other.restore(&saved[..saved.len() / 2]).is_err());
}

#[test]
fn a_cast_that_fails_stops_the_job_with_its_row_or_the_row_is_rejected() {
    let script = "SELECT card, CAST(amount AS bigint) AS cents FROM payments";
    let batch =
        || rows(0, 0, &[(1, "a", Value::Text("12".into())), (2, "b", Value::Text("1O5".into())), (3, "c", Value::Text("3".into()))]);
    let settings = EngineSettings::new(TimeMode::arriving(5, 0, false));
    let fault = engine(script, settings.clone()).push(0, 0, batch(), second(3)).unwrap_err().to_string();
    assert!(fault.starts_with("q.asaql:1:1, in 'output'"), "{fault}");
    assert!(fault.contains("bigint") && fault.contains(r#"row: {"card":"b","amount":"1O5""#), "{fault}");
    let mut lenient = engine(script, EngineSettings { on_error: OnError::DeadLetter, ..settings });
    let results = lenient.push(0, 0, batch(), second(3)).unwrap();
    assert_eq!(lines(&results), [r#"{"card":"a","cents":12}"#, r#"{"card":"c","cents":3}"#]);
    assert_eq!(results.rejected.len(), 1);
    assert_eq!(results.rejected[0].origin.unwrap().offset, 1);
    assert!(matches!(&results.rows[0].batch.origin, Origin::Events { offsets, .. } if offsets[..] == [0, 2]));
}

#[test]
fn declared_types_drop_what_does_not_fit() {
    let script = "CREATE TABLE payments(card nvarchar(max), amount bigint) SELECT card, amount FROM payments";
    let batch = || rows(0, 0, &[(1, "a", Value::BigInt(12)), (2, "b", Value::Text("13".into())), (3, "c", Value::Null)]);
    let settings = EngineSettings::new(TimeMode::arriving(5, 0, false));
    let results = engine(script, settings.clone()).push(0, 0, batch(), second(3)).unwrap();
    assert_eq!(lines(&results), [r#"{"card":"a","amount":12}"#, r#"{"card":"c","amount":null}"#]);
    assert!(results.rejected[0].reason.starts_with("InputDeserializationError: column 'amount'"), "{:?}", results.rejected);
    let results = engine(script, EngineSettings { text: vec![true], ..settings }).push(0, 0, batch(), second(3)).unwrap();
    assert_eq!(lines(&results).len(), 3);
}

#[test]
fn rows_at_hand_are_taken_in_the_order_of_their_times() {
    let mut engine = engine("SELECT card FROM payments TIMESTAMP BY at", EngineSettings::new(TimeMode::Sorted));
    let none: Vec<String> = Vec::new();
    let batch = rows(0, 0, &[(5, "e", Value::Null), (1, "a", Value::Null), (5, "f", Value::Null)]);
    assert_eq!(lines(&engine.push(0, 0, batch, second(5)).unwrap()), none);
    engine.push(0, 0, rows(3, 0, &[(2, "b", Value::Null)]), second(5)).unwrap();
    assert_eq!(lines(&engine.finish().unwrap()), ["a", "b", "e", "f"].map(|card| format!(r#"{{"card":"{card}"}}"#)));
}

#[test]
fn the_rows_of_one_time_come_in_one_batch_so_that_their_keys_hold() {
    let script = "SELECT card, n FROM (SELECT card, COUNT(*) AS n FROM payments GROUP BY card, HoppingWindow(second, 10, 5)) q";
    let settings = EngineSettings::new(TimeMode::arriving(5, 0, false));
    let mut engine = engine(script, settings);
    engine.push(0, 0, rows(0, 0, &[(1, "a", Value::Null), (2, "b", Value::Null)]), second(2)).unwrap();
    let results = engine.finish().unwrap();
    assert_eq!(results.rows.len(), 1);
    assert_eq!(results.rows[0].batch.times.to_vec(), [5, 5, 10, 10].map(second));
}

/// Doubles what it is given; its forks do the same.
struct Double;

impl Functions for Double {
    fn call(&mut self, _: &str, arguments: &[Argument<'_>], rows: usize) -> Result<Called, Fault> {
        let Argument::Value(column) = &arguments[0] else { return Err(Fault::job("a value is expected")) };
        let doubled =
            (0..rows).map(|row| if let Value::BigInt(value) = column.value(row) { Value::BigInt(value * 2) } else { Value::Null });
        Ok(Called { column: Column::from_values(doubled), rejected: Vec::new(), failed: Vec::new() })
    }

    fn fork(&self) -> Option<Box<dyn Functions>> {
        Some(Box::new(Self))
    }
}

#[test]
fn partitions_beside_each_other_give_what_one_after_the_other_gives() {
    let script = "WITH d AS (SELECT card, udf.double(amount) AS d FROM payments WHERE amount <> 3)
        SELECT card, d INTO rows FROM d
        SELECT card, SUM(d) AS s INTO sums FROM d GROUP BY card, TumblingWindow(second, 10)
        SELECT card, LAG(d) OVER (PARTITION BY card LIMIT DURATION(second, 5)) AS before INTO lags FROM d";
    let catalog = Catalog {
        functions: vec![crate::query::FunctionInfo { name: "double".into(), columns: None, returns: None }],
        ..Catalog::default()
    };
    let new = || {
        let plan = compile(Script { file: "q.asaql", text: script }, &catalog).unwrap_or_else(|error| panic!("{error}"));
        let settings = EngineSettings { partitions: vec![3], ..EngineSettings::new(TimeMode::arriving(5, 0, false)) };
        Engine::new(plan, Box::new(Double), &[], settings).unwrap()
    };
    let batches: Vec<(usize, usize, Batch)> = (0..3_u32)
        .map(|partition| {
            let rows_of: Vec<(i64, &str, Value)> =
                (0..40).map(|row| (row, if (row + i64::from(partition)) % 3 == 0 { "a" } else { "b" }, Value::BigInt(row % 7))).collect();
            (0, partition as usize, rows(0, partition, &rows_of))
        })
        .collect();
    let (mut beside, mut after) = (new(), new());
    let mut one: Vec<String> = beside.take_all(batches.clone(), second(40)).unwrap().iter().flat_map(lines).collect();
    let mut other: Vec<String> = batches
        .into_iter()
        .flat_map(|(input, partition, batch)| lines(&after.take(input, partition, batch, second(40)).unwrap()))
        .collect();
    one.extend(lines(&beside.finish().unwrap()));
    other.extend(lines(&after.finish().unwrap()));
    assert_eq!(one, other);
    assert!(one.len() > 200, "{}", one.len());
}
