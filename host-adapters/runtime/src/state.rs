//! What is inside a store: the WASI contexts of one instance, its limits, and what it found down.

use crate::component::Version;
use crate::engine::SharedHost;
use crate::logs::GuestLog;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use wasmtime::ResourceLimiter;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

/// The data of a store.
pub(crate) struct State {
    pub(crate) table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    hooks: crate::imports::http::Hooks,
    pub(crate) component: Arc<str>,
    pub(crate) digest: Arc<str>,
    pub(crate) host: SharedHost,
    pub(crate) memory: MemoryLimit,
    pub(crate) outages: Outages,
    pub(crate) log: GuestLog,
}

impl State {
    pub(crate) fn new(version: &Version, host: SharedHost) -> Self {
        let log = GuestLog::new(host.clone(), version.component.clone(), version.digest.clone());
        let mut wasi = WasiCtxBuilder::new();
        wasi.stdout(log.clone()).stderr(log.clone());
        for (name, value) in &version.environment {
            wasi.env(name, value);
        }
        let outages = Outages::default();
        Self {
            table: ResourceTable::new(),
            wasi: wasi.build(),
            http: WasiHttpCtx::new(),
            hooks: crate::imports::http::Hooks::new(version, host.clone(), outages.clone()),
            component: version.component.clone(),
            digest: version.digest.clone(),
            host,
            memory: MemoryLimit { used: 0, max: version.limits.max_memory_bytes, exceeded: false },
            outages,
            log,
        }
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: &mut self.hooks }
    }
}

/// What an instance's calls found down as a whole since the instance last had nothing to do.
#[derive(Clone, Default)]
pub(crate) struct Outages(Arc<Mutex<BTreeSet<String>>>);

impl Outages {
    pub(crate) fn add(&self, resource: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(resource);
    }

    pub(crate) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub(crate) fn list(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

/// Bounds all linear memories of an instance together.
pub(crate) struct MemoryLimit {
    used: usize,
    max: usize,
    /// Set once an instance was refused memory, so that the trap that follows can be explained.
    pub(crate) exceeded: bool,
}

impl ResourceLimiter for MemoryLimit {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let used = self.used + desired.saturating_sub(current);
        if used > self.max {
            self.exceeded = true;
            return Ok(false);
        }
        self.used = used;
        Ok(true)
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= 100_000)
    }
}
