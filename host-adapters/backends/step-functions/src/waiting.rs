//! Long polls that outlive their callers. A poll must not be cancelled: the service may be assigning an attempt to it,
//! which would be lost with the connection and delay other polls ([latency of polls]). So a poll always runs to its
//! end, and its attempt goes to a runner that waits then.
//!
//! [latency of polls]: https://docs.aws.amazon.com/step-functions/latest/dg/bp-activity-pollers.html

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// How long an arrived attempt waits to be taken. A runner that takes one comes back at once, unless it has stopped.
const PATIENCE: Duration = Duration::from_secs(1);
/// The shortest poll that gets nothing: a server that does not hold polls is not asked more often.
const SHORTEST: Duration = Duration::from_secs(1);

/// Waiting runners and their polls, one for each.
pub struct Waiting<T> {
    state: Mutex<State<T>>,
    /// Something has arrived, or a poll has ended.
    news: Notify,
}

struct State<T> {
    /// The number of waiting runners.
    takers: usize,
    /// Polls in progress.
    polls: usize,
    /// Items that have arrived and are not taken yet, each with its number.
    arrived: VecDeque<(u64, T)>,
    /// How many have arrived.
    count: u64,
}

/// Long polls for one kind of thing.
pub trait LongPoll: Clone + Send + Sync + 'static {
    /// What they are for.
    type Item: Send + 'static;
    /// One poll; `None` if there was nothing until its end.
    fn poll(&self) -> impl Future<Output = Option<Self::Item>> + Send;
    /// Returns attempts that nobody takes.
    fn give_back(&self, item: Self::Item) -> impl Future<Output = ()> + Send;
}

impl<T> Default for Waiting<T> {
    fn default() -> Self {
        let state = State { takers: 0, polls: 0, arrived: VecDeque::new(), count: 0 };
        Self { state: Mutex::new(state), news: Notify::new() }
    }
}

impl<T: Send + 'static> Waiting<T> {
    /// Waits for the item of the next poll; `None` if there is none within `wait`.
    pub async fn take(self: &Arc<Self>, polls: &impl LongPoll<Item = T>, wait: Duration) -> Option<T> {
        let deadline = Instant::now() + wait;
        let mut taker = Taker::new(self);
        loop {
            // Registered before the state is read, so that no change in between is missed.
            let mut news = pin!(self.news.notified());
            news.as_mut().enable();
            if let Some(item) = taker.arrived() {
                return Some(item);
            }
            self.poll_for_all(polls);
            tokio::time::timeout_at(deadline, news).await.ok()?;
        }
    }

    /// Takes the item that arrived first, if there is one. Begins no poll.
    pub fn arrived(&self) -> Option<T> {
        self.lock().arrived.pop_front().map(|(_, item)| item)
    }

    /// Begins as many polls as there are takers without one.
    fn poll_for_all(self: &Arc<Self>, polls: &impl LongPoll<Item = T>) {
        let mut state = self.lock();
        while state.polls + state.arrived.len() < state.takers {
            state.polls += 1;
            let (waiting, polls) = (self.clone(), polls.clone());
            tokio::spawn(async move { waiting.run(&polls).await });
        }
    }

    async fn run(&self, polls: &impl LongPoll<Item = T>) {
        let began = Instant::now();
        let item = polls.poll().await;
        if item.is_none() {
            tokio::time::sleep_until(began + SHORTEST).await;
        }
        let Some(number) = self.ended(item) else { return };
        tokio::time::sleep(PATIENCE).await;
        if let Some(item) = self.left(number) {
            polls.give_back(item).await;
        }
    }

    /// Notes the end of a poll. Returns the number of what it got.
    fn ended(&self, item: Option<T>) -> Option<u64> {
        let mut state = self.lock();
        state.polls -= 1;
        let number = state.count;
        let arrived = item.map(|item| {
            state.arrived.push_back((number, item));
            state.count += 1;
            number
        });
        drop(state);
        self.news.notify_waiters();
        arrived
    }

    /// Takes the item with this number, if it is still there.
    fn left(&self, number: u64) -> Option<T> {
        let arrived = &mut self.lock().arrived;
        let place = arrived.iter().position(|(of, _)| *of == number)?;
        arrived.remove(place).map(|(_, item)| item)
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A waiting runner. It is counted until it receives something or gives up.
struct Taker<'a, T: Send + 'static> {
    waiting: &'a Waiting<T>,
    waits: bool,
}

impl<'a, T: Send + 'static> Taker<'a, T> {
    fn new(waiting: &'a Waiting<T>) -> Self {
        waiting.lock().takers += 1;
        Self { waiting, waits: true }
    }

    /// Takes what arrived first. From then on it takes nothing.
    fn arrived(&mut self) -> Option<T> {
        let mut state = self.waiting.lock();
        let (_, item) = state.arrived.pop_front()?;
        state.takers -= 1;
        self.waits = false;
        Some(item)
    }
}

