//! The pause of a source while something it needs is down as a whole: attempts are for the record, not for the weather.
//!
//! Whoever is about to use the thing asks [`Gate::enter`] and reports on its [`Pass`] how it went. `down` closes the
//! gate for 1 s to 60 s (full jitter, longer each time). Then exactly one is let in, as the probe: its word opens the
//! gate for all, or closes it again.

use super::retry::Backoff;
use std::{
    pin::pin,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{sync::Notify, time::Instant};

/// Open, or closed with a reason.
pub struct Gate {
    pause: Mutex<Option<Pause>>,
    /// Wakes those who wait, first come first: with `watch` their order would be random, and no simulation repeatable.
    changed: Notify,
    backoff: Backoff,
    gauge: metrics::Gauge,
    source: String,
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
#[derive(Clone, Debug, Eq, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Paused {
    /// What is down: `service:entry`, `sqs:saveEntriesQueue: connection refused`.
    pub reason: String,
    /// For how long already, seconds.
    pub for_secs: u64,
    /// When the next probe is due, seconds from now; 0 while one is under way.
    pub probe_in_secs: u64,
}

impl Gate {
    /// An open one. `source` is for the log, `gauge` counts closed gates.
    pub fn new(source: &str, backoff: Backoff, gauge: metrics::Gauge) -> Self {
        Self { pause: Mutex::default(), changed: Notify::new(), backoff, gauge, source: source.to_owned() }
    }

    /// Waits until the gate is open, or the time has come for a probe and nobody else is at it.
    pub async fn enter(&self) -> Pass<'_> {
        loop {
            // Registered before the look, so that no change between the two is missed.
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            if let Some(pass) = self.try_enter() {
                return pass;
            }
            let due = self.lock().as_ref().filter(|pause| !pause.probing).map(|pause| pause.until);
            match due {
                None => changed.await,
                Some(due) => tokio::select! {
                    biased;
                    () = tokio::time::sleep_until(due) => (),
                    () = changed => (),
                },
            }
        }
    }

    /// Waits until the gate is open, and leaves the probing to others.
    pub async fn opened(&self) {
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            if self.lock().is_none() {
                return;
            }
            changed.await;
        }
    }

    /// Why it is closed, if it is.
    pub fn paused(&self) -> Option<Paused> {
        let now = Instant::now();
        self.lock().as_ref().map(|pause| Paused {
            reason: pause.reason.clone(),
            for_secs: now.duration_since(pause.since).as_secs(),
            probe_in_secs: pause.until.saturating_duration_since(now).as_secs(),
        })
    }

    fn try_enter(&self) -> Option<Pass<'_>> {
        let mut pause = self.lock();
        let probe = match &mut *pause {
            None => false,
            Some(pause) if !pause.probing && pause.until <= Instant::now() => {
                pause.probing = true;
                true
            }
            Some(_) => return None,
        };
        Some(Pass { gate: self, probe })
    }

    fn lock(&self) -> MutexGuard<'_, Option<Pause>> {
        self.pause.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self, reason: String, probe: bool) {
        let mut pause = self.lock();
        // Of many that fail at the same time only the first, and later the probe, say how long to wait.
        if pause.is_some() && !probe {
            return;
        }
        let before = pause.take();
        let failures = before.as_ref().map_or(0, |pause| pause.failures).saturating_add(1);
        let wait = self.backoff.after(failures);
        self.log_closed(&reason, wait, before.is_none());
        let now = Instant::now();
        let since = before.map_or(now, |pause| pause.since);
        *pause = Some(Pause { reason, since, until: now + wait, failures, probing: false });
        self.changed.notify_waiters();
    }

    fn log_closed(&self, reason: &str, wait: Duration, first: bool) {
        let (source, probe_in_ms) = (&self.source, wait.as_millis());
        if first {
            self.gauge.increment(1.0);
            tracing::warn!(source, reason, probe_in_ms, "source paused");
        } else {
            tracing::debug!(source, reason, probe_in_ms, "source still paused");
        }
    }

    fn open(&self) {
        let closed = self.lock().take();
        if let Some(pause) = closed {
            self.changed.notify_waiters();
            self.gauge.decrement(1.0);
            let paused_ms = pause.since.elapsed().as_millis();
            tracing::info!(source = self.source, reason = pause.reason, paused_ms, "source resumed");
        }
    }
}

/// The right to try once. Dropped without a word, a probe is left to the next.
pub struct Pass<'a> {
    gate: &'a Gate,
    probe: bool,
}

impl Pass<'_> {
    /// It works. Only the probe's word opens the gate: others may have entered before it closed.
    pub fn works(mut self) {
        if std::mem::take(&mut self.probe) {
            self.gate.open();
        }
    }

    /// It is down, as `reason` says.
    pub fn down(mut self, reason: String) {
        let probe = std::mem::take(&mut self.probe);
        self.gate.close(reason, probe);
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if self.probe {
            if let Some(pause) = self.gate.lock().as_mut() {
                pause.probing = false;
            }
            self.gate.changed.notify_waiters();
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn gate() -> Gate {
        Gate::new("sqs:q", Backoff::seeded(7), metrics::Gauge::noop())
    }

    async fn enters_at_once(gate: &Gate) -> bool {
        tokio::time::timeout(Duration::ZERO, gate.enter()).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn one_probe_decides_for_all() {
        let gate = gate();
        let (one, other) = (gate.enter().await, gate.enter().await);
        one.down("service:entry".into());
        let first_wait = gate.lock().as_ref().unwrap().until;
        other.down("service:user".into());
        assert_eq!(gate.lock().as_ref().unwrap().until, first_wait, "the second failure extends nothing");
        assert!(!enters_at_once(&gate).await);

        let probe = gate.enter().await;
        assert!(Instant::now() >= first_wait);
        assert!(!enters_at_once(&gate).await, "a second probe");
        probe.down("service:entry".into());
        assert_eq!(gate.lock().as_ref().unwrap().failures, 2);

        gate.enter().await.works();
        assert!(gate.paused().is_none());
        assert!(enters_at_once(&gate).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_given_up_is_left_to_the_next() {
        let gate = gate();
        gate.enter().await.down("service:entry".into());
        drop(gate.enter().await);
        assert!(enters_at_once(&gate).await);
    }

    #[tokio::test(start_paused = true)]
    async fn an_old_pass_does_not_open_the_gate() {
        let gate = gate();
        let old = gate.enter().await;
        gate.enter().await.down("service:entry".into());
        old.works();
        assert_eq!(gate.paused().unwrap().reason, "service:entry");
    }
}
