//! Records of a topic for `host-adapters events generate`.

use crate::canned::{ACCOUNT, CannedEvent, REGION, Records};
use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::Utc;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

/// The offset of the first record; later ones count up from it.
const FIRST_OFFSET: u64 = 15;

const EXAMPLE: (&str, &str) = ("exampleTopic", r#"{"message":"Hello"}"#);

pub(crate) const CANNED: &[CannedEvent] = &[
    CannedEvent {
        name: "kafka",
        about: "Records of a topic of the event log, by Amazon MSK",
        body: BODY,
        example: EXAMPLE,
        make: by_msk,
    },
    CannedEvent {
        name: "kafka-self-managed",
        about: "Records of a topic of the event log, by a Kafka of one's own",
        body: BODY,
        example: EXAMPLE,
        make: by_kafka,
    },
];

/// Where the first record is in a worker's fixture, whatever its topic is called.
const BODY: &str = "/records/*/0";

/// A record as Lambda hands it over; any other body is the value.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    #[serde(rename = "offset")]
    _offset: Value,
    /// Base64.
    value: Option<String>,
    key: Option<String>,
    #[serde(default)]
    headers: Vec<Value>,
}

fn by_msk(records: &Records<'_>, body: &str) -> Result<Value, String> {
    let arn = format!("arn:aws:kafka:{REGION}:{ACCOUNT}:cluster/example/751d2973-a626-431c-9d4e-d7975eb44dd7-2");
    let mut event = by_kafka(records, body)?;
    if let Some(members) = event.as_object_mut() {
        members.insert("eventSource".to_owned(), json!("aws:kafka"));
        members.insert("eventSourceArn".to_owned(), json!(arn));
    }
    Ok(event)
}

fn by_kafka(records: &Records<'_>, body: &str) -> Result<Value, String> {
    let Records { from, ids, count } = *records;
    let offsets: Vec<u64> = ids.iter().map(|id| offset(id)).collect::<Result<_, _>>()?;
    let body = match serde_json::from_str::<Body>(body) {
        Ok(body) => body,
        Err(_) => {
            let value = Some(BASE64_STANDARD.encode(body));
            Body { _offset: Value::Null, value, key: None, headers: Vec::new() }
        }
    };
    let record = |n: u32| {
        let made = FIRST_OFFSET + u64::from(n);
        let offset = usize::try_from(n).ok().and_then(|place| offsets.get(place)).copied().unwrap_or(made);
        let key = body.key.clone().unwrap_or_else(|| BASE64_STANDARD.encode(Uuid::new_v4().simple().to_string()));
        json!({
            "topic": from,
            "partition": 0,
            "offset": offset,
            "timestamp": Utc::now().timestamp_millis(),
            "timestampType": "CREATE_TIME",
            "key": key,
            "value": body.value,
            "headers": body.headers,
        })
    };
    let all: Vec<Value> = (0..count).map(record).collect();
    Ok(json!({
        "eventSource": "SelfManagedKafka",
        "bootstrapServers": "broker-1.example.com:9092,broker-2.example.com:9092",
        "records": {(format!("{from}-0")): all},
    }))
}

fn offset(id: &str) -> Result<u64, String> {
    id.parse().map_err(|_| format!("\"{id}\" is not an offset; write digits only"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;

    fn generated(body: &str) -> Value {
        by_msk(&Records { from: "events", ids: &["7".to_owned()], count: 2 }, body).unwrap()
    }

    #[test]
    fn a_body_is_the_value_of_every_record() {
        let event = generated(r#"{"n":1}"#);
        let records = event["records"]["events-0"].as_array().unwrap();
        assert_eq!(records[0]["value"], BASE64_STANDARD.encode(r#"{"n":1}"#));
        assert_eq!((&records[0]["offset"], &records[1]["offset"]), (&json!(7), &json!(FIRST_OFFSET + 1)));
        assert_eq!((&event["eventSource"], records.len()), (&json!("aws:kafka"), 2));
    }

    #[test]
    fn a_record_as_lambda_hands_it_over_keeps_its_key_value_and_headers() {
        let event = generated(r#"{"offset":1,"key":"YQ==","value":"/w==","headers":[{"n":[104]}]}"#);
        let record = &event["records"]["events-0"][0];
        assert_eq!((&record["key"], &record["value"]), (&json!("YQ=="), &json!("/w==")));
        assert_eq!((&record["headers"], &record["offset"]), (&json!([{"n": [104]}]), &json!(7)));
    }

    #[test]
    fn ids_are_offsets() {
        let records = Records { from: "s", ids: &["one".to_owned()], count: 1 };
        assert!(by_kafka(&records, "{}").unwrap_err().contains("not an offset"));
    }
}
