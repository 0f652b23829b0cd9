//! Joins against nested loops, and by the documented examples.

use proptest::prelude::*;

use super::super::testing::{Out, Row, all, binary, column, constant, cut, int, minutes_between, row, seconds, straight, text};
use super::{Join, JoinKind, JoinSpec};
use crate::batch::Value;
use crate::query::Expression;
use crate::query::operate::Binary;
use crate::query::operator::Operate;

/// `ON l.k = r.k AND DATEDIFF(minute, l, r) BETWEEN low AND high`.
fn spec(kind: JoinKind, keyed: bool, low: i64, high: i64) -> JoinSpec {
    let minutes = minutes_between("#time.l", "#time.r");
    let mut conditions = vec![
        binary(Binary::GreaterOrEqual, minutes.clone(), constant(int(low))),
        binary(Binary::LessOrEqual, minutes, constant(int(high))),
    ];
    if keyed {
        conditions.push(binary(Binary::Equal, column("l.k"), column("r.k")));
    }
    JoinSpec {
        kind,
        left: Some("l".into()),
        right: "r".into(),
        keys: if keyed { vec![(column("l.k"), column("r.k"))] } else { Vec::new() },
        anchor: None,
        anchor_lag: 0,
        // So many boundaries are crossed within up to a minute more, or from up to a minute less.
        within: (seconds(60 * (low - 1)) + 1, seconds(60 * (high + 1)) - 1),
        unmatched_after: seconds(60 * high),
        condition: all(conditions),
    }
}

fn make(spec: JoinSpec) -> impl Fn() -> Box<dyn Operate> {
    move || Box::new(Join::new(spec.clone()))
}

fn field<'a>(row: &'a Row, name: &str) -> &'a Value {
    row.columns.iter().find(|(known, _)| *known == name).map_or(&Value::Null, |found| &found.1)
}

/// `=` of numbers and texts.
fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Null, _) | (_, Value::Null) => false,
        (Value::BigInt(left), Value::Float(right)) | (Value::Float(right), Value::BigInt(left)) => *left as f64 == *right,
        _ => left == right,
    }
}

/// Every pair by two loops; the order is that of the later row, then of the earlier one.
fn nested_loops(kind: JoinKind, keyed: bool, low: i64, high: i64, left: &[Row], right: &[Row]) -> Vec<Out> {
    let mut found = Vec::new();
    let shown = |left: &Row, right: Option<&Row>| {
        let names = |alias: &'static str| ["k", "n"].map(|name| (name, format!("{alias}.{name}")));
        let of_left = names("l").map(|(name, full)| (full, field(left, name).clone()));
        let of_right = names("r").map(|(name, full)| (full, right.map_or(Value::Null, |right| field(right, name).clone())));
        of_left.into_iter().chain(of_right).collect::<Vec<_>>()
    };
    for (l, a) in left.iter().enumerate() {
        let mut partners = 0;
        for (r, b) in right.iter().enumerate() {
            let minutes = b.time.div_euclid(60) - a.time.div_euclid(60);
            if (low..=high).contains(&minutes) && (!keyed || equal(field(a, "k"), field(b, "k"))) {
                partners += 1;
                let (time, pair) = (a.time.max(b.time), ((a.time, 0, l), (b.time, 1, r)));
                found.push((time, 0, pair.0.max(pair.1), pair.0.min(pair.1), shown(a, Some(b))));
            }
        }
        if partners == 0 && kind == JoinKind::Left {
            // Among rows without a partner the order is that in which they are decided.
            let decided = a.time.max(a.time + 60 * high);
            found.push((decided, 1, (a.time, 0, l), (a.time, 0, l), shown(a, None)));
        }
    }
    found.sort_by_key(|(time, kind, later, earlier, _)| (*time, *kind, *later, *earlier));
    found.into_iter().map(|(time, _, _, _, columns)| (seconds(time), columns)).collect()
}

fn key() -> impl Strategy<Value = Value> {
    prop_oneof![4 => (0..3_i64).prop_map(int), 2 => Just(Value::Float(1.0)), 2 => Just(text("1")), 1 => Just(Value::Null)]
}

fn stream(rows: usize) -> impl Strategy<Value = Vec<Row>> {
    prop::collection::vec((0..600_i64, key()), 0..rows).prop_map(|mut rows| {
        rows.sort_by_key(|row| row.0);
        rows.into_iter().zip(0..).map(|((time, key), number)| row(time, &[("k", key), ("n", int(number))])).collect()
    })
}

