//! The pause of a source while something it needs is down as a whole: attempts are for the record, not for the weather.
//!
//! Whoever is about to use the thing asks [`Gate::enter`] and reports on its [`Pass`] how it went. `down` closes the
//! gate for 1 s to 60 s (full jitter, longer each time). Then exactly one is let in, as the probe: its word opens the
//! gate for all, or closes it again.

use super::retry::Backoff;
use std::time::Duration;
use tokio::{sync::watch, time::Instant};

/// Open, or closed with a reason.
pub struct Gate {
    pause: watch::Sender<Option<Pause>>,
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
        Self { pause: watch::Sender::new(None), backoff, gauge, source: source.to_owned() }
    }

    /// Waits until the gate is open, or the time has come for a probe and nobody else is at it.
    pub async fn enter(&self) -> Pass<'_> {
        let mut changes = self.pause.subscribe();
        loop {
            if let Some(pass) = self.try_enter() {
                return pass;
            }
            let due = changes.borrow_and_update().as_ref().map(|pause| (!pause.probing).then_some(pause.until));
            match due {
                None => continue,
                // The sender is `self`, so `changed` cannot fail while this borrows it.
                Some(None) => drop(changes.changed().await),
                Some(Some(due)) => tokio::select! {
                    () = tokio::time::sleep_until(due) => (),
                    _ = changes.changed() => (),
                },
            }
        }
    }

    /// Waits until the gate is open, and leaves the probing to others.
    pub async fn opened(&self) {
        // Fails only without a sender, and that is `self`.
        let _ = self.pause.subscribe().wait_for(Option::is_none).await;
    }

    /// Why it is closed, if it is.
    pub fn paused(&self) -> Option<Paused> {
        let now = Instant::now();
        self.pause.borrow().as_ref().map(|pause| Paused {
            reason: pause.reason.clone(),
            for_secs: now.duration_since(pause.since).as_secs(),
            probe_in_secs: pause.until.saturating_duration_since(now).as_secs(),
        })
    }

    fn try_enter(&self) -> Option<Pass<'_>> {
        let mut admitted = None;
        self.pause.send_if_modified(|pause| match pause {
            None => {
                admitted = Some(false);
                false
            }
            Some(pause) if !pause.probing && pause.until <= Instant::now() => {
                admitted = Some(true);
                pause.probing = true;
                true
            }
            Some(_) => false,
        });
        admitted.map(|probe| Pass { gate: self, probe })
    }

    fn close(&self, reason: String, probe: bool) {
        self.pause.send_if_modified(|pause| {
            // Of many that fail at the same time only the first, and later the probe, say how long to wait.
            if pause.is_some() && !probe {
                return false;
            }
            let before = pause.take();
            let failures = before.as_ref().map_or(0, |pause| pause.failures).saturating_add(1);
            let wait = self.backoff.after(failures);
            self.log_closed(&reason, wait, before.is_none());
            let now = Instant::now();
            let since = before.map_or(now, |pause| pause.since);
            *pause = Some(Pause { reason, since, until: now + wait, failures, probing: false });
            true
        });
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
        if let Some(pause) = self.pause.send_replace(None) {
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
            self.gate.pause.send_if_modified(|pause| pause.as_mut().map(|pause| pause.probing = false).is_some());
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
        let first_wait = gate.pause.borrow().as_ref().unwrap().until;
        other.down("service:user".into());
        assert_eq!(gate.pause.borrow().as_ref().unwrap().until, first_wait, "the second failure extends nothing");
        assert!(!enters_at_once(&gate).await);

        let probe = gate.enter().await;
        assert!(Instant::now() >= first_wait);
        assert!(!enters_at_once(&gate).await, "a second probe");
        probe.down("service:entry".into());
        assert_eq!(gate.pause.borrow().as_ref().unwrap().failures, 2);

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
