//! A turn of a guest: from entering it until it waits for something. Every tick of the epochs interrupts it. A turn that
//! takes too long is trapped; one that takes longer than a tick or two goes on in threads of lower priority than the
//! runtime's, so that guests that compute for long cost the calls of others next to nothing.

use async_channel::Sender;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// Ticks from which on a turn is long. The first may come at any time, also to a turn of microseconds.
const LONG: u64 = 2;
/// How far the threads of long turns stand back behind the others, as `nice` counts it.
const NICE: i32 = 10;

/// The work of an instance, which owns its store.
pub(crate) type Work<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// How long the guest has computed since it was last entered, in ticks.
#[derive(Default)]
pub(crate) struct Turn {
    ticks: AtomicU64,
    interrupted: AtomicBool,
}

impl Turn {
    /// The store is polled: a new turn, unless a tick interrupted the last one.
    fn enter(&self) {
        if !self.interrupted.swap(false, Ordering::Relaxed) {
            self.ticks.store(0, Ordering::Relaxed);
        }
    }

    /// Whether what goes on next is a turn that has computed for long.
    fn is_long(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed) && self.ticks.load(Ordering::Relaxed) >= LONG
    }

    /// A tick interrupts the guest. How many have in this turn.
    pub(crate) fn tick(&self) -> u64 {
        self.interrupted.store(true, Ordering::Relaxed);
        self.ticks.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// Drives the work of an instance to its end; `None` if it panicked.
pub(crate) async fn drive<T: Send + 'static>(turn: Arc<Turn>, mut work: Work<T>, long: &LongTurns) -> Option<T> {
    loop {
        if turn.is_long() {
            let (polled, back) = long.poll(turn.clone(), work).await?;
            if let Poll::Ready(output) = polled {
                return Some(output);
            }
            work = back;
            // It may have been woken before it came back, so it is polled again before anybody waits for that.
            continue;
        }
        let polled = std::future::poll_fn(|cx| {
            turn.enter();
            Poll::Ready(work.as_mut().poll(cx))
        });
        match polled.await {
            Poll::Ready(output) => return Some(output),
            Poll::Pending => pending_once().await,
        }
    }
}

/// Leaves the thread to others until the task is woken.
async fn pending_once() {
    let mut waited = false;
    std::future::poll_fn(|_| if std::mem::replace(&mut waited, true) { Poll::Ready(()) } else { Poll::Pending }).await;
}

/// The threads in which long turns go on, one tick each at a time: one less than the machine has, at least one. They end
/// when this is dropped.
pub(crate) struct LongTurns(Sender<Box<dyn FnOnce() + Send>>);

impl LongTurns {
    pub(crate) fn start() -> std::io::Result<Self> {
        // Nobody sends more than its one slice.
        let (slices, queue) = async_channel::unbounded::<Box<dyn FnOnce() + Send>>();
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        for _ in 0..threads.saturating_sub(1).max(1) {
            let queue = queue.clone();
            std::thread::Builder::new().name("long-turns".into()).spawn(move || {
                // Of this thread alone, on Linux. Without it, long turns are as important as any.
                let _ = rustix::process::setpriority_process(None, NICE);
                while let Ok(slice) = queue.recv_blocking() {
                    slice();
                }
            })?;
        }
        Ok(Self(slices))
    }

    /// Polls the work once; hands it back with what came of it.
    async fn poll<T: Send + 'static>(&self, turn: Arc<Turn>, mut work: Work<T>) -> Option<(Poll<T>, Work<T>)> {
        let waker = std::future::poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
        let (reply, answer) = oneshot::channel();
        let runtime = Handle::current();
        let slice = move || {
            let _runtime = runtime.enter();
            turn.enter();
            let mut poll = || work.as_mut().poll(&mut Context::from_waker(&waker));
            // A panic ends one instance; the thread is everybody's.
            if let Ok(polled) = catch_unwind(AssertUnwindSafe(&mut poll)) {
                let _ = reply.send((polled, work));
            }
        };
        self.0.send(Box::new(slice)).await.ok()?;
        answer.await.ok()
    }
}
