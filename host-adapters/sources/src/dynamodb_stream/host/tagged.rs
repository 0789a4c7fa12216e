//! Plain values with DynamoDB's type tags, and the change of an event as Lambda's record of it.

use host_adapters_event::Payload;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The change that workers get. The numbers of images are read as they are spelled.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Plain<'a> {
    event_name: String,
    #[serde(borrow)]
    keys: &'a RawValue,
    #[serde(borrow)]
    new_image: Option<&'a RawValue>,
    #[serde(borrow)]
    old_image: Option<&'a RawValue>,
    user_identity: Option<Value>,
}

/// Lambda's record of a change, as far as filters compare it: `eventName`, `userIdentity`, and in `dynamodb` `Keys` and,
/// if they are asked for, the images. `None` if the payload is not a change.
pub(crate) fn record_of(payload: &Payload, with_images: bool) -> Option<String> {
    let Payload::Json(text) = payload else { return None };
    let change: Plain<'_> = serde_json::from_str(text).ok()?;
    let images = [("NewImage", change.new_image), ("OldImage", change.old_image)];
    let images = images.into_iter().filter(|_| with_images).filter_map(|(name, image)| Some((name, image?)));
    let mut dynamodb = Map::new();
    for (name, item) in std::iter::once(("Keys", change.keys)).chain(images) {
        dynamodb.insert(name.to_owned(), Value::Object(tagged_map(&read(item.get()).ok()?).ok()?));
    }
    let mut record = json!({ "eventName": change.event_name, "dynamodb": dynamodb });
    if let Some((record, identity)) = record.as_object_mut().zip(change.user_identity) {
        record.insert("userIdentity".to_owned(), identity);
    }
    Some(record.to_string())
}

/// An item with type tags.
pub(super) fn tagged_map(item: &BTreeMap<String, &RawValue>) -> Result<Map<String, Value>, String> {
    item.iter().map(|(name, value)| Ok((name.clone(), tagged(value)?))).collect()
}

/// A value with DynamoDB's type tag.
fn tagged(value: &RawValue) -> Result<Value, String> {
    let text = value.get();
    Ok(match text.as_bytes().first() {
        Some(b'{') => json!({ "M": tagged_map(&read(text)?)? }),
        Some(b'[') => {
            let values: Vec<&RawValue> = read(text)?;
            json!({"L": values.into_iter().map(tagged).collect::<Result<Vec<_>, _>>()?})
        }
        Some(b'"') => json!({ "S": read::<String>(text)? }),
        Some(b'n') => json!({"NULL": true}),
        Some(b't' | b'f') => json!({ "BOOL": text == "true" }),
        _ => json!({ "N": text }),
    })
}

fn read<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, String> {
    serde_json::from_str(json).map_err(|error| format!("the body cannot be read: {error}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const CHANGE: &str = r#"{"eventName":"MODIFY","keys":{"pk":"p","sk":"s"},"newImage":{"n":12345678901234567890.50,"pk":"p"},"oldImage":{"l":[true,null]},"userIdentity":{"type":"Service"}}"#;

    #[test]
    fn a_change_is_lambdas_record_with_images_if_they_are_asked_for() {
        let record = |with_images| -> Value {
            let record = record_of(&Payload::Json(CHANGE.to_owned()), with_images).unwrap();
            serde_json::from_str(&record).unwrap()
        };
        let keys = json!({"pk": {"S": "p"}, "sk": {"S": "s"}});
        let identity = json!({"type": "Service"});
        assert_eq!(record(false), json!({"eventName": "MODIFY", "dynamodb": {"Keys": keys}, "userIdentity": identity}));
        let new = json!({"n": {"N": "12345678901234567890.50"}, "pk": {"S": "p"}});
        let old = json!({"l": {"L": [{"BOOL": true}, {"NULL": true}]}});
        let dynamodb = json!({"Keys": keys, "NewImage": new, "OldImage": old});
        assert_eq!(record(true), json!({"eventName": "MODIFY", "dynamodb": dynamodb, "userIdentity": identity}));
    }

    #[test]
    fn other_payloads_have_no_record() {
        for payload in [Payload::Json("7".to_owned()), Payload::Json("{}".to_owned()), Payload::Bytes(vec![0xff])] {
            assert_eq!(record_of(&payload, true), None, "{payload:?}");
        }
    }
}
