//! Hands events to components: first tracing, which thus sees waiting and failures too, then the call. Limits,
//! time-outs and waiting for an instance belong to the runtime's pool; grants are checked at every platform call.

mod call;
mod trace;

use crate::telemetry::Tracing;
use bytes::Bytes;
use host_adapters_delivery::dispatch::{Dispatch, Dispatched};
use host_adapters_delivery::event::Event;
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
        let called = self.runtime.batch(worker, batch.into_iter().map(call::event).collect()).await;
        let dispatched = call::dispatched(called, size);
        trace::dispatched(spans, &dispatched);
        dispatched
    }
}
