//! A record of saveEntriesQueue, and the item that it concerns. Pure.

use registration::entry::{self, Entry, Image, InvalidEntry, Operation};
use serde::Deserialize;
use serde_json::Value;
use std::rc::Rc;
use worker_kit::platform::table::Key;

/// The body of a message; `recordId` is for people.
#[derive(Debug, Deserialize)]
pub struct Body<'a> {
    #[serde(borrow)]
    entry: Image<'a>,
    operation: Operation,
    /// The version of an entry that has no date: when its change was made.
    #[serde(default)]
    date: Value,
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
    /// [`Entry::version`]; of an entry without a date, when the change was made that is to be replicated.
    pub version: String,
    /// What identifies the version in the table, for conditions: the path and JSON text of each attribute.
    pub unchanged: Vec<(&'static str, String)>,
    /// Whether it has a date.
    pub is_dated: bool,
}

impl Record {
    /// Reads a body. The error is a reason to reject the record, and names the field.
    pub fn new(body: Body<'_>) -> Result<Self, String> {
        let mut image = Item::new(body.entry).map_err(|error| format!("malformed: entry.{error}"))?;
        if !image.is_dated {
            let date = body.date.as_str().ok_or("malformed: entry.date.updated is missing")?;
            image.version = entry::version(date).ok_or("malformed: date is not an RFC 3339 time")?;
        }
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
        let (updated_path, has_text_fields) = (image.updated_path(), image.has_text_fields());
        let [pk, sk] = image.keys().map(|key| key.map(str::to_owned));
        let entry = Entry::new(image)?;
        let is_dated = entry.date.updated.is_some();
        let version = if is_dated { entry.version()? } else { String::new() };
        let unchanged = match &entry.date.updated {
            Some(updated) => vec![(updated_path, json(updated))],
            None => fan_attributes(&entry, has_text_fields),
        };
        let key = Key {
            pk: pk.unwrap_or_else(|| format!("CAMPAIGN#{}", entry.campaign_id)),
            sk: sk.unwrap_or_else(|| format!("{}{}", entry::SORT_KEY_PREFIX, entry.global_user_id)),
        };
        Ok(Self { key, entry, version, unchanged, is_dated })
    }

    /// The item. Without a date, it has the version of the change that it is sent for.
    pub fn or_version(self: Rc<Self>, version: &str) -> Rc<Self> {
        if self.is_dated { self } else { Rc::new(Self { version: version.to_owned(), ..Rc::unwrap_or_clone(self) }) }
    }
}

/// The attributes that distinguish two versions of an entry without a date.
fn fan_attributes(entry: &Entry, has_text_fields: bool) -> Vec<(&'static str, String)> {
    let fields = entry.fields.as_json().get();
    let texts = [("memberId", &entry.member_id), ("linkedFrom", &entry.linked_from)];
    let texts = texts.into_iter().filter_map(|(path, text)| Some((path, json(text.as_deref()?))));
    let fan_modified = entry.date.fan_modified.as_deref().map(|time| ("date.fanModified", json(time)));
    let fields = if has_text_fields { json(fields) } else { fields.to_owned() };
    [("fields", fields)].into_iter().chain(texts).chain(fan_modified).collect()
}

fn json(text: &str) -> String {
    Value::from(text).to_string()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

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
        assert_eq!(record.image.unchanged, [("updatedAt", r#""2024-01-15T10:30:00Z""#.to_owned())]);
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

    /// API usage's stream example has no date.
    #[test]
    fn point_4_an_entry_without_a_date_has_the_time_of_its_change_as_version() {
        let entry = json!({
            "campaignId": "c", "globalUserId": "u", "fields": "{\"a\": 1}", "memberId": "m", "date": {}, "updatedAt": null,
        });
        let read = |date: Value| {
            let body = json!({"entry": entry, "operation": "INSERT", "date": date}).to_string();
            Record::new(serde_json::from_str(&body).unwrap())
        };
        let image = read(json!("2024-01-15T10:30:00Z")).unwrap().image;
        assert_eq!(image.version, "2024-01-15T10:30:00.000Z");
        let unchanged = [("fields", r#""{\"a\": 1}""#.to_owned()), ("memberId", r#""m""#.to_owned())];
        assert_eq!(image.unchanged, unchanged, "it has no date by which it could be told from another version");
        assert_eq!(read(Value::Null).unwrap_err(), "malformed: entry.date.updated is missing");
        assert_eq!(read(json!("now")).unwrap_err(), "malformed: date is not an RFC 3339 time");
    }
}
