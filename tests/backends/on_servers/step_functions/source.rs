//! The source `task` on Step Functions: outcomes, heartbeats, drain, a host that was killed, an execution that is
//! stopped.

use crate::backends::on_servers::step_functions::machine::{HEARTBEAT_SECS, Machine, WORKER};
use crate::backends::on_servers::step_functions::succeeded;
use backend_embedded::Embedded;
use futures::future::{BoxFuture, FutureExt};
use host_adapters_delivery::dispatch::{CallError, Dispatch, Dispatched};
use host_adapters_delivery::drain::{Drain, Ended};
use host_adapters_delivery::event::{Event, Request, Response};
use host_adapters_platform::Declared;
use host_adapters_sources::task::TaskConfig;
use host_adapters_sources::{SourceConfig, SourceContext, SourceStores};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tests::wait::eventually;
use tokio::task::JoinHandle;

type CallResult = Result<Response, CallError>;
type Rule = dyn Fn(&str, u32) -> BoxFuture<'static, CallResult> + Send + Sync;

/// A worker that answers with a function of market and attempt, and keeps what it was asked.
struct Worker {
    answer: Box<Rule>,
    asked: Mutex<Vec<Request>>,
}

#[async_trait::async_trait]
impl Dispatch for Worker {
    async fn dispatch(&self, _: &str, _: Vec<Event>) -> Dispatched {
        unreachable!("a task is not a batch")
    }

    async fn request(&self, _: &str, request: Request) -> Dispatched<Response> {
        let body: Value = serde_json::from_str(&request.body).unwrap();
        let answer = (self.answer)(body["marketId"].as_str().unwrap(), request.attempt);
        self.asked.lock().unwrap().push(request);
        Dispatched::of(answer.await)
    }
}

impl Worker {
    fn new(answer: impl Fn(&str, u32) -> BoxFuture<'static, CallResult> + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { answer: Box::new(answer), asked: Mutex::default() })
    }

    /// One that never answers.
    fn stuck() -> Arc<Self> {
        Self::new(|_, _| std::future::pending().boxed())
    }

    fn good() -> Arc<Self> {
        Self::new(|_, _| ready(done()))
    }

    /// Task id and attempt of each call so far.
    fn calls(&self) -> Vec<(String, u32)> {
        let asked = self.asked.lock().unwrap();
        asked.iter().map(|request| (request.task_id.clone().unwrap(), request.attempt)).collect()
    }

    async fn is_called(&self, times: usize) {
        eventually("the worker is called", async || (self.calls().len() >= times).then_some(())).await;
    }
}

fn ready(answer: CallResult) -> BoxFuture<'static, CallResult> {
    std::future::ready(answer).boxed()
}

