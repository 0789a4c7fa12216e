//! Step Functions: behaviour that LocalStack does not have. It accepts any output, and heartbeats of attempts that have
//! ended.

use super::server::{Reply, Scripted};
use backend_embedded::Embedded;
use backend_step_functions::StepFunctions;
use futures::FutureExt;
use host_adapters_delivery::dispatch::{CallError, Dispatch, Dispatched};
use host_adapters_delivery::drain::{Drain, Ended};
use host_adapters_delivery::event::{Event, Request, Response};
use host_adapters_platform::Declared;
use host_adapters_platform::task::{NextAttempt, TaskAttempt, TaskBackend, TaskError, TaskFailure};
use host_adapters_records::ErrorKind;
use host_adapters_sources::task::TaskConfig;
use host_adapters_sources::{SourceConfig, SourceContext, SourceStores};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tests::wait::eventually;

const WORKER: &str = "select";
const ARN: &str = "arn:aws:states:us-east-1:123456789012:activity:p-select";
const TASK: &str = "arn:aws:states:us-east-1:123456789012:execution:select-winners:e/0";
/// Step Functions knows no lease.
const LEASE: Duration = Duration::ZERO;
const SECOND: Duration = Duration::from_secs(1);

async fn activities(server: &Scripted) -> StepFunctions {
    StepFunctions::new(&server.aws().await, "p-", [WORKER.to_owned()].into(), "this-host")
}

/// A server on which the activity exists.
async fn start(script: impl Fn(&str, usize, &Value) -> Reply + Send + Sync + 'static) -> Scripted {
    Scripted::start(move |action, before, input| match action {
        "ListActivities" => Ok(json!({"activities": [activity("p-select")]})),
        action => script(action, before, input),
    })
    .await
}

fn activity(name: &str) -> Value {
    let arn = format!("arn:aws:states:us-east-1:123456789012:activity:{name}");
    json!({"name": name, "activityArn": arn, "creationDate": 1_705_312_800})
}

fn handed_over(token: &str, input: &Value) -> Reply {
    Ok(json!({"taskToken": token, "input": input.to_string()}))
}

fn envelope(attempt: u32) -> Value {
    json!({"taskId": TASK, "attempt": attempt, "input": {"campaignId": "c"}})
}

/// An attempt that was handed over before.
fn attempt() -> TaskAttempt {
    TaskAttempt {
        worker: WORKER.to_owned(),
        task_id: TASK.to_owned(),
        name: "select-winners:e/0".to_owned(),
        number: 1,
        failures: 0,
        started_ms: None,
        input: "{}".to_owned(),
        token: "token".to_owned(),
        correlation_id: None,
        traceparent: None,
    }
}

fn failure(cause: impl Into<String>) -> TaskFailure {
    TaskFailure { error: TaskError::Failed, cause: cause.into() }
}

pub async fn finds_an_activity_behind_the_first_page() {
    let server = Scripted::start(|action, _, input| match (action, input.get("nextToken")) {
        ("ListActivities", None) => Ok(json!({"activities": [activity("select")], "nextToken": "more"})),
        ("ListActivities", Some(_)) => Ok(json!({"activities": [activity("p-select")]})),
        _ => handed_over("token", &envelope(2)),
    })
    .await;
    let attempt = activities(&server).await.take(WORKER, LEASE, SECOND).await.unwrap().unwrap();
    assert_eq!((attempt.task_id.as_str(), attempt.number), (TASK, 2));
    let asked = server.requests("GetActivityTask").remove(0);
    assert_eq!(asked, json!({"activityArn": ARN, "workerName": "this-host"}));
}

pub async fn names_a_missing_activity() {
    let server = Scripted::start(|_, _, _| Ok(json!({"activities": [activity("select")]}))).await;
    let activities = activities(&server).await;
    for error in [activities.take(WORKER, LEASE, SECOND).await.unwrap_err(), activities.probe().await.unwrap_err()] {
        assert_eq!((error.kind, error.message.as_str()), (ErrorKind::NotFound, "there is no activity p-select"));
    }
    let error = activities.take("another", LEASE, SECOND).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound, "{error}");
}

