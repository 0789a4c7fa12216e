//! Makes a change of a record of DynamoDB Streams.

use crate::table::json_of_attributes;
use aws_sdk_dynamodbstreams::types::Record;
use host_adapters_platform::Change;
use host_adapters_records::table::Key;

json_of_attributes!(aws_sdk_dynamodbstreams::types::AttributeValue);

pub(super) fn change(record: Record) -> Option<Change> {
    let event_name = record.event_name?.as_str().to_owned();
    let stream = record.dynamodb?;
    let keys = stream.keys?;
    let key = |name| keys.get(name).and_then(|value| value.as_s().ok()).cloned();
    let time_ms = stream.approximate_creation_date_time.and_then(|time| time.to_millis().ok());
    Some(Change {
        sequence: stream.sequence_number?,
        event_name,
        key: Key { pk: key("pk")?, sk: key("sk")? },
        new_image: stream.new_image.as_ref().map(json_of),
        old_image: stream.old_image.as_ref().map(json_of),
        time_ms: time_ms.and_then(|ms| u64::try_from(ms).ok()).unwrap_or(0),
    })
}
