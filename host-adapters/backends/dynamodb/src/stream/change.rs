//! Converts a record of DynamoDB Streams to a change.

use crate::table::json_of_attributes;
use aws_sdk_dynamodbstreams::types::{AttributeValue, Identity, Record};
use host_adapters_platform::{Change, left_out};
use host_adapters_records::source_name;
use host_adapters_records::table::Key;
use std::collections::HashMap;

json_of_attributes!(aws_sdk_dynamodbstreams::types::AttributeValue);

/// The changes of `table`. A record that is not the change of an item with string keys is left out, counted and logged.
/// The table's keys and its stream are checked before it is read, so this happens only if somebody changes the table
/// meanwhile.
pub(super) fn changes(table: &str, records: Vec<Record>) -> Vec<Change> {
    let left_out = |reason| left_out(&source_name::of_table_stream(table), reason);
    records.into_iter().filter_map(|record| change(record).map_err(left_out).ok()).collect()
}

fn change(record: Record) -> Result<Change, &'static str> {
    let event_name = record.event_name.ok_or("a record without an event name")?;
    let stream = record.dynamodb.ok_or("a record without a change")?;
    let keys = stream.keys.ok_or("a change without keys")?;
    let time_ms = stream.approximate_creation_date_time.and_then(|time| time.to_millis().ok());
    Ok(Change {
        sequence: stream.sequence_number.ok_or("a change without a sequence number")?,
        event_name: event_name.as_str().to_owned(),
        key: key(&keys).ok_or("a change whose key is not the strings `pk` and `sk`")?,
        new_image: stream.new_image.as_ref().map(json_of),
        old_image: stream.old_image.as_ref().map(json_of),
        user_identity: record.user_identity.map(identity),
        time_ms: time_ms.and_then(|ms| u64::try_from(ms).ok()).unwrap_or(0),
    })
}

fn key(keys: &HashMap<String, AttributeValue>) -> Option<Key> {
    let part = |name| keys.get(name).and_then(|value| value.as_s().ok()).cloned();
    Some(Key { pk: part("pk")?, sk: part("sk")? })
}

/// As Lambda has it.
fn identity(identity: Identity) -> String {
    serde_json::json!({"principalId": identity.principal_id, "type": identity.r#type}).to_string()
}
