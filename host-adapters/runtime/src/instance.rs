//! One instance: a task that owns a store and serves calls from the pool's queue until it is retired.
//!
//! - Calls run inside one `run_concurrent`; a trap ends it for all of them, so the replies are kept *outside*, where
//!   the owner answers every call that has none.
//! - Wall time is enforced outside too: inside, a guest that does not yield starves the timer.
//! - CPU is bounded by epochs: each tick makes the guest yield, and traps it when one turn (from entering the guest
//!   until it waits for something) has taken too long. A deadline from the instance's birth would kill it for waiting.

use crate::bindings::exports::registration::workers::batch_worker;
use crate::call::{CallError, Called, Disposition, Event};
use crate::component::Version;
use crate::engine::{EPOCH_TICK, SharedHost};
use crate::pool::{Job, Queue, Reply};
use crate::state::{Outages, State};
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use http_body_util::{BodyExt, Full, Limited};
use std::collections::HashMap;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;
use tokio::time::Instant;
use wasmtime::component::Accessor;
use wasmtime::{Store, UpdateDeadline};
use wasmtime_wasi_http::p3::Request;
use wasmtime_wasi_http::p3::bindings::Service;
use wasmtime_wasi_http::{FieldMap, WasiHttpView};

/// The largest answer over HTTP.
const MAX_RESPONSE_BYTES: usize = 16 << 20;

/// Serves calls until retired; answers every call it took.
pub(crate) async fn serve(version: Arc<Version>, host: SharedHost, queue: Queue) {
    let turn = Arc::new(Turn::default());
    let mut store = store(&version, host, turn.clone());
    let calls = Arc::new(Calls::new(&version, store.data().outages.clone()));
    let guest = match instantiate(&version, &mut store).await {
        Ok(guest) => guest,
        Err(error) => return refuse(&version, &queue, &error).await,
    };
    let _alive = Alive::new(&version);

    let ended = {
        let mut work =
            pin!(store.run_concurrent(async |accessor| { work(accessor, &guest, &version, &queue, &calls).await }));
        let mut guarded = pin!(std::future::poll_fn(|cx| {
            turn.enter();
            work.as_mut().poll(cx)
        }));
        loop {
            let deadline = calls.next_deadline();
            tokio::select! {
                biased;
                ended = &mut guarded => break ended.and_then(|ended| ended).map_err(|error| explain(&error)),
                () = tokio::time::sleep_until(deadline) => {
                    if calls.any_expired() {
                        break Err(format!("a call took longer than {:?}", version.limits.request_timeout));
                    }
                }
                () = calls.changed.notified() => {}
            }
        }
    };
    if let Err(reason) = ended {
        let reason = if store.data().memory.exceeded { format!("out of memory ({reason})") } else { reason };
        calls.abandon(&reason, &version);
    }
}

fn store(version: &Version, host: SharedHost, turn: Arc<Turn>) -> Store<State> {
    let mut store = Store::new(version.instance.engine(), State::new(version, host));
    store.limiter(|state| &mut state.memory);
    let max_ticks = u64::try_from(version.limits.max_cpu.as_millis() / EPOCH_TICK.as_millis()).unwrap_or(u64::MAX);
    store.epoch_deadline_callback(move |_| match turn.tick() {
        ticks if ticks > max_ticks => Err(wasmtime::Error::msg("computed for too long without waiting for anything")),
        _ => Ok(UpdateDeadline::Yield(1)),
    });
    store.set_epoch_deadline(1);
    store
}

/// Counts an instance for as long as it lives.
struct Alive(metrics::Gauge);

impl Alive {
    fn new(version: &Version) -> Self {
        let worker = version.component.to_string();
        metrics::counter!("registration_instances_started_total", "worker" => worker.clone()).increment(1);
        let alive = metrics::gauge!("registration_instances", "worker" => worker);
        alive.increment(1);
        Self(alive)
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.decrement(1);
    }
}