/// Its execution fails for good, and the next one is handed over.
pub async fn refuses_an_input_without_task_id_and_attempt() {
    let server = start(|action, before, _| match (action, before) {
        ("GetActivityTask", 0) => handed_over("bad", &json!({"campaignId": "c", "marketId": "m"})),
        ("GetActivityTask", _) => handed_over("good", &envelope(1)),
        _ => Ok(json!({})),
    })
    .await;
    let attempt = activities(&server).await.take(WORKER, LEASE, SECOND).await.unwrap().unwrap();
    assert_eq!(attempt.token, "good");
    let refused = server.requests("SendTaskFailure").remove(0);
    assert_eq!((&refused["taskToken"], &refused["error"]), (&json!("bad"), &json!("Registration.Failed")));
    let cause = refused["cause"].as_str().unwrap();
    assert!(cause.contains("not {taskId, attempt, input}: missing field `taskId`"), "{cause}");
}

/// The service has handed the execution over, and would wait for it until its time is over.
pub async fn hands_back_what_nobody_takes() {
    let server = start(|action, _, _| match action {
        "GetActivityTask" => handed_over("late", &envelope(1)),
        _ => Ok(json!({})),
    })
    .await;
    // A waiting runner begins the poll, and then stops waiting.
    assert!(activities(&server).await.take(WORKER, LEASE, SECOND).now_or_never().is_none());
    let handed_back = async || (!server.requests("SendTaskFailure").is_empty()).then_some(());
    eventually("it is handed back", handed_back).await;
    let returned = server.requests("SendTaskFailure").remove(0);
    assert_eq!((&returned["taskToken"], &returned["error"]), (&json!("late"), &json!("Registration.Drained")));
    assert_eq!(server.requests("GetActivityTask").len(), 1);
}

/// The probe after an outage: no poll answers within it, neither while the service is down nor when it is up again.
pub async fn is_probed_by_a_request_that_answers_at_once() {
    let up = Arc::new(AtomicBool::new(true));
    let is_up = up.clone();
    let server = Scripted::start(move |action, _, _| match (action, is_up.load(Ordering::Relaxed)) {
        ("ListActivities", true) => Ok(json!({"activities": [activity("p-select")]})),
        _ => Err("ThrottlingException"),
    })
    .await;
    let activities = activities(&server).await;
    for is_up in [true, false, false, true] {
        up.store(is_up, Ordering::Relaxed);
        let probed = activities.take(WORKER, LEASE, Duration::ZERO).await;
        assert_eq!(
            probed.map(|taken| taken.is_some()).map_err(|error| error.kind),
            match is_up {
                true => Ok(false),
                false => Err(ErrorKind::Throttled),
            }
        );
    }
    assert_eq!(server.requests("GetActivityTask").len(), 0, "no poll is begun");
}

pub async fn tells_that_an_attempt_is_over() {
    let over = ["TaskTimedOut", "TaskDoesNotExist", "InvalidToken"];
    let server = start(move |_, before, _| Err(over[before])).await;
    let activities = activities(&server).await;
    let attempt = attempt();
    for _ in over {
        assert!(!activities.heartbeat(&attempt, LEASE).await.unwrap());
        assert!(!activities.succeed(&attempt, "{}").await.unwrap());
        assert!(!activities.fail(&attempt, &failure(""), NextAttempt::Never).await.unwrap());
    }
}

