//! One reader of a shard for all workers of this host, because stores limit the reads of a shard by all readers
//! together. Workers at about the same position share each read. A worker that lags has older records read again,
//! within the same limit.

use super::window::{Page, Slice, Subscriber, Window};
use crate::event::Event;
use host_adapters_platform::{Position, Result, ShardPage, ShardReader};
use host_adapters_records::{Error, ErrorKind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

/// The number of pages that are read ahead of the worker that is furthest ahead.
const AHEAD: usize = 2;
/// For how long after a throttled read all reads are paced, even in a backlog.
const THROTTLED: Duration = Duration::from_secs(60);

/// The result of a read.
type Outcome = Result<Arc<Page>>;

/// Reads one shard.
pub(super) struct SharedShardReader {
    shared: Arc<Shared>,
    /// Reads end with the reader.
    _reading: DropGuard,
}

struct Shared {
    reader: Arc<dyn ShardReader<Event>>,
    stream: String,
    shard: String,
    state: Mutex<State>,
    /// Locked during a read: one at a time, first come, first served.
    pace: tokio::sync::Mutex<Pace>,
    ended: CancellationToken,
}

#[derive(Default)]
struct State {
    window: Window,
    /// Reads in progress, each with the subscribers that wait for it.
    under_way: Vec<Reading>,
}

/// A read in progress.
struct Reading {
    from: Position,
    /// Where the next read begins. Known once the store has answered, while the records are being converted.
    next: Option<Position>,
    waiting: Vec<oneshot::Sender<Outcome>>,
}

/// When the shard may be read next.
struct Pace {
    not_before: Instant,
    /// The end of the furthest read, and whether that was full: a backlog. A read from there does not wait; a worker
    /// that has older records read again waits.
    front: Option<(Position, bool)>,
    throttled_until: Instant,
}

/// A worker's subscription to a shared reader.
pub(super) struct Subscription {
    reader: Arc<SharedShardReader>,
    subscriber: Subscriber,
}

impl SharedShardReader {
    pub(super) fn new(reader: Arc<dyn ShardReader<Event>>, stream: &str, shard: &str) -> Self {
        let (now, ended) = (Instant::now(), CancellationToken::new());
        let pace = Pace { not_before: now, front: None, throttled_until: now };
        let shared = Shared {
            reader,
            stream: stream.to_owned(),
            shard: shard.to_owned(),
            state: Mutex::default(),
            pace: tokio::sync::Mutex::new(pace),
            ended: ended.clone(),
        };
        Self { shared: Arc::new(shared), _reading: ended.drop_guard() }
    }

    pub(super) fn subscribe(self: Arc<Self>) -> Subscription {
        let subscriber = self.shared.state().window.subscribe();
        Subscription { reader: self, subscriber }
    }
}

impl Subscription {
    /// The records after a position; empty if the shard has no more for now.
    pub(super) async fn next(&self, position: &Position) -> Result<Slice> {
        let shared = &self.reader.shared;
        let outcome = {
            let mut state = shared.state();
            if let Some(slice) = state.window.find(position) {
                self.take(&mut state, &slice);
                return Ok(slice);
            }
            let (sender, receiver) = oneshot::channel();
            shared.read(&mut state, position, Some(sender));
            receiver
        };
        let ended = |_| Error::new(ErrorKind::Unavailable, "the read of the shard has ended without a result");
        let slice = Slice::whole(outcome.await.map_err(ended)??);
        self.take(&mut shared.state(), &slice);
        Ok(slice)
    }

    fn take(&self, state: &mut State, slice: &Slice) {
        state.window.taken(slice.page(), self.subscriber);
        self.reader.shared.read_ahead(state, slice.page());
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.reader.shared.state().window.unsubscribe(self.subscriber);
    }
}

impl Shared {
    /// Begins to read from a position, unless such a read is in progress. The result goes to `waiting`.
    fn read(self: &Arc<Self>, state: &mut State, from: &Position, waiting: Option<oneshot::Sender<Outcome>>) {
        if let Some(reading) = state.under_way.iter_mut().find(|reading| reading.from == *from) {
            reading.waiting.extend(waiting);
            return;
        }
        let waiting = waiting.into_iter().collect();
        state.under_way.push(Reading { from: from.clone(), next: None, waiting });
        let (shared, from) = (self.clone(), from.clone());
        tokio::spawn(async move {
            let ended = shared.ended.clone();
            ended.run_until_cancelled(shared.fetch(from)).await;
        });
    }

    /// Reads up to [`AHEAD`] pages after one that was taken.
    fn read_ahead(self: &Arc<Self>, state: &mut State, page: &Page) {
        let mut following = page.following().cloned();
        for _ in 0..AHEAD {
            let Some(position) = following else { return };
            let Some(page) = state.window.begins_at(&position) else { return self.read(state, &position, None) };
            following = page.following().cloned();
        }
    }

    async fn fetch(self: &Arc<Self>, from: Position) {
        let mut under_way = UnderWay { shared: self, from: Some(&from) };
        let read = if from == Position::Latest {
            // The end of a shard may take many reads to find. The store spaces them; other workers do not wait for them.
            self.reader.page(&self.stream, &self.shard, &from, self.reader.most_records()).await
        } else {
            let mut pace = self.pace.lock().await;
            pace.wait(&from).await;
            let began = Instant::now();
            // Reads are limited, so each takes as many as it can.
            let read = self.reader.page(&self.stream, &self.shard, &from, self.reader.most_records()).await;
            let is_full = read.as_ref().is_ok_and(|page| self.is_full(page));
            pace.took(began + self.reader.read_interval(), &from, &read, is_full);
            read
        };
        // The next request is sent before these records are converted.
        if let Ok(page) = &read
            && let Some(next) = page.next.as_ref().filter(|_| self.is_full(page))
        {
            self.begin_ahead(&from, next);
            // Yields, so that the tasks that send the request can run.
            tokio::task::yield_now().await;
        }
        let read = read.map(|page| {
            let is_full = self.is_full(&page);
            Arc::new(decoded(from.clone(), page, is_full))
        });
        let mut state = self.state();
        if let Ok(page) = &read {
            state.window.push(page);
        }
        let waiting = under_way.end(&mut state);
        drop(state);
        for waiting in waiting {
            let _ = waiting.send(read.clone());
        }
    }

    /// Continues to read from `next`, unless the page before `from` has not been taken yet.
    fn begin_ahead(self: &Arc<Self>, from: &Position, next: &Position) {
        let mut state = self.state();
        let is_ahead =
            state.window.is_ahead(from) || state.under_way.iter().any(|reading| reading.next.as_ref() == Some(from));
        if let Some(reading) = state.under_way.iter_mut().find(|reading| reading.from == *from) {
            reading.next = Some(next.clone());
        }
        if !is_ahead && state.window.begins_at(next).is_none() {
            self.read(&mut state, next, None);
        }
    }

    /// Whether there are more records after those that a read returned. Reads that return none are paced, whatever
    /// follows.
    fn is_full(&self, page: &ShardPage<Event>) -> bool {
        page.count > 0 && page.more || page.count >= self.reader.most_records()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Removes a read from those in progress when it ends. If it panics, the subscribers that wait for it get an error and
/// read again.
struct UnderWay<'a> {
    shared: &'a Shared,
    /// Where it reads from; `None` once it has ended.
    from: Option<&'a Position>,
}

impl UnderWay<'_> {
    /// Ends the read and returns the subscribers that wait for it.
    fn end(&mut self, state: &mut State) -> Vec<oneshot::Sender<Outcome>> {
        let from = self.from.take();
        let place = state.under_way.iter().position(|reading| Some(&reading.from) == from);
        place.map(|place| state.under_way.swap_remove(place).waiting).unwrap_or_default()
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if self.from.is_some() {
            let shared = self.shared;
            drop(self.end(&mut shared.state()));
        }
    }
}

fn decoded(from: Position, page: ShardPage<Event>, is_full: bool) -> Page {
    let records = page.read();
    Page { from, events: records.records.into_iter().map(Arc::new).collect(), next: records.next, is_full }
}

impl Pace {
    async fn wait(&self, from: &Position) {
        let in_backlog = self.front.as_ref().is_some_and(|(front, is_full)| *is_full && front == from);
        let reads_on = in_backlog && self.throttled_until <= Instant::now();
        if !reads_on {
            tokio::time::sleep_until(self.not_before).await;
        }
    }

    fn took(&mut self, not_before: Instant, from: &Position, read: &Result<ShardPage<Event>>, is_full: bool) {
        self.not_before = not_before;
        let is_furthest = self.front.as_ref().is_none_or(|(front, _)| front == from);
        if let Ok(page) = read
            && let Some(next) = page.next.as_ref().filter(|_| is_furthest)
        {
            self.front = Some((next.clone(), is_full));
        }
        if read.as_ref().is_err_and(|error| error.kind == ErrorKind::Throttled) {
            self.throttled_until = Instant::now() + THROTTLED;
        }
    }
}