fn done() -> CallResult {
    Ok(Response { status: 200, body: r#"{"selected": 1}"#.to_owned() })
}

/// A host with one source of tasks, whose heartbeats are a second apart.
struct Host {
    drain: Drain,
    running: JoinHandle<Ended>,
    _folder: TempDir,
}

impl Host {
    fn start(machine: &Machine, worker: &Arc<Worker>, max_concurrency: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(Embedded::open(&folder.path().join("store"), &Declared::default()).unwrap());
        let stores = SourceStores { tasks: Arc::new(machine.activities.clone()), ..SourceStores::of_queues(store) };
        let context = SourceContext::new(WORKER, worker.clone(), stores);
        let config = TaskConfig { max_concurrency, heartbeat_secs: 1, ..TaskConfig::default() };
        let (source, drain) = (SourceConfig::Task(config).source(&context), Drain::new());
        let draining = drain.clone();
        Self { drain, running: tokio::spawn(async move { source.run(draining).await }), _folder: folder }
    }

    async fn drain(self, grace: Duration) -> Ended {
        self.drain.finish(grace, self.running).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
#[allow(non_snake_case, reason = "begins with a line of docs/delivery.md")]
async fn d14_2__outcomes_of_calls_are_outcomes_of_markets() {
    let machine = Machine::start().await;
    let worker = Worker::new(|market, attempt| {
        ready(match (market, attempt) {
            ("refused", _) => Ok(Response { status: 422, body: r#"{"error": "TOO_FEW_CODES"}"#.to_owned() }),
            ("late", 1) => Err(CallError::Failed("not yet".to_owned())),
            ("trap", 1 | 2) => Err(CallError::Trapped("unreachable".to_owned())),
            _ => done(),
        })
    });
    let host = Host::start(&machine, &worker, 2);
    let execution = machine.select(json!(["refused", "late", "trap", "good"])).await;
    let cause = r#"WorkerRefused: status 422: {"error": "TOO_FEW_CODES"}"#;
    let error = json!({"Error": "Registration.Failed", "Cause": cause});
    let refused = json!({"marketId": "refused", "outcome": "FAILED", "error": error});
    let expected = [refused, succeeded("late"), succeeded("trap"), succeeded("good")];
    assert_eq!(machine.outcomes(&execution).await, expected);
    let mut calls = worker.calls();
    calls.sort_unstable();
    let expected = [(0, 1), (1, 1), (1, 2), (2, 1), (2, 2), (2, 3), (3, 1)];
    assert_eq!(calls, expected.map(|(index, attempt)| (format!("{execution}/{index}"), attempt)));
    assert_eq!(host.drain(Duration::from_secs(5)).await, Ended::Drained);
}

#[tokio::test(flavor = "multi_thread")]
#[allow(non_snake_case, reason = "begins with a line of docs/delivery.md")]
async fn d14_4__a_slow_worker_is_called_once() {
    let machine = Machine::start().await;
    let worker = Worker::new(|_, _| {
        async {
            tokio::time::sleep(Duration::from_secs(3 * HEARTBEAT_SECS)).await;
            done()
        }
        .boxed()
    });
    let host = Host::start(&machine, &worker, 1);
    let execution = machine.select(json!(["a"])).await;
    assert_eq!(machine.outcomes(&execution).await, [succeeded("a")]);
    assert_eq!(worker.calls(), [(format!("{execution}/0"), 1)]);
    assert_eq!(host.drain(Duration::from_secs(5)).await, Ended::Drained);
}

#[tokio::test(flavor = "multi_thread")]
#[allow(non_snake_case, reason = "begins with a line of docs/delivery.md")]
async fn d14_3__a_drained_host_hands_its_attempt_to_another() {
    let machine = Machine::start().await;
    let (stuck, good) = (Worker::stuck(), Worker::good());
    let first = Host::start(&machine, &stuck, 1);
    let execution = machine.select(json!(["a"])).await;
    stuck.is_called(1).await;
    assert_eq!(first.drain(Duration::from_millis(100)).await, Ended::Abandoned(1));
    let second = Host::start(&machine, &good, 1);
    assert_eq!(machine.outcomes(&execution).await, [succeeded("a")]);
    assert_eq!(good.calls(), [(format!("{execution}/0"), 2)]);
    let errors = machine.errors(&execution).await;
    assert_eq!(errors, ["Registration.Drained"], "not the time-out of its heartbeats");
    assert_eq!(second.drain(Duration::from_secs(5)).await, Ended::Drained);
}

#[tokio::test(flavor = "multi_thread")]
#[allow(non_snake_case, reason = "begins with a line of docs/delivery.md")]
async fn d14_4__the_attempt_of_a_host_that_is_gone_is_made_by_another() {
    let machine = Machine::start().await;
    let (stuck, good) = (Worker::stuck(), Worker::good());
    let first = Host::start(&machine, &stuck, 1);
    let execution = machine.select(json!(["a"])).await;
    stuck.is_called(1).await;
    first.running.abort();
    let second = Host::start(&machine, &good, 1);
    assert_eq!(machine.outcomes(&execution).await, [succeeded("a")]);
    assert_eq!(good.calls(), [(format!("{execution}/0"), 2)]);
    assert_eq!(machine.errors(&execution).await, ["States.Timeout"]);
    assert_eq!(second.drain(Duration::from_secs(5)).await, Ended::Drained);
}

/// Its only slot is free again for another execution.
#[tokio::test(flavor = "multi_thread")]
#[allow(non_snake_case, reason = "begins with a line of docs/delivery.md")]
async fn d14_6__the_call_of_a_stopped_execution_is_ended() {
    let machine = Machine::start().await;
    let worker = Worker::new(|market, _| match market {
        "stopped" => std::future::pending().boxed(),
        _ => ready(done()),
    });
    let host = Host::start(&machine, &worker, 1);
    let stopped = machine.select(json!(["stopped"])).await;
    worker.is_called(1).await;
    machine.stop(&stopped).await;
    let execution = machine.select(json!(["a"])).await;
    assert_eq!(machine.outcomes(&execution).await, [succeeded("a")]);
    assert_eq!(host.drain(Duration::from_secs(5)).await, Ended::Drained);
}
