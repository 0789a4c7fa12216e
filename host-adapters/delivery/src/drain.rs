//! Ends delivery in order: intake stops, calls in flight end, and at the deadline the rest is returned to its source.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Tells all sources of a host when to stop. Clones share one state.
#[derive(Clone, Debug, Default)]
pub struct Drain {
    stop: CancellationToken,
    abandon: CancellationToken,
    lease: Option<Lease>,
}

/// Until when this host may continue work that another host would take over.
#[derive(Clone, Debug)]
struct Lease(Arc<Mutex<Instant>>);

impl Lease {
    fn until(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the end, however often it is extended.
    async fn ended(&self) {
        while Instant::now() < self.until() {
            tokio::time::sleep_until(self.until()).await;
        }
    }
}

impl Drain {
    /// A drain that has not begun.
    pub fn new() -> Self {
        Self::default()
    }

    /// Stops the intake at once and waits up to `grace` for `running`, the sources, to end. Then makes the sources
    /// return the rest and waits until that is done. Returns the output of `running`.
    pub async fn finish<F: Future>(&self, grace: Duration, running: F) -> F::Output {
        self.stop();
        tokio::pin!(running);
        match tokio::time::timeout(grace, &mut running).await {
            Ok(output) => output,
            Err(_) => {
                self.abandon();
                running.await
            }
        }
    }

    /// Stops the intake.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Gives up the calls in flight; their records go back to their source.
    pub fn abandon(&self) {
        self.stop.cancel();
        self.abandon.cancel();
    }

    /// The drain of a part, which ends with the whole, or when its own lease ends: at `until`, unless
    /// [`Drain::extend`]ed. A host that was suspended detects at once when it resumes that its lease has expired.
    pub fn leased(&self, until: Instant) -> Self {
        let (stop, abandon) = (self.stop.child_token(), self.abandon.child_token());
        Self { stop, abandon, lease: Some(Lease(Arc::new(Mutex::new(until)))) }
    }

    /// Extends the lease.
    pub fn extend(&self, until: Instant) {
        if let Some(Lease(end)) = &self.lease {
            *end.lock().unwrap_or_else(PoisonError::into_inner) = until;
        }
    }

    /// Whether intake has stopped.
    pub fn is_stopping(&self) -> bool {
        self.stop.is_cancelled() || self.is_lease_over()
    }

    /// Whether the deadline has passed.
    pub fn is_abandoned(&self) -> bool {
        self.abandon.is_cancelled() || self.is_lease_over()
    }

    /// Waits until intake stops.
    pub async fn stopping(&self) {
        self.cancelled(&self.stop).await;
    }

    /// Waits until the deadline.
    pub async fn abandoned(&self) {
        self.cancelled(&self.abandon).await;
    }

    async fn cancelled(&self, token: &CancellationToken) {
        match &self.lease {
            None => token.cancelled().await,
            Some(lease) => tokio::select! { () = token.cancelled() => (), () = lease.ended() => () },
        }
    }

    fn is_lease_over(&self) -> bool {
        self.lease.as_ref().is_some_and(|lease| lease.until() <= Instant::now())
    }
}

/// Why the receive loop of a source ended. An error never ends it, but only makes it wait.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ended {
    /// Intake was stopped and everything in flight has ended.
    Drained,
    /// The deadline came first: this many records went back to the source and will be delivered again.
    Abandoned(usize),
}

impl Ended {
    /// The combined result of two loops of one source.
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Drained, other) => other,
            (this, Self::Drained) => this,
            (Self::Abandoned(these), Self::Abandoned(those)) => Self::Abandoned(these + those),
        }
    }
}