/// The exports of an instance.
struct Guest {
    batch: Option<batch_worker::Guest>,
    http: Option<Service>,
}

async fn instantiate(version: &Version, store: &mut Store<State>) -> wasmtime::Result<Guest> {
    let instance = version.instance.instantiate_async(&mut *store).await?;
    let batch = version.batch.as_ref().map(|indices| indices.load(&mut *store, &instance)).transpose()?;
    let http = match &version.http {
        Some(_) => Some(Service::new(&mut *store, &instance)?),
        None => None,
    };
    Ok(Guest { batch, http })
}

/// An instance that cannot start fails one waiting call, so that callers learn of it instead of waiting for ever.
async fn refuse(version: &Version, queue: &Queue, error: &wasmtime::Error) {
    if let Ok(job) = queue.recv().await {
        let error = CallError::NotCallable(format!("{} cannot be instantiated: {error:#}", version.component));
        job.reply().fail(error, version, Vec::new());
    }
}

/// Takes calls while the instance may, and drives those it has.
async fn work(
    accessor: &Accessor<State>,
    guest: &Guest,
    version: &Version,
    queue: &Queue,
    calls: &Calls,
) -> wasmtime::Result<()> {
    let limits = &version.limits;
    let mut running = FuturesUnordered::new();
    let mut served = 0;
    let mut open = true;
    loop {
        let accepts = open && served < limits.max_instance_reuse_count;
        if !accepts && running.is_empty() {
            return Ok(());
        }
        let has_room = running.len() < limits.max_instance_concurrent_reuse_count;
        tokio::select! {
            biased;
            Some(done) = running.next(), if !running.is_empty() => done?,
            job = queue.recv(), if accepts && has_room => match job {
                Ok(job) => {
                    if running.is_empty() {
                        accessor.with(|mut access| access.get().outages.clear());
                    }
                    accessor.with(|mut access| access.get().log.begin_call());
                    served += 1;
                    running.push(one(accessor, guest, version, calls, job));
                    // Let the call start before another is taken: one that computes leaves the rest to other instances.
                    tokio::task::yield_now().await;
                }
                Err(_) => open = false,
            },
            () = tokio::time::sleep(limits.idle_instance_timeout), if running.is_empty() => open = false,
        }
    }
}

/// Runs one call. An error is a trap and ends the instance.
async fn one(
    accessor: &Accessor<State>,
    guest: &Guest,
    version: &Version,
    calls: &Calls,
    job: Job,
) -> wasmtime::Result<()> {
    match job {
        Job::Batch { events, reply } => {
            let call = calls.begin(Reply::Batch(reply));
            let answer = match &guest.batch {
                Some(worker) => batch(accessor, worker, events).await?,
                None => Err(CallError::NotCallable("it does not export registration:workers/batch-worker".into())),
            };
            if let Some(Reply::Batch(reply)) = calls.end(call) {
                let _ = reply.send(calls.called(answer, version));
            }
        }
        Job::Http { request, reply } => {
            let call = calls.begin(Reply::Http(reply));
            let answer = match &guest.http {
                Some(service) => http(accessor, service, *request).await?,
                None => Err(CallError::NotCallable("it does not export wasi:http/handler".into())),
            };
            if let Some(Reply::Http(reply)) = calls.end(call) {
                let _ = reply.send(calls.called(answer, version));
            }
        }
    }
    Ok(())
}

async fn batch(
    accessor: &Accessor<State>,
    worker: &batch_worker::Guest,
    events: Vec<Event>,
) -> wasmtime::Result<Result<Vec<Disposition>, CallError>> {
    let answer = worker.call_handle(accessor, events).await?;
    Ok(answer.map_err(|failure| CallError::Failed(failure.message)))
}

