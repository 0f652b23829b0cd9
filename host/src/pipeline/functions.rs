//! Answers the query's `udf.name(...)` calls from the sandbox, once a batch or window.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::batch::{Batch, Column, Origin};
use crate::embedded;
use crate::fault::Fault;
use crate::job::{FunctionSettings, Module, Project};
use crate::query::{Argument, Called, FunctionInfo, Functions};
use crate::time::Timestamp;
use crate::udf::{Function, Sandbox};

use super::measure as names;
use super::shadow::Answered;
use super::versions::Takeover;

/// A function that the query can call, and the module's function behind it.
#[derive(Debug, Clone)]
pub(super) struct Bound {
    /// Its name in the query, after `udf.`.
    pub(super) name: String,
    /// The module's function: `run`, `score`.
    pub(super) target: String,
    /// The functions that share its module, by which the registry knows its versions.
    pub(super) slot: Arc<str>,
    /// The module.
    pub(super) module: Function,
    /// The module that is asked the same, and whose answers are kept beside this one's.
    challenger: Option<Function>,
}

/// All functions of a job.
#[derive(Debug, Clone, Default)]
pub(super) struct Calls {
    bound: HashMap<String, Bound>,
    /// What challengers answered since it was last asked for.
    shadow: Vec<Answered>,
}

impl Calls {
    /// Loads each module once and binds the job's functions to it.
    pub(super) fn load(project: &Project, sandbox: &Sandbox) -> Result<Self, Fault> {
        let mut modules: HashMap<Module, Function> = HashMap::new();
        let mut bound = HashMap::new();
        for settings in &project.functions {
            let Some(module) = &settings.module else { continue };
            let function = match modules.get(module) {
                Some(function) => function.clone(),
                None => {
                    let function = load(project, module, sandbox)?;
                    modules.insert(module.clone(), function.clone());
                    function
                }
            };
            check_function(settings, &function)?;
            let target = settings.function.clone();
            let sharing: Vec<&str> =
                project.functions.iter().filter(|other| other.module == settings.module).map(|other| other.name.as_str()).collect();
            let slot = sharing.join(",").into();
            let new = Bound { name: settings.name.clone(), target, slot, module: function, challenger: None };
            bound.insert(settings.name.to_ascii_lowercase(), new);
        }
        Ok(Self { bound, shadow: Vec::new() })
    }

    /// Each module once, with the functions that share it.
    pub(super) fn modules(&self) -> BTreeMap<Arc<str>, Function> {
        self.bound.values().map(|bound| (Arc::clone(&bound.slot), bound.module.clone())).collect()
    }

    /// From now on other modules answer.
    pub(super) fn take_over(&mut self, takeover: Takeover) {
        for bound in self.bound.values_mut().filter(|bound| *bound.slot == *takeover.function) {
            bound.module = takeover.champion.clone();
            bound.challenger.clone_from(&takeover.challenger);
        }
    }

    /// Whether `module` can stand for the functions of `slot`, and what the query's compiler would then know of all.
    pub(super) fn infos_with(&self, slot: &str, module: &Function) -> Result<Vec<FunctionInfo>, String> {
        let mut other = self.clone();
        for bound in other.bound.values_mut().filter(|bound| *bound.slot == *slot) {
            let (old, new) = (bound.module.signature().function(&bound.target), module.signature().function(&bound.target));
            match (old, new) {
                (Some((_, old)), Some((_, new))) if old.returns == new.returns => bound.module = module.clone(),
                (Some((_, old)), Some((_, new))) => {
                    return Err(format!("its function '{}' answers {}, {} is expected", bound.target, new.returns, old.returns));
                }
                _ => return Err(format!("it has no function '{}', which udf.{} is bound to", bound.target, bound.name)),
            }
        }
        Ok(other.infos())
    }

    /// The models that answer these functions, each once: name, version, start of the hash.
    pub(super) fn label(&self, functions: &[String]) -> Option<Arc<str>> {
        let mut labels: Vec<String> =
            functions.iter().filter_map(|name| self.bound.get(&name.to_ascii_lowercase())).map(|bound| label(&bound.module)).collect();
        labels.dedup();
        (!labels.is_empty()).then(|| labels.join(", ").into())
    }

    /// What challengers answered since this was last asked for.
    pub(super) fn answered(&mut self) -> Vec<Answered> {
        std::mem::take(&mut self.shadow)
    }

