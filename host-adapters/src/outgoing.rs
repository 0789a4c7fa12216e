//! Requests of components to services and the open web: each has a span and log lines that name the component.

use crate::telemetry::Tracing;
use crate::telemetry::trace::{CAMPAIGN_ID, CORRELATION_ID, Span, WORKER_NAME};
use host_adapters_event::ServiceStatus;
use host_adapters_outbound::{SendError, Sent, Services};
use host_adapters_platform::{Result, ServiceBackend};
use host_adapters_records::Caller;
use host_adapters_records::service::{ServiceRequest, ServiceResponse};
use host_adapters_sources::camel_case_name;
use opentelemetry::KeyValue;
use opentelemetry::trace::SpanKind;
use tracing::Instrument;

/// The header with which a worker names the campaign of a request.
const CAMPAIGN_HEADER: &str = "x-campaign-id";
const CORRELATION_HEADER: &str = "x-correlation-id";

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
        let campaign = self.services.campaign(service, path);
        let campaign = campaign.as_deref().or_else(|| header(CAMPAIGN_HEADER));
        let correlation_id = header(CORRELATION_HEADER).map(str::to_owned);
        let mut span = span(&self.tracing, caller, (&request.method, service, path), campaign, header);
        if let Some(traceparent) = span.traceparent() {
            request.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("traceparent"));
            request.headers.push(("traceparent".to_owned(), traceparent.to_owned()));
        }
        // Lines that are logged below, such as retries, name the caller.
        let (worker, digest) = (caller.name, caller.digest);
        let context = tracing::error_span!("service call", worker, digest);
        let sent = self.services.send(worker, service, request).instrument(context).await;
        if let Ok(sent) = &sent {
            span.set(KeyValue::new("http.response.status_code", i64::from(sent.response.status)));
            span.set(KeyValue::new("http.request.resend_count", i64::from(sent.attempts.saturating_sub(1))));
        }
        if let Some(error) = failure(&sent) {
            span.fail(&error);
            tracing::error!(worker, digest, service, correlationId = correlation_id, error, "service call failed");
        }
        Ok(sent?.response)
    }
}

/// Why a call has failed, if it has. Statuses that may speak of the request are not failures here: it may be what the worker
/// asked for, or is sent again in parts, so that the worker logs what is an error in the end.
fn failure(sent: &std::result::Result<Sent, SendError>) -> Option<String> {
    match sent {
        Ok(sent) => {
            let status = sent.response.status;
            ServiceStatus::is_failed_call(status).then(|| format!("it answered {status}"))
        }
        // The worker goes without it.
        Err(SendError::NotSetUp(_)) => None,
        Err(error) => Some(error.to_string()),
    }
}

/// Starts the span of a request: its method, the service or host that it goes to, its path, and the campaign that it is
/// for. Attributes that are not known are those of the call that it is part of.
pub(crate) fn span<'h>(
    tracing: &Tracing,
    caller: Caller<'_>,
    (method, to, path): (&str, &str, &str),
    campaign: Option<&str>,
    header: impl Fn(&str) -> Option<&'h str>,
) -> Span {
    tracing.start(SpanKind::Client, header("traceparent"), || {
        let mut attributes = vec![
            KeyValue::new(WORKER_NAME, camel_case_name(caller.name)),
            KeyValue::new("component.digest", caller.digest.to_owned()),
            KeyValue::new("url.path", path.to_owned()),
        ];
        let told = [(CORRELATION_ID, header(CORRELATION_HEADER)), (CAMPAIGN_ID, campaign)];
        attributes.extend(told.into_iter().filter_map(|(name, value)| Some(KeyValue::new(name, value?.to_owned()))));
        (format!("{method} {to}"), attributes)
    })
}
