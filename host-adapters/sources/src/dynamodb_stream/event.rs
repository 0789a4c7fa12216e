//! Converts the change of an item to an event.

use super::attribute_value::text;
use crate::lambda::Context;
#[cfg(feature = "host")]
use host_adapters_delivery::stream::shard_attributes;
use host_adapters_event::{Attribute, Event, Payload};
#[cfg(feature = "host")]
use host_adapters_platform::Shard;

/// A change, from the host's own reader or from Lambda. Keys and images are JSON text.
pub(super) struct Change {
    pub(super) id: String,
    /// `<kind>:<table>`.
    pub(super) source: String,
    /// What is known of its shard.
    pub(super) shard: Vec<Attribute>,
    pub(super) event_name: String,
    pub(super) ordering_key: Option<String>,
    pub(super) keys: String,
    pub(super) new_image: Option<String>,
    pub(super) old_image: Option<String>,
    /// Who made the change, if it was a service: JSON text.
    pub(super) user_identity: Option<String>,
    pub(super) attempt: u32,
    /// Milliseconds since 1970 (UTC).
    pub(super) time_ms: u64,
}

/// The event of a change.
pub(super) fn event(change: Change, context: &Context<'_>) -> Event {
    let payload = Payload::Json(payload(&change));
    Event {
        correlation_id: context.correlation_id(None, &change.id),
        traceparent: context.traceparent(None),
        id: change.id,
        source: change.source,
        ordering_key: change.ordering_key,
        payload,
        attributes: [Attribute::text("eventName", change.event_name)].into_iter().chain(change.shard).collect(),
        attempt: change.attempt,
        time_ms: change.time_ms,
    }
}

