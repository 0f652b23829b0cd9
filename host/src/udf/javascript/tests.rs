use std::sync::Arc;
use std::time::Duration;

use super::{Aggregate, Answers, Kind, Scalar, Script, ScriptError, ScriptLimits};
use crate::batch::{Batch, Column, Origin, Value, read_json};
use crate::time::Timestamp;
use crate::udf::Input;

fn script(text: &str, returns: Option<&str>) -> Script {
    Script::new("f", "Functions/f.js", text, returns.map(str::to_owned))
}

fn scalar(text: &str) -> Scalar {
    let limits = ScriptLimits::default();
    Scalar::new(script(text, None).check(Kind::Scalar, &limits).unwrap(), limits)
}

fn json(text: &str) -> Value {
    read_json(text).unwrap()
}

fn values(column: &Column) -> Vec<Value> {
    (0..column.len()).map(|row| column.value(row)).collect()
}

/// Calls with one argument a row.
fn call(function: &mut Scalar, values: &[Value]) -> Answers {
    let column = Column::from_values(values.iter().cloned());
    function.call(&[Input::Value(&column)], values.len()).unwrap()
}

fn one(text: &str, value: &Value) -> Result<Value, ScriptError> {
    let mut answers = call(&mut scalar(text), std::slice::from_ref(value));
    match answers.failed.pop() {
        Some((0, error)) => Err(error),
        _ => Ok(answers.column.value(0)),
    }
}

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

#[test]
fn there_is_no_way_out() {
    for name in ["require", "process", "fetch", "XMLHttpRequest", "setTimeout", "std", "os", "console", "Deno", "importScripts"] {
        let ty = one(&format!("function main() {{ return typeof {name}; }}"), &Value::Null).unwrap();
        assert_eq!(ty, Value::Text("undefined".into()), "{name}");
    }
    assert!(one("function main() { return import('fs'); }", &Value::Null).is_err());
}

#[test]
fn time_memory_and_stack_are_limited_and_the_other_rows_are_answered() {
    let limits = ScriptLimits { deadline: Duration::from_millis(100), memory_bytes: 8 << 20, ..ScriptLimits::default() };
    let text = "function main(kind) {
        if (kind === 'loop') while (true) {}
        if (kind === 'regex') return /^(a+)+$/.test('a'.repeat(40) + 'b');
        if (kind === 'memory') { const all = []; while (true) all.push('x'.repeat(1000) + all.length); }
        if (kind === 'deep') return main(kind) + 1;
        return kind;
    }";
    let checked = script(text, None).check(Kind::Scalar, &limits).unwrap();
    let rows = ["a", "loop", "b", "memory", "c", "deep", "d", "regex", "e"].map(|text| Value::Text(text.into()));
    let mut function = Scalar::new(checked, limits);
    let answers = call(&mut function, &rows);
    let expected: Vec<_> =
        ["a", "", "b", "", "c", "", "d", "", "e"].map(|text| if text.is_empty() { Value::Null } else { Value::Text(text.into()) }).into();
    assert_eq!(values(&answers.column), expected);
    let failed: Vec<_> = answers.failed.iter().map(|(row, _)| *row).collect();
    assert_eq!(failed, [1, 3, 5, 7]);
    assert!(matches!(answers.failed[0].1, ScriptError::Deadline { .. }), "{:?}", answers.failed[0]);
    assert!(matches!(answers.failed[1].1, ScriptError::Memory { .. }), "{:?}", answers.failed[1]);
    assert!(answers.failed[2].1.to_string().contains("call stack"), "{}", answers.failed[2].1);
    assert!(matches!(answers.failed[3].1, ScriptError::Deadline { .. }), "{:?}", answers.failed[3]);
    assert!(answers.failed[0].1.to_string().ends_with(r#"Arguments: ["loop"]"#));
}

#[test]
fn a_script_that_always_runs_out_of_time_is_given_up_for_the_batch() {
    let limits = ScriptLimits { deadline: Duration::from_millis(10), exhausted_calls: 3, ..ScriptLimits::default() };
    let checked = script("function main() { while (true) {} }", None).check(Kind::Scalar, &limits).unwrap();
    let answers = call(&mut Scalar::new(checked, limits), &vec![Value::Null; 1000]);
    assert_eq!((answers.column.len(), answers.failed.len()), (1000, 1000));
    assert_eq!(answers.failed.iter().filter(|(_, error)| matches!(error, ScriptError::Deadline { .. })).count(), 3);
    assert!(matches!(answers.failed[999].1, ScriptError::GivenUp { calls: 3, .. }));
}

#[test]
fn a_clone_does_not_share_what_the_script_keeps() {
    let mut function = scalar("let calls = 0; function main() { return ++calls; }");
    assert_eq!(values(&call(&mut function, &[Value::Null, Value::Null]).column), [Value::BigInt(1), Value::BigInt(2)]);
    assert_eq!(values(&call(&mut function.clone(), &[Value::Null]).column), [Value::BigInt(1)]);
    let moved = std::thread::spawn(move || values(&call(&mut function, &[Value::Null]).column)).join().unwrap();
    assert_eq!(moved, [Value::BigInt(3)]);
}

const MEAN: &str = "function main() {
    this.init = function () { this.sum = 0; this.n = 0; this.last = null; this.seen = new Set(); };
    this.accumulate = function (value, time) { this.sum += value; this.n++; this.last = time; this.seen.add(value); };
    this.deaccumulate = function (value, time) { this.sum -= value; this.n--; };
    this.deaccumulateState = function (other) { this.sum -= other.sum; this.n -= other.n; };
    this.computeResult = function () { return { mean: this.n ? this.sum / this.n : null, last: this.last, kinds: this.seen.size }; };
}";

