//! Converts a record of a topic to an event.

use crate::lambda::Context;
use base64::{Engine, engine::general_purpose::STANDARD};
use host_adapters_event::{Attribute, AttributeValue, Event, Payload, source_name};
use std::collections::BTreeSet;

/// The attribute that names the partition.
const PARTITION: &str = "shardId";
/// The attribute that holds the key.
const KEY: &str = "key";
/// The attribute of a record without a value, which is not one with an empty value.
pub(super) const TOMBSTONE: &str = "tombstone";
/// The names that headers do not have.
const OWN: [&str; 3] = [PARTITION, KEY, TOMBSTONE];

/// A record, from the host's own reader or from Lambda.
pub(super) struct Record {
    pub(super) topic: String,
    pub(super) partition: u32,
    pub(super) offset: u64,
    pub(super) key: Option<Vec<u8>>,
    pub(super) value: Option<Vec<u8>>,
    /// In their order; names may repeat.
    pub(super) headers: Vec<(String, Vec<u8>)>,
    /// Milliseconds since 1970 (UTC).
    pub(super) time_ms: u64,
    /// How often it was handed over, this time included.
    pub(super) attempt: u32,
}

/// The event of a record.
pub(super) fn event(record: Record, context: &Context<'_>) -> Event {
    let Record { topic, partition, offset, key, value, headers, time_ms, attempt } = record;
    let id = format!("{partition}-{offset}");
    let tombstone = value.is_none().then(|| Attribute::text(TOMBSTONE, "true"));
    let key = key.map(|key| attribute(KEY.to_owned(), key));
    let ordering_key = key.as_ref().map(key_group);
    let own = [Attribute::text(PARTITION, partition.to_string())].into_iter().chain(key).chain(tombstone);
    let attributes = with_headers(own.collect(), headers);
    let from_header = |name: &str| Attribute::find(&attributes, name).map(str::to_owned);
    Event {
        correlation_id: context.correlation_id(from_header("correlationId"), &id),
        traceparent: context.traceparent(from_header("traceparent")),
        id,
        source: source_name::of_log_topic(&topic),
        ordering_key,
        payload: payload(value.unwrap_or_default()),
        attributes,
        attempt,
        time_ms,
    }
}

/// The name of the key group of records with this key.
fn key_group(key: &Attribute) -> String {
    match &key.value {
        AttributeValue::Text(text) => text.clone(),
        AttributeValue::Bytes(bytes) => STANDARD.encode(bytes),
    }
}

/// The ordering key of a record with these attributes.
#[cfg(feature = "host")]
pub(super) fn ordering_key(attributes: &[Attribute]) -> Option<String> {
    attributes.iter().find(|attribute| attribute.name == KEY).map(key_group)
}

fn payload(value: Vec<u8>) -> Payload {
    String::from_utf8(value).map_or_else(|error| Payload::Bytes(error.into_bytes()), Payload::of_text)
}

/// Text where it is text, else bytes.
fn attribute(name: String, value: Vec<u8>) -> Attribute {
    match String::from_utf8(value) {
        Ok(text) => Attribute::text(name, text),
        Err(error) => Attribute::typed(name, Attribute::BINARY, AttributeValue::Bytes(error.into_bytes())),
    }
}

/// Adds the headers under their names. A name that there is already, or could be, gets a number: `again`, `again.2`,
/// `again.3`.
fn with_headers(mut attributes: Vec<Attribute>, headers: Vec<(String, Vec<u8>)>) -> Vec<Attribute> {
    let mut names: BTreeSet<String> = OWN.map(str::to_owned).into();
    for (name, value) in headers {
        let mut free = name.clone();
        let mut number = 2_u32;
        while !names.insert(free.clone()) {
            free = format!("{name}.{number}");
            number += 1;
        }
        attributes.push(attribute(free, value));
    }
    attributes
}

