//! Created objects for `host-adapters events generate`: as S3 calls a function, and in messages.

use crate::canned::{ACCOUNT, CannedEvent, REGION, Records};
use crate::s3::notification::read;
use crate::sqs;
use chrono::{SecondsFormat, Utc};
use host_adapters_platform::objects::encoded;
use serde_json::{Value, json};
use uuid::Uuid;

const BODY: &str = "/Records/0/s3/object";
const EXAMPLE: (&str, &str) = ("example-bucket", "example.csv");

pub(crate) const CANNED: &[CannedEvent] = &[
    CannedEvent {
        name: "s3",
        about: "Objects that were created in a bucket",
        body: BODY,
        example: EXAMPLE,
        make: direct,
    },
    CannedEvent { name: "s3-sns", about: "The same, in messages of SNS", body: BODY, example: EXAMPLE, make: in_sns },
    CannedEvent {
        name: "s3-sqs",
        about: "The same, in messages of a queue",
        body: BODY,
        example: EXAMPLE,
        make: in_sqs,
    },
    CannedEvent {
        name: "s3-sns-sqs",
        about: "The same, in messages of SNS, in messages of a queue",
        body: BODY,
        example: EXAMPLE,
        make: in_sns_in_sqs,
    },
];

fn direct(records: &Records<'_>, body: &str) -> Result<Value, String> {
    let objects = objects(records, body)?;
    let name = |id: Option<String>| id.unwrap_or_else(|| Uuid::new_v4().simple().to_string());
    Ok(records.event(|id, n| {
        let mut record = objects.get(n as usize).cloned().unwrap_or_default();
        set(&mut record, "responseElements", json!({ "x-amz-request-id": name(id) }));
        record
    }))
}

fn in_sns(records: &Records<'_>, body: &str) -> Result<Value, String> {
    let objects = objects(records, body)?;
    Ok(records.event(|id, n| {
        let message = notification(&objects, n);
        let topic = topic();
        json!({
            "EventVersion": "1.0",
            "EventSource": "aws:sns",
            "EventSubscriptionArn": format!("{topic}:{}", Uuid::new_v4()),
            "Sns": wrapped(&topic, &message, id),
        })
    }))
}

fn in_sqs(records: &Records<'_>, body: &str) -> Result<Value, String> {
    let objects = objects(records, body)?;
    messages(records, |n| notification(&objects, n))
}

fn in_sns_in_sqs(records: &Records<'_>, body: &str) -> Result<Value, String> {
    let objects = objects(records, body)?;
    messages(records, |n| wrapped(&topic(), &notification(&objects, n), None).to_string())
}

/// Messages of a queue with these bodies.
fn messages(records: &Records<'_>, body: impl Fn(u32) -> String) -> Result<Value, String> {
    let mut event = sqs::messages(&Records { from: "exampleQueue", ids: records.ids, count: records.count }, "-")?;
    for (n, record) in (0..).zip(event.get_mut("Records").and_then(Value::as_array_mut).into_iter().flatten()) {
        set(record, "body", body(n).into());
    }
    Ok(event)
}

fn set(object: &mut Value, name: &str, value: Value) {
    if let Some(members) = object.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
}

fn topic() -> String {
    format!("arn:aws:sns:{REGION}:{ACCOUNT}:exampleTopic")
}

/// A message of SNS.
fn wrapped(topic: &str, message: &str, id: Option<String>) -> Value {
    json!({
        "Type": "Notification",
        "MessageId": id.unwrap_or_else(|| Uuid::new_v4().to_string()),
        "TopicArn": topic,
        "Subject": "Amazon S3 Notification",
        "Message": message,
        "Timestamp": now(),
    })
}

fn now() -> String {
    Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn notification(objects: &[Value], n: u32) -> String {
    json!({ "Records": [objects.get(n as usize)] }).to_string()
}

/// The records of objects: `body` is an object as S3 writes it, or the key of one.
fn objects(records: &Records<'_>, body: &str) -> Result<Vec<Value>, String> {
    let given: Value = match serde_json::from_str(body) {
        Ok(object @ Value::Object(_)) => object,
        _ => json!({ "key": encoded(body) }),
    };
    let time_us = Utc::now().timestamp_micros();
    let record = |n: u32| {
        let mut object = json!({
            "size": 1024,
            "eTag": "d41d8cd98f00b204e9800998ecf8427e",
            "sequencer": format!("{:016X}", time_us + i64::from(n)),
        });
        for (name, value) in given.as_object().into_iter().flatten() {
            set(&mut object, name, value.clone());
        }
        json!({
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "awsRegion": REGION,
            "eventTime": now(),
            "eventName": "ObjectCreated:Put",
            "userIdentity": {"principalId": "AWS:EXAMPLE"},
            "s3": {
                "s3SchemaVersion": "1.0",
                "configurationId": "example",
                "bucket": {
                    "name": records.from,
                    "ownerIdentity": {"principalId": "EXAMPLE"},
                    "arn": format!("arn:aws:s3:::{}", records.from),
                },
                "object": object,
            },
        })
    };
    let objects: Vec<Value> = (0..records.count).map(record).collect();
    for object in read(&json!({ "Records": objects }).to_string()).into_iter().flatten() {
        object.map_err(|wrong| format!("that is not an object of S3: {wrong}"))?;
    }
    Ok(objects)
}
