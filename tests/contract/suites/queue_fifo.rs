//! FIFO queues: the order of a group, one batch of a group in flight, deduplication (docs/delivery.md, 3.14).

use super::backend::{Backend, FIFO_DEAD_LETTERS, FIFO_QUEUE, MAX_RECEIVES, secs};
use super::queue::{message, receive};
use host_adapters_platform::{Depth, Received};
use host_adapters_records::ErrorKind;
use host_adapters_records::queue::Message;
use std::time::Duration;

fn of_group(group: &str, body: &str) -> Message {
    Message { group_id: Some(group.to_owned()), ..message(body) }
}

/// Sends bodies to the groups that their first letters name; returns the ids.
async fn send(backend: &impl Backend, bodies: &[&str]) -> Vec<String> {
    let messages = bodies.iter().map(|body| of_group(&body[..1], body)).collect();
    let answers = backend.queues().send_batch(FIFO_QUEUE, messages).await.unwrap();
    answers.into_iter().map(Result::unwrap).collect()
}

fn bodies(received: &[Received]) -> Vec<&str> {
    received.iter().map(|message| message.body.as_str()).collect()
}

async fn delete(backend: &impl Backend, messages: &[&Received]) {
    let receipts: Vec<_> = messages.iter().map(|message| message.receipt.clone()).collect();
    assert!(backend.queues().delete_batch(FIFO_QUEUE, &receipts).await.unwrap().iter().all(Option::is_none));
}

pub async fn keeps_the_order_of_a_group(backend: &impl Backend) {
    let sent: Vec<String> = (0..25).map(|n| format!("a{n:02}")).collect();
    send(backend, &sent.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let mut received = Vec::new();
    while received.len() < sent.len() {
        let batch = receive(backend, FIFO_QUEUE, 10, 30).await;
        assert!(!batch.is_empty(), "after {received:?}");
        assert!(batch.iter().all(|message| message.group.as_deref() == Some("a")));
        delete(backend, &batch.iter().collect::<Vec<_>>()).await;
        received.extend(batch.into_iter().map(|message| message.body));
    }
    assert_eq!(received, sent);
}

pub async fn holds_a_group_while_one_of_it_is_in_flight(backend: &impl Backend) {
    send(backend, &["a1", "a2", "b1"]).await;
    let first = receive(backend, FIFO_QUEUE, 1, 30).await;
    assert_eq!(bodies(&first), ["a1"]);
    let other = receive(backend, FIFO_QUEUE, 10, 30).await;
    assert_eq!(bodies(&other), ["b1"], "another group goes on");
    assert!(receive(backend, FIFO_QUEUE, 10, 30).await.is_empty());
    delete(backend, &[&first[0]]).await;
    assert_eq!(bodies(&receive(backend, FIFO_QUEUE, 10, 30).await), ["a2"]);
}

/// What is returned waits for the message before it, and comes after it.
pub async fn delivers_again_in_order(backend: &impl Backend) {
    send(backend, &["a1", "a2", "a3"]).await;
    let batch = receive(backend, FIFO_QUEUE, 10, 2).await;
    assert_eq!(bodies(&batch), ["a1", "a2", "a3"]);
    let returned: Vec<_> = batch[1..].iter().map(|message| (message.receipt.clone(), Duration::ZERO)).collect();
    assert_eq!(backend.queues().change_visibility_batch(FIFO_QUEUE, &returned).await.unwrap(), [None, None]);
    assert!(receive(backend, FIFO_QUEUE, 10, 2).await.is_empty(), "the first of the group is in flight");
    backend.pass(secs(2)).await;
    assert_eq!(bodies(&receive(backend, FIFO_QUEUE, 10, 30).await), ["a1", "a2", "a3"]);
}

pub async fn wakes_who_waits_for_a_group(backend: &impl Backend) {
    send(backend, &["a1", "a2"]).await;
    let first = receive(backend, FIFO_QUEUE, 1, 30).await;
    let done = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        delete(backend, &[&first[0]]).await;
    };
    let (second, ()) = tokio::join!(backend.queues().receive(FIFO_QUEUE, 10, secs(10), secs(30)), done);
    assert_eq!(bodies(&second.unwrap()), ["a2"]);
}

pub async fn stores_the_same_message_once(backend: &impl Backend) {
    let by_id = |id: &str, body: &str| Message { deduplication_id: Some(id.to_owned()), ..of_group("a", body) };
    let sent = vec![by_id("1", "x"), by_id("1", "y"), by_id("2", "x"), of_group("a", "z"), of_group("a", "z")];
    let answers = backend.queues().send_batch(FIFO_QUEUE, sent).await.unwrap();
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(bodies(&receive(backend, FIFO_QUEUE, 10, 30).await), ["x", "x", "z"]);
    let again = backend.queues().send_batch(FIFO_QUEUE, vec![by_id("1", "x")]).await.unwrap();
    assert!(again[0].is_ok(), "{again:?}");
    assert_eq!(backend.queues().depth(FIFO_QUEUE).await.unwrap(), Depth { visible: 0, in_flight: 3, delayed: 0 });
}

pub async fn refuses_what_has_no_group(backend: &impl Backend) {
    let wrong = [
        message("no group"),
        of_group("", "an empty one"),
        of_group("with blank ", "b"),
        of_group(&"g".repeat(129), "b"),
        Message { deduplication_id: Some("d d".into()), ..of_group("a", "b") },
        Message { delay_secs: 1, ..of_group("a", "later") },
    ];
    for wrong in wrong {
        let said = format!("{wrong:?}");
        let answers = backend.queues().send_batch(FIFO_QUEUE, vec![wrong]).await.unwrap();
        let [Err(error)] = answers.as_slice() else { panic!("{said}") };
        assert_eq!(error.kind, ErrorKind::Invalid, "{said}");
    }
}

/// The dead-letter queue is a FIFO queue, too, and the group continues without the message.
pub async fn moves_what_exceeds_the_count_with_its_group(backend: &impl Backend) {
    send(backend, &["a1", "a2"]).await;
    for _ in 1..=MAX_RECEIVES {
        assert_eq!(bodies(&receive(backend, FIFO_QUEUE, 1, 1).await), ["a1"]);
        backend.pass(secs(1)).await;
    }
    let mut next = receive(backend, FIFO_QUEUE, 1, 30).await;
    if next.is_empty() {
        next = receive(backend, FIFO_QUEUE, 1, 30).await;
    }
    assert_eq!(bodies(&next), ["a2"]);
    let dead = receive(backend, FIFO_DEAD_LETTERS, 10, 30).await;
    assert_eq!((bodies(&dead), dead[0].group.as_deref()), (vec!["a1"], Some("a")));
}
