//! Waits for events that happen by themselves.

use std::time::Duration;
use tokio::time::Instant;

/// Longer than anything should take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);
const PAUSE: Duration = Duration::from_millis(20);

/// Calls `ask` again and again until it returns a value.
///
/// # Panics
/// When that takes too long; the message names what was waited for.
pub async fn eventually<T>(what: &str, ask: impl AsyncFn() -> Option<T>) -> T {
    within(PATIENCE, what, ask).await
}

/// The same for what takes long.
///
/// # Panics
/// When it takes longer than `patience`.
pub async fn within<T>(patience: Duration, what: &str, ask: impl AsyncFn() -> Option<T>) -> T {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "not within {} s: {what}", patience.as_secs());
        tokio::time::sleep(PAUSE).await;
    }
}
