//! Prometheus metrics.

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use std::time::Duration;

/// Bucket bounds of durations, seconds: half a millisecond to a minute.
const SECONDS: &[f64] =
    &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// Renders the metrics at `/metrics`.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

/// Installs the recorder of the process. Needs an async runtime, on which old measurements are dropped.
///
/// # Errors
/// When called twice.
pub fn install() -> anyhow::Result<Metrics> {
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS)?
        .build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder)?;
    host_adapters_delivery::metrics::describe();
    let upkeep = handle.clone();
    tokio::spawn(async move {
        let mut tick = tokio::time::interval(Duration::from_secs(5));
        loop {
            tick.tick().await;
            upkeep.run_upkeep();
        }
    });
    Ok(Metrics(handle))
}

impl Metrics {
    /// The metrics in Prometheus' exposition format.
    pub fn render(&self) -> String {
        self.0.render()
    }
}
