//! Stops the use of a dependency while all of it is down.
//!
//! A user of the dependency asks for a [`Permit`], and reports on it how the use ended. A source waits for one
//! ([`CircuitBreaker::enter`]), which pauses it; a user that can do without the dependency does not wait
//! ([`CircuitBreaker::try_enter`]). [`Permit::down`] opens the circuit for 1 s to 60 s (full jitter, longer each time).
//! Then it is half-open: one permit is given out, as the probe, and its outcome closes the circuit for all or opens it
//! again.

use super::retry::Backoff;
use std::pin::{Pin, pin};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio::time::Instant;

/// How long a probe is due before new records are received for it.
const OVERDUE: Duration = Duration::from_secs(1);

/// A circuit breaker: closed, or open with a reason.
pub struct CircuitBreaker {
    pause: Mutex<Option<Pause>>,
    /// Wakes waiting tasks in the order in which they came. With `watch` the order would be random, and a simulation
    /// could not be repeated.
    changed: Notify,
    backoff: Backoff,
    gauge: metrics::Gauge,
    name: String,
}

#[derive(Clone, Debug)]
struct Pause {
    reason: String,
    since: Instant,
    until: Instant,
    failures: u32,
    probing: bool,
}

/// Why and since when a source is paused, for `/readyz` and the command line.
#[derive(Clone, Debug, Eq, PartialEq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Paused {
    /// The dependency that is down: `service:entry`, `sqs:saveEntriesQueue: connection refused`.
    pub reason: String,
    /// How long it has been paused, seconds.
    pub for_secs: u64,
    /// Seconds until the next probe; 0 while one is in progress.
    pub probe_in_secs: u64,
}

impl CircuitBreaker {
    /// A closed circuit breaker. `name` is for the log, `gauge` counts open circuit breakers.
    pub fn new(name: &str, backoff: Backoff, gauge: metrics::Gauge) -> Self {
        Self { pause: Mutex::default(), changed: Notify::new(), backoff, gauge, name: name.to_owned() }
    }

    /// Waits until the circuit is closed, or a probe is due and no other caller has taken it.
    pub async fn enter(&self) -> Permit<'_> {
        loop {
            // Registered before the state is read, so that no change in between is missed.
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            if let Some(permit) = self.try_enter() {
                return permit;
            }
            let due = self.lock().as_ref().filter(|pause| !pause.probing).map(|pause| pause.until);
            changed_or_at(changed, due).await;
        }
    }

    /// Waits until the circuit is closed, or a probe has been due for a second and nobody has taken it: then nobody holds
    /// a record to probe with. Never takes the probe.
    pub async fn wants_records(&self) {
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            let overdue = match self.lock().as_ref() {
                None => return,
                Some(pause) if pause.probing => None,
                Some(pause) => Some(pause.until + OVERDUE),
            };
            if overdue.is_some_and(|overdue| overdue <= Instant::now()) {
                return;
            }
            changed_or_at(changed, overdue).await;
        }
    }

    /// Why the circuit is open; `None` while it is closed.
    pub fn paused(&self) -> Option<Paused> {
        let now = Instant::now();
        self.lock().as_ref().map(|pause| Paused {
            reason: pause.reason.clone(),
            for_secs: now.duration_since(pause.since).as_secs(),
            probe_in_secs: pause.until.saturating_duration_since(now).as_secs(),
        })
    }

    /// A permit, if the circuit is closed, or a probe is due and no other caller has taken it.
    pub fn try_enter(&self) -> Option<Permit<'_>> {
        let mut pause = self.lock();
        let probe = match &mut *pause {
            None => false,
            Some(pause) if !pause.probing && pause.until <= Instant::now() => {
                pause.probing = true;
                true
            }
            Some(_) => return None,
        };
        Some(Permit { breaker: self, probe })
    }

    fn lock(&self) -> MutexGuard<'_, Option<Pause>> {
        self.pause.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn trip(&self, reason: String, probe: bool) -> bool {
        let mut pause = self.lock();
        // When many users fail at the same time, only the first, and later the probe, decide how long to wait.
        if pause.is_some() && !probe {
            return false;
        }
        let before = pause.take();
        let failures = before.as_ref().map_or(0, |pause| pause.failures).saturating_add(1);
        let wait = self.backoff.after(failures);
        self.log_open(&reason, wait, before.is_none());
        let now = Instant::now();
        let since = before.map_or(now, |pause| pause.since);
        *pause = Some(Pause { reason, since, until: now + wait, failures, probing: false });
        self.changed.notify_waiters();
        true
    }

    fn log_open(&self, reason: &str, wait: Duration, first: bool) {
        let (of, probe_in_ms) = (&self.name, wait.as_millis());
        if first {
            self.gauge.increment(1.0);
            tracing::warn!(of, reason, probe_in_ms, "circuit breaker opened");
        } else {
            tracing::debug!(of, reason, probe_in_ms, "circuit breaker still open");
        }
    }

    fn close(&self) {
        let open = self.lock().take();
        if let Some(pause) = open {
            self.changed.notify_waiters();
            self.gauge.decrement(1.0);
            let open_ms = pause.since.elapsed().as_millis();
            tracing::info!(of = self.name, reason = pause.reason, open_ms, "circuit breaker closed");
        }
    }
}

