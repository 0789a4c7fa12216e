//! The wall clock, where a record's age is compared with the time in it. Waiting never uses it.

use std::sync::Arc;

/// Milliseconds since 1970 (UTC); a test sets its own.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> u64 + Send + Sync>);

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self::new(|| u64::try_from(chrono::Utc::now().timestamp_millis()).unwrap_or(0))
    }

    /// Any other clock.
    pub fn new(now_ms: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(now_ms))
    }

    /// The time now.
    pub fn now_ms(&self) -> u64 {
        (self.0)()
    }
}
