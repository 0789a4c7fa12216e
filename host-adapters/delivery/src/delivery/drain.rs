//! Ending in order: first no more intake, then what is in flight ends, and at the deadline the rest goes back.

use std::{future::Future, time::Duration};
use tokio_util::sync::CancellationToken;

/// Told to all sources of a host. Clones are one and the same.
#[derive(Clone, Debug, Default)]
pub struct Drain {
    stop: CancellationToken,
    abandon: CancellationToken,
}

impl Drain {
    /// A drain that has not begun.
    pub fn new() -> Self {
        Self::default()
    }

    /// Stops the intake at once, waits up to `grace` until `running` ends, then has the rest returned and waits for
    /// that. `running` are the sources; its output is theirs.
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

    /// No more intake.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Calls in flight are given up, and what they hold goes back to its source.
    pub fn abandon(&self) {
        self.stop.cancel();
        self.abandon.cancel();
    }

    /// Whether intake has stopped.
    pub fn is_stopping(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Whether the deadline has passed.
    pub fn is_abandoned(&self) -> bool {
        self.abandon.is_cancelled()
    }

    /// Waits until intake stops.
    pub async fn stopping(&self) {
        self.stop.cancelled().await;
    }

    /// Waits until the deadline.
    pub async fn abandoned(&self) {
        self.abandon.cancelled().await;
    }
}

/// Why the receive loop of a source ended. There is no other reason: errors make it wait, not end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ended {
    /// Intake was stopped and everything in flight has ended.
    Drained,
    /// The deadline came first: so many records went back to the source and will be delivered again.
    Abandoned(usize),
}

impl Ended {
    /// Of two loops of one source.
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Drained, other) => other,
            (this, Self::Drained) => this,
            (Self::Abandoned(these), Self::Abandoned(those)) => Self::Abandoned(these + those),
        }
    }
}
