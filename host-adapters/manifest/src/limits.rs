//! What an instance of a component may use.

use super::component::ToolSettings;
use host_adapters_limits::Limits;

/// The limits of a component's tool block. By default tasks get fifteen minutes, as Lambda gives them at most, and batches
/// five, with an instance each; requests get 30 seconds and sixteen to an instance.
pub(super) fn of(tool: &ToolSettings) -> Limits {
    let (concurrent, request_timeout_secs) = match &tool.source {
        sources if sources.do_tasks() => (1, 900),
        sources if sources.any => (1, 300),
        _ => (16, Limits::REQUEST_TIMEOUT_SECS),
    };
    let limits = tool.limits.clone();
    Limits {
        max_instance_concurrent_reuse_count: limits.max_instance_concurrent_reuse_count.or(Some(concurrent)),
        request_timeout_secs: limits.request_timeout_secs.or(Some(request_timeout_secs)),
        ..limits
    }
}
