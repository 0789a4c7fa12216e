//! One instance: a task that owns a store and serves calls from the pool's queue until it is retired.
//!
//! - Calls run inside one `run_concurrent`. A trap ends it for all of them, so the replies are kept *outside*, where
//!   the owner answers every call that has no response.
//! - Wall time is enforced outside too: inside, a guest that does not yield would starve the timer.
//! - CPU time is bounded by epochs: each tick makes the guest yield, and traps it when one turn (from entering the
//!   guest until it waits for something) has taken too long. A deadline since the start of the instance would trap it
//!   for waiting.

use crate::budget::{MAX_CALL_BYTES, MAX_HANDLES};
use crate::call::CallError;
use crate::calls::Calls;
use crate::component::Version;
use crate::engine::{EPOCH_TICK, Shared, SharedHost};
use crate::guest::Guest;
use crate::outages::Outages;
use crate::pool::{Asked, Queue, Reply};
use crate::state::State;
use crate::turn::{self, Turn, Unfinished};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use wasmtime::component::Accessor;
use wasmtime::{Store, UpdateDeadline};

/// How long an instance may take to start. There is no call yet, so no call's limit ends it.
const START_LIMIT: Duration = Duration::from_secs(10);
/// Most entries of the tables that the host keeps for an instance: tasks, streams, resources.
const MAX_TABLE_ENTRIES: usize = 10 * MAX_HANDLES;

/// Serves calls until retired; answers every call that it took. The slot is kept as long as the store exists.
pub(crate) async fn serve(version: Arc<Version>, shared: &Shared, queue: Queue, slot: Option<OwnedSemaphorePermit>) {
    let turn = Arc::new(Turn::default());
    let mut store = store(&version, shared.host.clone(), Outages::new(shared.routes.clone()), turn.clone());
    let calls = Arc::new(Calls::new(&version, store.data().outages.clone()));
    let guest = match instantiate(&version, &mut store).await {
        Ok(guest) => guest,
        Err(reason) => return refuse(&version, &queue, &reason).await,
    };
    let _alive = Alive::new(&version);
    let exceeded = store.data().memory.exceeded.clone();

    let work = {
        let (version, calls) = (version.clone(), calls.clone());
        async move {
            let _slot = slot;
            let work = async |accessor: &_| work(accessor, &guest, &version, &queue, &calls).await;
            store.run_concurrent(work).await.and_then(|ended| ended).map_err(|error| explain(&error))
        }
    };
    let ended = turn::drive(turn, Box::pin(work), &shared.long_turns, calls.expired()).await;
    let ended = ended.unwrap_or_else(|unfinished| {
        Err(match unfinished {
            Unfinished::Stopped => format!("a call took longer than {:?}", version.limits.request_timeout()),
            Unfinished::Panicked => "the host panicked on its behalf".to_owned(),
        })
    });
    if let Err(reason) = ended {
        let reason = if exceeded.load(Ordering::Relaxed) { format!("out of memory ({reason})") } else { reason };
        calls.abandon(&reason, &version);
    }
}

fn store(version: &Version, host: SharedHost, outages: Outages, turn: Arc<Turn>) -> Store<State> {
    let mut store = Store::new(version.instance.engine(), State::new(version, host, outages));
    store.limiter(|state| &mut state.memory);
    store.set_hostcall_fuel(MAX_CALL_BYTES);
    store.set_max_component_handles(MAX_HANDLES);
    if let Some(table) = store.concurrent_resource_table() {
        table.set_max_capacity(MAX_TABLE_ENTRIES);
    }
    store.data_mut().table.set_max_capacity(MAX_TABLE_ENTRIES);
    let max_ticks = u64::try_from(version.limits.max_cpu().as_millis() / EPOCH_TICK.as_millis()).unwrap_or(u64::MAX);
    store.epoch_deadline_callback(move |_| match turn.tick() {
        ticks if ticks > max_ticks => Err(wasmtime::Error::msg("computed for too long without waiting for anything")),
        _ => Ok(UpdateDeadline::Yield(1)),
    });
    store.set_epoch_deadline(1);
    store
}

/// Counts an instance while it lives.
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

