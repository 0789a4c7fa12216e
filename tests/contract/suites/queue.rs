//! Queues: delivery, visibility, counts, receipts, delay.

use super::backend::{Backend, QUEUE, secs};
use host_adapters_platform::{Depth, Received};
use host_adapters_records::queue::Message;
use host_adapters_records::{Attribute, AttributeValue};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

pub fn message(body: &str) -> Message {
    Message::new(body)
}

/// Sends messages; returns their ids.
pub async fn send(backend: &impl Backend, queue: &str, bodies: &[&str]) -> Vec<String> {
    let messages = bodies.iter().map(|body| message(body)).collect();
    let answers = backend.queues().send_batch(queue, messages).await.unwrap();
    answers.into_iter().map(Result::unwrap).collect()
}

/// Receives without waiting.
pub async fn receive(backend: &impl Backend, queue: &str, max: usize, visibility_secs: u64) -> Vec<Received> {
    backend.queues().receive(queue, max, Duration::ZERO, secs(visibility_secs)).await.unwrap()
}

pub async fn delivers_what_was_sent(backend: &impl Backend) {
    let mut sent = message("body");
    sent.attributes = vec![Attribute::text("traceparent", "00-1-2-03"), Attribute::text("type", "ENTRY")];
    let answers = backend.queues().send_batch(QUEUE, vec![sent.clone()]).await.unwrap();
    let [Ok(id)] = answers.as_slice() else { panic!("{answers:?}") };
    let received = receive(backend, QUEUE, 10, 30).await;
    let [message] = received.as_slice() else { panic!("{received:?}") };
    let mut attributes = message.attributes.clone();
    attributes.sort();
    assert_eq!((&message.id, &message.body, attributes), (id, &sent.body, sent.attributes));
    assert_eq!(message.receive_count, 1);
    assert!(!message.receipt.is_empty());
    assert!(message.sent_ms > 1_600_000_000_000, "{}", message.sent_ms);
}

/// Attributes of every type, sorted by name.
pub fn typed_attributes() -> Vec<Attribute> {
    let text = |text: &str| AttributeValue::Text(text.to_owned());
    vec![
        Attribute::typed("image", "Binary", AttributeValue::Bytes(vec![0, 0xff, 0xc3, 0x28, b'\n'])),
        Attribute::typed("labelled", "Binary.png", AttributeValue::Bytes(vec![1])),
        Attribute::typed("ratio", "Number.float", text("12.50")),
        Attribute::typed("score", "Number", text("850")),
        Attribute::typed("tenant", "String.id", text("t-1")),
        Attribute::text("type", "ENTRY"),
    ]
}

pub async fn case_11_keeps_types_and_bytes_of_attributes(backend: &impl Backend) {
    let message = Message { attributes: typed_attributes(), ..message("body") };
    let answers = backend.queues().send_batch(QUEUE, vec![message]).await.unwrap();
    assert!(matches!(answers.as_slice(), [Ok(_)]), "{answers:?}");
    let mut received = receive(backend, QUEUE, 1, 30).await.remove(0).attributes;
    received.sort();
    assert_eq!(received, typed_attributes());
}

pub async fn hides_what_was_received(backend: &impl Backend) {
    send(backend, QUEUE, &["a"]).await;
    assert_eq!(receive(backend, QUEUE, 10, 2).await.len(), 1);
    assert_eq!(receive(backend, QUEUE, 10, 2).await.len(), 0);
}

pub async fn delivers_again_and_counts(backend: &impl Backend) {
    send(backend, QUEUE, &["a"]).await;
    let first = receive(backend, QUEUE, 1, 1).await.remove(0);
    backend.pass(secs(1)).await;
    let second = receive(backend, QUEUE, 1, 1).await.remove(0);
    assert_eq!((first.receive_count, second.receive_count), (1, 2));
    assert_eq!((&first.id, first.sent_ms), (&second.id, second.sent_ms));
    assert_ne!(first.receipt, second.receipt);
}

pub async fn deletes_for_good(backend: &impl Backend) {
    send(backend, QUEUE, &["a", "b"]).await;
    let received = receive(backend, QUEUE, 10, 1).await;
    let receipts: Vec<_> = received.iter().map(|message| message.receipt.clone()).collect();
    assert_eq!(backend.queues().delete_batch(QUEUE, &receipts).await.unwrap(), [None, None]);
    backend.pass(secs(2)).await;
    assert_eq!(receive(backend, QUEUE, 10, 1).await, []);
}

pub async fn deletes_twice(backend: &impl Backend) {
    send(backend, QUEUE, &["a"]).await;
    let receipts = [receive(backend, QUEUE, 1, 1).await.remove(0).receipt];
    assert_eq!(backend.queues().delete_batch(QUEUE, &receipts).await.unwrap(), [None]);
    assert_eq!(backend.queues().delete_batch(QUEUE, &receipts).await.unwrap(), [None], "twice is not an error");
}

/// docs/delivery.md, 3.6: a stale receipt is accepted and deletes nothing.
pub async fn ignores_stale_receipts(backend: &impl Backend) {
    send(backend, QUEUE, &["a"]).await;
    let stale = receive(backend, QUEUE, 1, 1).await.remove(0).receipt;
    backend.pass(secs(1)).await;
    let fresh = receive(backend, QUEUE, 1, 1).await.remove(0).receipt;
    assert_eq!(backend.queues().delete_batch(QUEUE, &[stale]).await.unwrap(), [None]);
    backend.pass(secs(1)).await;
    assert_eq!(backend.queues().delete_batch(QUEUE, &[fresh]).await.unwrap(), [None], "late, but the last receipt");
    assert_eq!(receive(backend, QUEUE, 1, 1).await, []);
}

