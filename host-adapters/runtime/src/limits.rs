//! Limits of one component, and how its instances are reused. Names follow Spin's flags.

use std::time::Duration;

/// Limits of one component.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Most instances; further calls wait.
    pub max_instances: usize,
    /// Most calls that one instance serves before it is retired.
    pub max_instance_reuse_count: usize,
    /// Most calls at a time in one instance.
    pub max_instance_concurrent_reuse_count: usize,
    /// An instance without a call for this long is retired.
    pub idle_instance_timeout: Duration,
    /// Wall time of one call.
    pub request_timeout: Duration,
    /// Linear memory of one instance, all memories together, bytes.
    pub max_memory_bytes: usize,
    /// The longest time that a guest may compute without waiting for anything.
    pub max_cpu: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_instances: 8,
            max_instance_reuse_count: 1024,
            max_instance_concurrent_reuse_count: 1,
            idle_instance_timeout: Duration::from_secs(60),
            request_timeout: Duration::from_secs(30),
            max_memory_bytes: 128 << 20,
            max_cpu: Duration::from_secs(5),
        }
    }
}
