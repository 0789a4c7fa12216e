//! From a change of an item to an event.

use host_adapters_delivery::event::{Event, Payload};
use host_adapters_platform::Change;
use serde_json::Value;

/// The events of changes read from `shard` of the stream of `table`.
pub fn events(table: &str, shard: &str, changes: Vec<Change>) -> Vec<Event> {
    let source = super::config::name(table);
    changes.into_iter().map(|change| event(&source, shard, change)).collect()
}

/// The event of a change read from `shard` of `source`. Its attempt is 0: it has not been handed over.
fn event(source: &str, shard: &str, change: Change) -> Event {
    let payload = Payload::Json(payload(&change));
    Event {
        correlation_id: change.sequence.clone(),
        id: change.sequence,
        source: source.to_owned(),
        ordering_key: Some(format!("{}|{}", change.key.pk, change.key.sk)),
        payload,
        attributes: vec![("shardId".to_owned(), shard.to_owned()), ("eventName".to_owned(), change.event_name)],
        attempt: 0,
        time_ms: change.time_ms,
        traceparent: None,
    }
}

/// `{eventName, keys, newImage?, oldImage?}`. The images are put in as they are: parsing them could round numbers.
fn payload(change: &Change) -> String {
    let text = |text: &str| Value::from(text).to_string();
    let (name, pk, sk) = (text(&change.event_name), text(&change.key.pk), text(&change.key.sk));
    let image = |key: &str, image: &Option<String>| image.as_ref().map(|image| format!(r#","{key}":{image}"#));
    let new = image("newImage", &change.new_image).unwrap_or_default();
    let old = image("oldImage", &change.old_image).unwrap_or_default();
    format!(r#"{{"eventName":{name},"keys":{{"pk":{pk},"sk":{sk}}}{new}{old}}}"#)
}

#[cfg(test)]
mod tests {
    use super::*;
    use host_adapters_records::table::Key;

    #[test]
    fn a_change_is_the_payload_that_workers_know() {
        let change = Change {
            sequence: "000017".into(),
            event_name: "MODIFY".into(),
            key: Key { pk: "CAMPAIGN#c\"1".into(), sk: "USER#u".into() },
            new_image: Some(r#"{"score":12345678901234567890123456789.5}"#.into()),
            old_image: Some("{}".into()),
            time_ms: 9,
        };
        let event = event("dynamodb-stream:demand-table", "shard-1", change);
        let expected = r##"{"eventName":"MODIFY","keys":{"pk":"CAMPAIGN#c\"1","sk":"USER#u"},"newImage":{"score":12345678901234567890123456789.5},"oldImage":{}}"##;
        assert_eq!(event.payload, Payload::Json(expected.into()));
        assert_eq!((event.id.as_str(), event.ordering_key.as_deref()), ("000017", Some("CAMPAIGN#c\"1|USER#u")));
        assert_eq!(event.attributes, [("shardId".into(), "shard-1".into()), ("eventName".into(), "MODIFY".into())]);
    }

    #[test]
    fn an_absent_image_is_left_out() {
        let key = Key { pk: "p".into(), sk: "s".into() };
        let (sequence, event_name) = ("1".to_owned(), "REMOVE".to_owned());
        let change = Change { sequence, event_name, key, new_image: None, old_image: Some("{}".into()), time_ms: 0 };
        assert_eq!(payload(&change), r#"{"eventName":"REMOVE","keys":{"pk":"p","sk":"s"},"oldImage":{}}"#);
    }
}
