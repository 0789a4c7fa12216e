//! Tasks: work that is started on request and has a result. One run of a task is an execution. It has a name and an
//! input, and is attempted until an attempt returns an output, or until it fails.
//!
//! The source `task` needs a [`TaskBackend`], however executions are started. [`ExecutionTable`] starts, lists, shows
//! and stops them if the host itself stores them; AWS Step Functions has its own API for that. Texts and limits are
//! those of Step Functions (its pages "Service quotas" and "StartExecution"), so that a worker behaves the same with
//! both.

use crate::Result;
use crate::circuit_breaker::Paused;
use crate::limits::invalid;
use crate::names::unknown;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Most bytes of an input and of an output.
pub const MAX_TASK_BYTES: usize = 256 * 1024;
/// Most characters of an execution's name.
pub const MAX_NAME_CHARS: usize = 80;
/// Most bytes that are kept of the cause of a failure.
pub const MAX_CAUSE_BYTES: usize = 32 * 1024;

/// Attempts until their outcomes are stored, by worker and outcome.
pub const ATTEMPT_SECONDS: &str = "registration_task_seconds";
/// The outcome of an attempt with which its execution has failed.
pub const FAILED: &str = "failed";

/// Measures an attempt of an execution of `worker`, with its outcome and the time from its beginning until that was stored.
/// An execution that fails without another attempt is measured as one that took no time.
pub fn measure_attempt(worker: &str, outcome: &'static str, took: Duration) {
    metrics::histogram!(ATTEMPT_SECONDS, "worker" => worker.to_owned(), "outcome" => outcome).record(took);
}

/// Where executions wait for their workers, and where the outcomes of attempts go.
#[async_trait::async_trait]
pub trait TaskBackend: Send + Sync + 'static {
    /// Begins an attempt of the execution of `worker` that has been due for longest. Waits for one up to `wait`, and not
    /// long beyond; `None` if there is none. With a `wait` of zero it asks at once, so that `None` also says that the
    /// executions can be reached. The caller has a lease of the attempt for `lease`, and for as long again after each
    /// heartbeat. When the lease ends, the attempt has ended without an outcome, and the backend decides whether to
    /// begin another.
    async fn take(&self, worker: &str, lease: Duration, wait: Duration) -> Result<Option<TaskAttempt>>;
    /// Extends the lease of an attempt. Returns whether the attempt was still the caller's; if not, because the execution
    /// was stopped or its lease was over, the caller must end the work and report nothing else about it. The functions
    /// below return the same.
    async fn heartbeat(&self, attempt: &TaskAttempt, lease: Duration) -> Result<bool>;
    /// The attempt has succeeded, and with it the execution; `output` is JSON text of [`MAX_TASK_BYTES`] at most.
    async fn succeed(&self, attempt: &TaskAttempt, output: &str) -> Result<bool>;
    /// The attempt has failed. The execution is tried again as `next` says, or has failed with it.
    async fn fail(&self, attempt: &TaskAttempt, failure: &TaskFailure, next: NextAttempt) -> Result<bool>;
    /// The attempt ends without an outcome, because the host drains. It is not a failure: the next one may begin at once.
    async fn release(&self, attempt: &TaskAttempt) -> Result<bool>;
    /// The attempt ends without an outcome, because the execution waits for a resource that another one holds; `cause`
    /// says which, in at most [`MAX_CAUSE_BYTES`]. It is not a failure: the next one may begin after `wait`.
    async fn postpone(&self, attempt: &TaskAttempt, cause: &str, wait: Duration) -> Result<bool>;
    /// The attempt ends without an outcome, because a dependency of the worker is down, as `reason` says. It is not a
    /// failure: the next one may begin later. Only told where [`limits_attempts`](Self::limits_attempts).
    async fn hand_back(&self, attempt: &TaskAttempt, _reason: &str) -> Result<bool> {
        self.release(attempt).await
    }
    /// Begins the next attempt in place of this one, which has ended without an outcome in an outage; token and lease
    /// stay. Not asked where [`limits_attempts`](Self::limits_attempts). Returns its number, which is the execution's
    /// highest so far, or `None` if the caller no longer has the lease of the attempt.
    async fn repeat(&self, attempt: &TaskAttempt) -> Result<Option<u32>>;
    /// Whether the backend itself counts attempts and ends the execution after the last one, as a state machine of Step
    /// Functions does by its `Retry`, and ends an attempt that takes too long, counted from [`take`](Self::take). Then the
    /// source asks for [`NextAttempt::After`] whenever another attempt makes sense, and hands attempts back in an outage.
    fn limits_attempts(&self) -> bool {
        false
    }
}

/// The backend of an application whose workers do no tasks.
#[derive(Clone, Copy, Debug)]
pub struct NoTasks;

#[async_trait::async_trait]
impl TaskBackend for NoTasks {
    async fn take(&self, worker: &str, _lease: Duration, _wait: Duration) -> Result<Option<TaskAttempt>> {
        Err(unknown("worker with tasks", worker, std::iter::empty()))
    }

