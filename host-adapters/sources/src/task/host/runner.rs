//! Makes one attempt after the other: takes it, extends its lease by a heartbeat, calls the worker, and stores the
//! outcome.

use super::outcome::{Outcome, is_retryable};
use super::refusals::KeptRefusals;
use crate::CircuitBreakers;
use host_adapters_delivery::call::{InFlight, Invoker};
use host_adapters_delivery::circuit_breaker::Permit;
use host_adapters_delivery::dispatch::Dispatch;
use host_adapters_delivery::drain::{Drain, Ended};
use host_adapters_delivery::metrics::{CallTimer, Meter};
use host_adapters_delivery::retry::Backoff;
use host_adapters_event::Request;
use host_adapters_failpoint::{self as failpoint, Step};
use host_adapters_platform::Result;
use host_adapters_platform::clock::Clock;
use host_adapters_platform::task::{FAILED, NextAttempt, TaskAttempt, TaskBackend, TaskFailure, measure_attempt};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The longest wait for an execution: as long as Step Functions waits (its page "GetActivityTask").
const LONG_POLL: Duration = Duration::from_secs(60);

/// How long an attempt waits for the end of an outage where its time goes on meanwhile: less than the 30 s that a worker
/// keeps of its wall time to report, and less than a heartbeat.
const PATIENCE: Duration = Duration::from_secs(5);

/// An execution that waits for another one is attempted again as after this many failures: after 1 to 4 s.
const WAITS_AS_AFTER: u32 = 2;

/// Makes the attempts of one worker's executions, any number in parallel.
pub struct Runner {
    pub worker: String,
    /// The source's name.
    pub source: String,
    pub backend: Arc<dyn TaskBackend>,
    pub dispatch: Arc<dyn Dispatch>,
    pub breakers: CircuitBreakers,
    pub meter: Meter,
    /// Tells the age of executions.
    pub clock: Clock,
    pub backoff: Backoff,
    pub max_attempts: u32,
    pub heartbeat: Duration,
    pub lease: Duration,
    pub refusals: KeptRefusals,
}

/// How the work on an attempt ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum End {
    Succeeded,
    Retried,
    Failed,
    /// The execution waits for another one, and another attempt follows.
    Waiting,
    /// It went back without an outcome, because the host drains.
    Released,
    /// It went back without an outcome, because a dependency is down.
    Outage,
    /// Its lease was lost, or its outcome could not be stored.
    Lost,
}

impl End {
    fn name(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Retried => "retried",
            Self::Failed => FAILED,
            Self::Waiting => "waiting",
            Self::Released => "released",
            Self::Outage => "outage",
            Self::Lost => "lost",
        }
    }
}

/// Whether an attempt may be made now.
enum Entered<'a> {
    Permitted(Permit<'a>),
    Draining,
    /// There is an outage, for this reason, that lasts longer than the attempt can wait.
    Paused(String),
}

impl Runner {
    /// Makes attempts until the host drains.
    pub async fn run(&self, drain: &Drain) -> Ended {
        let mut ended = Ended::Drained;
        while let Some(attempt) = self.next(drain).await {
            ended = ended.and(self.perform(attempt, drain).await);
        }
        ended
    }

    /// The next attempt; `None` once the host drains.
    async fn next(&self, drain: &Drain) -> Option<TaskAttempt> {
        loop {
            let taken = tokio::select! {
                biased;
                () = drain.stopping() => return None,
                taken = self.take() => taken,
            };
            if taken.is_some() {
                return taken;
            }
        }
    }

    async fn take(&self) -> Option<TaskAttempt> {
        self.breakers.worker.wants_records().await;
        let permit = self.breakers.intake.enter().await;
        // A probe must find out at once whether the backend is up, not whether there is work.
        let wait = if permit.is_probe() { Duration::ZERO } else { LONG_POLL };
        match self.backend.take(&self.worker, self.lease, wait).await {
            Ok(taken) => {
                if taken.is_some() {
                    failpoint::reached(Step::Receive);
                }
                permit.works();
                taken
            }
            Err(error) => {
                permit.down(format!("{}: {error}", self.source));
                None
            }
        }
    }

