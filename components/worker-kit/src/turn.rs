//! Lets responses of the platform arrive.

use std::future::poll_fn;
use std::task::Poll;

/// Lets others run first. In a component, responses of the platform arrive only while the whole call waits: a call that
/// computes for long yields in between. Of the responses that are there each time takes one, else the host takes a turn.
pub async fn yield_now() {
    let mut has_yielded = false;
    poll_fn(|context| {
        if has_yielded {
            return Poll::Ready(());
        }
        has_yielded = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
