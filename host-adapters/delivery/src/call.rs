//! Calls a worker with a batch and reads its response, fail-closed: only an explicit disposition settles a record
//! (docs/delivery.md, 2.1). An empty or missing response, which Lambda treats as success, is `retry` here.

use super::circuit_breaker::{CircuitBreaker, Permit};
use super::dead_letter::Cause;
use super::drain::Drain;
use super::metrics::{CallTimer, Meter};
use crate::dispatch::{CallError, Dispatch, Dispatched};
use crate::event::{Disposition, Event};
use host_adapters_event::UNANSWERED;
use host_adapters_failpoint::{self as failpoint, Step};
use host_adapters_platform::clock::Clock;
use std::sync::Arc;
use std::time::Duration;

/// The reason of a retry for which the worker gave none.
const UNREASONED: &str = "the worker answered retry";

/// The worker that a source feeds.
#[derive(Clone)]
pub struct Invoker {
    /// Its id.
    pub worker: String,
    /// `<kind>:<name>` of the source.
    pub source: String,
    /// The metrics of this worker and source.
    pub meter: Meter,
    dispatch: Arc<dyn Dispatch>,
    clock: Clock,
}

/// The result of a call, for each record of its batch.
#[derive(Clone, Debug)]
pub struct CallOutcome {
    /// Exactly one per record, in order.
    pub dispositions: Vec<Disposition>,
    /// Why the call as a whole failed. Every record is then `Retry`, and it is unknown which one caused it.
    pub failure: Option<CallError>,
    /// Which dependency is down, if the records are `Retry` because of it.
    pub outage: Option<String>,
    /// Whether only refusals indicate the outage. The records themselves may be their cause; calls with other records
    /// will show it.
    pub is_suspected: bool,
    /// Digest of the component that handled the call.
    pub digest: String,
    /// The W3C trace context in which the worker handled the call.
    pub traceparent: Option<String>,
}

impl Invoker {
    /// Calls `worker` with records of `source`.
    pub fn new(worker: &str, source: String, dispatch: Arc<dyn Dispatch>) -> Self {
        let meter = Meter::new(worker, &source);
        Self { worker: worker.to_owned(), source, meter, dispatch, clock: Clock::wall() }
    }

    /// The same, with another clock for the age of records.
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// Waits for a permit; `None` if `drain` came first.
    pub async fn enter<'a>(breaker: &'a CircuitBreaker, drain: &Drain) -> Option<Permit<'a>> {
        if drain.is_abandoned() {
            return None;
        }
        tokio::select! {
            biased;
            permit = breaker.enter() => Some(permit),
            () = drain.stopping() => None,
        }
    }

    /// Calls the worker, and reports to the circuit breaker; `None` if the drain's deadline passed meanwhile.
    pub async fn call_with(&self, permit: Permit<'_>, drain: &Drain, batch: Vec<Event>) -> Option<CallOutcome> {
        tokio::select! {
            biased;
            outcome = self.call_now(permit, batch) => Some(outcome),
            () = drain.abandoned() => None,
        }
    }

    async fn call_now(&self, permit: Permit<'_>, batch: Vec<Event>) -> CallOutcome {
        let records = batch.len();
        let _in_flight = InFlight::new(&self.meter, records);
        let timer = CallTimer::new(&self.worker, &self.source);
        let times: Vec<u64> = batch.iter().map(|event| event.time_ms).collect();
        let dispatched = self.dispatch.dispatch(&self.worker, batch).await;
        failpoint::reached(Step::Response);
        let outcome = CallOutcome::read(&self.worker, dispatched, records);
        timer.end(outcome.name());
        self.measure_ages(&times, &outcome);
        if let Some(failure) = &outcome.failure {
            let (worker, source, digest) = (&self.worker, &self.source, &outcome.digest);
            tracing::warn!(worker, source, digest, records, error = %failure, "call failed, its records are retried");
        }
        match &outcome.outage {
            Some(outage) => drop(permit.down(outage.clone())),
            None => permit.works(),
        }
        outcome
    }

    fn measure_ages(&self, times: &[u64], outcome: &CallOutcome) {
        let now_ms = u64::try_from(self.clock.now_ms()).unwrap_or(0);
        for (time_ms, disposition) in times.iter().zip(&outcome.dispositions) {
            if !matches!(disposition, Disposition::Retry(_)) {
                self.meter.record_age.record(Duration::from_millis(now_ms.saturating_sub(*time_ms)));
            }
        }
    }

    /// Logs and counts a skipped record, which a newer one supersedes.
    pub fn skipped(&self, event: &Event, reason: &str, digest: &str) {
        self.meter.skipped(reason);
        let (worker, source, id, attempt) = (&self.worker, &self.source, &event.id, event.attempt);
        let correlation = &event.correlation_id;
        tracing::warn!(worker, source, digest, id, correlationId = correlation, attempt, reason, "record skipped");
    }

    /// Logs and counts a record that can never succeed. `queue` takes its dead letter; without one it is dropped.
    pub fn rejected(&self, event: &Event, reason: &str, digest: &str, queue: Option<&str>) {
        self.meter.rejected(reason);
        let (worker, source, id, attempt) = (&self.worker, &self.source, &event.id, event.attempt);
        let (correlation, dropped) = (&event.correlation_id, queue.is_none());
        tracing::error!(
            worker,
            source,
            digest,
            id,
            correlationId = correlation,
            attempt,
            reason,
            queue,
            dropped,
            "record rejected"
        );
    }
}

