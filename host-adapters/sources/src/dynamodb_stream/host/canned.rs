//! Changes of a table for `host-adapters events generate`.

use super::tagged::tagged_map;
use crate::canned::{ACCOUNT, CannedEvent, REGION, Records, check_numbers};
use crate::kinesis::record;
use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::Utc;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Has as many digits as DynamoDB's own; later records count up from it.
const FIRST_SEQUENCE_NUMBER: u128 = 4_421_584_500_000_000_017_450_439_091;
/// Lambda names the shard where the mapping has a tumbling window, the host always.
const SHARD: &str = "shardId-00000001705314600000-a1b2c3d4";
const EXAMPLE: (&str, &str) = ("example-table", r#"{"eventName":"INSERT","newImage":{"pk":"example","sk":"1"}}"#);

/// The same changes arrive by both.
pub(crate) const CANNED: &[CannedEvent] = &[
    CannedEvent {
        name: "dynamodb-stream",
        about: "Changes of a table, by its own stream",
        body: "/Records/0",
        example: EXAMPLE,
        make: by_its_own_stream,
    },
    CannedEvent {
        name: "kinesis-dynamodb",
        about: "Changes of a table, by a Kinesis stream for DynamoDB",
        body: "/Records/0",
        example: EXAMPLE,
        make: by_kinesis,
    },
];

/// A change of an item with DynamoDB's type tags.
struct Change {
    event_name: String,
    user_identity: Value,
    keys: Value,
    images: Map<String, Value>,
}

/// A change as workers see it, or as AWS encodes it. The numbers of plain images are read as they are spelled.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    event_name: Option<String>,
    #[serde(default)]
    user_identity: Value,
    #[serde(borrow)]
    new_image: Option<BTreeMap<String, &'a RawValue>>,
    #[serde(borrow)]
    old_image: Option<BTreeMap<String, &'a RawValue>>,
    #[serde(default)]
    dynamodb: Value,
}

fn by_its_own_stream(records: &Records<'_>, body: &str) -> Result<Value, String> {
    let (change, table) = (Change::read(body)?, records.from);
    check_numbers(records)?;
    let mut event = records.event(|id, n| {
        let number = id.unwrap_or_else(|| (FIRST_SEQUENCE_NUMBER + u128::from(n)).to_string());
        let seconds = Utc::now().timestamp();
        let mut record = json!({
            "eventID": Uuid::new_v4().simple().to_string(),
            "eventName": change.event_name,
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": REGION,
            "dynamodb": change.record(&[
                ("ApproximateCreationDateTime", json!(seconds)),
                ("SequenceNumber", json!(number)),
                ("StreamViewType", json!("NEW_AND_OLD_IMAGES")),
            ]),
            "eventSourceARN":
                format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{table}/stream/2024-01-01T00:00:00.000"),
        });
        if let Some(record) = record.as_object_mut().filter(|_| !change.user_identity.is_null()) {
            record.insert("userIdentity".to_owned(), change.user_identity.clone());
        }
        record
    });
    if let Some(event) = event.as_object_mut() {
        event.insert("shardId".to_owned(), json!(SHARD));
    }
    Ok(event)
}

/// A Kinesis stream for DynamoDB, in which each record holds one change as JSON.
fn by_kinesis(records: &Records<'_>, body: &str) -> Result<Value, String> {
    let (change, table) = (Change::read(body)?, records.from);
    check_numbers(records)?;
    Ok(records.event(|id, n| {
        let data = json!({
            "awsRegion": REGION,
            "eventID": Uuid::new_v4().to_string(),
            "eventName": change.event_name,
            "userIdentity": change.user_identity,
            "recordFormat": "application/json",
            "tableName": table,
            "dynamodb": change.record(&[("ApproximateCreationDateTime", json!(Utc::now().timestamp_millis()))]),
            "eventSource": "aws:dynamodb",
        });
        let key = Uuid::new_v4().simple().to_string();
        record(table, &key, &BASE64_STANDARD.encode(data.to_string()), id, n)
    }))
}

impl Change {
    /// Reads a change as workers see it, or as AWS encodes it.
    fn read(body: &str) -> Result<Self, String> {
        let body = serde_json::from_str(body).map_err(|error| format!("the body is not a change as JSON: {error}"))?;
        let change = Self::of(body)?.ok_or("the body is not a change of an item")?;
        change.check()?;
        Ok(change)
    }

