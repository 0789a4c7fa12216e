//! Which entity a record is about, and which of its changes.

use crate::fault::Fault;
use crate::kind::Kind;
use crate::object::Object;
use chrono::{DateTime, SecondsFormat, Timelike};

/// What tells a record from others.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Identity {
    /// The entity's campaign, else its own id: the key under which the event log orders records.
    pub key: String,
    /// `<type>:<entity id>:<version, else date.updated>`. Repeats of one change have the same id, so that readers of
    /// the event log can drop them. It is the record's `recordId`, and its header `dedup-id`.
    pub record_id: String,
}

impl Identity {
    /// That of an entity which has been formatted.
    ///
    /// # Errors
    /// The id, version or date that is missing or wrong.
    pub fn of(kind: Kind, data: &Object) -> Result<Self, Fault> {
        let key = campaign_id(kind, data)?;
        let record_id = format!("{kind}:{}:{}", entity_id(kind, data)?, version(data)?);
        Ok(Self { key, record_id })
    }
}

/// The campaign of an entity, which may be the campaign itself.
///
/// # Errors
/// When it is missing.
pub fn campaign_id(kind: Kind, data: &Object) -> Result<String, Fault> {
    id(data, if kind == Kind::Campaign { "id" } else { "campaignId" })
}

/// The members that name an entity of this type. An entry, a mapping and the numbers of a market do not have their own
/// ids.
fn names(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Campaign | Kind::Market => &["id"],
        Kind::EventMapping => &["campaignId", "marketId", "eventId"],
        Kind::RegisteredMarket => &["campaignId", "marketId"],
        Kind::Registration => &["campaignId", "globalUserId"],
    }
}

/// Its own id, or several joined by `/`. A `/` within one of several is escaped, so that no two entities have the same.
fn entity_id(kind: Kind, data: &Object) -> Result<String, Fault> {
    match names(kind) {
        [name] => id(data, name),
        names => {
            let part = |name: &&str| id(data, name).map(|id| id.replace('%', "%25").replace('/', "%2F"));
            Ok(names.iter().map(part).collect::<Result<Vec<_>, _>>()?.join("/"))
        }
    }
}

fn id(data: &Object, name: &str) -> Result<String, Fault> {
    let id = data.text(name).filter(|id| !id.is_empty());
    id.ok_or_else(|| Fault::at(format!("/{name}"), "is missing, empty, or not text"))
}

/// No version contains a colon followed by another version, so a record id is unambiguous.
fn version(data: &Object) -> Result<String, Fault> {
    if let Some(version) = data.get("version") {
        let whole = version.get().parse::<u64>().map(|version| version.to_string());
        return whole.map_err(|_| Fault::at("/version", "is not a whole number from 0 on"));
    }
    let updated = data.object("date").and_then(|date| date.text("updated"));
    let updated = updated.ok_or_else(|| Fault::at("/date/updated", "is missing or not text"))?;
    time(&updated).ok_or_else(|| Fault::at("/date/updated", "is not an RFC 3339 time"))
}

