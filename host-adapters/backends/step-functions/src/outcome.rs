//! The reports of an attempt to the service. A state machine retries, or does not, by the names of the errors.

use crate::StepFunctions;
use crate::poll::Polls;
use aws_sdk_sfn::error::{ProvideErrorMetadata, SdkError};
use backend_aws::error;
use host_adapters_platform::Result;
use host_adapters_platform::task::{NextAttempt, TaskAttempt, TaskBackend, TaskError, TaskFailure};
use std::time::Duration;

/// Error of an attempt that may succeed later. A state machine retries it, with a longer wait each time.
pub const RETRYABLE: &str = "Registration.Retryable";
/// Error of an execution that cannot succeed.
pub const FAILED: &str = "Registration.Failed";
/// Error of an attempt that a stopping host gave up. A state machine retries it at once and does not count it with
/// other errors.
pub const DRAINED: &str = "Registration.Drained";
/// Error of an attempt that waits for a busy resource. A state machine retries it soon and does not count it with other
/// errors.
pub const WAITING: &str = "Registration.Waiting";
/// The error of an attempt that was given up because a dependency of the worker is down: a state machine retries it for
/// long, and does not count it with others.
pub const OUTAGE: &str = "Registration.Outage";

/// Most characters of a cause. The service takes 32,768 ([SendTaskFailure]), but a map keeps the causes of all its items in
/// 256 KiB, and fails as a whole beyond them.
///
/// [SendTaskFailure]: https://docs.aws.amazon.com/step-functions/latest/apireference/API_SendTaskFailure.html
const MAX_CAUSE_CHARS: usize = 2048;

/// The codes of an attempt that this host has lost: its time is over, or its execution has ended.
const OVER: [&str; 3] = ["TaskTimedOut", "TaskDoesNotExist", "InvalidToken"];
/// The code of an output that the service does not take.
const INVALID_OUTPUT: &str = "InvalidOutput";

#[async_trait::async_trait]
impl TaskBackend for StepFunctions {
    /// The state machine limits the time of an attempt, by `HeartbeatSeconds` and `TimeoutSeconds`, not `lease`.
    async fn take(&self, worker: &str, _lease: Duration, wait: Duration) -> Result<Option<TaskAttempt>> {
        let Some(waiting) = self.waiting.get(worker) else { return self.names.real(worker).map(|_| None) };
        if wait.is_zero() {
            // A poll tells nothing for a minute, so another request finds out whether the service is up.
            return match waiting.arrived() {
                Some(arrived) => arrived.map(Some),
                None => self.find(worker).await.map(|_| None),
            };
        }
        let polls = Polls { activities: self.clone(), worker: worker.to_owned() };
        waiting.take(&polls, wait).await.transpose()
    }

    async fn heartbeat(&self, attempt: &TaskAttempt, _lease: Duration) -> Result<bool> {
        told(&attempt.worker, self.client.send_task_heartbeat().task_token(&attempt.token).send().await)
    }

    async fn succeed(&self, attempt: &TaskAttempt, output: &str) -> Result<bool> {
        let request = self.client.send_task_success().task_token(&attempt.token).output(output);
        match request.send().await {
            // It would be refused every time.
            Err(refused) if refused.code() == Some(INVALID_OUTPUT) => {
                let cause = refused.message().unwrap_or_default().to_owned();
                self.fail(attempt, &TaskFailure { error: TaskError::BadOutput, cause }, NextAttempt::Never).await
            }
            answer => told(&attempt.worker, answer),
        }
    }

    /// The state machine decides when the next attempt begins.
    async fn fail(&self, attempt: &TaskAttempt, failure: &TaskFailure, next: NextAttempt) -> Result<bool> {
        let error = match next {
            NextAttempt::After(_) => RETRYABLE,
            NextAttempt::Never => FAILED,
        };
        let cause = format!("{}: {}", failure.error.name(), failure.cause);
        self.send_failure(&attempt.worker, &attempt.token, error, &cause).await
    }

    async fn release(&self, attempt: &TaskAttempt) -> Result<bool> {
        self.return_drained(attempt).await
    }

    /// As in [`TaskBackend::fail`], the state machine decides when the next attempt begins.
    async fn postpone(&self, attempt: &TaskAttempt, cause: &str, _wait: Duration) -> Result<bool> {
        self.send_failure(&attempt.worker, &attempt.token, WAITING, cause).await
    }

    /// `TimeoutSeconds` counts from the hand-over, so an attempt that waited for the end of an outage would be cut short.
    async fn hand_back(&self, attempt: &TaskAttempt, reason: &str) -> Result<bool> {
        self.send_failure(&attempt.worker, &attempt.token, OUTAGE, reason).await
    }

    /// Only the state machine begins attempts.
    async fn repeat(&self, _attempt: &TaskAttempt) -> Result<Option<u32>> {
        Ok(None)
    }

    fn limits_attempts(&self) -> bool {
        true
    }
}

impl StepFunctions {
    pub(super) async fn return_drained(&self, attempt: &TaskAttempt) -> Result<bool> {
        self.send_failure(&attempt.worker, &attempt.token, DRAINED, "the host is stopping").await
    }

    pub(super) async fn refuse(&self, worker: &str, token: &str, cause: &str) -> Result<bool> {
        self.send_failure(worker, token, FAILED, cause).await
    }

    async fn send_failure(&self, worker: &str, token: &str, error: &str, cause: &str) -> Result<bool> {
        let cause: String = cause.chars().take(MAX_CAUSE_CHARS).collect();
        told(worker, self.client.send_task_failure().task_token(token).error(error).cause(cause).send().await)
    }
}

/// Whether the attempt was still ours.
fn told<T, E, R>(worker: &str, answer: std::result::Result<T, SdkError<E, R>>) -> Result<bool>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug,
{
    match answer {
        Ok(_) => Ok(true),
        Err(failed) if failed.code().is_some_and(|code| OVER.contains(&code)) => Ok(false),
        Err(failed) => Err(error(worker, &failed)),
    }
}
