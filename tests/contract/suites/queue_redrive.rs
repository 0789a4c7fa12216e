//! Queues: redrive. A message whose receive count would exceed the queue's maximum moves to its dead letter queue
//! (docs/delivery.md, 3.9).

use super::backend::{Backend, DEAD_LETTERS, LOOSE_QUEUE, MAX_RECEIVES, QUEUE, secs};
use super::queue::{receive, send};
use host_adapters_platform::{Depth, Received};
use host_adapters_records::Attribute;

/// Receives all messages as often as the queue allows and lets each receive expire; returns the first receive.
async fn exhaust(backend: &impl Backend) -> Received {
    let mut first = None;
    for count in 1..=MAX_RECEIVES {
        let received = receive(backend, QUEUE, 10, 1).await;
        assert!(!received.is_empty() && received.iter().all(|message| message.receive_count == count), "{received:?}");
        first = first.or(received.into_iter().next());
        backend.pass(secs(1)).await;
    }
    first.unwrap()
}

fn attribute<'a>(message: &'a Received, name: &str) -> Option<&'a str> {
    Attribute::find(&message.attributes, name)
}

/// As in SQS, a dead letter of a standard queue keeps the time when it was first sent.
pub async fn moves_what_exceeds_the_count(backend: &impl Backend) {
    let id = send(backend, QUEUE, &["poison"]).await.remove(0);
    let sent_ms = exhaust(backend).await.sent_ms;
    assert_eq!(backend.queues().depth(DEAD_LETTERS).await.unwrap(), Depth::default(), "it moves at the next receive");
    assert_eq!(receive(backend, QUEUE, 10, 1).await, []);
    assert_eq!(backend.queues().depth(QUEUE).await.unwrap(), Depth::default());
    let dead = receive(backend, DEAD_LETTERS, 10, 30).await;
    let [message] = dead.as_slice() else { panic!("{dead:?}") };
    assert_eq!((message.body.as_str(), message.sent_ms), ("poison", sent_ms));
    assert_eq!(attribute(message, "reason"), Some("receives exhausted"));
    assert_eq!(attribute(message, "sourceMessageId"), Some(id.as_str()));
}

pub async fn keeps_what_was_deleted_in_time(backend: &impl Backend) {
    send(backend, QUEUE, &["a"]).await;
    let mut last = None;
    for _ in 0..MAX_RECEIVES {
        last = receive(backend, QUEUE, 1, 1).await.pop();
        backend.pass(secs(1)).await;
    }
    backend.queues().delete_batch(QUEUE, &[last.unwrap().receipt]).await.unwrap();
    assert_eq!(receive(backend, QUEUE, 1, 1).await, []);
    assert_eq!(backend.queues().depth(DEAD_LETTERS).await.unwrap(), Depth::default());
}

pub async fn fills_up_behind_moved_ones(backend: &impl Backend) {
    send(backend, QUEUE, &["poison 1", "poison 2"]).await;
    exhaust(backend).await;
    send(backend, QUEUE, &["good"]).await;
    let received = receive(backend, QUEUE, 2, 30).await;
    assert_eq!(received.iter().map(|message| message.body.as_str()).collect::<Vec<_>>(), ["good"]);
    assert_eq!(backend.queues().depth(DEAD_LETTERS).await.unwrap().visible, 2);
}

pub async fn keeps_all_without_a_dead_letter_queue(backend: &impl Backend) {
    send(backend, LOOSE_QUEUE, &["a"]).await;
    for count in 1..=MAX_RECEIVES + 3 {
        assert_eq!(receive(backend, LOOSE_QUEUE, 1, 1).await[0].receive_count, count);
        backend.pass(secs(1)).await;
    }
}
