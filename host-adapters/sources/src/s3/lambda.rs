//! AWS Lambda's records of objects: S3's own, and those in messages of SNS and SQS.

use super::event::events;
use super::notification;
use crate::lambda::{Context, Notes, Optional, Several, source};
use host_adapters_event::{Event, Payload, json as read};
use serde::Deserialize;
use serde_json::{Value, json};

/// A text in every notification of S3, so that other messages are not parsed again.
const MARKS: [&str; 3] = ["aws:s3", "s3:TestEvent", "aws.s3"];

/// S3 invokes the function directly with a record, which [`opened`] converts to an event.
pub(super) fn direct(id: String, record: Value, context: &Context<'_>, _: &mut Notes<'_>) -> Result<Event, String> {
    if !record.get("s3").is_some_and(Value::is_object) {
        return Err("s3: not an object".to_owned());
    }
    Ok(message(id, "s3:http".to_owned(), json!({ "Records": [record] }).to_string(), context))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Record {
    sns: Message,
    #[serde(default)]
    event_subscription_arn: Optional<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Message {
    message: String,
}

/// SNS invokes the function with a message, which [`opened`] converts to events.
pub(super) fn sns(id: String, record: Value, context: &Context<'_>, _: &mut Notes<'_>) -> Result<Event, String> {
    let Record { sns, event_subscription_arn } = read::from_value(record)?;
    if notification::read(&sns.message).is_none() {
        return Err("Sns.Message: not a notification of S3".to_owned());
    }
    Ok(message(id, source("sns", event_subscription_arn.0.as_deref()), sns.message, context))
}

fn message(id: String, source: String, text: String, context: &Context<'_>) -> Event {
    Event {
        source,
        ordering_key: None,
        payload: Payload::of_text(text),
        attributes: Vec::new(),
        attempt: 1,
        time_ms: 0,
        correlation_id: context.correlation_id(None, &id),
        traceparent: context.traceparent(None),
        id,
    }
}

/// The events in a message of SQS or SNS, or in a record of S3; `None` if it contains none.
pub(super) fn opened(message: &Event) -> Option<Several> {
    let Payload::Json(text) = &message.payload else { return None };
    let is_marked = || MARKS.iter().any(|mark| text.contains(mark));
    let may_hold = match message.source.split(':').next() {
        Some("s3") => true,
        Some("sns") => is_marked(),
        _ => message.is_of_queue() && is_marked(),
    };
    if may_hold { events(message) } else { None }
}
