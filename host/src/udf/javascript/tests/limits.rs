use std::time::Duration;

use super::{Kind, Scalar, ScriptError, ScriptLimits, call, one, scalar, script, values};
use crate::batch::Value;

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
