//! `{"Records": […]}` of SQS, DynamoDB streams and Kinesis streams for DynamoDB, turned into events.

use super::{sqs, stream};
use crate::{Event, json};
use serde::Deserialize;
use serde_json::Value;

/// A record that came as Lambda hands it over.
#[derive(Clone, Debug, PartialEq)]
pub enum Incoming {
    /// What the worker is to handle.
    Event(Event),
    /// A malformed record, under the name its source knows it by. It can never succeed.
    Malformed {
        /// For the answer.
        id: String,
        /// Which field, and why.
        reason: String,
    },
}

/// The event as a whole is not one that a batch worker takes.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the event is not one of AWS Lambda's: {0}")]
pub struct MalformedEvent(String);

#[derive(Deserialize)]
struct Envelope {
    #[serde(rename = "Records")]
    records: Vec<Value>,
}

/// What the records of one event share.
pub(super) struct Context<'a> {
    /// `x-correlation-id` of the request; a record's own wins.
    pub correlation_id: Option<&'a str>,
    /// `traceparent` of the request.
    pub traceparent: Option<&'a str>,
}

/// Reads an event. `correlation_id` and `traceparent` are the request's; without either, a record's own id follows it.
pub fn parse(
    body: &[u8],
    correlation_id: Option<&str>,
    traceparent: Option<&str>,
) -> Result<Vec<Incoming>, MalformedEvent> {
    let envelope: Envelope = json::from_slice(body).map_err(MalformedEvent)?;
    let context = Context { correlation_id, traceparent };
    Ok(envelope.records.into_iter().enumerate().map(|(index, record)| incoming(index, record, &context)).collect())
}

fn incoming(index: usize, record: Value, context: &Context<'_>) -> Incoming {
    let id = identifier(&record).unwrap_or_else(|| format!("record-{index}"));
    let event = if record.get("dynamodb").is_some() {
        stream::dynamodb(id.clone(), record, context)
    } else if record.get("kinesis").is_some() {
        stream::kinesis(id.clone(), record, context)
    } else {
        sqs::event(id.clone(), record, context)
    };
    event.map_or_else(|reason| Incoming::Malformed { id, reason: format!("malformed: {reason}") }, Incoming::Event)
}

/// By what the source knows a record: what `batchItemFailures` must name.
fn identifier(record: &Value) -> Option<String> {
    ["/messageId", "/dynamodb/SequenceNumber", "/kinesis/sequenceNumber", "/eventID"]
        .iter()
        .find_map(|path| record.pointer(path)?.as_str())
        .map(str::to_owned)
}

/// The resource's name at the end of an ARN, and `kind:name` as [`Event::source`] has it.
pub(super) fn source(kind: &str, arn: Option<&str>) -> String {
    let resource = arn.and_then(|arn| arn.splitn(6, ':').nth(5)).unwrap_or("http");
    // `table/demand-table/stream/2024-…`, `stream/scores`, `saveEntriesQueue`
    let name = resource.split('/').nth(1).unwrap_or(resource);
    format!("{kind}:{name}")
}

impl Incoming {
    /// The event, if the record is one.
    pub fn event(&self) -> Option<&Event> {
        match self {
            Self::Event(event) => Some(event),
            Self::Malformed { .. } => None,
        }
    }
}
