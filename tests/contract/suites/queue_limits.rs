//! Queues: what they accept and what they refuse, message by message.

use super::backend::{Backend, QUEUE, secs};
use super::queue::{message, receive, send};
use host_adapters_records::queue::Message;
use host_adapters_records::{Attribute, AttributeValue, ErrorKind};
use std::time::Duration;

const MOST: usize = 1024 * 1024;

fn with_attribute(name: &str, value: &str) -> Message {
    Message { attributes: vec![Attribute::text(name, value)], ..message("b") }
}

fn typed(data_type: &str, value: AttributeValue) -> Message {
    Message { attributes: vec![Attribute::typed("a", data_type, value)], ..message("b") }
}

fn text(text: &str) -> AttributeValue {
    AttributeValue::Text(text.to_owned())
}

pub async fn accepts_odd_text(backend: &impl Backend) {
    for body in
        ["{}", " ", "\t\r\n", "ü € 𝄞 👩‍👩‍👧 \u{202e}", "null", "\u{fffd}\u{e000}", "'; DROP TABLE messages; --", "\"\\"]
    {
        send(backend, QUEUE, &[body]).await;
        let received = receive(backend, QUEUE, 10, 1).await;
        assert_eq!(received.iter().map(|message| message.body.as_str()).collect::<Vec<_>>(), [body]);
        backend.queues().delete_batch(QUEUE, &[received[0].receipt.clone()]).await.unwrap();
    }
    backend.queues().send_batch(QUEUE, vec![with_attribute("a.b-c_D", "ü 👍")]).await.unwrap();
    assert_eq!(receive(backend, QUEUE, 1, 1).await[0].attributes, [Attribute::text("a.b-c_D", "ü 👍")]);
}

pub async fn refuses_one_and_takes_the_rest(backend: &impl Backend) {
    let attribute = |n: usize| Attribute::text(format!("a{n}"), "v");
    let wrong = [
        message(""),
        message("\0"),
        message("a\u{b}b"),
        message("\u{ffff}"),
        message(&"x".repeat(MOST + 1)),
        Message { delay_secs: 901, ..message("b") },
        Message { attributes: (0..11).map(attribute).collect(), ..message("b") },
        Message { attributes: vec![attribute(1), attribute(1)], ..message("b") },
        with_attribute("", "v"),
        with_attribute("a", ""),
        with_attribute("a b", "v"),
        with_attribute(".a", "v"),
        with_attribute("AWS.x", "v"),
        with_attribute("a", &"x".repeat(MOST)),
        typed("Number", text("many")),
        typed("Number", text(&"1".repeat(39))),
        typed("Text", text("v")),
        typed("", text("v")),
        typed("Binary", text("v")),
        typed("String", AttributeValue::Bytes(vec![1])),
        typed("Binary", AttributeValue::Bytes(vec![])),
        Message { deduplication_id: Some("d".into()), ..message("b") },
    ];
    for wrong in wrong {
        let said = format!("{:.80?}", wrong);
        let answers = backend.queues().send_batch(QUEUE, vec![message("1"), wrong, message("2")]).await.unwrap();
        let [Ok(_), Err(error), Ok(_)] = answers.as_slice() else { panic!("{said}") };
        assert_eq!(error.kind, ErrorKind::Invalid, "{said}");
        let mut bodies: Vec<_> = receive(backend, QUEUE, 10, 60).await.into_iter().map(|m| m.body).collect();
        bodies.sort();
        assert_eq!(bodies, ["1", "2"], "{said}");
    }
    assert_eq!(backend.queues().send_batch(QUEUE, vec![]).await.unwrap().len(), 0);
}

/// 1 MiB passes, one byte more is refused with the limit, and calls are cut so that each carries 1 MiB at most.
pub async fn case_08_accepts_what_just_fits(backend: &impl Backend) {
    let body = "x".repeat(MOST - 12);
    let attributes = vec![Attribute::text("abc", "def")];
    let answers = backend.queues().send_batch(QUEUE, vec![Message { attributes, ..Message::new(body) }]).await.unwrap();
    assert!(matches!(answers.as_slice(), [Ok(_)]), "{answers:?}");
    let delayed = Message { delay_secs: 900, ..message("b") };
    let answers = backend.queues().send_batch(QUEUE, vec![delayed]).await.unwrap();
    assert!(matches!(answers.as_slice(), [Ok(_)]), "{answers:?}");
    assert_eq!(receive(backend, QUEUE, 10, 60).await[0].body.len(), MOST - 12);
    let more = [message(&"x".repeat(MOST + 1)), message(&"x".repeat(MOST)), message(&"y".repeat(MOST)), message("z")];
    let answers = backend.queues().send_batch(QUEUE, more.into()).await.unwrap();
    let [Err(error), Ok(_), Ok(_), Ok(_)] = answers.as_slice() else { panic!("{answers:?}") };
    assert_eq!((error.kind, error.message.contains("the most is 1048576")), (ErrorKind::Invalid, true), "{error}");
}

pub async fn refuses_wrong_receipts(backend: &impl Backend) {
    send(backend, QUEUE, &["a"]).await;
    let receipt = receive(backend, QUEUE, 1, 30).await.remove(0).receipt;
    let receipts = ["".to_owned(), receipt, "nonsense".to_owned()];
    let deleted = backend.queues().delete_batch(QUEUE, &receipts).await.unwrap();
    assert!(matches!(deleted.as_slice(), [Some(_), None, Some(_)]), "{deleted:?}");
    let changes = [("nonsense".to_owned(), secs(1))];
    let changed = backend.queues().change_visibility_batch(QUEUE, &changes).await.unwrap();
    assert!(matches!(changed.as_slice(), [Some(error)] if !error.is_retryable()), "{changed:?}");
}

pub async fn knows_its_names(backend: &impl Backend) {
    let queues = backend.queues();
    for error in [
        queues.send_batch("noSuchQueue", vec![message("a")]).await.unwrap_err(),
        queues.receive("noSuchQueue", 1, Duration::ZERO, secs(1)).await.unwrap_err(),
        queues.delete_batch("noSuchQueue", &[]).await.unwrap_err(),
        queues.depth("noSuchQueue").await.unwrap_err(),
        queues.peek("noSuchQueue", 1).await.unwrap_err(),
    ] {
        assert_eq!(error.kind, ErrorKind::NotFound);
        assert!(error.message.contains("noSuchQueue"), "{error}");
    }
}

pub async fn limits_visibility(backend: &impl Backend) {
    send(backend, QUEUE, &["a"]).await;
    let twelve_hours = secs(12 * 3600);
    let error = backend.queues().receive(QUEUE, 1, Duration::ZERO, twelve_hours + secs(1)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid);
    let received = backend.queues().receive(QUEUE, 1, Duration::ZERO, twelve_hours).await.unwrap();
    let changes = [(received[0].receipt.clone(), twelve_hours + secs(1))];
    let changed = backend.queues().change_visibility_batch(QUEUE, &changes).await.unwrap();
    assert!(matches!(changed.as_slice(), [Some(error)] if error.kind == ErrorKind::Invalid), "{changed:?}");
}
