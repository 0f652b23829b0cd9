//! The module behind functions, which another version may replace while the job runs. Clones of a job's functions share
//! it, so that all of them change together, between two units of work.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

use super::{Callee, Calls};
use crate::query::FunctionInfo;
use crate::udf::Function;

use crate::pipeline::shadow::Answered;
use crate::pipeline::versions::Takeover;

/// The modules that answer now.
#[derive(Debug, Clone)]
pub(crate) struct Pair {
    /// Its answers are the query's.
    pub(crate) champion: Function,
    /// It is asked the same, and its answers are kept beside the champion's.
    pub(crate) challenger: Option<Function>,
}

/// A place for modules, shared by the functions that are bound to one of the project's modules.
#[derive(Debug, Clone)]
pub(crate) struct Live {
    /// The names of those functions: `prediction,score`.
    pub(crate) functions: Arc<str>,
    pair: Arc<RwLock<Pair>>,
    answered: Arc<Mutex<Vec<Answered>>>,
}

impl Live {
    pub(super) fn new(functions: &str, champion: Function) -> Self {
        let pair = Arc::new(RwLock::new(Pair { champion, challenger: None }));
        Self { functions: functions.into(), pair, answered: Arc::default() }
    }

    /// What answers now.
    pub(crate) fn pair(&self) -> Pair {
        self.pair.read().clone()
    }

    /// Keeps what the challenger answered until the unit of work is done.
    pub(super) fn keep(&self, answered: Answered) {
        self.answered.lock().push(answered);
    }
}

/// The live modules of a job, for those who change them and ask what challengers said.
#[derive(Debug, Clone, Default)]
pub(crate) struct Modules {
    /// By the lower-case name of each function.
    of: BTreeMap<String, Live>,
}

impl Modules {
    /// Each once.
    pub(crate) fn all(&self) -> BTreeMap<Arc<str>, Live> {
        self.of.values().map(|live| (Arc::clone(&live.functions), live.clone())).collect()
    }

    /// From now on other modules answer.
    pub(crate) fn take_over(&self, takeover: &Takeover) {
        if let Some(live) = self.all().get(takeover.function.as_str()) {
            *live.pair.write() = Pair { champion: takeover.champion.clone(), challenger: takeover.challenger.clone() };
        }
    }

    /// The models that answer these functions, each once: name, version, start of the hash. `None`: no module does.
    pub(crate) fn label(&self, functions: &[String]) -> Option<Arc<str>> {
        let live = functions.iter().filter_map(|name| self.of.get(&name.to_ascii_lowercase()));
        let mut labels: Vec<String> = live.map(|live| label(&live.pair().champion)).collect();
        labels.dedup();
        (!labels.is_empty()).then(|| labels.join(", ").into())
    }

    /// What challengers answered since this was last asked for.
    pub(crate) fn answered(&self) -> Vec<Answered> {
        self.all().values().flat_map(|live| std::mem::take(&mut *live.answered.lock())).collect()
    }
}

impl Calls {
    /// The live modules; they stay the same ones however often the functions are cloned.
    pub(crate) fn modules(&self) -> Modules {
        let live = self.scalars.iter().filter_map(|(name, callee)| match callee {
            Callee::Module(bound) => Some((name.clone(), bound.live.clone())),
            Callee::Script(_) | Callee::Endpoint(_) => None,
        });
        Modules { of: live.collect() }
    }

    /// What the query's compiler would know of all functions if `module` stood for these ones; or why it cannot.
    pub(crate) fn infos_with(&self, functions: &str, module: &Function) -> Result<Vec<FunctionInfo>, String> {
        let mut infos = self.infos();
        for callee in self.scalars.values() {
            let Callee::Module(bound) = callee else { continue };
            if &*bound.live.functions != functions {
                continue;
            }
            let champion = bound.live.pair().champion;
            let (old, new) = (champion.signature().function(&bound.target), module.signature().function(&bound.target));
            let Some((_, new)) = new else {
                return Err(format!("it has no function '{}', which udf.{} is bound to", bound.target, bound.name));
            };
            if let Some((_, old)) = old
                && old.returns != new.returns
            {
                return Err(format!("its function '{}' answers {}, {} is expected", bound.target, new.returns, old.returns));
            }
            if let Some(info) = infos.iter_mut().find(|info| info.name == bound.name) {
                info.columns = Some(module.signature().columns.clone());
            }
        }
        Ok(infos)
    }
}

/// What documents and dead letters call a module.
pub(crate) fn label(module: &Function) -> String {
    let model = &module.signature().model;
    format!("{} {} {}", model.name, model.version, module.sha256().chars().take(12).collect::<String>())
}
