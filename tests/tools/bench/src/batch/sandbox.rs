//! The component itself, in the host's own runtime, on one thread like Node.

use super::memory::{Memory, Outside};
use super::{Transcript, disposition};
use crate::place;
use crate::rounds::micros;
use anyhow::{Context, Result, bail};
use host_adapters_runtime::identity::marked;
use host_adapters_runtime::{ComponentSpec, Disposition, Interfaces, Limits, Runtime, RuntimeConfig, Source};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The component with limits as in the manifest.
const REUSED: &str = "reused";
/// A new instance for each call.
const FRESH: &str = "fresh";

/// The runtime with save-entries loaded twice.
pub struct Sandbox {
    memory: Arc<Memory>,
    runtime: Arc<Runtime>,
    thread: tokio::runtime::Runtime,
    _cache: tempfile::TempDir,
}

impl Sandbox {
    /// Loads the component.
    pub fn start(memory: Arc<Memory>) -> Result<Self> {
        let cache = tempfile::tempdir()?;
        let config =
            RuntimeConfig { cache_dir: cache.path().to_owned(), max_instances: 16, interfaces: Interfaces::All };
        let runtime = Runtime::new(&config, Arc::new(Outside::new(memory.clone()))).map_err(anyhow::Error::msg)?;
        let source = place::component("save-entries")?;
        for (id, max_instance_reuse_count) in [(REUSED, Limits::default().max_instance_reuse_count), (FRESH, 1)] {
            let limits = Limits { max_instance_reuse_count, ..Limits::default() };
            let wasm = marked(std::fs::read(&source)?, id);
            runtime.load(&ComponentSpec { source: Source::Sent(wasm.into()), ..place::spec(id, &source, limits) })?;
        }
        let thread = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { memory, runtime: Arc::new(runtime), thread, _cache: cache })
    }

    /// Records one call.
    pub fn transcript(&self) -> Result<Transcript> {
        self.memory.write_down(|| {
            let answer = self.thread.block_on(self.call(FRESH))?.1;
            Ok(answer.iter().map(disposition).collect())
        })
    }

    /// Microseconds for each call, in an instance that is reused.
    pub fn reused(&self, calls: usize) -> Result<f64> {
        self.run(REUSED, calls)
    }

    /// Microseconds for each call, each in a new instance.
    pub fn fresh(&self, calls: usize) -> Result<f64> {
        self.run(FRESH, calls)
    }

    fn run(&self, component: &str, calls: usize) -> Result<f64> {
        self.thread.block_on(async {
            let mut took = Duration::ZERO;
            for _ in 0..calls {
                let (time, answer) = self.call(component).await?;
                took += time;
                if answer.iter().any(|it| !matches!(it, Disposition::Ack)) || answer.len() != self.memory.events.len() {
                    bail!("not every record was acknowledged: {answer:?}");
                }
            }
            Ok(micros(took) / calls as f64)
        })
    }

    async fn call(&self, component: &str) -> Result<(Duration, Vec<Disposition>)> {
        // A source hands its records over, so copying them does not count as the worker's work.
        let events = self.memory.events.clone();
        let start = Instant::now();
        let called = self.runtime.batch(component, events).await;
        Ok((start.elapsed(), called.result.context("save-entries failed")?))
    }
}
