//! The built-in functions as tables: what goes in, what comes out.
//!
//! A line is `NAME | arguments as a JSON array | result`. The result is JSON, or `!` and a part of the error.
//! `3` is a bigint, `3.0` a float, `{"@": "2025-03-03T10:00:00Z"}` a datetime. A cast is `CAST bigint`.

mod conversion;
mod date;
mod geospatial;
mod json;
mod math;
mod string;

use super::{Builtin, cast, find};
use crate::batch::{Column, Value, read_json};
use crate::time::Timestamp;

fn value(text: &str) -> Value {
    moments(read_json(text).unwrap_or_else(|| panic!("{text} is not JSON")))
}

fn moments(value: Value) -> Value {
    match value {
        Value::Record(fields) => match fields.as_slice() {
            [(name, Value::Text(moment))] if &**name == "@" => Value::DateTime(Timestamp::parse(moment).unwrap()),
            _ => Value::Record(fields),
        },
        Value::Array(elements) => Value::Array(elements.iter().cloned().map(moments).collect()),
        other => other,
    }
}

fn builtin(name: &str) -> Builtin {
    let found = match name.split_once(' ') {
        Some((kind, ty)) => cast(ty, kind == "TRY_CAST"),
        None => find(name).copied(),
    };
    found.unwrap_or_else(|| panic!("there is no function {name}"))
}

/// Checks each line of a table, by the row path and over columns.
fn check(table: &str) {
    let mut wrong = Vec::new();
    for line in table.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let parts: Vec<&str> = line.split(" | ").collect();
        let [name, arguments, expected] = parts[..] else { panic!("not a line of the table: {line}") };
        let builtin = builtin(name);
        let Value::Array(arguments) = value(arguments) else { panic!("{arguments} are no arguments") };
        assert!((builtin.arguments.0..=builtin.arguments.1).contains(&arguments.len()), "{line}");
        let columns: Vec<Column> = arguments.iter().map(|value| Column::constant(value, 3)).collect();
        let (one, all) = (builtin.of(&arguments), builtin.over(&columns, 3));
        let fits = match expected.strip_prefix("! ") {
            Some(part) => {
                one.as_ref().is_err_and(|message| message.contains(part))
                    && all.as_ref().is_err_and(|failure| failure.row == 0 && failure.message.contains(part))
            }
            None => {
                let expected = value(expected);
                one.as_ref() == Ok(&expected) && all.as_ref().is_ok_and(|column| (0..3).all(|row| column.value(row) == expected))
            }
        };
        if !fits {
            wrong.push(format!("{line}\n    row: {one:?}\n    column: {all:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn names_are_told_once_and_in_upper_case() {
    let mut names: Vec<_> = super::names().collect();
    assert!(names.iter().all(|name| *name == name.to_uppercase()));
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all);
}

#[test]
fn every_documented_function_is_there() {
    let documented = "GETTYPE DATEADD DATEDIFF DATEDIFF_BIG DATEPART DATENAME DATETIMEFROMPARTS DAY MONTH YEAR EOMONTH ISDATE \
        ABS CEILING EXP FLOOR POWER ROUND SIGN SQUARE SQRT ACOS ASIN ATAN ATN2 COS COT SIN TAN DEGREES RADIANS PI LOG LOG10 \
        CHARINDEX CONCAT CONCAT_WS JSON_PARSE LEFT LEN LOWER LTRIM NCHAR PATINDEX REGEXMATCH REPLACE REPLICATE REVERSE RIGHT \
        RTRIM SPACE STUFF SUBSTRING TRANSLATE TRIM UNICODE UPPER ISJSON JSON_VALUE JSON_QUERY JSON_MODIFY COALESCE NULLIF \
        GETARRAYELEMENT GETARRAYLENGTH GETRECORDPROPERTYVALUE CREATEPOINT CREATELINESTRING CREATEPOLYGON ST_DISTANCE \
        ST_OVERLAPS ST_INTERSECTS ST_WITHIN";
    let missing: Vec<_> = documented.split_whitespace().filter(|name| find(name).is_none()).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn a_failure_names_the_first_row_at_fault() {
    let column = Column::from_values([Value::BigInt(1), Value::Null, Value::Text("n/a".into()), Value::Text("x".into())]);
    let failure = find("ROUND").unwrap().over(&[column, Column::constant(&Value::BigInt(2), 4)], 4).unwrap_err();
    assert_eq!(failure.row, 2);
    assert_eq!(failure.message, "The 1st argument of function round has invalid type 'nvarchar(max)'. Only 'bigint', 'float' is allowed.");
}

#[test]
fn array_record_and_logic_functions() {
    check(
        r#"
        GETARRAYELEMENT | [[7, "b", null, [1]], 0] | 7
        GETARRAYELEMENT | [[7, "b", null, [1]], 3] | [1]
        GETARRAYELEMENT | [[7, "b", null, [1]], 2] | null
        GETARRAYELEMENT | [[7], 1] | null
        GETARRAYELEMENT | [[7], -1] | null
        GETARRAYELEMENT | [null, 0] | null
        GETARRAYELEMENT | [[7], null] | null
        GETARRAYELEMENT | ["7", 0] | ! The 1st argument of function getarrayelement has invalid type 'nvarchar(max)'. Only 'array' is allowed.
        GETARRAYELEMENT | [[7], 0.0] | ! The 2nd argument of function getarrayelement has invalid type 'float'. Only 'bigint' is allowed.
        GETARRAYLENGTH | [[]] | 0
        GETARRAYLENGTH | [[1, null, "x"]] | 3
        GETARRAYLENGTH | [null] | null
        GETARRAYLENGTH | [{"a": 1}] | ! invalid type 'record'. Only 'array' is allowed.
        GETRECORDPROPERTYVALUE | [{"a": 1, "A": 2}, "A"] | 2
        GETRECORDPROPERTYVALUE | [{"Card": "C-1"}, "card"] | "C-1"
        GETRECORDPROPERTYVALUE | [{"[my][Field]": 5}, "[my][Field]"] | 5
        GETRECORDPROPERTYVALUE | [{"a": 1}, "b"] | null
        GETRECORDPROPERTYVALUE | [null, "b"] | null
        GETRECORDPROPERTYVALUE | [{"a": 1}, null] | null
        GETRECORDPROPERTYVALUE | [[1], "a"] | ! invalid type 'array'. Only 'record' is allowed.
        COALESCE | [0, "a"] | 0
        COALESCE | [null, "a"] | "a"
        COALESCE | [null, null] | null
        COALESCE | [null, null, 2, null] | 2
        NULLIF | [4, 4] | null
        NULLIF | [5, 7] | 5
        NULLIF | [4, 4.0] | null
        NULLIF | [null, 4] | null
        NULLIF | ["a", null] | "a"
        "#,
    );
}
