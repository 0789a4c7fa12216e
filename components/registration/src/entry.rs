//! A fan's entry as an item of `demand-table` (`schemas/domain/entry.json`).

mod form;
mod image;

pub use form::Form;
pub use image::Image;

use chrono::{DateTime, SecondsFormat, Utc};
use image::{Fields, Text};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The beginning of the sort keys of entries. Scores, counts and reminders have other ones.
pub const SORT_KEY_PREFIX: &str = "USER#";

/// What happened to an item.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Operation {
    /// It was created.
    Insert,
    /// It was changed.
    Modify,
    /// It was removed.
    Remove,
}

/// An entry, read from an image of its item.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The campaign.
    pub campaign_id: String,
    /// The fan.
    pub global_user_id: String,
    /// The fan's member id, if there is one.
    pub member_id: Option<String>,
    /// The form, normalised.
    pub fields: Form,
    /// The campaign that the entry was transferred from.
    pub linked_from: Option<String>,
    /// The fan's score. A system's attribute, not the fan's.
    pub score: Option<Score>,
    /// Whether the entry still has to be replicated to the Entry Service.
    pub needs_replication: bool,
    /// When it was created and changed.
    pub date: Dates,
}

/// A score, as the digits that the item has.
#[derive(Clone, Debug)]
pub struct Score(Box<RawValue>);

impl Score {
    /// The number as JSON.
    pub fn as_json(&self) -> &RawValue {
        &self.0
    }
}

impl PartialEq for Score {
    fn eq(&self, other: &Self) -> bool {
        host_adapters_json::same(self.0.get(), other.0.get())
    }
}

/// When an entry was created and changed, as stored in the item.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Dates {
    /// `date.created`, else `createdAt`.
    pub created: Option<String>,
    /// `date.updated`, else `updatedAt`.
    pub updated: Option<String>,
    /// `date.fanModified`.
    pub fan_modified: Option<String>,
}

/// The attributes that the fan wrote, as opposed to those that systems wrote.
#[derive(Debug, PartialEq)]
pub struct FanAttributes<'a> {
    member_id: Option<&'a str>,
    fields: &'a Form,
    linked_from: Option<&'a str>,
    fan_modified: Option<&'a str>,
}

/// An image that is not an entry.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{field} {problem}")]
pub struct InvalidEntry {
    /// The path of the attribute, dotted.
    pub field: &'static str,
    /// The fault, as a message.
    pub problem: &'static str,
}

impl Entry {
    /// Reads an image. `fields` may be JSON text, as in `demand-table`, or an object.
    pub fn new(image: Image<'_>) -> Result<Self, InvalidEntry> {
        let image = image.attributes();
        let date = image.date.0;
        Ok(Self {
            campaign_id: required(image.campaign_id, "campaignId")?,
            global_user_id: required(image.global_user_id, "globalUserId")?,
            member_id: optional(image.member_id, "memberId")?,
            fields: fields(image.fields)?,
            linked_from: optional(image.linked_from, "linkedFrom")?,
            score: image.score.0.map(Score),
            needs_replication: image.needs_replication.0,
            date: Dates {
                created: instant(date.created, "date.created")?.or(instant(image.created_at, "createdAt")?),
                updated: instant(date.updated, "date.updated")?.or(instant(image.updated_at, "updatedAt")?),
                fan_modified: instant(date.fan_modified, "date.fanModified")?,
            },
        })
    }

    /// Reads an image that is already parsed.
    pub fn from_image(image: &Value) -> Result<Self, InvalidEntry> {
        // The target accepts every JSON value. Only a number out of range could fail.
        Self::new(Image::deserialize(image).unwrap_or_default())
    }

    /// The attributes that the fan wrote.
    pub fn fan_attributes(&self) -> FanAttributes<'_> {
        FanAttributes {
            member_id: self.member_id.as_deref(),
            fields: &self.fields,
            linked_from: self.linked_from.as_deref(),
            fan_modified: self.date.fan_modified.as_deref(),
        }
    }

    /// The version by which the Entry Service orders: that of `date.updated`.
    pub fn version(&self) -> Result<String, InvalidEntry> {
        let updated = self.date.updated.as_deref();
        let updated = updated.ok_or(InvalidEntry { field: "date.updated", problem: "is missing" })?;
        version(updated).ok_or(InvalidEntry { field: "date.updated", problem: "is not an RFC 3339 time" })
    }
}

