//! One reader of a shard for all workers of this host. Stores limit the reads of a shard by all readers together.
//! Workers at about the same position share each read; a worker that lags reads again, within the same pace of reads.

use super::window::{Page, Slice, Subscriber, Window};
use crate::event::Event;
use host_adapters_platform::{Position, Result, ShardPage, ShardReader};
use host_adapters_records::{Error, ErrorKind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Records of a read at most; DynamoDB Streams gives no more. Reads are few, so each takes what there is.
const MOST_RECORDS: usize = 1_000;
/// Pages read ahead of the worker that is furthest.
const AHEAD: usize = 2;
/// How long after a throttled read reads are paced even in a backlog.
const THROTTLED: Duration = Duration::from_secs(60);

/// What a read gave.
type Outcome = Result<Arc<Page>>;

/// Reads one shard.
pub(super) struct Feed {
    shared: Arc<Shared>,
    /// Reads end with the feed.
    _reading: DropGuard,
}

struct Shared {
    reader: Arc<dyn ShardReader<Event>>,
    stream: String,
    shard: String,
    state: Mutex<State>,
    /// One read at a time, first come, first served.
    turn: tokio::sync::Mutex<Turn>,
    ended: CancellationToken,
}

#[derive(Default)]
struct State {
    window: Window,
    /// Reads under way, and who waits for each.
    under_way: Vec<Reading>,
}

/// A read that is not over.
struct Reading {
    from: Position,
    /// Where the next begins, once the store has answered and the records are being converted.
    next: Option<Position>,
    waiting: Vec<oneshot::Sender<Outcome>>,
}

/// When the shard may be read next.
struct Turn {
    not_before: Instant,
    /// The read before was full and ended here: reading on, through a backlog, need not wait.
    backlog: Option<Position>,
    throttled_until: Instant,
}

/// A worker's place at a feed.
pub(super) struct Subscription {
    feed: Arc<Feed>,
    subscriber: Subscriber,
}

impl Feed {
    pub(super) fn new(reader: Arc<dyn ShardReader<Event>>, stream: &str, shard: &str) -> Self {
        let (now, ended) = (Instant::now(), CancellationToken::new());
        let turn = Turn { not_before: now, backlog: None, throttled_until: now };
        let shared = Shared {
            reader,
            stream: stream.to_owned(),
            shard: shard.to_owned(),
            state: Mutex::default(),
            turn: tokio::sync::Mutex::new(turn),
            ended: ended.clone(),
        };
        Self { shared: Arc::new(shared), _reading: ended.drop_guard() }
    }

    pub(super) fn subscribe(self: Arc<Self>) -> Subscription {
        let subscriber = self.shared.state().window.subscribe();
        Subscription { feed: self, subscriber }
    }
}

impl Subscription {
    /// What follows a position: nothing where the shard has no more for now.
    pub(super) async fn next(&self, position: &Position) -> Result<Slice> {
        let shared = &self.feed.shared;
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
        self.feed.shared.read_ahead(state, slice.page());
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.feed.shared.state().window.unsubscribe(self.subscriber);
    }
}

impl Shared {
    /// Begins to read from a position, unless that is under way, and tells `waiting`.
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

    /// Has the pages after one that was taken read, as far as [`AHEAD`] goes.
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
        let read = {
            let mut turn = self.turn.lock().await;
            turn.wait(&from).await;
            let began = Instant::now();
            let read = self.reader.page(&self.stream, &self.shard, &from, MOST_RECORDS).await;
            turn.took(began + self.reader.read_interval(), &read);
            read
        };
        // The next request is on its way before these records are converted.
        if let Ok(page) = &read
            && let Some(next) = page.next.as_ref().filter(|_| is_full(page))
        {
            self.begin_ahead(&from, next);
            // The request is written by other tasks of this thread.
            tokio::task::yield_now().await;
        }
        let read = read.map(|page| Arc::new(decoded(from.clone(), page)));
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

    /// Reads on to `next`, unless the page before `from` is still waiting to be taken.
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

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A read under way. One that ends without a result, by a panic, is started again by a worker that waits for it.
struct UnderWay<'a> {
    shared: &'a Shared,
    /// From where, unless it has ended.
    from: Option<&'a Position>,
}

impl UnderWay<'_> {
    /// Ends it and says who waits.
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

fn is_full(page: &ShardPage<Event>) -> bool {
    page.count >= MOST_RECORDS
}

fn decoded(from: Position, page: ShardPage<Event>) -> Page {
    let is_full = is_full(&page);
    let records = page.read();
    Page { from, events: records.records.into_iter().map(Arc::new).collect(), next: records.next, is_full }
}

impl Turn {
    async fn wait(&self, from: &Position) {
        let reads_on = self.backlog.as_ref() == Some(from) && self.throttled_until <= Instant::now();
        if !reads_on {
            tokio::time::sleep_until(self.not_before).await;
        }
    }

    fn took(&mut self, not_before: Instant, read: &Result<ShardPage<Event>>) {
        self.not_before = not_before;
        self.backlog = read.as_ref().ok().filter(|page| is_full(page)).and_then(|page| page.next.clone());
        if read.as_ref().is_err_and(|error| error.kind == ErrorKind::Throttled) {
            self.throttled_until = Instant::now() + THROTTLED;
        }
    }
}
