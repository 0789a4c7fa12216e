//! What other servers get wrong or cannot show: all operators of filter policies, the wrapped form to the letter, deliveries
//! that are stored together or not at all.

use crate::{Embedded, FanOut, OpenError};
use host_adapters_platform::clock::Clock;
use host_adapters_platform::{
    Declared, FilterScope, QueueBackend, QueueSpec, Received, SubscriptionSpec, TopicBackend, TopicSpec,
};
use host_adapters_records::topic::TopicMessage;
use host_adapters_records::{Attribute, AttributeValue, ErrorKind};
use rusqlite::Connection;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

const TOPIC: &str = "dataSns";
const QUEUES: [&str; 2] = ["one", "other"];
/// 2024-01-15T10:00:00Z.
const NOW_MS: i64 = 1_705_312_800_000;

struct Scene {
    store: Embedded,
    folder: TempDir,
}

fn declared(subscriptions: Vec<SubscriptionSpec>) -> Declared {
    Declared {
        queues: QUEUES.map(|queue| (queue.to_owned(), QueueSpec::default())).into(),
        topics: [(TOPIC.to_owned(), TopicSpec { subscriptions: subscriptions.into() })].into(),
        ..Declared::default()
    }
}

impl Scene {
    fn open(subscriptions: Vec<SubscriptionSpec>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (path, clock) = (folder.path().join("store"), Clock::manual(NOW_MS));
        Self { store: Embedded::open_with_clock(&path, &declared(subscriptions), clock).unwrap(), folder }
    }

    /// Publishes a message; returns its id.
    async fn publish(&self, message: TopicMessage) -> String {
        self.store.publish_batch(TOPIC, vec![message]).await.unwrap().remove(0).unwrap()
    }

    async fn received(&self, queue: &str) -> Vec<Received> {
        self.store.receive(queue, 1_000, Duration::ZERO, Duration::from_secs(30)).await.unwrap()
    }
}

fn plain(body: &str) -> TopicMessage {
    TopicMessage { body: body.to_owned(), attributes: vec![] }
}

fn filtered(filter: &Value, scope: FilterScope) -> SubscriptionSpec {
    SubscriptionSpec { filter: filter.to_string().into(), scope, ..SubscriptionSpec::of_all("one") }
}

/// An attribute by its value in JSON: texts, numbers, lists.
fn attribute(name: &str, value: &Value) -> Attribute {
    let typed = |data_type: &str, text: String| Attribute::typed(name, data_type, AttributeValue::Text(text));
    match value {
        Value::String(text) => Attribute::text(name, text),
        Value::Array(_) => typed("String.Array", value.to_string()),
        _ => typed("Number", value.to_string()),
    }
}

#[tokio::test]
async fn filters_on_attributes_have_all_operators() {
    for (filter, value, expected) in [
        (json!(["A", "B"]), json!("B"), true),
        (json!(["A", "B"]), json!("b"), false),
        (json!([{"equals-ignore-case": "market"}]), json!("MARKET"), true),
        (json!([{"prefix": "CAMP"}]), json!("CAMPAIGN"), true),
        (json!([{"suffix": "_MARKET"}]), json!("REGISTERED_MARKET"), true),
        (json!([{"wildcard": "*_M*T"}]), json!("REGISTERED_MARKET"), true),
        (json!([{"wildcard": "*_M*T"}]), json!("MARKET"), false),
        (json!([{"anything-but": ["A", "B"]}]), json!("C"), true),
        (json!([{"anything-but": {"prefix": "A"}}]), json!("AB"), false),
        (json!([{"anything-but": {"suffix": "B"}}]), json!("AB"), false),
        (json!([{"anything-but": {"wildcard": "*B*"}}]), json!("AC"), true),
        (json!([{"cidr": "10.0.0.0/24"}]), json!("10.0.0.255"), true),
        (json!([{"cidr": "10.0.0.0/24"}]), json!("10.0.1.0"), false),
        (json!([{"numeric": [">", 100, "<=", 150]}]), json!(150), true),
        (json!([{"numeric": [">", 100, "<=", 150]}]), json!(100), false),
        (json!([{"numeric": ["=", 1.5]}]), json!("1.5"), false),
        (json!([null]), json!([1, null]), true),
        (json!([true]), json!(["true"]), false),
        (json!(["rugby"]), json!(["tennis", "rugby"]), true),
        (json!(["rugby"]), json!([]), false),
        (json!([{"exists": true}]), json!("x"), true),
        (json!([{"exists": false}]), json!("x"), false),
    ] {
        let scene = Scene::open(vec![filtered(&json!({ "a": filter }), FilterScope::Attributes)]);
        scene.publish(TopicMessage { attributes: vec![attribute("a", &value)], ..plain("body") }).await;
        assert_eq!(scene.received("one").await.len() == 1, expected, "{filter} and {value}");
    }
}

