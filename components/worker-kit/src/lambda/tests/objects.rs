//! Notifications of S3, in all forms in which Lambda receives them.

use super::check;
use crate::Disposition;
use crate::lambda::batch_response::BatchResponse;
use crate::lambda::{Context, Incoming, fails_as_a_whole, parse};
use expect_test::expect;
use serde_json::{Value, json};

/// A notification of S3's about these keys.
fn notification(keys: &[&str]) -> Value {
    let object = |key: &&str| json!({"key": key, "size": 3, "eTag": "e1", "sequencer": "00A1"});
    let record = |key: &&str| {
        let s3 = json!({"bucket": {"name": "scoring"}, "object": object(key)});
        let ids = json!({"x-amz-request-id": format!("request-{key}")});
        json!({"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "responseElements": ids, "s3": s3})
    };
    json!({ "Records": keys.iter().map(record).collect::<Vec<_>>() })
}

fn in_sns(message: &Value) -> Value {
    json!({"Type": "Notification", "MessageId": "n", "Message": message.to_string()})
}

fn in_sqs(bodies: &[Value]) -> String {
    let record = |(index, body): (usize, &Value)| {
        let arn = "arn:aws:sqs:us-east-1:123456789012:loadScoresQueue";
        let attributes = json!({"ApproximateReceiveCount": "2", "SentTimestamp": "5"});
        json!({"messageId": format!("m{index}"), "body": body.to_string(), "eventSourceARN": arn, "attributes": attributes})
    };
    json!({ "Records": bodies.iter().enumerate().map(record).collect::<Vec<_>>() }).to_string()
}

#[test]
fn objects_as_s3_calls_a_function() {
    let mut event = notification(&["in/a%2Bb+c.csv", "in/d.csv"]);
    let removed = json!({"eventName": "ObjectRemoved:Delete", "s3": {"object": {"key": "a"}}});
    event["Records"].as_array_mut().unwrap().push(removed);
    event["Records"].as_array_mut().unwrap().push(json!({"eventName": "ObjectCreated:Put", "s3": {"bucket": 7}}));
    event["Records"].as_array_mut().unwrap().push(json!({"eventName": "ObjectCreated:Put", "s3": 7}));
    check(
        &event.to_string(),
        expect![[r#"
        request-in/a%2Bb+c.csv holds 1:
        request-in/a%2Bb+c.csv from s3:scoring key None attempt 1 at 0 for request-in/a%2Bb+c.csv
        []
        {"bucket":"scoring","key":"in/a+b c.csv","size":3,"etag":"e1","sequencer":"00A1","eventName":"ObjectCreated:Put"}
        request-in/d.csv holds 1:
        request-in/d.csv from s3:scoring key None attempt 1 at 0 for request-in/d.csv
        []
        {"bucket":"scoring","key":"in/d.csv","size":3,"etag":"e1","sequencer":"00A1","eventName":"ObjectCreated:Put"}
        record-2 holds 0:
        record-3 holds 0:
        malformed: Records[0]: s3.bucket: invalid type: integer, expected struct Bucket
        record-4: malformed: s3: not an object
    "#]],
    );
}

#[test]
fn objects_in_messages_of_sqs() {
    let test = json!({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "scoring"});
    let bodies = [notification(&["a"]), in_sns(&notification(&["b", "c"])), test, json!({"mentions": "aws:s3"})];
    check(
        &in_sqs(&bodies),
        expect![[r#"
        m0 holds 1:
        m0 from s3:scoring key None attempt 2 at 5 for m0
        []
        {"bucket":"scoring","key":"a","size":3,"etag":"e1","sequencer":"00A1","eventName":"ObjectCreated:Put"}
        m1 holds 2:
        m1#0 from s3:scoring key None attempt 2 at 5 for m1
        []
        {"bucket":"scoring","key":"b","size":3,"etag":"e1","sequencer":"00A1","eventName":"ObjectCreated:Put"}
        m1#1 from s3:scoring key None attempt 2 at 5 for m1
        []
        {"bucket":"scoring","key":"c","size":3,"etag":"e1","sequencer":"00A1","eventName":"ObjectCreated:Put"}
        m2 holds 0:
        m3 from sqs:loadScoresQueue key None attempt 2 at 5 for m3
        []
        {"mentions":"aws:s3"}
    "#]],
    );
}

#[test]
fn objects_in_messages_of_sns() {
    let record = |id: &str, message: &str| {
        let sns = json!({"Type": "Notification", "MessageId": id, "TopicArn": "t", "Message": message});
        let subscription = "arn:aws:sns:us-east-1:123456789012:scores:0868a1cb";
        json!({"EventSource": "aws:sns", "EventVersion": "1.0", "EventSubscriptionArn": subscription, "Sns": sns})
    };
    let told = notification(&["a"]).to_string();
    let event = json!({"Records": [record("n1", &told), record("n2", "hello"), {"Sns": {"MessageId": "n3"}}]});
    check(
        &event.to_string(),
        expect![[r#"
        n1 holds 1:
        n1 from s3:scoring key None attempt 1 at 0 for n1
        []
        {"bucket":"scoring","key":"a","size":3,"etag":"e1","sequencer":"00A1","eventName":"ObjectCreated:Put"}
        n2: malformed: Sns.Message: not a notification of S3
        n3: malformed: Sns: missing field `Message`
    "#]],
    );
}

#[test]
fn a_message_with_objects_is_answered_as_one() {
    let bodies = [notification(&["a", "b"]), notification(&["c"]), notification(&[]), notification(&["d", "e"])];
    let mut event: Value = serde_json::from_str(&in_sqs(&bodies)).unwrap();
    event["Records"][2]["body"] = r#"{"Event":"s3:TestEvent"}"#.into();
    let incoming = parse(event.to_string().as_bytes(), &Context::default(), &mut |_| ()).unwrap();
    let events: Vec<_> = incoming.iter().flat_map(Incoming::events).map(|event| event.id.as_str()).collect();
    assert_eq!(events, ["m0#0", "m0#1", "m1", "m3#0", "m3#1"]);
    let said = vec![
        Disposition::Ack,
        Disposition::retry("not now"),
        Disposition::Ack,
        Disposition::Reject("no header".into()),
        Disposition::Ack,
    ];
    let answer = BatchResponse::new(&incoming, said).unwrap();
    let expected = json!({
        "batchItemFailures": [{"itemIdentifier": "m0", "reason": "not now"}],
        "rejected": [{"itemIdentifier": "m3", "reason": "no header"}],
        "count": {"received": 4, "processed": 2, "failed": 1, "rejected": 1},
    });
    assert_eq!(serde_json::to_value(&answer).unwrap(), expected);
    assert!(BatchResponse::new(&incoming, vec![Disposition::Ack; 6]).is_err(), "one too many");
    let silent = BatchResponse::new(&incoming, vec![]).unwrap();
    assert_eq!((silent.count.failed, silent.count.processed), (3, 1), "a test message needs no answer");
}

#[test]
fn only_s3_and_sns_themselves_wait_for_no_answer() {
    let direct = notification(&["a"]).to_string();
    assert!(fails_as_a_whole(direct.as_bytes()));
    assert!(fails_as_a_whole(br#"{"Records":[{"Sns":{"Message":"m"}}]}"#));
    for event in [in_sqs(&[notification(&["a"])]), fixture!("components/enqueue-entries/fixtures/aws.json").to_owned()]
    {
        assert!(!fails_as_a_whole(event.as_bytes()), "{event}");
    }
}
