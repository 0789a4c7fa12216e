//! The formatter of each type: which parts of an entity are published, and how.
//!
//! A formatter reads documents in the format of their owners (`schemas/domain/`). Values that it does not understand
//! stay as they are, and the schema check reports them later. Members that the schema does not have are left out,
//! including secrets (a fan's access code, a market's shared code) and the markers of replication.

use crate::fault::Fault;
use crate::identity::{self, Identity};
use crate::kind::Kind;
use crate::object::Object;
use chrono::{DateTime, SecondsFormat};

/// The member with the record id.
pub const RECORD_ID: &str = "recordId";

/// The members that are published of an entity, without the record id.
fn members(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Campaign => &["id", "slug", "name", "status", "locale", "version", "date", "fields", "gates", "options"],
        Kind::EventMapping => &["campaignId", "marketId", "eventId", "version", "date"],
        Kind::Market => &[
            "id",
            "campaignId",
            "eventId",
            "name",
            "ticketer",
            "capacity",
            "selectionRatio",
            "timeZone",
            "version",
            "date",
            "options",
        ],
        Kind::RegisteredMarket => &["campaignId", "marketId", "stats", "version", "date"],
        Kind::Registration => &[
            "campaignId",
            "globalUserId",
            "memberId",
            "fields",
            "score",
            "verdict",
            "marketId",
            "linkedFrom",
            "version",
            "date",
        ],
    }
}

/// Formats an entity, and adds its record id. `sent_ms` is when the record was queued, milliseconds since 1970: an
/// entity without `date.updated` counts as changed then.
///
/// # Errors
/// When the entity cannot be identified.
pub fn format(kind: Kind, mut data: Object, sent_ms: u64) -> Result<Object, Fault> {
    let date = date(&data, sent_ms);
    data.retain(|name| members(kind).contains(&name));
    if let Some(date) = date {
        data.set("date", &date);
    }
    match kind {
        Kind::Campaign => campaign(&mut data),
        Kind::Registration => registration(&mut data),
        Kind::EventMapping | Kind::Market | Kind::RegisteredMarket => {}
    }
    let identity = Identity::of(kind, &data)?;
    data.set(RECORD_ID, &identity.record_id);
    Ok(data)
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

/// The times of an entity, in UTC, with `created` and `updated` also from where `schemas/domain/entry.json` has them.
/// `None` if `date` is something else.
fn date(data: &Object, sent_ms: u64) -> Option<Object> {
    let mut date = match data.get("date") {
        Some(date) => Object::parse(date.get())?,
        None => Object::default(),
    };
    date.retain(|_| true);
    for (name, instead) in [("created", "createdAt"), ("updated", "updatedAt")] {
        if let (None, Some(time)) = (date.get(name), data.get(instead)) {
            date.set(name, &time.to_owned());
        }
    }
    if date.get("updated").is_none() {
        let sent = i64::try_from(sent_ms).ok().and_then(DateTime::from_timestamp_millis);
        sent.into_iter().for_each(|sent| date.set("updated", &sent.to_rfc3339_opts(SecondsFormat::Millis, true)));
    }
    let names: Vec<_> = date.names().map(str::to_owned).collect();
    for name in names {
        if let Some(time) = date.text(&name).and_then(|text| identity::time(&text)) {
            date.set(&name, &time);
        }
    }
    Some(date)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use crate::testing::{SENT_MS, document, schema};
    use expect_test::{Expect, expect};
    use serde_json::{Value, json};
    use std::collections::BTreeSet;

    fn check(kind: Kind, data: &Value, expected: Expect) {
        let formatted = format(kind, Object::parse(&data.to_string()).unwrap(), SENT_MS).unwrap();
        expected.assert_eq(&formatted.compact().unwrap());
    }

    #[test]
    fn a_formatter_keeps_the_members_of_its_schema() {
        for kind in Kind::ALL {
            let schema = schema(kind);
            let published: BTreeSet<_> = members(kind).iter().copied().chain([RECORD_ID]).collect();
            let named = schema["properties"].as_object().unwrap().keys().map(String::as_str).collect();
            assert_eq!(published, named, "{kind}");
            assert_eq!(schema["additionalProperties"], false, "{kind}");
        }
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