/// The events of the records that the host read from a partition, in order. Their attempt is 0, because they have not been
/// handed over.
#[cfg(feature = "host")]
pub(super) fn events_of(
    topic: &str,
    _partition: &host_adapters_platform::Shard,
    entries: Vec<host_adapters_platform::LogEntry>,
) -> Vec<Event> {
    let made = |entry: host_adapters_platform::LogEntry| {
        let host_adapters_platform::LogEntry { place, key, value, headers, time_ms } = entry;
        let headers = headers.into_iter().map(|(name, value)| (name, value.unwrap_or_default())).collect();
        let (topic, partition, offset) = (topic.to_owned(), place.partition, place.offset);
        event(Record { topic, partition, offset, key, value, headers, time_ms, attempt: 0 }, &Context::default())
    };
    entries.into_iter().map(made).collect()
}

#[cfg(all(test, feature = "host"))]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use host_adapters_platform::{LogEntry, LogPlace, Shard};

    fn read(key: Option<&[u8]>, value: Option<&[u8]>, headers: &[(&str, Option<&[u8]>)]) -> Event {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), value.map(<[u8]>::to_vec))).collect();
        let place = LogPlace { partition: 2, offset: 17 };
        let (key, value) = (key.map(<[u8]>::to_vec), value.map(<[u8]>::to_vec));
        let entry = LogEntry { place, key, value, headers, time_ms: 9 };
        let shard = Shard { id: "2".to_owned(), ..Shard::default() };
        events_of("prd.events", &shard, vec![entry]).remove(0)
    }

    fn shown(event: &Event) -> Vec<(&str, String)> {
        event.attributes.iter().map(|it| (it.name.as_str(), it.value.to_string())).collect()
    }

    #[test]
    fn a_record_names_its_topic_partition_offset_and_key() {
        let event = read(Some(b"c-1"), Some(br#" {"n":12345678901234567890.50} "#), &[("dedup-id", Some(b"M:m:1"))]);
        assert_eq!((event.source.as_str(), event.id.as_str(), event.time_ms), ("kafka:prd.events", "2-17", 9));
        assert_eq!((event.ordering_key.as_deref(), event.attempt), (Some("c-1"), 0));
        assert_eq!(event.payload, Payload::Json(r#" {"n":12345678901234567890.50} "#.to_owned()));
        let expected = [("shardId", "2"), ("key", "c-1"), ("dedup-id", "M:m:1")];
        assert_eq!(shown(&event), expected.map(|(name, value)| (name, value.to_owned())));
        assert_eq!(event.correlation_id, "2-17");
        assert_eq!(event.log_place(), Some(("prd.events-2".to_owned(), 17)));
    }

    #[test]
    fn values_are_json_or_bytes_and_a_missing_one_is_a_tombstone() {
        let bytes = |bytes: &[u8]| Payload::Bytes(bytes.to_vec());
        assert_eq!(read(None, Some(b"{truncated"), &[]).payload, bytes(b"{truncated"));
        assert_eq!(read(None, Some(b"\xff"), &[]).payload, bytes(b"\xff"));
        assert_eq!((read(None, Some(b""), &[]).payload, read(None, None, &[]).payload), (bytes(b""), bytes(b"")));
        assert_eq!(read(None, Some(b""), &[]).attribute(TOMBSTONE), None);
        assert_eq!(read(None, None, &[]).attribute(TOMBSTONE), Some("true"));
    }

    #[test]
    fn no_header_is_lost() {
        let headers: [(&str, Option<&[u8]>); 6] = [
            ("again", Some(b"1")),
            ("again", Some(b"2")),
            ("again.2", None),
            ("key", Some(b"k")),
            ("correlationId", Some(b"c")),
            ("image", Some(b"\xff")),
        ];
        let event = read(None, Some(b"{}"), &headers);
        let expected = [
            ("shardId", "2"),
            ("again", "1"),
            ("again.2", "2"),
            ("again.2.2", ""),
            ("key.2", "k"),
            ("correlationId", "c"),
            ("image", "/w=="),
        ];
        assert_eq!(shown(&event), expected.map(|(name, value)| (name, value.to_owned())));
        assert_eq!((event.correlation_id.as_str(), event.ordering_key.as_deref()), ("c", None));
    }

    #[test]
    fn a_key_that_is_not_text_still_has_its_group() {
        let event = read(Some(b"\xff\x00"), Some(b"{}"), &[]);
        assert_eq!(event.ordering_key.as_deref(), Some("/wA="));
        assert_eq!(ordering_key(&event.attributes), event.ordering_key);
    }
}
