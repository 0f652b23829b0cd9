//! New versions of functions, taken over while the job runs. A thread looks for wishes in the registry, loads and checks
//! the modules, and lays them ready; the computing thread picks them up between two units of work, so that every row of
//! a unit was scored by one version. What does not fit the query is refused with the reason, and the version before it stays.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use crate::fault::Fault;
use crate::models::{Change, Module, Registry};
use crate::time::Clock;
use crate::udf::{Function, Sandbox};

/// How often the registry is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// A wish whose modules are loaded and fit the query.
#[derive(Debug)]
pub(super) struct Takeover {
    pub(super) function: String,
    pub(super) champion: Function,
    pub(super) challenger: Option<Function>,
    wish: i64,
}

/// Whether a module can stand for a function of the job; the reason when it cannot.
pub(super) type Check = Box<dyn Fn(&str, &Function) -> Result<(), String> + Send>;

/// Where ready takeovers lie, and where the ones that were taken are noted.
#[derive(Debug, Default)]
struct Desk {
    ready: Vec<Takeover>,
    taken: Vec<i64>,
}

/// The computing thread's end.
#[derive(Debug, Default)]
pub(super) struct Versions {
    desk: Arc<Mutex<Desk>>,
    stop: Arc<AtomicBool>,
}

impl Versions {
    /// Notes the project's own modules in the registry, and answers what holds now: a module that was never seen before
    /// is what the project wants; among known ones, what was wished last holds.
    ///
    /// # Errors
    /// When the registry fails, or a module that it names cannot be loaded.
    pub(super) fn first(
        directory: &Path,
        own: &[(String, Function)],
        sandbox: &Sandbox,
        check: &Check,
        clock: &dyn Clock,
    ) -> Result<Vec<Takeover>, Fault> {
        let registry = Registry::open(directory)?;
        let mut holding = Vec::new();
        for (function, module) in own {
            let known = registry
                .versions()?
                .iter()
                .any(|version| version.function.eq_ignore_ascii_case(function) && version.sha256 == module.sha256());
            let current = registry.current(function)?;
            if !known || current.is_none() {
                let (model, signature) = (&module.signature().model, module.signature().to_json());
                let given = Module {
                    sha256: module.sha256(),
                    name: &model.name,
                    version: &model.version,
                    signature: &signature,
                    bytes: module.bytes(),
                };
                registry.add(function, given, clock.now())?;
                let challenger = current.and_then(|change| change.challenger).filter(|challenger| challenger != module.sha256());
                registry.wish(function, module.sha256(), challenger.as_deref(), clock.now())?;
            }
            while let Some(change) = registry.current(function)? {
                match load(&registry, &change, sandbox, check) {
                    Ok(takeover) => {
                        registry.taken(change.id, clock.now())?;
                        holding.push(takeover);
                        break;
                    }
                    Err(reason) => {
                        tracing::error!(function, reason, "Version does not fit the job; the one before it is used.");
                        registry.refused(change.id, &reason)?;
                    }
                }
            }
        }
        Ok(holding)
    }

    /// Starts to look for wishes.
    ///
    /// # Errors
    /// When the registry fails or no thread can be had.
    pub(super) fn watch(
        directory: &Path,
        functions: Vec<String>,
        sandbox: Sandbox,
        check: Check,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Fault> {
        let registry = Registry::open(directory)?;
        let versions = Self::default();
        let (desk, stop) = (Arc::clone(&versions.desk), Arc::clone(&versions.stop));
        let mut seen = registry.newest()?;
        let look = move || {
            while !stop.load(Ordering::Relaxed) {
                std::thread::sleep(LOOK);
                let taken = std::mem::take(&mut desk.lock().taken);
                let looked = taken.into_iter().try_for_each(|wish| registry.taken(wish, clock.now())).and_then(|()| {
                    let newest = registry.newest()?;
                    if newest > seen {
                        seen = newest;
                        lay_ready(&registry, &functions, &sandbox, &check, &desk)?;
                    }
                    Ok(())
                });
                if let Err(error) = looked {
                    tracing::warn!(%error, "Versions cannot be looked up.");
                }
            }
        };
        let thread = std::thread::Builder::new().name("versions".to_owned()).spawn(look);
        thread.map_err(|error| Fault::internal(format!("a thread cannot be started: {error}")))?;
        Ok(versions)
    }

    /// What is ready to be taken over, for the moment between two units of work.
    pub(super) fn take(&self) -> Vec<Takeover> {
        let Some(mut desk) = self.desk.try_lock() else { return Vec::new() };
        let ready = std::mem::take(&mut desk.ready);
        desk.taken.extend(ready.iter().map(|takeover| takeover.wish));
        ready
    }
}

impl Drop for Versions {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Loads what holds for each function, unless it was taken already.
fn lay_ready(
    registry: &Registry,
    functions: &[String],
    sandbox: &Sandbox,
    check: &Check,
    desk: &Mutex<Desk>,
) -> Result<(), crate::models::ModelsError> {
    for function in functions {
        let Some(change) = registry.current(function)?.filter(|change| change.taken.is_none()) else { continue };
        match load(registry, &change, sandbox, check) {
            Ok(takeover) => {
                let mut desk = desk.lock();
                desk.ready.retain(|other| !other.function.eq_ignore_ascii_case(function));
                desk.ready.push(takeover);
            }
            Err(reason) => {
                tracing::error!(function, reason, "Version does not fit the job; the one before it goes on.");
                registry.refused(change.id, &reason)?;
            }
        }
    }
    Ok(())
}

fn load(registry: &Registry, change: &Change, sandbox: &Sandbox, check: &Check) -> Result<Takeover, String> {
    let module = |sha256: &str| {
        let bytes = registry.module(&change.function, sha256).map_err(|error| error.to_string())?;
        let shown: String = sha256.chars().take(12).collect();
        let module = sandbox.load(&bytes, &shown).map_err(|error| error.to_string())?;
        check(&change.function, &module)?;
        Ok::<_, String>(module)
    };
    Ok(Takeover {
        function: change.function.clone(),
        champion: module(&change.champion)?,
        challenger: change.challenger.as_deref().map(module).transpose()?,
        wish: change.id,
    })
}