pub async fn names_failures_for_the_state_machine() {
    let server = start(|_, _, _| Ok(json!({}))).await;
    let (activities, attempt) = (activities(&server).await, attempt());
    assert!(activities.limits_attempts());
    assert!(activities.fail(&attempt, &failure("slow"), NextAttempt::After(SECOND)).await.unwrap());
    assert!(activities.fail(&attempt, &failure("é".repeat(40_000)), NextAttempt::Never).await.unwrap());
    assert!(activities.release(&attempt).await.unwrap());
    assert!(activities.postpone(&attempt, "market m is taken", SECOND).await.unwrap());
    assert!(activities.hand_back(&attempt, "service:code").await.unwrap());
    assert_eq!(activities.repeat(&attempt).await.unwrap(), None, "only the state machine begins attempts");
    let sent = server.requests("SendTaskFailure");
    let errors: Vec<_> = sent.iter().map(|request| request["error"].as_str().unwrap()).collect();
    let expected = ["Retryable", "Failed", "Drained", "Waiting", "Outage"].map(|name| format!("Registration.{name}"));
    assert_eq!(errors, expected);
    assert_eq!(sent[4]["cause"], "service:code");
    assert_eq!(sent[3]["cause"], "market m is taken");
    assert_eq!(sent[0]["cause"], "WorkerFailed: slow");
    assert_eq!(sent[1]["cause"].as_str().unwrap().chars().count(), 2048);
}

/// A worker whose service is down.
struct Cut;

#[async_trait::async_trait]
impl Dispatch for Cut {
    async fn dispatch(&self, _: &str, _: Vec<Event>) -> Dispatched {
        unreachable!("a task is not a batch")
    }

    async fn request(&self, _: &str, _: Request) -> Dispatched<Response> {
        let failed = Dispatched::of(Err(CallError::Failed("no service".to_owned())));
        Dispatched { outages: vec!["service:code".to_owned()], ..failed }
    }
}

/// `TimeoutSeconds` counts from the hand-over: a later repeat of the same attempt would be cut off by it.
pub async fn hands_back_its_attempt_in_an_outage() {
    let server = start(|action, before, _| match (action, before) {
        ("GetActivityTask", 0) => handed_over("first", &envelope(1)),
        ("GetActivityTask", 1) => handed_over("second", &envelope(2)),
        _ => Ok(json!({})),
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(Embedded::open(&folder.path().join("store"), &Declared::default()).unwrap());
    let stores = SourceStores { tasks: Arc::new(activities(&server).await), ..SourceStores::of_queues(store) };
    let config = TaskConfig { max_concurrency: 1, ..TaskConfig::default() };
    let source = SourceConfig::Task(config).source(&SourceContext::new(WORKER, Arc::new(Cut), stores));
    let drain = Drain::new();
    let draining = drain.clone();
    let running = tokio::spawn(async move { source.run(draining).await });
    let handed_back = async || Some(server.requests("SendTaskFailure")).filter(|sent| sent.len() == 2);
    let sent = eventually("both are handed back", handed_back).await;
    for (sent, token) in sent.iter().zip(["first", "second"]) {
        assert_eq!(*sent, json!({"taskToken": token, "error": "Registration.Outage", "cause": "service:code"}));
    }
    assert_eq!(drain.finish(SECOND, running).await.unwrap(), Ended::Drained);
}

/// Otherwise the attempt would be made again until its time is over.
pub async fn fails_with_an_output_that_is_refused() {
    let server = start(|action, _, _| match action {
        "SendTaskSuccess" => Err("InvalidOutput"),
        _ => Ok(json!({})),
    })
    .await;
    assert!(activities(&server).await.succeed(&attempt(), "{}").await.unwrap());
    let failed = server.requests("SendTaskFailure").remove(0);
    assert_eq!(failed["error"], "Registration.Failed");
    assert_eq!(failed["cause"], "BadOutput: as scripted");
}

pub async fn reports_a_lasting_throttle() {
    let server = start(|action, _, _| match action {
        "GetActivityTask" => Err("ThrottlingException"),
        _ => Err("ActivityWorkerLimitExceeded"),
    })
    .await;
    let activities = activities(&server).await;
    let error = activities.take(WORKER, LEASE, Duration::from_secs(30)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Throttled, "{error}");
    let error = activities.heartbeat(&attempt(), LEASE).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Throttled, "{error}");
}

pub async fn makes_activities() {
    let server = start(|_, _, _| Ok(json!({"activityArn": ARN, "creationDate": 1_705_312_800}))).await;
    activities(&server).await.provision(WORKER).await.unwrap();
    assert_eq!(server.requests("CreateActivity"), [json!({"name": "p-select"})]);
}
