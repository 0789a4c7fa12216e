//! One call of a worker: the context of its logs, spans and outgoing requests, and its metrics.

use crate::log::{Level, Measured};
use crate::{Attribute, Event, log};
use chrono::Utc;
use host_adapters_event::can_follow;
use serde_json::{Map, Value};
use std::time::Duration;

/// Passed to every worker with its call. It is cheap to make; [`Call::of`] makes one for a single record of a batch.
#[derive(Clone, Debug)]
pub struct Call {
    worker: &'static str,
    threshold: Level,
    /// Names the work in logs and in requests to services.
    pub correlation_id: String,
    /// W3C trace context to pass on.
    pub traceparent: Option<String>,
    campaign_id: Option<String>,
}

impl Call {
    /// A call of `worker`, the component's id. The level comes from `LOG_LEVEL` and `CONFIG_ENV`.
    pub fn new(worker: &'static str, correlation_id: String, traceparent: Option<String>) -> Self {
        let variable = |name| std::env::var(name).ok();
        let threshold = Level::threshold(variable("LOG_LEVEL").as_deref(), variable("CONFIG_ENV").as_deref());
        Self { worker, threshold, correlation_id, traceparent, campaign_id: None }
    }

    /// The wall time of a call: when it is over, the host ends the call. `None` where the host does not tell, as Spin's.
    pub fn wall_time() -> Option<Duration> {
        let seconds = std::env::var("REQUEST_TIMEOUT_SECS").ok()?.parse().ok()?;
        Some(Duration::from_secs(seconds))
    }

    /// The same call, with the context of one record of its batch.
    pub fn of(&self, event: &Event) -> Self {
        Self {
            correlation_id: event.correlation_id.clone(),
            traceparent: event.traceparent.clone().or_else(|| self.traceparent.clone()),
            ..self.clone()
        }
    }

    /// The same call, for the part of its work that is for one campaign: its spans and requests to services say so.
    #[must_use]
    pub fn about(&self, campaign_id: &str) -> Self {
        Self { campaign_id: Some(campaign_id.to_owned()), ..self.clone() }
    }

    /// The campaign that the call is about, if that is known.
    pub fn campaign_id(&self) -> Option<&str> {
        self.campaign_id.as_deref()
    }

    /// Attributes for a message that continues this call: `correlationId`, `traceparent`. Their values come from outside;
    /// one that no message can carry is left out, so that it does not have every message of the call refused.
    pub fn attributes(&self) -> Vec<Attribute> {
        let follows = [("correlationId", Some(&self.correlation_id)), ("traceparent", self.traceparent.as_ref())];
        let follows =
            follows.into_iter().filter_map(|(name, text)| Some((name, text.filter(|text| can_follow(text))?)));
        follows.map(|(name, text)| Attribute::text(name, text)).collect()
    }

    /// Logs details for developers.
    pub fn debug(&self, message: &str, data: Value) {
        self.log(Level::Debug, message, &data);
    }

    /// Logs what happened.
    pub fn info(&self, message: &str, data: Value) {
        self.log(Level::Info, message, &data);
    }

    /// Logs a problem that was handled, or a fault of the sender.
    pub fn warn(&self, message: &str, data: Value) {
        self.log(Level::Warn, message, &data);
    }

    /// Logs what needs attention.
    pub fn error(&self, message: &str, data: Value) {
        self.log(Level::Error, message, &data);
    }

    fn log(&self, level: Level, message: &str, data: &Value) {
        if level >= self.threshold {
            println!("{}", log::line(Utc::now(), level, self.worker, message, &self.correlation_id, data));
        }
    }

    /// Adds to a counter of the worker, whose name ends in `_total`. The host shows it at `/metrics` as
    /// `registration_worker_<name>`, with the label `worker` and these.
    ///
    /// Names are lower-case letters and `_`. A worker has up to 50 series, so a label is not for ids: three of them at
    /// most, with values of up to 64 bytes. What exceeds that is a line of the log, or dropped (docs/operations.md).
    pub fn count(&self, name: &str, number: u64, labels: &[(&str, &str)]) {
        println!("{}", log::metric_line(name, Measured::Add(number), labels));
    }

    /// Adds a time to a histogram of the worker, whose name ends in `_seconds`; otherwise as [`Call::count`].
    pub fn observe(&self, name: &str, seconds: f64, labels: &[(&str, &str)]) {
        println!("{}", log::metric_line(name, Measured::Observe(seconds), labels));
    }

    /// Starts a span; it ends when dropped. Outside a trace it does nothing.
    #[must_use = "a span ends when dropped"]
    pub fn span(&self, name: &'static str) -> Span<'_> {
        Span(self.traceparent.as_deref().map(|traceparent| {
            let mut attributes = Map::new();
            attributes.insert("span.workerName".to_owned(), log::camel_case_name(self.worker).into());
            attributes.insert("correlation.id".to_owned(), self.correlation_id.clone().into());
            attributes.extend(self.campaign_id.clone().map(|id| ("span.campaignId".to_owned(), id.into())));
            Traced { call: self, traceparent, name, start_ms: Utc::now().timestamp_millis(), attributes }
        }))
    }
}

/// A timed part of a call.
#[derive(Debug)]
pub struct Span<'a>(Option<Traced<'a>>);

#[derive(Debug)]
struct Traced<'a> {
    call: &'a Call,
    traceparent: &'a str,
    name: &'static str,
    start_ms: i64,
    attributes: Map<String, Value>,
}

impl Span<'_> {
    /// Adds an attribute, for example `span.campaignId`.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        if let Some(traced) = &mut self.0 {
            traced.attributes.insert(name.to_owned(), value.into());
        }
    }
}

impl Drop for Traced<'_> {
    fn drop(&mut self) {
        let (end_ms, id) = (Utc::now().timestamp_millis(), &self.call.correlation_id);
        println!("{}", log::span_line(self.name, self.start_ms, end_ms, id, self.traceparent, &self.attributes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn point_1_what_no_message_can_carry_costs_no_message() {
        let attributes = |correlation_id: &str, traceparent: Option<&str>| {
            Call::new("save-entries", correlation_id.to_owned(), traceparent.map(str::to_owned)).attributes()
        };
        let (id, trace) = (Attribute::text("correlationId", "c-1"), Attribute::text("traceparent", "00-trace"));
        assert_eq!(attributes("c-1", Some("00-trace")), [id.clone(), trace.clone()]);
        assert_eq!(attributes("c-1", None), std::slice::from_ref(&id));
        for wrong in ["", "two\nlines", "\u{1b}[31m", "c\u{fffe}"] {
            assert_eq!(attributes(wrong, Some("00-trace")), std::slice::from_ref(&trace), "{wrong:?}");
            assert_eq!(attributes("c-1", Some(wrong)), std::slice::from_ref(&id), "{wrong:?}");
        }
    }
}
