//! A turn of a guest: from entering it until it waits for something. Every tick of the epochs interrupts it; one that
//! takes too long is trapped, and one that takes longer than a tick goes on only while few others do.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Poll;
use tokio::sync::Semaphore;

/// How long the guest has computed since it was last entered, in ticks.
#[derive(Default)]
pub(crate) struct Turn {
    ticks: AtomicU64,
    interrupted: AtomicBool,
}

impl Turn {
    /// The owner polls the store: a new turn, unless a tick interrupted the last one.
    fn enter(&self) {
        if !self.interrupted.swap(false, Ordering::Relaxed) {
            self.ticks.store(0, Ordering::Relaxed);
        }
    }

    /// A tick interrupts the guest. How many have in this turn.
    pub(crate) fn tick(&self) -> u64 {
        self.interrupted.store(true, Ordering::Relaxed);
        self.ticks.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Polls the store's work to its end. An interrupted turn waits for one of `long_turns` each time it goes on:
    /// guests that compute for long share some of the machine's threads, so that the others stay free for short turns.
    pub(crate) async fn drive<F: Future>(&self, work: F, long_turns: &Semaphore) -> F::Output {
        let mut work = pin!(work);
        loop {
            let permit = match self.interrupted.load(Ordering::Relaxed) {
                true => long_turns.acquire().await.ok(),
                false => None,
            };
            let polled = std::future::poll_fn(|cx| {
                self.enter();
                Poll::Ready(work.as_mut().poll(cx))
            });
            let polled = polled.await;
            drop(permit);
            if let Poll::Ready(output) = polled {
                return output;
            }
            pending_once().await;
        }
    }
}

/// Leaves the thread to others until the task is woken.
async fn pending_once() {
    let mut waited = false;
    std::future::poll_fn(|_| if std::mem::replace(&mut waited, true) { Poll::Ready(()) } else { Poll::Pending }).await;
}