/// A time in UTC with milliseconds, or with what is below them, since another digit may be another change; `None` if it is
/// not an RFC 3339 time.
pub(crate) fn time(text: &str) -> Option<String> {
    let time = DateTime::parse_from_rfc3339(text).ok()?.to_utc();
    let is_finer = !time.nanosecond().is_multiple_of(1_000_000);
    Some(time.to_rfc3339_opts(if is_finer { SecondsFormat::AutoSi } else { SecondsFormat::Millis }, true))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn of(kind: Kind, data: &Value) -> Result<Identity, String> {
        Identity::of(kind, &Object::parse(&data.to_string()).unwrap()).map_err(|fault| fault.to_string())
    }

    const UPDATED: &str = "2024-01-15T10:30:00.123Z";

    fn data() -> Value {
        json!({
            "id": "i", "campaignId": "c", "marketId": "m", "eventId": "e", "globalUserId": "u",
            "date": {"updated": UPDATED},
        })
    }

    #[test]
    fn decisions_the_dedup_id_is_type_entity_and_date_updated() {
        for (kind, expected) in [
            (Kind::Campaign, "CAMPAIGN:i"),
            (Kind::EventMapping, "EVENT_MAPPING:c/m/e"),
            (Kind::Market, "MARKET:i"),
            (Kind::RegisteredMarket, "REGISTERED_MARKET:c/m"),
            (Kind::Registration, "REGISTRATION:c/u"),
        ] {
            assert_eq!(of(kind, &data()).unwrap().record_id, format!("{expected}:{UPDATED}"));
        }
    }

    #[test]
    fn decisions_a_version_goes_before_the_date() {
        let mut data = data();
        data["version"] = json!(7);
        assert_eq!(of(Kind::Campaign, &data).unwrap().record_id, "CAMPAIGN:i:7");
        data["version"] = Value::Null;
        assert_eq!(of(Kind::Campaign, &data).unwrap().record_id, format!("CAMPAIGN:i:{UPDATED}"));
        for version in [json!("7"), json!(-1), json!(1.5)] {
            data["version"] = version;
            assert_eq!(of(Kind::Campaign, &data).unwrap_err(), "/data/version is not a whole number from 0 on");
        }
    }

    #[test]
    fn decisions_the_key_is_the_campaign_id_else_the_own_id() {
        for kind in Kind::ALL {
            let expected = if kind == Kind::Campaign { "i" } else { "c" };
            assert_eq!(of(kind, &data()).unwrap().key, expected, "{kind}");
        }
    }

    #[test]
    fn the_member_that_is_missing_is_named() {
        for (kind, name) in [
            (Kind::Campaign, "id"),
            (Kind::Market, "campaignId"),
            (Kind::Market, "id"),
            (Kind::EventMapping, "eventId"),
            (Kind::RegisteredMarket, "marketId"),
            (Kind::Registration, "globalUserId"),
        ] {
            for value in [Value::Null, json!(""), json!(7)] {
                let mut data = data();
                data[name] = value;
                let expected = format!("/data/{name} is missing, empty, or not text");
                assert_eq!(of(kind, &data).unwrap_err(), expected, "{kind}");
            }
        }
        let mut data = data();
        data["date"] = json!({"updated": "yesterday"});
        assert_eq!(of(Kind::Campaign, &data).unwrap_err(), "/data/date/updated is not an RFC 3339 time");
        data["date"] = json!([]);
        assert_eq!(of(Kind::Campaign, &data).unwrap_err(), "/data/date/updated is missing or not text");
    }

    #[test]
    fn times_are_in_utc_with_the_digits_they_need() {
        for (text, expected) in [
            ("2024-01-15T10:30:00Z", Some("2024-01-15T10:30:00.000Z")),
            ("2024-01-15T12:30:00.1+02:00", Some("2024-01-15T10:30:00.100Z")),
            ("2024-01-15T10:30:00.123456Z", Some("2024-01-15T10:30:00.123456Z")),
            ("2024-01-15T10:30:00.123000001Z", Some("2024-01-15T10:30:00.123000001Z")),
            ("2024-01-15", None),
        ] {
            assert_eq!(time(text).as_deref(), expected);
        }
    }

    fn record_id(campaign: &str, user: &str, ms: i64) -> String {
        let updated = DateTime::from_timestamp_millis(ms).unwrap().to_rfc3339();
        let entry = json!({"campaignId": campaign, "globalUserId": user, "date": {"updated": updated}});
        of(Kind::Registration, &entry).unwrap().record_id
    }

    #[test]
    fn decisions_ids_with_slashes_are_told_apart() {
        let ids = [("a/b", "c"), ("a", "b/c"), ("a%2Fb", "c"), ("a%252Fb", "c")].map(|(c, u)| record_id(c, u, 0));
        let expected = ["a%2Fb/c", "a/b%2Fc", "a%252Fb/c", "a%25252Fb/c"];
        assert_eq!(ids, expected.map(|id| format!("REGISTRATION:{id}:1970-01-01T00:00:00.000Z")));
    }

    proptest! {
        /// Ids of the characters that the record id itself has.
        #[test]
        fn decisions_no_two_changes_have_one_dedup_id(
            ids in prop::collection::vec("[a/%:]{1,3}", 4),
            times in prop::collection::vec(0_i64..2, 2),
        ) {
            let (one, other) = ((&ids[0], &ids[1], times[0]), (&ids[2], &ids[3], times[1]));
            let of = |(campaign, user, ms): (&String, &String, i64)| record_id(campaign, user, ms);
            prop_assert_eq!(one == other, of(one) == of(other), "{} {}", of(one), of(other));
        }
    }
}
