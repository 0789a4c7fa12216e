//! AWS Lambda's records of a data stream.

use super::aggregate::open;
use super::event::{Origin, PARTITION_KEY, Record, made_of};
use crate::dynamodb_stream::{milliseconds, object};
use crate::lambda::{Context, Notes, Optional, Scalar, Several, source};
use base64::{Engine, engine::general_purpose::STANDARD};
use host_adapters_event::source_name::DATA_STREAM;
use host_adapters_event::{Attribute, Event, Payload, json};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct LambdaRecord {
    kinesis: Kinesis,
    #[serde(default, rename = "eventID")]
    event_id: Optional<String>,
    #[serde(default, rename = "eventSourceARN")]
    arn: Optional<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kinesis {
    /// Base64.
    data: String,
    #[serde(default)]
    partition_key: Optional<String>,
    /// Seconds since 1970.
    #[serde(default)]
    approximate_arrival_timestamp: Optional<Scalar>,
}

/// The event of a record. If several records are packed into it, the event contains all of them; [`opened`] unpacks
/// them.
pub(super) fn event(id: String, record: Value, context: &Context<'_>, _: &mut Notes<'_>) -> Result<Event, String> {
    object(&record, "kinesis")?;
    let LambdaRecord { kinesis, event_id, arn } = json::from_value(record)?;
    let data = STANDARD.decode(&kinesis.data).map_err(|error| format!("kinesis.data is not base64: {error}"))?;
    let source = arn.0.map(|arn| source(DATA_STREAM, Some(&arn)));
    // `shardId-000000000006:49590338271490256608559692538361571095921575989136588898`
    let shard = event_id.0.and_then(|id| Some(Attribute::text("shardId", id.split_once(':')?.0)));
    let time = kinesis.approximate_arrival_timestamp.0.and_then(|time| time.number()).filter(|it| f64::is_finite(*it));
    let record =
        Record { sequence: id, partition_key: kinesis.partition_key.0, data, time_ms: time.map_or(0, milliseconds) };
    // Lambda does not provide the attempt.
    let origin = Origin { source: source.as_deref(), shard: shard.as_slice(), attempt: 1, context };
    Ok(record.made(&origin).0)
}

/// The events of the records that are packed into the record of an event; `None` if there is only the one.
pub(super) fn opened(event: &Event) -> Option<Several> {
    let Payload::Bytes(data) = &event.payload else { return None };
    if event.source.split(':').next() != Some(DATA_STREAM) {
        return None;
    }
    let parts = open(data)?;
    let shard: Vec<_> = event.attributes.iter().filter(|it| it.name != PARTITION_KEY).cloned().collect();
    let correlation_id = Some(event.correlation_id.as_str()).filter(|correlation_id| *correlation_id != event.id);
    let context = Context { correlation_id, traceparent: event.traceparent.as_deref() };
    let origin = Origin { source: Some(&event.source), shard: &shard, attempt: event.attempt, context: &context };
    let events = made_of(parts, &event.id, event.time_ms, &origin).map(|(event, _)| event).collect();
    Some(Several { id: event.id.clone(), events, malformed: None })
}
