//! `udf.x(…)` in JavaScript: one call a row, many rows each time the engine is entered.

use std::sync::Arc;

use super::engine::{Engine, Scope};
use super::values::Values;
use super::{Script, ScriptError, ScriptLimits};
use crate::batch::{Column, ColumnBuilder, Value, write_value};
use crate::udf::Input;

/// A function in JavaScript. A clone has an engine of its own, so that clones run at the same time.
#[derive(Debug)]
pub struct Scalar {
    script: Arc<Script>,
    limits: ScriptLimits,
    engine: Option<Engine>,
}

impl Clone for Scalar {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.script), self.limits.clone())
    }
}

/// What the rows of a call were answered.
#[derive(Debug)]
pub struct Answers {
    /// One value a row; null where the call failed.
    pub column: Column,
    /// Rows whose call failed, ascending.
    pub failed: Vec<(usize, ScriptError)>,
}

/// So much of the arguments is shown in an error, in characters.
const SHOWN: usize = 200;

impl Scalar {
    /// A function whose script was checked.
    pub fn new(script: Arc<Script>, limits: ScriptLimits) -> Self {
        Self { script, limits, engine: None }
    }

    /// The script.
    pub fn script(&self) -> &Script {
        &self.script
    }

    /// Calls the function once a row.
    ///
    /// # Errors
    /// Only when the engine does not start; a call that fails is in [`Answers::failed`].
    pub fn call(&mut self, arguments: &[Input<'_>], rows: usize) -> Result<Answers, ScriptError> {
        let mut column = ColumnBuilder::with_capacity(rows);
        let mut failed: Vec<(usize, ScriptError)> = Vec::new();
        let mut exhausted = 0;
        while column.len() < rows {
            if exhausted >= self.limits.exhausted_calls {
                let given_up = ScriptError::GivenUp { name: self.script.name.clone(), calls: exhausted };
                failed.extend((column.len()..rows).map(|row| (row, given_up.clone())));
                column.push_nulls(rows - column.len());
                break;
            }
            let engine = match self.engine.take() {
                Some(engine) => engine,
                None => Engine::new(&self.script, &self.limits)?,
            };
            let left = engine.with(&self.script, &self.limits, |scope| run(scope, arguments, rows, &mut column, &mut failed));
            match left {
                Ok(()) => self.engine = Some(engine),
                // The engine is thrown away, the row is not tried again.
                Err(error) => {
                    let row = column.len();
                    failed.push((row, error.with(shown(arguments, row))));
                    column.push_null();
                    exhausted += 1;
                }
            }
        }
        Ok(Answers { column: column.finish(), failed })
    }
}

/// Goes on from the first row that has no answer yet, up to an error after which the engine cannot be used.
fn run(
    scope: &Scope<'_, '_>,
    arguments: &[Input<'_>],
    rows: usize,
    column: &mut ColumnBuilder,
    failed: &mut Vec<(usize, ScriptError)>,
) -> Result<(), ScriptError> {
    let values = Values::new(scope)?;
    let function = scope.helper("entry")?;
    let mut names = Vec::with_capacity(arguments.len());
    for argument in arguments {
        names.push(match argument {
            Input::Record(batch) => values.names(batch)?,
            Input::Value(_) => Vec::new(),
        });
    }
    for row in column.len()..rows {
        scope.next_call();
        let answer = arguments
            .iter()
            .zip(&names)
            .map(|(argument, names)| match argument {
                Input::Record(batch) => values.row(batch, names, row),
                Input::Value(column) => values.cell(column, row),
            })
            .collect::<Result<Vec<_>, _>>()
            .and_then(|arguments| scope.call(&function, arguments))
            .and_then(|answer| values.result(&answer));
        match answer {
            Ok(value) => column.push(value),
            Err(error) if error.is_exhausted() => return Err(error),
            Err(error) => {
                failed.push((row, error.with(shown(arguments, row))));
                column.push_null();
            }
        }
    }
    Ok(())
}

/// The arguments of a row as JSON, shortened.
fn shown(arguments: &[Input<'_>], row: usize) -> String {
    let value = |argument: &Input<'_>| match argument {
        Input::Record(batch) => {
            let fields = batch.names.iter().zip(&batch.columns).filter(|(name, _)| !name.starts_with('#'));
            Value::Record(Arc::new(fields.map(|(name, column)| (Arc::clone(name), column.value(row))).collect()))
        }
        Input::Value(column) => column.value(row),
    };
    shorten(&Value::Array(arguments.iter().map(value).collect()))
}

pub(super) fn shorten(value: &Value) -> String {
    let mut text = Vec::new();
    write_value(value, &mut text);
    let text = String::from_utf8_lossy(&text);
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into_owned(),
    }
}
