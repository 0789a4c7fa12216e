//! Topics: what each subscription gets, in which form. Filters with operators that only the embedded topics and AWS have are
//! tested in `host-adapters/backends/embedded/src/topic/tests.rs`.

use super::backend::{Backend, secs};
use host_adapters_platform::topic::MAX_MESSAGE_BYTES;
use host_adapters_platform::{FilterScope, Received, SubscriptionSpec, TopicSpec};
use host_adapters_records::topic::TopicMessage;
use host_adapters_records::{Attribute, AttributeValue, ErrorKind};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A topic to which all of [`QUEUES`] subscribe.
pub const TOPIC: &str = "contractTopic";
/// A topic to which only [`LONE_QUEUE`] subscribes.
pub const LONE_TOPIC: &str = "contractLoneTopic";
/// Gets all messages of [`LONE_TOPIC`], raw.
pub const LONE_QUEUE: &str = "contractLoneQueue";
/// Gets all messages of [`TOPIC`], raw.
pub const RAW_QUEUE: &str = "contractRawQueue";
/// Gets all messages of [`TOPIC`], wrapped.
pub const WRAPPED_QUEUE: &str = "contractWrappedQueue";
/// Gets messages by their attribute `type`.
const TYPED_QUEUE: &str = "contractTypedQueue";
/// Gets messages that have a score, or are of a fan who is known.
const SCORED_QUEUE: &str = "contractScoredQueue";
/// Gets messages by their bodies.
const BODY_QUEUE: &str = "contractBodyQueue";
/// The queues of all topics.
pub const QUEUES: [&str; 6] = [LONE_QUEUE, RAW_QUEUE, WRAPPED_QUEUE, TYPED_QUEUE, SCORED_QUEUE, BODY_QUEUE];

/// How often a queue is read before what was published is missing: SNS delivers a little later.
const LOOKS: u32 = 40;

/// The topics with their subscriptions.
pub fn topics() -> BTreeMap<String, TopicSpec> {
    let of = |queue: &str, filter: Value, scope: FilterScope| SubscriptionSpec {
        filter: filter.to_string().into(),
        scope,
        ..SubscriptionSpec::of_all(queue)
    };
    let typed = json!({"type": ["MARKET", {"prefix": "REGISTERED_"}, {"suffix": "_MAPPING"}]});
    let scored = json!({"$or": [
        {"score": [{"numeric": [">", 100, "<=", 150]}]},
        {"fan": [{"exists": true}]},
    ]});
    let subscriptions = vec![
        SubscriptionSpec::of_all(RAW_QUEUE),
        SubscriptionSpec { raw: false, ..SubscriptionSpec::of_all(WRAPPED_QUEUE) },
        of(TYPED_QUEUE, typed, FilterScope::Attributes),
        of(SCORED_QUEUE, scored, FilterScope::Attributes),
        of(BODY_QUEUE, json!({"data": {"score": [{"numeric": [">", 5]}]}}), FilterScope::Body),
    ];
    let lone = TopicSpec { subscriptions: vec![SubscriptionSpec::of_all(LONE_QUEUE)].into() };
    [(TOPIC.to_owned(), TopicSpec { subscriptions: subscriptions.into() }), (LONE_TOPIC.to_owned(), lone)].into()
}

/// A message to publish.
pub fn topic_message(body: &str, attributes: Vec<Attribute>) -> TopicMessage {
    TopicMessage { body: body.to_owned(), attributes }
}

fn number(name: &str, value: &str) -> Attribute {
    Attribute::typed(name, "Number", AttributeValue::Text(value.to_owned()))
}

/// Publishes messages; returns their ids.
async fn publish(backend: &impl Backend, topic: &str, messages: Vec<TopicMessage>) -> Vec<String> {
    let published = backend.topics().await.topics.publish_batch(topic, messages).await.unwrap();
    published.into_iter().map(Result::unwrap).collect()
}