/// `{eventName, keys, newImage?, oldImage?, userIdentity?}`. Images are inserted as text, because parsing them could
/// round numbers.
fn payload(change: &Change) -> String {
    let member = |name: &str, json: &Option<String>| {
        json.as_ref().map(|json| format!(r#","{name}":{json}"#)).unwrap_or_default()
    };
    let new = member("newImage", &change.new_image);
    let old = member("oldImage", &change.old_image);
    let identity = member("userIdentity", &change.user_identity);
    let (name, keys) = (text(&change.event_name), &change.keys);
    format!(r#"{{"eventName":{name},"keys":{keys}{new}{old}{identity}}}"#)
}

/// The ordering key of an item: its changes are delivered in order.
pub(super) fn ordering_key(pk: &str, sk: &str) -> String {
    format!("{pk}|{sk}")
}

/// The ordering key of a change, from the event's payload.
#[cfg(feature = "host")]
pub(crate) fn ordering_key_of(payload: &Payload) -> Option<String> {
    let Payload::Json(text) = payload else { return None };
    let change: serde_json::Value = serde_json::from_str(text).ok()?;
    Some(ordering_key(change.pointer("/keys/pk")?.as_str()?, change.pointer("/keys/sk")?.as_str()?))
}

/// The events of changes that the host read from `shard` of the stream of `table`. Their attempt is 0, because they
/// have not been handed over.
#[cfg(feature = "host")]
pub(super) fn events(table: &str, shard: &Shard, changes: Vec<host_adapters_platform::Change>) -> Vec<Event> {
    let (source, shard) = (host_adapters_event::source_name::of_table_stream(table), shard_attributes(shard));
    let change = |change: host_adapters_platform::Change| Change {
        id: change.sequence,
        source: source.clone(),
        shard: shard.clone(),
        event_name: change.event_name,
        ordering_key: Some(ordering_key(&change.key.pk, &change.key.sk)),
        keys: format!(r#"{{"pk":{},"sk":{}}}"#, text(&change.key.pk), text(&change.key.sk)),
        new_image: change.new_image,
        old_image: change.old_image,
        user_identity: change.user_identity,
        attempt: 0,
        time_ms: change.time_ms,
    };
    changes.into_iter().map(|it| event(change(it), &Context::default())).collect()
}

#[cfg(all(test, feature = "host"))]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use host_adapters_platform::Change;
    use host_adapters_records::table::Key;

    fn event(shard: &str, change: Change) -> Event {
        event_of(&Shard { id: shard.to_owned(), ..Shard::default() }, change)
    }

    fn event_of(shard: &Shard, change: Change) -> Event {
        events("demand-table", shard, vec![change]).remove(0)
    }

    #[test]
    fn a_change_names_the_shards_that_came_before_its_own() {
        let change = |sequence: &str| Change {
            sequence: sequence.to_owned(),
            event_name: "REMOVE".to_owned(),
            key: Key { pk: "p".into(), sk: "s".into() },
            new_image: None,
            old_image: Some("{}".into()),
            user_identity: None,
            time_ms: 0,
        };
        let parents = |parents: &[&str]| {
            let parents = parents.iter().map(ToString::to_string).collect();
            let shard = Shard { id: "child".to_owned(), parents, ..Shard::default() };
            let event = event_of(&shard, change("1"));
            assert_eq!(Attribute::find(&event.attributes, "shardId"), Some("child"));
            Attribute::find(&event.attributes, "parentShardId").map(str::to_owned)
        };
        assert_eq!(parents(&[]), None);
        assert_eq!(parents(&["split"]).as_deref(), Some("split"));
        assert_eq!(parents(&["left", "right"]).as_deref(), Some("left,right"));
    }

    #[test]
    fn a_change_is_the_payload_that_workers_know() {
        let change = Change {
            sequence: "000017".into(),
            event_name: "MODIFY".into(),
            key: Key { pk: "CAMPAIGN#c\"1".into(), sk: "USER#u".into() },
            new_image: Some(r#"{"score":12345678901234567890123456789.5}"#.into()),
            old_image: Some("{}".into()),
            user_identity: None,
            time_ms: 9,
        };
        let event = event("shard-1", change);
        let expected = r##"{"eventName":"MODIFY","keys":{"pk":"CAMPAIGN#c\"1","sk":"USER#u"},"newImage":{"score":12345678901234567890123456789.5},"oldImage":{}}"##;
        assert_eq!(event.payload, Payload::Json(expected.into()));
        assert_eq!((event.id.as_str(), event.ordering_key.as_deref()), ("000017", Some("CAMPAIGN#c\"1|USER#u")));
        assert_eq!(event.attributes, [Attribute::text("eventName", "MODIFY"), Attribute::text("shardId", "shard-1")]);
        assert_eq!(ordering_key_of(&event.payload), event.ordering_key);
    }

    #[test]
    fn an_absent_image_is_left_out() {
        let key = Key { pk: "p".into(), sk: "s".into() };
        let (sequence, event_name) = ("1".to_owned(), "REMOVE".to_owned());
        let (new_image, old_image, user_identity) = (None, Some("{}".into()), None);
        let change = Change { sequence, event_name, key, new_image, old_image, user_identity, time_ms: 0 };
        let expected = r#"{"eventName":"REMOVE","keys":{"pk":"p","sk":"s"},"oldImage":{}}"#;
        assert_eq!(event("shard-1", change).payload, Payload::Json(expected.into()));
    }

    /// The host's event of a change and a worker's event of Lambda's record differ only in what Lambda does not
    /// provide: the shard, and how often the record was handed over.
    #[test]
    fn a_change_is_the_same_event_from_the_host_and_from_lambda() {
        let change = Change {
            sequence: "17".into(),
            event_name: "INSERT".into(),
            key: Key { pk: "p".into(), sk: "s".into() },
            new_image: Some(r#"{"pk":"p","score":7.50,"sk":"s"}"#.into()),
            old_image: None,
            user_identity: Some(r#"{"principalId":"dynamodb.amazonaws.com","type":"Service"}"#.into()),
            time_ms: 9_000,
        };
        let tagged = serde_json::json!({"pk": {"S": "p"}, "sk": {"S": "s"}});
        let mut image = tagged.clone();
        image["score"] = serde_json::json!({"N": "7.50"});
        let record = serde_json::json!({
            "eventName": "INSERT",
            "userIdentity": {"type": "Service", "principalId": "dynamodb.amazonaws.com"},
            "dynamodb": {"SequenceNumber": "17", "ApproximateCreationDateTime": 9, "Keys": tagged, "NewImage": image},
            "eventSourceARN": "arn:aws:dynamodb:us-east-1:1:table/demand-table/stream/2024-01-01T00:00:00.000",
        });
        let mut ours = event("shard-1", change);
        let theirs = super::super::lambda::dynamodb("17".to_owned(), record, &Context::default(), &mut |_| ()).unwrap();
        ours.attributes.retain(|it| it.name != "shardId");
        assert_eq!(Event { attempt: 1, ..ours }, theirs);
    }
}
