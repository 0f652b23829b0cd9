//! `uda.x(…)` in JavaScript: `main` makes an object with `init`, `accumulate`, `computeResult` and, when it can, with
//! `deaccumulate` and `deaccumulateState`. The object's data is its state.

use std::sync::Arc;

use rquickjs::{Function, Value as Js};

use super::engine::{Engine, Scope};
use super::scalar::shorten;
use super::values::Values;
use super::{Script, ScriptError, ScriptLimits};
use crate::batch::{Column, ColumnBuilder, Value};
use crate::time::Timestamp;

/// An aggregate in JavaScript. Its states live in its engine. A clone has an engine of its own, without states.
#[derive(Debug)]
pub struct Aggregate {
    script: Arc<Script>,
    limits: ScriptLimits,
    engine: Option<Engine>,
    /// Of the engines before, so that a state of one that is gone is not taken for another's.
    opened: u32,
}

impl Clone for Aggregate {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.script), self.limits.clone())
    }
}

/// A state: of one group in one window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct State(u32);

impl Aggregate {
    /// An aggregate whose script was checked.
    pub fn new(script: Arc<Script>, limits: ScriptLimits) -> Self {
        Self { script, limits, engine: None, opened: 0 }
    }

    /// The script.
    pub fn script(&self) -> &Script {
        &self.script
    }

    fn inside<T>(&mut self, work: impl FnOnce(&Scope<'_, '_>) -> Result<T, ScriptError>) -> Result<T, ScriptError> {
        let engine = match self.engine.take() {
            Some(engine) => engine,
            None => Engine::new(&self.script, &self.limits)?,
        };
        let done = engine.with(&self.script, &self.limits, |scope| {
            scope.next_call();
            work(scope)
        });
        if !done.as_ref().is_err_and(ScriptError::is_exhausted) {
            self.engine = Some(engine);
        }
        done
    }

    fn next(&mut self) -> u32 {
        self.opened = self.opened.wrapping_add(1);
        self.opened
    }

    /// Whether the aggregate can take a value, and a whole state, out again.
    ///
    /// # Errors
    /// [`ScriptError`] when `main` throws.
    pub fn can_deaccumulate(&mut self) -> Result<bool, ScriptError> {
        self.inside(|scope| {
            let has = scope.helper("has")?;
            for method in ["deaccumulate", "deaccumulateState"] {
                if !has.call::<_, bool>((method,)).map_err(|error| scope.caught(error))? {
                    return Ok(false);
                }
            }
            Ok(true)
        })
    }

    /// A new state: `init`.
    ///
    /// # Errors
    /// [`ScriptError`] when the script throws or goes beyond its limits; the same for the other methods.
    pub fn open(&mut self) -> Result<State, ScriptError> {
        let id = self.next();
        self.inside(|scope| call(scope, "open", vec![number(scope, id)])).map(|()| State(id))
    }

    /// Takes values with their times into a state: `accumulate`, one after the other.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn accumulate(&mut self, state: State, values: &Column, times: &[Timestamp]) -> Result<(), ScriptError> {
        self.inside(|scope| each(scope, "accumulate", state, values, times, 0..times.len()))
    }

    /// Takes values out of a state again: `deaccumulate`.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn deaccumulate(&mut self, state: State, values: &Column, times: &[Timestamp]) -> Result<(), ScriptError> {
        self.inside(|scope| each(scope, "deaccumulate", state, values, times, 0..times.len()))
    }

    /// Takes a whole state out of another: `deaccumulateState`.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn deaccumulate_state(&mut self, state: State, other: State) -> Result<(), ScriptError> {
        self.inside(|scope| call(scope, "deaccumulateState", vec![number(scope, state.0), number(scope, other.0)]))
    }

    /// The result of a state: `computeResult`. The state can go on.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn compute(&mut self, state: State) -> Result<Value, ScriptError> {
        self.inside(|scope| compute(scope, &Values::new(scope)?, state))
    }

    /// The state's data as text: for a checkpoint.
    ///
    /// # Errors
    /// As [`Self::open`]; also when the state holds a function, which cannot be saved.
    pub fn save(&mut self, state: State) -> Result<String, ScriptError> {
        self.inside(|scope| {
            let save = scope.helper("save")?;
            save.call((state.0,)).map_err(|error| scope.caught(error))
        })
    }

    /// A state as it was saved.
    ///
    /// # Errors
    /// As [`Self::open`]; also when the text is not one that [`Self::save`] wrote.
    pub fn restore(&mut self, saved: &str) -> Result<State, ScriptError> {
        let id = self.next();
        self.inside(|scope| {
            let restore = scope.helper("restore")?;
            restore.call((id, saved)).map_err(|error| scope.caught(error))
        })
        .map(|()| State(id))
    }

    /// A state is not needed any more.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn close(&mut self, state: State) -> Result<(), ScriptError> {
        self.inside(|scope| call(scope, "close", vec![number(scope, state.0)]))
    }

    /// Runs the aggregate from its start over each group: group number `g` has the rows from `ends[g - 1]` (0 for the
    /// first) up to `ends[g]`. One value a group.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn run(&mut self, values: &Column, times: &[Timestamp], ends: &[usize]) -> Result<Column, ScriptError> {
        let state = State(self.next());
        self.inside(|scope| {
            let converted = Values::new(scope)?;
            let mut out = ColumnBuilder::with_capacity(ends.len());
            let mut start = 0;
            for end in ends {
                scope.next_call();
                call(scope, "open", vec![number(scope, state.0)])?;
                each(scope, "accumulate", state, values, times, start..*end)?;
                scope.next_call();
                out.push(compute(scope, &converted, state)?);
                start = *end;
            }
            call(scope, "close", vec![number(scope, state.0)])?;
            Ok(out.finish())
        })
    }
}

fn number<'js>(scope: &Scope<'js, '_>, id: u32) -> Js<'js> {
    Js::new_float(scope.ctx.clone(), id.into())
}

fn call<'js>(scope: &Scope<'js, '_>, helper: &str, arguments: Vec<Js<'js>>) -> Result<(), ScriptError> {
    let helper = scope.helper(helper)?;
    scope.call(&helper, arguments).map(drop)
}

fn compute<'js>(scope: &Scope<'js, '_>, values: &Values<'js, '_, '_>, state: State) -> Result<Value, ScriptError> {
    let compute: Function<'js> = scope.helper("computeResult")?;
    values.result(&scope.call(&compute, vec![number(scope, state.0)])?)
}

/// Calls a method once a row.
fn each(
    scope: &Scope<'_, '_>,
    method: &str,
    state: State,
    values: &Column,
    times: &[Timestamp],
    rows: std::ops::Range<usize>,
) -> Result<(), ScriptError> {
    let converted = Values::new(scope)?;
    let method = scope.helper(method)?;
    for row in rows {
        scope.next_call();
        let value = converted.cell(values, row)?;
        let time = converted.moment(times[row])?;
        scope
            .call(&method, vec![number(scope, state.0), value, time])
            .map_err(|error| error.with(shorten(&Value::Array([values.value(row), Value::DateTime(times[row])].into()))))?;
    }
    Ok(())
}
