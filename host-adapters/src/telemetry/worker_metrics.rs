//! Metrics of workers, each a line of their log: `{"metric":"rows_total","add":3,"labels":{"kind":"new"}}` counts,
//! `{"metric":"report_seconds","observe":1.5}` measures. `/metrics` shows `registration_worker_<name>`, with the worker.
//!
//! A hostile worker can neither create many series nor one that looks like the host's or another worker's.

use metrics::{Label, counter, histogram};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

/// What their names begin with. No metric of the host's own does.
pub(super) const PREFIX: &str = "registration_worker_";

/// Most series of a worker: each stays in memory.
const MAX_SERIES: usize = 50;
/// Most labels of a metric, the worker not among them.
const MAX_LABELS: usize = 3;
/// Most bytes of the name of a metric or of a label, and of a label's value.
const MAX_BYTES: usize = 64;
/// Longest time, seconds: sums of such times stay numbers.
const MAX_SECONDS: f64 = 1e10;
/// Labels that the host or Prometheus sets.
const RESERVED: [&str; 3] = ["le", "quantile", "worker"];

/// What a line counts or measures.
#[derive(Debug, PartialEq)]
pub struct WorkerMetric {
    series: Series,
    value: Value,
}

#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Series {
    name: String,
    labels: BTreeMap<String, String>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Value {
    Add(u64),
    Observe(f64),
}

impl WorkerMetric {
    /// Reads a line. `None` if it is malformed or exceeds a limit. Counters end in `_total` and histograms in
    /// `_seconds`, so no name is that of both.
    pub fn read(line: &str) -> Option<Self> {
        #[derive(Deserialize)]
        struct Line {
            metric: String,
            add: Option<u64>,
            observe: Option<f64>,
            #[serde(default)]
            labels: BTreeMap<String, String>,
        }
        let Line { metric, add, observe, labels } = serde_json::from_str(line).ok()?;
        let value = match (add, observe) {
            (Some(number), None) if metric.ends_with("_total") => Value::Add(number),
            (None, Some(seconds)) if metric.ends_with("_seconds") && (0.0..=MAX_SECONDS).contains(&seconds) => {
                Value::Observe(seconds)
            }
            _ => return None,
        };
        let are_labels = labels.len() <= MAX_LABELS && labels.iter().all(|(name, value)| is_label(name, value));
        let series = Series { name: format!("{PREFIX}{metric}"), labels };
        (is_name(&metric) && are_labels).then_some(Self { series, value })
    }
}

