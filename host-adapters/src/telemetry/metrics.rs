//! Prometheus metrics.

use super::worker_metrics;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use std::time::Duration;

/// Bucket bounds of durations, seconds: half a millisecond to a minute.
const SECONDS: &[f64] =
    &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// Bucket bounds of the size of batches, records.
const RECORDS: &[f64] = &[1.0, 2.0, 5.0, 10.0, 25.0, 100.0, 500.0, 1_000.0, 5_000.0, 25_000.0];
/// Bucket bounds of the age of records and of tasks, and of what workers measure, seconds: those of an outage too.
const AGES: &[f64] =
    &[0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0, 21_600.0, 86_400.0];

/// Renders the metrics at `/metrics`.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

/// Installs the recorder of the process. Needs an async runtime, on which old measurements are dropped.
///
/// # Errors
/// When called twice.
pub fn install() -> anyhow::Result<Metrics> {
    let recorder = recorder()?;
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder)?;
    host_adapters_delivery::metrics::describe();
    describe();
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

/// The recorder. Of several matchers a full name goes before a prefix, and that before a suffix.
pub(super) fn recorder() -> anyhow::Result<PrometheusRecorder> {
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS)?
        .set_buckets_for_metric(Matcher::Full(host_adapters_delivery::metrics::RECORD_AGE.to_owned()), AGES)?
        .set_buckets_for_metric(Matcher::Full(host_adapters_platform::task::ATTEMPT_SECONDS.to_owned()), AGES)?
        .set_buckets_for_metric(Matcher::Prefix(worker_metrics::PREFIX.to_owned()), AGES)?
        .set_buckets_for_metric(Matcher::Full("registration_batch_size".to_owned()), RECORDS)?
        .build_recorder();
    Ok(recorder)
}

/// The help texts of metrics in crates that do not know when the recorder is installed.
fn describe() {
    use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
    describe_histogram!(host_adapters_platform::SECONDS, Unit::Seconds, "Calls of the platform's functions");
    describe_histogram!(
        host_adapters_platform::task::ATTEMPT_SECONDS,
        Unit::Seconds,
        "Attempts of tasks until their outcomes are stored, pauses included"
    );
    describe_counter!("registration_cache_gets_total", "Reads of the cache");
    describe_counter!("registration_instances_started_total", "Instances started");
    describe_gauge!("registration_instances", "Instances alive");
    describe_gauge!(
        "registration_versions",
        "Versions whose code is in memory: the serving one, and those that end calls"
    );
    describe_gauge!("registration_calls_waiting", "Calls that wait, because all instances are busy");
    describe_counter!("registration_logged_total", "Lines logged as WARN or ERROR");
}

impl Metrics {
    /// The metrics in Prometheus' exposition format.
    pub fn render(&self) -> String {
        self.0.render()
    }
}
