//! Dead letters are redriven and dropped: the record goes back as it was, and its dead letter is deleted only
//! afterwards.
#![allow(non_snake_case, reason = "names that begin with a line of docs/delivery.md")]

use backend_embedded::Embedded;
use host_adapters_delivery::dead_letter::{Cause, DeadLetter, DeadLetterSink, Origin, Unstored};
use host_adapters_delivery::dispatch::{Dispatch, Dispatched};
use host_adapters_delivery::event::{Attribute, Disposition, Event, Payload};
use host_adapters_delivery::redrive::{Outcome, Recovery, Redriver, Way};
use host_adapters_platform::{Depth, QueueBackend, Received, Result};
use host_adapters_records::queue::Message;
use host_adapters_records::{Error, ErrorKind};
use host_adapters_sources::{SourceConfig, event_of, recovery};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tests::contract::embedded::{Opened, open};
use tests::contract::suites::attempts::incompressible;
use tests::contract::suites::backend::{DEAD_LETTERS, MAX_RECEIVES, QUEUE, TABLE, secs};
use tests::contract::suites::queue::{message, receive, send, typed_attributes};

const WORKER: &str = "save-entries";
const CHANGE: &str = r#"{"eventName":"INSERT","keys":{"pk":"p","sk":"s"},"newImage":{"n":12345678901234567890.5}}"#;

/// A worker that keeps its events and always returns the same disposition.
struct Worker(Disposition, Mutex<Vec<Event>>);

#[async_trait::async_trait]
impl Dispatch for Worker {
    async fn dispatch(&self, worker: &str, batch: Vec<Event>) -> Dispatched {
        assert_eq!(worker, WORKER);
        self.1.lock().unwrap().extend(batch);
        Dispatched { result: Ok(vec![self.0.clone()]), digest: "d2".into(), ..Dispatched::default() }
    }
}

/// Queues with one function that is down.
struct Broken {
    queues: Embedded,
    sends: bool,
    deletes: bool,
}

fn down() -> Error {
    Error::new(ErrorKind::Unavailable, "down")
}

#[async_trait::async_trait]
impl QueueBackend for Broken {
    async fn send_batch(&self, queue: &str, messages: Vec<Message>) -> Result<Vec<Result<String>>> {
        if self.sends { self.queues.send_batch(queue, messages).await } else { Err(down()) }
    }
    async fn receive(&self, queue: &str, max: usize, wait: Duration, visibility: Duration) -> Result<Vec<Received>> {
        self.queues.receive(queue, max, wait, visibility).await
    }
    async fn delete_batch(&self, queue: &str, receipts: &[String]) -> Result<Vec<Option<Error>>> {
        if self.deletes { self.queues.delete_batch(queue, receipts).await } else { Err(down()) }
    }
    async fn change_visibility_batch(&self, queue: &str, changes: &[(String, Duration)]) -> Result<Vec<Option<Error>>> {
        self.queues.change_visibility_batch(queue, changes).await
    }
    async fn depth(&self, queue: &str) -> Result<Depth> {
        self.queues.depth(queue).await
    }
    async fn peek(&self, queue: &str, max: usize) -> Result<Vec<Received>> {
        self.queues.peek(queue, max).await
    }
}

fn worker(answer: Disposition) -> Arc<Worker> {
    Arc::new(Worker(answer, Mutex::default()))
}

fn redriver(backend: &Opened, source: &str, worker: Arc<Worker>) -> Redriver {
    let queue = source.strip_prefix("sqs:").map(str::to_owned);
    let origin = Origin { worker: WORKER.to_owned(), source: source.to_owned(), queue };
    let queues = Arc::new(backend.embedded.clone());
    let origins = Arc::new([(DEAD_LETTERS.to_owned(), vec![origin])].into());
    Redriver { browser: queues.clone(), queues, dispatch: worker, recoveries: host_adapters_sources::recovery, origins }
}

fn from_queue() -> String {
    format!("sqs:{QUEUE}")
}

fn event(source: &str, payload: Payload, attributes: &[(&str, &str)]) -> Event {
    Event {
        id: "record-1".into(),
        source: source.to_owned(),
        ordering_key: None,
        payload,
        attributes: attributes.iter().map(|(name, value)| Attribute::text(*name, *value)).collect(),
        attempt: 3,
        time_ms: 5,
        correlation_id: "record-1".into(),
        traceparent: None,
    }
}