/// A time in UTC with milliseconds, so that texts sort in the order of time; `None` if it is not an RFC 3339 time.
pub fn version(time: &str) -> Option<String> {
    if is_utc_with_milliseconds(time) {
        return Some(time.to_owned());
    }
    parse(time).map(|time| time.to_rfc3339_opts(SecondsFormat::Millis, true))
}

/// Whether the image is flagged for replication; any value but `true` counts as false.
pub fn needs_replication(image: &Value) -> bool {
    image.get("needsReplication") == Some(&Value::Bool(true))
}

/// The dotted path of the attribute that [`Dates::updated`] was read from, and its value.
pub fn updated_attribute(image: &Value) -> Option<(&'static str, &Value)> {
    let present = |path, value: Option<_>| value.filter(|value: &&Value| !value.is_null()).map(|value| (path, value));
    let nested = present("date.updated", image.pointer("/date/updated"));
    nested.or_else(|| present("updatedAt", image.get("updatedAt")))
}

fn required(text: Text<'_>, field: &'static str) -> Result<String, InvalidEntry> {
    let value = optional(text, field)?.filter(|text| !text.is_empty());
    value.ok_or(InvalidEntry { field, problem: "is missing or empty" })
}

fn optional(text: Text<'_>, field: &'static str) -> Result<Option<String>, InvalidEntry> {
    match text {
        Text::Absent => Ok(None),
        Text::Is(text) => Ok(Some(text.into_owned())),
        Text::Wrong => Err(InvalidEntry { field, problem: "is not text" }),
    }
}

fn fields(fields: Fields<'_>) -> Result<Form, InvalidEntry> {
    let invalid = |problem| InvalidEntry { field: "fields", problem };
    match fields {
        Fields::Object(fields) => Form::from_members(&fields).ok_or(invalid("cannot be written as JSON")),
        Fields::Text(text) => Form::from_text(text.into_owned()).ok_or(invalid("is not a JSON object as text")),
        Fields::Wrong => Err(invalid("is neither text nor an object")),
        Fields::Absent => Err(invalid("is missing")),
    }
}

fn instant(text: Text<'_>, field: &'static str) -> Result<Option<String>, InvalidEntry> {
    match text {
        Text::Absent => Ok(None),
        Text::Is(text) if is_instant(&text) => Ok(Some(Cow::into_owned(text))),
        Text::Is(_) | Text::Wrong => Err(InvalidEntry { field, problem: "is not an RFC 3339 time" }),
    }
}

fn is_instant(text: &str) -> bool {
    is_utc_with_milliseconds(text) || parse(text).is_some()
}

/// Whether it is a time in the form that this project writes, `2024-01-15T10:30:00.123Z`. This is a fast path: other
/// forms go to the parser.
fn is_utc_with_milliseconds(text: &str) -> bool {
    const SHAPE: &[u8; 24] = b"0000-00-00T00:00:00.000Z";
    let Ok(text) = <&[u8; 24]>::try_from(text.as_bytes()) else { return false };
    let fits = |(it, shape): (&u8, &u8)| if *shape == b'0' { it.is_ascii_digit() } else { it == shape };
    let [_, _, _, _, _, m1, m2, _, d1, d2, _, h1, h2, _, min1, min2, _, s1, s2, ..] = text;
    text.iter().zip(SHAPE).all(fits)
        && (b"01"..=b"12").contains(&&[*m1, *m2])
        // Days that only some months have also go to the parser.
        && (b"01"..=b"28").contains(&&[*d1, *d2])
        && (b"00"..=b"23").contains(&&[*h1, *h2])
        && (b"00"..=b"59").contains(&&[*min1, *min2])
        && (b"00"..=b"59").contains(&&[*s1, *s2])
}