impl<T: Send + 'static> Drop for Taker<'_, T> {
    fn drop(&mut self) {
        if self.waits {
            self.waiting.lock().takers -= 1;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, non_snake_case, reason = "tests; names begin with a line of docs/delivery.md")]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

    /// A server that holds polls for a minute, and records what is returned.
    #[derive(Clone)]
    struct Server(Arc<Held>);

    struct Held {
        items: tokio::sync::Mutex<UnboundedReceiver<u32>>,
        polls: AtomicUsize,
        given_back: Mutex<Vec<u32>>,
    }

    const HOLDS: Duration = Duration::from_secs(60);

    impl LongPoll for Server {
        type Item = u32;
        async fn poll(&self) -> Option<u32> {
            self.0.polls.fetch_add(1, Ordering::Relaxed);
            tokio::time::timeout(HOLDS, async { self.0.items.lock().await.recv().await }).await.ok()?
        }
        async fn give_back(&self, item: u32) {
            self.0.given_back.lock().unwrap().push(item);
        }
    }

    fn server() -> (Server, UnboundedSender<u32>, Arc<Waiting<u32>>) {
        let (sender, items) = unbounded_channel();
        let held = Held { items: items.into(), polls: AtomicUsize::new(0), given_back: Mutex::default() };
        (Server(Arc::new(held)), sender, Arc::default())
    }

    fn polls(server: &Server) -> usize {
        server.0.polls.load(Ordering::Relaxed)
    }

    #[tokio::test(start_paused = true)]
    async fn d14_5__a_poll_outlives_those_who_wait() {
        let (server, sender, waiting) = server();
        for _ in 0..5 {
            assert_eq!(waiting.take(&server, Duration::from_secs(10)).await, None);
        }
        assert_eq!(polls(&server), 1);
        sender.send(7).unwrap();
        assert_eq!(waiting.take(&server, Duration::from_secs(10)).await, Some(7));
        let state = waiting.lock();
        assert_eq!((polls(&server), state.takers, state.polls), (1, 0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn d14_5__each_who_waits_has_a_poll() {
        let (server, sender, waiting) = server();
        (1..=3).for_each(|item| sender.send(item).unwrap());
        let take = || waiting.take(&server, Duration::from_secs(10));
        let (a, b, c, d) = tokio::join!(take(), take(), take(), take());
        let mut taken: Vec<_> = [a, b, c, d].into_iter().flatten().collect();
        taken.sort_unstable();
        assert_eq!((taken, polls(&server)), (vec![1, 2, 3], 4));
    }

    #[tokio::test(start_paused = true)]
    async fn d14_5__what_nobody_takes_is_given_back() {
        let (server, sender, waiting) = server();
        assert_eq!(waiting.take(&server, Duration::from_secs(10)).await, None);
        sender.send(7).unwrap();
        tokio::time::sleep(PATIENCE * 2).await;
        assert_eq!(*server.0.given_back.lock().unwrap(), [7]);
        sender.send(8).unwrap();
        assert_eq!(waiting.take(&server, Duration::from_secs(10)).await, Some(8));
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_arrived_can_be_taken_without_a_poll() {
        let (server, sender, waiting) = server();
        assert_eq!(waiting.take(&server, Duration::from_secs(10)).await, None);
        assert_eq!(waiting.arrived(), None);
        sender.send(7).unwrap();
        tokio::time::sleep(PATIENCE / 2).await;
        assert_eq!((waiting.arrived(), waiting.arrived(), polls(&server)), (Some(7), None, 1));
        tokio::time::sleep(PATIENCE).await;
        assert!(server.0.given_back.lock().unwrap().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_holds_no_poll_is_asked_once_a_second() {
        let (server, sender, waiting) = server();
        // Its channel is closed, so each poll gets nothing at once.
        drop(sender);
        assert_eq!(waiting.take(&server, Duration::from_millis(9500)).await, None);
        assert_eq!(polls(&server), 10);
    }
}
