//! The meaning of a call's response for its execution.

use host_adapters_delivery::dispatch::{CallError, Dispatched};
use host_adapters_event::{Response, cut};
use host_adapters_platform::task::{MAX_CAUSE_BYTES, MAX_TASK_BYTES, TaskError, TaskFailure};
use serde_json::value::RawValue;

/// The status with which a worker says that the execution waits for a resource that another one holds.
const WAITS: u16 = 429;

/// The outcome of an attempt.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// The execution has succeeded with this output.
    Succeeded(String),
    /// The attempt has failed.
    Failed(TaskFailure),
    /// The execution waits for a resource that another one holds, which the cause names. The attempt is not a failure.
    Waiting(String),
    /// A dependency of the worker is down: the attempt says nothing about the execution.
    Outage {
        /// The dependency that is down, and the error of the attempt.
        reason: String,
        /// Whether only refusals indicate the outage. The execution itself may be their cause.
        is_suspected: bool,
        /// The outcome if the execution itself is the cause of the refusals.
        failure: TaskFailure,
    },
}

impl Outcome {
    /// Reads the result of a call of `worker`. During an outage every result other than success is the outage.
    pub fn read(worker: &str, dispatched: Dispatched<Response>) -> Self {
        let Dispatched { result, outages, refusing, .. } = dispatched;
        let not_callable = match &result {
            Err(CallError::NotCallable(why)) => Some(format!("worker:{worker}: {why}")),
            _ => None,
        };
        let failure = match output(result) {
            Ok(output) => return Self::Succeeded(output),
            Err(failure) => failure,
        };
        let is_waiting = failure.error == TaskError::Busy;
        let is_suspected = not_callable.is_none() && outages.is_empty();
        let down: Vec<_> = not_callable.into_iter().chain(outages).chain(refusing).collect();
        if down.is_empty() {
            return if is_waiting { Self::Waiting(failure.cause) } else { Self::Failed(failure) };
        }
        Self::Outage { reason: down.join(", "), is_suspected, failure }
    }

    /// The outcome of the call in one word, for metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Succeeded(_) => "ok",
            Self::Outage { .. } => "outage",
            Self::Waiting(_) => "waiting",
            Self::Failed(failure) => match failure.error {
                TaskError::Failed => "failed",
                TaskError::Refused => "permanent",
                TaskError::Busy => "waiting",
                TaskError::Trapped => "trapped",
                TaskError::TimedOut => "timed-out",
                TaskError::BadOutput | TaskError::AttemptsExhausted => "bad-output",
            },
        }
    }
}

/// Whether another attempt may succeed after this one has failed.
pub fn is_retryable(failure: &TaskFailure) -> bool {
    matches!(failure.error, TaskError::Failed | TaskError::Busy | TaskError::Trapped | TaskError::TimedOut)
}

/// The output, or why there is none.
fn output(result: Result<Response, CallError>) -> Result<String, TaskFailure> {
    let failure = |error, cause: &str| TaskFailure { error, cause: cut(cause, MAX_CAUSE_BYTES).to_owned() };
    match result {
        Ok(response) if !response.is_success() => {
            let error = if response.status == WAITS { TaskError::Busy } else { TaskError::Refused };
            Err(failure(error, &format!("status {}: {}", response.status, response.body)))
        }
        Ok(response) => match unfit(&response.body) {
            None => Ok(response.body),
            Some(why) => Err(failure(TaskError::BadOutput, &why)),
        },
        Err(CallError::Permanent(said)) => Err(failure(TaskError::Refused, &said)),
        Err(CallError::Failed(said)) => Err(failure(TaskError::Failed, &said)),
        Err(error @ CallError::Trapped(_)) => Err(failure(TaskError::Trapped, &error.to_string())),
        Err(error @ CallError::TimedOut(_)) => Err(failure(TaskError::TimedOut, &error.to_string())),
        Err(error @ (CallError::NotCallable(_) | CallError::TooMany(..))) => {
            Err(failure(TaskError::Failed, &error.to_string()))
        }
    }
}

