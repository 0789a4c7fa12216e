//! Parses S3's events about objects: a notification, plain or wrapped by SNS, or an event of EventBridge. Pure.
//!
//! Only created objects are returned. S3 also notifies of removals, restores and the like, and sends a test message
//! when an operator configures notifications.

use crate::lambda::{Optional, Scalar};
use host_adapters_event::json;
use host_adapters_json::lenient::readable;
use percent_encoding::percent_decode;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A created object, as the worker receives it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Object {
    pub(super) bucket: String,
    /// Decoded.
    pub(super) key: String,
    /// Bytes. Readers go by the etag, so an object is read also where nobody tells its size.
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    /// Without quotation marks.
    pub(super) etag: String,
    /// Its position among the events of the key; some servers do not provide it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sequencer: Option<String>,
    /// In a bucket with versions.
    #[serde(skip_serializing_if = "Option::is_none")]
    version_id: Option<String>,
    /// `ObjectCreated:Put`.
    event_name: String,
    /// RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    event_time: Option<String>,
}

impl Object {
    /// The sequencer, which orders the events of one key. Two sequencers are compared as texts after the shorter one is
    /// padded with zeros on the right (Amazon S3 User Guide, "Event message structure").
    #[cfg(feature = "host")]
    pub(super) fn place(&self) -> Option<String> {
        self.sequencer.as_ref().map(|text| text.trim_end_matches('0').to_ascii_uppercase())
    }
}

/// The contents of a text: the created objects, or the fault of a record. `None` if it is not a notification of S3. What
/// cannot be read of it costs an object only if a reader needs it.
pub(super) fn read(text: &str) -> Option<Vec<Result<Object, String>>> {
    let notification = readable(text)?;
    match sns(&notification) {
        Some(inner) => records(readable(inner)?),
        None => records(notification),
    }
}

/// What SNS wraps unless it delivers raw messages.
fn sns(notification: &Value) -> Option<&str> {
    let text = |name| notification.get(name).and_then(Value::as_str);
    text("Message").filter(|_| text("Type") == Some("Notification"))
}

fn records(mut notification: Value) -> Option<Vec<Result<Object, String>>> {
    let text = |name| notification.get(name).and_then(Value::as_str);
    if text("Event") == Some("s3:TestEvent") {
        return Some(Vec::new());
    }
    if text("source") == Some("aws.s3") {
        return Some(event_bridge(notification).into_iter().collect());
    }
    let Some(Value::Array(records)) = notification.get_mut("Records").map(Value::take) else { return None };
    let is_of_s3 = |record: &Value| record.get("s3").is_some_and(Value::is_object);
    if records.is_empty() || !records.iter().any(is_of_s3) {
        return None;
    }
    let read = |(index, it)| record(it).map_err(|why| format!("Records[{index}]: {why}")).transpose();
    Some(records.into_iter().enumerate().filter_map(read).collect())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    event_name: String,
    #[serde(default)]
    event_time: Optional<String>,
    s3: Entity,
}

#[derive(Deserialize)]
struct Entity {
    bucket: Bucket,
    object: Described,
}

#[derive(Deserialize)]
struct Bucket {
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Described {
    key: String,
    #[serde(default)]
    size: Optional<Scalar>,
    #[serde(alias = "etag")]
    e_tag: String,
    #[serde(default, alias = "version-id")]
    version_id: Optional<String>,
    sequencer: Option<String>,
}

/// A record of a notification; `None` if it is not about a created object.
fn record(record: Value) -> Result<Option<Object>, String> {
    let name = record.get("eventName").and_then(Value::as_str).unwrap_or("ObjectCreated:");
    if !created(name) {
        return Ok(None);
    }
    let Record { event_name, event_time, s3: Entity { bucket, object } } = json::from_value(record)?;
    // Keys are form-encoded.
    let key = object.key.replace('+', " ");
    let key = percent_decode(key.as_bytes()).decode_utf8();
    let key = key.map_err(|_| "s3.object.key: not UTF-8 once it is decoded")?.into_owned();
    let e_tag = etag("s3.object.eTag", &object.e_tag)?;
    let event_name = event_name.trim_start_matches("s3:").to_owned();
    Ok(Some(object_of(bucket.name, Described { key, e_tag, ..object }, event_name, event_time)))
}

/// Other programs than S3 write `s3:` before it.
fn created(event_name: &str) -> bool {
    event_name.trim_start_matches("s3:").starts_with("ObjectCreated:")
}

fn object_of(bucket: String, it: Described, event_name: String, event_time: Optional<String>) -> Object {
    let Described { key, size, e_tag, version_id, sequencer } = it;
    Object {
        bucket,
        key,
        size: size.0.and_then(|size| size.number()),
        etag: e_tag,
        sequencer,
        version_id: version_id.0,
        event_name,
        event_time: event_time.0,
    }
}

#[derive(Deserialize)]
struct Bridged {
    #[serde(default)]
    time: Optional<String>,
    detail: Detail,
}

#[derive(Deserialize)]
struct Detail {
    bucket: Bucket,
    /// Its key is written as it is.
    object: Described,
    #[serde(default)]
    reason: Optional<String>,
}

/// `None` if it is not about a created object.
fn event_bridge(event: Value) -> Option<Result<Object, String>> {
    let detail_type = event.get("detail-type").and_then(Value::as_str);
    match detail_type.map(|detail_type| detail_type == "Object Created") {
        Some(true) => Some(bridged(event)),
        Some(false) => None,
        None => Some(Err("detail-type: missing, or not a text".to_owned())),
    }
}

fn bridged(event: Value) -> Result<Object, String> {
    let Bridged { time, detail: Detail { bucket, object, reason } } = json::from_value(event)?;
    let e_tag = etag("detail.object.etag", &object.e_tag)?;
    // The names of requests, of which a notification leaves `Object` out.
    let request = reason.0.as_deref().unwrap_or("Put").replace("Object", "");
    let event_name = format!("ObjectCreated:{}", request.trim());
    Ok(object_of(bucket.name, Described { e_tag, ..object }, event_name, time))
}

/// An etag without its quotation marks. An empty one is of no version, so no reader could ask for it.
fn etag(field: &str, written: &str) -> Result<String, String> {
    match written.trim_matches('"') {
        "" => Err(format!("{field}: empty")),
        etag => Ok(etag.to_owned()),
    }
}

#[cfg(all(test, feature = "host"))]
#[allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    non_snake_case,
    reason = "tests, named after cases"
)]
mod tests;
