//! Messages of a queue for `host-adapters events generate`.

use crate::canned::{ACCOUNT, CannedEvent, REGION, Records};
use chrono::Utc;
use serde_json::{Value, json};
use uuid::Uuid;

pub(crate) const CANNED: &[CannedEvent] = &[CannedEvent {
    name: "sqs",
    about: "Messages of a queue",
    body: "/Records/0/body",
    example: ("exampleQueue", r#"{"message":"Hello"}"#),
    make: messages,
}];

/// Messages with this body.
pub(crate) fn messages(records: &Records<'_>, body: &str) -> Result<Value, String> {
    if body.is_empty() {
        return Err("the body is empty; a message of a queue has at least one character".to_owned());
    }
    let sent = Utc::now().timestamp_millis().to_string();
    Ok(records.event(|id, _| {
        json!({
            "messageId": id.unwrap_or_else(|| Uuid::new_v4().to_string()),
            "receiptHandle": Uuid::new_v4().simple().to_string(),
            "body": body,
            "attributes": {
                "ApproximateReceiveCount": "1",
                "SentTimestamp": sent,
                "SenderId": ACCOUNT,
                "ApproximateFirstReceiveTimestamp": sent,
            },
            "messageAttributes": {},
            "eventSource": "aws:sqs",
            "eventSourceARN": format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{}", records.from),
            "awsRegion": REGION,
        })
    }))
}
