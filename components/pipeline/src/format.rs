//! The formatter of each type: which parts of an entity are published, and how.
//!
//! A formatter reads documents in the format of their owners (`schemas/domain/`). Values that it does not understand
//! stay as they are, and the schema check reports them later. Members that are null or that the schema does not have
//! are left out, in the entity and in each object within it, including secrets (a fan's access code, a market's shared
//! code) and the markers of replication.

use crate::fault::Fault;
use crate::identity::{self, Identity};
use crate::kind::Kind;
use crate::object::Object;
use Shape::{Each, Only, Time, Whole};
use chrono::{DateTime, SecondsFormat};
use serde_json::value::{RawValue, to_raw_value};

/// The member with the record id.
pub const RECORD_ID: &str = "recordId";

/// What is published of a value. A value that is not of its shape stays as it is.
enum Shape {
    /// All of it.
    Whole,
    /// A time, in UTC.
    Time,
    /// Of an object, these members, except those that are null.
    Only(Members),
    /// Of a list, this of each element.
    Each(&'static Shape),
}

/// The members of an object that are published.
type Members = &'static [(&'static str, Shape)];

const CAMPAIGN: Members = &[
    ("id", Whole),
    ("slug", Whole),
    ("name", Whole),
    ("status", Whole),
    ("locale", Whole),
    ("version", Whole),
    (
        "date",
        Only(&[
            ("open", Time),
            ("close", Time),
            ("created", Time),
            ("updated", Time),
            ("sendReminderEmails", Each(&Time)),
            ("triggeredEmailReminders", Each(&Time)),
        ]),
    ),
    (
        "fields",
        Each(&Only(&[
            ("name", Whole),
            ("type", Whole),
            ("required", Whole),
            ("min", Whole),
            ("max", Whole),
            ("maxLength", Whole),
            ("options", Whole),
        ])),
    ),
    ("gates", Each(&Only(&[("type", Whole), ("linkedCampaignId", Whole)]))),
    ("options", Only(&[("automatedReminders", Whole), ("dataPipeline", Whole)])),
];

const EVENT_MAPPING: Members =
    &[("campaignId", Whole), ("marketId", Whole), ("eventId", Whole), ("version", Whole), ("date", Only(CHANGE))];

const MARKET: Members = &[
    ("id", Whole),
    ("campaignId", Whole),
    ("eventId", Whole),
    ("name", Whole),
    ("ticketer", Whole),
    ("capacity", Whole),
    ("selectionRatio", Whole),
    ("timeZone", Whole),
    ("version", Whole),
    (
        "date",
        Only(&[("presale", Time), ("created", Time), ("updated", Time), ("notification", Time), ("notified", Time)]),
    ),
    ("options", Only(&[("automatedReminders", Whole)])),
];

const REGISTERED_MARKET: Members = &[
    ("campaignId", Whole),
    ("marketId", Whole),
    ("stats", Only(&[("totalRegistrations", Whole), ("winnerCount", Whole), ("status", Whole)])),
    ("version", Whole),
    ("date", Only(CHANGE)),
];

const REGISTRATION: Members = &[
    ("campaignId", Whole),
    ("globalUserId", Whole),
    ("memberId", Whole),
    // The fan's form: its members are the campaign's to name.
    ("fields", Whole),
    ("score", Whole),
    ("verdict", Whole),
    ("marketId", Whole),
    ("linkedFrom", Whole),
    ("version", Whole),
    ("date", Only(&[("created", Time), ("updated", Time), ("fanModified", Time)])),
];

/// The times of an entity that has no others.
const CHANGE: Members = &[("created", Time), ("updated", Time)];

/// The members that are published of an entity, without the record id.
fn members(kind: Kind) -> Members {
    match kind {
        Kind::Campaign => CAMPAIGN,
        Kind::EventMapping => EVENT_MAPPING,
        Kind::Market => MARKET,
        Kind::RegisteredMarket => REGISTERED_MARKET,
        Kind::Registration => REGISTRATION,
    }
}

