//! Logs: one JSON object per line on stderr, in the format of API usage ("CloudWatch Logs"), for host and guests.

use super::worker_metrics::WorkerMetric;
use chrono::{SecondsFormat, Utc};
use host_adapters_sources::camel_case_name;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use std::borrow::{Borrow, Cow};
use std::collections::BTreeMap;
use std::io::Write;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

/// The tag of the host's own lines; a worker's is `registration:apps:<its name in the documents>`.
const HOST_TAG: &str = "registration:host";

/// The level for `LOG_LEVEL` and `CONFIG_ENV`: INFO by default, DEBUG only in local-dev, dev and qa.
pub fn level(log_level: Option<&str>, config_env: Option<&str>) -> LevelFilter {
    let debuggable = matches!(config_env.unwrap_or("local-dev"), "local-dev" | "dev" | "qa");
    match log_level.unwrap_or("INFO").to_ascii_uppercase().as_str() {
        "ERROR" => LevelFilter::ERROR,
        "WARN" => LevelFilter::WARN,
        "DEBUG" if debuggable => LevelFilter::DEBUG,
        _ => LevelFilter::INFO,
    }
}

pub(super) fn install(level: LevelFilter) -> anyhow::Result<()> {
    // Libraries log only warnings and errors; details of wasmtime and hyper are of no use to operators.
    let ours = tracing_subscriber::filter::Targets::new()
        .with_default(LevelFilter::WARN.min(level))
        .with_target("host_adapters", level)
        .with_target("host_adapters_delivery", level)
        .with_target("host_adapters_runtime", level);
    tracing_subscriber::registry().with(JsonLines.with_filter(ours)).try_init()?;
    Ok(())
}

struct JsonLines;

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for JsonLines {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        // Adds fields of the surrounding spans that the event itself lacks.
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(Fields(outer)) = span.extensions().get::<Fields>() {
                for (name, value) in outer {
                    fields.0.entry(name).or_insert_with(|| value.clone());
                }
            }
        }
        let level = name(*event.metadata().level());
        count("host", level);
        let message = fields.0.remove("message").unwrap_or_default();
        let correlation_id = fields.0.remove("correlation_id");
        let mut line = json!({
            "timestamp": now(),
            "level": level,
            "tag": HOST_TAG,
            "message": message,
        });
        if let Some(line) = line.as_object_mut() {
            line.extend(correlation_id.map(|id| ("correlationId".to_owned(), id)));
            if !fields.0.is_empty() {
                line.insert("data".to_owned(), Value::Object(fields.0));
            }
        }
        write(line.to_string());
    }
}

fn name(level: Level) -> &'static str {
    match level {
        Level::ERROR => "ERROR",
        Level::WARN => "WARN",
        Level::INFO => "INFO",
        _ => "DEBUG",
    }
}

/// The fields of an event as JSON.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}").into());
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.into());
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().to_owned(), value.into());
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().to_owned(), value.into());
    }
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.insert(field.name().to_owned(), value.into());
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

/// The content of a guest's line.
pub enum GuestLine {
    /// A log line. It has been written.
    Logged,
    /// A finished span of the guest.
    Span(Map<String, Value>),
    /// What the guest counts or measures.
    Metric(WorkerMetric),
}

/// Writes one line of a guest with the worker's tag, id and digest, or returns the span or the metric in it. A line
/// that is not a JSON object becomes the message of one; a malformed metric is a line like others.
pub fn guest_line(component: &str, digest: &str, line: &str) -> GuestLine {
    let Ok(members) = serde_json::from_str::<Members<'_>>(line) else {
        let message = json!({"message": line, "level": "INFO"}).to_string();
        write(guest_text(component, digest, serde_json::from_str(&message).unwrap_or_default()));
        return GuestLine::Logged;
    };
    if members.contains_key("span")
        && let Ok(span) = serde_json::from_str(line)
    {
        return GuestLine::Span(span);
    }
    if members.contains_key("metric")
        && let Some(metric) = WorkerMetric::read(line)
    {
        return GuestLine::Metric(metric);
    }
    count(component, members.get("level").map_or("", |level| level.get().trim_matches('"')));
    write(guest_text(component, digest, members));
    GuestLine::Logged
}

/// Counts a line that is a warning or an error.
fn count(worker: &str, level: &str) {
    let level = match level {
        "ERROR" => "ERROR",
        "WARN" => "WARN",
        _ => return,
    };
    metrics::counter!("registration_logged_total", "worker" => worker.to_owned(), "level" => level).increment(1);
}

/// The members of an object, not parsed.
type Members<'a> = BTreeMap<Name<'a>, &'a RawValue>;

/// The name of a member, borrowed unless it is escaped.
#[derive(Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl Borrow<str> for Name<'_> {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// The line to write. The host's values replace those of the guest.
fn guest_text(component: &str, digest: &str, mut members: Members<'_>) -> String {
    #[derive(Serialize)]
    struct Line<'a> {
        timestamp: String,
        tag: String,
        worker: &'a str,
        digest: &'a str,
        #[serde(flatten)]
        members: Members<'a>,
    }
    for name in ["timestamp", "tag", "worker", "digest"] {
        members.remove(name);
    }
    let line = Line { timestamp: now(), tag: tag(component), worker: component, digest, members };
    serde_json::to_string(&line).unwrap_or_default()
}

/// `registration:apps:saveEntries` for `save-entries`.
pub fn tag(component: &str) -> String {
    format!("registration:apps:{}", camel_case_name(component))
}

fn now() -> String {
    Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Writes a line with one system call, so that lines of several threads do not mix. If stderr is full or closed, the
/// line is lost.
fn write(mut text: String) {
    text.push('\n');
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_use_the_documents_names() {
        assert_eq!(tag("check-eligibility"), "registration:apps:checkEligibility");
    }

    #[test]
    fn the_hosts_values_replace_those_of_a_guests_line() {
        let line = r#"{"level":"WARN","message":"a \"b\"","tag":"forged","digest":"forged","data":{"n":1.50},"\u0077orker":"forged"}"#;
        let members = serde_json::from_str(line).unwrap_or_default();
        let text = guest_text("save-entries", "d", members);
        let (_, rest) = text.split_once(',').unwrap_or_default();
        assert_eq!(
            rest,
            r#""tag":"registration:apps:saveEntries","worker":"save-entries","digest":"d","data":{"n":1.50},"level":"WARN","message":"a \"b\""}"#
        );
    }

    #[test]
    fn a_metric_is_not_logged_unless_it_is_malformed() {
        let metric = r#"{"metric":"rows_total","add":1}"#;
        assert!(matches!(guest_line("save-entries", "d", metric), GuestLine::Metric(_)));
        for line in [r#"{"metric":"rows","add":1}"#, r#"{"metric":null,"message":"m"}"#, "metric"] {
            assert!(matches!(guest_line("save-entries", "d", line), GuestLine::Logged), "{line}");
        }
    }

    #[test]
    fn debug_is_for_development_only() {
        assert_eq!(level(Some("DEBUG"), Some("prod")), LevelFilter::INFO);
        assert_eq!(level(Some("debug"), Some("qa")), LevelFilter::DEBUG);
        assert_eq!(level(None, None), LevelFilter::INFO);
    }
}
