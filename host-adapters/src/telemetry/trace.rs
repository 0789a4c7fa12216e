//! OpenTelemetry spans, sent by OTLP if `OTEL_EXPORTER_OTLP_ENDPOINT` is set. No call waits for the collector.
//!
//! A call of a worker has an id, a correlation id and, where its input names them, campaigns. Every span below it, of
//! the guest or of a service call, has these attributes, too: the call is found by the parent's context, which guests
//! pass on.

use opentelemetry::trace::{
    Span as _, SpanContext, SpanKind, Status, TraceContextExt, TraceFlags, TraceState, Tracer, TracerProvider,
};
use opentelemetry::{Context, KeyValue, SpanId, TraceId};
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

/// Names the call: one id for each, like Lambda's request id.
pub const REQUEST_ID: &str = "correlation.awsRequestId";
/// Names the work, across calls.
pub const CORRELATION_ID: &str = "correlation.id";
/// The worker, by its name in the documents.
pub const WORKER_NAME: &str = "span.workerName";
/// The campaigns that the work is for, separated by commas.
pub const CAMPAIGN_ID: &str = "span.campaignId";
/// What the spans below a call have of it.
const INHERITED: [&str; 4] = [WORKER_NAME, CORRELATION_ID, REQUEST_ID, CAMPAIGN_ID];

/// Name and attributes of a span.
pub type Described = (String, Vec<KeyValue>);

/// Makes spans. Without an endpoint it makes none, and passes the caller's trace context on.
#[derive(Clone)]
pub struct Tracing(Option<Arc<Exporting>>);

struct Exporting {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    /// The inherited attributes of the calls in progress, by their `traceparent`.
    calls: Mutex<HashMap<String, Vec<KeyValue>>>,
}

impl Exporting {
    fn calls(&self) -> MutexGuard<'_, HashMap<String, Vec<KeyValue>>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds the attributes that a span inherits from its call, unless it has its own. A span without a parent is a
    /// call.
    fn inherit(&self, attributes: &mut Vec<KeyValue>, parent: Option<&str>) {
        let calls = self.calls();
        for attribute in parent.and_then(|parent| calls.get(parent)).into_iter().flatten() {
            if !attributes.iter().any(|own| own.key == attribute.key) {
                attributes.push(attribute.clone());
            }
        }
        if !attributes.iter().any(|own| own.key.as_str() == REQUEST_ID) {
            attributes.push(KeyValue::new(REQUEST_ID, uuid::Uuid::new_v4().to_string()));
        }
    }
}

impl Tracing {
    /// Exports to the endpoint of `OTEL_EXPORTER_OTLP_ENDPOINT`, if it is set and not empty.
    ///
    /// # Errors
    /// When the endpoint is not a URL.
    pub fn from_env() -> anyhow::Result<Self> {
        if std::env::var("OTEL_EXPORTER_OTLP_ENDPOINT").unwrap_or_default().is_empty() {
            return Ok(Self(None));
        }
        // The exporter's blocking client must not be made on an async thread.
        let exporter = std::thread::spawn(|| SpanExporter::builder().with_http().build())
            .join()
            .map_err(|_| anyhow::anyhow!("the OTLP exporter could not be made"))??;
        let resource = Resource::builder().with_service_name("host-adapters").build();
        let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build();
        let tracer = provider.tracer("host-adapters");
        Ok(Self(Some(Arc::new(Exporting { provider, tracer, calls: Mutex::default() }))))
    }

    /// Starts a span below `parent` (a W3C `traceparent`), or a new trace. `describe` is called only if spans are made.
    pub fn start(&self, kind: SpanKind, parent: Option<&str>, describe: impl FnOnce() -> Described) -> Span {
        self.start_at(SystemTime::now(), kind, parent, describe).0
    }