fn aggregate(text: &str) -> Aggregate {
    let limits = ScriptLimits::default();
    Aggregate::new(script(text, None).check(Kind::Aggregate, &limits).unwrap(), limits)
}

fn times(count: usize) -> Vec<Timestamp> {
    (0..count).map(|row| Timestamp::from_millis(row as i64 * 1000)).collect()
}

fn numbers(values: &[i64]) -> Column {
    Column::from_values(values.iter().map(|value| Value::BigInt(*value)))
}

fn mean(value: &Value) -> Value {
    let Value::Record(fields) = value else { panic!("{value:?}") };
    fields[0].1.clone()
}

#[test]
fn an_aggregate_runs_over_each_group_from_its_start() {
    let mut aggregate = aggregate(MEAN);
    let column = aggregate.run(&numbers(&[1, 2, 3, 4, 4]), &times(5), &[3, 3, 5]).unwrap();
    let rows = values(&column);
    assert_eq!(rows.iter().map(mean).collect::<Vec<_>>(), [Value::BigInt(2), Value::Null, Value::BigInt(4)]);
    let Value::Record(fields) = &rows[2] else { panic!() };
    assert_eq!(fields[1].1, Value::DateTime(Timestamp::from_millis(4000)));
    assert_eq!(fields[2].1, Value::BigInt(1));
}

#[test]
fn values_and_states_can_be_taken_out_again() {
    let mut aggregate = aggregate(MEAN);
    assert!(aggregate.can_deaccumulate().unwrap());
    let (whole, part) = (aggregate.open().unwrap(), aggregate.open().unwrap());
    aggregate.accumulate(whole, &numbers(&[1, 2, 3, 10]), &times(4)).unwrap();
    aggregate.accumulate(part, &numbers(&[1, 2]), &times(2)).unwrap();
    aggregate.deaccumulate_state(whole, part).unwrap();
    assert_eq!(mean(&aggregate.compute(whole).unwrap()), Value::Float(6.5));
    aggregate.deaccumulate(whole, &numbers(&[3]), &times(1)).unwrap();
    assert_eq!(mean(&aggregate.compute(whole).unwrap()), Value::BigInt(10));
    aggregate.close(part).unwrap();
    assert!(aggregate.deaccumulate_state(whole, part).is_err());
}

