//! A call without an answer.

use std::time::Duration;

/// Why a whole call failed. Every one of them may be tried again: its records are retried.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CallError {
    /// The worker itself answered that it failed.
    #[error("worker failed: {0}")]
    Failed(String),
    /// The worker itself answered that it failed, and that the same call will fail again: its batch is halved, and a
    /// record that fails alone is given up.
    #[error("worker failed for good: {0}")]
    Permanent(String),
    /// The sandbox ended: a trap, memory or CPU limit, or a neighbour in the same instance did so.
    #[error("worker trapped: {0}")]
    Trapped(String),
    /// The wall-time limit passed.
    #[error("worker did not answer within {0:?}")]
    TimedOut(Duration),
    /// The answer is not one for this batch.
    #[error("worker answered {0} dispositions for {1} records")]
    TooMany(usize, usize),
    /// No such worker, it does not export this kind of call, or it cannot be started.
    #[error("worker cannot be called: {0}")]
    NotCallable(String),
}
