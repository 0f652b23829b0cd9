//! Answers the query's `udf.name(…)` and `uda.name(…)` calls, once a batch or window: from the sandbox, from a script,
//! or from an endpoint.

mod load;
mod module;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::batch::Column;
use crate::fault::Fault;
use crate::job::{FunctionSettings, Project};
use crate::query::{Argument, Called, Failed, FunctionInfo, Functions};
use crate::time::Timestamp;
use crate::udf::Input;
use crate::udf::azure_ml::AzureMl;
use crate::udf::javascript::{Aggregate, Scalar, ScriptLimits};

use super::measure as names;

pub use load::built_in;
pub(super) use module::Bound;

/// What answers a function's calls.
#[derive(Debug, Clone)]
enum Callee {
    Module(Bound),
    Script(Scalar),
    Endpoint(AzureMl),
}

/// All functions of a job. A clone runs beside the original: modules and connections are shared, scripts are not.
#[derive(Debug, Clone, Default)]
pub(crate) struct Calls {
    /// By name in lower case.
    scalars: HashMap<String, Callee>,
    aggregates: HashMap<String, Aggregate>,
}

/// What functions may cost, beside the sandbox's own limits.
#[derive(Debug, Clone, Default)]
pub(crate) struct CallSettings {
    /// What scripts may cost.
    pub(crate) scripts: ScriptLimits,
    /// How long a failing request to an endpoint is tried again; `None`: for ever, as a job does.
    pub(crate) retry_for: Option<Duration>,
    /// When set, calls that wait give up.
    pub(crate) stop: Arc<AtomicBool>,
}

impl Calls {
    /// What the query's compiler needs to know of them.
    pub(crate) fn infos(&self) -> Vec<FunctionInfo> {
        let info = |callee: &Callee| match callee {
            Callee::Module(bound) => {
                let signature = bound.module.signature();
                let (_, function) = signature.function(&bound.target)?;
                let columns = Some(signature.columns.clone());
                Some(FunctionInfo { name: bound.name.clone(), columns, returns: Some(function.returns) })
            }
            Callee::Script(script) => Some(FunctionInfo { name: script.script().name.clone(), columns: None, returns: None }),
            Callee::Endpoint(endpoint) => Some(FunctionInfo { name: endpoint.settings().name.clone(), columns: None, returns: None }),
        };
        self.scalars.values().filter_map(info).collect()
    }

    /// The names of the aggregates.
    pub(crate) fn aggregates(&self) -> Vec<String> {
        self.aggregates.values().map(|aggregate| aggregate.script().name.clone()).collect()
    }

    /// The module that the page shows: the job's first one.
    pub(super) fn first(&self, project: &Project) -> Option<&Bound> {
        let bound = |settings: &FunctionSettings| match self.scalars.get(&settings.name.to_ascii_lowercase()) {
            Some(Callee::Module(bound)) => Some(bound),
            _ => None,
        };
        project.functions.iter().find_map(bound)
    }
}

impl Functions for Calls {
    fn call(&mut self, name: &str, arguments: &[Argument<'_>], rows: usize) -> Result<Called, Fault> {
        let callee = self.scalars.get_mut(&name.to_ascii_lowercase());
        let callee = callee.ok_or_else(|| Fault::internal(format!("function '{name}' is not bound")))?;
        metrics::counter!(names::FUNCTION_REQUESTS).increment(1);
        metrics::counter!(names::FUNCTION_EVENTS).increment(rows as u64);
        let called = match callee {
            Callee::Module(bound) => bound.call(arguments, rows)?,
            Callee::Script(script) => {
                let answers = script.call(&inputs(arguments), rows)?;
                let failed = answers.failed.into_iter().map(|(row, error)| Failed { rows: row..row + 1, fault: error.into() });
                Called { column: answers.column, rejected: Vec::new(), failed: failed.collect() }
            }
            Callee::Endpoint(endpoint) => {
                let answers = endpoint.call(&inputs(arguments), rows)?;
                let failed = answers.failed.into_iter().map(|(rows, error)| Failed { rows, fault: error.into() });
                Called { column: answers.column, rejected: Vec::new(), failed: failed.collect() }
            }
        };
        if !(called.rejected.is_empty() && called.failed.is_empty()) {
            metrics::counter!(names::FUNCTION_FAILED).increment(1);
        }
        Ok(called)
    }

    fn fork(&self) -> Option<Box<dyn Functions>> {
        Some(Box::new(self.clone()))
    }

    fn aggregate(&mut self, name: &str, values: &Column, times: &[Timestamp], ends: &[usize]) -> Result<Column, Fault> {
        let aggregate = self.aggregates.get_mut(&name.to_ascii_lowercase());
        let aggregate = aggregate.ok_or_else(|| Fault::job(format!("there is no aggregate function 'uda.{name}'")))?;
        metrics::counter!(names::FUNCTION_REQUESTS).increment(1);
        metrics::counter!(names::FUNCTION_EVENTS).increment(times.len() as u64);
        aggregate.run(values, times, ends).map_err(|error| {
            metrics::counter!(names::FUNCTION_FAILED).increment(1);
            error.into()
        })
    }
}

fn inputs<'a>(arguments: &'a [Argument<'_>]) -> Vec<Input<'a>> {
    let input = |argument: &'a Argument<'_>| match argument {
        Argument::Record(batch) => Input::Record(batch),
        Argument::Value(column) => Input::Value(column),
    };
    arguments.iter().map(input).collect()
}

#[cfg(test)]
mod tests;