    /// Starts the span of a call: the spans below it have its attributes too.
    pub fn start_call(&self, kind: SpanKind, parent: Option<&str>, describe: impl FnOnce() -> Described) -> Span {
        let (mut span, attributes) = self.start_at(SystemTime::now(), kind, parent, describe);
        if let (Some(exporting), Some(name)) = (&self.0, &span.passed_on) {
            let inherited = |it: &KeyValue| INHERITED.contains(&it.key.as_str());
            exporting.calls().insert(name.clone(), attributes.into_iter().filter(inherited).collect());
            span.call = Some(Registered { exporting: exporting.clone(), name: name.clone() });
        }
        span
    }

    fn start_at(
        &self,
        start: SystemTime,
        kind: SpanKind,
        parent: Option<&str>,
        describe: impl FnOnce() -> Described,
    ) -> (Span, Vec<KeyValue>) {
        let Some(exporting) = &self.0 else {
            return (Span { inner: None, passed_on: parent.map(str::to_owned), call: None }, Vec::new());
        };
        let tracer = &exporting.tracer;
        let (name, mut attributes) = describe();
        exporting.inherit(&mut attributes, parent);
        let context = match parent.and_then(parse) {
            Some(parent) => Context::new().with_remote_span_context(parent),
            None => Context::new(),
        };
        let builder =
            tracer.span_builder(name).with_kind(kind).with_attributes(attributes.clone()).with_start_time(start);
        let span = tracer.build_with_context(builder, &context);
        let passed_on = Some(format(span.span_context()));
        (Span { inner: Some(span), passed_on, call: None }, attributes)
    }

    /// Records a span that has already ended, as a guest reports it. Times are milliseconds since 1970 (UTC).
    pub fn record(&self, name: String, parent: Option<&str>, attributes: Vec<KeyValue>, start_ms: u64, end_ms: u64) {
        let at = |ms| SystemTime::UNIX_EPOCH + Duration::from_millis(ms);
        let (mut span, _) = self.start_at(at(start_ms), SpanKind::Internal, parent, || (name, attributes));
        if let Some(span) = &mut span.inner {
            span.end_with_timestamp(at(end_ms.max(start_ms)));
        }
    }

    /// Sends the spans that wait, as far as the collector takes them within `limit`, at most 3 s.
    pub fn shutdown(self, limit: Duration) {
        if let Some(exporting) = self.0 {
            // The shutdown blocks and has its own client, so it does not run on the async threads.
            let limit = limit.min(Duration::from_secs(3));
            let _ = std::thread::spawn(move || exporting.provider.shutdown_with_timeout(limit)).join();
        }
    }
}

/// A span in progress; it ends when dropped.
pub struct Span {
    inner: Option<opentelemetry_sdk::trace::Span>,
    passed_on: Option<String>,
    /// Of a call only.
    call: Option<Registered>,
}

/// A call whose attributes are inherited as long as this exists.
struct Registered {
    exporting: Arc<Exporting>,
    name: String,
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.exporting.calls().remove(&self.name);
    }
}

impl Span {
    /// The W3C `traceparent` for what happens below this span.
    pub fn traceparent(&self) -> Option<&str> {
        self.passed_on.as_deref()
    }

    /// Whether spans are made: then attributes are worth the work of finding them.
    pub fn is_recorded(&self) -> bool {
        self.inner.is_some()
    }

    /// Adds an attribute.
    pub fn set(&mut self, attribute: KeyValue) {
        if let Some(span) = &mut self.inner {
            span.set_attribute(attribute);
        }
    }

    /// Marks the span as failed.
    pub fn fail(&mut self, reason: &str) {
        if let Some(span) = &mut self.inner {
            span.set_status(Status::error(reason.to_owned()));
        }
    }
}

/// `00-<trace id>-<span id>-<flags>` (W3C Trace Context).
fn parse(traceparent: &str) -> Option<SpanContext> {
    let mut parts = traceparent.split('-');
    let (_version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let context = SpanContext::new(
        TraceId::from_hex(trace).ok()?,
        SpanId::from_hex(span).ok()?,
        TraceFlags::new(u8::from_str_radix(flags, 16).ok()?),
        true,
        TraceState::default(),
    );
    context.is_valid().then_some(context)
}

fn format(context: &SpanContext) -> String {
    format!("00-{}-{}-{:02x}", context.trace_id(), context.span_id(), context.trace_flags().to_u8())
}