/// Receives `expected` messages of a queue, or what there is of them.
async fn received(backend: &impl Backend, queue: &str, expected: usize) -> Vec<Received> {
    let (queues, mut found) = (backend.topics().await.queues, Vec::new());
    for _ in 0..LOOKS {
        found.extend(queues.receive(queue, 1_000, Duration::ZERO, secs(60)).await.unwrap());
        if found.len() >= expected {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    found
}

/// The bodies that a queue gets, sorted.
async fn bodies(backend: &impl Backend, queue: &str, expected: usize) -> Vec<String> {
    let mut bodies: Vec<_> = received(backend, queue, expected).await.into_iter().map(|it| it.body).collect();
    bodies.sort();
    bodies
}

pub async fn delivers_raw_and_wrapped(backend: &impl Backend) {
    let attributes = vec![number("score", "850"), Attribute::text("type", "CAMPAIGN")];
    let message = topic_message(r#"{"a": "ü 🦀 \"quoted\""}"#, attributes.clone());
    let id = publish(backend, TOPIC, vec![message.clone()]).await.remove(0);
    let raw = received(backend, RAW_QUEUE, 1).await;
    let [raw] = raw.as_slice() else { panic!("{raw:?}") };
    let mut found = raw.attributes.clone();
    found.sort();
    assert_eq!((&raw.body, found), (&message.body, attributes));
    let wrapped = received(backend, WRAPPED_QUEUE, 1).await;
    let [wrapped] = wrapped.as_slice() else { panic!("{wrapped:?}") };
    assert_eq!(wrapped.attributes, []);
    let envelope: Value = serde_json::from_str(&wrapped.body).unwrap();
    assert_eq!((&envelope["Type"], &envelope["MessageId"]), (&json!("Notification"), &json!(id)));
    assert_eq!(envelope["Message"], *message.body);
    assert!(envelope["TopicArn"].as_str().unwrap().ends_with(TOPIC), "{envelope}");
    assert!(envelope["Timestamp"].as_str().is_some_and(|time| time.ends_with('Z')), "{envelope}");
    let wrapped_type = json!({"Type": "String", "Value": "CAMPAIGN"});
    assert_eq!(envelope["MessageAttributes"]["type"], wrapped_type);
    assert_eq!(envelope["MessageAttributes"]["score"]["Type"], "Number");
}

pub async fn keeps_lists_and_bytes_of_attributes(backend: &impl Backend) {
    let attributes = vec![
        Attribute::typed("image", "Binary", AttributeValue::Bytes(vec![0, 0xff, 0xc3, 0x28, b'\n'])),
        Attribute::typed("tags", "String.Array", AttributeValue::Text(r#"["a","b"]"#.to_owned())),
    ];
    publish(backend, LONE_TOPIC, vec![topic_message("body", attributes.clone())]).await;
    let mut found = received(backend, LONE_QUEUE, 1).await.remove(0).attributes;
    found.sort();
    assert_eq!(found, attributes);
}

pub async fn filters_by_attributes(backend: &impl Backend) {
    let typed = |body: &str| topic_message(body, vec![Attribute::text("type", body)]);
    let others = ["CAMPAIGN", "MARKETS", "market", "A_MAPPING_B"].map(typed);
    publish(backend, TOPIC, others.into_iter().chain([topic_message("MARKET", vec![])]).collect()).await;
    let matching = ["EVENT_MAPPING", "MARKET", "REGISTERED_MARKET"];
    publish(backend, TOPIC, matching.map(typed).into()).await;
    assert_eq!(bodies(backend, TYPED_QUEUE, 3).await, matching);

    let scored = |score: &str| topic_message(score, vec![number("score", score)]);
    publish(backend, TOPIC, ["100", "151"].map(scored).into()).await;
    let text = topic_message("text", vec![Attribute::text("score", "120")]);
    let fan = topic_message("fan", vec![number("score", "7"), Attribute::text("fan", "f-1")]);
    publish(backend, TOPIC, vec![text, scored("101"), scored("150"), fan]).await;
    assert_eq!(bodies(backend, SCORED_QUEUE, 3).await, ["101", "150", "fan"]);
}

pub async fn filters_by_the_body(backend: &impl Backend) {
    let [four, five, six, text] = ["4", "5", "6", "\"6\""].map(|score| format!(r#"{{"data":{{"score":{score}}}}}"#));
    let others = [four.as_str(), &five, &text, "plain text"].map(|body| topic_message(body, vec![]));
    publish(backend, TOPIC, others.into()).await;
    // An attribute does not count.
    publish(backend, TOPIC, vec![topic_message("{}", vec![number("data.score", "6")]), topic_message(&six, vec![])])
        .await;
    assert_eq!(bodies(backend, BODY_QUEUE, 1).await, [six]);
}

pub async fn refuses_one_and_takes_the_rest(backend: &impl Backend) {
    let largest = "x".repeat(MAX_MESSAGE_BYTES);
    let twice = vec![Attribute::text("a", "1"), Attribute::text("a", "2")];
    let many = (0..11).map(|n| Attribute::text(format!("a{n}"), "x")).collect();
    let messages = vec![
        topic_message("1", vec![]),
        topic_message("", vec![]),
        topic_message(&format!("{largest}x"), vec![]),
        topic_message(&largest, vec![Attribute::text("a", "x")]),
        topic_message("\u{1}", vec![]),
        topic_message("x", twice),
        topic_message("x", many),
        topic_message("x", vec![number("n", "many")]),
        topic_message("2", vec![]),
    ];
    let published = backend.topics().await.topics.publish_batch(LONE_TOPIC, messages).await.unwrap();
    let kinds: Vec<_> = published.iter().map(|it| it.as_ref().err().map(|error| error.kind)).collect();
    let (invalid, large) = (Some(ErrorKind::Invalid), Some(ErrorKind::TooLarge));
    assert_eq!(kinds, [None, invalid, large, large, invalid, invalid, invalid, invalid, None]);
    assert_eq!(bodies(backend, LONE_QUEUE, 2).await, ["1", "2"]);
}

pub async fn takes_any_number(backend: &impl Backend) {
    let messages = (0..123).map(|n| topic_message(&n.to_string(), vec![])).collect();
    let ids: BTreeSet<_> = publish(backend, LONE_TOPIC, messages).await.into_iter().collect();
    let found: BTreeSet<_> = bodies(backend, LONE_QUEUE, 123).await.into_iter().collect();
    assert_eq!((ids.len(), found), (123, (0..123).map(|n| n.to_string()).collect()));
    assert!(publish(backend, LONE_TOPIC, vec![]).await.is_empty());
}

pub async fn accepts_what_just_fits(backend: &impl Backend) {
    let attribute = Attribute::text("type", "x");
    let body = "x".repeat(MAX_MESSAGE_BYTES - "typeStringx".len());
    let messages = vec![topic_message(&body, vec![attribute.clone()]); 3];
    publish(backend, LONE_TOPIC, messages).await;
    let found = received(backend, LONE_QUEUE, 3).await;
    assert_eq!(found.len(), 3);
    assert!(found.into_iter().all(|it| it.body == body && it.attributes == [attribute.clone()]));
}

pub async fn knows_its_names(backend: &impl Backend) {
    let topics = backend.topics().await.topics;
    let error = topics.publish_batch("no-such-topic", vec![topic_message("x", vec![])]).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
}
