//! The engine: how modules are compiled and what holds them in.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use wasmtime::{Config, Engine, ExternType, InstanceAllocationStrategy, Linker, Module, PoolingAllocationConfig};

use super::error::shortened;
use super::instance::State;
use super::{Function, Limits, UdfError};

/// Length of one epoch: deadlines are counted in these.
pub(super) const TICK: Duration = Duration::from_millis(10);

/// Tables that a module may have.
pub(super) const TABLES: u32 = 4;

/// The engine with its limits. Cloning is cheap; the clock stops with the last clone.
#[derive(Clone)]
pub struct Sandbox {
    engine: Engine,
    limits: Arc<Limits>,
    clock: Arc<EpochClock>,
}

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sandbox").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl Sandbox {
    /// Starts the engine.
    ///
    /// # Errors
    /// When the machine cannot run it.
    pub fn new(limits: Limits) -> Result<Self, UdfError> {
        let engine = Engine::new(&config(&limits, true)).or_else(|error| {
            tracing::debug!(%error, "No address space for the pooling allocator; instances are made on demand.");
            Engine::new(&config(&limits, false))
        });
        let engine = engine.map_err(|error| UdfError::Engine(format!("{error:#}")))?;
        let clock = EpochClock::start(&engine)?;
        Ok(Self { engine, limits: Arc::new(limits), clock: Arc::new(clock) })
    }

    /// Compiles a module and checks that it keeps the contract. `name` is for messages.
    ///
    /// # Errors
    /// [`UdfError`], which says what is missing and what to do.
    pub fn load(&self, wasm: &[u8], name: &str) -> Result<Function, UdfError> {
        if wasm.len() > self.limits.module_bytes {
            return Err(UdfError::TooLarge { name: name.to_owned(), bytes: wasm.len(), limit: self.limits.module_bytes });
        }
        let module =
            Module::new(&self.engine, wasm).map_err(|error| UdfError::NotAModule { name: name.to_owned(), what: first_line(&error) })?;
        for import in module.imports() {
            let kind = match import.ty() {
                ExternType::Func(_) => continue,
                ExternType::Global(_) => "the global",
                ExternType::Table(_) => "the table",
                ExternType::Memory(_) => "the memory",
                ExternType::Tag(_) => "the tag",
            };
            let import = format!("{kind} '{}.{}'", import.module(), import.name());
            return Err(UdfError::Import { name: name.to_owned(), import: shortened(&import) });
        }
        let mut linker: Linker<State> = Linker::new(&self.engine);
        // What wasm-bindgen imports is for JavaScript; here it is never called, and a trap if it is.
        let linked = linker.define_unknown_imports_as_traps(&module).and_then(|()| linker.instantiate_pre(&module));
        let pre = linked.map_err(|error| UdfError::NotAModule { name: name.to_owned(), what: first_line(&error) })?;
        Function::new(pre, wasm, name, self.clone())
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The limits.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The deadline in epochs from now: at least the whole time, at most one tick more.
    pub(super) fn ticks(&self) -> u64 {
        let _running = &self.clock;
        (self.limits.deadline.as_millis() / TICK.as_millis()) as u64 + 1
    }
}

fn first_line(error: &wasmtime::Error) -> String {
    shortened(format!("{error:#}").lines().next().unwrap_or_default())
}

fn config(limits: &Limits, pooling: bool) -> Config {
    let mut config = Config::new();
    // A call that runs too long is stopped at the next loop or call after its epoch ends.
    config.epoch_interruption(true);
    // The same score everywhere: one NaN, no instruction whose result the machine may choose.
    config.cranelift_nan_canonicalization(true);
    config.wasm_relaxed_simd(false);
    // What no guest of the contract needs is one more thing that could be wrong. External references stay: wasm-bindgen
    // keeps a table of them.
    config.wasm_memory64(false);
    config.wasm_multi_memory(false);
    // A fresh instance maps the module's data copy-on-write instead of copying it.
    config.memory_init_cow(true);
    config.max_wasm_stack(512 << 10);
    config.wasm_backtrace_max_frames(None);
    if pooling {
        let mut pool = PoolingAllocationConfig::default();
        pool.total_core_instances(limits.instances);
        pool.total_memories(limits.instances);
        // wasm-bindgen adds a table for JavaScript's values.
        pool.max_tables_per_module(TABLES);
        pool.total_tables(limits.instances * TABLES);
        pool.max_memory_size(limits.memory_bytes);
        pool.table_elements(limits.table_elements);
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    }
    config
}

/// One thread that counts epochs for every module.
struct EpochClock {
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl EpochClock {
    fn start(engine: &Engine) -> Result<Self, UdfError> {
        let stop = Arc::new(AtomicBool::new(false));
        let (engine, stopped) = (engine.weak(), Arc::clone(&stop));
        let tick = move || {
            while !stopped.load(Ordering::Relaxed) {
                std::thread::sleep(TICK);
                let Some(engine) = engine.upgrade() else { return };
                engine.increment_epoch();
            }
        };
        let thread = std::thread::Builder::new().name("tamis-epochs".to_owned()).spawn(tick);
        let thread = thread.map_err(|error| UdfError::Engine(error.to_string()))?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for EpochClock {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _joined = thread.join();
        }
    }
}
