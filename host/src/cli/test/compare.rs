//! Rows against rows: numbers by value, timestamps as instants; the order of columns and the case of their names do not matter,
//! unless a case asks for it.

use serde_json::Value as Json;

use super::case::Row;
use crate::time::Timestamp;

/// What must be the same.
#[derive(Debug, Clone)]
pub(super) struct Comparison {
    /// The order of the rows.
    pub(super) ordered: bool,
    /// The case of columns' names.
    pub(super) case_sensitive: bool,
    /// The order of the columns.
    pub(super) column_order: bool,
    /// How far apart two numbers may be, as a part of the larger one.
    pub(super) tolerance: f64,
}

impl Default for Comparison {
    fn default() -> Self {
        Self { ordered: false, case_sensitive: false, column_order: false, tolerance: 1e-9 }
    }
}

/// How the rows of an output differ.
#[derive(Debug, Default)]
pub(super) struct Difference {
    /// How many rows are expected.
    pub(super) expected: usize,
    /// How many came.
    pub(super) found: usize,
    /// Expected rows that did not come, each with the row that came in its place, if one is alike.
    pub(super) missing: Vec<(Row, Option<Row>)>,
    /// Rows that came and are not expected.
    pub(super) unexpected: Vec<Row>,
    /// All rows are right and their order is not: the expected and the found ones.
    pub(super) order: Option<(Vec<Row>, Vec<Row>)>,
}

impl Comparison {
    /// `None`: they are equal.
    pub(super) fn compare(&self, expected: &[Row], found: &[Row]) -> Option<Difference> {
        if expected.len() == found.len() && expected.iter().zip(found).all(|(expected, found)| self.rows(expected, found)) {
            return None;
        }
        let mut left: Vec<&Row> = found.iter().collect();
        let mut missing = Vec::new();
        for row in expected {
            match left.iter().position(|found| self.rows(row, found)) {
                Some(place) => drop(left.remove(place)),
                None => missing.push(row),
            }
        }
        let mut difference = Difference { expected: expected.len(), found: found.len(), ..Difference::default() };
        if missing.is_empty() && left.is_empty() {
            if !self.ordered {
                return None;
            }
            difference.order = Some((expected.to_vec(), found.to_vec()));
            return Some(difference);
        }
        for row in missing {
            let alike = |found: &Row| {
                row.iter().filter(|(name, value)| self.field(found, name).is_some_and(|other| self.values(value, other))).count()
            };
            let best = left.iter().enumerate().map(|(place, found)| (alike(found), std::cmp::Reverse(place))).max();
            let partner = match best {
                Some((equal, place)) if equal > 0 || (left.len() == 1 && difference.expected == 1) => Some(left.remove(place.0).clone()),
                _ => None,
            };
            difference.missing.push((row.clone(), partner));
        }
        difference.unexpected = left.into_iter().cloned().collect();
        Some(difference)
    }

    fn same_name(&self, left: &str, right: &str) -> bool {
        left == right || !self.case_sensitive && left.to_lowercase() == right.to_lowercase()
    }

    fn field<'a>(&self, row: &'a Row, name: &str) -> Option<&'a Json> {
        row.get(name).or_else(|| row.iter().find(|(other, _)| self.same_name(name, other)).map(|(_, value)| value))
    }

    fn rows(&self, left: &Row, right: &Row) -> bool {
        if left.len() != right.len() {
            return false;
        }
        if self.column_order && !left.keys().zip(right.keys()).all(|(left, right)| self.same_name(left, right)) {
            return false;
        }
        left.iter().all(|(name, value)| self.field(right, name).is_some_and(|other| self.values(value, other)))
    }

    fn values(&self, left: &Json, right: &Json) -> bool {
        match (left, right) {
            (Json::Number(left), Json::Number(right)) => match (left.as_i64(), right.as_i64()) {
                (Some(left), Some(right)) => left == right,
                _ => {
                    let (Some(left), Some(right)) = (left.as_f64(), right.as_f64()) else { return false };
                    (left - right).abs() <= self.tolerance * left.abs().max(right.abs())
                }
            },
            (Json::String(left), Json::String(right)) => {
                left == right || matches!((instant(left), instant(right)), (Some(left), Some(right)) if left == right)
            }
            (Json::Array(left), Json::Array(right)) => {
                left.len() == right.len() && left.iter().zip(right).all(|(left, right)| self.values(left, right))
            }
            (Json::Object(left), Json::Object(right)) => self.rows(left, right),
            _ => left == right,
        }
    }
}

