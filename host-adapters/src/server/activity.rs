//! What a connection is doing, to detect that it takes too long.

use super::HttpLimits;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::time::Instant;

/// The state of one connection. Its reads and writes and the exchanges on it keep it up to date.
pub(super) struct Activity(Mutex<State>);

struct State {
    /// Requests that have begun and whose response is not made.
    exchanges: usize,
    /// Whether a part of a response that was made is not sent.
    unsent: bool,
    /// Since when the client has taken no byte of what waits to be sent.
    stalled: Option<Instant>,
    /// When the present silence or head began.
    since: Instant,
    /// Whether a part of the next request has arrived.
    head: bool,
    /// Whether a response was sent before its request had arrived.
    early: bool,
}

impl Activity {
    pub(super) fn new() -> Self {
        Self(Mutex::new(State {
            exchanges: 0,
            unsent: false,
            stalled: None,
            since: Instant::now(),
            head: false,
            early: false,
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes have arrived.
    pub(super) fn read(&self) {
        let mut state = self.state();
        if state.exchanges == 0 && !state.head {
            (state.head, state.since) = (true, Instant::now());
        }
    }

    /// Bytes are to be sent; `taken` says whether the client takes any of them now.
    pub(super) fn writes(&self, taken: bool) {
        let mut state = self.state();
        if taken {
            (state.stalled, state.since) = (None, Instant::now());
        } else {
            state.stalled.get_or_insert_with(Instant::now);
        }
    }

    /// All that was to be sent is sent. The end of a response is sent after its exchange has ended.
    pub(super) fn flushed(&self) {
        let mut state = self.state();
        if std::mem::take(&mut state.unsent) {
            state.since = Instant::now();
        }
    }

    /// A response was sent before its request had arrived.
    pub(super) fn answered_early(&self) {
        self.state().early = true;
    }

    /// Whether the client may still be sending although the connection is no longer served.
    pub(super) fn may_be_sending(&self) -> bool {
        let state = self.state();
        state.early || state.head
    }

    /// Whether no request is being answered, and no response is being sent.
    pub(super) fn is_idle(&self) -> bool {
        let state = self.state();
        state.exchanges == 0 && !state.unsent
    }

    fn deadline(&self, limits: &HttpLimits) -> Option<Instant> {
        let state = self.state();
        match state.stalled {
            Some(stalled) => Some(stalled + limits.write_timeout),
            None if state.exchanges > 0 => None,
            // A client may send the next request while it is sent this response.
            None if state.head && !state.unsent => Some(state.since + limits.header_timeout),
            None => Some(state.since + limits.idle_timeout),
        }
    }

    /// Returns once the connection has been silent, a head incomplete, or the client taking nothing, for too long.
    pub(super) async fn overdue(&self, limits: &HttpLimits) {
        loop {
            let now = Instant::now();
            // A head or a stall may begin meanwhile, so the state is looked at again before its deadline.
            let look = now + limits.header_timeout.min(limits.write_timeout) / 2;
            match self.deadline(limits) {
                Some(deadline) if deadline <= now => return,
                deadline => tokio::time::sleep_until(deadline.map_or(look, |deadline| deadline.min(look))).await,
            }
        }
    }
}

/// A request and its response; it ends when dropped.
pub(super) struct Exchange(Arc<Activity>);

impl Exchange {
    pub(super) fn begin(activity: &Arc<Activity>) -> Self {
        let mut state = activity.state();
        state.exchanges += 1;
        state.head = false;
        drop(state);
        Self(activity.clone())
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.exchanges = state.exchanges.saturating_sub(1);
        (state.unsent, state.since) = (true, Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const LIMITS: HttpLimits = HttpLimits {
        max_connections: 1,
        body_timeout: Duration::ZERO,
        header_timeout: Duration::from_secs(2),
        write_timeout: Duration::from_secs(4),
        idle_timeout: Duration::from_secs(9),
    };

    /// Seconds until the connection is overdue, counted from the call.
    async fn overdue(activity: &Activity) -> Option<u64> {
        let began = Instant::now();
        let waited = tokio::time::timeout(Duration::from_secs(60), activity.overdue(&LIMITS)).await;
        waited.is_ok().then(|| began.elapsed().as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn silence_and_incomplete_heads_end_and_exchanges_do_not() {
        let activity = Arc::new(Activity::new());
        assert_eq!(overdue(&activity).await, Some(9), "silent from the beginning");
        activity.read();
        assert_eq!(overdue(&activity).await, Some(2), "a head that is not completed");
        activity.read();
        assert_eq!(overdue(&activity).await, Some(0), "more of it changes nothing");
        let exchange = Exchange::begin(&activity);
        activity.read();
        assert_eq!((overdue(&activity).await, activity.is_idle()), (None, false), "a body, a slow response");
        drop(exchange);
        assert!(!activity.is_idle(), "the end of the response is not sent");
        activity.flushed();
        assert!(activity.is_idle());
        assert_eq!((overdue(&activity).await, activity.may_be_sending()), (Some(9), false), "idle after a response");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_no_byte_of_a_response_is_overdue() {
        let activity = Arc::new(Activity::new());
        activity.read();
        let exchange = Exchange::begin(&activity);
        activity.writes(false);
        tokio::time::advance(Duration::from_secs(3)).await;
        activity.writes(false);
        assert_eq!(overdue(&activity).await, Some(1), "a stall is counted from its beginning");
        activity.writes(true);
        assert_eq!(overdue(&activity).await, None, "it takes bytes");
        drop(exchange);
        activity.read();
        activity.writes(false);
        assert_eq!((overdue(&activity).await, activity.is_idle()), (Some(4), false), "the end, and the next request");
        activity.writes(true);
        activity.flushed();
        assert_eq!(overdue(&activity).await, Some(2), "a head counts from the end of the response before it");
    }
}
