//! What a filter compares of a topic's record: its value, as Lambda does.

use crate::filter::{Compared, Record};
use crate::kafka::event::TOMBSTONE;
use host_adapters_event::{Event, Payload};
use std::borrow::Cow;

pub(super) const COMPARED: Compared = Compared { members: &["value"], payload: "value", record };

fn record(event: &Event, _with_images: bool) -> Option<Record<'_>> {
    let payload = match &event.payload {
        _ if event.attribute(TOMBSTONE).is_some() => None,
        Payload::Json(text) => Some(text.as_str()),
        Payload::Bytes(bytes) => std::str::from_utf8(bytes).ok(),
    };
    Some(Record { metadata: Cow::Borrowed("{}"), payload: payload.map(Cow::Borrowed) })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::filter::RecordFilter;
    use crate::kafka::event::events_of;
    use host_adapters_platform::{LogEntry, LogPlace, Shard};

    fn is_wanted(pattern: &str, value: Option<&[u8]>) -> bool {
        let place = LogPlace { partition: 0, offset: 1 };
        let entry = LogEntry { place, key: None, value: value.map(<[u8]>::to_vec), headers: vec![], time_ms: 9 };
        let event = events_of("t", &Shard::default(), vec![entry]).remove(0);
        RecordFilter::compile(pattern, COMPARED).unwrap().wanted().unwrap()(&event)
    }

    #[test]
    fn a_value_is_compared_as_json_or_as_text() {
        let (by_rank, by_text) = (r#"{"value": {"rank": [0]}}"#, r#"{"value": [{"prefix": "rank"}]}"#);
        let cases: [(&str, Option<&[u8]>, bool); 9] = [
            (by_rank, Some(br#"{"rank": 0}"#), true),
            (by_rank, Some(br#"{"rank": 1}"#), false),
            (by_rank, Some(b"rank 0"), false),
            (by_rank, Some(b"\xff"), false),
            (by_rank, None, false),
            // What cannot be compared is handed over.
            (by_rank, Some(br#"{"rank":0,"\ud800":1}"#), true),
            (by_rank, Some(br#"{"rank":1,"\ud800":1}"#), true),
            (by_text, Some(b"rank 0"), true),
            (by_text, None, false),
        ];
        for (pattern, value, expected) in cases {
            assert_eq!(is_wanted(pattern, value), expected, "{pattern} {value:?}");
        }
    }
}
