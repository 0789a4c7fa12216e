//! Telemetry of the host and its workers: JSON logs on stderr, metrics at `/metrics`, spans by OTLP.

pub mod campaigns;
pub mod executions;
pub mod logs;
pub mod metrics;
pub mod queues;
pub mod trace;
pub mod worker_metrics;

pub use trace::Tracing;

/// Sets up logs and metrics for the process.
///
/// # Errors
/// When called twice.
pub fn install(level: tracing::level_filters::LevelFilter) -> anyhow::Result<metrics::Metrics> {
    logs::install(level)?;
    metrics::install()
}