/// Formats an entity, and adds its record id. `sent_ms` is when the record was queued, milliseconds since 1970: an
/// entity without `date.updated` counts as changed then.
///
/// # Errors
/// When the entity cannot be identified.
pub fn format(kind: Kind, mut data: Object, sent_ms: u64) -> Result<Object, Fault> {
    if let Some(date) = date(&data, sent_ms) {
        data.set("date", &date);
    }
    let mut data = keep(data, members(kind));
    match kind {
        Kind::Campaign => campaign(&mut data),
        Kind::Registration => registration(&mut data),
        Kind::EventMapping | Kind::Market | Kind::RegisteredMarket => {}
    }
    let identity = Identity::of(kind, &data)?;
    data.set(RECORD_ID, &identity.record_id);
    Ok(data)
}

/// Keeps the members that are published and not null, and of each its own shape.
fn keep(mut object: Object, members: Members) -> Object {
    object.retain(|name| members.iter().any(|(known, _)| *known == name));
    for (name, shape) in members {
        if let Some(value) = object.get(name).and_then(|value| changed(value, shape)) {
            object.set(name, &value);
        }
    }
    object
}

/// What is published of a value; `None` if that is the value as it is.
fn changed(value: &RawValue, shape: &Shape) -> Option<Box<RawValue>> {
    match shape {
        Whole => None,
        Time => to_raw_value(&identity::time(&serde_json::from_str::<String>(value.get()).ok()?)?).ok(),
        Only(members) => to_raw_value(&keep(Object::parse(value.get())?, members)).ok(),
        Each(shape) => {
            let mut list: Vec<Box<RawValue>> = serde_json::from_str(value.get()).ok()?;
            for value in &mut list {
                if let Some(changed) = changed(value, shape) {
                    *value = changed;
                }
            }
            to_raw_value(&list).ok()
        }
    }
}

/// `OPEN` is read as `ACTIVE`.
fn campaign(data: &mut Object) {
    if data.text("status").as_deref() == Some("OPEN") {
        data.set("status", &"ACTIVE");
    }
}

/// `demand-table` has the form as text, and verdicts may have names.
fn registration(data: &mut Object) {
    if let Some(fields) = data.text("fields").and_then(|text| Object::parse(&text)) {
        data.set("fields", &fields);
    }
    match data.text("verdict").as_deref() {
        Some("WINNER") => data.set("verdict", &true),
        Some("LOSER") => data.set("verdict", &false),
        Some("PENDING" | "WAITLIST") => data.remove("verdict"),
        Some(_) | None => {}
    }
}