/// Stores a dead letter for a record; returns its id.
async fn store_dead_letter(
    backend: &Opened,
    message: impl FnOnce(&DeadLetterSink, &Cause<'_>) -> Unstored,
) -> Vec<String> {
    let dead_letters = DeadLetterSink::new(Arc::new(backend.embedded.clone()), DEAD_LETTERS.to_owned(), WORKER);
    let dead_letter = message(&dead_letters, &Cause { reason: "worker trapped: no", digest: "d1", ..Cause::default() });
    assert_eq!(dead_letters.send(vec![dead_letter]).await, [None]);
    backend.embedded.peek(DEAD_LETTERS, 10).await.unwrap().into_iter().map(|dead_letter| dead_letter.id).collect()
}

async fn store_dead_message(backend: &Opened) -> Vec<String> {
    let attributes = ["a", "b", "c", "d", "e", "f", "reason"].map(|name| (name, "own"));
    let event = event(&from_queue(), Payload::Json("{}".into()), &attributes);
    store_dead_letter(backend, |dead_letters, cause| dead_letters.message(&event, cause)).await
}

#[tokio::test]
async fn case_11__types_and_bytes_of_attributes_survive_the_dead_letter() {
    let backend = open().await;
    // Six of the record's own, three of which do not fit beside the host's and are packed.
    let event = Event { attributes: typed_attributes(), ..event(&from_queue(), Payload::Json("{}".into()), &[]) };
    let ids = store_dead_letter(&backend, |dead_letters, cause| dead_letters.message(&event, cause)).await;
    let redriver = redriver(&backend, &from_queue(), worker(Disposition::Ack));
    let dead_letter = redriver.find(DEAD_LETTERS, &ids[0]).await.unwrap().unwrap();
    assert_eq!(dead_letter.attributes, typed_attributes());
    let shown = serde_json::to_string(&dead_letter).unwrap();
    let invoked = serde_json::from_str(&shown).map(|it| event_of(&it).unwrap().attributes).unwrap();
    assert_eq!(invoked, typed_attributes(), "`dead-letters show --json`, which `invoke --dead-letter` reads");

    assert_eq!(redriver.redrive(DEAD_LETTERS, &ids).await.unwrap(), [Outcome::Redriven]);
    let mut back = receive(&backend, QUEUE, 10, 30).await.remove(0).attributes;
    back.retain(|it| !["correlationId", "redriven", "sourceTimestamp"].contains(&it.name.as_str()));
    back.sort();
    assert_eq!(back, typed_attributes());
}

fn from_stream() -> String {
    format!("dynamodb-stream:{TABLE}")
}

async fn store_dead_record(backend: &Opened, source: &str, payload: Payload) -> Vec<String> {
    let event = event(source, payload, &[("shardId", "s1")]);
    let envelope = serde_json::json!({"version": "1.0"});
    store_dead_letter(backend, |dead_letters, cause| dead_letters.stream(&event, "s", envelope, cause)).await
}

async fn store_dead_change(backend: &Opened) -> Vec<String> {
    store_dead_record(backend, &from_stream(), Payload::Json(CHANGE.into())).await
}

#[tokio::test]
async fn d11_1__a_message_goes_back_as_it_was_with_its_count_from_the_beginning() {
    let backend = open().await;
    let ids = store_dead_message(&backend).await;
    let redriver = redriver(&backend, &from_queue(), worker(Disposition::Ack));
    let dead_letter = redriver.find(DEAD_LETTERS, &ids[0]).await.unwrap().unwrap();
    let summary = &dead_letter.summary;
    assert_eq!((summary.worker.as_str(), summary.source.as_str()), (WORKER, from_queue().as_str()));
    assert_eq!((summary.record_id.as_str(), summary.attempts, summary.first_ms), ("record-1", 3, 5));
    assert_eq!((summary.reason.as_str(), summary.digest.as_deref()), ("worker trapped: no", Some("d1")));

    assert_eq!(redriver.redrive(DEAD_LETTERS, &ids).await.unwrap(), [Outcome::Redriven]);
    assert_eq!(redriver.redrive(DEAD_LETTERS, &ids).await.unwrap(), [Outcome::Missing], "once");
    assert_eq!(backend.embedded.depth(DEAD_LETTERS).await.unwrap(), Depth::default());
    let back = receive(&backend, QUEUE, 10, 30).await;
    let [message] = back.as_slice() else { panic!("{back:?}") };
    assert_eq!((message.body.as_str(), message.receive_count), ("{}", 1));
    assert_ne!(message.id, ids[0]);
    let mut attributes = message.attributes.clone();
    attributes.sort();
    let value = |name| match name {
        "correlationId" => "record-1",
        "redriven" => "true",
        "sourceTimestamp" => "5",
        _ => "own",
    };
    let own = ["a", "b", "c", "correlationId", "d", "e", "f", "reason", "redriven", "sourceTimestamp"];
    let own = own.map(|name| Attribute::text(name, value(name)));
    assert_eq!(attributes, own);
}

#[tokio::test]
async fn d11_2__a_message_that_its_queue_moved_goes_back_too() {
    let backend = open().await;
    let sent = send(&backend, QUEUE, &["poison"]).await;
    for _ in 0..=MAX_RECEIVES {
        receive(&backend, QUEUE, 1, 1).await;
        tests::contract::suites::backend::Backend::pass(&backend, secs(1)).await;
    }
    let redriver = redriver(&backend, &from_queue(), worker(Disposition::Ack));
    let (dead_letters, _) = redriver.list(DEAD_LETTERS, None, 10).await.unwrap();
    let summary = &dead_letters[0].summary;
    assert_eq!((summary.worker.as_str(), summary.record_id.as_str()), (WORKER, sent[0].as_str()));
    assert_eq!((summary.reason.as_str(), summary.attempts), ("receives exhausted", MAX_RECEIVES));
    let outcomes = redriver.redrive(DEAD_LETTERS, std::slice::from_ref(&summary.id)).await.unwrap();
    assert_eq!(outcomes, [Outcome::Redriven]);
    assert_eq!(receive(&backend, QUEUE, 1, 30).await[0].body, "poison");
}

#[tokio::test]
async fn d11_3__a_change_is_handed_to_its_worker_as_it_was() {
    let backend = open().await;
    let ids = store_dead_change(&backend).await;
    let worker = worker(Disposition::Ack);
    let redriver = redriver(&backend, &from_stream(), worker.clone());
    assert_eq!(redriver.redrive(DEAD_LETTERS, &ids).await.unwrap(), [Outcome::Redriven]);
    assert_eq!(backend.embedded.depth(DEAD_LETTERS).await.unwrap(), Depth::default());
    let handed = worker.1.lock().unwrap();
    assert_eq!((handed.len(), &handed[0].payload), (1, &Payload::Json(CHANGE.into())));
    assert_eq!((handed[0].id.as_str(), handed[0].ordering_key.as_deref()), ("record-1", Some("p|s")));
    assert_eq!((handed[0].attempt, &handed[0].attributes), (1, &vec![Attribute::text("shardId", "s1"), redriven()]));
}

fn redriven() -> Attribute {
    Attribute::text("redriven", "true")
}

/// The message that the queue has of a record that was given up and sent back. It is removed from the queue.
async fn sent_back(backend: &Opened, event: &Event) -> Received {
    let ids = store_dead_letter(backend, |dead_letters, cause| dead_letters.message(event, cause)).await;
    let redriver = redriver(backend, &from_queue(), worker(Disposition::Ack));
    assert_eq!(redriver.redrive(DEAD_LETTERS, &ids).await.unwrap(), [Outcome::Redriven]);
    let back = receive(backend, QUEUE, 10, 30).await.remove(0);
    backend.embedded.delete_batch(QUEUE, std::slice::from_ref(&back.receipt)).await.unwrap();
    back
}

/// A worker may have to know that a record comes out of order. It is marked once, however often it is sent back, and a
/// message that has ten attributes already is sent back without the mark.
#[tokio::test]
async fn d11_9__a_record_that_is_sent_back_says_so() {
    for (own, marked) in [(0, true), (8, true), (9, false), (10, false)] {
        let backend = open().await;
        let names: Vec<_> = (0..own).map(|n| format!("own{n}")).collect();
        let attributes: Vec<_> = names.iter().map(|name| (name.as_str(), "own")).collect();
        let mut event = event(&from_queue(), Payload::Json("{}".into()), &attributes);
        for _ in 0..2 {
            let back = sent_back(&backend, &event).await;
            assert_eq!((back.body.as_str(), back.attributes.len() <= 10), ("{}", true));
            let marks = back.attributes.iter().filter(|it| **it == redriven()).count();
            assert_eq!(marks, usize::from(marked), "{own} attributes");
            event.attributes = back.attributes;
        }
    }
}

/// However often it is sent back, and whoever gave it up; and it is not the record's own twice.
#[tokio::test]
async fn d11_11__a_message_that_is_sent_back_says_when_it_was_sent_first() {
    let backend = open().await;
    let mut event = event(&from_queue(), Payload::Json("{}".into()), &[("own", "own")]);
    for _ in 0..2 {
        let back = sent_back(&backend, &event).await;
        let first: Vec<_> = back.attributes.iter().filter(|it| it.name == "sourceTimestamp").collect();
        assert_eq!(first, [&Attribute::text("sourceTimestamp", "5")], "{:?}", back.attributes);
        // The message that failed next.
        (event.attributes, event.time_ms) = (back.attributes, back.sent_ms);
    }
}

/// After any disposition but `ack`, the dead letter stays and can be redriven again at once.
#[tokio::test]
async fn d11_3__a_change_that_fails_again_stays() {
    for (answer, said) in [
        (Disposition::Reject("stale".into()), "save-entries rejected it: stale"),
        (Disposition::retry(""), "save-entries answered retry"),
        (Disposition::retry("table busy"), "save-entries answered retry: table busy"),
    ] {
        let backend = open().await;
        let ids = store_dead_change(&backend).await;
        let redriver = redriver(&backend, &from_stream(), worker(answer));
        let kept = [Outcome::Kept(said.to_owned())];
        assert_eq!(redriver.redrive(DEAD_LETTERS, &ids).await.unwrap(), kept);
        assert_eq!(redriver.redrive(DEAD_LETTERS, &ids).await.unwrap(), kept, "at once");
    }
}

#[tokio::test]
async fn d11_7__bytes_come_back_as_the_bytes_they_were() {
    let mut went_back = BTreeSet::new();
    for kind in SourceConfig::KINDS {
        let Some(recovery) = recovery(kind) else { continue };
        for bytes in [&b"\xff\x00{"[..], b"text", br#"{"a":1}"#, b""] {
            let backend = open().await;
            let dead = event(&format!("{kind}:{QUEUE}"), Payload::Bytes(bytes.to_vec()), &[]);
            let way = match recovery.way {
                Way::Queue => {
                    bytes_go_back_to_their_queue(&backend, &dead, bytes).await;
                    "queue"
                }
                Way::Worker => {
                    bytes_go_back_to_their_worker(&backend, &dead, &recovery).await;
                    "worker"
                }
            };
            went_back.insert(way);
        }
    }
    assert_eq!(went_back, BTreeSet::from(["queue", "worker"]), "both ways were tried");
}

/// A queue takes only text. Bytes that it cannot have as they were stay in their dead letter, none of them lost.
async fn bytes_go_back_to_their_queue(backend: &Opened, dead: &Event, bytes: &[u8]) {
    let ids = store_dead_letter(backend, |dead_letters, cause| dead_letters.message(dead, cause)).await;
    let origin = Origin { worker: WORKER.to_owned(), source: dead.source.clone(), queue: Some(QUEUE.to_owned()) };
    let redriver = Redriver {
        origins: Arc::new([(DEAD_LETTERS.to_owned(), vec![origin])].into()),
        ..redriver(backend, &dead.source, worker(Disposition::Ack))
    };
    let outcomes = redriver.redrive(DEAD_LETTERS, &ids).await.unwrap();
    if bytes == b"text" {
        assert_eq!(outcomes, [Outcome::Redriven], "{}", dead.source);
        assert_eq!(receive(backend, QUEUE, 10, 30).await.remove(0).body.as_bytes(), bytes, "{}", dead.source);
    } else {
        assert!(matches!(outcomes.as_slice(), [Outcome::Kept(why)] if why.contains("only text")), "{outcomes:?}");
        let kept = redriver.find(DEAD_LETTERS, &ids[0]).await.unwrap().unwrap();
        assert_eq!(kept.message_event().unwrap().payload, dead.payload, "{}", dead.source);
    }
}

/// In an envelope, or as a message's body: as the source reads it.
async fn bytes_go_back_to_their_worker(backend: &Opened, dead: &Event, recovery: &Recovery) {
    let envelope = serde_json::json!({"version": "1.0"});
    let ids = store_dead_letter(backend, |dead_letters, cause| {
        let message = dead_letters.message(dead, cause);
        let received = Received { body: message.messages[0].body.clone(), ..Received::default() };
        match (recovery.event)(&DeadLetter::read(DEAD_LETTERS, received, &[])) {
            Ok(_) => message,
            Err(_) => dead_letters.stream(dead, "s", envelope, cause),
        }
    })
    .await;
    let worker = worker(Disposition::Ack);
    let redriver = redriver(backend, &dead.source, worker.clone());
    assert_eq!(redriver.redrive(DEAD_LETTERS, &ids).await.unwrap(), [Outcome::Redriven], "{}", dead.source);
    let handed = worker.1.lock().unwrap();
    assert_eq!((handed.len(), &handed[0].payload), (1, &dead.payload), "{}", dead.source);
}

/// A dead letter of a host with more kinds of source than this one.
#[tokio::test]
async fn d11_8__a_record_of_an_unknown_kind_of_source_stays() {
    let backend = open().await;
    let ids = store_dead_record(&backend, "tape:reel", Payload::Json("{}".into())).await;
    let redriver = redriver(&backend, "tape:reel", worker(Disposition::Ack));
    let outcomes = redriver.redrive(DEAD_LETTERS, &ids).await.unwrap();
    assert!(matches!(outcomes.as_slice(), [Outcome::Kept(why)] if why.contains("`tape`")), "{outcomes:?}");
    assert_eq!(backend.embedded.peek(DEAD_LETTERS, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn d11_4__nothing_is_lost_while_a_queue_is_down() {
    for (sends, deletes, left, sent) in [(false, true, 1, 0), (true, false, 1, 1)] {
        let backend = open().await;
        let ids = store_dead_message(&backend).await;
        let queues = Arc::new(Broken { queues: backend.embedded.clone(), sends, deletes });
        let redriver = Redriver { queues, ..redriver(&backend, &from_queue(), worker(Disposition::Ack)) };
        let outcomes = redriver.redrive(DEAD_LETTERS, &ids).await.unwrap();
        assert!(matches!(outcomes.as_slice(), [Outcome::Kept(why)] if why.contains("down")), "{outcomes:?}");
        let count = async |queue| {
            let depth = backend.embedded.depth(queue).await.unwrap();
            depth.visible + depth.in_flight
        };
        assert_eq!((count(DEAD_LETTERS).await, count(QUEUE).await), (left, sent), "sent before it is deleted");
    }
}

/// Senders of messages must not choose by attributes where an operator sends a record.
#[tokio::test]
async fn d11_5__a_dead_letter_goes_only_where_its_queue_is_fed_from() {
    let backend = open().await;
    let mut forged = message("{}");
    forged.attributes = vec![Attribute::text("source", format!("sqs:{QUEUE}"))];
    backend.embedded.send_batch(DEAD_LETTERS, vec![forged]).await.unwrap();
    let ids = vec![backend.embedded.peek(DEAD_LETTERS, 1).await.unwrap().remove(0).id];
    let redriver = redriver(&backend, "sqs:anotherQueue", worker(Disposition::Ack));
    let outcomes = redriver.redrive(DEAD_LETTERS, &ids).await.unwrap();
    assert!(matches!(outcomes.as_slice(), [Outcome::Kept(why)] if why.contains("spin.toml")), "{outcomes:?}");
    assert_eq!(backend.embedded.depth(QUEUE).await.unwrap(), Depth::default());
    let error = redriver.redrive(QUEUE, &ids).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound, "no dead letter queue");
}

#[tokio::test]
async fn d11_6__a_dropped_dead_letter_is_gone() {
    let backend = open().await;
    store_dead_message(&backend).await;
    let ids = store_dead_message(&backend).await;
    let redriver = redriver(&backend, &from_queue(), worker(Disposition::Ack));
    let named = [ids[0].clone(), "no id".to_owned()];
    assert_eq!(redriver.discard(DEAD_LETTERS, &named).await.unwrap(), [Outcome::Dropped, Outcome::Missing]);
    let (left, _) = redriver.list(DEAD_LETTERS, None, 10).await.unwrap();
    assert_eq!(left.iter().map(|dead_letter| &dead_letter.summary.id).collect::<Vec<_>>(), [&ids[1]]);
    assert_eq!(backend.embedded.depth(QUEUE).await.unwrap(), Depth::default());
}

/// A record that only fits compressed is handed over as it was.
#[tokio::test]
async fn case_08_a_record_that_was_too_large_for_a_message_comes_back_whole() {
    let backend = open().await;
    let change = format!(r#"{{"keys":{{"pk":"p","sk":"s"}},"newImage":{{"a":"{}"}}}}"#, r"\u0001".repeat(409_600));
    assert!(change.len() > 2 << 20);
    let ids = store_dead_record(&backend, &from_stream(), Payload::Json(change.clone())).await;
    let worker = worker(Disposition::Ack);
    let redriver = redriver(&backend, &from_stream(), worker.clone());
    assert_eq!(redriver.redrive(DEAD_LETTERS, &ids).await.unwrap(), [Outcome::Redriven]);
    let handed = worker.1.lock().unwrap();
    assert!(handed.len() == 1 && handed[0].payload == Payload::Json(change), "as it was");
}

/// As much as a record of a data stream has.
fn noise() -> Vec<u8> {
    incompressible(1 << 20)
}

/// A dead letter in two parts; returns the ids of the messages that the queue then has.
async fn store_dead_parts(backend: &Opened) -> Vec<String> {
    store_dead_record(backend, &from_stream(), Payload::Bytes(noise())).await
}

fn kept_as_a_part(outcomes: &[Outcome]) -> bool {
    outcomes.iter().all(|it| matches!(it, Outcome::Kept(why) if why.contains(" of 2 of a dead letter, and not all")))
}

#[tokio::test]
async fn d11_10__parts_go_back_together_as_the_record_that_they_were() {
    let backend = open().await;
    let ids = store_dead_parts(&backend).await;
    assert_eq!(ids.len(), 2);
    let worker = worker(Disposition::Ack);
    let redriver = redriver(&backend, &from_stream(), worker.clone());
    for id in &ids {
        let found = redriver.find(DEAD_LETTERS, id).await.unwrap().unwrap();
        assert_eq!((&found.summary.id, &found.messages, &found.summary.part), (&ids[0], &ids, &None));
        assert!(event_of(&found).unwrap().payload == Payload::Bytes(noise()), "what is shown is whole");
        let shown = serde_json::to_string(&found).unwrap();
        let invoked = serde_json::from_str(&shown).map(|it| event_of(&it).unwrap().payload).unwrap();
        assert!(invoked == Payload::Bytes(noise()), "and what `invoke --dead-letter` reads");
    }
    let both = [Outcome::Redriven, Outcome::Redriven];
    assert_eq!(redriver.redrive(DEAD_LETTERS, &ids).await.unwrap(), both);
    assert_eq!(backend.embedded.depth(DEAD_LETTERS).await.unwrap(), Depth::default());
    let handed = worker.1.lock().unwrap();
    assert!(handed.len() == 1 && handed[0].payload == Payload::Bytes(noise()), "once, byte for byte");
    assert_eq!(handed[0].attributes, [Attribute::text("shardId", "s1"), redriven()]);
}

/// Named alone, because the other is not named, or is gone.
#[tokio::test]
async fn d11_10__a_part_alone_is_neither_redriven_nor_dropped() {
    let backend = open().await;
    let ids = store_dead_parts(&backend).await;
    let worker = worker(Disposition::Ack);
    let redriver = redriver(&backend, &from_stream(), worker.clone());
    for is_gone in [false, true] {
        if is_gone {
            let other = receive(&backend, DEAD_LETTERS, 1, 30).await.remove(0);
            assert_eq!(other.id, ids[0]);
            backend.embedded.delete_batch(DEAD_LETTERS, &[other.receipt]).await.unwrap();
            let found = redriver.find(DEAD_LETTERS, &ids[1]).await.unwrap().unwrap();
            assert!(found.summary.part.is_some_and(|part| (part.part, part.parts) == (2, 2)));
        }
        for id in &ids[usize::from(is_gone)..] {
            let alone = std::slice::from_ref(id);
            assert!(kept_as_a_part(&redriver.redrive(DEAD_LETTERS, alone).await.unwrap()), "{is_gone}");
            assert!(kept_as_a_part(&redriver.discard(DEAD_LETTERS, alone).await.unwrap()), "{is_gone}");
        }
    }
    let left = backend.embedded.depth(DEAD_LETTERS).await.unwrap();
    assert_eq!(left, Depth { visible: 1, ..Depth::default() }, "at once");
    assert_eq!(worker.1.lock().unwrap().len(), 0);
}

/// A crash between the parts, or before the checkpoint: the record is given up again.
#[tokio::test]
async fn d11_10__parts_that_are_there_repeatedly_are_one_record() {
    let backend = open().await;
    store_dead_parts(&backend).await;
    let ids = store_dead_parts(&backend).await;
    assert_eq!(ids.len(), 4);
    let worker = worker(Disposition::Ack);
    let redriver = redriver(&backend, &from_stream(), worker.clone());
    assert_eq!(redriver.redrive(DEAD_LETTERS, &ids).await.unwrap(), [(); 4].map(|()| Outcome::Redriven));
    assert_eq!(worker.1.lock().unwrap().len(), 1, "handed over once");
    assert_eq!(backend.embedded.depth(DEAD_LETTERS).await.unwrap(), Depth::default());
}

#[tokio::test]
async fn d11_10__parts_are_dropped_together() {
    let backend = open().await;
    let ids = store_dead_parts(&backend).await;
    let redriver = redriver(&backend, &from_stream(), worker(Disposition::Ack));
    assert_eq!(redriver.discard(DEAD_LETTERS, &ids).await.unwrap(), [Outcome::Dropped, Outcome::Dropped]);
    assert_eq!(backend.embedded.depth(DEAD_LETTERS).await.unwrap(), Depth::default());
}

/// Two workers have objects of one bucket, and one dead letter queue.
#[tokio::test]
async fn d15_8__a_message_with_objects_goes_back_to_the_queue_of_its_worker() {
    let backend = open().await;
    let source = "s3:scoring";
    let told = r#"{"Records":[{"eventName":"ObjectCreated:Put","s3":{"bucket":{"name":"scoring"},"object":{"key":"in/a.csv","size":3,"eTag":"e1"}}}]}"#;
    let event = event(source, Payload::Json(told.into()), &[("own", "v")]);
    let ids = store_dead_letter(&backend, |dead_letters, cause| dead_letters.message(&event, cause)).await;
    let origin = |worker: &str, queue: &str| Origin {
        worker: worker.to_owned(),
        source: source.to_owned(),
        queue: Some(queue.to_owned()),
    };
    let origins = vec![origin("save-fanlist-scores", DEAD_LETTERS), origin(WORKER, QUEUE)];
    let redriver = Redriver {
        origins: Arc::new([(DEAD_LETTERS.to_owned(), origins)].into()),
        ..redriver(&backend, source, worker(Disposition::Ack))
    };
    let dead_letter = redriver.find(DEAD_LETTERS, &ids[0]).await.unwrap().unwrap();
    let object: serde_json::Value = event_of(&dead_letter).unwrap().json().unwrap();
    assert_eq!(object["key"], "in/a.csv", "what `invoke --dead-letter` hands over");
    assert_eq!(redriver.redrive(DEAD_LETTERS, &ids).await.unwrap(), [Outcome::Redriven]);
    let back = receive(&backend, QUEUE, 10, 30).await.remove(0);
    assert_eq!(back.body, told);
}
