//! Spans around calls: one of the source for its batch, and below it one of the worker, whose context is passed to the
//! guest. Attribute names are those of API usage ("OpenTelemetry Tracing").

use crate::telemetry::campaigns;
use crate::telemetry::trace::{CORRELATION_ID, REQUEST_ID, Span, Tracing, WORKER_NAME};
use bytes::Bytes;
use host_adapters_delivery::dispatch::Dispatched;
use host_adapters_delivery::event::{Event, Payload, Request, appsync};
use host_adapters_runtime::Called;
use host_adapters_sources::camel_case_name;
use opentelemetry::KeyValue;
use opentelemetry::trace::SpanKind;
use std::cell::LazyCell;

const TRACEPARENT: &str = "traceparent";
const CORRELATION_HEADER: &str = "x-correlation-id";
/// AWS's id of a request: a header, or one that AppSync forwards in its event.
const REQUEST_ID_HEADER: &str = "x-amzn-requestid";

/// The spans of one batch: that of the source, and that of the worker inside it.
pub(super) struct Spans {
    source: Span,
    worker: Span,
}

impl Spans {
    /// The context of the worker's span.
    pub(super) fn traceparent(&self) -> Option<String> {
        self.worker.traceparent().map(str::to_owned)
    }
}

/// Starts the spans of a batch below its first record's trace, and gives every record the worker's context.
pub(super) fn batch(tracing: &Tracing, worker: &str, mut batch: Vec<Event>) -> (Vec<Event>, Spans) {
    let first = batch.first();
    let source_name = first.map_or("", |event| event.source.as_str());
    let attributes = LazyCell::new(|| {
        let id = first.map_or("", |event| event.correlation_id.as_str());
        let mut attributes = attributes(worker, id, new_id());
        attributes.extend(campaigns::attribute(batch.iter().map(bytes)));
        attributes
    });
    let parent = first.and_then(|event| event.traceparent.as_deref());
    let mut source =
        tracing.start(SpanKind::Consumer, parent, || (format!("{source_name} process"), attributes.to_vec()));
    source.set(KeyValue::new("messaging.batch.message_count", i64::try_from(batch.len()).unwrap_or(i64::MAX)));
    let worker =
        tracing.start_call(SpanKind::Internal, source.traceparent(), || (worker.to_owned(), attributes.to_vec()));
    drop(attributes);
    for event in &mut batch {
        event.traceparent = worker.traceparent().map(str::to_owned).or(event.traceparent.take());
    }
    (batch, Spans { source, worker })
}

/// Starts the spans of an attempt as children of the trace in which its execution was started, and passes the context
/// to the worker.
pub(super) fn task(tracing: &Tracing, worker: &str, mut request: Request) -> (Request, Spans) {
    let attributes = LazyCell::new(|| {
        let mut attributes = attributes(worker, &request.correlation_id, new_id());
        attributes.extend(request.task_id.clone().map(|id| KeyValue::new("task.id", id)));
        attributes.push(KeyValue::new("task.attempt", i64::from(request.attempt)));
        attributes.extend(campaigns::attribute([request.body.as_bytes()]));
        attributes
    });
    let parent = request.traceparent.as_deref();
    let source = tracing.start(SpanKind::Consumer, parent, || ("task process".to_owned(), attributes.to_vec()));
    let worker =
        tracing.start_call(SpanKind::Internal, source.traceparent(), || (worker.to_owned(), attributes.to_vec()));
    drop(attributes);
    request.traceparent = worker.traceparent().map(str::to_owned).or(request.traceparent.take());
    (request, Spans { source, worker })
}

pub(super) fn dispatched<T>(mut spans: Spans, dispatched: &Dispatched<T>) {
    for span in [&mut spans.source, &mut spans.worker] {
        span.set(KeyValue::new("component.digest", dispatched.digest.clone()));
    }
    if let Err(error) = &dispatched.result {
        spans.worker.fail(&error.to_string());
        spans.source.fail(&error.to_string());
    }
}

fn bytes(event: &Event) -> &[u8] {
    match &event.payload {
        Payload::Json(text) => text.as_bytes(),
        Payload::Bytes(bytes) => bytes,
    }
}

/// Starts the span of an HTTP request below the caller's trace. The caller names trace and correlation id in the headers
/// or, through AppSync, in those of its event. The guest finds its context and the correlation id (made if there was
/// none) in the headers.
pub(super) fn request(
    tracing: &Tracing,
    component: &str,
    mut request: http::Request<Bytes>,
) -> (http::Request<Bytes>, Span) {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let (mut correlation_id, mut parent) = (header(CORRELATION_HEADER), header(TRACEPARENT));
    if correlation_id.is_none() || parent.is_none() {
        let event = std::str::from_utf8(request.body()).map(appsync::Context::of).unwrap_or_default();
        correlation_id = correlation_id.or(event.correlation_id);
        parent = parent.or(event.traceparent);
    }
    let correlation_id = correlation_id.unwrap_or_else(new_id);
    let span = tracing.start_call(SpanKind::Server, parent.as_deref(), || {
        let name = format!("{} {}", request.method(), request.uri().path());
        let id = header(REQUEST_ID_HEADER).or_else(|| forwarded(request.body())).unwrap_or_else(new_id);
        let mut attributes = attributes(component, &correlation_id, id);
        attributes.extend(campaigns::attribute([&request.body()[..]]));
        (name, attributes)
    });
    set(&mut request, CORRELATION_HEADER, &correlation_id);
    if let Some(traceparent) = span.traceparent() {
        set(&mut request, TRACEPARENT, traceparent);
    }
    (request, span)
}

/// The request id in an AppSync event.
fn forwarded(event: &[u8]) -> Option<String> {
    campaigns::members(std::str::from_utf8(event).ok()?, REQUEST_ID_HEADER).next()
}

fn new_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

fn set(request: &mut http::Request<Bytes>, name: &'static str, value: &str) {
    if let Ok(value) = http::HeaderValue::from_str(value) {
        request.headers_mut().insert(name, value);
    }
}

pub(super) fn answered(mut span: Span, called: &Called<http::Response<Bytes>>) {
    span.set(KeyValue::new("component.digest", called.digest.clone()));
    match &called.result {
        Ok(response) => {
            span.set(KeyValue::new("http.response.status_code", i64::from(response.status().as_u16())));
            // A fan's request names a slug; which campaign it is, the worker finds out.
            if span.is_recorded()
                && let Some(campaigns) = campaigns::attribute([&response.body()[..]])
            {
                span.set(campaigns);
            }
        }
        Err(error) => span.fail(&error.to_string()),
    }
}

fn attributes(worker: &str, correlation_id: &str, request_id: String) -> Vec<KeyValue> {
    vec![
        KeyValue::new(WORKER_NAME, camel_case_name(worker)),
        KeyValue::new(CORRELATION_ID, correlation_id.to_owned()),
        KeyValue::new(REQUEST_ID, request_id),
    ]
}
