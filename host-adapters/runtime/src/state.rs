//! The contents of a store: the WASI contexts of one instance, its limits, and the outages that it found.

use crate::budget::Budget;
use crate::component::Version;
use crate::engine::{SharedHost, TABLE_ELEMENTS};
use crate::logs::GuestLog;
use crate::outages::Outages;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use wasmtime::ResourceLimiter;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

/// What a guest may ask of the random generator at once, bytes.
const MAX_RANDOM_BYTES: u64 = 1 << 20;

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
    pub(crate) budget: Budget,
    pub(crate) log: GuestLog,
}

impl State {
    pub(crate) fn new(version: &Version, host: SharedHost, outages: Outages) -> Self {
        let log = GuestLog::new(host.clone(), version.component.clone(), version.digest.clone());
        let mut wasi = WasiCtxBuilder::new();
        wasi.stdout(log.clone()).stderr(log.clone());
        // All network goes through the host's policy. Sockets that lead nowhere would still be the host's.
        wasi.allow_tcp(false).allow_udp(false).allow_ip_name_lookup(false).max_random_size(MAX_RANDOM_BYTES);
        for (name, value) in &version.environment {
            wasi.env(name, value);
        }
        let budget = Budget::new();
        Self {
            table: ResourceTable::new(),
            wasi: wasi.build(),
            http: WasiHttpCtx::new(),
            hooks: crate::imports::http::Hooks::new(version, host.clone(), budget.clone()),
            component: version.component.clone(),
            digest: version.digest.clone(),
            host,
            memory: MemoryLimit { used: 0, max: version.limits.max_memory_bytes(), exceeded: Arc::default() },
            outages,
            budget,
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

/// Bounds all linear memories and tables of an instance together.
pub(crate) struct MemoryLimit {
    used: usize,
    max: usize,
    /// Set once an instance was refused memory, so that the trap that follows can be explained.
    pub(crate) exceeded: Arc<AtomicBool>,
}

impl MemoryLimit {
    fn grow(&mut self, bytes: usize) -> bool {
        let used = self.used.saturating_add(bytes);
        match used <= self.max {
            true => self.used = used,
            false => self.exceeded.store(true, Ordering::Relaxed),
        }
        used <= self.max
    }
}

impl ResourceLimiter for MemoryLimit {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.grow(desired.saturating_sub(current)))
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let added = desired.saturating_sub(current).saturating_mul(size_of::<usize>());
        Ok(desired <= TABLE_ELEMENTS && self.grow(added))
    }
}