/// Starts the guest; the error says why it cannot start.
async fn instantiate(version: &Version, store: &mut Store<State>) -> Result<Guest, String> {
    let start = async {
        let instance = version.instance.instantiate_async(&mut *store).await?;
        Guest::new(version, store, &instance)
    };
    let started: wasmtime::Result<Guest> = match tokio::time::timeout(START_LIMIT, start).await {
        Ok(started) => started,
        Err(_) => return Err(format!("it does not start within {START_LIMIT:?}")),
    };
    started.map_err(|error| format!("{:#}", error.root_cause()))
}

/// Starts an instance and drops it, on a separate thread. This shows whether it starts, and whether its exports have
/// the right types, which cannot be read from the file.
pub(crate) fn try_out(version: &Version, host: &SharedHost) -> Result<(), String> {
    let start = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let mut store = store(version, host.clone(), Outages::default(), Arc::default());
        runtime.map_err(|error| error.to_string())?.block_on(instantiate(version, &mut store)).map(drop)
    };
    let joined = std::thread::scope(|scope| scope.spawn(start).join());
    joined.unwrap_or_else(|_| Err("starting it panicked".to_owned()))
}

/// If an instance cannot start, one waiting call fails, so that callers get an error instead of waiting forever.
async fn refuse(version: &Version, queue: &Queue, reason: &str) {
    if let Ok(job) = queue.recv().await {
        let error = CallError::NotCallable(format!("{} cannot be instantiated: {reason}", version.component));
        job.split().1.fail(error, version, &Outages::default());
    }
}

/// Takes calls while the instance may, and drives those that it has.
async fn work(
    accessor: &Accessor<State>,
    guest: &Guest,
    version: &Version,
    queue: &Queue,
    calls: &Calls,
) -> wasmtime::Result<()> {
    let limits = &version.limits;
    let mut running = FuturesUnordered::new();
    // Moved only when it ends, because setting a timer for every call would cost CPU time.
    let mut idle = pin!(tokio::time::sleep(limits.idle_instance_timeout()));
    let mut idle_since = Instant::now();
    let mut served = 0;
    let mut open = true;
    loop {
        let accepts = open && served < limits.max_instance_reuse_count;
        if !accepts && running.is_empty() {
            return Ok(());
        }
        let has_room = running.len() < limits.concurrency();
        tokio::select! {
            biased;
            Some(done) = running.next(), if !running.is_empty() => {
                done?;
                idle_since = Instant::now();
            }
            job = queue.recv(), if accepts && has_room => match job {
                Ok(job) => {
                    if running.is_empty() {
                        accessor.with(|mut access| access.get().outages.clear());
                    }
                    accessor.with(|mut access| access.get().log.begin_call());
                    served += 1;
                    // Registered from now on: if the instance ends before the call begins, the call is still answered.
                    let (asked, reply) = job.split();
                    running.push(one(accessor, guest, version, calls, (asked, calls.begin(reply))));
                    // Lets the call start before another is taken, so that other instances take further calls if this
                    // one computes.
                    yield_now().await;
                }
                Err(_) => open = false,
            },
            () = &mut idle, if running.is_empty() => {
                let ends = idle_since + limits.idle_instance_timeout();
                open = ends > Instant::now();
                idle.as_mut().reset(ends);
            }
        }
    }
}

/// Yields once to the store's guest. Tokio's own function would first poll all connections of the process.
async fn yield_now() {
    let mut yielded = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Runs one call. An error is a trap and ends the instance.
async fn one(
    accessor: &Accessor<State>,
    guest: &Guest,
    version: &Version,
    calls: &Calls,
    (asked, call): (Asked, u64),
) -> wasmtime::Result<()> {
    match asked {
        Asked::Batch(events) => {
            let answer = guest.batch(accessor, events).await?;
            if let Some(Reply::Batch(reply)) = calls.end(call) {
                let _ = reply.send(calls.called(answer, version));
            }
        }
        Asked::Request(request) => {
            let answer = guest.request(accessor, *request).await?;
            if let Some(Reply::Request(reply)) = calls.end(call) {
                let _ = reply.send(calls.called(answer, version));
            }
        }
        Asked::Http(request) => {
            let answer = guest.http(accessor, *request).await?;
            if let Some(Reply::Http(reply)) = calls.end(call) {
                let _ = reply.send(calls.called(answer, version));
            }
        }
    }
    Ok(())
}

fn explain(error: &wasmtime::Error) -> String {
    // The last error of the chain is the trap itself; the frames of the backtrace before it do not help a reader of
    // logs.
    error.root_cause().to_string()
}
