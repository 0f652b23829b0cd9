//! Patterns against a matcher that tries everything in the order of preference, and by the documented examples.

use proptest::prelude::*;

use super::super::testing::{Out, Row, binary, column, constant, cut, int, row, seconds, straight, text};
use super::{MatchAggregate, MatchFunction, MatchSpec, MatchVariable, Matching, Pattern, Quantifier};
use crate::batch::Value;
use crate::query::Expression;
use crate::query::operate::Binary;
use crate::query::operator::Operate;

const A: usize = 0;
const B: usize = 1;
const C: usize = 2;

fn aggregate(function: MatchFunction, variable: Option<usize>, field: &str) -> MatchAggregate {
    MatchAggregate { function, variable, value: column(field) }
}

fn variable(name: &str, condition: Expression, reads: &[usize]) -> MatchVariable {
    MatchVariable { name: name.into(), condition: Some(condition), reads: reads.to_vec() }
}

fn matched(number: usize) -> Expression {
    column(&format!("#match{number}"))
}

fn measure(name: &str, expression: Expression) -> (std::sync::Arc<str>, Expression) {
    (name.into(), expression)
}

fn repeat(pattern: Pattern, quantifier: Quantifier) -> Pattern {
    Pattern::Repeat(Box::new(pattern), quantifier)
}

fn make(spec: MatchSpec) -> impl Fn() -> Box<dyn Operate> {
    move || Box::new(Matching::new(spec.clone()))
}

/// A: v <= 2. B: its v is above the first of A. C: v >= 2. Rows from 1 to 3 may fit all.
fn spec(pattern: Pattern, duration: i64) -> MatchSpec {
    MatchSpec {
        partition_by: vec![column("k")],
        duration: seconds(duration),
        variables: vec![
            variable("A", binary(Binary::LessOrEqual, matched(0), constant(int(2))), &[0]),
            variable("B", binary(Binary::Greater, matched(1), matched(2)), &[1, 2]),
            variable("C", binary(Binary::GreaterOrEqual, matched(3), constant(int(2))), &[3]),
        ],
        pattern,
        aggregates: vec![
            aggregate(MatchFunction::Last, Some(A), "v"),
            aggregate(MatchFunction::Last, Some(B), "v"),
            aggregate(MatchFunction::First, Some(A), "v"),
            aggregate(MatchFunction::Last, Some(C), "v"),
            aggregate(MatchFunction::Max, None, "v"),
            aggregate(MatchFunction::Min, Some(B), "n"),
        ],
        measures: vec![
            measure("names", column("#classifier")),
            measure("first", matched(2)),
            measure("top", matched(4)),
            measure("low", matched(5)),
            measure("at", Expression::Timestamp),
        ],
    }
}

/// The matcher of the tests: rows of one partition, as `(time, v, n)`.
struct Matcher<'a> {
    rows: &'a [(i64, i64, i64)],
    start: usize,
    duration: i64,
}

type Names = Vec<Option<usize>>;

impl Matcher<'_> {
    fn fits(&self, variable: Option<usize>, names: &Names) -> bool {
        let place = self.start + names.len();
        let Some((time, v, _)) = self.rows.get(place) else { return false };
        let first_a = names.iter().position(|name| *name == Some(A)).map(|place| self.rows[self.start + place].1);
        *time - self.rows[self.start].0 < self.duration
            && match variable {
                Some(A) => *v <= 2,
                Some(B) => first_a.is_some_and(|first| *v > first),
                Some(_) => *v >= 2,
                None => true,
            }
    }

    /// Tries all ways in the order of preference until `then` is content.
    fn find(&self, pattern: &Pattern, names: &mut Names, then: &mut dyn FnMut(&mut Names) -> bool) -> bool {
        let one = |variable: Option<usize>, names: &mut Names, then: &mut dyn FnMut(&mut Names) -> bool| {
            if !self.fits(variable, names) {
                return false;
            }
            names.push(variable);
            let done = then(names);
            if !done {
                names.pop();
            }
            done
        };
        match pattern {
            Pattern::Variable(variable) => one(Some(*variable), names, then),
            Pattern::Any => one(None, names, then),
            Pattern::Either(choices) => choices.iter().any(|choice| self.find(choice, names, then)),
            Pattern::Sequence(parts) => match parts.split_first() {
                None => then(names),
                Some((first, rest)) => {
                    let rest = Pattern::Sequence(rest.to_vec());
                    self.find(first, names, &mut |names| self.find(&rest, names, then))
                }
            },
            Pattern::Repeat(part, Quantifier::Optional) => self.find(part, names, then) || then(names),
            Pattern::Repeat(part, Quantifier::Any) => {
                let before = names.len();
                self.find(part, names, &mut |names| names.len() > before && self.find(pattern, names, then)) || then(names)
            }
            Pattern::Repeat(part, Quantifier::Some) => {
                let rest = repeat((**part).clone(), Quantifier::Any);
                self.find(part, names, &mut |names| self.find(&rest, names, then))
            }
        }
    }
}

