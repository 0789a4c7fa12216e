//! Settings of a source of tasks, as in `spin.toml`.

use super::TaskSource;
use crate::{Source, SourceContext, SourceSettings};
use host_adapters_event::source_name;
use host_adapters_settings::settings;
use std::sync::Arc;
use std::time::Duration;

/// How many heartbeats in a row must fail before the attempt's lease is over.
const HEARTBEATS_OF_A_LEASE: u32 = 3;

settings! {
    /// The executions of a worker's tasks. The wall time of an attempt is the worker's `request_timeout_secs`.
    pub struct TaskConfig {
        /// Most executions under way; others wait.
        pub max_concurrency: usize = 4, 1..=1_000;
        /// The failed attempt with which an execution has failed. Step Functions counts attempts itself, by the `Retry` of
        /// the state.
        pub max_attempts: u32 = 3, 1..=100;
        /// Seconds between two heartbeats of an attempt under way. After three without one, another attempt may begin.
        /// Step Functions has its own limit, the state's `HeartbeatSeconds`, which must be longer.
        pub heartbeat_secs: u32 = 10, 1..=3_600;
    }
}

impl TaskConfig {
    pub(super) fn heartbeat(&self) -> Duration {
        Duration::from_secs(self.heartbeat_secs.into())
    }

    /// How long an attempt is this host's after a heartbeat.
    pub(super) fn lease(&self) -> Duration {
        // And a half, so that the last of them may still arrive.
        self.heartbeat() * HEARTBEATS_OF_A_LEASE + self.heartbeat() / 2
    }
}

impl SourceSettings for TaskConfig {
    fn name(&self) -> String {
        source_name::TASK.to_owned()
    }

    fn does_tasks(&self) -> bool {
        true
    }

    /// A failed execution is kept where it is, with its input and error (docs/delivery.md, 13.6).
    fn dead_letter_queue(&self, _worker: &str) -> Option<String> {
        None
    }

    fn source(&self, context: &SourceContext) -> Arc<dyn Source> {
        Arc::new(TaskSource::new(self.clone(), context))
    }
}
