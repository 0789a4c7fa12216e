//! Which changes of `demand-table` give a fan a code. Pure.

use registration::entry::{self, Operation};
use serde::Deserialize;
use serde_json::Value;

/// A change of an item, images without type tags.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    event_name: Operation,
    keys: Keys,
    new_image: Option<Image>,
    old_image: Option<Image>,
}

#[derive(Clone, Debug, Deserialize)]
struct Keys {
    sk: String,
}

/// The code in an image. Other items of the table may use these names for other data.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Image {
    campaign_id: Option<Value>,
    market_id: Option<Value>,
    access_code: Option<Value>,
}

/// A code that a fan has now.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct GivenCode {
    /// The campaign.
    pub campaign_id: String,
    /// The market won.
    pub market_id: String,
    /// The code.
    pub code: String,
}

/// The code that is new with this change; `None` if none is. The error names the field of a malformed change.
///
/// The item does not show whether the code is a market's shared code or one of the pool. The documents exempt neither,
/// and marking is idempotent, so all codes are marked. The Code Service decides what that means for a shared code,
/// which is in no pool.
pub fn given_code(change: Change) -> Result<Option<GivenCode>, String> {
    if !change.keys.sk.starts_with(entry::SORT_KEY_PREFIX) || change.event_name == Operation::Remove {
        return Ok(None);
    }
    let new = change.new_image.ok_or("malformed: newImage is missing")?;
    let old = change.old_image.unwrap_or_default();
    // An empty text is not a code, as for the selection.
    let code = new.access_code.filter(|code| code != "");
    if code.is_none() || code == old.access_code {
        return Ok(None);
    }
    Ok(Some(GivenCode {
        campaign_id: text(new.campaign_id, "campaignId")?,
        market_id: text(new.market_id, "marketId")?,
        code: text(code, "accessCode")?,
    }))
}

fn text(value: Option<Value>, field: &str) -> Result<String, String> {
    match value {
        Some(Value::String(text)) if !text.is_empty() => Ok(text),
        _ => Err(format!("malformed: {field} is missing or not text")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    fn entry(code: Value) -> Value {
        json!({
            "pk": "CAMPAIGN#c", "sk": "USER#u", "campaignId": "c", "globalUserId": "u", "needsReplication": false,
            "score": 850, "fields": "{}", "verdict": true, "marketId": "m", "accessCode": code,
        })
    }

    fn decided(name: &str, new: Option<Value>, old: Option<Value>) -> Result<Option<GivenCode>, String> {
        let keys = json!({"pk": "CAMPAIGN#c", "sk": "USER#u"});
        let change = json!({"eventName": name, "keys": keys, "newImage": new, "oldImage": old});
        given_code(serde_json::from_value(change).unwrap())
    }

    fn given(code: &str) -> Option<GivenCode> {
        Some(GivenCode { campaign_id: "c".to_owned(), market_id: "m".to_owned(), code: code.to_owned() })
    }

    #[test]
    fn a_code_is_new_where_the_old_image_has_none_or_another() {
        let (a, b, none, empty) = (entry(json!("A")), entry(json!("B")), entry(Value::Null), entry(json!("")));
        let mut bare = entry(Value::Null);
        bare.as_object_mut().unwrap().retain(|name, _| !["verdict", "marketId", "accessCode"].contains(&name.as_str()));
        for (name, new, old, expected) in [
            ("MODIFY", &a, Some(&bare), given("A")),
            ("MODIFY", &a, Some(&none), given("A")),
            ("MODIFY", &a, Some(&empty), given("A")),
            ("MODIFY", &b, Some(&a), given("B")),
            ("INSERT", &a, None, given("A")),
            ("MODIFY", &a, Some(&a), None),
            ("MODIFY", &bare, Some(&a), None),
            ("MODIFY", &empty, Some(&a), None),
            ("MODIFY", &empty, Some(&bare), None),
            ("INSERT", &empty, None, None),
            ("MODIFY", &bare, Some(&bare), None),
            ("INSERT", &bare, None, None),
        ] {
            assert_eq!(decided(name, Some(new.clone()), old.cloned()), Ok(expected), "{name} {old:?} -> {new}");
        }
    }

    /// The fan changes the entry, or the entry is replicated, after the code is given.
    #[test]
    fn other_changes_of_a_winners_entry_are_not_marked_again() {
        let old = entry(json!("A"));
        for (name, value) in
            [("fields", json!("{\"a\":1}")), ("needsReplication", json!(true)), ("verdict", Value::Null)]
        {
            let mut new = old.clone();
            new[name] = value;
            assert_eq!(decided("MODIFY", Some(new), Some(old.clone())), Ok(None), "{name}");
        }
        assert_eq!(decided("REMOVE", None, Some(old)), Ok(None));
    }

    #[test]
    fn other_items_are_not_looked_at() {
        let files = ["progress", "progress:report"];
        let scoring = ["SCORE#m", "ALIAS#user:u", "ALIAS#email:e", "meta:counts", "meta:slack:counts"];
        for sk in files.into_iter().chain(scoring).chain(["PLAN#m#t#1", "asu#c-m#reminder", ""]) {
            let image = json!({"accessCode": 7, "marketId": [], "campaignId": {}});
            let change = json!({"eventName": "INSERT", "keys": {"pk": "CAMPAIGN#c", "sk": sk}, "newImage": image});
            assert_eq!(given_code(serde_json::from_value(change).unwrap()), Ok(None), "{sk}");
        }
    }

    #[test]
    fn a_malformed_change_names_its_field() {
        assert_eq!(decided("MODIFY", None, None).unwrap_err(), "malformed: newImage is missing");
        for (field, value) in
            [("campaignId", Value::Null), ("marketId", Value::Null), ("marketId", json!("")), ("accessCode", json!(7))]
        {
            let mut image = entry(json!("A"));
            image[field] = value;
            let problem = decided("MODIFY", Some(image), None).unwrap_err();
            assert_eq!(problem, format!("malformed: {field} is missing or not text"));
        }
    }
}