    /// Whether a table can change like this: DynamoDB says by the event's name which images there are.
    fn check(&self) -> Result<(), String> {
        let images: Vec<_> = self.images.keys().map(String::as_str).collect();
        let expected: &[&str] = match self.event_name.as_str() {
            "INSERT" => &["NewImage"],
            "MODIFY" => &["NewImage", "OldImage"],
            "REMOVE" => &["OldImage"],
            other => return Err(format!("eventName is \"{other}\"; write INSERT, MODIFY or REMOVE")),
        };
        if images != expected {
            let (name, images, expected) = (&self.event_name, images.join(" and "), expected.join(" and "));
            return Err(format!("a change of type {name} has {expected}, not {images}"));
        }
        let key = |image: &Value, name: &str| image.get(name).cloned();
        let differs = |name: &str| self.images.values().any(|image| key(image, name) != key(&self.keys, name));
        match ["pk", "sk"].into_iter().find(|name| differs(name)) {
            Some(name) => {
                Err(format!("{name} differs between the images; a change of a key is a REMOVE and an INSERT"))
            }
            None => Ok(()),
        }
    }

    /// `None` if it has no image with `pk` and `sk`.
    fn of(body: Body<'_>) -> Result<Option<Self>, String> {
        let Body { event_name, user_identity, new_image, old_image, dynamodb } = body;
        let mut images = Map::new();
        for (plain, tagged) in [(new_image, "NewImage"), (old_image, "OldImage")] {
            let image = plain.map(|image| tagged_map(&image)).transpose()?;
            let image = image.or_else(|| dynamodb.get(tagged)?.as_object().cloned());
            images.extend(image.map(|image| (tagged.to_owned(), Value::Object(image))));
        }
        let key = |name| images.values().next()?.get(name).cloned();
        let Some((pk, sk)) = key("pk").zip(key("sk")) else { return Ok(None) };
        let event_name = event_name.unwrap_or_else(|| "INSERT".to_owned());
        Ok(Some(Self { event_name, user_identity, keys: json!({"pk": pk, "sk": sk}), images }))
    }

    fn record(&self, fields: &[(&str, Value)]) -> Value {
        let mut record = self.images.clone();
        record.insert("Keys".to_owned(), self.keys.clone());
        record.extend(fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        Value::Object(record)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_plain_image_gets_its_type_tags() {
        let change = json!({"newImage": {"pk": "p", "sk": "s", "n": 1.5, "l": [true, null], "m": {"a": "b"}}});
        let records = Records { from: "t", ids: &["17".to_owned()], count: 2 };
        let event = by_its_own_stream(&records, &change.to_string()).unwrap();
        let record = &event["Records"][0]["dynamodb"];
        assert_eq!(record["Keys"], json!({"pk": {"S": "p"}, "sk": {"S": "s"}}));
        assert_eq!(record["NewImage"]["n"], json!({"N": "1.5"}));
        assert_eq!(record["NewImage"]["l"], json!({"L": [{"BOOL": true}, {"NULL": true}]}));
        assert_eq!(record["NewImage"]["m"], json!({"M": {"a": {"S": "b"}}}));
        assert_eq!(record["SequenceNumber"], "17");
        assert_eq!(event["Records"][1]["dynamodb"]["SequenceNumber"], "4421584500000000017450439092");
        assert_eq!(event["shardId"], SHARD);
    }

    #[test]
    fn an_event_that_no_table_makes_is_refused() {
        let refused = |change: Value| {
            let records = Records { from: "t", ids: &[], count: 1 };
            by_its_own_stream(&records, &change.to_string()).unwrap_err()
        };
        let (one, other) = (json!({"pk": "p", "sk": "s"}), json!({"pk": "p", "sk": "t"}));
        for (change, said) in [
            (json!({"eventName": "UPSERT", "newImage": one}), "write INSERT, MODIFY or REMOVE"),
            (
                json!({"eventName": "INSERT", "newImage": one, "oldImage": one}),
                "has NewImage, not NewImage and OldImage",
            ),
            (json!({"eventName": "INSERT", "oldImage": one}), "has NewImage, not OldImage"),
            (json!({"eventName": "MODIFY", "newImage": one}), "has NewImage and OldImage, not NewImage"),
            (json!({"eventName": "REMOVE", "newImage": one}), "has OldImage, not NewImage"),
            (json!({"eventName": "MODIFY", "newImage": one, "oldImage": other}), "sk differs"),
        ] {
            let error = refused(change);
            assert!(error.contains(said), "{said}: {error}");
        }
    }

    #[test]
    fn case_01_numbers_are_generated_as_they_are_spelled() {
        let body = r#"{"newImage":{"pk":"p","sk":"s","n":12345678901234567890123,"l":[1E-130,12.50]}}"#;
        let image = &Change::read(body).unwrap().images["NewImage"];
        assert_eq!(image["n"], json!({"N": "12345678901234567890123"}));
        assert_eq!(image["l"], json!({"L": [{"N": "1E-130"}, {"N": "12.50"}]}));
    }

    #[test]
    fn an_image_without_keys_is_not_a_change() {
        assert!(Change::read(r#"{"newImage": {"pk": "p"}}"#).is_err());
        assert!(Change::read(r#"{"eventName": "REMOVE"}"#).is_err());
    }
}
