//! The shapes of AWS Lambda's events.

use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::Utc;
use serde_json::{Map, Value, json};
use uuid::Uuid;

const REGION: &str = "us-east-1";
const ACCOUNT: &str = "123456789012";
/// Has as many digits as DynamoDB's own; later records count up from it.
const FIRST_SEQUENCE_NUMBER: u128 = 4_421_584_500_000_000_017_450_439_091;
const FIRST_KINESIS_NUMBER: u128 = 4_959_033_827_149_025_660_855_969_253_836_157_109;
const SHARD: &str = "shardId-000000000006";

/// The number of records, and their ids.
pub(super) struct Records<'a> {
    pub(super) ids: &'a [String],
    pub(super) count: u32,
}

/// A change of an item with DynamoDB's type tags.
pub(super) struct Change {
    event_name: String,
    keys: Value,
    images: Map<String, Value>,
}

impl Records<'_> {
    pub(super) fn sqs(&self, queue: &str, body: &str) -> Value {
        let sent = Utc::now().timestamp_millis().to_string();
        self.event(|id, _| {
            json!({
                "messageId": id.unwrap_or_else(|| Uuid::new_v4().to_string()),
                "receiptHandle": Uuid::new_v4().simple().to_string(),
                "body": body,
                "attributes": {
                    "ApproximateReceiveCount": "1",
                    "SentTimestamp": sent,
                    "SenderId": ACCOUNT,
                    "ApproximateFirstReceiveTimestamp": sent,
                },
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "eventSourceARN": format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}"),
                "awsRegion": REGION,
            })
        })
    }

    pub(super) fn dynamodb_stream(&self, table: &str, change: &Change) -> Value {
        self.event(|id, n| {
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
        })
    }

    /// A Kinesis stream for DynamoDB, in which each record holds one change as JSON.
    pub(super) fn kinesis(&self, table: &str, change: &Change) -> Value {
        self.event(|id, n| {
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
        })
    }

    fn event(&self, record: impl Fn(Option<String>, u32) -> Value) -> Value {
        let ids = self.ids.iter().cloned().map(Some).chain(std::iter::repeat(None));
        let records: Vec<_> = (0..self.count).zip(ids).map(|(n, id)| record(id, n)).collect();
        json!({ "Records": records })
    }
}

impl Change {
    /// Reads a change as workers see it, or as AWS encodes it; `None` if it has no image with `pk` and `sk`.
    pub(super) fn read(change: &Value) -> Option<Self> {
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

/// The AppSync event of a resolver's field.
pub(super) fn appsync(field: &str, body: &Value) -> Value {
    json!({
        "arguments": {"input": {"body": body}},
        "identity": null,
        "source": null,
        "request": {"headers": {}},
        "info": {"fieldName": field, "parentTypeName": "Mutation", "variables": {}},
    })
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
        let event = Records { ids: &["17".to_owned()], count: 2 }.dynamodb_stream("t", &Change::read(&change).unwrap());
        let record = &event["Records"][0]["dynamodb"];
        assert_eq!(record["Keys"], json!({"pk": {"S": "p"}, "sk": {"S": "s"}}));
        assert_eq!(record["NewImage"]["n"], json!({"N": "1.5"}));
        assert_eq!(record["NewImage"]["l"], json!({"L": [{"BOOL": true}, {"NULL": true}]}));
        assert_eq!(record["NewImage"]["m"], json!({"M": {"a": {"S": "b"}}}));
        assert_eq!(record["SequenceNumber"], "17");
        assert_eq!(event["Records"][1]["dynamodb"]["SequenceNumber"], "4421584500000000017450439092");
    }

    #[test]
    fn an_image_without_keys_is_not_a_change() {
        assert!(Change::read(&json!({"newImage": {"pk": "p"}})).is_none());
        assert!(Change::read(&json!({"eventName": "REMOVE"})).is_none());
    }
}
