//! A record of saveEntriesQueue, and the item that it concerns. Pure.

use registration::entry::{self, Entry, Image, InvalidEntry, Operation};
use serde::Deserialize;
use std::rc::Rc;
use worker_kit::platform::table::Key;

/// The body of a message; `recordId` and `date` are for people.
#[derive(Debug, Deserialize)]
pub struct Body<'a> {
    #[serde(borrow)]
    entry: Image<'a>,
    operation: Operation,
}

/// A change of an entry, with the image at that time.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// What happened.
    pub operation: Operation,
    /// The image: the old one of a REMOVE, otherwise the new one.
    pub image: Rc<Item>,
}

/// An entry's item, or an image of one.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Its key.
    pub key: Key,
    /// Its content.
    pub entry: Entry,
    /// [`Entry::version`].
    pub version: String,
    /// The path and JSON text of the attribute that holds `date.updated`, for conditions.
    pub updated: (&'static str, String),
}

impl Record {
    /// Reads a body. The error is a reason to reject the record, and names the field.
    pub fn new(body: Body<'_>) -> Result<Self, String> {
        let image = Item::new(body.entry).map_err(|error| format!("malformed: entry.{error}"))?;
        Ok(Self { operation: body.operation, image: Rc::new(image) })
    }
}

impl Item {
    /// Reads an item of the table. The error is a reason to reject the record, and names the attribute.
    pub fn from_table(item: &str) -> Result<Self, String> {
        let item = serde_json::from_str(item).map_err(|error| format!("malformed: the item is not JSON: {error}"))?;
        Self::new(item).map_err(|error| format!("malformed: the item's {error}"))
    }

    fn new(image: Image<'_>) -> Result<Self, InvalidEntry> {
        let updated_path = image.updated_path();
        let [pk, sk] = image.keys().map(|key| key.map(str::to_owned));
        let entry = Entry::new(image)?;
        let version = entry.version()?;
        let updated = serde_json::json!(entry.date.updated).to_string();
        let key = Key {
            pk: pk.unwrap_or_else(|| format!("CAMPAIGN#{}", entry.campaign_id)),
            sk: sk.unwrap_or_else(|| format!("{}{}", entry::SORT_KEY_PREFIX, entry.global_user_id)),
        };
        Ok(Self { key, entry, version, updated: (updated_path, updated) })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn record(entry: Value) -> Result<Record, String> {
        Record::new(serde_json::from_str(&json!({"entry": entry, "operation": "INSERT"}).to_string()).unwrap())
    }

    fn documents_entry() -> Value {
        let event: Value = serde_json::from_str(include_str!("../fixtures/sqs.json")).unwrap();
        event["Records"][0]["body"]["entry"].clone()
    }

    #[test]
    fn the_documents_example_is_read() {
        let record = record(documents_entry()).unwrap();
        assert_eq!(record.image.key, Key { pk: "CAMPAIGN#campaign-123".into(), sk: "USER#user-456".into() });
        assert_eq!(record.image.version, "2024-01-15T10:30:00.000Z");
        assert_eq!(record.image.updated, ("updatedAt", r#""2024-01-15T10:30:00Z""#.to_owned()));
    }

    #[test]
    fn an_image_without_keys_has_those_of_its_entry() {
        let mut entry = documents_entry();
        entry.as_object_mut().unwrap().retain(|name, _| name != "pk" && name != "sk");
        assert_eq!(record(entry).unwrap().image.key, record(documents_entry()).unwrap().image.key);
    }

    #[test]
    fn a_malformed_record_names_its_field() {
        let mut entry = documents_entry();
        entry["globalUserId"] = Value::Null;
        assert_eq!(record(entry).unwrap_err(), "malformed: entry.globalUserId is missing or empty");
        let mut entry = documents_entry();
        entry["updatedAt"] = Value::Null;
        assert_eq!(record(entry).unwrap_err(), "malformed: entry.date.updated is missing");
        assert_eq!(record(json!("text")).unwrap_err(), "malformed: entry.campaignId is missing or empty");
    }

    #[test]
    fn a_malformed_item_is_reported() {
        assert!(Item::from_table("{").unwrap_err().starts_with("malformed: the item is not JSON"));
        let mut item = documents_entry();
        item["fields"] = json!(1);
        let error = Item::from_table(&item.to_string()).unwrap_err();
        assert_eq!(error, "malformed: the item's fields is neither text nor an object");
    }
}
