//! What an instance of a component may use.

use super::component::ToolSettings;
use std::time::Duration;

/// Limits of one component.
#[derive(Clone, Debug)]
pub struct ComponentLimits {
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

/// The limits of a component's tool block. By default tasks get fifteen minutes, as Lambda gives them at most, and batches
/// five, with an instance each; requests get 30 seconds and sixteen to an instance.
pub(super) fn of(tool: &ToolSettings) -> ComponentLimits {
    let (concurrent, request_timeout_secs) = match &tool.source {
        sources if sources.do_tasks() => (1, 900),
        sources if sources.any => (1, 300),
        _ => (16, 30),
    };
    let secs = |secs: u32| Duration::from_secs(secs.into());
    ComponentLimits {
        max_instances: tool.max_instances,
        max_instance_reuse_count: tool.max_instance_reuse_count,
        max_instance_concurrent_reuse_count: tool.max_instance_concurrent_reuse_count.unwrap_or(concurrent),
        idle_instance_timeout: secs(tool.idle_instance_timeout_secs),
        request_timeout: secs(tool.request_timeout_secs.unwrap_or(request_timeout_secs)),
        max_memory_bytes: tool.max_memory_mb << 20,
        max_cpu: Duration::from_millis(tool.max_cpu_ms.into()),
    }
}
