//! What an instance of a component may use, named as Spin's flags are where Spin has one.

use host_adapters_settings::{Fields, Spanned};
use std::time::Duration;

/// Limits of one component.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Instances at most; further calls wait.
    pub max_instances: usize,
    /// Calls that one instance serves before it is retired.
    pub max_instance_reuse_count: usize,
    /// Calls at once in one instance.
    pub max_instance_concurrent_reuse_count: usize,
    /// An instance without a call for so long is retired.
    pub idle_instance_timeout: Duration,
    /// Wall time of one call.
    pub request_timeout: Duration,
    /// Linear memory of one instance in all, bytes.
    pub max_memory_bytes: usize,
    /// The longest a guest may compute without waiting for anything.
    pub max_cpu: Duration,
}

/// What a component answers decides some defaults.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// Fed in batches by a source.
    Batch,
    /// Called by HTTP only.
    Request,
}

/// The defaults: batches get five minutes and an instance each, requests 30 seconds and sixteen to an instance.
pub(super) fn of(kind: Kind) -> Limits {
    let (concurrent, request_timeout) = match kind {
        Kind::Batch => (1, Duration::from_secs(300)),
        Kind::Request => (16, Duration::from_secs(30)),
    };
    Limits {
        max_instances: 8,
        max_instance_reuse_count: 1024,
        max_instance_concurrent_reuse_count: concurrent,
        idle_instance_timeout: Duration::from_secs(60),
        request_timeout,
        max_memory_bytes: 128 << 20,
        max_cpu: Duration::from_secs(5),
    }
}

/// Reads the keys of a component's tool block.
pub(super) fn read(fields: &mut Fields<'_, '_>, kind: Kind) -> Limits {
    let mut limits = of(kind);
    set(&mut limits.max_instances, fields.number("max_instances", 1..=1_000));
    set(&mut limits.max_instance_reuse_count, fields.number("max_instance_reuse_count", 1..=u32::MAX.into()));
    let concurrent = fields.number("max_instance_concurrent_reuse_count", 1..=1_000);
    set(&mut limits.max_instance_concurrent_reuse_count, concurrent);
    let idle = fields.number("idle_instance_timeout_secs", 0..=86_400);
    set(&mut limits.idle_instance_timeout, idle.map(|it| it.map(Duration::from_secs)));
    let wall = fields.number("request_timeout_secs", 1..=43_200);
    set(&mut limits.request_timeout, wall.map(|it| it.map(Duration::from_secs)));
    let memory = fields.number::<usize>("max_memory_mb", 1..=4_096);
    set(&mut limits.max_memory_bytes, memory.map(|it| it.map(|megabytes| megabytes << 20)));
    let cpu = fields.number("max_cpu_ms", 1..=3_600_000);
    set(&mut limits.max_cpu, cpu.map(|it| it.map(Duration::from_millis)));
    limits
}

fn set<T>(limit: &mut T, written: Option<Spanned<T>>) {
    if let Some(written) = written {
        *limit = written.value;
    }
}