    async fn heartbeat(&self, _attempt: &TaskAttempt, _lease: Duration) -> Result<bool> {
        Ok(false)
    }

    async fn succeed(&self, _attempt: &TaskAttempt, _output: &str) -> Result<bool> {
        Ok(false)
    }

    async fn fail(&self, _attempt: &TaskAttempt, _failure: &TaskFailure, _next: NextAttempt) -> Result<bool> {
        Ok(false)
    }

    async fn release(&self, _attempt: &TaskAttempt) -> Result<bool> {
        Ok(false)
    }

    async fn postpone(&self, _attempt: &TaskAttempt, _cause: &str, _wait: Duration) -> Result<bool> {
        Ok(false)
    }

    async fn repeat(&self, _attempt: &TaskAttempt) -> Result<Option<u32>> {
        Ok(None)
    }
}

/// How executions are started, shown and stopped.
#[async_trait::async_trait]
pub trait ExecutionTable: Send + Sync + 'static {
    /// Starts an execution, or finds the one that has the name already.
    async fn start(&self, worker: &str, new: &NewExecution) -> Result<Started>;
    /// The execution with this name; without one, the execution with this id.
    async fn find(&self, worker: &str, name: &str) -> Result<Option<Execution>>;
    /// Up to `max` executions in this state, or in any, the latest first, from where an earlier page ended. Input and
    /// output are left out.
    async fn list(
        &self,
        worker: &str,
        state: Option<ExecutionState>,
        from: Option<&str>,
        max: usize,
    ) -> Result<ExecutionPage>;
    /// Stops an execution that has not ended; one that has ended stays as it is. A running attempt is notified at its
    /// next heartbeat. Returns the execution; `None` if there is none with this name or id.
    async fn stop(&self, worker: &str, name: &str, cause: &str) -> Result<Option<Execution>>;
    /// How many executions of a worker have not ended.
    async fn counts(&self, worker: &str) -> Result<ExecutionCounts>;
}

/// An attempt that this host is to make.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TaskAttempt {
    /// The worker whose task it is.
    pub worker: String,
    /// The id of the execution, the same in all its attempts, and of no other execution.
    pub task_id: String,
    /// The execution's name, for people.
    pub name: String,
    /// 1 at first. Above 1, an earlier attempt may have had effects. No two attempts of an execution in the embedded store
    /// have the same number.
    pub number: u32,
    /// How many attempts have failed.
    pub failures: u32,
    /// When the execution was started, milliseconds since 1970 (UTC); `None` where the backend does not tell.
    pub started_ms: Option<u64>,
    /// JSON text.
    pub input: String,
    /// Names this attempt to the backend; that of an earlier attempt is invalid.
    pub token: String,
    /// Follows the execution through logs and services; without one, it is the task id.
    pub correlation_id: Option<String>,
    /// The W3C trace context in which it was started.
    pub traceparent: Option<String>,
}

/// Why an attempt failed, in the words of Step Functions.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TaskFailure {
    /// Which kind of failure.
    pub error: TaskError,
    /// What happened: the worker's message, or the body of its answer; at most [`MAX_CAUSE_BYTES`].
    pub cause: String,
}

/// A kind of failure.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TaskError {
    /// The worker reported that the same attempt may succeed later.
    Failed,
    /// The worker refused the execution for good: by a permanent failure, or by a status that is not 2xx.
    Refused,
    /// The worker answered that the execution waits for a resource that another one holds.
    Busy,
    /// The instance ended during the attempt.
    Trapped,
    /// The attempt took longer than the worker's wall time.
    TimedOut,
    /// The output has more than [`MAX_TASK_BYTES`], or is not JSON.
    BadOutput,
    /// As many attempts as may have ended with their hosts, or with their leases.
    AttemptsExhausted,
}

impl TaskError {
    /// Its name, as in the member `error` of an execution.
    pub fn name(self) -> &'static str {
        match self {
            Self::Failed => "WorkerFailed",
            Self::Refused => "WorkerRefused",
            Self::Busy => "WorkerBusy",
            Self::Trapped => "WorkerTrapped",
            Self::TimedOut => "WorkerTimedOut",
            Self::BadOutput => "BadOutput",
            Self::AttemptsExhausted => "AttemptsExhausted",
        }
    }
}

/// What follows a failed attempt.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NextAttempt {
    /// Another attempt, not before so long has passed.
    After(Duration),
    /// None: the execution has failed.
    Never,
}

/// An execution to be started.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct NewExecution {
    /// Its name among the worker's executions.
    pub name: String,
    /// JSON text.
    pub input: String,
    /// As [`TaskAttempt::correlation_id`].
    pub correlation_id: Option<String>,
    /// As [`TaskAttempt::traceparent`].
    pub traceparent: Option<String>,
}

