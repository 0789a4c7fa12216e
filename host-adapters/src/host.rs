//! What the runtime needs of the host: platform, cache, variables, services, logs.

use crate::manifest::Component;
use crate::secrets::Secrets;
use crate::telemetry::Tracing;
use crate::telemetry::logs::{self, GuestLine};
use bytes::Bytes;
use host_adapters_outbound::{SendError, Services};
use host_adapters_records::Platform;
use host_adapters_records::cache::CacheBackend;
use host_adapters_runtime::host::{self as runtime, SendErrorKind, Sent};
use host_adapters_sources::camel_case_name;
use opentelemetry::KeyValue;
use opentelemetry::trace::SpanKind;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use tracing::Instrument;

/// Platform, cache, variables, services and logs of all components.
pub struct Host {
    /// The platform, which checks the grants.
    pub platform: Arc<dyn Platform>,
    /// Components by id, for their variables and allowed hosts.
    pub components: BTreeMap<String, Component>,
    /// The secrets that are hidden in everything that components log or return.
    pub secrets: Secrets,
    /// The cache, which is `spin:redis` to components.
    pub cache: Arc<dyn CacheBackend>,
    /// The policy of outbound HTTP.
    pub services: Services,
    /// Makes the spans of service calls and of guests.
    pub tracing: Tracing,
}

#[async_trait::async_trait]
impl runtime::Host for Host {
    fn platform(&self) -> &Arc<dyn Platform> {
        &self.platform
    }

    async fn open_cache(&self, component: &str, digest: &str, address: &str) -> Option<Arc<dyn CacheBackend>> {
        let uri: Option<http::Uri> = address.parse().ok();
        let allowed = |uri| self.components.get(component).is_some_and(|it| it.allowed_outbound_hosts.allows(uri));
        if !uri.as_ref().is_some_and(allowed) {
            tracing::warn!(
                worker = component,
                digest,
                address,
                "not in its allowed_outbound_hosts in spin.toml, or not an address"
            );
            return None;
        }
        Some(self.cache.clone())
    }

    fn variable(&self, component: &str, name: &str) -> Option<String> {
        self.components.get(component)?.variables.get(name).map(|value| value.expose().to_owned())
    }

    async fn send_http(
        &self,
        component: &str,
        digest: &str,
        request: http::Request<Bytes>,
    ) -> Result<Sent, runtime::SendError> {
        let Some(manifest) = self.components.get(component) else { return Err(unknown(component)) };
        let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let mut span = self.tracing.start(SpanKind::Client, header("traceparent").as_deref(), || {
            let name = format!("{} {}", request.method(), request.uri().host().unwrap_or_default());
            let attributes = vec![
                KeyValue::new("span.workerName", camel_case_name(component)),
                KeyValue::new("component.digest", digest.to_owned()),
                KeyValue::new("correlation.id", header("x-correlation-id").unwrap_or_default()),
                KeyValue::new("url.path", request.uri().path().to_owned()),
            ];
            (name, attributes)
        });
        let mut request = request;
        if let Some(value) = span.traceparent().and_then(|value| value.parse().ok()) {
            request.headers_mut().insert("traceparent", value);
        }
        // Names the worker in all lines that are logged below, those of retries for instance.
        let context = tracing::error_span!("service call", worker = component, digest);
        let sent = self.services.send(component, &manifest.allowed_outbound_hosts, request);
        match sent.instrument(context).await {
            Ok(sent) => {
                span.set(KeyValue::new("http.response.status_code", i64::from(sent.response.status().as_u16())));
                span.set(KeyValue::new("http.request.resend_count", i64::from(sent.attempts.saturating_sub(1))));
                Ok(Sent { response: sent.response, outage: sent.outage })
            }
            Err(error) => {
                span.fail(&error.to_string());
                tracing::warn!(worker = component, digest, %error, "service call failed");
                Err(runtime::SendError { kind: kind(&error), message: error.to_string(), outage: error.outage() })
            }
        }
    }

    fn hide_secrets<'a>(&self, component: &str, said: &'a str) -> Cow<'a, str> {
        self.secrets.hide(component, said)
    }

    fn log(&self, component: &str, digest: &str, line: &str) {
        if let GuestLine::Span(span) = logs::guest_line(component, digest, &self.secrets.hide(component, line)) {
            self.guest_span(component, digest, &span);
        }
    }
}

impl Host {
    /// Records a span that a guest measured, as a child of the call's.
    fn guest_span(&self, component: &str, digest: &str, span: &Map<String, Value>) {
        let text = |name: &str| span.get(name).and_then(Value::as_str);
        let number = |name: &str| span.get(name).and_then(Value::as_u64);
        let (Some(name), Some(start), Some(end)) = (text("span"), number("startMs"), number("endMs")) else {
            tracing::warn!(worker = component, digest, "a span line without span, startMs and endMs is dropped");
            return;
        };
        let mut attributes = vec![KeyValue::new("component.digest", digest.to_owned())];
        for (name, value) in span.get("attributes").and_then(Value::as_object).into_iter().flatten() {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            attributes.push(KeyValue::new(name.clone(), value));
        }
        self.tracing.record(name.to_owned(), text("traceparent"), attributes, start, end);
    }
}

fn unknown(component: &str) -> runtime::SendError {
    runtime::SendError {
        kind: SendErrorKind::Denied,
        message: format!("there is no component `{component}`"),
        outage: None,
    }
}

fn kind(error: &SendError) -> SendErrorKind {
    match error {
        SendError::Denied { .. } | SendError::Unknown(_) | SendError::BadPath(_) => SendErrorKind::Denied,
        SendError::Connection { .. } => SendErrorKind::Connection,
        SendError::TimedOut(_) => SendErrorKind::TimedOut,
        SendError::TooLarge(_) | SendError::Unsendable { .. } => SendErrorKind::Other,
    }
}
