//! Changes of a table for `host-adapters events generate`.

use crate::canned::{ACCOUNT, CannedEvent, REGION, Records};
use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::Utc;
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// Has as many digits as DynamoDB's own; later records count up from it.
const FIRST_SEQUENCE_NUMBER: u128 = 4_421_584_500_000_000_017_450_439_091;
const FIRST_KINESIS_NUMBER: u128 = 4_959_033_827_149_025_660_855_969_253_836_157_109;
const SHARD: &str = "shardId-000000000006";
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
        name: "kinesis",
        about: "Changes of a table, by a Kinesis stream for DynamoDB",
        body: "/Records/0",
        example: EXAMPLE,
        make: by_kinesis,
    },
];

/// A change of an item with DynamoDB's type tags.
struct Change {
    event_name: String,
    keys: Value,
    images: Map<String, Value>,
}

fn by_its_own_stream(records: &Records<'_>, body: &str) -> Result<Value, String> {
    let (change, table) = (Change::read(body)?, records.from);
    check_numbers(records)?;
    Ok(records.event(|id, n| {
        let number = id.unwrap_or_else(|| (FIRST_SEQUENCE_NUMBER + u128::from(n)).to_string());
        let seconds = Utc::now().timestamp();
        json!({
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
        })
    }))
}

/// A Kinesis stream for DynamoDB, in which each record holds one change as JSON.
fn by_kinesis(records: &Records<'_>, body: &str) -> Result<Value, String> {
    let (change, table) = (Change::read(body)?, records.from);
    check_numbers(records)?;
    Ok(records.event(|id, n| {
        let number = id.unwrap_or_else(|| (FIRST_KINESIS_NUMBER + u128::from(n)).to_string());
        let now = Utc::now();
        let data = json!({
            "awsRegion": REGION,
            "eventID": Uuid::new_v4().to_string(),
            "eventName": change.event_name,
            "userIdentity": null,
            "recordFormat": "application/json",
            "tableName": table,
            "dynamodb": change.record(&[("ApproximateCreationDateTime", json!(now.timestamp_millis()))]),
            "eventSource": "aws:dynamodb",
        });
        json!({
            "kinesis": {
                "kinesisSchemaVersion": "1.0",
                "partitionKey": Uuid::new_v4().simple().to_string(),
                "sequenceNumber": number,
                "data": BASE64_STANDARD.encode(data.to_string()),
                "approximateArrivalTimestamp": now.timestamp(),
            },
            "eventSource": "aws:kinesis",
            "eventVersion": "1.0",
            "eventID": format!("{SHARD}:{number}"),
            "eventName": "aws:kinesis:record",
            "invokeIdentityArn": format!("arn:aws:iam::{ACCOUNT}:role/lambda-role"),
            "awsRegion": REGION,
            "eventSourceARN": format!("arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{table}"),
        })
    }))
}

/// The ids of changes are sequence numbers.
fn check_numbers(records: &Records<'_>) -> Result<(), String> {
    let is_number = |id: &&String| !id.is_empty() && id.chars().all(|c| c.is_ascii_digit());
    match records.ids.iter().find(|id| !is_number(id)) {
        Some(id) => Err(format!("\"{id}\" is not a sequence number; write digits only")),
        None => Ok(()),
    }
}

impl Change {
    /// Reads a change as workers see it, or as AWS encodes it.
    fn read(body: &str) -> Result<Self, String> {
        let change = serde_json::from_str(body).map_err(|error| format!("the body is not JSON: {error}"))?;
        let change = Self::of(&change).ok_or("the body is not a change of an item")?;
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
            Some(name) => Err(format!("{name} differs between the images; a change of a key is a REMOVE and an INSERT")),
            None => Ok(()),
        }
    }

    /// `None` if it has no image with `pk` and `sk`.
    fn of(change: &Value) -> Option<Self> {
        let event_name = change.get("eventName").and_then(Value::as_str).unwrap_or("INSERT").to_owned();
        let image = |plain: &str, tagged: &str| {
            let image = change.get(plain).and_then(Value::as_object).map(tagged_map);
            let image = image.or_else(|| change.pointer(&format!("/dynamodb/{tagged}"))?.as_object().cloned());
            Some((tagged.to_owned(), Value::Object(image?)))
        };
        let images: Map<_, _> =
            [image("newImage", "NewImage"), image("oldImage", "OldImage")].into_iter().flatten().collect();
        let (_, some) = images.iter().next()?;
        let keys = json!({"pk": some.get("pk")?, "sk": some.get("sk")?});
        Some(Self { event_name, keys, images })
    }

    fn record(&self, fields: &[(&str, Value)]) -> Value {
        let mut record = self.images.clone();
        record.insert("Keys".to_owned(), self.keys.clone());
        record.extend(fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        Value::Object(record)
    }
}

fn tagged_map(item: &Map<String, Value>) -> Map<String, Value> {
    item.iter().map(|(name, value)| (name.clone(), tagged(value))).collect()
}

/// A value with DynamoDB's type tag.
fn tagged(value: &Value) -> Value {
    match value {
        Value::Null => json!({"NULL": true}),
        Value::Bool(value) => json!({ "BOOL": value }),
        Value::Number(value) => json!({"N": value.to_string()}),
        Value::String(value) => json!({ "S": value }),
        Value::Array(values) => json!({"L": values.iter().map(tagged).collect::<Vec<_>>()}),
        Value::Object(values) => json!({ "M": tagged_map(values) }),
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
            (json!({"eventName": "INSERT", "newImage": one, "oldImage": one}), "has NewImage, not NewImage and OldImage"),
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
    fn an_image_without_keys_is_not_a_change() {
        assert!(Change::of(&json!({"newImage": {"pk": "p"}})).is_none());
        assert!(Change::of(&json!({"eventName": "REMOVE"})).is_none());
    }
}