/// Why a body cannot be the output of an execution.
fn unfit(body: &str) -> Option<String> {
    if body.len() > MAX_TASK_BYTES {
        return Some(format!("the output has {} bytes, and at most {MAX_TASK_BYTES} are kept", body.len()));
    }
    let json: serde_json::Result<&RawValue> = serde_json::from_str(body);
    json.err().map(|error| format!("the output is not JSON: {error}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use std::time::Duration;

    fn read(result: Result<Response, CallError>, outages: &[&str], refusing: &[&str]) -> Outcome {
        let list = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        Outcome::read("w", Dispatched { outages: list(outages), refusing: list(refusing), ..Dispatched::of(result) })
    }

    fn answer(status: u16, body: &str) -> Result<Response, CallError> {
        Ok(Response { status, body: body.to_owned() })
    }

    #[test]
    fn a_status_or_a_failure_says_what_the_attempt_was() {
        assert_eq!(read(answer(200, "{}"), &[], &[]), Outcome::Succeeded("{}".into()));
        assert_eq!(read(answer(204, "null"), &["service:code"], &[]), Outcome::Succeeded("null".into()));
        assert_eq!(read(answer(429, "taken"), &[], &[]), Outcome::Waiting("status 429: taken".into()));
        for (result, error, retryable, said) in [
            (answer(422, "no"), TaskError::Refused, false, "status 422: no"),
            (answer(503, "{}"), TaskError::Refused, false, "status 503: {}"),
            (answer(428, "{}"), TaskError::Refused, false, "status 428: {}"),
            (Err(CallError::Permanent("bad".into())), TaskError::Refused, false, "bad"),
            (Err(CallError::Failed("later".into())), TaskError::Failed, true, "later"),
            (Err(CallError::Trapped("unreachable".into())), TaskError::Trapped, true, "worker trapped: unreachable"),
            (
                Err(CallError::TimedOut(Duration::from_secs(1))),
                TaskError::TimedOut,
                true,
                "worker did not answer within 1s",
            ),
            (answer(200, "no JSON"), TaskError::BadOutput, false, "the output is not JSON"),
            (answer(200, ""), TaskError::BadOutput, false, "the output is not JSON"),
            (answer(200, &format!("\"{}\"", "a".repeat(MAX_TASK_BYTES))), TaskError::BadOutput, false, "262146 bytes"),
        ] {
            let Outcome::Failed(failure) = read(result, &[], &[]) else { unreachable!("{said}") };
            assert_eq!((failure.error, is_retryable(&failure)), (error, retryable), "{said}");
            assert!(failure.cause.contains(said), "{}", failure.cause);
        }
    }

    #[test]
    fn a_failure_during_an_outage_is_the_outage() {
        let outage = |outcome| match outcome {
            Outcome::Outage { reason, is_suspected, .. } => (reason, is_suspected),
            other => unreachable!("{other:?}"),
        };
        for result in [answer(500, "{}"), Err(CallError::Failed("f".into())), Err(CallError::TimedOut(Duration::ZERO))]
        {
            assert_eq!(outage(read(result.clone(), &["service:code"], &[])), ("service:code".into(), false));
            assert_eq!(outage(read(result, &[], &["service:code GET /x"])), ("service:code GET /x".into(), true));
        }
        let Outcome::Outage { failure, .. } = read(answer(429, "{}"), &[], &["service:code GET /x"]) else {
            unreachable!()
        };
        assert!(is_retryable(&failure), "if the refusals are its own, it may succeed later: {failure:?}");
        let gone = Err(CallError::NotCallable("no such component".into()));
        assert_eq!(outage(read(gone, &[], &[])), ("worker:w: no such component".into(), false));
    }

    #[test]
    fn a_cause_is_cut() {
        let Outcome::Failed(failure) = read(answer(400, &"é".repeat(MAX_CAUSE_BYTES)), &[], &[]) else {
            unreachable!()
        };
        assert!(failure.cause.len() <= MAX_CAUSE_BYTES && failure.cause.len() > MAX_CAUSE_BYTES - 3);
    }
}
