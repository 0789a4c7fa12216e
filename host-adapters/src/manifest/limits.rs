//! What an instance of a component may use, named as Spin's flags are where Spin has one.

use super::fields::{Fields, Spanned};
use std::time::Duration;

/// How many instances there are and what each may use.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Limits {
    /// `max_instances`: how many instances run at most; more calls wait.
    pub max_instances: u32,
    /// `max_instance_reuse_count`: how many calls an instance takes before it is replaced.
    pub max_instance_reuse_count: u32,
    /// `max_instance_concurrent_reuse_count`: how many calls run in one instance at a time.
    pub max_instance_concurrent_reuse_count: u32,
    /// `idle_instance_timeout_secs`: how long an instance without a call is kept.
    pub idle_instance_timeout: Duration,
    /// `request_timeout_secs`: wall time of one call.
    pub request_timeout: Duration,
    /// `max_memory_mb`: linear memory of one instance, in MiB.
    pub max_memory_mb: u32,
    /// `max_cpu_ms`: the longest single turn of guest code before it is trapped.
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

impl Limits {
    /// The defaults: batches get five minutes and an instance each, requests 30 seconds and sixteen to an instance.
    pub(super) fn of(kind: Kind) -> Self {
        let (concurrent, request_timeout) = match kind {
            Kind::Batch => (1, Duration::from_secs(300)),
            Kind::Request => (16, Duration::from_secs(30)),
        };
        Self {
            max_instances: 8,
            max_instance_reuse_count: 10_000,
            max_instance_concurrent_reuse_count: concurrent,
            idle_instance_timeout: Duration::from_secs(60),
            request_timeout,
            max_memory_mb: 128,
            max_cpu: Duration::from_secs(1),
        }
    }

    /// Reads the keys of a component's tool block.
    pub(super) fn read(fields: &mut Fields<'_, '_>, kind: Kind) -> Self {
        let default = Self::of(kind);
        let seconds = |value: Option<Spanned<u64>>, default| value.map_or(default, |v| Duration::from_secs(v.value));
        let count = |value: Option<Spanned<u32>>, default| value.map_or(default, |v| v.value);
        Self {
            max_instances: count(fields.number("max_instances", 1..=1_000), default.max_instances),
            max_instance_reuse_count: count(
                fields.number("max_instance_reuse_count", 1..=u32::MAX.into()),
                default.max_instance_reuse_count,
            ),
            max_instance_concurrent_reuse_count: count(
                fields.number("max_instance_concurrent_reuse_count", 1..=1_000),
                default.max_instance_concurrent_reuse_count,
            ),
            idle_instance_timeout: seconds(
                fields.number("idle_instance_timeout_secs", 0..=86_400),
                default.idle_instance_timeout,
            ),
            request_timeout: seconds(fields.number("request_timeout_secs", 1..=43_200), default.request_timeout),
            max_memory_mb: count(fields.number("max_memory_mb", 1..=4_096), default.max_memory_mb),
            max_cpu: fields
                .number("max_cpu_ms", 1..=3_600_000)
                .map_or(default.max_cpu, |v| Duration::from_millis(v.value)),
        }
    }
}