pub async fn delays(backend: &impl Backend) {
    let delayed = Message { delay_secs: 5, ..message("later") };
    backend.queues().send_batch(QUEUE, vec![delayed, message("now")]).await.unwrap();
    let bodies = |received: Vec<Received>| received.into_iter().map(|message| message.body).collect::<Vec<_>>();
    assert_eq!(bodies(receive(backend, QUEUE, 10, 30).await), ["now"]);
    assert_eq!(backend.queues().depth(QUEUE).await.unwrap(), Depth { visible: 0, in_flight: 1, delayed: 1 });
    backend.pass(secs(5)).await;
    assert_eq!(bodies(receive(backend, QUEUE, 10, 30).await), ["later"]);
}

pub async fn returns_at_once(backend: &impl Backend) {
    send(backend, QUEUE, &["a"]).await;
    let receipt = receive(backend, QUEUE, 1, 30).await.remove(0).receipt;
    let changed = backend.queues().change_visibility_batch(QUEUE, &[(receipt, Duration::ZERO)]).await.unwrap();
    assert_eq!(changed, [None]);
    assert_eq!(receive(backend, QUEUE, 1, 30).await.remove(0).receive_count, 2);
}

pub async fn extends(backend: &impl Backend) {
    send(backend, QUEUE, &["a"]).await;
    let receipt = receive(backend, QUEUE, 1, 2).await.remove(0).receipt;
    backend.pass(secs(1)).await;
    let changed = backend.queues().change_visibility_batch(QUEUE, &[(receipt.clone(), secs(4))]).await.unwrap();
    assert_eq!(changed, [None]);
    backend.pass(secs(3)).await;
    assert_eq!(receive(backend, QUEUE, 1, 2).await, [], "counted from the change, not added");
    backend.pass(secs(1)).await;
    assert_eq!(receive(backend, QUEUE, 1, 2).await.len(), 1);
}

pub async fn refuses_to_extend_what_is_not_in_flight(backend: &impl Backend) {
    send(backend, QUEUE, &["a"]).await;
    let receipt = receive(backend, QUEUE, 1, 1).await.remove(0).receipt;
    backend.queues().delete_batch(QUEUE, std::slice::from_ref(&receipt)).await.unwrap();
    let changed = backend.queues().change_visibility_batch(QUEUE, &[(receipt, secs(5))]).await.unwrap();
    assert!(matches!(changed.as_slice(), [Some(error)] if !error.is_retryable()), "{changed:?}");
}

pub async fn waits_for_a_message(backend: &impl Backend) {
    let later = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        send(backend, QUEUE, &["a"]).await;
    };
    let began = Instant::now();
    let (received, ()) = tokio::join!(backend.queues().receive(QUEUE, 10, secs(10), secs(30)), later);
    assert_eq!(received.unwrap().len(), 1);
    assert!(began.elapsed() < secs(5), "{:?}", began.elapsed());
}

pub async fn answers_nothing_after_the_wait(backend: &impl Backend) {
    let began = Instant::now();
    let received = backend.queues().receive(QUEUE, 10, secs(1), secs(30)).await.unwrap();
    assert_eq!(received, []);
    assert!(began.elapsed() >= Duration::from_millis(900), "{:?}", began.elapsed());
}

pub async fn takes_any_number(backend: &impl Backend) {
    let bodies: Vec<_> = (0..600).map(|n| n.to_string()).collect();
    let bodies: Vec<_> = bodies.iter().map(String::as_str).collect();
    let ids: BTreeSet<_> = send(backend, QUEUE, &bodies).await.into_iter().collect();
    assert_eq!(ids.len(), 600);
    let mut received = Vec::new();
    while received.len() < 600 {
        let batch = receive(backend, QUEUE, 250, 60).await;
        assert!(!batch.is_empty() && batch.len() <= 250, "{} after {}", batch.len(), received.len());
        received.extend(batch);
    }
    assert_eq!(received.iter().map(|message| message.id.clone()).collect::<BTreeSet<_>>(), ids);
    let receipts: Vec<_> = received.into_iter().map(|message| message.receipt).collect();
    assert!(backend.queues().delete_batch(QUEUE, &receipts).await.unwrap().iter().all(Option::is_none));
    assert_eq!(backend.queues().depth(QUEUE).await.unwrap(), Depth::default());
}

pub async fn shares_among_receivers(backend: &impl Backend) {
    let bodies: Vec<_> = (0..40).map(|n| n.to_string()).collect();
    send(backend, QUEUE, &bodies.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let (a, b, c) =
        tokio::join!(receive(backend, QUEUE, 20, 60), receive(backend, QUEUE, 20, 60), receive(backend, QUEUE, 20, 60));
    let ids: Vec<_> = a.into_iter().chain(b).chain(c).map(|message| message.id).collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "nobody's twice");
}

pub async fn counts_and_shows(backend: &impl Backend) {
    send(backend, QUEUE, &["a", "b", "c"]).await;
    receive(backend, QUEUE, 1, 30).await;
    assert_eq!(backend.queues().depth(QUEUE).await.unwrap(), Depth { visible: 2, in_flight: 1, delayed: 0 });
    let shown = backend.queues().peek(QUEUE, 2).await.unwrap();
    assert_eq!(shown.len(), 2);
    assert!(shown.iter().all(|message| message.receipt.is_empty() && !message.body.is_empty()), "{shown:?}");
    assert_eq!(backend.queues().depth(QUEUE).await.unwrap().visible, 2, "peeking receives nothing");
}
