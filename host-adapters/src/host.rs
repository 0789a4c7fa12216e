//! What the host provides to the runtime: platform, cache, variables, the open web, logs.

use crate::manifest::Component;
use crate::outgoing;
use crate::secrets::Secrets;
use crate::telemetry::Tracing;
use crate::telemetry::logs::{self, GuestLine};
use crate::telemetry::trace::WORKER_NAME;
use crate::telemetry::worker_metrics;
use bytes::Bytes;
use host_adapters_outbound::{Web, WebError};
use host_adapters_records::cache::CacheBackend;
use host_adapters_records::{Caller, Platform};
use host_adapters_runtime::host::{self as runtime, SendError, SendErrorKind};
use host_adapters_sources::camel_case_name;
use opentelemetry::KeyValue;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Platform, cache, variables, the open web and logs of all components.
pub struct ComponentHost {
    /// The platform, which checks the grants.
    pub platform: Arc<dyn Platform>,
    /// Components by id, for their variables and allowed hosts.
    pub components: BTreeMap<String, Component>,
    /// The secrets that are hidden in everything that components log or return.
    pub secrets: Secrets,
    /// The cache, which is `spin:redis` to components.
    pub cache: Arc<dyn CacheBackend>,
    /// Requests to the open web.
    pub web: Web,
    /// Makes the spans of such requests and of guests.
    pub tracing: Tracing,
}

#[async_trait::async_trait]
impl runtime::Host for ComponentHost {
    fn platform(&self) -> &Arc<dyn Platform> {
        &self.platform
    }

    async fn open_cache(&self, component: &str, digest: &str, address: &str) -> Option<Arc<dyn CacheBackend>> {
        let uri: Option<http::Uri> = address.parse().ok();
        let allowed = |uri| self.components.get(component).is_some_and(|it| it.allowed_outbound_hosts.allows(uri));
        if !uri.as_ref().is_some_and(allowed) {
            // A user and a password are left out.
            let address = address.rsplit_once('@').map_or(address, |(_, host)| host);
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
        mut request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, SendError> {
        let caller = Caller { name: component, digest };
        let Some(manifest) = self.components.get(component) else { return Err(unknown(component)) };
        let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
        let uri = request.uri();
        let target = (request.method().as_str(), uri.host().unwrap_or_default(), uri.path());
        let mut span = outgoing::span(&self.tracing, caller, target, None, header);
        if let Some(value) = span.traceparent().and_then(|value| value.parse().ok()) {
            request.headers_mut().insert("traceparent", value);
        }
        match self.web.send(component, &manifest.allowed_outbound_hosts, request).await {
            Ok(response) => {
                span.set(KeyValue::new("http.response.status_code", i64::from(response.status().as_u16())));
                Ok(response)
            }
            Err(error) => {
                span.fail(&error.to_string());
                tracing::warn!(worker = component, digest, %error, "request to the open web failed");
                Err(SendError { kind: kind(&error), message: error.to_string() })
            }
        }
    }

    fn hide_secrets<'a>(&self, component: &str, said: &'a str) -> Cow<'a, str> {
        self.secrets.hide(component, said)
    }

    fn log(&self, component: &str, digest: &str, line: &str) {
        match logs::guest_line(component, digest, &self.secrets.hide(component, line)) {
            GuestLine::Logged => {}
            GuestLine::Span(span) => self.guest_span(component, digest, &span),
            GuestLine::Metric(metric) => worker_metrics::record(component, digest, metric),
        }
    }
}

impl ComponentHost {
    /// Records a span that a guest measured, as a child of the call's.
    fn guest_span(&self, component: &str, digest: &str, span: &Map<String, Value>) {
        let text = |name: &str| span.get(name).and_then(Value::as_str);
        // JavaScript and Python measure in fractions of milliseconds, and write whole ones as `1.0`.
        let number = |name: &str| span.get(name).and_then(Value::as_f64).map(|ms| ms as u64);
        let (Some(name), Some(start), Some(end)) = (text("span"), number("startMs"), number("endMs")) else {
            tracing::warn!(worker = component, digest, "a span line without span, startMs and endMs is dropped");
            return;
        };
        let mut attributes = vec![
            KeyValue::new(WORKER_NAME, camel_case_name(component)),
            KeyValue::new("component.digest", digest.to_owned()),
        ];
        let given = span.get("attributes").and_then(Value::as_object).into_iter().flatten();
        for (name, value) in given.filter(|(name, _)| *name != WORKER_NAME) {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            attributes.push(KeyValue::new(name.clone(), value));
        }
        self.tracing.record(name.to_owned(), text("traceparent"), attributes, start, end);
    }
}

fn unknown(component: &str) -> SendError {
    SendError { kind: SendErrorKind::Denied, message: format!("there is no component `{component}`") }
}

fn kind(error: &WebError) -> SendErrorKind {
    match error {
        WebError::Denied { .. } => SendErrorKind::Denied,
        WebError::Connection { .. } => SendErrorKind::Connection,
        WebError::TimedOut(_) => SendErrorKind::TimedOut,
        WebError::TooLarge(_) | WebError::Unsendable { .. } => SendErrorKind::Other,
    }
}