impl CallOutcome {
    /// Reads the result of a call with `records` records.
    fn read(worker: &str, dispatched: Dispatched, records: usize) -> Self {
        let Dispatched { result, digest, outages, refusing, traceparent } = dispatched;
        let (mut dispositions, failure) = match result {
            Ok(dispositions) if dispositions.len() > records => {
                (Vec::new(), Some(CallError::TooMany(dispositions.len(), records)))
            }
            Ok(dispositions) => (dispositions, None),
            Err(failure) => (Vec::new(), Some(failure)),
        };
        dispositions.resize(records, Disposition::retry(UNANSWERED));
        let is_suspected = outages.is_empty();
        let outages = [outages, refusing].concat();
        let outage = outage(worker, &dispositions, failure.as_ref(), &outages);
        let is_suspected = is_suspected && outage.is_some() && !outages.is_empty();
        Self { dispositions, failure, outage, is_suspected, digest, traceparent }
    }

    /// The outcome in one word, for metrics.
    fn name(&self) -> &'static str {
        match (&self.failure, &self.outage, self.first_retry()) {
            (_, Some(_), _) => "outage",
            (Some(failure), ..) => failure.outcome(),
            (None, None, Some(_)) => "retried",
            (None, None, None) => "ok",
        }
    }

    /// Whether the same call would fail again. Always false during an outage, because it cannot be known then.
    pub fn is_permanent(&self) -> bool {
        matches!(self.failure, Some(CallError::Permanent(_))) && self.outage.is_none()
    }

    /// The first record to be delivered again.
    pub fn first_retry(&self) -> Option<usize> {
        self.dispositions.iter().position(|disposition| matches!(disposition, Disposition::Retry(_)))
    }

    /// Why a record is given up, for its dead letter.
    pub fn cause<'a>(&'a self, reason: &'a str) -> Cause<'a> {
        Cause { reason, digest: &self.digest, traceparent: self.traceparent.as_deref(), attempts_ms: &[] }
    }

    /// Why its first retried record is retried, for the dead letter.
    pub fn reason(&self) -> String {
        self.reason_of(self.first_retry().and_then(|index| self.dispositions.get(index)))
    }

    /// Why a record with this disposition is retried, for the dead letter.
    pub fn reason_of(&self, disposition: Option<&Disposition>) -> String {
        match (&self.failure, disposition) {
            (Some(failure), _) => failure.to_string(),
            (None, Some(Disposition::Retry(retry))) if !retry.reason.is_empty() => retry.reason.clone(),
            (None, _) => UNREASONED.to_owned(),
        }
    }
}

/// Which outage explains the retries. A worker that cannot be called at all counts as one: no record caused it.
fn outage(
    worker: &str,
    dispositions: &[Disposition],
    failure: Option<&CallError>,
    outages: &[String],
) -> Option<String> {
    if let Some(CallError::NotCallable(why)) = failure {
        return Some(format!("worker:{worker}: {why}"));
    }
    let retried = dispositions.iter().any(|disposition| matches!(disposition, Disposition::Retry(_)));
    (retried && !outages.is_empty()).then(|| outages.join(", "))
}

/// Counts the records of a call while it runs, also when the call is cancelled.
pub struct InFlight<'a> {
    meter: &'a Meter,
    records: f64,
}

impl<'a> InFlight<'a> {
    /// A call with this many records begins.
    #[expect(clippy::cast_precision_loss, reason = "a batch has at most 25,000 records")]
    pub fn new(meter: &'a Meter, records: usize) -> Self {
        let this = Self { meter, records: records as f64 };
        meter.received.increment(records as u64);
        meter.batch_size.record(this.records);
        meter.in_flight.increment(this.records);
        this
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.meter.in_flight.decrement(self.records);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn read(result: Result<Vec<Disposition>, CallError>, outages: &[&str]) -> CallOutcome {
        let outages = outages.iter().map(ToString::to_string).collect();
        CallOutcome::read("save-entries", Dispatched { result, outages, ..Dispatched::default() }, 2)
    }

    #[test]
    fn silence_is_retry() {
        for result in [Ok(vec![]), Err(CallError::Failed("no".into())), Ok(vec![Disposition::Ack; 3])] {
            assert_eq!(read(result, &[]).dispositions, vec![Disposition::retry(UNANSWERED); 2]);
        }
        let outcome = read(Ok(vec![Disposition::Ack]), &[]);
        assert_eq!(outcome.dispositions, [Disposition::Ack, Disposition::retry(UNANSWERED)]);
        assert_eq!(outcome.reason(), UNANSWERED);
    }

    #[test]
    fn point_15_the_reason_is_the_workers_or_that_of_the_whole_call() {
        let said = |result| read(result, &[]).reason();
        assert_eq!(
            said(Ok(vec![Disposition::Ack, Disposition::retry("service entry: 500: disk full")])),
            "service entry: 500: disk full"
        );
        assert_eq!(said(Ok(vec![Disposition::retry(""); 2])), UNREASONED);
        assert_eq!(said(Err(CallError::Trapped("unreachable".into()))), "worker trapped: unreachable");
    }

    #[test]
    fn an_outage_counts_only_where_records_are_retried() {
        let acks = Ok(vec![Disposition::Ack, Disposition::Ack]);
        assert_eq!(read(acks, &["service:entry"]).outage, None);
        assert_eq!(read(Ok(vec![]), &["service:entry"]).outage.as_deref(), Some("service:entry"));
        let late = Err(CallError::TimedOut(Duration::from_secs(300)));
        assert_eq!(read(late.clone(), &[]).outage, None);
        assert_eq!(read(late, &["service:entry", "table:t"]).outage.as_deref(), Some("service:entry, table:t"));
    }

    #[test]
    fn a_worker_that_cannot_be_called_is_an_outage() {
        let outcome = read(Err(CallError::NotCallable("no such component".into())), &[]);
        assert_eq!(outcome.outage.as_deref(), Some("worker:save-entries: no such component"));
    }
}
