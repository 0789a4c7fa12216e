//! What components send out of the host, services and the open web: each request has a span and log lines that say whose
//! it is.

use crate::telemetry::Tracing;
use crate::telemetry::trace::Span;
use host_adapters_outbound::Services;
use host_adapters_platform::{Result, ServiceBackend};
use host_adapters_records::Caller;
use host_adapters_records::service::{ServiceRequest, ServiceResponse};
use host_adapters_sources::camel_case_name;
use opentelemetry::KeyValue;
use opentelemetry::trace::SpanKind;
use tracing::Instrument;

/// The services, as the platform calls them.
pub struct TracedServices {
    /// Makes the calls.
    pub services: Services,
    /// Makes their spans.
    pub tracing: Tracing,
}

#[async_trait::async_trait]
impl ServiceBackend for TracedServices {
    async fn call(&self, caller: Caller<'_>, service: &str, mut request: ServiceRequest) -> Result<ServiceResponse> {
        let header = |name: &str| Some(request.headers.iter().find(|it| it.0.eq_ignore_ascii_case(name))?.1.as_str());
        let path = request.path.split('?').next().unwrap_or_default();
        let mut span = span(&self.tracing, caller, (&request.method, service, path), header);
        if let Some(traceparent) = span.traceparent() {
            request.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("traceparent"));
            request.headers.push(("traceparent".to_owned(), traceparent.to_owned()));
        }
        // What is logged below, retries for instance, says whose call it was.
        let (worker, digest) = (caller.name, caller.digest);
        let context = tracing::error_span!("service call", worker, digest);
        match self.services.send(worker, service, request).instrument(context).await {
            Ok(sent) => {
                span.set(KeyValue::new("http.response.status_code", i64::from(sent.response.status)));
                span.set(KeyValue::new("http.request.resend_count", i64::from(sent.attempts.saturating_sub(1))));
                Ok(sent.response)
            }
            Err(error) => {
                span.fail(&error.to_string());
                tracing::warn!(worker, digest, %error, "service call failed");
                Err(error.into())
            }
        }
    }
}

/// Starts the span of a request: its method, the service or host that it goes to, and its path.
pub(crate) fn span<'h>(
    tracing: &Tracing,
    caller: Caller<'_>,
    (method, to, path): (&str, &str, &str),
    header: impl Fn(&str) -> Option<&'h str>,
) -> Span {
    tracing.start(SpanKind::Client, header("traceparent"), || {
        let attributes = vec![
            KeyValue::new("span.workerName", camel_case_name(caller.name)),
            KeyValue::new("component.digest", caller.digest.to_owned()),
            KeyValue::new("correlation.id", header("x-correlation-id").unwrap_or_default().to_owned()),
            KeyValue::new("url.path", path.to_owned()),
        ];
        (format!("{method} {to}"), attributes)
    })
}
