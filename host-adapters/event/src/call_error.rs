//! A call without a response.

use std::time::Duration;

/// Why a whole call failed; every record of it is retried.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CallError {
    /// The worker itself returned a failure.
    #[error("worker failed: {0}")]
    Failed(String),
    /// The worker itself returned a permanent failure: the same call will fail again. The batch is halved, and a record
    /// that fails alone is given up.
    #[error("worker failed for good: {0}")]
    Permanent(String),
    /// The instance ended: by a trap, a memory limit or a CPU limit, of this call or of another in the same instance.
    #[error("worker trapped: {0}")]
    Trapped(String),
    /// The wall-time limit passed.
    #[error("worker did not answer within {0:?}")]
    TimedOut(Duration),
    /// The response has more dispositions than the batch has records.
    #[error("worker answered {0} dispositions for {1} records")]
    TooMany(usize, usize),
    /// No such worker, it does not export this kind of call, or it cannot be started.
    #[error("worker cannot be called: {0}")]
    NotCallable(String),
}

impl CallError {
    /// The outcome of the call in one word, for metrics.
    pub fn outcome(&self) -> &'static str {
        match self {
            Self::Failed(_) => "failed",
            Self::Permanent(_) => "permanent",
            Self::Trapped(_) => "trapped",
            Self::TimedOut(_) => "timed-out",
            Self::TooMany(..) => "too-many",
            Self::NotCallable(_) => "not-callable",
        }
    }
}
