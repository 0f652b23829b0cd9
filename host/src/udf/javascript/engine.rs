//! One QuickJS engine with a script in it: its limits, and its errors in words.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use rquickjs::context::EvalOptions;
use rquickjs::function::Args;
use rquickjs::{CaughtError, Coerced, Context, Ctx, Error, Function, Object, Runtime, Value as Js};

use super::{Script, ScriptError, ScriptLimits};

const PRELUDE: &str = include_str!("prelude.js");
/// What the prelude keeps for the host.
const KEPT: &str = "__tamis";

/// A running engine.
pub(super) struct Engine {
    context: Context,
    watch: Arc<Watch>,
    helpers: Vec<String>,
}

/// What the engine's interrupt handler looks at.
#[derive(Debug, Default)]
struct Watch {
    /// The number of the call that runs.
    call: AtomicU64,
    late: AtomicBool,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").finish_non_exhaustive()
    }
}

impl Engine {
    /// An engine that has run a script's top level and holds the function to call.
    pub(super) fn new(script: &Script, limits: &ScriptLimits) -> Result<Self, ScriptError> {
        let broken = |error: Error| ScriptError::Engine(error.to_string());
        let runtime = Runtime::new().map_err(broken)?;
        runtime.set_memory_limit(limits.memory_bytes);
        runtime.set_max_stack_size(limits.stack_bytes);
        let watch = Arc::new(Watch::default());
        let (seen, deadline) = (Arc::clone(&watch), limits.deadline);
        // The engine asks now and then. Time is read only then: a call is timed from the first time it is asked about.
        let mut current = (u64::MAX, Instant::now());
        runtime.set_interrupt_handler(Some(Box::new(move || {
            let call = seen.call.load(Ordering::Relaxed);
            if current.0 != call {
                current = (call, Instant::now());
            }
            let late = current.1.elapsed() > deadline;
            if late {
                seen.late.store(true, Ordering::Relaxed);
            }
            late
        })));
        let context = Context::full(&runtime).map_err(broken)?;
        let mut engine = Self { context, watch, helpers: Vec::new() };
        engine.helpers = engine.with(script, limits, |scope| {
            scope.next_call();
            scope.ctx.eval::<(), _>(PRELUDE).map_err(|error| ScriptError::Engine(scope.caught(error).to_string()))?;
            let (entry, helpers) = scope.entry()?;
            scope.kept()?.set("entry", entry).map_err(broken)?;
            Ok(helpers)
        })?;
        Ok(engine)
    }

    /// The script's other functions at its top level.
    pub(super) fn helpers(&self) -> &[String] {
        &self.helpers
    }

    /// Enters the engine.
    pub(super) fn with<T>(
        &self,
        script: &Script,
        limits: &ScriptLimits,
        work: impl FnOnce(&Scope<'_, '_>) -> Result<T, ScriptError>,
    ) -> Result<T, ScriptError> {
        self.context.with(|ctx| work(&Scope { ctx, watch: &self.watch, script, limits }))
    }
}

/// Inside an engine.
pub(super) struct Scope<'js, 'a> {
    pub(super) ctx: Ctx<'js>,
    watch: &'a Watch,
    pub(super) script: &'a Script,
    pub(super) limits: &'a ScriptLimits,
}