impl NewExecution {
    /// Refuses what Step Functions would: a name that is empty, too long or has other characters than letters, digits,
    /// `-`, `_` and `.`, and an input that is too large or not JSON.
    ///
    /// # Errors
    /// `invalid`, with what to write.
    pub fn check(&self) -> Result<()> {
        check_name(&self.name)?;
        if self.input.len() > MAX_TASK_BYTES {
            let bytes = self.input.len();
            return Err(invalid(format!("the input has {bytes} bytes, and at most {MAX_TASK_BYTES} are taken")));
        }
        let json: serde_json::Result<&serde_json::value::RawValue> = serde_json::from_str(&self.input);
        json.map(drop).map_err(|error| invalid(format!("the input is not JSON: {error}")))
    }
}

/// Refuses what cannot be the name of an execution; a name has a letter or a digit.
///
/// # Errors
/// `invalid`, with what to write.
pub fn check_name(name: &str) -> Result<()> {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    // `.` and `..` mean something else in a path.
    let is_name = name.chars().any(|c| c.is_ascii_alphanumeric()) && name.chars().all(is_allowed);
    match is_name && name.len() <= MAX_NAME_CHARS {
        true => Ok(()),
        false => Err(invalid(format!(
            "an execution cannot be named {name:?}; write 1 to {MAX_NAME_CHARS} letters, digits, `-`, `_` and `.`"
        ))),
    }
}

/// The result of starting an execution.
#[derive(Clone, Debug)]
pub enum Started {
    /// It is new.
    New(Execution),
    /// It was started before, with the same input; it may have ended since.
    Before(Execution),
    /// Another execution has the name, with another input.
    Differs(Execution),
}

/// How far an execution is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExecutionState {
    /// It waits for its first attempt, or for the next one.
    Scheduled,
    /// An attempt is running.
    Running,
    /// It has an output.
    Succeeded,
    /// Its last attempt failed.
    Failed,
    /// Somebody stopped it.
    Stopped,
}

impl ExecutionState {
    /// Every state.
    pub const ALL: [Self; 5] = [Self::Scheduled, Self::Running, Self::Succeeded, Self::Failed, Self::Stopped];

    /// Its word, in JSON and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
        }
    }

    /// The state of a word.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether nothing more happens to the execution.
    pub fn has_ended(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Stopped)
    }
}

/// An execution, as it is shown. Times are milliseconds since 1970 (UTC).
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Execution {
    /// The worker whose task it is.
    pub worker: String,
    /// Its name.
    pub name: String,
    /// As [`TaskAttempt::task_id`].
    pub id: String,
    /// How far it is.
    pub state: ExecutionState,
    /// The attempts that have begun.
    pub attempts: u32,
    /// Those that failed.
    pub failures: u32,
    /// JSON text; left out of lists.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub input: Option<Box<serde_json::value::RawValue>>,
    /// JSON text, once it has succeeded; left out of lists.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub output: Option<Box<serde_json::value::RawValue>>,
    /// The name of the last failure.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<String>,
    /// The message of the last failure, what it waits for, or why it was stopped.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cause: Option<String>,
    /// When it was started.
    pub started_ms: u64,
    /// When its next attempt may begin, while it is scheduled.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub due_ms: Option<u64>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ended_ms: Option<u64>,
    /// Why it waits although it has not ended: its worker's source is paused. The host that shows it adds this.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub paused: Option<Paused>,
}

/// A page of executions.
#[derive(Clone, Debug)]
pub struct ExecutionPage {
    /// The executions.
    pub executions: Vec<Execution>,
    /// Where the next page begins; `None` after the last.
    pub next: Option<String>,
}

/// How many executions have not ended.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ExecutionCounts {
    /// Waiting for their first attempt, or the next one.
    pub scheduled: u64,
    /// With a running attempt.
    pub running: u64,
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_step_functions() {
        for name in ["a", "market-7_2.x", &"n".repeat(80)] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
        for name in ["", "a b", "a/b", "ü", "a#b", ".", "..", &"n".repeat(81)] {
            assert!(check_name(name).unwrap_err().message.contains("1 to 80"), "{name}");
        }
    }

    #[test]
    fn an_input_is_json_of_a_bounded_size() {
        let check = |input: String| NewExecution { name: "n".into(), input, ..NewExecution::default() }.check();
        let text = |bytes: usize| format!("\"{}\"", "a".repeat(bytes - 2));
        assert_eq!((check("{\"n\":1.0}".into()), check(text(MAX_TASK_BYTES))), (Ok(()), Ok(())));
        for (input, said) in
            [(text(MAX_TASK_BYTES + 1), "262145 bytes"), ("{".into(), "not JSON"), (String::new(), "not JSON")]
        {
            assert!(check(input).unwrap_err().message.contains(said), "{said}");
        }
    }

    #[test]
    fn every_state_has_its_word() {
        for state in ExecutionState::ALL {
            assert_eq!(ExecutionState::of(state.name()), Some(state));
            assert_eq!(serde_json::to_value(state).unwrap(), state.name());
        }
    }
}