/// The times of an entity, with `created` and `updated` also from where `schemas/domain/entry.json` has them.
/// `None` if `date` is something else.
fn date(data: &Object, sent_ms: u64) -> Option<Object> {
    let mut date = match data.get("date") {
        Some(date) => Object::parse(date.get())?,
        None => Object::default(),
    };
    for (name, instead) in [("created", "createdAt"), ("updated", "updatedAt")] {
        if let (None, Some(time)) = (date.get(name), data.get(instead)) {
            date.set(name, &time.to_owned());
        }
    }
    if date.get("updated").is_none() {
        let sent = i64::try_from(sent_ms).ok().and_then(DateTime::from_timestamp_millis);
        sent.into_iter().for_each(|sent| date.set("updated", &sent.to_rfc3339_opts(SecondsFormat::Millis, true)));
    }
    Some(date)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use crate::schema::check as check_schema;
    use crate::testing::{SENT_MS, document, entity, schema};
    use expect_test::{Expect, expect};
    use serde_json::{Value, json};
    use std::collections::BTreeSet;

    fn formatted(kind: Kind, data: &Value) -> String {
        format(kind, Object::parse(&data.to_string()).unwrap(), SENT_MS).unwrap().compact().unwrap()
    }

    fn check(kind: Kind, data: &Value, expected: Expect) {
        expected.assert_eq(&formatted(kind, data));
    }

    /// An entity with something in each of its objects and lists.
    fn full(kind: Kind) -> Value {
        let mut data = entity(kind);
        match kind {
            Kind::Campaign => {
                data["gates"] = document("campaigns/vip-presale")["gates"].clone();
                data["options"] = json!({"automatedReminders": true, "dataPipeline": true});
            }
            Kind::RegisteredMarket => {
                data["stats"] = json!({"totalRegistrations": 5000, "winnerCount": 500, "status": "FINISHED"});
            }
            Kind::EventMapping | Kind::Market | Kind::Registration => {}
        }
        data
    }

    /// That a schema describes members as the formatter keeps them, and no others; `more` are those that it adds.
    fn same_members(members: Members, more: &[&str], schema: &Value, path: &str) {
        let published: BTreeSet<_> = members.iter().map(|(name, _)| *name).chain(more.iter().copied()).collect();
        let described = schema["properties"].as_object().unwrap();
        assert_eq!(published, described.keys().map(String::as_str).collect(), "{path}");
        assert_eq!(schema["additionalProperties"], false, "{path}");
        for (name, shape) in members {
            same_shape(shape, &described[*name], &format!("{path}/{name}"));
        }
    }

    fn same_shape(shape: &Shape, schema: &Value, path: &str) {
        match shape {
            Whole => {
                let inner = [&schema["format"], &schema["properties"], &schema["items"]["format"]];
                assert!(inner.into_iter().all(Value::is_null), "{path} has parts or is a time");
            }
            Time => assert_eq!(schema["format"], "date-time", "{path}"),
            Only(members) => same_members(members, &[], schema, path),
            Each(shape) => same_shape(shape, &schema["items"], &format!("{path}/items")),
        }
    }

    #[test]
    fn a_formatter_keeps_the_members_of_its_schema_at_every_depth() {
        for kind in Kind::ALL {
            same_members(members(kind), &[RECORD_ID], &schema(kind), kind.name());
        }
    }

    /// Adds a member to every object of a value, except within a form.
    fn spread(value: &mut Value, name: &str, member: &Value) {
        match value {
            Value::Object(members) => {
                let inner = members.iter_mut().filter(|(name, value)| *name != "fields" || !value.is_object());
                inner.for_each(|(_, value)| spread(value, name, member));
                members.insert(name.to_owned(), member.clone());
            }
            Value::Array(list) => list.iter_mut().for_each(|value| spread(value, name, member)),
            _ => {}
        }
    }

    #[test]
    fn members_that_the_schema_does_not_have_are_left_out_at_every_depth() {
        for kind in Kind::ALL {
            let data = full(kind);
            let clean = formatted(kind, &data);
            let mut spoilt = data;
            spread(&mut spoilt, "secret", &json!("SECRET"));
            assert_eq!(formatted(kind, &spoilt), clean, "{kind}");
        }
    }

    /// Each `null` would break the schema, and the record be rejected.
    #[test]
    fn members_that_are_null_are_left_out_at_every_depth() {
        for (kind, pointer) in [
            (Kind::Campaign, "/options/dataPipeline"),
            (Kind::Campaign, "/options/automatedReminders"),
            (Kind::Campaign, "/fields/0/required"),
            (Kind::Campaign, "/fields/2/maxLength"),
            (Kind::Campaign, "/gates/0/linkedCampaignId"),
            (Kind::Campaign, "/date/created"),
            (Kind::Market, "/options/automatedReminders"),
            (Kind::Market, "/date/notified"),
            (Kind::RegisteredMarket, "/stats/winnerCount"),
            (Kind::RegisteredMarket, "/stats/status"),
        ] {
            let (parent, name) = pointer.rsplit_once('/').unwrap();
            let data = full(kind);
            let mut with_null = data.clone();
            with_null.pointer_mut(parent).unwrap()[name] = Value::Null;
            let mut without = data;
            without.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name);
            let text = formatted(kind, &with_null);
            assert_eq!(text, formatted(kind, &without), "{pointer}");
            assert_eq!(check_schema(kind, &text), Ok(()), "{pointer}");
        }
    }

    #[test]
    fn times_are_in_utc_in_lists_too() {
        let text = formatted(Kind::Campaign, &document("campaigns/vip-presale"));
        let published: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            published["date"]["sendReminderEmails"],
            json!(["2098-12-31T17:00:00.000Z", "2098-12-31T23:30:00.000Z"])
        );
        assert_eq!(published["date"]["triggeredEmailReminders"], json!(["2024-01-10T08:00:00.500Z"]));
        let mut market = document("markets/market-123");
        market["date"]["notified"] = json!("2024-01-10T09:00:00+01:00");
        assert!(formatted(Kind::Market, &market).contains(r#""notified":"2024-01-10T08:00:00.000Z""#));
        // What is not a time is for the schema check to name.
        market["date"]["notified"] = json!(["soon"]);
        assert!(formatted(Kind::Market, &market).contains(r#""notified":["soon"]"#));
    }

    /// A form is the fan's, and its members are the campaign's to name.
    #[test]
    fn a_form_stays_as_it_is() {
        let mut entry = document("entries/user-456");
        entry["fields"] = json!({"note": null, "secret": {"a": null}});
        assert!(formatted(Kind::Registration, &entry).contains(r#""fields":{"note":null,"secret":{"a":null}}"#));
    }

    #[test]
    fn data_flow_format_campaign_artifacts() {
        let mut campaign = document("campaigns/artist-presale-2024");
        campaign["_id"] = json!("mongo's");
        campaign["fields"] = json!([]);
        check(
            Kind::Campaign,
            &campaign,
            expect![[
                r#"{"date":{"close":"2099-01-01T00:00:00.000Z","open":"2024-01-01T00:00:00.000Z","sendReminderEmails":[],"triggeredEmailReminders":[],"updated":"2024-01-15T10:30:00.000Z"},"fields":[],"gates":[],"id":"campaign-789","locale":"en-US","name":"Artist Presale 2024","options":{"automatedReminders":true},"recordId":"CAMPAIGN:campaign-789:2024-01-15T10:30:00.000Z","slug":"artist-presale-2024","status":"ACTIVE"}"#
            ]],
        );
    }

    #[test]
    fn data_flow_format_market_artifacts_without_the_shared_code() {
        let mut market = document("markets/market-123");
        assert!(market["sharedCode"].is_string());
        market["version"] = json!(3);
        check(
            Kind::Market,
            &market,
            expect![[
                r#"{"campaignId":"campaign-789","capacity":500,"date":{"presale":"2099-02-01T18:30:00.000Z","updated":"2024-01-15T10:30:00.000Z"},"eventId":"event-1","id":"market-123","name":"Los Angeles","options":{"automatedReminders":true},"recordId":"MARKET:market-123:3","ticketer":"TM","timeZone":"America/Los_Angeles","version":3}"#
            ]],
        );
    }

    #[test]
    fn data_flow_format_registration_artifacts_without_the_access_code() {
        let mut entry = document("entries/user-456");
        entry["accessCode"] = json!("SECRET");
        entry["verdict"] = json!("WINNER");
        entry["memberId"] = Value::Null;
        entry["date"]["updated"] = json!("2024-01-15T12:30:00.123+02:00");
        check(
            Kind::Registration,
            &entry,
            expect![[
                r#"{"campaignId":"campaign-123","date":{"created":"2024-01-15T10:30:00.000Z","fanModified":"2024-01-15T10:30:00.000Z","updated":"2024-01-15T10:30:00.123Z"},"fields":{"email":"fan@example.com"},"globalUserId":"user-456","recordId":"REGISTRATION:campaign-123/user-456:2024-01-15T10:30:00.123Z","score":850,"verdict":true}"#
            ]],
        );
    }

    #[test]
    fn data_flow_format_event_mapping_and_registered_market_artifacts() {
        let date = json!({"updated": "2024-01-15T10:30:00Z"});
        let mapping = json!({"campaignId": "c", "marketId": "m", "eventId": "e", "note": 1, "date": date});
        check(
            Kind::EventMapping,
            &mapping,
            expect![[
                r#"{"campaignId":"c","date":{"updated":"2024-01-15T10:30:00.000Z"},"eventId":"e","marketId":"m","recordId":"EVENT_MAPPING:c/m/e:2024-01-15T10:30:00.000Z"}"#
            ]],
        );
        let stats = json!({"totalRegistrations": 5000, "winnerCount": 500, "status": "FINISHED"});
        let numbers = json!({"campaignId": "c", "marketId": "m", "stats": stats});
        check(
            Kind::RegisteredMarket,
            &numbers,
            expect![[
                r#"{"campaignId":"c","date":{"updated":"2024-01-15T10:30:00.000Z"},"marketId":"m","recordId":"REGISTERED_MARKET:c/m:2024-01-15T10:30:00.000Z","stats":{"status":"FINISHED","totalRegistrations":5000,"winnerCount":500}}"#
            ]],
        );
    }

    #[test]
    fn verdicts_are_read_by_their_names_and_pending_ones_are_absent() {
        for (verdict, expected) in [
            (json!(true), Some("true")),
            (json!(false), Some("false")),
            (json!("LOSER"), Some("false")),
            (json!("PENDING"), None),
            (json!("WAITLIST"), None),
            (json!("MAYBE"), Some("\"MAYBE\"")),
        ] {
            let mut entry = document("entries/user-456");
            entry["verdict"] = verdict;
            let formatted = format(Kind::Registration, Object::parse(&entry.to_string()).unwrap(), SENT_MS).unwrap();
            assert_eq!(formatted.get("verdict").map(|it| it.get()), expected);
        }
    }

    #[test]
    fn an_entity_without_a_date_counts_as_changed_when_it_was_queued() {
        let entry = |more: Value| {
            let mut entry = json!({"campaignId": "c", "globalUserId": "u", "fields": "{}"});
            more.as_object().unwrap().iter().for_each(|(name, value)| entry[name] = value.clone());
            let data = Object::parse(&entry.to_string()).unwrap();
            let formatted = format(Kind::Registration, data, SENT_MS).unwrap();
            formatted.object("date").unwrap().compact().unwrap()
        };
        assert_eq!(entry(json!({})), r#"{"updated":"2024-01-15T10:30:00.000Z"}"#);
        assert_eq!(entry(json!({"date": {"updated": null}})), r#"{"updated":"2024-01-15T10:30:00.000Z"}"#);
        let dates = json!({"createdAt": "2024-01-01T00:00:00Z", "updatedAt": "2024-01-02T00:00:00Z"});
        assert_eq!(entry(dates), r#"{"created":"2024-01-01T00:00:00.000Z","updated":"2024-01-02T00:00:00.000Z"}"#);
    }

    /// A second formatting, as of a record that is queued again, changes nothing.
    #[test]
    fn what_is_formatted_already_stays_as_it_is() {
        for (kind, document) in [
            (Kind::Campaign, document("campaigns/vip-presale")),
            (Kind::Market, document("markets/market-456")),
            (Kind::Registration, document("entries/user-456")),
        ] {
            let once = format(kind, Object::parse(&document.to_string()).unwrap(), SENT_MS).unwrap();
            let twice = format(kind, once.clone(), SENT_MS + 1).unwrap();
            assert_eq!(once.compact(), twice.compact());
        }
    }

    #[test]
    fn digits_are_kept() {
        let text = r#"{"campaignId":"c","globalUserId":"u","score":0.12345678901234567890123,"fields":"{\"n\":12345678901234567890123}"}"#;
        let text = format(Kind::Registration, Object::parse(text).unwrap(), SENT_MS).unwrap().compact().unwrap();
        assert!(text.contains(r#""fields":{"n":12345678901234567890123}"#), "{text}");
        assert!(text.contains(r#""score":0.12345678901234567890123"#), "{text}");
    }

    #[test]
    fn what_cannot_be_told_from_others_is_a_fault() {
        let faulty = |data: &str| format(Kind::Registration, Object::parse(data).unwrap(), SENT_MS).unwrap_err().path;
        assert_eq!(faulty(r#"{"campaignId":"c"}"#), "/globalUserId");
        assert_eq!(faulty(r#"{"campaignId":"c","globalUserId":"u","date":7}"#), "/date/updated");
        assert_eq!(faulty(r#"{"campaignId":"c","globalUserId":"u","date":{"updated":"now"}}"#), "/date/updated");
    }
}
