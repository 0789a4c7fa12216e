//! What a worker implements, and how a call reaches it.

pub use host_adapters_event::{
    Attribute, AttributeValue, Disposition, Event, Failure, Payload, Request, Response, Retry,
};

use crate::{Call, lambda::appsync};
use host_adapters_event::source_name;

/// A worker fed by an asynchronous source: a queue, a stream, a topic, a schedule. Exported by
/// [`batch_worker!`](crate::batch_worker).
#[expect(async_fn_in_trait, reason = "components are single-threaded: no future needs to be Send")]
pub trait BatchWorker {
    /// The component's id, in kebab case: `save-entries`.
    const NAME: &'static str;

    /// Runs once at build time, and what it loads is frozen into the component. It cannot call the platform and must
    /// read neither environment nor clock. Do not make maps here whose keys come from an outsider's input.
    fn warm_up() {}

    /// Handles a batch; answers one disposition per event, in the same order.
    async fn handle(batch: Vec<Event>, call: &Call) -> Result<Vec<Disposition>, Failure>;
}

/// A worker that answers one request: a task, an AppSync resolver. Exported by
/// [`request_worker!`](crate::request_worker).
#[expect(async_fn_in_trait, reason = "components are single-threaded: no future needs to be Send")]
pub trait RequestWorker {
    /// The component's id, in kebab case: `check-eligibility`.
    const NAME: &'static str;

    /// Whether it does tasks, which a source of its block in spin.toml hands it. Then its requests come from those who may
    /// start tasks: over HTTP it takes the worker token, as batch workers do, and not a fan's.
    const DOES_TASKS: bool = false;

    /// As [`BatchWorker::warm_up`].
    fn warm_up() {}

    /// Answers a request.
    async fn handle(request: Request, call: &Call) -> Result<Response, Failure>;
}

/// A text of `N - 1` bytes with a line feed after it.
#[doc(hidden)]
pub const fn line<const N: usize>(text: &str) -> [u8; N] {
    let mut line = [b'\n'; N];
    if let Some((start, _)) = line.split_at_mut_checked(text.len()) {
        start.copy_from_slice(text.as_bytes());
    }
    line
}

/// The typed call of a batch worker. Rejections are logged where the records are settled: in the host, or in the
/// endpoint.
#[doc(hidden)]
pub async fn call_batch<W: BatchWorker>(batch: Vec<Event>) -> Result<Vec<Disposition>, Failure> {
    let first = batch.first();
    let call = Call::new(
        W::NAME,
        first.map(|event| event.correlation_id.clone()).unwrap_or_default(),
        first.and_then(|event| event.traceparent.clone()),
    );
    W::handle(batch, &call).await
}

/// The typed call of a request worker. One that does tasks takes only those of its source: the host hands it HTTP requests
/// as HTTP, so that the endpoint checks the token, and where spin.toml has no such source it does not.
#[doc(hidden)]
pub async fn call_request<W: RequestWorker>(request: Request) -> Result<Response, Failure> {
    if W::DOES_TASKS && request.task_id.is_none() {
        let kind = source_name::TASK;
        let message = format!("this worker does tasks: give it a source of the type \"{kind}\" in spin.toml");
        return Ok(Response::error(403, "FORBIDDEN", &message));
    }
    answer_request::<W>(request).await
}

/// Calls a request worker. A token that did not come as a header is taken from the AppSync event.
pub(crate) async fn answer_request<W: RequestWorker>(mut request: Request) -> Result<Response, Failure> {
    if request.token.is_none() {
        request.token = appsync::token(&request.body);
    }
    let call = Call::new(W::NAME, request.correlation_id.clone(), request.traceparent.clone());
    W::handle(request, &call).await
}
