//! Log lines, spans and metrics: one JSON object a line on stdout.
//!
//! `host-adapters` adds worker and digest and replaces timestamp and tag. A Spin host leaves the line as it is, so it
//! has its own `timestamp` and `tag`. Shape and levels are those of API usage, "CloudWatch Logs".

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The severity of a line; later ones are more severe.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Level {
    /// Details, only in `local-dev`, `dev` and `qa`.
    Debug,
    /// What happened.
    Info,
    /// A problem that was handled, or a fault of the sender.
    Warn,
    /// Needs attention.
    Error,
}

impl Level {
    /// The lowest level that is written, by `LOG_LEVEL` and `CONFIG_ENV`. INFO if `LOG_LEVEL` is unset or not a level.
    pub fn threshold(log_level: Option<&str>, config_env: Option<&str>) -> Self {
        let wanted = match log_level.unwrap_or_default().to_ascii_uppercase().as_str() {
            "DEBUG" => Self::Debug,
            "WARN" => Self::Warn,
            "ERROR" => Self::Error,
            _ => Self::Info,
        };
        let debuggable = matches!(config_env.unwrap_or("local-dev"), "local-dev" | "dev" | "qa");
        if debuggable { wanted } else { wanted.max(Self::Info) }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
        }
    }
}

/// A log line. `worker` is the component's id.
pub fn line(
    now: DateTime<Utc>,
    level: Level,
    worker: &str,
    message: &str,
    correlation_id: &str,
    data: &Value,
) -> String {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Line<'a> {
        correlation_id: &'a str,
        #[serde(skip_serializing_if = "Value::is_null")]
        data: &'a Value,
        level: &'static str,
        message: &'a str,
        tag: &'a str,
        timestamp: String,
    }
    let tag = &format!("registration:apps:{}", camel_case_name(worker));
    text(&Line { correlation_id, data, level: level.name(), message, tag, timestamp: timestamp(now) })
}

/// A finished span, which the host makes a child of `traceparent`, the call's own. Times are milliseconds since 1970
/// (UTC).
pub fn span_line(
    name: &str,
    start_ms: i64,
    end_ms: i64,
    correlation_id: &str,
    traceparent: &str,
    attributes: &Map<String, Value>,
) -> String {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Line<'a> {
        attributes: &'a Map<String, Value>,
        correlation_id: &'a str,
        end_ms: i64,
        span: &'a str,
        start_ms: i64,
        traceparent: &'a str,
    }
    text(&Line { attributes, correlation_id, end_ms, span: name, start_ms, traceparent })
}

/// The content of a metric line.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Measured {
    /// A counter grows by this.
    Add(u64),
    /// A time that a histogram gets, seconds.
    Observe(f64),
}

/// A line from which the host counts or measures. A Spin host leaves it in the log.
pub fn metric_line(name: &str, measured: Measured, labels: &[(&str, &str)]) -> String {
    #[derive(Serialize)]
    struct Line<'a> {
        labels: BTreeMap<&'a str, &'a str>,
        #[serde(flatten)]
        measured: Measured,
        metric: &'a str,
    }
    text(&Line { labels: labels.iter().copied().collect(), measured, metric: name })
}

/// Text and numbers can always be serialised.
fn text(line: &impl Serialize) -> String {
    serde_json::to_string(line).unwrap_or_default()
}

/// RFC 3339 with milliseconds and `Z`, as in all documents.
pub fn timestamp(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// The worker's name in the documents: `saveEntries` for `save-entries`.
pub fn camel_case_name(worker: &str) -> String {
    let mut parts = worker.split('-');
    let mut name = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let mut letters = part.chars();
        name.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        name.push_str(letters.as_str());
    }
    name
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use expect_test::expect;
    use serde_json::json;

    fn noon() -> DateTime<Utc> {
        "2024-01-15T10:30:00.123Z".parse().unwrap()
    }

    #[test]
    fn a_line_has_the_documents_shape() {
        let data = json!({"campaignId": "campaign-789", "isEligible": true});
        let line =
            line(noon(), Level::Info, "check-eligibility", "Eligibility check completed", "correlation-123", &data);
        expect![[r#"{"correlationId":"correlation-123","data":{"campaignId":"campaign-789","isEligible":true},"level":"INFO","message":"Eligibility check completed","tag":"registration:apps:checkEligibility","timestamp":"2024-01-15T10:30:00.123Z"}"#]]
        .assert_eq(&line);
    }

    #[test]
    fn a_line_without_data_has_no_data() {
        let line = line(noon(), Level::Warn, "retry-score", "a \"quoted\"\nline", "c", &Value::Null);
        expect![[r#"{"correlationId":"c","level":"WARN","message":"a \"quoted\"\nline","tag":"registration:apps:retryScore","timestamp":"2024-01-15T10:30:00.123Z"}"#]]
        .assert_eq(&line);
    }

    #[test]
    fn a_span_names_its_call() {
        let attributes = Map::from_iter([("span.campaignId".to_owned(), json!("campaign-1"))]);
        let line = span_line("batchGet", 1000, 1012, "c", "00-1-2-01", &attributes);
        expect![[r#"{"attributes":{"span.campaignId":"campaign-1"},"correlationId":"c","endMs":1012,"span":"batchGet","startMs":1000,"traceparent":"00-1-2-01"}"#]]
        .assert_eq(&line);
    }

    #[test]
    fn a_metric_has_its_name_what_is_added_and_its_labels() {
        let line = metric_line("scoring_rows_total", Measured::Add(3), &[("outcome", "valid")]);
        expect![[r#"{"labels":{"outcome":"valid"},"add":3,"metric":"scoring_rows_total"}"#]].assert_eq(&line);
        let line = metric_line("report_seconds", Measured::Observe(1.5), &[]);
        expect![[r#"{"labels":{},"observe":1.5,"metric":"report_seconds"}"#]].assert_eq(&line);
    }

    #[test]
    fn debug_is_for_development_only() {
        for (level, env, expected) in [
            (Some("DEBUG"), None, Level::Debug),
            (Some("DEBUG"), Some("qa"), Level::Debug),
            (Some("debug"), Some("dev"), Level::Debug),
            (Some("DEBUG"), Some("prod"), Level::Info),
            (Some("DEBUG"), Some("preprod"), Level::Info),
            (Some("ERROR"), Some("prod"), Level::Error),
            (Some("WARN"), None, Level::Warn),
            (Some("loud"), None, Level::Info),
            (None, None, Level::Info),
        ] {
            assert_eq!(Level::threshold(level, env), expected, "{level:?} in {env:?}");
        }
    }

    #[test]
    fn seed_names_are_camel_case() {
        assert_eq!(camel_case_name("save-entries"), "saveEntries");
        assert_eq!(camel_case_name("campaigns-by-event"), "campaignsByEvent");
    }
}
