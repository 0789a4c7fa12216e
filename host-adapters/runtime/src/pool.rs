//! The instances of one version of a component. Calls wait in one bounded queue, from which instances take them.

use crate::call::{CallError, Called, Disposition, Event};
use crate::component::Version;
use crate::engine::Shared;
use crate::outages::Outages;
use bytes::Bytes;
use host_adapters_event::{Request, Response};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::SystemTime;
use tokio::sync::oneshot;

/// A call that waits for an instance.
pub(crate) enum Job {
    /// `registration:workers/batch-worker.handle`.
    Batch { events: Vec<Event>, reply: oneshot::Sender<Called<Vec<Disposition>>> },
    /// `registration:workers/request-worker.handle`.
    Request { request: Box<Request>, reply: oneshot::Sender<Called<Response>> },
    /// `wasi:http/handler.handle`.
    Http { request: Box<http::Request<Bytes>>, reply: oneshot::Sender<Called<http::Response<Bytes>>> },
}

impl Job {
    /// The request, and the receiver of the response.
    pub(crate) fn split(self) -> (Asked, Reply) {
        match self {
            Self::Batch { events, reply } => (Asked::Batch(events), Reply::Batch(reply)),
            Self::Request { request, reply } => (Asked::Request(request), Reply::Request(reply)),
            Self::Http { request, reply } => (Asked::Http(request), Reply::Http(reply)),
        }
    }
}

/// The request of a call.
pub(crate) enum Asked {
    Batch(Vec<Event>),
    Request(Box<Request>),
    Http(Box<http::Request<Bytes>>),
}

/// The receiver of a call's response.
pub(crate) enum Reply {
    Batch(oneshot::Sender<Called<Vec<Disposition>>>),
    Request(oneshot::Sender<Called<Response>>),
    Http(oneshot::Sender<Called<http::Response<Bytes>>>),
}

impl Reply {
    /// Whether nobody waits for the answer to an event. (A client that hangs up ends no instance.)
    pub(crate) fn is_abandoned(&self) -> bool {
        match self {
            Self::Batch(reply) => reply.is_closed(),
            Self::Request(reply) => reply.is_closed(),
            Self::Http(_) => false,
        }
    }

    /// Answers that the call failed. It is not an error if the caller no longer waits.
    pub(crate) fn fail(self, error: CallError, version: &Version, found: &Outages) {
        let (digest, outages, refusing) = (version.digest.clone(), found.list(), found.refusing());
        match self {
            Self::Batch(reply) => drop(reply.send(Called { result: Err(error), digest, outages, refusing })),
            Self::Request(reply) => drop(reply.send(Called { result: Err(error), digest, outages, refusing })),
            Self::Http(reply) => drop(reply.send(Called { result: Err(error), digest, outages, refusing })),
        }
    }
}

/// Counts a call while it waits for room in its version's queue: all instances are busy.
struct Waiting<'a>(&'a metrics::Gauge);

impl<'a> Waiting<'a> {
    fn new(calls: &'a metrics::Gauge) -> Self {
        calls.increment(1);
        Self(calls)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.decrement(1);
    }
}

/// The receiving end of the queue, for an instance. It counts how many instances wait for a call.
#[derive(Clone)]
pub(crate) struct Queue {
    jobs: async_channel::Receiver<Job>,
    waiting: Arc<AtomicUsize>,
}

impl Queue {
    /// The next call; an error once the version is replaced and its queue empty.
    pub(crate) async fn recv(&self) -> Result<Job, async_channel::RecvError> {
        if let Ok(job) = self.jobs.try_recv() {
            return Ok(job);
        }
        let _waits = Waits::new(&self.waiting);
        self.jobs.recv().await
    }
}

/// Counts an instance as waiting while it exists.
struct Waits<'a>(&'a AtomicUsize);

