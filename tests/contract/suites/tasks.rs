//! Executions of tasks: attempts, as the source needs them, and how they are started, shown and stopped.

use super::backend::{Backend, WORKER, secs};
use host_adapters_platform::task::{
    Execution, ExecutionCounts, ExecutionState, ExecutionTable, MAX_TASK_BYTES, NewExecution, NextAttempt, Started,
    TaskAttempt, TaskBackend, TaskError, TaskFailure,
};
use host_adapters_records::ErrorKind;
use std::time::Duration;

/// A backend that keeps executions, with [`WORKER`] as a worker that does tasks.
pub trait TaskStore: Backend {
    fn tasks(&self) -> &dyn TaskBackend;
    fn executions(&self) -> &dyn ExecutionTable;
}

const LEASE: Duration = Duration::from_secs(30);

fn new(name: &str, input: &str) -> NewExecution {
    NewExecution { name: name.to_owned(), input: input.to_owned(), ..NewExecution::default() }
}

/// Starts a new execution.
pub async fn start(backend: &impl TaskStore, name: &str, input: &str) -> Execution {
    match backend.executions().start(WORKER, &new(name, input)).await.unwrap() {
        Started::New(execution) => execution,
        other => panic!("{other:?}"),
    }
}

/// The attempt that is due, if there is one.
pub async fn take(backend: &impl TaskStore) -> Option<TaskAttempt> {
    backend.tasks().take(WORKER, LEASE, Duration::ZERO).await.unwrap()
}

pub async fn find(backend: &impl TaskStore, name: &str) -> Execution {
    backend.executions().find(WORKER, name).await.unwrap().unwrap()
}

fn failure(cause: &str) -> TaskFailure {
    TaskFailure { error: TaskError::Failed, cause: cause.to_owned() }
}