async fn http(
    accessor: &Accessor<State>,
    service: &Service,
    request: http::Request<Bytes>,
) -> wasmtime::Result<Result<http::Response<Bytes>, CallError>> {
    let (parts, body) = request.into_parts();
    let uri = parts.uri.into_parts();
    let headers = accessor.with(|mut access| FieldMap::new_immutable(access.get().http().hooks, parts.headers));
    let (request, io) =
        Request::new(parts.method, uri.scheme, uri.authority, uri.path_and_query, headers, None, Full::new(body));
    let response = match service.handle(accessor, request).await? {
        Ok(response) => response,
        Err(code) => return Ok(Err(CallError::Failed(code.to_string()))),
    };
    let response = accessor.with(|access| response.into_http(access, io))?;
    let (parts, body) = response.into_parts();
    match Limited::new(body, MAX_RESPONSE_BYTES).collect().await {
        Ok(body) => Ok(Ok(http::Response::from_parts(parts, body.to_bytes()))),
        Err(error) => Ok(Err(CallError::Failed(format!("its answer broke off: {error}")))),
    }
}

fn explain(error: &wasmtime::Error) -> String {
    // The chain ends in the trap itself; the frames of a backtrace before it say nothing to a reader of logs.
    error.root_cause().to_string()
}

/// How long the guest has computed since it was last entered, in ticks.
#[derive(Default)]
struct Turn {
    ticks: AtomicU64,
    yielded: AtomicBool,
}

impl Turn {
    /// The owner polls the store: a new turn, unless the guest only yielded to a tick.
    fn enter(&self) {
        if !self.yielded.swap(false, Ordering::Relaxed) {
            self.ticks.store(0, Ordering::Relaxed);
        }
    }

    fn tick(&self) -> u64 {
        self.yielded.store(true, Ordering::Relaxed);
        self.ticks.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// The calls in flight of one instance, with their deadlines and replies.
struct Calls {
    in_flight: Mutex<HashMap<u64, (Instant, Reply)>>,
    next: AtomicU64,
    timeout: std::time::Duration,
    outages: Outages,
    /// Told when the set of deadlines changes.
    changed: Notify,
}

impl Calls {
    fn new(version: &Version, outages: Outages) -> Self {
        Self {
            in_flight: Mutex::default(),
            next: AtomicU64::new(0),
            timeout: version.limits.request_timeout,
            outages,
            changed: Notify::new(),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u64, (Instant, Reply)>> {
        self.in_flight.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, reply: Reply) -> u64 {
        let call = self.next.fetch_add(1, Ordering::Relaxed);
        let mut in_flight = self.lock();
        // Deadlines only ever move away, so the owner needs to be told only of the first.
        let first = in_flight.is_empty();
        in_flight.insert(call, (Instant::now() + self.timeout, reply));
        drop(in_flight);
        if first {
            self.changed.notify_one();
        }
        call
    }

    fn end(&self, call: u64) -> Option<Reply> {
        self.lock().remove(&call).map(|(_, reply)| reply)
    }

    fn next_deadline(&self) -> Instant {
        let earliest = self.lock().values().map(|(deadline, _)| *deadline).min();
        earliest.unwrap_or_else(|| Instant::now() + std::time::Duration::from_secs(3600))
    }

    fn any_expired(&self) -> bool {
        let now = Instant::now();
        self.lock().values().any(|(deadline, _)| *deadline <= now)
    }

    fn called<T>(&self, result: Result<T, CallError>, version: &Version) -> Called<T> {
        Called { result, digest: version.digest.clone(), outages: self.outages.list() }
    }

    /// The instance is gone: answers every call that has no answer yet.
    fn abandon(&self, reason: &str, version: &Version) {
        let now = Instant::now();
        for (_, (deadline, reply)) in self.lock().drain() {
            let error = match deadline <= now {
                true => CallError::TimedOut(self.timeout),
                false => CallError::Trapped(reason.to_owned()),
            };
            reply.fail(error, version, self.outages.list());
        }
    }
}
