//! What a filter compares of a data stream's record: its data, as Lambda does.

use crate::dynamodb_stream::record_of;
use crate::filter::{Compared, Record};
use host_adapters_event::{Event, Payload};
use std::borrow::Cow;

/// Of each of the records that are packed into one, its own data.
pub(super) const COMPARED: Compared = Compared { members: &["data"], payload: "data", record };

fn record(event: &Event, with_images: bool) -> Option<Record<'_>> {
    let payload = match &event.payload {
        // A change of a table, which was converted when it was read. Other data has no such attribute.
        change if event.attribute("eventName").is_some() => Some(Cow::Owned(record_of(change, with_images)?)),
        Payload::Json(text) => Some(Cow::Borrowed(text.as_str())),
        Payload::Bytes(bytes) => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
    };
    Some(Record { metadata: Cow::Borrowed("{}"), payload })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::filter::RecordFilter;
    use host_adapters_event::Attribute;

    fn is_wanted(pattern: &str, payload: Payload, attributes: Vec<Attribute>) -> bool {
        let event = Event {
            id: "1".to_owned(),
            source: "kinesis:s".to_owned(),
            ordering_key: None,
            payload,
            attributes,
            attempt: 0,
            time_ms: 0,
            correlation_id: String::new(),
            traceparent: None,
        };
        RecordFilter::compile(pattern, COMPARED).unwrap().wanted().unwrap()(&event)
    }

    #[test]
    fn data_is_compared_as_json_or_as_text() {
        let by_rank = r#"{"data": {"rank": [0]}}"#;
        let json = |text: &str| Payload::Json(text.to_owned());
        for (pattern, payload, expected) in [
            (by_rank, json(r#"{"rank": 0}"#), true),
            (by_rank, json(r#"{"rank": 1}"#), false),
            (by_rank, Payload::Bytes(b"rank 0".to_vec()), false),
            (by_rank, Payload::Bytes(vec![0xff]), false),
            (r#"{"data": [{"prefix": "rank"}]}"#, Payload::Bytes(b"rank 0".to_vec()), true),
        ] {
            assert_eq!(is_wanted(pattern, payload.clone(), vec![]), expected, "{pattern} {payload:?}");
        }
    }

    #[test]
    fn a_change_of_a_table_is_compared_as_it_was_put() {
        let change = r#"{"eventName":"INSERT","keys":{"pk":"p","sk":"USER#u"},"newImage":{"n":7}}"#;
        let is_wanted = |pattern: &str| {
            let attributes = vec![Attribute::text("eventName", "INSERT")];
            is_wanted(pattern, Payload::Json(change.to_owned()), attributes)
        };
        assert!(is_wanted(r#"{"data": {"dynamodb": {"Keys": {"sk": {"S": [{"prefix": "USER#"}]}}}}}"#));
        assert!(is_wanted(r#"{"data": {"dynamodb": {"NewImage": {"n": {"N": ["7"]}}}}}"#));
        assert!(!is_wanted(r#"{"data": {"keys": {"sk": [{"prefix": "USER#"}]}}}"#));
    }
}
