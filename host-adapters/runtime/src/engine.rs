//! One wasmtime engine for all components, and the thread that drives its epochs.

use crate::host::Host;
use crate::outages::Routes;
use crate::state::State;
use crate::turn::LongTurns;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;
use wasmtime::component::{HasSelf, Linker};
use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

/// How often a computing guest is interrupted, which is the precision of CPU limits and of wall time within a turn.
pub(crate) const EPOCH_TICK: Duration = Duration::from_millis(2);

/// Which interfaces components are linked with.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Interfaces {
    /// All of `host-adapters`.
    #[default]
    All,
    /// Only those of Spin 4.1: a component that imports `registration:platform` must bring an implementation.
    SpinOnly,
}

/// How to set up the runtime.
#[derive(Clone, Debug)]
pub struct RuntimeConfig {
    /// The folder of compiled components, by digest.
    pub cache_dir: PathBuf,
    /// Most instances of all components together; memory is reserved (not used) for each.
    pub max_instances: u32,
    /// Which interfaces components are linked with.
    pub interfaces: Interfaces,
}

/// Ends the epoch thread when dropped.
pub(crate) struct EpochTicker(Arc<AtomicBool>);

impl EpochTicker {
    pub(crate) fn start(engine: &Engine) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let (engine, stopped) = (engine.clone(), stop.clone());
        std::thread::Builder::new().name("epochs".into()).spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                std::thread::sleep(EPOCH_TICK);
                engine.increment_epoch();
            }
        })?;
        Ok(Self(stop))
    }
}

impl Drop for EpochTicker {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The compiler's settings. Components compiled with some settings are loaded only with the same.
pub(crate) fn config() -> Config {
    let mut config = Config::new();
    config.wasm_component_model_async(true);
    config.epoch_interruption(true);
    config
}

/// Most core instances of one component; a larger one does not compile. The module, its adapters and what links them
/// are some ten core instances with a table each; only the module has a memory.
const CORE_INSTANCES: u32 = 64;
const MEMORIES: u32 = 4;
const TABLES: u32 = 32;
/// Most elements of one table. Guests' own tables hold their functions, some thousands.
pub(crate) const TABLE_ELEMENTS: usize = 100_000;

/// Most instances that may be alive at a time if components may have `max_instances`: a replaced version keeps its
/// instances until their calls have ended, while those of the next start.
pub(crate) fn slots(max_instances: u32) -> u32 {
    max_instances.saturating_mul(2)
}

pub(crate) fn engine(max_instances: u32) -> wasmtime::Result<Engine> {
    // The pool has room for every instance, whatever its parts, because a pool that is too small would fail calls. It
    // has one place more than there are slots, for the version that is being loaded.
    let instances = slots(max_instances).saturating_add(1);
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(instances)
        .total_core_instances(instances.saturating_mul(CORE_INSTANCES))
        .total_memories(instances.saturating_mul(MEMORIES))
        .total_tables(instances.saturating_mul(TABLES))
        // Each core instance may be in the middle of a call that waits.
        .total_stacks(instances.saturating_mul(CORE_INSTANCES))
        .max_memories_per_component(MEMORIES)
        .max_tables_per_component(TABLES)
        .max_core_instances_per_component(CORE_INSTANCES)
        .max_memory_size(4 << 30)
        .table_elements(TABLE_ELEMENTS)
        .max_component_instance_size(8 << 20)
        .max_core_instance_size(8 << 20)
        // Keeps the hot part of a retired instance's memory mapped: most of a fresh start is page faults at first
        // access.
        .linear_memory_keep_resident(256 << 10)
        .table_keep_resident(16 << 10);
    let mut config = config();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    Engine::new(&config)
}

/// All interfaces that a component may import.
pub(crate) fn linker(engine: &Engine, interfaces: Interfaces) -> wasmtime::Result<Linker<State>> {
    use crate::bindings::spin;
    use crate::imports;
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi::p3::add_to_linker(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p3::add_to_linker(&mut linker)?;
    spin::redis::redis::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    spin::variables::variables::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    if interfaces == Interfaces::All {
        imports::platform::add_to_linker(&mut linker)?;
    }
    Ok(linker)
}

/// The host, as the runtime sees it.
pub(crate) type SharedHost = Arc<dyn Host>;

/// Shared by the instances of all components.
pub(crate) struct Shared {
    pub(crate) host: SharedHost,
    /// One permit for each instance alive. There are enough, unless versions are replaced faster than their calls end.
    pub(crate) slots: Arc<Semaphore>,
    /// Runs guests that compute for long.
    pub(crate) long_turns: LongTurns,
    /// Which routes of services work.
    pub(crate) routes: Arc<Routes>,
}

impl Shared {
    pub(crate) fn new(host: SharedHost, max_instances: u32) -> std::io::Result<Self> {
        let slots = slots(max_instances).try_into().unwrap_or(Semaphore::MAX_PERMITS);
        Ok(Self {
            host,
            slots: Arc::new(Semaphore::new(slots)),
            long_turns: LongTurns::start()?,
            routes: Arc::default(),
        })
    }
}