    /// Works on an attempt until it is settled or its lease is lost.
    async fn perform(&self, attempt: TaskAttempt, drain: &Drain) -> Ended {
        let began = Instant::now();
        let end = tokio::select! {
            biased;
            end = self.work(attempt.clone(), drain) => end,
            () = self.lost(&attempt) => End::Lost,
        };
        measure_attempt(&self.worker, end.name(), began.elapsed());
        match end {
            End::Lost => self.log_lost(&attempt),
            End::Released => return Ended::Abandoned(1),
            End::Succeeded | End::Retried | End::Failed | End::Waiting | End::Outage => (),
        }
        Ended::Drained
    }

    /// Calls the worker repeatedly as long as there is an outage, then stores the outcome. An attempt whose time goes on
    /// in an outage is handed back instead, so that each call has its full wall time.
    async fn work(&self, mut attempt: TaskAttempt, drain: &Drain) -> End {
        let (mut refusals, mut is_repeated) = (self.refusals.take(&attempt.task_id), false);
        loop {
            let permit = match self.enter(drain).await {
                Entered::Permitted(permit) => permit,
                Entered::Draining => return self.release(&attempt, drain).await,
                Entered::Paused(reason) => {
                    self.refusals.keep(&attempt.task_id, refusals);
                    return self.hand_back(&attempt, &reason, drain).await;
                }
            };
            if is_repeated {
                // Stored before the call: after a crash the next number is higher than any that the worker has seen.
                let number = self.tell(&attempt, drain, || self.backend.repeat(&attempt)).await.flatten();
                let Some(number) = number else { return End::Lost };
                attempt.number = number;
            }
            let Some((outcome, digest)) = self.call(permit, &attempt, drain).await else {
                return self.release(&attempt, drain).await;
            };
            match outcome {
                Outcome::Succeeded(output) => return self.succeed(&attempt, &output, &digest, drain).await,
                Outcome::Failed(failure) => return self.fail(&attempt, &failure, &digest, drain).await,
                Outcome::Waiting(cause) => return self.postpone(&attempt, &cause, &digest, drain).await,
                Outcome::Outage { is_suspected: true, failure, .. } if refusals.are_own(self.max_attempts) => {
                    return self.fail(&attempt, &failure, &digest, drain).await;
                }
                Outcome::Outage { reason, .. } if self.backend.limits_attempts() => {
                    self.refusals.keep(&attempt.task_id, refusals);
                    return self.hand_back(&attempt, &reason, drain).await;
                }
                Outcome::Outage { reason, .. } => {
                    let (worker, source, execution, task) =
                        (&self.worker, &self.source, &attempt.name, &attempt.task_id);
                    tracing::debug!(worker, source, execution, task, reason, "attempt repeated after the outage");
                    is_repeated = true;
                }
            }
        }
    }

