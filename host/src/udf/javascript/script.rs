//! A script's text, checked before the job starts.

use std::sync::Arc;

use super::engine::Engine;
use super::{ScriptError, ScriptLimits};

/// What a script is called as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `udf.x(…)`: a value from the values of one row.
    Scalar,
    /// `uda.x(…)`: a value from the rows of a window.
    Aggregate,
}

/// A script that has the function to call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// The function's name in the query.
    pub name: String,
    /// The file, for messages.
    pub file: String,
    /// Its text.
    pub text: String,
    /// The declared type of the results; `None` (`any`): each has its own.
    pub returns: Option<String>,
    /// Functions beside `main` at the top level, found by [`Self::check`]. The cloud refuses a script that has any.
    pub helpers: Vec<String>,
}

impl Script {
    /// A script that is not checked yet.
    pub fn new(name: impl Into<String>, file: impl Into<String>, text: impl Into<String>, returns: Option<String>) -> Self {
        Self { name: name.into(), file: file.into(), text: text.into(), returns, helpers: Vec::new() }
    }

    /// Checks a script by running its top level.
    ///
    /// # Errors
    /// [`ScriptError::Script`] with line and column when it is not JavaScript, when it does not have exactly one function
    /// (or one called `main`), or when an aggregate lacks one of `init`, `accumulate`, `computeResult`.
    pub fn check(mut self, kind: Kind, limits: &ScriptLimits) -> Result<Arc<Self>, ScriptError> {
        let engine = Engine::new(&self, limits)?;
        self.helpers = engine.helpers().to_vec();
        if kind == Kind::Aggregate {
            let missing = engine.with(&self, limits, |scope| {
                let has = scope.helper("has")?;
                let mut missing = Vec::new();
                for method in ["init", "accumulate", "computeResult"] {
                    let has: bool = has.call((method,)).map_err(|error| match scope.caught(error) {
                        ScriptError::Threw { error, stack, .. } => {
                            ScriptError::Script { file: scope.script.file.clone(), what: format!("{error} {stack}") }
                        }
                        other => other,
                    })?;
                    if !has {
                        missing.push(method);
                    }
                }
                Ok(missing)
            })?;
            if !missing.is_empty() {
                let what = format!("the aggregate has no this.{}", missing.join(", no this."));
                return Err(ScriptError::Script { file: self.file, what });
            }
        }
        Ok(Arc::new(self))
    }

    /// The function's name with its prefix, for places.
    pub fn called(&self, kind: Kind) -> String {
        match kind {
            Kind::Scalar => format!("udf.{}", self.name),
            Kind::Aggregate => format!("uda.{}", self.name),
        }
    }
}