/// An attribute of bytes has no values, so it counts as missing.
#[tokio::test]
async fn filters_do_not_see_bytes_and_missing_attributes() {
    let bytes = Attribute::typed("a", "Binary", AttributeValue::Bytes(b"x".to_vec()));
    for (filter, expected) in [
        (json!({"a": ["x"]}), 0),
        (json!({"a": [{"anything-but": "y"}]}), 0),
        (json!({"a": [{"exists": false}]}), 2),
        (json!({"$or": [{"a": ["x"]}, {"b": [{"exists": false}]}]}), 2),
    ] {
        let scene = Scene::open(vec![filtered(&filter, FilterScope::Attributes)]);
        scene.publish(plain("x")).await;
        scene.publish(TopicMessage { attributes: vec![bytes.clone()], ..plain("x") }).await;
        assert_eq!(scene.received("one").await.len(), expected, "{filter}");
    }
}

#[tokio::test]
async fn filters_on_the_body_have_fields_and_alternatives() {
    for (filter, body, expected) in [
        (json!({"data": {"score": [{"numeric": [">", 5]}]}}), r#"{"data":{"score":5.5}}"#, true),
        (json!({"data": {"score": [{"numeric": [">", 5]}]}}), r#"{"data":{"score":"6"}}"#, false),
        (json!({"data": {"score": [1]}}), "plain text", false),
        (json!({"a": [{"exists": false}]}), "[]", false),
        (json!({"a": [null]}), r#"{"a":null}"#, true),
        (json!({"$or": [{"a": ["x"]}, {"b": [2]}]}), r#"{"b":2}"#, true),
        (json!({"$or": [{"a": ["x"]}, {"b": [2]}]}), r#"{"a":"y","b":3}"#, false),
        // Both of one and the same element.
        (json!({"l": {"a": [1], "b": [2]}}), r#"{"l":[{"a":1,"b":2},{"a":3,"b":4}]}"#, true),
        (json!({"l": {"a": [1], "b": [4]}}), r#"{"l":[{"a":1,"b":2},{"a":3,"b":4}]}"#, false),
    ] {
        let scene = Scene::open(vec![filtered(&filter, FilterScope::Body)]);
        scene.publish(plain(body)).await;
        assert_eq!(scene.received("one").await.len() == 1, expected, "{filter} and {body}");
    }
}

#[tokio::test]
async fn a_wrapped_message_is_as_sns_writes_it() {
    let wrapped = SubscriptionSpec { raw: false, ..SubscriptionSpec::of_all("one") };
    let scene = Scene::open(vec![wrapped, SubscriptionSpec::of_all("other")]);
    let attributes = vec![
        Attribute::text("type", "MARKET"),
        attribute("score", &json!(850)),
        attribute("tags", &json!(["a", "b"])),
        Attribute::typed("image", "Binary", AttributeValue::Bytes(vec![0, 255, 10])),
    ];
    let message = TopicMessage { body: r#"{"a": "ü\n"}"#.to_owned(), attributes };
    let id = scene.publish(message.clone()).await;
    let wrapped = scene.received("one").await.remove(0);
    assert_eq!(wrapped.attributes, []);
    assert_ne!(wrapped.id, id, "the queue's message has an id of its own");
    let expected = json!({
        "Type": "Notification",
        "MessageId": id,
        "TopicArn": "arn:aws:sns:embedded:000000000000:dataSns",
        "Message": r#"{"a": "ü\n"}"#,
        "Timestamp": "2024-01-15T10:00:00.000Z",
        "MessageAttributes": {
            "type": {"Type": "String", "Value": "MARKET"},
            "score": {"Type": "Number", "Value": "850"},
            "tags": {"Type": "String.Array", "Value": r#"["a","b"]"#},
            "image": {"Type": "Binary", "Value": "AP8K"},
        },
    });
    assert_eq!(serde_json::from_str::<Value>(&wrapped.body).unwrap(), expected);
    let raw = scene.received("other").await.remove(0);
    assert_eq!((raw.body, raw.attributes), (message.body, message.attributes));
}

#[tokio::test]
async fn the_largest_message_fits_wrapped() {
    let wrapped = SubscriptionSpec { raw: false, ..SubscriptionSpec::of_all("one") };
    let scene = Scene::open(vec![wrapped]);
    // Each character is two in JSON.
    let body = "\"".repeat(host_adapters_platform::topic::MAX_MESSAGE_BYTES);
    scene.publish(plain(&body)).await;
    let wrapped = scene.received("one").await.remove(0).body;
    assert!(wrapped.len() <= host_adapters_platform::limits::message::MAX_MESSAGE_BYTES, "{}", wrapped.len());
    assert_eq!(serde_json::from_str::<Value>(&wrapped).unwrap()["Message"], *body);
}

/// The second queue cannot store one message of the job: then neither queue has any of it.
#[tokio::test]
async fn a_message_is_stored_in_all_its_queues_or_in_none() {
    let scene = Scene::open(QUEUES.map(SubscriptionSpec::of_all).into());
    let file = Connection::open(scene.folder.path().join("store")).unwrap();
    let refuse = "CREATE TRIGGER refuse BEFORE INSERT ON messages
                  WHEN NEW.body = 'poison' AND NEW.queue = (SELECT id FROM names WHERE kind = 'queue' AND name = 'other')
                  BEGIN SELECT RAISE(ABORT, 'refused'); END";
    file.execute_batch(refuse).unwrap();
    let answers = scene.store.publish_batch(TOPIC, ["a", "poison"].map(plain).into()).await.unwrap();
    let kinds: Vec<_> = answers.iter().map(|answer| answer.as_ref().err().map(|error| error.kind)).collect();
    assert_eq!(kinds, [Some(ErrorKind::Unavailable); 2]);
    for queue in QUEUES {
        assert_eq!(scene.received(queue).await, [], "{queue}");
    }
    file.execute_batch("DROP TRIGGER refuse").unwrap();
    scene.publish(plain("poison")).await;
    for queue in QUEUES {
        assert_eq!(scene.received(queue).await.len(), 1, "{queue}");
    }
}

#[tokio::test]
async fn queues_of_another_backend_get_what_they_subscribe_to() {
    let filter = filtered(&json!({"a": ["x"]}), FilterScope::Attributes);
    let declared = declared(vec![filter, SubscriptionSpec::of_all("other")]);
    // A store that lacks one of the queues.
    let folder = tempfile::tempdir().unwrap();
    let queues = [("other".to_owned(), QueueSpec::default())].into();
    let theirs = Embedded::open(&folder.path().join("store"), &Declared { queues, ..Declared::default() }).unwrap();
    let theirs: Arc<dyn QueueBackend> = Arc::new(theirs);
    let topics = FanOut::open(&declared, theirs.clone(), Clock::wall()).unwrap();
    let matching = TopicMessage { attributes: vec![Attribute::text("a", "x")], ..plain("2") };
    let answers = topics.publish_batch(TOPIC, vec![plain("1"), matching, plain("")]).await.unwrap();
    let kinds: Vec<_> = answers.iter().map(|answer| answer.as_ref().err().map(|error| error.kind)).collect();
    assert_eq!(kinds, [None, Some(ErrorKind::NotFound), Some(ErrorKind::Invalid)]);
    let received = theirs.receive("other", 10, Duration::ZERO, Duration::from_secs(30)).await.unwrap();
    let mut bodies: Vec<_> = received.into_iter().map(|message| message.body).collect();
    bodies.sort();
    assert_eq!(bodies, ["1", "2"], "the failed one, too: it is repeated");
}

#[test]
fn a_topic_that_cannot_deliver_is_refused_when_the_file_is_opened() {
    let opened = |subscription: SubscriptionSpec| {
        let folder = tempfile::tempdir().unwrap();
        let refused = Embedded::open(&folder.path().join("store"), &declared(vec![subscription])).err().unwrap();
        assert!(matches!(refused, OpenError::Topic { .. }), "{refused}");
        refused.to_string()
    };
    let fifo = opened(SubscriptionSpec::of_all("one.fifo"));
    assert_eq!(fifo, "the topic dataSns: \"one.fifo\" is a FIFO queue, to which no topic delivers; name another");
    assert!(opened(SubscriptionSpec::of_all("none")).contains("there is no queue `none`; configured: `one`, `other`"));
    let wrong = opened(filtered(&json!({"a": "x"}), FilterScope::Attributes));
    assert!(wrong.starts_with("the topic dataSns: `a` of the filter: "), "{wrong}");
}