    /// Waits for the permission to call.
    async fn enter(&self, drain: &Drain) -> Entered<'_> {
        // Unlike a batch, an attempt may take longer than a drain, so no more begin.
        if drain.is_stopping() {
            return Entered::Draining;
        }
        let entering = Invoker::enter(&self.breakers.worker, drain);
        let entered = match self.backend.limits_attempts() {
            true => tokio::time::timeout(PATIENCE, entering).await.ok(),
            false => Some(entering.await),
        };
        match entered {
            Some(Some(permit)) => Entered::Permitted(permit),
            Some(None) => Entered::Draining,
            None => Entered::Paused(self.breakers.worker.paused().map_or_else(String::new, |paused| paused.reason)),
        }
    }

    /// Makes the attempt; `None` if the drain's deadline passed meanwhile. Also says which component made it.
    async fn call(&self, permit: Permit<'_>, attempt: &TaskAttempt, drain: &Drain) -> Option<(Outcome, String)> {
        tokio::select! {
            biased;
            called = self.call_now(permit, attempt) => Some(called),
            () = drain.abandoned() => None,
        }
    }

    async fn call_now(&self, permit: Permit<'_>, attempt: &TaskAttempt) -> (Outcome, String) {
        let request = Request {
            body: attempt.input.clone(),
            token: None,
            task_id: Some(attempt.task_id.clone()),
            attempt: attempt.number,
            attempts_remain: !self.backend.limits_attempts() && attempt.failures.saturating_add(1) < self.max_attempts,
            correlation_id: attempt.correlation_id.clone().unwrap_or_else(|| attempt.task_id.clone()),
            traceparent: attempt.traceparent.clone(),
        };
        let _in_flight = InFlight::new(&self.meter, 1);
        let timer = CallTimer::new(&self.worker, &self.source);
        let dispatched = self.dispatch.request(&self.worker, request).await;
        failpoint::reached(Step::Response);
        let digest = dispatched.digest.clone();
        let outcome = Outcome::read(&self.worker, dispatched);
        timer.end(outcome.name());
        match &outcome {
            Outcome::Outage { reason, .. } => drop(permit.down(reason.clone())),
            Outcome::Succeeded(_) | Outcome::Failed(_) | Outcome::Waiting(_) => permit.works(),
        }
        (outcome, digest)
    }

    async fn succeed(&self, attempt: &TaskAttempt, output: &str, digest: &str, drain: &Drain) -> End {
        if !self.is_told(attempt, drain, || self.backend.succeed(attempt, output)).await {
            return End::Lost;
        }
        self.meter.acked.increment(1);
        self.measure_age(attempt);
        let TaskAttempt { name: execution, task_id: task, number: attempt, .. } = attempt;
        tracing::info!(
            worker = self.worker,
            source = self.source,
            digest,
            execution,
            task,
            attempt,
            "execution succeeded"
        );
        End::Succeeded
    }

    async fn fail(&self, attempt: &TaskAttempt, failure: &TaskFailure, digest: &str, drain: &Drain) -> End {
        let failures = attempt.failures.saturating_add(1);
        let is_last = !self.backend.limits_attempts() && failures >= self.max_attempts;
        let next = match is_retryable(failure) && !is_last {
            true => NextAttempt::After(self.backoff.after(failures)),
            false => NextAttempt::Never,
        };
        if !self.is_told(attempt, drain, || self.backend.fail(attempt, failure, next)).await {
            return End::Lost;
        }
        if next == NextAttempt::Never {
            self.measure_age(attempt);
        }
        let (worker, source, error, cause) = (&self.worker, &self.source, failure.error.name(), &failure.cause);
        let TaskAttempt { name: execution, task_id: task, number: attempt, .. } = attempt;
        match next {
            NextAttempt::After(wait) => {
                self.meter.retried.increment(1);
                let retry_in_ms = wait.as_millis();
                tracing::warn!(
                    worker,
                    source,
                    digest,
                    execution,
                    task,
                    attempt,
                    error,
                    cause,
                    retry_in_ms,
                    "attempt failed, another follows"
                );
                End::Retried
            }
            NextAttempt::Never => {
                tracing::error!(worker, source, digest, execution, task, attempt, error, cause, "execution failed");
                End::Failed
            }
        }
    }

    /// How long ago an execution that has ended was started.
    fn measure_age(&self, attempt: &TaskAttempt) {
        let now_ms = u64::try_from(self.clock.now_ms()).unwrap_or(0);
        if let Some(started_ms) = attempt.started_ms {
            self.meter.record_age.record(Duration::from_millis(now_ms.saturating_sub(started_ms)));
        }
    }

    async fn postpone(&self, attempt: &TaskAttempt, cause: &str, digest: &str, drain: &Drain) -> End {
        let wait = self.backoff.after(WAITS_AS_AFTER);
        if !self.is_told(attempt, drain, || self.backend.postpone(attempt, cause, wait)).await {
            return End::Lost;
        }
        let (worker, source, retry_in_ms) = (&self.worker, &self.source, wait.as_millis());
        let TaskAttempt { name: execution, task_id: task, number: attempt, .. } = attempt;
        tracing::debug!(worker, source, digest, execution, task, attempt, cause, retry_in_ms, "execution waits");
        End::Waiting
    }

    async fn release(&self, attempt: &TaskAttempt, drain: &Drain) -> End {
        match self.is_told(attempt, drain, || self.backend.release(attempt)).await {
            true => {
                let (execution, task) = (&attempt.name, &attempt.task_id);
                tracing::info!(
                    worker = self.worker,
                    source = self.source,
                    execution,
                    task,
                    "attempt released by the drain"
                );
                End::Released
            }
            false => End::Lost,
        }
    }

    /// Ends the attempt in an outage, which is not its failure.
    async fn hand_back(&self, attempt: &TaskAttempt, reason: &str, drain: &Drain) -> End {
        if !self.is_told(attempt, drain, || self.backend.hand_back(attempt, reason)).await {
            return End::Lost;
        }
        let (worker, source) = (&self.worker, &self.source);
        let TaskAttempt { name: execution, task_id: task, number: attempt, .. } = attempt;
        tracing::debug!(worker, source, execution, task, attempt, reason, "attempt handed back in the outage");
        End::Outage
    }

    /// As [`Runner::tell`]. Returns whether the report succeeded and the lease was still held.
    async fn is_told<F>(&self, attempt: &TaskAttempt, drain: &Drain, tell: impl Fn() -> F) -> bool
    where
        F: Future<Output = Result<bool>>,
    {
        self.tell(attempt, drain, tell).await.unwrap_or(false)
    }

    /// Reports to the backend until that succeeds, or the heartbeat finds that the lease is lost, or the drain's
    /// deadline has passed. Returns the backend's answer; `None` if it could not be reached.
    async fn tell<T, F>(&self, attempt: &TaskAttempt, drain: &Drain, tell: impl Fn() -> F) -> Option<T>
    where
        F: Future<Output = Result<T>>,
    {
        let mut failures = 0;
        loop {
            let error = match tell().await {
                Ok(answer) => return Some(answer),
                Err(error) => error,
            };
            failures += 1;
            let (worker, source, execution, task) = (&self.worker, &self.source, &attempt.name, &attempt.task_id);
            tracing::warn!(worker, source, execution, task, %error, failures, "outcome of the attempt not stored");
            if !error.is_retryable() || drain.is_abandoned() {
                return None;
            }
            tokio::select! {
                biased;
                () = drain.abandoned() => {}
                () = tokio::time::sleep(self.backoff.after(failures)) => {}
            }
        }
    }

    /// Extends the lease of the attempt; returns when it is lost, because the backend says so or no heartbeat has
    /// succeeded for as long as the lease lasts.
    async fn lost(&self, attempt: &TaskAttempt) {
        let mut ends = Instant::now() + self.lease;
        loop {
            tokio::time::sleep_until(ends.min(Instant::now() + self.heartbeat)).await;
            let asked = Instant::now();
            let beat = tokio::time::timeout_at(ends, self.backend.heartbeat(attempt, self.lease)).await;
            match beat {
                Ok(Ok(true)) => ends = asked + self.lease,
                Ok(Ok(false)) => return,
                Ok(Err(error)) => {
                    let (worker, source, execution) = (&self.worker, &self.source, &attempt.name);
                    tracing::warn!(worker, source, execution, %error, "heartbeat of the attempt failed");
                }
                Err(_) => {}
            }
            if Instant::now() >= ends {
                return;
            }
        }
    }

    fn log_lost(&self, attempt: &TaskAttempt) {
        let TaskAttempt { name: execution, task_id: task, number: attempt, .. } = attempt;
        let (worker, source) = (&self.worker, &self.source);
        tracing::warn!(worker, source, execution, task, attempt, "attempt ended: its lease was lost");
    }
}
