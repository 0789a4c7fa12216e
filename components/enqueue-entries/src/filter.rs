//! Decides which changes of `demand-table` are replicated: only those of entries. Pure.
//!
//! A removal is replicated, whatever its cause. If DynamoDB removed the entry because the item's time to live had ended
//! (`userIdentity`), the Entry Service must not keep it either.

use registration::entry::{self, Operation};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;
use std::ops::Deref;

/// A change of an item, images without type tags.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    event_name: Operation,
    keys: Keys,
    new_image: Option<Image>,
    old_image: Option<Image>,
}

/// An image. It is forwarded as the original text, because the numbers of its value may have lost digits.
#[derive(Clone, Debug)]
pub struct Image {
    text: Box<RawValue>,
    value: Value,
}

impl<'de> Deserialize<'de> for Image {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = Box::<RawValue>::deserialize(from)?;
        let value = serde_json::from_str(text.get()).map_err(D::Error::custom)?;
        Ok(Self { text, value })
    }
}

impl Serialize for Image {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.text.serialize(to)
    }
}

impl Deref for Image {
    type Target = Value;

    fn deref(&self) -> &Value {
        &self.value
    }
}

#[derive(Clone, Debug, Deserialize)]
struct Keys {
    sk: String,
}

/// Identifies the changed item. Images of score items, of which a scored file changes one for each row, are not read.
#[derive(Clone, Debug, Deserialize)]
pub struct Keyed {
    keys: Keys,
}

impl Keyed {
    /// Whether the item is an entry.
    pub fn is_entry(&self) -> bool {
        self.keys.is_entry()
    }
}

impl Keys {
    fn is_entry(&self) -> bool {
        self.sk.starts_with(entry::SORT_KEY_PREFIX)
    }
}

/// The body of a message to saveEntriesQueue.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Body {
    /// The image: the old one of a REMOVE, otherwise the new one.
    pub entry: Image,
    /// What happened.
    pub operation: Operation,
    /// The change's id in its stream.
    pub record_id: String,
    /// `date.updated` of the image; when the change was made if it has no date.
    pub date: String,
}

/// The message for a change made at `changed_at`; `None` if a system made the change, or if the item is not an entry. The
/// error names the field of a malformed change.
pub fn decide(change: Change, record_id: &str, changed_at: &str) -> Result<Option<Body>, String> {
    if !change.keys.is_entry() {
        return Ok(None);
    }
    let Change { event_name: operation, new_image, old_image, .. } = change;
    let image = match operation {
        Operation::Remove => Some(old_image.ok_or("malformed: oldImage is missing")?),
        Operation::Insert | Operation::Modify => {
            let image = new_image.ok_or("malformed: newImage is missing")?;
            is_wanted(operation, &image, old_image.as_deref()).then_some(image)
        }
    };
    image.map(|image| body(operation, image, record_id, changed_at)).transpose()
}

/// Whether the entry is flagged, or was modified by its fan.
fn is_wanted(operation: Operation, new: &Value, old: Option<&Value>) -> bool {
    entry::needs_replication(new) || operation == Operation::Modify && fan_modified(Some(new)) != fan_modified(old)
}

fn fan_modified(image: Option<&Value>) -> Option<&Value> {
    image?.pointer("/date/fanModified")
}

