//! Records of a data stream for `host-adapters events generate`.

use crate::canned::{ACCOUNT, CannedEvent, REGION, Records};
use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::Utc;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

/// Has as many digits as those of Kinesis; later records count up from it.
const FIRST_SEQUENCE_NUMBER: u128 = 4_959_033_827_149_025_660_855_969_253_836_157_109;
const SHARD: &str = "shardId-000000000006";

pub(crate) const CANNED: &[CannedEvent] = &[CannedEvent {
    name: "kinesis",
    about: "Records of a data stream",
    body: "/Records/0",
    example: ("exampleStream", r#"{"message":"Hello"}"#),
    make: records,
}];

/// A record as Lambda hands it over; any other body is the data.
#[derive(Deserialize)]
struct Body {
    kinesis: Kinesis,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kinesis {
    /// Base64.
    data: String,
    partition_key: Option<String>,
}

fn records(records: &Records<'_>, body: &str) -> Result<Value, String> {
    crate::canned::check_numbers(records)?;
    let (data, key) = match serde_json::from_str::<Body>(body) {
        Ok(Body { kinesis }) => (kinesis.data, kinesis.partition_key),
        Err(_) => (BASE64_STANDARD.encode(body), None),
    };
    Ok(records.event(|id, n| {
        let key = key.clone().unwrap_or_else(|| Uuid::new_v4().simple().to_string());
        record(records.from, &key, &data, id, n)
    }))
}

/// The record of a stream whose data is this, in base64.
pub(crate) fn record(stream: &str, key: &str, data: &str, id: Option<String>, n: u32) -> Value {
    let number = id.unwrap_or_else(|| (FIRST_SEQUENCE_NUMBER + u128::from(n)).to_string());
    json!({
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": key,
            "sequenceNumber": number,
            "data": data,
            "approximateArrivalTimestamp": Utc::now().timestamp(),
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": format!("{SHARD}:{number}"),
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": format!("arn:aws:iam::{ACCOUNT}:role/lambda-role"),
        "awsRegion": REGION,
        "eventSourceARN": format!("arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{stream}"),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]
mod tests {
    use super::*;

    fn generated(body: &str) -> Value {
        records(&Records { from: "scoresStream", ids: &["17".to_owned()], count: 2 }, body).unwrap()
    }

    #[test]
    fn a_body_is_the_data_of_every_record() {
        let event = generated(r#"{"n":1}"#);
        let [first, second] = event["Records"].as_array().unwrap().as_slice() else { panic!("{event}") };
        assert_eq!(first["kinesis"]["data"], BASE64_STANDARD.encode(r#"{"n":1}"#));
        assert_eq!(
            (&first["kinesis"]["sequenceNumber"], &first["eventID"]),
            (&json!("17"), &json!(format!("{SHARD}:17")))
        );
        assert_eq!(second["kinesis"]["sequenceNumber"], (FIRST_SEQUENCE_NUMBER + 1).to_string());
        assert_eq!(first["eventSourceARN"], "arn:aws:kinesis:us-east-1:123456789012:stream/scoresStream");
    }

    #[test]
    fn a_record_as_lambda_hands_it_over_keeps_its_key_and_data() {
        let event =
            generated(r#"{"kinesis":{"partitionKey":"fan-1","data":"/w==","sequenceNumber":"5"},"eventID":"s:5"}"#);
        let kinesis = &event["Records"][0]["kinesis"];
        assert_eq!((&kinesis["partitionKey"], &kinesis["data"]), (&json!("fan-1"), &json!("/w==")));
    }

    #[test]
    fn ids_are_sequence_numbers() {
        let records = Records { from: "s", ids: &["one".to_owned()], count: 1 };
        assert!(super::records(&records, "{}").unwrap_err().contains("not a sequence number"));
    }
}
