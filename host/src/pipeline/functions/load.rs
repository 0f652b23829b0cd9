//! Loads a job's functions: each module once, each script checked, each endpoint's settings held against the limits.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Bound, CallSettings, Callee, Calls};
use crate::embedded;
use crate::fault::Fault;
use crate::job::{Folder, FunctionBody, FunctionSettings, MlEndpoint, Module};
use crate::udf::azure_ml::{AzureMl, Key, MlSettings};
use crate::udf::javascript::{Aggregate, Kind, Scalar, Script};
use crate::udf::{Function, Sandbox};

impl Calls {
    /// Loads the functions of a job.
    pub(crate) fn load(functions: &[FunctionSettings], folder: &Folder, sandbox: &Sandbox, settings: &CallSettings) -> Result<Self, Fault> {
        let mut modules: HashMap<Module, Function> = HashMap::new();
        let mut calls = Self::default();
        for function in functions {
            let key = function.name.to_ascii_lowercase();
            match &function.body {
                FunctionBody::Module { module, function: target } if !function.aggregate => {
                    let loaded = match modules.get(module) {
                        Some(known) => known.clone(),
                        None => {
                            let loaded = load(folder, module, sandbox)?;
                            modules.insert(module.clone(), loaded.clone());
                            loaded
                        }
                    };
                    has_function(&function.name, target, &loaded)?;
                    let bound = Bound { name: function.name.clone(), target: target.clone(), module: loaded };
                    calls.scalars.insert(key, Callee::Module(bound));
                }
                FunctionBody::JavaScript { file, text } => {
                    let kind = if function.aggregate { Kind::Aggregate } else { Kind::Scalar };
                    let script = Script::new(&function.name, file, text, function.returns.clone()).check(kind, &settings.scripts)?;
                    if !script.helpers.is_empty() {
                        let helpers = script.helpers.join(", ");
                        tracing::warn!(
                            file,
                            helpers,
                            "The script has functions beside main. They work here; the cloud takes scripts with exactly one function."
                        );
                    }
                    if function.aggregate {
                        calls.aggregates.insert(key, Aggregate::new(script, settings.scripts.clone()));
                    } else {
                        calls.scalars.insert(key, Callee::Script(Scalar::new(script, settings.scripts.clone())));
                    }
                }
                FunctionBody::AzureMl(endpoint) if !function.aggregate => {
                    let endpoint = AzureMl::new(ml(function, endpoint, settings), Arc::clone(&settings.stop))?;
                    calls.scalars.insert(key, Callee::Endpoint(endpoint));
                }
                FunctionBody::Module { .. } | FunctionBody::AzureMl(_) => {
                    return Err(Fault::job(format!("function '{}' is an aggregate; those are written in JavaScript", function.name)));
                }
                FunctionBody::Nothing => {}
            }
        }
        Ok(calls)
    }
}

fn ml(function: &FunctionSettings, endpoint: &MlEndpoint, settings: &CallSettings) -> MlSettings {
    MlSettings {
        key: endpoint.key.clone().map(Key),
        batch_size: endpoint.batch_size,
        parallel: endpoint.parallel,
        request_label: endpoint.request_label.clone(),
        response_label: endpoint.response_label.clone(),
        input: endpoint.input.clone(),
        columns: endpoint.columns.clone(),
        returns: function.returns.clone(),
        retry_for: settings.retry_for,
        ..MlSettings::new(&function.name, &endpoint.endpoint)
    }
}

/// The function that comes with the program.
///
/// # Errors
/// When the program was built without it.
pub fn built_in(sandbox: &Sandbox) -> Result<Function, Fault> {
    let missing = || Fault::job("this build of tamis carries no function; build it with scripts/build").at(embedded::FUNCTION_NAME);
    Ok(sandbox.load(embedded::function().ok_or_else(missing)?, embedded::FUNCTION_NAME)?)
}

fn load(folder: &Folder, module: &Module, sandbox: &Sandbox) -> Result<Function, Fault> {
    match module {
        Module::BuiltIn => built_in(sandbox),
        Module::File(path) => {
            let bytes = folder.bytes(path)?;
            Ok(sandbox.load(&bytes, &folder.shown(path))?)
        }
    }
}

fn has_function(name: &str, target: &str, module: &Function) -> Result<(), Fault> {
    let signature = module.signature();
    if signature.function(target).is_some() {
        return Ok(());
    }
    let known: Vec<_> = signature.functions.iter().map(|function| function.name.as_str()).collect();
    Err(Fault::job(format!("function '{name}' is bound to '{target}', which the module does not have; it has {}", known.join(", "))))
}