fn body(operation: Operation, image: Image, record_id: &str, changed_at: &str) -> Result<Body, String> {
    for field in ["campaignId", "globalUserId"] {
        let text = image.get(field).and_then(Value::as_str).unwrap_or_default();
        if text.is_empty() {
            return Err(format!("malformed: {field} is missing or not text"));
        }
    }
    let date = entry::updated_attribute(&image).and_then(|(_, updated)| updated.as_str());
    let date = date.unwrap_or(changed_at).to_owned();
    Ok(Body { entry: image, operation, record_id: record_id.to_owned(), date })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use serde_json::json;

    fn entry(flag: bool, fan_modified: &str) -> Value {
        json!({
            "pk": "CAMPAIGN#c", "sk": "USER#u", "campaignId": "c", "globalUserId": "u", "needsReplication": flag,
            "date": {"updated": "2024-01-01T10:00:00.000Z", "fanModified": fan_modified},
        })
    }

    fn change(name: &str, new: Option<Value>, old: Option<Value>) -> Value {
        let mut change = json!({"eventName": name, "keys": {"pk": "CAMPAIGN#c", "sk": "USER#u"}});
        change["newImage"] = new.into();
        change["oldImage"] = old.into();
        change
    }

    fn decided(change: Value) -> Result<Option<Body>, String> {
        decide(serde_json::from_value(change).unwrap(), "record-1", CHANGED)
    }

    fn is_sent(change: Value) -> bool {
        decided(change).unwrap().is_some()
    }

    fn check(change: Value, expected: Expect) {
        expected.assert_eq(&match decided(change) {
            Ok(body) => serde_json::to_string(&body).unwrap(),
            Err(problem) => problem,
        });
    }

    const CHANGED: &str = "2024-01-15T10:30:00.123Z";
    const EARLIER: &str = "2024-01-01T09:00:00.000Z";
    const LATER: &str = "2024-01-01T10:00:00.000Z";

    #[test]
    fn an_insert_is_sent_if_flagged() {
        assert!(is_sent(change("INSERT", Some(entry(true, LATER)), None)));
        assert!(!is_sent(change("INSERT", Some(entry(false, LATER)), None)));
    }

    #[test]
    fn a_modify_is_sent_if_flagged_or_the_fans() {
        for (new, old, sent) in [
            (entry(true, LATER), entry(true, EARLIER), true),
            (entry(false, LATER), entry(false, EARLIER), true),
            (entry(true, LATER), entry(false, LATER), true),
            // A system's verdict between the fan's change and its replication.
            (entry(true, LATER), entry(true, LATER), true),
            // The update that clears the flag.
            (entry(false, LATER), entry(true, LATER), false),
            // A system's verdict after it.
            (entry(false, LATER), entry(false, LATER), false),
        ] {
            let shown = format!("{old} -> {new}");
            assert_eq!(is_sent(change("MODIFY", Some(new), Some(old))), sent, "{shown}");
        }
    }

    /// saveSelections' writes: the verdict, and a winner's code and market.
    #[test]
    fn a_selections_writes_are_skipped_unless_the_fans_change_is_still_to_be_replicated() {
        let pending = |flag: bool| entry(flag, LATER);
        let loser = |flag: bool| {
            let mut image = pending(flag);
            image["verdict"] = json!(false);
            image
        };
        let winner = |flag: bool| {
            let mut image = loser(flag);
            for (name, value) in [("verdict", json!(true)), ("accessCode", json!("CODE-1")), ("marketId", json!("m"))] {
                image[name] = value;
            }
            image
        };
        for flag in [false, true] {
            for (old, new) in [
                (pending(flag), loser(flag)),
                (pending(flag), winner(flag)),
                (loser(flag), winner(flag)),
                (winner(flag), winner(flag)),
            ] {
                let shown = format!("{old} -> {new}");
                assert_eq!(is_sent(change("MODIFY", Some(new), Some(old))), flag, "{shown}");
            }
        }
    }

    #[test]
    fn a_first_modification_by_the_fan_is_sent() {
        let mut undated = entry(false, LATER);
        undated["date"] = json!({"updated": EARLIER});
        assert!(is_sent(change("MODIFY", Some(entry(false, LATER)), Some(undated.clone()))));
        assert!(!is_sent(change("MODIFY", Some(undated.clone()), Some(undated))));
    }

    #[test]
    fn a_remove_is_sent_with_what_was_removed() {
        check(
            change("REMOVE", None, Some(entry(false, LATER))),
            expect![[
                r#"{"entry":{"campaignId":"c","date":{"fanModified":"2024-01-01T10:00:00.000Z","updated":"2024-01-01T10:00:00.000Z"},"globalUserId":"u","needsReplication":false,"pk":"CAMPAIGN#c","sk":"USER#u"},"operation":"REMOVE","recordId":"record-1","date":"2024-01-01T10:00:00.000Z"}"#
            ]],
        );
    }

    #[test]
    fn case_01_the_numbers_of_an_image_keep_every_digit() {
        let image = r#"{"campaignId":"c","exact":0.12345678901234567890123456789012345678,"globalUserId":"u","needsReplication":true,"score":12345678901234567890123,"tiny":1E-130}"#;
        let change =
            format!(r#"{{"eventName":"INSERT","keys":{{"pk":"CAMPAIGN#c","sk":"USER#u"}},"newImage":{image}}}"#);
        let body = decide(serde_json::from_str(&change).unwrap(), "record-1", CHANGED).unwrap().unwrap();
        let sent = format!(r#"{{"entry":{image},"operation":"INSERT","recordId":"record-1","date":"{CHANGED}"}}"#);
        assert_eq!(serde_json::to_string(&body).unwrap(), sent);
    }

    #[test]
    fn case_07_a_removal_by_time_to_live_is_sent_like_any_other() {
        let by_fan = change("REMOVE", None, Some(entry(false, LATER)));
        let mut by_dynamodb = by_fan.clone();
        by_dynamodb["userIdentity"] = json!({"type": "Service", "principalId": "dynamodb.amazonaws.com"});
        let [by_fan, by_dynamodb] = [by_fan, by_dynamodb].map(|change| decided(change).unwrap().unwrap());
        assert_eq!(by_dynamodb.operation, Operation::Remove);
        assert_eq!(serde_json::to_string(&by_dynamodb).unwrap(), serde_json::to_string(&by_fan).unwrap());
    }

    #[test]
    fn other_items_are_skipped() {
        let files = ["progress", "progress:report"];
        let scoring = ["SCORE#m", "ALIAS#user:u", "ALIAS#email:e", "meta:counts", "meta:slack:counts"];
        let others = ["SELECTION#m", "PLAN#m#t#1-0", "asu#c-m#reminder", "user#u", ""];
        for sk in files.into_iter().chain(scoring).chain(others) {
            for name in ["INSERT", "MODIFY", "REMOVE"] {
                let mut change = change(name, Some(entry(true, LATER)), Some(entry(true, EARLIER)));
                change["keys"]["sk"] = json!(sk);
                let keyed: Keyed = serde_json::from_value(change.clone()).unwrap();
                assert!(!keyed.is_entry() && !is_sent(change), "{name} of {sk}");
            }
        }
    }

    #[test]
    fn a_malformed_change_names_its_field() {
        check(change("INSERT", None, None), expect!["malformed: newImage is missing"]);
        check(change("REMOVE", Some(entry(true, LATER)), None), expect!["malformed: oldImage is missing"]);
        let mut nameless = entry(true, LATER);
        nameless["globalUserId"] = json!(7);
        check(change("MODIFY", Some(nameless), None), expect!["malformed: globalUserId is missing or not text"]);
    }

    #[test]
    fn the_older_date_is_sent_too() {
        let mut image = entry(true, LATER);
        image["date"] = Value::Null;
        image["updatedAt"] = json!(EARLIER);
        let body = decided(change("INSERT", Some(image), None)).unwrap().unwrap();
        assert_eq!(body.date, EARLIER);
    }

    #[test]
    fn point_4_an_entry_without_a_date_is_sent_with_the_time_of_its_change() {
        let mut image = entry(true, LATER);
        for date in [Value::Null, json!({}), json!({"updated": null})] {
            image["date"] = date;
            image["updatedAt"] = Value::Null;
            let insert = change("INSERT", Some(image.clone()), None);
            assert_eq!(decided(insert).unwrap().unwrap().date, CHANGED);
            assert_eq!(decided(change("REMOVE", None, Some(image.clone()))).unwrap().unwrap().date, CHANGED);
        }
    }
}
