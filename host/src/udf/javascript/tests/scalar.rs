use std::time::Duration;

use super::{Kind, Scalar, ScriptError, ScriptLimits, call, json, one, scalar, script, values};
use crate::batch::{Batch, Column, Origin, Value};
use crate::time::Timestamp;
use crate::udf::Input;

#[test]
fn values_go_in_and_come_back_by_the_contract() {
    let echo = "function main(value) { return value; }";
    let moment = Value::DateTime(Timestamp::parse("2025-03-03T10:00:00.123Z").unwrap());
    for value in [
        Value::Null,
        Value::Bit(true),
        Value::BigInt(-7),
        Value::BigInt(9_007_199_254_740_991),
        Value::Float(0.5),
        Value::Text("né😀".into()),
        moment.clone(),
        json(r#"{"Card": "C-1", "n": [1, 2.5, null, {"deep": true}], "empty": {}}"#),
        json("[]"),
    ] {
        assert_eq!(one(echo, &value), Ok(value.clone()));
    }
    // A whole Number is a bigint; what is finer than a millisecond is cut off.
    assert_eq!(one(echo, &Value::Float(95.0)), Ok(Value::BigInt(95)));
    assert_eq!(one(echo, &Value::Float(1e300)), Ok(Value::Float(1e300)));
    let fine = Value::DateTime(Timestamp::parse("2025-03-03T10:00:00.1234567Z").unwrap());
    assert_eq!(one(echo, &fine), Ok(moment));
    for (text, expected) in [
        ("undefined", Value::Null),
        ("-0", Value::BigInt(0)),
        ("2 ** 53", Value::BigInt(1 << 53)),
        ("2 ** 63", Value::Float(9_223_372_036_854_775_808.0)),
        ("12n", Value::BigInt(12)),
        ("'a' + 1", Value::Text("a1".into())),
        ("[1, undefined]", json("[1, null]")),
        ("({ a: undefined, b: 1 })", json(r#"{"a": null, "b": 1}"#)),
        ("new (class Point { constructor() { this.x = 1; } len() { return 1; } })()", json(r#"{"x": 1}"#)),
        ("Object.create(null)", json("{}")),
    ] {
        assert_eq!(one(&format!("function main(value) {{ return {text}; }}"), &Value::Null), Ok(expected), "{text}");
    }
}

#[test]
fn what_is_no_value_of_the_language_is_an_error() {
    for (text, part) in [
        ("() => 1", "a function"),
        ("new Error('x')", "an Error"),
        ("Symbol('x')", "symbol"),
        ("Promise.resolve(1)", "promise"),
        ("new Map([[1, 2]])", "[object Map]"),
        ("/x/", "[object RegExp]"),
        ("({ f() {} })", "a function"),
        ("new Date('soon')", "an invalid Date"),
        ("2n ** 64n", "a BigInt that does not fit"),
        ("(() => { const a = []; a.push(a); return a; })()", "nested deeper than 64, or contains itself"),
        ("'x'.repeat(20 * 1024 * 1024)", "more than 16777216 values and bytes"),
        ("new Array(17000000)", "more than 16777216 values and bytes"),
        ("'\\ud800'", "half a character"),
    ] {
        let error = one(&format!("function main(value) {{ return {text}; }}"), &Value::BigInt(5)).unwrap_err();
        assert!(matches!(error, ScriptError::Returned { .. }), "{text}: {error:?}");
        let message = error.to_string();
        assert!(
            message.starts_with("Function 'f' returned ") && message.contains(part) && message.ends_with("Arguments: [5]"),
            "{text}: {message}"
        );
    }
}

#[test]
fn a_throw_names_the_function_the_place_and_the_row() {
    let mut function = scalar("function main(text) {\n  return text.length;\n}");
    let answers = call(&mut function, &[Value::Text("ab".into()), Value::Null, Value::Text("c".into())]);
    assert_eq!(values(&answers.column), [Value::BigInt(2), Value::Null, Value::BigInt(1)]);
    let [(1, error)] = answers.failed.as_slice() else { panic!("{:?}", answers.failed) };
    let message = error.to_string();
    assert!(message.starts_with("Function 'f' resulted in an error: 'TypeError: "), "{message}");
    assert!(message.contains("Stack: at main (f.js:2"), "{message}");
    assert!(message.ends_with("Arguments: [null]"), "{message}");
    let thrown = one("function main() { throw 'no card'; }", &Value::Null).unwrap_err();
    assert!(thrown.to_string().contains("'no card'"), "{thrown}");
}

#[test]
fn a_record_is_an_object_with_the_query_s_names() {
    let column = |values: &[i64]| Column::from_values(values.iter().map(|value| Value::BigInt(*value)));
    let batch = Batch {
        names: ["Amount".into(), "card".into(), "#time.a".into()].into(),
        columns: vec![column(&[200, 20]), column(&[1, 2]), column(&[0, 0])],
        times: vec![Timestamp(0); 2].into(),
        origin: Origin::Derived,
    };
    let mut function = scalar("function main(row, more) { return [Object.keys(row).join(), row.Amount > 100, row.card + more]; }");
    let answers = function.call(&[Input::Record(&batch), Input::Value(&column(&[10, 20]))], 2).unwrap();
    assert_eq!(values(&answers.column), [json(r#"["Amount,card", true, 11]"#), json(r#"["Amount,card", false, 22]"#)]);
}

#[test]
fn the_function_is_found_as_the_tools_write_it() {
    for text in [
        "function main(x) { return x + 1; }",
        "// a comment\nfunction increment(x) { return x + 1; }\n",
        "function (x) { return x + 1; }",
        " function (x) { return x + 1; };\n",
        "(x) => x + 1",
        "const main = x => x + 1;",
        "var increment = function (x) { return x + 1; };",
        "'use strict'; function main(x) { let y = 1; return [x, y].reduce((a, b) => a + b); }",
        "function helper(x) { return x + 1; } function main(x) { return helper(x); }",
    ] {
        assert_eq!(one(text, &Value::BigInt(41)), Ok(Value::BigInt(42)), "{text}");
    }
}

#[test]
fn functions_beside_main_are_told() {
    let helpers = |text: &str| script(text, None).check(Kind::Scalar, &ScriptLimits::default()).unwrap().helpers.clone();
    assert_eq!(helpers("function a() {} function main() { return a(); } const b = () => 1; var c = function () {};"), ["a", "c"]);
    assert!(helpers("function main() { function inner() {} return inner(); }").is_empty());
}

#[test]
fn a_script_without_one_function_is_refused_with_its_file() {
    let refused = |text: &str| script(text, None).check(Kind::Scalar, &ScriptLimits::default()).unwrap_err().to_string();
    assert!(refused("function a() {}\nfunction b() {}").starts_with("Functions/f.js: there are 2 functions in it (a, b)"));
    assert!(refused("var x = 1;").starts_with("Functions/f.js: there is no function in it"));
    assert!(refused("").starts_with("Functions/f.js: there is no function in it"));
    let syntax = refused("function main(x) {\n  return x +;\n}");
    assert!(syntax.starts_with("Functions/f.js: SyntaxError: ") && syntax.contains("f.js:2"), "{syntax}");
    let thrown = refused("missing.call();");
    assert!(thrown.contains("ReferenceError"), "{thrown}");
    let endless = ScriptLimits { deadline: Duration::from_millis(50), ..ScriptLimits::default() };
    assert!(matches!(script("while (true) {}", None).check(Kind::Scalar, &endless), Err(ScriptError::Deadline { .. })));
}

#[test]
fn a_declared_type_is_kept() {
    let returned = |ty: &str, text: &str| {
        let limits = ScriptLimits::default();
        let script = script(&format!("function main(value) {{ return {text}; }}"), Some(ty)).check(Kind::Scalar, &limits).unwrap();
        let mut answers = call(&mut Scalar::new(script, limits), &[Value::Null]);
        answers.failed.pop().map_or_else(|| Ok(answers.column.value(0)), |(_, error)| Err(error.to_string()))
    };
    assert_eq!(returned("float", "3"), Ok(Value::Float(3.0)));
    assert_eq!(returned("bigint", "3"), Ok(Value::BigInt(3)));
    assert_eq!(returned("bigint", "null"), Ok(Value::Null));
    assert_eq!(returned("datetime", "new Date(0)"), Ok(Value::DateTime(Timestamp(0))));
    let message = returned("bigint", "'3'").unwrap_err();
    assert!(message.contains("a value of type 'nvarchar(max)', its OutputType is 'bigint'"), "{message}");
}

#[test]
fn local_time_is_utc() {
    for (text, expected) in [
        ("new Date(2025, 2, 3, 10).getTime()", Value::BigInt(1_740_996_000_000)),
        ("new Date('2025-03-03T10:00:00').getTime()", Value::BigInt(1_740_996_000_000)),
        ("new Date('2025-03-03T10:00:00Z').getTime()", Value::BigInt(1_740_996_000_000)),
        ("new Date('2025-03-03T12:00:00+02:00').getHours()", Value::BigInt(10)),
        ("new Date('2025-03-03').getHours()", Value::BigInt(0)),
        ("Date.parse('2025-03-03T10:00:00')", Value::BigInt(1_740_996_000_000)),
        ("new Date(0).getTimezoneOffset()", Value::BigInt(0)),
        ("typeof Date()", Value::Text("string".into())),
        ("Date.now() > 0 && new Date() instanceof Date", Value::Bit(true)),
        ("(() => { const d = new Date(0); d.setHours(5); return d; })()", Value::DateTime(Timestamp::from_millis(5 * 3_600_000))),
        ("new Date(new Date(5))", Value::DateTime(Timestamp::from_millis(5))),
    ] {
        assert_eq!(one(&format!("function main() {{ return {text}; }}"), &Value::Null), Ok(expected), "{text}");
    }
}