fn parse(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    fn image() -> Value {
        json!({
            "pk": "CAMPAIGN#c", "sk": "USER#u", "campaignId": "c", "globalUserId": "u", "score": 850,
            "fields": r#"{"email":"fan@example.com","markets":["a","b"]}"#, "needsReplication": true,
            "date": {"created": "2024-01-15T10:30:00.000Z", "updated": "2024-01-15T10:30:00.123Z",
                     "fanModified": "2024-01-15T10:30:00.123Z"},
        })
    }

    fn with(name: &str, value: Value) -> Value {
        let mut image = image();
        image.as_object_mut().unwrap().insert(name.to_owned(), value);
        image
    }

    #[test]
    fn an_image_is_read() {
        let entry = Entry::from_image(&image()).unwrap();
        assert_eq!(entry.fields.as_json().get(), r#"{"email":"fan@example.com","markets":["a","b"]}"#);
        assert_eq!(entry.version().unwrap(), "2024-01-15T10:30:00.123Z");
        assert!(entry.needs_replication);
        assert_eq!(entry.score.unwrap().as_json().get(), "850");
    }

    #[test]
    fn case_01_score_and_form_keep_every_digit() {
        let read = |score: &str, n: &str| {
            let image = format!(r#"{{"campaignId":"c","globalUserId":"u","score":{score},"fields":{{"n":{n}}}}}"#);
            Entry::new(serde_json::from_str(&image).unwrap()).unwrap()
        };
        let entry = read("12345678901234567890123", "0.12345678901234567890123");
        assert_eq!(entry.score.as_ref().unwrap().as_json().get(), "12345678901234567890123");
        assert_eq!(entry.fields.as_json().get(), r#"{"n":0.12345678901234567890123}"#);
        let other = read("12345678901234567890124", "0.12345678901234567890124");
        assert_ne!(entry.score, other.score);
        assert_ne!(entry.fields, other.fields);
        assert_eq!(read(r#""850""#, "1").score, None);
    }

    #[test]
    fn the_documents_dates_are_used_instead() {
        let mut image = image();
        image.as_object_mut().unwrap().remove("date");
        image["createdAt"] = json!("2024-01-15T10:30:00Z");
        image["updatedAt"] = json!("2024-01-15T12:30:00+02:00");
        let entry = Entry::from_image(&image).unwrap();
        assert_eq!(entry.date.created.as_deref(), Some("2024-01-15T10:30:00Z"));
        assert_eq!(entry.version().unwrap(), "2024-01-15T10:30:00.000Z");
        assert_eq!(updated_attribute(&image), Some(("updatedAt", &json!("2024-01-15T12:30:00+02:00"))));
    }

    #[test]
    fn a_null_date_is_absent() {
        let mut image = with("date", json!({"updated": null}));
        assert_eq!(updated_attribute(&image), None);
        image["updatedAt"] = json!("2024-01-15T10:30:00Z");
        assert_eq!(updated_attribute(&image).map(|(path, _)| path), Some("updatedAt"));
        assert_eq!(Entry::from_image(&image).unwrap().version().unwrap(), "2024-01-15T10:30:00.000Z");
    }

    #[test]
    fn fields_may_be_an_object() {
        let entry = Entry::from_image(&with("fields", json!({"email": "fan@example.com"}))).unwrap();
        assert_eq!(entry.fields.as_json().get(), r#"{"email":"fan@example.com"}"#);
    }

    #[test]
    fn errors_name_the_field() {
        for (image, expected) in [
            (with("campaignId", json!("")), "campaignId is missing or empty"),
            (with("campaignId", json!(7)), "campaignId is not text"),
            (with("globalUserId", Value::Null), "globalUserId is missing or empty"),
            (with("memberId", json!([])), "memberId is not text"),
            (with("fields", json!("[1]")), "fields is not a JSON object as text"),
            (with("fields", json!("{\"a\":1}}")), "fields is not a JSON object as text"),
            (with("fields", json!("")), "fields is not a JSON object as text"),
            (with("fields", json!(1)), "fields is neither text nor an object"),
            (with("date", json!({"updated": "yesterday"})), "date.updated is not an RFC 3339 time"),
            (with("date", json!({"fanModified": 1})), "date.fanModified is not an RFC 3339 time"),
            (json!({}), "campaignId is missing or empty"),
            (json!(null), "campaignId is missing or empty"),
        ] {
            assert_eq!(Entry::from_image(&image).unwrap_err().to_string(), expected);
        }
        let undated = Entry::from_image(&with("date", json!({}))).unwrap();
        assert_eq!(undated.version().unwrap_err().to_string(), "date.updated is missing");
    }

    #[test]
    fn attributes_of_systems_are_not_the_fans() {
        let entry = Entry::from_image(&image()).unwrap();
        for (name, value) in [
            ("score", json!(1)),
            ("verdict", json!(true)),
            ("accessCode", json!("X")),
            ("needsReplication", json!(false)),
        ] {
            let changed = Entry::from_image(&with(name, value)).unwrap();
            assert_eq!(changed.fan_attributes(), entry.fan_attributes(), "{name}");
        }
        for (name, value) in
            [("memberId", json!("m")), ("fields", json!("{}")), ("linkedFrom", json!("x")), ("date", json!({}))]
        {
            let changed = Entry::from_image(&with(name, value)).unwrap();
            assert_ne!(changed.fan_attributes(), entry.fan_attributes(), "{name}");
        }
    }

    #[test]
    fn the_fast_path_agrees_with_the_parser() {
        for text in [
            "2024-01-15T10:30:00.123Z",
            "2024-02-28T23:59:59.999Z",
            "0000-12-01T00:00:00.000Z",
            "2024-02-31T10:30:00.123Z",
            "2024-13-15T10:30:00.123Z",
            "2024-01-15T24:30:00.123Z",
            "2024-01-15T10:60:00.123Z",
            "2024-01-15T10:30:60.123Z",
            "2024-01-15 10:30:00.123Z",
            "2024-01-15T10:30:00,123Z",
            "2024-01-15T10:30:00.12éZ",
            "+024-01-15T10:30:00.123Z",
            "2024-01-15T10:30:00.1234Z",
            "2024-00-15T10:30:00.123Z",
            "2024-01-00T10:30:00.123Z",
        ] {
            let written = parse(text).map(|time| time.to_rfc3339_opts(SecondsFormat::Millis, true));
            assert!(!is_utc_with_milliseconds(text) || written.as_deref() == Some(text), "{text}");
        }
        assert!(is_utc_with_milliseconds("2024-01-15T10:30:00.123Z"));
    }

    #[test]
    fn the_order_of_keys_and_the_form_of_fields_do_not_matter() {
        let text = Entry::from_image(&with("fields", json!(r#"{"b":1,"a":2}"#))).unwrap();
        let object = Entry::from_image(&with("fields", json!({"a": 2, "b": 1}))).unwrap();
        assert_eq!(text.fan_attributes(), object.fan_attributes());
        let spaced = Entry::from_image(&with("fields", json!(" {\"b\": 1,\n\"a\": 2} "))).unwrap();
        assert_eq!(spaced.fan_attributes(), object.fan_attributes());
        let other = Entry::from_image(&with("fields", json!({"a": 2, "b": 2}))).unwrap();
        assert_ne!(other.fan_attributes(), object.fan_attributes());
    }

    #[test]
    fn a_form_out_of_range_equals_only_itself() {
        let form = |text: &str| Entry::from_image(&with("fields", json!(text))).unwrap().fields;
        assert_eq!(form(r#"{"a":1e999}"#), form(r#"{"a":1e999}"#));
        assert_ne!(form(r#"{"a":1e999}"#), form(r#"{"a": 1e999}"#));
    }

    #[test]
    fn only_true_counts_as_flagged() {
        assert!(needs_replication(&image()));
        for value in [json!(false), json!("true"), json!(1), Value::Null] {
            assert!(!needs_replication(&with("needsReplication", value)));
        }
    }
}