proptest! {
    #[test]
    fn a_join_is_what_two_loops_find_in_any_cut(
        left in stream(25), right in stream(25), is_left in any::<bool>(), keyed in any::<bool>(), low in -3..3_i64, length in 0..3_i64, seed in any::<u64>()
    ) {
        // Without a row the columns of a side are not known.
        prop_assume!(!left.is_empty() && !right.is_empty());
        let kind = if is_left { JoinKind::Left } else { JoinKind::Inner };
        let (make, streams) = (make(spec(kind, keyed, low, low + length)), [left.clone(), right.clone()]);
        let expected = nested_loops(kind, keyed, low, low + length, &left, &right);
        let found = straight(&make, &streams);
        prop_assert_eq!(&found, &expected);
        // Before the right side's first row its columns are not known either.
        let known = |rows: Vec<Out>| rows.into_iter().map(|(time, columns)| (time, columns.into_iter().filter(|column| !column.1.is_null()).collect())).collect::<Vec<Out>>();
        prop_assert_eq!(known(cut(&make, &streams, seed)), known(expected));
    }
}

#[test]
fn the_documented_join_finds_exits_up_to_the_bound() {
    let entries = [row(0, &[("k", text("A")), ("n", int(1))]), row(10, &[("k", text("B")), ("n", int(2))])];
    let exits = [row(899, &[("k", text("A"))]), row(960, &[("k", text("B"))])];
    let found = straight(&make(spec(JoinKind::Inner, true, 0, 15)), &[entries.to_vec(), exits.to_vec()]);
    let times: Vec<i64> = found.iter().map(|row| row.0 / seconds(1)).collect();
    assert_eq!(times, [899], "the second exit crosses sixteen boundaries");
}

#[test]
fn absence_is_told_at_the_left_rows_time_plus_the_upper_bound() {
    let streams = [vec![row(30, &[("k", text("A"))])], vec![row(0, &[("k", text("B"))])]];
    let found = straight(&make(spec(JoinKind::Left, true, 0, 10)), &streams);
    assert_eq!(found, [(seconds(630), vec![("l.k".to_owned(), text("A")), ("r.k".to_owned(), Value::Null)])]);
}

#[test]
fn rows_of_a_join_are_joined_again_from_the_time_of_one_of_its_sources() {
    // The rows of (a JOIN b) carry the later time of both, and DATEDIFF(minute, a, c) is measured from a.
    let pair = |a: i64, b: i64| {
        let moment = |time: i64| Value::DateTime(crate::time::Timestamp(seconds(time)));
        row(a.max(b), &[("a.n", int(a)), ("#time.a", moment(a)), ("#time.b", moment(b))])
    };
    let minutes: Expression = minutes_between("#time.a", "#time.c");
    let spec = JoinSpec {
        kind: JoinKind::Left,
        left: None,
        right: "c".into(),
        keys: Vec::new(),
        anchor: Some("#time.a".into()),
        anchor_lag: seconds(120),
        within: (-seconds(60) + 1, seconds(60) - 1),
        unmatched_after: 0,
        condition: Some(binary(Binary::Equal, minutes, constant(int(0)))),
    };
    let streams = [vec![pair(0, 100), pair(61, 70), pair(200, 210)], vec![row(59, &[("n", int(1))]), row(119, &[("n", int(2))])]];
    let shown: Vec<(i64, Value, Value)> = straight(&make(spec.clone()), &streams)
        .into_iter()
        .map(|(time, columns)| (time / seconds(1), columns[0].1.clone(), columns[1].1.clone()))
        .collect();
    assert_eq!(shown, [(100, int(0), int(1)), (119, int(61), int(2)), (210, int(200), Value::Null)]);
    for seed in 0..50 {
        assert_eq!(cut(&make(spec.clone()), &streams, seed).len(), 3);
    }
}

#[test]
fn rows_that_cannot_match_any_more_are_forgotten() {
    let mut join = Join::new(spec(JoinKind::Left, true, 0, 1));
    super::super::testing::with_context(|context| {
        for step in 0..400_i64 {
            let rows: Vec<Row> = (0..50).map(|number| row(step * 60 + number, &[("k", int(step * 50 + number))])).collect();
            for port in 0..2 {
                join.push(port, &super::super::testing::batch(port, &rows, &(0..50).collect::<Vec<_>>()), context).unwrap();
            }
            join.advance(crate::time::Timestamp(seconds(step * 60 + 59)), context).unwrap();
        }
    });
    assert!(join.save().unwrap().len() < 60_000, "{}", join.save().unwrap().len());
}
