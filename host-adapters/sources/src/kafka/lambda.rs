//! AWS Lambda's records of a topic, of Amazon MSK and of other Kafkas.

use super::event::{Record as Made, event as made};
use crate::lambda::{Context, LeftOut, Notes, Optional, Scalar};
use base64::alphabet;
use base64::engine::{Engine, GeneralPurpose, GeneralPurposeConfig};
use host_adapters_event::{Event, json, source_name};
use serde::Deserialize;
use serde_json::Value;
use std::str::FromStr;

/// Base64, also with bits behind the last byte, as in the key of the event that AWS documents.
static BASE64: GeneralPurpose =
    GeneralPurpose::new(&alphabet::STANDARD, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));

#[derive(Deserialize)]
struct Record {
    topic: String,
    partition: Scalar,
    offset: Scalar,
    /// Milliseconds since 1970.
    #[serde(default)]
    timestamp: Optional<Scalar>,
    /// Base64.
    key: Option<String>,
    /// Base64.
    value: Option<String>,
    /// Each an object with one member, whose value is a list of bytes.
    #[serde(default)]
    headers: Value,
}

/// The event of a record. Its id is made of its partition and its offset.
pub(super) fn event(_: String, record: Value, context: &Context<'_>, notes: &mut Notes<'_>) -> Result<Event, String> {
    let record: Record = json::from_value(record)?;
    let (partition, offset) = (number(&record.partition, "partition")?, number(&record.offset, "offset")?);
    let key = record.key.map(|key| bytes(&key, "key")).transpose()?;
    let value = record.value.map(|value| bytes(&value, "value")).transpose()?;
    let mut headers = Vec::new();
    for header in record.headers.as_array().into_iter().flatten() {
        for (name, value) in header.as_object().into_iter().flatten() {
            match header_bytes(value) {
                Some(value) => headers.push((name.clone(), value)),
                None => {
                    let source = source_name::of_log_topic(&record.topic);
                    notes(LeftOut { source, id: format!("{partition}-{offset}"), attribute: name.clone() });
                }
            }
        }
    }
    let time_ms = record.timestamp.0.and_then(|time| time.number()).unwrap_or(0);
    // Lambda does not provide the attempt.
    let record = Made { topic: record.topic, partition, offset, key, value, headers, time_ms, attempt: 1 };
    Ok(made(record, context))
}

fn number<N: FromStr>(number: &Scalar, field: &str) -> Result<N, String> {
    number.number().ok_or_else(|| format!("{field} is not a number that there can be"))
}

fn bytes(base64: &str, field: &str) -> Result<Vec<u8>, String> {
    BASE64.decode(base64).map_err(|error| format!("{field} is not base64: {error}"))
}

/// The bytes of a header: a list of numbers, with or without sign, or base64. Null is an empty value.
fn header_bytes(value: &Value) -> Option<Vec<u8>> {
    let byte = |number: &Value| {
        let number = number.as_i64()?;
        u8::try_from(number).ok().or_else(|| i8::try_from(number).ok().map(i8::cast_unsigned))
    };
    match value {
        Value::Null => Some(Vec::new()),
        Value::String(text) => BASE64.decode(text).ok(),
        Value::Array(numbers) => numbers.iter().map(byte).collect(),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use host_adapters_event::Payload;
    use serde_json::json;

    fn record() -> Value {
        json!({
            "topic": "events", "partition": 0, "offset": 15, "timestamp": 1_545_084_650_987_u64,
            "timestampType": "CREATE_TIME", "key": "YWJj", "value": "SGVsbG8=",
            "headers": [{"dedup-id": [104, 105, -1, 255]}, {"again": "aGk="}, {"none": null}],
        })
    }

    fn read(record: Value) -> (Result<Event, String>, Vec<String>) {
        let mut left_out = Vec::new();
        let event = event(String::new(), record, &Context::default(), &mut |it| left_out.push(it.attribute));
        (event, left_out)
    }

    #[test]
    fn a_record_is_read() {
        let (event, left_out) = read(record());
        let event = event.unwrap();
        assert_eq!((event.id.as_str(), event.source.as_str(), event.attempt), ("0-15", "kafka:events", 1));
        assert_eq!((event.ordering_key.as_deref(), event.time_ms), (Some("abc"), 1_545_084_650_987));
        assert_eq!(event.payload, Payload::Bytes(b"Hello".to_vec()));
        let headers: Vec<_> = event.attributes[2..].iter().map(|it| (&*it.name, it.value.to_string())).collect();
        let expected = [("dedup-id", "aGn//w=="), ("again", "hi"), ("none", "")];
        assert_eq!(headers, expected.map(|(name, value)| (name, value.to_owned())));
        assert_eq!(left_out, [""; 0]);
    }

    #[test]
    fn what_cannot_be_read_of_headers_costs_no_record() {
        let mut record = record();
        record["headers"] = json!([{"bad": [256]}, {"worse": {}}, 7, {"good": [104]}]);
        let (event, left_out) = read(record.clone());
        assert_eq!(event.unwrap().attribute("good"), Some("h"));
        assert_eq!(left_out, ["bad", "worse"]);
        for junk in [json!(7), json!({}), Value::Null] {
            record["headers"] = junk;
            assert!(read(record.clone()).0.is_ok());
        }
    }

    #[test]
    fn what_decides_about_a_record_is_needed() {
        for (member, junk) in [
            ("topic", Value::Null),
            ("partition", json!(-1)),
            ("offset", json!("many")),
            ("key", json!("%")),
            ("value", json!(7)),
        ] {
            let mut record = record();
            record[member] = junk;
            let refused = read(record).0.unwrap_err();
            assert!(refused.contains(member), "{refused}");
        }
    }
}