pub async fn a_name_is_one_execution(backend: &impl TaskStore) {
    let first = start(backend, "a", r#"{"n":1,"m":[true]}"#).await;
    assert_eq!((first.state, first.attempts, first.name.as_str()), (ExecutionState::Scheduled, 0, "a"));
    let again = |input| async move { backend.executions().start(WORKER, &new("a", input)).await.unwrap() };
    for same in [r#"{"n":1,"m":[true]}"#, r#" { "m" : [true], "n" : 1.0 } "#] {
        assert!(matches!(again(same).await, Started::Before(execution) if execution.id == first.id), "{same}");
    }
    assert!(matches!(again(r#"{"n":2,"m":[true]}"#).await, Started::Differs(other) if other.id == first.id));
    let attempt = take(backend).await.unwrap();
    assert!(backend.tasks().succeed(&attempt, "7").await.unwrap());
    let Started::Before(ended) = again(r#"{"n":1,"m":[true]}"#).await else { panic!("it has ended") };
    assert_eq!(
        (ended.id.as_str(), ended.state, ended.output.unwrap().get()),
        (first.id.as_str(), ExecutionState::Succeeded, "7")
    );
    assert!(take(backend).await.is_none(), "it is not made again");
    assert_ne!(start(backend, "b", "1").await.id, first.id);
}

pub async fn takes_what_has_been_due_for_longest(backend: &impl TaskStore) {
    let new = NewExecution {
        correlation_id: Some("c-1".to_owned()),
        traceparent: Some("00-1-2-01".to_owned()),
        ..new("a", r#" {"n": 12345678901234567890123} "#)
    };
    let Started::New(first) = backend.executions().start(WORKER, &new).await.unwrap() else { panic!("it is new") };
    backend.pass(secs(1)).await;
    start(backend, "b", "null").await;
    let attempt = take(backend).await.unwrap();
    assert_eq!((attempt.worker.as_str(), attempt.name.as_str(), &attempt.task_id), (WORKER, "a", &first.id));
    assert_eq!((attempt.number, attempt.failures, attempt.input.trim()), (1, 0, r#"{"n": 12345678901234567890123}"#));
    assert_eq!(attempt.started_ms, Some(first.started_ms));
    assert_eq!((attempt.correlation_id.as_deref(), attempt.traceparent.as_deref()), (Some("c-1"), Some("00-1-2-01")));
    let second = take(backend).await.unwrap();
    assert_eq!((second.name.as_str(), second.correlation_id, second.traceparent), ("b", None, None));
    assert!(take(backend).await.is_none());
    let shown = find(backend, "a").await;
    assert_eq!((shown.state, shown.attempts, shown.due_ms), (ExecutionState::Running, 1, None));
}

pub async fn waits_for_an_execution(backend: &impl TaskStore) {
    let wait = secs(60);
    let (taken, ()) = tokio::join!(backend.tasks().take(WORKER, LEASE, wait), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        start(backend, "a", "1").await;
    });
    assert_eq!(taken.unwrap().unwrap().name, "a");
    let began = std::time::Instant::now();
    assert!(backend.tasks().take(WORKER, LEASE, Duration::from_millis(50)).await.unwrap().is_none());
    assert!(began.elapsed() >= Duration::from_millis(50));
}

pub async fn keeps_an_output(backend: &impl TaskStore) {
    start(backend, "a", "1").await;
    let attempt = take(backend).await.unwrap();
    backend.pass(secs(5)).await;
    assert!(backend.tasks().succeed(&attempt, r#"{"n":12345678901234567890123}"#).await.unwrap());
    let ended = find(backend, "a").await;
    assert_eq!((ended.state, ended.error, ended.cause), (ExecutionState::Succeeded, None, None));
    assert_eq!(ended.output.unwrap().get(), r#"{"n":12345678901234567890123}"#);
    assert!(ended.ended_ms.unwrap() >= ended.started_ms + 5_000);
    // Nothing more is taken from this attempt.
    assert!(!backend.tasks().succeed(&attempt, "2").await.unwrap());
    assert!(!backend.tasks().heartbeat(&attempt, LEASE).await.unwrap());
    assert!(!backend.tasks().fail(&attempt, &failure("no"), NextAttempt::Never).await.unwrap());
    assert!(!backend.tasks().release(&attempt).await.unwrap());
    assert!(!backend.tasks().postpone(&attempt, "taken", secs(1)).await.unwrap());
    assert_eq!(backend.tasks().repeat(&attempt).await.unwrap(), None);
    let ended = find(backend, "a").await;
    assert_eq!((ended.state, ended.attempts), (ExecutionState::Succeeded, 1));
}

pub async fn begins_again_after_the_wait(backend: &impl TaskStore) {
    start(backend, "a", "1").await;
    let first = take(backend).await.unwrap();
    assert!(backend.tasks().fail(&first, &failure("busy"), NextAttempt::After(secs(10))).await.unwrap());
    let waiting = find(backend, "a").await;
    assert_eq!((waiting.state, waiting.failures), (ExecutionState::Scheduled, 1));
    assert_eq!((waiting.error.as_deref(), waiting.cause.as_deref()), (Some("WorkerFailed"), Some("busy")));
    assert!(waiting.due_ms.unwrap() >= waiting.started_ms + 10_000);
    backend.pass(Duration::from_millis(9_999)).await;
    assert!(take(backend).await.is_none());
    backend.pass(Duration::from_millis(1)).await;
    let second = take(backend).await.unwrap();
    assert_eq!((second.number, second.failures, &second.task_id), (2, 1, &first.task_id));
    assert_ne!(second.token, first.token);
    assert!(backend.tasks().succeed(&second, "2").await.unwrap());
    assert_eq!(find(backend, "a").await.error, None, "it has succeeded after all");
}

pub async fn ends_with_the_last_failure(backend: &impl TaskStore) {
    start(backend, "a", r#"{"k":"v"}"#).await;
    let attempt = take(backend).await.unwrap();
    let refused = TaskFailure { error: TaskError::Refused, cause: "status 422: {}".to_owned() };
    assert!(backend.tasks().fail(&attempt, &refused, NextAttempt::Never).await.unwrap());
    backend.pass(secs(3_600)).await;
    assert!(take(backend).await.is_none());
    let ended = find(backend, "a").await;
    assert_eq!((ended.state, ended.failures, ended.output.is_none()), (ExecutionState::Failed, 1, true));
    assert_eq!((ended.error.as_deref(), ended.cause.as_deref()), (Some("WorkerRefused"), Some("status 422: {}")));
    assert_eq!(ended.input.unwrap().get(), r#"{"k":"v"}"#, "it can be started again under another name");
}

pub async fn releases_without_a_failure(backend: &impl TaskStore) {
    start(backend, "a", "1").await;
    let attempt = take(backend).await.unwrap();
    assert!(backend.tasks().release(&attempt).await.unwrap());
    let again = take(backend).await.unwrap();
    assert_eq!((again.number, again.failures), (2, 0));
}

pub async fn waits_without_a_failure(backend: &impl TaskStore) {
    start(backend, "a", "1").await;
    let attempt = take(backend).await.unwrap();
    assert!(backend.tasks().fail(&attempt, &failure("no"), NextAttempt::After(secs(1))).await.unwrap());
    backend.pass(secs(1)).await;
    let attempt = take(backend).await.unwrap();
    assert!(backend.tasks().postpone(&attempt, "market m is taken", secs(10)).await.unwrap());
    let waiting = find(backend, "a").await;
    assert_eq!((waiting.state, waiting.attempts, waiting.failures), (ExecutionState::Scheduled, 2, 1));
    assert_eq!((waiting.error.as_deref(), waiting.cause.as_deref()), (None, Some("market m is taken")));
    assert!(!backend.tasks().succeed(&attempt, "1").await.unwrap(), "the attempt has ended");
    start(backend, "b", "1").await;
    assert_eq!(take(backend).await.unwrap().name, "b", "others go on meanwhile");
    backend.pass(Duration::from_millis(9_999)).await;
    assert!(take(backend).await.is_none());
    backend.pass(Duration::from_millis(1)).await;
    let again = take(backend).await.unwrap();
    assert_eq!((again.name.as_str(), again.number, again.failures), ("a", 3, 1));
    assert!(backend.tasks().succeed(&again, "1").await.unwrap());
    assert_eq!(find(backend, "a").await.cause, None);
}

pub async fn counts_attempts_that_are_repeated(backend: &impl TaskStore) {
    start(backend, "a", "1").await;
    let attempt = take(backend).await.unwrap();
    for number in 2..=4 {
        assert_eq!(backend.tasks().repeat(&attempt).await.unwrap(), Some(number));
    }
    assert!(backend.tasks().heartbeat(&attempt, LEASE).await.unwrap(), "it is still the caller's");
    let running = find(backend, "a").await;
    assert_eq!((running.state, running.attempts, running.failures), (ExecutionState::Running, 4, 0));
    backend.pass(LEASE).await;
    let next = take(backend).await.unwrap();
    assert_eq!((next.number, next.failures), (5, 0), "no number comes again");
    assert_eq!(backend.tasks().repeat(&attempt).await.unwrap(), None, "it is another's");
    assert!(backend.tasks().succeed(&next, "1").await.unwrap());
}

pub async fn an_id_stands_for_a_name(backend: &impl TaskStore) {
    let first = start(backend, "a", "1").await;
    let found = find(backend, &first.id).await;
    assert_eq!((found.name.as_str(), &found.id), ("a", &first.id));
    // A name is looked for first.
    let named = start(backend, &first.id, "2").await;
    assert_eq!(find(backend, &first.id).await.id, named.id);
    let stopped = backend.executions().stop(WORKER, &named.id, "by hand").await.unwrap().unwrap();
    assert_eq!((stopped.name, stopped.state), (first.id, ExecutionState::Stopped));
    assert_eq!(find(backend, "a").await.state, ExecutionState::Scheduled);
}

pub async fn an_attempt_ends_with_its_lease(backend: &impl TaskStore) {
    start(backend, "a", "1").await;
    let first = take(backend).await.unwrap();
    backend.pass(secs(29)).await;
    assert!(backend.tasks().heartbeat(&first, LEASE).await.unwrap());
    backend.pass(secs(29)).await;
    assert!(take(backend).await.is_none(), "the heartbeat has extended it");
    backend.pass(secs(1)).await;
    let second = take(backend).await.unwrap();
    assert_eq!((second.number, second.failures), (2, 0));
    assert!(!backend.tasks().heartbeat(&first, LEASE).await.unwrap());
    assert!(!backend.tasks().succeed(&first, "1").await.unwrap(), "the late outcome of the first");
    assert!(backend.tasks().succeed(&second, "2").await.unwrap());
    assert_eq!(find(backend, "a").await.output.unwrap().get(), "2");
}

pub async fn what_is_stopped_stays_stopped(backend: &impl TaskStore) {
    for name in ["waiting", "running", "ended"] {
        start(backend, name, "1").await;
        backend.pass(secs(1)).await;
    }
    let stop = |name: &'static str| async move { backend.executions().stop(WORKER, name, "by hand").await.unwrap() };
    assert_eq!(stop("waiting").await.unwrap().state, ExecutionState::Stopped);
    let (running, ended) = (take(backend).await.unwrap(), take(backend).await.unwrap());
    assert_eq!((running.name.as_str(), ended.name.as_str()), ("running", "ended"));
    assert!(backend.tasks().succeed(&ended, "1").await.unwrap());
    let stopped = stop("running").await.unwrap();
    assert_eq!((stopped.state, stopped.cause.as_deref()), (ExecutionState::Stopped, Some("by hand")));
    assert!(!backend.tasks().heartbeat(&running, LEASE).await.unwrap());
    assert!(!backend.tasks().succeed(&running, "1").await.unwrap());
    assert_eq!(stop("ended").await.unwrap().state, ExecutionState::Succeeded, "too late");
    assert!(stop("nobody").await.is_none());
    backend.pass(secs(3_600)).await;
    assert!(take(backend).await.is_none());
}

pub async fn lists_the_latest_first(backend: &impl TaskStore) {
    for n in 0..5 {
        start(backend, &format!("e{n}"), &n.to_string()).await;
    }
    let attempt = take(backend).await.unwrap();
    backend.tasks().succeed(&attempt, "0").await.unwrap();
    let page = |state, from: Option<String>| async move {
        let page = backend.executions().list(WORKER, state, from.as_deref(), 2).await.unwrap();
        assert!(page.executions.iter().all(|it| it.input.is_none() && it.output.is_none()));
        (page.executions.into_iter().map(|it| it.name).collect::<Vec<_>>(), page.next)
    };
    let (first, next) = page(None, None).await;
    // Executions that are started meanwhile are not shown twice, and shift no others.
    start(backend, "e5", "5").await;
    let (second, next) = page(None, next).await;
    let (third, next) = page(None, next).await;
    assert_eq!(
        (first, second, third, next),
        (vec!["e4".to_owned(), "e3".to_owned()], vec!["e2".to_owned(), "e1".to_owned()], vec!["e0".to_owned()], None,)
    );
    assert_eq!(page(Some(ExecutionState::Succeeded), None).await, (vec!["e0".to_owned()], None));
    assert_eq!(page(Some(ExecutionState::Failed), None).await, (Vec::new(), None));
    let counts = backend.executions().counts(WORKER).await.unwrap();
    assert_eq!(counts, ExecutionCounts { scheduled: 5, running: 0 });
    take(backend).await.unwrap();
    assert_eq!(backend.executions().counts(WORKER).await.unwrap(), ExecutionCounts { scheduled: 4, running: 1 });
}

pub async fn refuses_what_cannot_be_an_execution(backend: &impl TaskStore) {
    let refused = |worker: &'static str, new: NewExecution| async move {
        backend.executions().start(worker, &new).await.unwrap_err().kind
    };
    assert_eq!(refused("nobody", new("a", "1")).await, ErrorKind::NotFound);
    assert_eq!(refused(WORKER, new("a/b", "1")).await, ErrorKind::Invalid);
    assert_eq!(refused(WORKER, new("a", "{")).await, ErrorKind::Invalid);
    let text = |bytes: usize| format!("\"{}\"", "a".repeat(bytes - 2));
    assert_eq!(refused(WORKER, new("a", &text(MAX_TASK_BYTES + 1))).await, ErrorKind::Invalid);
    start(backend, "a", &text(MAX_TASK_BYTES)).await;
    assert_eq!(take(backend).await.unwrap().input.len(), MAX_TASK_BYTES);
    assert_eq!(backend.tasks().take("nobody", LEASE, Duration::ZERO).await.unwrap_err().kind, ErrorKind::NotFound);
    let from = backend.executions().list(WORKER, None, Some("x"), 1).await;
    assert_eq!(from.unwrap_err().kind, ErrorKind::Invalid);
    assert!(backend.executions().find(WORKER, "nobody").await.unwrap().is_none());
}