/// Waits for a change, or until a time, if there is one.
async fn changed_or_at(changed: Pin<&mut Notified<'_>>, at: Option<Instant>) {
    match at {
        None => changed.await,
        Some(at) => tokio::select! {
            biased;
            () = tokio::time::sleep_until(at) => (),
            () = changed => (),
        },
    }
}

/// The permission for one use of the dependency. If a probe is dropped without a report, the next caller takes it.
pub struct Permit<'a> {
    breaker: &'a CircuitBreaker,
    probe: bool,
}

impl Permit<'_> {
    /// Whether this use finds out if the dependency is up again.
    pub fn is_probe(&self) -> bool {
        self.probe
    }

    /// Reports that the dependency works. Only the probe closes the circuit: other permits may be older than the
    /// outage.
    pub fn works(mut self) {
        if std::mem::take(&mut self.probe) {
            self.breaker.close();
        }
    }

    /// Reports that the dependency is down, and why. Returns whether this opened the circuit, for the first time or
    /// again: of many users that fail at the same time, only one does.
    pub fn down(mut self, reason: String) -> bool {
        let probe = std::mem::take(&mut self.probe);
        self.breaker.trip(reason, probe)
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if self.probe {
            if let Some(pause) = self.breaker.lock().as_mut() {
                pause.probing = false;
            }
            self.breaker.changed.notify_waiters();
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn breaker() -> CircuitBreaker {
        CircuitBreaker::new("sqs:q", Backoff::seeded(7), metrics::Gauge::noop())
    }

    async fn enters_at_once(breaker: &CircuitBreaker) -> bool {
        tokio::time::timeout(Duration::ZERO, breaker.enter()).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn one_probe_decides_for_all() {
        let breaker = breaker();
        let (one, other) = (breaker.enter().await, breaker.enter().await);
        one.down("service:entry".into());
        let first_wait = breaker.lock().as_ref().unwrap().until;
        other.down("service:user".into());
        assert_eq!(breaker.lock().as_ref().unwrap().until, first_wait, "the second failure extends nothing");
        assert!(!enters_at_once(&breaker).await);

        let probe = breaker.enter().await;
        assert!(Instant::now() >= first_wait);
        assert!(!enters_at_once(&breaker).await, "a second probe");
        probe.down("service:entry".into());
        assert_eq!(breaker.lock().as_ref().unwrap().failures, 2);

        breaker.enter().await.works();
        assert!(breaker.paused().is_none());
        assert!(enters_at_once(&breaker).await);
    }

    #[tokio::test(start_paused = true)]
    async fn records_are_wanted_where_the_circuit_is_closed_or_nobody_probes() {
        let breaker = breaker();
        let wants = async || tokio::time::timeout(Duration::ZERO, breaker.wants_records()).await.is_ok();
        assert!(wants().await && !breaker.enter().await.is_probe());
        breaker.enter().await.down("service:entry".into());
        assert!(!wants().await, "it is open");
        tokio::time::advance(Duration::from_secs(60) + OVERDUE).await;
        assert!(wants().await, "nobody has taken the probe");
        let probe = breaker.enter().await;
        assert!(probe.is_probe() && !wants().await, "it is under way");
        probe.works();
        assert!(wants().await);
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_caller_takes_a_probe_that_was_dropped() {
        let breaker = breaker();
        breaker.enter().await.down("service:entry".into());
        drop(breaker.enter().await);
        assert!(enters_at_once(&breaker).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_permit_older_than_the_outage_does_not_close_the_circuit() {
        let breaker = breaker();
        let old = breaker.enter().await;
        breaker.enter().await.down("service:entry".into());
        old.works();
        assert_eq!(breaker.paused().unwrap().reason, "service:entry");
    }
}