impl<'a> Waits<'a> {
    fn new(waiting: &'a AtomicUsize) -> Self {
        waiting.fetch_add(1, Ordering::SeqCst);
        Self(waiting)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A serving version, with its instances.
#[derive(Clone)]
pub(crate) struct Pool(Arc<Inner>);

struct Inner {
    version: Arc<Version>,
    shared: Arc<Shared>,
    jobs: async_channel::Sender<Job>,
    queue: Queue,
    instances: AtomicUsize,
    calls: AtomicUsize,
    since: SystemTime,
    kept: metrics::Gauge,
    /// Calls that wait for room in the queue.
    waiting: metrics::Gauge,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.kept.decrement(1);
    }
}

/// A replaced version, until all of it is gone.
pub(crate) struct Retired(Weak<Inner>);

impl Retired {
    /// The number of its calls in flight; `None` once it is gone.
    pub(crate) fn calls(&self) -> Option<usize> {
        self.0.upgrade().map(|inner| inner.calls.load(Ordering::Relaxed))
    }
}

/// A call of a version from its submission to its response. It keeps the version alive.
pub(crate) struct InFlight(Arc<Inner>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.calls.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Pool {
    pub(crate) fn new(version: Version, shared: Arc<Shared>) -> Self {
        // The queue has room for one call for each instance. Further calls wait in their callers, so overload costs no
        // memory here.
        let (sender, receiver) = async_channel::bounded(version.limits.max_instances.max(1));
        let queue = Queue { jobs: receiver, waiting: Arc::default() };
        // Counts the versions whose code is in memory: the serving one, and those that still end calls.
        let kept = metrics::gauge!("registration_versions", "worker" => version.component.to_string());
        kept.increment(1);
        let waiting = metrics::gauge!("registration_calls_waiting", "worker" => version.component.to_string());
        Self(Arc::new(Inner {
            version: Arc::new(version),
            shared,
            jobs: sender,
            queue,
            instances: AtomicUsize::default(),
            calls: AtomicUsize::default(),
            since: SystemTime::now(),
            kept,
            waiting,
        }))
    }

    pub(crate) fn version(&self) -> &Version {
        &self.0.version
    }

    /// The number of instances alive.
    pub(crate) fn instances(&self) -> usize {
        self.0.instances.load(Ordering::Relaxed)
    }

    /// When it began to serve.
    pub(crate) fn since(&self) -> SystemTime {
        self.0.since
    }

    /// Counts a call as long as the result is kept.
    pub(crate) fn in_flight(&self) -> InFlight {
        self.0.calls.fetch_add(1, Ordering::Relaxed);
        InFlight(self.0.clone())
    }

    /// Puts a call into the queue and waits for room; returns it if the version has been replaced.
    pub(crate) async fn submit(&self, job: Job) -> Result<(), Job> {
        if self.0.queue.waiting.load(Ordering::SeqCst) == 0 {
            self.start_instance();
        }
        let waiting = Waiting::new(&self.0.waiting);
        self.0.jobs.send(job).await.map_err(|error| error.0)?;
        drop(waiting);
        // The last instance may have ended between the check and the send.
        if self.instances() == 0 {
            self.start_instance();
        }
        Ok(())
    }

    /// Stops taking new calls. Those in the queue are served, then the instances end, and with the last one the
    /// version.
    pub(crate) fn retire(&self) -> Retired {
        self.0.jobs.close();
        Retired(Arc::downgrade(&self.0))
    }

    fn start_instance(&self) {
        let max = self.0.version.limits.max_instances.max(1);
        let started =
            self.0.instances.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |now| (now < max).then_some(now + 1));
        if started.is_err() {
            return;
        }
        let pool = self.clone();
        tokio::spawn(async move {
            let inner = &pool.0;
            // The semaphore is never closed.
            let slot = inner.shared.slots.clone().acquire_owned().await.ok();
            crate::instance::serve(inner.version.clone(), &inner.shared, inner.queue.clone(), slot).await;
            inner.instances.fetch_sub(1, Ordering::SeqCst);
            if !inner.queue.jobs.is_empty() {
                pool.start_instance();
            }
        });
    }
}
