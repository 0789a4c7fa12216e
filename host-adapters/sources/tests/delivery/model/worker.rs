//! A worker that answers with a closure and remembers what it received.

use super::rounded_ms;
use host_adapters_delivery::dispatch::{CallError, Dispatch, Dispatched};
use host_adapters_delivery::event::{Disposition, Event, Request, Response};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

/// The result of a call, and how long the call takes.
pub struct Reply {
    pub after: Duration,
    pub dispatched: Dispatched,
}

impl Reply {
    pub fn new(result: Result<Vec<Disposition>, CallError>) -> Self {
        let dispatched = Dispatched { result, digest: "d1".to_owned(), ..Dispatched::default() };
        Self { after: Duration::ZERO, dispatched }
    }

    /// One disposition per record.
    pub fn each(batch: &[Event], disposition: impl FnMut(&Event) -> Disposition) -> Self {
        Self::new(Ok(batch.iter().map(disposition).collect()))
    }

    pub fn takes(mut self, secs: u64) -> Self {
        self.after = Duration::from_secs(secs);
        self
    }

    pub fn outage(mut self, what: &str) -> Self {
        self.dispatched.outages.push(what.to_owned());
        self
    }
}

impl Reply {
    /// A route of a service that refuses everybody, as it seems.
    pub fn refused(mut self, route: &str) -> Self {
        self.dispatched.refusing.push(route.to_owned());
        self
    }
}

pub fn ack_all(batch: &[Event]) -> Reply {
    Reply::each(batch, |_| Disposition::Ack)
}

pub fn retry() -> Disposition {
    Disposition::retry("not now")
}

pub fn trap() -> Reply {
    Reply::new(Err(CallError::Trapped("unreachable".to_owned())))
}

/// The answer to a request of a task, and how long the call takes.
pub struct TaskReply {
    pub after: Duration,
    pub dispatched: Dispatched<Response>,
}

impl TaskReply {
    pub fn new(result: Result<Response, CallError>) -> Self {
        Self { after: Duration::ZERO, dispatched: Dispatched { digest: "d1".to_owned(), ..Dispatched::of(result) } }
    }

    pub fn status(status: u16, body: &str) -> Self {
        Self::new(Ok(Response { status, body: body.to_owned() }))
    }

    /// A retryable failure.
    pub fn failed(message: &str) -> Self {
        Self::new(Err(CallError::Failed(message.to_owned())))
    }

    pub fn takes(mut self, secs: u64) -> Self {
        self.after = Duration::from_secs(secs);
        self
    }

    pub fn outage(mut self, what: &str) -> Self {
        self.dispatched.outages.push(what.to_owned());
        self
    }

    /// A route of a service that refuses everybody, as it seems.
    pub fn refused(mut self, route: &str) -> Self {
        self.dispatched.refusing.push(route.to_owned());
        self
    }
}

type Handler = Box<dyn FnMut(&[Event]) -> Reply + Send>;
type RequestHandler = Box<dyn FnMut(&Request) -> TaskReply + Send>;

pub struct ModelWorker {
    name: String,
    handler: Mutex<Handler>,
    calls: Mutex<Vec<(u64, Vec<Event>)>>,
    request_handler: Mutex<RequestHandler>,
    requests: Mutex<Vec<(u64, Request)>>,
    began: Instant,
}

impl ModelWorker {
    pub fn new(began: Instant, handler: impl FnMut(&[Event]) -> Reply + Send + 'static) -> Arc<Self> {
        Self::named(super::WORKER, began, handler)
    }

    pub fn named(name: &str, began: Instant, handler: impl FnMut(&[Event]) -> Reply + Send + 'static) -> Arc<Self> {
        let (name, handler) = (name.to_owned(), Mutex::new(Box::new(handler) as Handler));
        let request_handler =
            Mutex::new(Box::new(|_: &Request| -> TaskReply { unreachable!("it does no tasks") }) as RequestHandler);
        Arc::new(Self { name, handler, calls: Mutex::default(), request_handler, requests: Mutex::default(), began })
    }

    /// From now on it answers requests of tasks with `handler`.
    pub fn does(&self, handler: impl FnMut(&Request) -> TaskReply + Send + 'static) {
        *self.request_handler.lock().unwrap() = Box::new(handler);
    }

    /// Every request of a task, and when it was made.
    pub fn requests(&self) -> Vec<(u64, Request)> {
        self.requests.lock().unwrap().clone()
    }

    /// From now on it answers with `handler`.
    pub fn answers(&self, handler: impl FnMut(&[Event]) -> Reply + Send + 'static) {
        *self.handler.lock().unwrap() = Box::new(handler);
    }

    /// Every call: when it began, and its batch.
    pub fn calls(&self) -> Vec<(u64, Vec<Event>)> {
        self.calls.lock().unwrap().clone()
    }

    /// Every call: when it began, and how many records it had.
    pub fn sizes(&self) -> Vec<(u64, usize)> {
        self.calls().into_iter().map(|(at, batch)| (at, batch.len())).collect()
    }

    /// Every delivery: when, which record, which attempt.
    pub fn deliveries(&self) -> Vec<(u64, String, u32)> {
        let calls = self.calls().into_iter();
        calls.flat_map(|(at, batch)| batch.into_iter().map(move |event| (at, event.id, event.attempt))).collect()
    }

    /// Ids of each call's batch.
    pub fn batches(&self) -> Vec<Vec<String>> {
        self.calls().into_iter().map(|(_, batch)| batch.into_iter().map(|event| event.id).collect()).collect()
    }
}

#[async_trait::async_trait]
impl Dispatch for ModelWorker {
    async fn dispatch(&self, worker: &str, batch: Vec<Event>) -> Dispatched {
        assert_eq!(worker, self.name);
        assert!(!batch.is_empty(), "a call without records");
        self.calls.lock().unwrap().push((rounded_ms(self.began.elapsed()), batch.clone()));
        let reply = (self.handler.lock().unwrap())(&batch);
        // A call that takes no time also yields, as a real one does.
        tokio::time::sleep(reply.after).await;
        reply.dispatched
    }

    async fn request(&self, worker: &str, request: Request) -> Dispatched<Response> {
        assert_eq!(worker, self.name);
        self.requests.lock().unwrap().push((rounded_ms(self.began.elapsed()), request.clone()));
        let answer = (self.request_handler.lock().unwrap())(&request);
        tokio::time::sleep(answer.after).await;
        answer.dispatched
    }
}
