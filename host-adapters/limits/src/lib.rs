//! What an instance of a component may use. The manifest reads these settings and the runtime enforces them; neither
//! knows the other.

use host_adapters_settings::settings;
use std::time::Duration;

settings! {
    /// Limits of one component, and how its instances are reused. Names follow Spin's flags.
    pub struct Limits {
        /// How many instances run at most; more calls wait.
        pub max_instances: usize = 8, 1..=1_000;
        /// How many calls an instance takes before it is replaced.
        pub max_instance_reuse_count: usize = 1024, 1..=u32::MAX.into();
        /// How many calls run in one instance at a time; by default 1 with a source, 16 without.
        pub max_instance_concurrent_reuse_count: Option<usize> = None, 1..=1_000;
        /// How long an instance without a call is kept, in seconds.
        pub idle_instance_timeout_secs: u32 = 60, 0..=86_400;
        /// Wall time of one call, in seconds; by default 900 with a source of tasks, 300 with another, 30 without.
        pub request_timeout_secs: Option<u32> = None, 1..=43_200;
        /// Linear memory of one instance, in MiB.
        pub max_memory_mb: usize = 128, 1..=4_096;
        /// The longest a guest may compute without waiting for anything, in milliseconds.
        pub max_cpu_ms: u32 = 5_000, 1..=3_600_000;
    }
}

/// The manifest fills in what depends on a component's sources; the defaults here are those of a component of which no
/// manifest speaks.
impl Limits {
    /// Wall time of one call without a source, in seconds.
    pub const REQUEST_TIMEOUT_SECS: u32 = 30;

    /// Calls at a time in one instance.
    pub fn concurrency(&self) -> usize {
        self.max_instance_concurrent_reuse_count.unwrap_or(1)
    }

    /// An instance without a call for this long is retired.
    pub fn idle_instance_timeout(&self) -> Duration {
        Duration::from_secs(self.idle_instance_timeout_secs.into())
    }

    /// Wall time of one call.
    pub fn request_timeout(&self) -> Duration {
        Duration::from_secs(self.request_timeout_secs.unwrap_or(Self::REQUEST_TIMEOUT_SECS).into())
    }

    /// Linear memory of one instance, all memories together, bytes.
    pub fn max_memory_bytes(&self) -> usize {
        self.max_memory_mb << 20
    }

    /// The longest time that a guest may compute without waiting for anything.
    pub fn max_cpu(&self) -> Duration {
        Duration::from_millis(self.max_cpu_ms.into())
    }
}