impl<'js> Scope<'js, '_> {
    /// The time of a call begins.
    pub(super) fn next_call(&self) {
        self.watch.call.fetch_add(1, Ordering::Relaxed);
    }

    /// What the prelude keeps for the host.
    pub(super) fn kept(&self) -> Result<Object<'js>, ScriptError> {
        self.ctx.globals().get(KEPT).map_err(|error| self.caught(error))
    }

    /// One of the prelude's functions.
    pub(super) fn helper(&self, name: &str) -> Result<Function<'js>, ScriptError> {
        self.kept()?.get(name).map_err(|error| self.caught(error))
    }

    /// Calls a function.
    pub(super) fn call(&self, function: &Function<'js>, arguments: Vec<Js<'js>>) -> Result<Js<'js>, ScriptError> {
        let mut args = Args::new(self.ctx.clone(), arguments.len());
        let pushed = arguments.into_iter().try_for_each(|argument| args.push_arg(argument));
        pushed.and_then(|()| function.call_arg(args)).map_err(|error| self.caught(error))
    }

    /// An error in words.
    pub(super) fn caught(&self, error: Error) -> ScriptError {
        let name = self.script.name.clone();
        let arguments = String::new();
        if self.watch.late.load(Ordering::Relaxed) {
            let _interruption = self.ctx.catch();
            return ScriptError::Deadline { name, deadline: self.limits.deadline, arguments };
        }
        let out_of_memory =
            || ScriptError::Memory { name: self.script.name.clone(), bytes: self.limits.memory_bytes, arguments: String::new() };
        match CaughtError::from_error(&self.ctx, error) {
            CaughtError::Exception(exception) => {
                let message = exception.message().unwrap_or_default();
                let kind = exception.get::<_, Coerced<String>>("name").map_or_else(|_| "Error".to_owned(), |kind| kind.0);
                if message == "out of memory" {
                    return out_of_memory();
                }
                let stack = exception.stack().unwrap_or_default();
                let stack = stack.split_whitespace().collect::<Vec<_>>().join(" ");
                ScriptError::Threw { name, error: format!("{kind}: {message}"), stack, arguments }
            }
            // So little memory is left that there is none for an exception.
            CaughtError::Value(value) if value.is_null() || value.is_undefined() => out_of_memory(),
            CaughtError::Value(value) => {
                let shown = value.get::<Coerced<String>>().map_or_else(|_| value.type_name().to_owned(), |text| text.0);
                ScriptError::Threw { name, error: shown, stack: "none, it is no Error".to_owned(), arguments }
            }
            CaughtError::Error(Error::Allocation) => out_of_memory(),
            CaughtError::Error(Error::Utf8(_)) => {
                ScriptError::Returned { name, what: "a text with half a character in it".to_owned(), arguments }
            }
            CaughtError::Error(other) => ScriptError::Threw { name, error: other.to_string(), stack: String::new(), arguments },
        }
    }

    /// Runs the script's top level and finds the function: `main`, or its only one. And the others beside `main`.
    fn entry(&self) -> Result<(Function<'js>, Vec<String>), ScriptError> {
        let before = self.functions()?;
        let text = self.script.text.as_str();
        let result = match self.eval::<Js<'js>>(text) {
            Ok(result) => result,
            Err(error) => return self.expression(text, self.caught(error)).map(|function| (function, Vec::new())),
        };
        let mut found: Vec<String> = self.functions()?.into_iter().filter(|name| !before.contains(name)).collect();
        if let Ok(main) = self.eval::<Function<'js>>("main") {
            found.retain(|name| name != "main");
            return Ok((main, found));
        }
        let _missing = self.ctx.catch();
        let function = match found.as_slice() {
            [only] => self.ctx.globals().get(only.as_str()).map_err(|error| self.caught(error))?,
            // `(x) => x + 1` stands for itself.
            [] if result.is_function() => result.get().map_err(|error| self.caught(error))?,
            [] => return self.wrong("there is no function in it; one is expected, for example function main(value) { return value; }"),
            several => {
                return self.wrong(format!(
                    "there are {} functions in it ({}) and none is called main; Stream Analytics takes exactly one, others go inside it",
                    several.len(),
                    several.join(", ")
                ));
            }
        };
        Ok((function, Vec::new()))
    }

    /// A function without a name is no statement, but an expression. `told`: why the text is no statement.
    fn expression(&self, text: &str, told: ScriptError) -> Result<Function<'js>, ScriptError> {
        let expression = format!("({}\n)", text.trim().trim_end_matches(';'));
        self.eval::<Function<'js>>(&expression).or_else(|_| {
            let _second = self.ctx.catch();
            match told {
                ScriptError::Threw { error, stack, .. } => self.wrong(format!("{error} {stack}")),
                other => Err(other),
            }
        })
    }

    fn wrong<T>(&self, what: impl Into<String>) -> Result<T, ScriptError> {
        Err(ScriptError::Script { file: self.script.file.clone(), what: what.into() })
    }

    fn eval<T: rquickjs::FromJs<'js>>(&self, text: &str) -> Result<T, Error> {
        let mut options = EvalOptions::default();
        // As a browser reads a script.
        options.strict = false;
        options.filename = Some(self.script.file.rsplit('/').next().unwrap_or_default().to_owned());
        self.ctx.eval_with_options(text, options)
    }

    /// The names of the functions that stand at the top level, hidden ones too.
    fn functions(&self) -> Result<Vec<String>, ScriptError> {
        let names = "Object.getOwnPropertyNames(globalThis).filter(name => typeof globalThis[name] === 'function')";
        self.eval(names).map_err(|error| self.caught(error))
    }
}