fn by_trying(pattern: &Pattern, duration: i64, rows: &[Row]) -> Vec<Out> {
    let number = |row: &Row, name: &str| match row.columns.iter().find(|(known, _)| *known == name) {
        Some((_, Value::BigInt(value))) => *value,
        _ => 0,
    };
    let mut found = Vec::new();
    for key in 0..3 {
        let own: Vec<(usize, (i64, i64, i64))> = rows
            .iter()
            .enumerate()
            .filter(|(_, row)| number(row, "k") == key)
            .map(|(place, row)| (place, (row.time, number(row, "v"), number(row, "n"))))
            .collect();
        let values: Vec<(i64, i64, i64)> = own.iter().map(|row| row.1).collect();
        for start in 0..values.len() {
            let matcher = Matcher { rows: &values, start, duration };
            let mut names = Names::new();
            if !matcher.find(pattern, &mut names, &mut |names| !names.is_empty()) {
                continue;
            }
            let of =
                |variable: usize| names.iter().zip(&values[start..]).filter(move |(name, _)| **name == Some(variable)).map(|(_, row)| row);
            let name = |name: &Option<usize>| text(name.map_or(".", |name| ["A", "B", "C"][name]));
            let matched = &values[start..start + names.len()];
            let last = seconds(matched.last().unwrap().0);
            let columns = vec![
                ("names".to_owned(), Value::Array(names.iter().map(name).collect())),
                ("first".to_owned(), of(A).next().map_or(Value::Null, |row| int(row.1))),
                ("top".to_owned(), int(matched.iter().map(|row| row.1).max().unwrap())),
                ("low".to_owned(), of(B).map(|row| row.2).min().map_or(Value::Null, int)),
                ("at".to_owned(), Value::DateTime(crate::time::Timestamp(last))),
            ];
            found.push((last, own[start].0, columns));
        }
    }
    found.sort_by_key(|(time, start, _)| (*time, *start));
    found.into_iter().map(|(time, _, columns)| (time, columns)).collect()
}

fn pattern() -> impl Strategy<Value = Pattern> {
    let leaf = prop_oneof![4 => (0..3_usize).prop_map(Pattern::Variable), 1 => Just(Pattern::Any)];
    let quantifier = prop_oneof![Just(Quantifier::Any), Just(Quantifier::Some), Just(Quantifier::Optional)];
    leaf.prop_recursive(3, 8, 3, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(Pattern::Sequence),
            prop::collection::vec(inner.clone(), 1..3).prop_map(Pattern::Either),
            (inner, quantifier.clone()).prop_map(|(part, quantifier)| repeat(part, quantifier)),
        ]
    })
}

fn stream() -> impl Strategy<Value = Vec<Row>> {
    prop::collection::vec((0..60_i64, 0..2_i64, 0..5_i64), 0..14).prop_map(|mut rows| {
        rows.sort_by_key(|row| row.0);
        let columns = |((time, key, value), number)| row(time, &[("k", int(key)), ("v", int(value)), ("n", int(number))]);
        rows.into_iter().zip(0..).map(columns).collect()
    })
}

proptest! {
    #[test]
    fn matches_are_those_that_trying_everything_finds_in_any_cut(
        pattern in pattern(), rows in stream(), duration in 1..60_i64, seed in any::<u64>()
    ) {
        let expected = by_trying(&pattern, duration, &rows);
        let (make, streams) = (make(spec(pattern, duration)), [rows]);
        prop_assert_eq!(straight(&make, &streams), expected.clone());
        prop_assert_eq!(cut(&make, &streams, seed), expected);
    }
}