    /// What the query's compiler needs to know of them.
    pub(super) fn infos(&self) -> Vec<FunctionInfo> {
        let info = |bound: &Bound| {
            let signature = bound.module.signature();
            let (_, function) = signature.function(&bound.target)?;
            Some(FunctionInfo { name: bound.name.clone(), columns: Some(signature.columns.clone()), returns: function.returns })
        };
        self.bound.values().filter_map(info).collect()
    }

    /// The function that the page shows: the job's first one.
    pub(super) fn first(&self, project: &Project) -> Option<&Bound> {
        project.functions.iter().find_map(|settings| self.bound.get(&settings.name.to_ascii_lowercase()))
    }
}

/// What documents and dead letters call a module.
pub(super) fn label(module: &Function) -> String {
    let model = &module.signature().model;
    format!("{} {} {}", model.name, model.version, module.sha256().chars().take(12).collect::<String>())
}

/// The function that comes with the program.
///
/// # Errors
/// When the program was built without it.
pub fn built_in(sandbox: &Sandbox) -> Result<Function, Fault> {
    let missing = || Fault::job("this build of tamis carries no function; build it with scripts/build").at(embedded::FUNCTION_NAME);
    Ok(sandbox.load(embedded::function().ok_or_else(missing)?, embedded::FUNCTION_NAME)?)
}

fn load(project: &Project, module: &Module, sandbox: &Sandbox) -> Result<Function, Fault> {
    match module {
        Module::BuiltIn => built_in(sandbox),
        Module::File(path) => {
            let bytes = project.folder.bytes(path)?;
            Ok(sandbox.load(&bytes, &project.folder.shown(path))?)
        }
    }
}

fn check_function(settings: &FunctionSettings, module: &Function) -> Result<(), Fault> {
    let signature = module.signature();
    if signature.function(&settings.function).is_some() {
        return Ok(());
    }
    let known: Vec<_> = signature.functions.iter().map(|function| function.name.as_str()).collect();
    Err(Fault::job(format!(
        "function '{}' is bound to '{}', which the module does not have; it has {}",
        settings.name,
        settings.function,
        known.join(", ")
    )))
}

impl Functions for Calls {
    fn call(&mut self, name: &str, arguments: &[Argument<'_>], rows: usize) -> Result<Called, Fault> {
        let bound = self.bound.get(&name.to_ascii_lowercase()).ok_or_else(|| Fault::internal(format!("function '{name}' is not bound")))?;
        let positional;
        let record = match arguments {
            [Argument::Record(batch)] => *batch,
            values => {
                positional = by_position(bound, values, rows)?;
                &positional
            }
        };
        metrics::counter!(names::FUNCTION_REQUESTS).increment(1);
        metrics::counter!(names::FUNCTION_EVENTS).increment(rows as u64);
        match bound.module.call(&bound.target, record) {
            Ok(called) => {
                if !called.rejected.is_empty() {
                    metrics::counter!(names::FUNCTION_FAILED).increment(1);
                }
                if let Some(challenger) = &bound.challenger {
                    self.shadow.extend(Answered::ask(challenger, bound, record));
                }
                Ok(Called { column: called.column, rejected: called.rejected })
            }
            // The module was loaded and had this function when the job started: this is a failing instance, and no
            // reason to stop the job. The rows are dead letters with the reason.
            Err(error) => {
                metrics::counter!(names::FUNCTION_FAILED).increment(1);
                tracing::error!(function = bound.name, %error, rows, "Function cannot be called; its rows are dead letters.");
                let reason = error.to_string();
                Ok(Called { column: Column::Null(rows), rejected: (0..rows).map(|row| (row, reason.clone())).collect() })
            }
        }
    }
}

/// `udf.f(a, b, c)`: the values are the signature's columns, in its order.
fn by_position(bound: &Bound, arguments: &[Argument<'_>], rows: usize) -> Result<Batch, Fault> {
    let expected = &bound.module.signature().columns;
    if arguments.len() != expected.len() {
        return Err(Fault::job(format!(
            "udf.{} takes one record or its {} columns, {} arguments were given",
            bound.name,
            expected.len(),
            arguments.len()
        )));
    }
    let mut columns = Vec::with_capacity(arguments.len());
    for argument in arguments {
        match argument {
            Argument::Value(column) => columns.push((*column).clone()),
            Argument::Record(_) => {
                return Err(Fault::job(format!("udf.{} takes one record, or values; not both", bound.name)));
            }
        }
    }
    Ok(Batch {
        names: expected.iter().map(|column| Arc::from(column.name.as_str())).collect(),
        columns,
        times: vec![Timestamp::default(); rows].into(),
        origin: Origin::Derived,
    })
}
