//! A turn of a guest: from entering it until it waits for something. Every tick of the epochs interrupts it. A turn
//! that takes too long is trapped. One that takes longer than a tick or two continues in threads of lower priority than
//! the runtime's, so that long computations of a guest hardly delay other calls.

use async_channel::Sender;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, oneshot};

/// The number of ticks after which a turn is long. The first tick may come at any time, also in a turn of microseconds.
const LONG: u64 = 2;
/// The `nice` value of the threads of long turns.
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
    /// The store is polled: this begins a new turn, unless a tick interrupted the last one.
    fn enter(&self) {
        if !self.interrupted.swap(false, Ordering::Relaxed) {
            self.ticks.store(0, Ordering::Relaxed);
        }
    }

    /// Whether the next turn continues one that has computed for long.
    fn is_long(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed) && self.ticks.load(Ordering::Relaxed) >= LONG
    }

    /// A tick interrupts the guest. Returns how many have done so in this turn.
    pub(crate) fn tick(&self) -> u64 {
        self.interrupted.store(true, Ordering::Relaxed);
        self.ticks.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// Why work ended without an output.
#[derive(Debug)]
pub(crate) enum Unfinished {
    /// It was stopped.
    Stopped,
    Panicked,
}

/// Drives the work of an instance to its end, or until `stop`. Once this returns, the work is dropped: a caller who
/// gets an error then may repeat the call without meeting the failed instance.
pub(crate) async fn drive<T: Send + 'static>(
    turn: Arc<Turn>,
    mut work: Work<T>,
    long: &LongTurns,
    stop: impl Future<Output = ()>,
) -> Result<T, Unfinished> {
    let mut stop = pin!(stop);
    loop {
        if turn.is_long() {
            let (polled, back) = long.poll(turn.clone(), work, stop.as_mut()).await?;
            if let Poll::Ready(output) = polled {
                return Ok(output);
            }
            work = back;
            // It may have been woken while it was away, so it is polled again before waiting.
            continue;
        }
        let polled = std::future::poll_fn(|cx| {
            turn.enter();
            Poll::Ready(work.as_mut().poll(cx))
        });
        if let Poll::Ready(output) = polled.await {
            return Ok(output);
        }
        if woken_or(stop.as_mut()).await.is_break() {
            return Err(Unfinished::Stopped);
        }
    }
}

/// Leaves the thread to others until the task is woken, for any reason, or until `stop`. `select!` would not do: it may
/// delay its first poll, and with it a wake that comes meanwhile.
async fn woken_or(mut stop: Pin<&mut impl Future<Output = ()>>) -> ControlFlow<()> {
    let mut waited = false;
    std::future::poll_fn(|cx| match std::mem::replace(&mut waited, true) {
        true => Poll::Ready(ControlFlow::Continue(())),
        false => stop.as_mut().poll(cx).map(ControlFlow::Break),
    })
    .await
}

/// The threads in which long turns continue, one tick each at a time. Their number is one less than that of the
/// machine's cores, at least one. They end when this is dropped.
pub(crate) struct LongTurns(Sender<Box<dyn FnOnce() + Send>>);

impl LongTurns {
    pub(crate) fn start() -> std::io::Result<Self> {
        // Each task sends only one slice at a time.
        let (slices, queue) = async_channel::unbounded::<Box<dyn FnOnce() + Send>>();
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        for _ in 0..threads.saturating_sub(1).max(1) {
            let queue = queue.clone();
            std::thread::Builder::new().name("long-turns".into()).spawn(move || {
                // For this thread only, on Linux. If it fails, long turns have the same priority as other work.
                let _ = rustix::process::setpriority_process(None, NICE);
                while let Ok(slice) = queue.recv_blocking() {
                    slice();
                }
            })?;
        }
        Ok(Self(slices))
    }

    /// Polls the work once, unless it is stopped before; returns it with the outcome.
    async fn poll<T: Send + 'static>(
        &self,
        turn: Arc<Turn>,
        work: Work<T>,
        stop: Pin<&mut impl Future<Output = ()>>,
    ) -> Result<(Poll<T>, Work<T>), Unfinished> {
        let waker = std::future::poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
        let (reply, answer) = oneshot::channel();
        let runtime = Handle::current();
        // The first to come takes it out: the thread, or the stopping task.
        let place = Arc::new(Mutex::new(Some(work)));
        let slice = {
            let place = place.clone();
            move || {
                let mut place = place.blocking_lock();
                let Some(mut work) = place.take() else { return };
                let _runtime = runtime.enter();
                turn.enter();
                let poll = || work.as_mut().poll(&mut Context::from_waker(&waker));
                // A panic ends one instance; the thread is shared by all.
                if let Ok(polled) = catch_unwind(AssertUnwindSafe(poll)) {
                    let _ = reply.send((polled, work));
                }
            }
        };
        // The channel is open as long as this exists.
        let _ = self.0.send(Box::new(slice)).await;
        tokio::select! {
            biased;
            answer = answer => answer.map_err(|_| Unfinished::Panicked),
            () = stop => {
                // Waits for a slice that has begun, which takes one tick.
                drop(place.lock().await.take());
                Err(Unfinished::Stopped)
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use std::time::Duration;

    /// Computes for 5 ms each turn, which is always long, and never ends.
    struct Busy {
        turn: Arc<Turn>,
        /// Reports each turn, and, by its end, that the work was dropped.
        turns: std::sync::mpsc::Sender<()>,
    }

    impl Future for Busy {
        type Output = ();

        fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
            (0..LONG).for_each(|_| _ = self.turn.tick());
            let _ = self.turns.send(());
            std::thread::sleep(Duration::from_millis(5));
            cx.waker().wake_by_ref();
            Poll::Pending
        }
    }

    #[tokio::test]
    async fn work_that_is_stopped_is_gone_when_its_owner_is_told() {
        let long = LongTurns::start().unwrap();
        // At times when its slice runs, and when it waits for the slice of another.
        for millis in 0..40 {
            let all = [0, 1].map(|_| {
                let turn = Arc::<Turn>::default();
                let (turns, told) = std::sync::mpsc::channel();
                let stop = tokio::time::sleep(Duration::from_millis(millis));
                (drive(turn.clone(), Box::pin(Busy { turn, turns }), &long, stop), told)
            });
            let ends = all.map(|(driven, told)| async move {
                let ended = driven.await;
                assert!(matches!(ended, Err(Unfinished::Stopped)));
                assert!(told.try_iter().count() > 0);
                assert_eq!(told.try_recv(), Err(std::sync::mpsc::TryRecvError::Disconnected));
            });
            futures::future::join_all(ends).await;
        }
    }
}
