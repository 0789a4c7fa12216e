//! From a source to a component. The layers from the outside in: trace (so that it sees waiting and failure alike),
//! then the call. Limits, time-outs and waiting for an instance belong to the runtime's pool; grants are checked where
//! they are used, on every platform call.

mod trace;

use crate::telemetry::Tracing;
use bytes::Bytes;
use host_adapters_delivery::dispatch::{CallError, Dispatch, Dispatched};
use host_adapters_delivery::event::{Disposition, Event};
use host_adapters_runtime::{Called, Runtime};
use std::sync::Arc;

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
        let called = self.runtime.http(component, request).await;
        trace::answered(span, &called);
        called
    }
}

#[async_trait::async_trait]
impl Dispatch for Dispatcher {
    async fn dispatch(&self, worker: &str, batch: Vec<Event>) -> Dispatched {
        let size = batch.len();
        let (batch, spans) = trace::batch(&self.tracing, worker, batch);
        let dispatched = dispatched(self.runtime.batch(worker, batch).await, size);
        trace::dispatched(spans, &dispatched);
        dispatched
    }
}

/// A longer list than the batch fails the call: which record would an extra disposition be for?
fn dispatched(called: Called<Vec<Disposition>>, size: usize) -> Dispatched {
    let answer = called.result.and_then(|dispositions| match dispositions.len() {
        given if given > size => Err(CallError::TooMany(given, size)),
        _ => Ok(dispositions),
    });
    Dispatched { answer, digest: called.digest.to_string(), outages: called.outages }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn called(result: Result<Vec<Disposition>, CallError>) -> Called<Vec<Disposition>> {
        Called { result, digest: "d".into(), outages: vec![] }
    }

    #[test]
    fn a_longer_answer_than_the_batch_fails_the_call() {
        let answer = dispatched(called(Ok(vec![Disposition::Ack; 2])), 1).answer;
        assert_eq!(answer, Err(CallError::TooMany(2, 1)));
    }

    #[test]
    fn a_shorter_answer_is_passed_on() {
        let answer = dispatched(called(Ok(vec![Disposition::Retry(Some(1500))])), 2).answer;
        assert_eq!(answer.unwrap(), vec![Disposition::Retry(Some(1500))]);
    }
}