#[test]
fn a_saved_state_goes_on_where_it_was() {
    let mut first = aggregate(MEAN);
    let state = first.open().unwrap();
    first.accumulate(state, &numbers(&[5, 7]), &times(2)).unwrap();
    let saved = first.save(state).unwrap();
    let mut second = aggregate(MEAN);
    let restored = second.restore(&saved).unwrap();
    for (aggregate, state) in [(&mut first, state), (&mut second, restored)] {
        aggregate.accumulate(state, &numbers(&[5, 9]), &times(2)).unwrap();
    }
    assert_eq!(first.compute(state).unwrap(), second.compute(restored).unwrap());
    assert_eq!(first.save(state).unwrap(), second.save(restored).unwrap());
}

#[test]
fn any_data_can_be_a_state_and_a_closure_cannot() {
    let text = "function main() {
        this.init = function () { this.all = { date: new Date(5), map: new Map([['a', [1, undefined]]]), set: new Set([2]), big: 3n,
            nan: NaN, minus: -0, inf: -Infinity, none: undefined, text: '$', own: { $: 'date', value: 1 }, nested: { deep: [{ d: new Date(6) }] } }; };
        this.accumulate = function () { this.f = () => 1; };
        this.computeResult = function () {
            const { date, map, set, big, nan, minus, inf, none, text, own, nested } = this.all;
            return [date, map.get('a').length, map.get('a')[1] === undefined, set.has(2), big, Number.isNaN(nan), Object.is(minus, -0), inf === -Infinity,
                'none' in this.all && none === undefined, text, own, nested.deep[0].d.getTime()];
        };
    }";
    let mut aggregate = aggregate(text);
    assert!(!aggregate.can_deaccumulate().unwrap());
    let state = aggregate.open().unwrap();
    let saved = aggregate.save(state).unwrap();
    let restored = aggregate.restore(&saved).unwrap();
    let expected = aggregate.compute(state).unwrap();
    assert_eq!(aggregate.compute(restored).unwrap(), expected);
    let Value::Array(parts) = &expected else { panic!() };
    assert!(
        parts[2..4].iter().all(|part| *part == Value::Bit(true)) && parts[5..9].iter().all(|part| *part == Value::Bit(true)),
        "{parts:?}"
    );
    aggregate.accumulate(state, &numbers(&[1]), &times(1)).unwrap();
    let message = aggregate.save(state).unwrap_err().to_string();
    assert!(message.contains("'this.f' is a function, which cannot be saved"), "{message}");
    assert!(aggregate.restore("{").is_err());
}

#[test]
fn an_aggregate_without_its_methods_is_refused_and_one_that_throws_says_where() {
    let limits = ScriptLimits::default();
    let refused = |text: &str| script(text, None).check(Kind::Aggregate, &limits).unwrap_err().to_string();
    assert_eq!(
        refused("function main() { this.init = function () {}; }"),
        "Functions/f.js: the aggregate has no this.accumulate, no this.computeResult"
    );
    assert!(refused("const main = () => 1;").starts_with("Functions/f.js: TypeError"));
    let text = "function main() { this.init = function () {}; this.computeResult = function () { return 1; };
        this.accumulate = function (value) { if (value < 0) throw new RangeError('negative'); }; }";
    let message = aggregate(text).run(&numbers(&[1, -1]), &times(2), &[2]).unwrap_err().to_string();
    assert!(message.contains("'RangeError: negative'") && message.contains("Arguments: [-1,"), "{message}");
}

#[test]
fn limits_hold_for_each_step_of_an_aggregate() {
    let limits = ScriptLimits { deadline: Duration::from_millis(50), ..ScriptLimits::default() };
    let text = "function main() { this.init = function () {}; this.accumulate = function () {}; this.computeResult = function () { while (true) {} }; }";
    let mut aggregate = Aggregate::new(script(text, None).check(Kind::Aggregate, &limits).unwrap(), limits);
    assert!(matches!(aggregate.run(&numbers(&[1]), &times(1), &[1]), Err(ScriptError::Deadline { .. })));
    // The engine is replaced.
    let state = aggregate.open().unwrap();
    aggregate.accumulate(state, &numbers(&[1]), &times(1)).unwrap();
    let _shared: Arc<Script> = Arc::new(aggregate.script().clone());
}