/// An ISO 8601 timestamp with a date and a time.
fn instant(text: &str) -> Option<Timestamp> {
    (text.len() >= 16 && text.as_bytes()[10] == b'T').then(|| Timestamp::parse(text)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Vec<Row> {
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn equal(comparison: &Comparison, left: &str, right: &str) -> bool {
        comparison.compare(&rows(left), &rows(right)).is_none()
    }

    #[test]
    fn values_count_and_not_how_they_are_written() {
        let plain = Comparison::default();
        assert!(equal(&plain, r#"{"a": 1, "b": 95.0}"#, r#"{"B": 95, "A": 1.0}"#));
        assert!(equal(&plain, r#"{"t": "2025-01-01T01:00:00+01:00"}"#, r#"{"t": "2025-01-01T00:00:00.0000000Z"}"#));
        assert!(equal(&plain, r#"{"r": {"x": [1, {"y": null}]}}"#, r#"{"r": {"X": [1.0, {"y": null}]}}"#));
        assert!(equal(&plain, r#"{"a": 0.30000000000000004}"#, r#"{"a": 0.3}"#));
        for (left, right) in [
            (r#"{"a": 1}"#, r#"{"a": 2}"#),
            (r#"{"a": 1}"#, r#"{"a": "1"}"#),
            (r#"{"a": 1}"#, r#"{"a": true}"#),
            (r#"{"a": null}"#, "{}"),
            (r#"{"a": 9007199254740993}"#, r#"{"a": 9007199254740992}"#),
            (r#"{"t": "2025-01-01T00:00:00Z"}"#, r#"{"t": "2025-01-01T00:00:01Z"}"#),
            (r#"{"a": [1, 2]}"#, r#"{"a": [2, 1]}"#),
        ] {
            assert!(!equal(&plain, left, right), "{left} {right}");
        }
    }

    #[test]
    fn order_and_case_count_when_they_are_asked_for() {
        let (two, turned) = ("{\"a\": 1}\n{\"a\": 2}", "{\"a\": 2}\n{\"a\": 1}");
        assert!(equal(&Comparison::default(), two, turned));
        let ordered = Comparison { ordered: true, ..Comparison::default() };
        assert!(ordered.compare(&rows(two), &rows(turned)).unwrap().order.is_some());
        assert!(!equal(&Comparison { case_sensitive: true, ..Comparison::default() }, r#"{"a": 1}"#, r#"{"A": 1}"#));
        assert!(!equal(&Comparison { column_order: true, ..Comparison::default() }, r#"{"a": 1, "b": 2}"#, r#"{"b": 2, "a": 1}"#));
    }

    #[test]
    fn rows_that_come_twice_are_expected_twice() {
        let difference = Comparison::default().compare(&rows("{\"a\": 1}\n{\"a\": 1}"), &rows("{\"a\": 1}")).unwrap();
        assert_eq!((difference.missing.len(), difference.unexpected.len()), (1, 0));
        let difference =
            Comparison::default().compare(&rows(r#"{"k": 1, "n": 3}"#), &rows("{\"k\": 2, \"n\": 9}\n{\"k\": 1, \"n\": 4}")).unwrap();
        assert_eq!(difference.missing[0].1.as_ref().unwrap()["n"], 4);
        assert_eq!(difference.unexpected.len(), 1);
    }
}