#[test]
fn the_documented_pattern_of_makes_gives_a_row_for_every_start() {
    let makes = ["Toyota", "Toyota", "Ford", "Lexus", "Lexus"];
    let is = |number: usize| {
        variable(makes[[0, 2, 3][number]], binary(Binary::Equal, matched(number), constant(text(makes[[0, 2, 3][number]]))), &[number])
    };
    let spec = MatchSpec {
        partition_by: vec![column("booth")],
        duration: seconds(60),
        variables: vec![is(0), is(1), is(2)],
        pattern: Pattern::Sequence(vec![
            repeat(Pattern::Variable(0), Quantifier::Some),
            repeat(Pattern::Variable(1), Quantifier::Any),
            repeat(Pattern::Variable(2), Quantifier::Some),
        ]),
        aggregates: (0..3)
            .map(|number| aggregate(MatchFunction::Last, Some(number), "make"))
            .chain([0, 2].map(|number| aggregate(MatchFunction::Last, Some(number), "plate")))
            .collect(),
        measures: vec![measure("toyota", matched(3)), measure("lexus", matched(4))],
    };
    let rows: Vec<Row> = makes
        .iter()
        .enumerate()
        .map(|(place, make)| row(place as i64 * 10, &[("booth", int(1)), ("make", text(make)), ("plate", int(place as i64))]))
        .collect();
    let match_of = |toyota: i64| (seconds(40), vec![("toyota".to_owned(), int(toyota)), ("lexus".to_owned(), int(4))]);
    assert_eq!(straight(&make(spec), &[rows]), [match_of(1), match_of(1)]);
}

#[test]
fn a_condition_over_earlier_rows_sees_the_row_at_hand_as_its_own() {
    // The tank: NORMAL is filling, DANGEROUS is above double of what NORMAL had.
    let double = binary(Binary::Multiply, constant(int(2)), matched(2));
    let spec = MatchSpec {
        partition_by: Vec::new(),
        duration: seconds(180),
        variables: vec![
            variable("Normal", binary(Binary::Equal, matched(0), constant(int(1))), &[0]),
            variable("Dangerous", binary(Binary::Greater, matched(1), double), &[1, 2]),
        ],
        pattern: Pattern::Sequence(vec![repeat(Pattern::Variable(0), Quantifier::Some), repeat(Pattern::Variable(1), Quantifier::Some)]),
        aggregates: vec![
            aggregate(MatchFunction::Last, Some(0), "isFilling"),
            aggregate(MatchFunction::Max, Some(1), "pressure"),
            aggregate(MatchFunction::Max, Some(0), "pressure"),
        ],
        measures: vec![measure("pressure", matched(1)), measure("patterns", column("#classifier"))],
    };
    let columns = |pressure: i64| [("isFilling", int(1)), ("pressure", int(pressure))];
    let rows = [10, 12, 25, 30, 70].iter().zip(0..).map(|(pressure, step)| row(step * 60, &columns(*pressure))).collect();
    let found = |minute: i64, pressure: i64, names: &[&str]| {
        let names = Value::Array(names.iter().map(|name| text(name)).collect());
        (seconds(60 * minute), vec![("pressure".to_owned(), int(pressure)), ("patterns".to_owned(), names)])
    };
    // Three rows are within three minutes. From 12 on, 25 could be Normal too, but then 30 is not Dangerous.
    let expected = [
        found(2, 25, &["Normal", "Normal", "Dangerous"]),
        found(3, 30, &["Normal", "Dangerous", "Dangerous"]),
        found(4, 70, &["Normal", "Normal", "Dangerous"]),
        found(4, 70, &["Normal", "Dangerous"]),
    ];
    assert_eq!(straight(&make(spec), &[rows]), expected);
}

#[test]
fn a_match_may_end_without_waiting_when_nothing_preferred_can_come() {
    let spec = spec(Pattern::Sequence(vec![Pattern::Variable(A), Pattern::Variable(C)]), 3600);
    let mut operator = Matching::new(spec);
    let rows = [row(0, &[("k", int(1)), ("v", int(0))]), row(1, &[("k", int(1)), ("v", int(4))])];
    super::super::testing::with_context(|context| {
        operator.push(0, &super::super::testing::batch(0, &rows, &[0, 1]), context).unwrap();
        assert_eq!(operator.advance(crate::time::Timestamp(seconds(1)), context).unwrap().len(), 1);
    });
}

#[test]
fn a_path_of_many_rows_is_dropped_without_a_deep_stack() {
    let spec = spec(repeat(Pattern::Any, Quantifier::Some), 1_000_000);
    let mut operator = Matching::new(spec);
    let rows: Vec<Row> = (0..1500).map(|time| row(time, &[("k", int(1)), ("v", int(0))])).collect();
    super::super::testing::with_context(|context| {
        operator.push(0, &super::super::testing::batch(0, &rows, &(0..1500).collect::<Vec<_>>()), context).unwrap();
        assert_eq!(operator.advance(crate::time::Timestamp::MAX, context).unwrap()[0].rows(), 1500);
    });
}
