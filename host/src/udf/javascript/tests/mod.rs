//! What the tests of scripts share.

mod aggregate;
mod limits;
mod scalar;

use super::{Aggregate, Answers, Kind, Scalar, Script, ScriptError, ScriptLimits};
use crate::batch::{Column, Value, read_json};
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
