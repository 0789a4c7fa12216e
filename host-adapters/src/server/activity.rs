//! What a connection is doing, to tell whether it has been at it for too long.

use super::HttpLimits;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::time::Instant;

/// The state of one connection. Its reads and writes and the exchanges on it keep it up to date.
pub(super) struct Activity(Mutex<State>);

struct State {
    /// Requests that have begun and whose response is not sent.
    exchanges: usize,
    /// When the present silence or head began.
    since: Instant,
    /// Whether a part of the next request has arrived.
    head: bool,
    /// Whether a response was sent before its request had arrived.
    early: bool,
}

impl Activity {
    pub(super) fn new() -> Self {
        Self(Mutex::new(State { exchanges: 0, since: Instant::now(), head: false, early: false }))
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

    /// Bytes were sent. The end of a response is sent after its exchange has ended.
    pub(super) fn wrote(&self) {
        let mut state = self.state();
        if !state.head {
            state.since = Instant::now();
        }
    }

    /// A response was sent before its request had arrived.
    pub(super) fn answered_early(&self) {
        self.state().early = true;
    }

    /// Whether the client may be sending while nothing of the connection is served any more.
    pub(super) fn may_be_sending(&self) -> bool {
        let state = self.state();
        state.early || state.head
    }

    /// Whether no request is being answered.
    pub(super) fn is_idle(&self) -> bool {
        self.state().exchanges == 0
    }

    fn deadline(&self, limits: &HttpLimits) -> Option<Instant> {
        let state = self.state();
        let limit = if state.head { limits.header_timeout } else { limits.idle_timeout };
        (state.exchanges == 0).then(|| state.since + limit)
    }

    /// Returns once the connection has been silent, or a head incomplete, for too long.
    pub(super) async fn overdue(&self, limits: &HttpLimits) {
        loop {
            let now = Instant::now();
            // A head may begin meanwhile, so the state is looked at again before its deadline.
            let look = now + limits.header_timeout / 2;
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
        state.since = Instant::now();
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
        assert_eq!((overdue(&activity).await, activity.may_be_sending()), (Some(9), false), "idle after a response");
    }
}
