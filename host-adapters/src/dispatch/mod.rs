//! Hands events to components: first tracing, which thus sees waiting and failures too, then the call. Limits,
//! time-outs and waiting for an instance belong to the runtime's pool; grants are checked at every platform call.

mod trace;

use crate::telemetry::Tracing;
use bytes::Bytes;
use host_adapters_delivery::dispatch::{CallError, Dispatch, Dispatched};
use host_adapters_delivery::event::{Disposition, Event, Request, Response};
use host_adapters_delivery::metrics::CallTimer;
use host_adapters_runtime::{Called, Runtime};
use std::sync::Arc;

/// What metrics name as the source of requests.
const HTTP: &str = "http";

/// Hands events and requests to components.
#[derive(Clone)]
pub struct Dispatcher {
    runtime: Arc<Runtime>,
    tracing: Tracing,
}

impl Dispatcher {
    /// A dispatcher over loaded components.
    pub fn new(runtime: Arc<Runtime>, tracing: Tracing) -> Self {
        Self { runtime, tracing }
    }

    /// Hands an HTTP request to a component.
    pub async fn http(&self, component: &str, request: http::Request<Bytes>) -> Called<http::Response<Bytes>> {
        let (request, span) = trace::request(&self.tracing, component, request);
        let timer = CallTimer::new(component, HTTP);
        let called = self.runtime.http(component, request).await;
        timer.end(match &called.result {
            Ok(response) if response.status().is_server_error() => "failed",
            Ok(_) => "ok",
            Err(error) => error.outcome(),
        });
        trace::answered(span, &called);
        called
    }
}

#[async_trait::async_trait]
impl Dispatch for Dispatcher {
    async fn dispatch(&self, worker: &str, batch: Vec<Event>) -> Dispatched {
        let size = batch.len();
        let (batch, spans) = trace::batch(&self.tracing, worker, batch);
        let mut dispatched = dispatched(self.runtime.batch(worker, batch).await, size);
        dispatched.traceparent = spans.traceparent();
        trace::dispatched(spans, &dispatched);
        dispatched
    }

    async fn request(&self, worker: &str, request: Request) -> Dispatched<Response> {
        let (request, spans) = trace::task(&self.tracing, worker, request);
        let Called { result, digest, outages, refusing } = self.runtime.request(worker, request).await;
        let traceparent = spans.traceparent();
        let dispatched = Dispatched { result, digest: digest.to_string(), outages, refusing, traceparent };
        trace::dispatched(spans, &dispatched);
        dispatched
    }
}

/// A list longer than the batch fails the call, because it is unknown which record an extra disposition is for.
fn dispatched(called: Called<Vec<Disposition>>, size: usize) -> Dispatched {
    let result = called.result.and_then(|dispositions| match dispositions.len() {
        given if given > size => Err(CallError::TooMany(given, size)),
        _ => Ok(dispositions),
    });
    let Called { digest, outages, refusing, .. } = called;
    Dispatched { result, digest: digest.to_string(), outages, refusing, traceparent: None }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn called(result: Result<Vec<Disposition>, CallError>) -> Called<Vec<Disposition>> {
        Called { result, digest: "d".into(), outages: vec![], refusing: vec![] }
    }

    #[test]
    fn more_dispositions_than_records_fail_the_call() {
        let result = dispatched(called(Ok(vec![Disposition::Ack; 2])), 1).result;
        assert_eq!(result, Err(CallError::TooMany(2, 1)));
    }

    #[test]
    fn fewer_dispositions_are_passed_on() {
        let result = dispatched(called(Ok(vec![Disposition::retry_after(Some(1500), "busy")])), 2).result;
        assert_eq!(result.unwrap(), vec![Disposition::retry_after(Some(1500), "busy")]);
    }
}
