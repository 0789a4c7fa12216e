//! AWS Lambda's records of a table's changes, and the same changes as the data of a Kinesis stream for DynamoDB.

use super::attribute_value::plain;
use super::event::{Change as EventChange, event as event_of, ordering_key};
use crate::lambda::{Context, Notes, Optional, Scalar, source};
use host_adapters_event::{Attribute, Event, json, source_name};
use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    event_name: String,
    dynamodb: Change,
    user_identity: Option<Value>,
    #[serde(default, rename = "eventSourceARN")]
    arn: Optional<String>,
    #[serde(default)]
    table_name: Optional<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Change {
    keys: Map<String, Value>,
    new_image: Option<Map<String, Value>>,
    old_image: Option<Map<String, Value>>,
    /// Seconds since 1970 on a table's own stream, milliseconds or more on Kinesis.
    #[serde(default)]
    approximate_creation_date_time: Optional<Scalar>,
}

/// A record of a table's own stream.
pub(super) fn dynamodb(id: String, record: Value, context: &Context<'_>, _: &mut Notes<'_>) -> Result<Event, String> {
    let record = change(record)?;
    let source = source(source_name::TABLE_STREAM, record.arn.0.as_deref());
    event(id, record, source, Vec::new(), context)
}

/// A change of a table, in the data of another stream's record.
pub(crate) struct ChangeInRecord {
    pub(crate) event: Event,
    /// When the change was made, as it says itself, to the microsecond where its stream is so set.
    pub(crate) made: Option<String>,
}

/// The change that the data of a record is, as in a Kinesis stream for DynamoDB: an object with `eventName` and the keys of
/// an item. `None` for other data. `source` is `kinesis:<stream>`; where that is unknown, the table's name stands for it.
pub(crate) fn change_in(
    text: &str,
    id: &str,
    source: Option<&str>,
    shard: &[Attribute],
    context: &Context<'_>,
) -> Option<ChangeInRecord> {
    // Other data is not parsed.
    if !text.contains(r#""dynamodb""#) {
        return None;
    }
    let record = change(serde_json::from_str(text).ok()?).ok()?;
    let made = record.dynamodb.approximate_creation_date_time.0.as_ref().map(|time| time.0.clone());
    let of_table = || source_name::of_data_stream(record.table_name.0.as_deref().unwrap_or("http"));
    let source = source.map_or_else(of_table, str::to_owned);
    let event = event(id.to_owned(), record, source, shard.to_vec(), context).ok()?;
    Some(ChangeInRecord { event, made })
}

fn change(record: Value) -> Result<Record, String> {
    object(&record, "dynamodb")?;
    json::from_value(record)
}

/// Refuses lists: serde would read a list as an object, its values in the order of the fields.
pub(crate) fn object(record: &Value, field: &str) -> Result<(), String> {
    let is_list = record.get(field).is_some_and(Value::is_array);
    if is_list { Err(format!("{field}: invalid type: sequence, expected an object")) } else { Ok(()) }
}

fn event(
    id: String,
    record: Record,
    source: String,
    shard: Vec<Attribute>,
    context: &Context<'_>,
) -> Result<Event, String> {
    let image = |name: &str, image: Option<Map<String, Value>>| {
        image.map(|image| plain(&format!("dynamodb.{name}"), &image)).transpose()
    };
    let keys = record.dynamodb.keys;
    let time = record.dynamodb.approximate_creation_date_time.0;
    let change = EventChange {
        source,
        shard,
        event_name: record.event_name,
        ordering_key: key("pk", &keys).zip(key("sk", &keys)).map(|(pk, sk)| ordering_key(pk, sk)),
        keys: plain("dynamodb.Keys", &keys)?,
        new_image: image("NewImage", record.dynamodb.new_image)?,
        old_image: image("OldImage", record.dynamodb.old_image)?,
        user_identity: record.user_identity.map(|identity| identity.to_string()),
        // Lambda does not provide the attempt; a worker that needs it reads the item.
        attempt: 1,
        time_ms: time.and_then(|time| time.number()).filter(|time| f64::is_finite(*time)).map_or(0, milliseconds),
        id,
    };
    Ok(event_of(change, context))
}

fn key<'k>(name: &str, keys: &'k Map<String, Value>) -> Option<&'k str> {
    keys.get(name)?.get("S")?.as_str()
}

/// Guesses the unit from the size: seconds until the year 5138, then milliseconds, then microseconds (the precision of
/// a Kinesis stream is configurable).
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to what fits")]
pub(crate) fn milliseconds(time: f64) -> u64 {
    let milliseconds = match time {
        time if time < 1e11 => (time * 1e3).round(),
        time if time < 1e14 => time,
        time => time / 1e3,
    };
    milliseconds.clamp(0.0, 9e15) as u64
}