fn is_name(name: &str) -> bool {
    (1..=MAX_BYTES).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

/// Names that begin with `__` are Prometheus' own.
fn is_label(name: &str, value: &str) -> bool {
    is_name(name)
        && !name.starts_with('_')
        && !RESERVED.contains(&name)
        && value.len() <= MAX_BYTES
        && !value.contains(char::is_control)
}

/// Counts or measures for a worker. If that takes a series too many it is dropped, with one warning for each worker.
pub fn record(worker: &str, digest: &str, WorkerMetric { series, value }: WorkerMetric) {
    /// By worker: versions of one share its series.
    static KNOWN: Mutex<BTreeMap<String, Known>> = Mutex::new(BTreeMap::new());
    let admission = {
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry(worker.to_owned()).or_default().admit(&series)
    };
    match admission {
        Admission::Taken => add(worker, series, value),
        Admission::FirstDropped => {
            tracing::warn!(worker, digest, metric = series.name, "too many series of metrics; others are dropped");
        }
        Admission::Dropped => {}
    }
}

/// The series of a worker.
#[derive(Default)]
struct Known {
    series: BTreeSet<Series>,
    has_dropped: bool,
}

#[derive(Debug, Eq, PartialEq)]
enum Admission {
    Taken,
    FirstDropped,
    Dropped,
}

impl Known {
    fn admit(&mut self, series: &Series) -> Admission {
        if self.series.contains(series) {
            return Admission::Taken;
        }
        if self.series.len() < MAX_SERIES {
            self.series.insert(series.clone());
            return Admission::Taken;
        }
        if std::mem::replace(&mut self.has_dropped, true) { Admission::Dropped } else { Admission::FirstDropped }
    }
}

fn add(worker: &str, Series { name, labels }: Series, value: Value) {
    let mut all = vec![Label::new("worker", worker.to_owned())];
    all.extend(labels.into_iter().map(|(name, value)| Label::new(name, value)));
    match value {
        Value::Add(number) => counter!(name, all).increment(number),
        Value::Observe(seconds) => histogram!(name, all).record(seconds),
    }
}

#[cfg(test)]
#[allow(clippy::panic, clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    fn metric(line: &serde_json::Value) -> WorkerMetric {
        WorkerMetric::read(&line.to_string()).unwrap_or_else(|| panic!("{line}"))
    }

    /// What `/metrics` shows after these lines of a worker.
    fn shown(worker: &str, lines: impl IntoIterator<Item = serde_json::Value>) -> String {
        let recorder = crate::telemetry::metrics::recorder().unwrap();
        metrics::with_local_recorder(&recorder, || {
            lines.into_iter().for_each(|line| record(worker, "digest", metric(&line)));
        });
        recorder.handle().render()
    }

    #[test]
    fn a_worker_counts_and_measures() {
        let rows = |number: u64| json!({"metric": "rows_total", "add": number, "labels": {"kind": "a \"b\""}});
        let took = |seconds: f64| json!({"metric": "report_seconds", "observe": seconds, "correlationId": "c"});
        let shown = shown("counting", [rows(0), rows(2), rows(3), took(59.0), took(61.5)]);
        for line in [
            "# TYPE registration_worker_rows_total counter",
            r#"registration_worker_rows_total{worker="counting",kind="a \"b\""} 5"#,
            "# TYPE registration_worker_report_seconds histogram",
            r#"registration_worker_report_seconds_bucket{worker="counting",le="60"} 1"#,
            r#"registration_worker_report_seconds_bucket{worker="counting",le="120"} 2"#,
            r#"registration_worker_report_seconds_sum{worker="counting"} 120.5"#,
        ] {
            assert!(shown.lines().any(|it| it == line), "{line} in {shown}");
        }
    }

    #[test]
    fn a_malformed_line_is_none() {
        let named = |name: &str| json!({"metric": name, "add": 1});
        let labelled = |labels: serde_json::Value| json!({"metric": "a_total", "add": 1, "labels": labels});
        let long = |bytes: usize| "a".repeat(bytes);
        metric(&named(&format!("{}_total", long(58))));
        metric(&labelled(json!({"a": "", "b_": "ä", long(64): long(64)})));
        for wrong in [
            named(&format!("{}_total", long(59))),
            named(""),
            named("a"),
            named("A_total"),
            named("a{}\n_total"),
            named("a1_total"),
            named("a_seconds"),
            json!({"metric": 1, "add": 1}),
            json!({"metric": "a_total"}),
            json!({"metric": "a_total", "add": -1}),
            json!({"metric": "a_total", "add": 1.5}),
            json!({"metric": "a_total", "add": "1"}),
            json!({"metric": "a_total", "observe": 1}),
            json!({"metric": "a_seconds", "observe": -0.1}),
            json!({"metric": "a_seconds", "observe": 1e11}),
            json!({"metric": "a_seconds", "observe": 1, "add": 1}),
            labelled(json!({"worker": "another"})),
            labelled(json!({"le": "1"})),
            labelled(json!({"__name__": "registration_acked_total"})),
            labelled(json!({"A": "1"})),
            labelled(json!({"": "1"})),
            labelled(json!({"a": 1})),
            labelled(json!({"a": "line\nbreak"})),
            labelled(json!({"a": long(65)})),
            labelled(json!({long(65): "1"})),
            labelled(json!({"a": "1", "b": "1", "c": "1", "d": "1"})),
            labelled(json!([])),
        ] {
            assert_eq!(WorkerMetric::read(&wrong.to_string()), None, "{wrong}");
        }
        for wrong in [r#"{"metric":"a_seconds","observe":1e999}"#, r#"{"metric":"a_total","add":1,"add":2}"#, "[]"] {
            assert_eq!(WorkerMetric::read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_worker_cannot_make_unlimited_series() {
        let numbered = |n: usize| json!({"metric": "a_total", "add": 1, "labels": {"n": n.to_string()}});
        let shown = shown("endless", (0..MAX_SERIES + 9).chain([0]).map(numbered));
        assert_eq!(shown.lines().filter(|line| line.starts_with("registration_worker_a_total{")).count(), MAX_SERIES);
        assert!(shown.contains("n=\"0\"} 2") && !shown.contains(&format!("n=\"{MAX_SERIES}\"")), "{shown}");

        let mut known = Known::default();
        let admissions = (0..MAX_SERIES + 2).map(|n| known.admit(&metric(&numbered(n)).series)).collect::<Vec<_>>();
        let (taken, dropped) = admissions.split_at(MAX_SERIES);
        assert!(taken.iter().all(|it| *it == Admission::Taken));
        assert_eq!(dropped, [Admission::FirstDropped, Admission::Dropped]);
    }
}
