//! Makes a fan's profile, in the User Service's form, from the browser's data.

use chrono::DateTime;
use registration::{country::Country, email, phone, postal_code, text};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use worker_kit::{log, services::user::User};

const WRONG_TYPE: &str = "it has the wrong type";
/// Most characters of a country code that is not known in the log; codes have two or three.
const MAX_CODE_CHARS: usize = 16;
const NOT_JSON: &str = "it is not JSON";

/// A profile, and the parts of the browser's input that were left out.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// The profile.
    pub user: User,
    /// Names of the members that cannot be read, for the log; with the code of a country that is not known.
    pub left_out: Vec<Cow<'static, str>>,
}

/// Why a message can never become a profile. Contains names, never values.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BadMessage {
    /// Not JSON, or a member of the wrong type.
    #[error("userInfo: `{path}` cannot be read: {problem}")]
    Malformed {
        /// The member; `.` for the whole message.
        path: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// It names no fan.
    #[error("userInfo: `globalUserId` is missing or blank: send the fan's id")]
    NoGlobalUserId,
}

/// The members of the browser's data that a profile needs, not yet read: one that cannot be read costs only itself.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct UserInfo<'a> {
    #[serde(borrow)]
    global_user_id: Option<&'a RawValue>,
    updated_at: Option<&'a RawValue>,
    email: Option<&'a RawValue>,
    phone_number: Option<&'a RawValue>,
    postal_code: Option<&'a RawValue>,
    country_code: Option<&'a RawValue>,
    first_name: Option<&'a RawValue>,
    last_name: Option<&'a RawValue>,
    locale: Option<&'a RawValue>,
    member_id: Option<&'a RawValue>,
}

/// Reads the profile in a message's body. `sent_ms` is when the message was sent, milliseconds since 1970 (UTC); 0 if
/// that is not known.
pub fn of_message(body: &[u8], sent_ms: u64) -> Result<Profile, BadMessage> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let info: UserInfo<'_> = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        // serde_json's own message would quote the value.
        let problem = if error.inner().is_data() { WRONG_TYPE } else { NOT_JSON };
        BadMessage::Malformed { path: error.path().to_string(), problem }
    })?;
    json.end().map_err(|_| BadMessage::Malformed { path: ".".to_owned(), problem: NOT_JSON })?;
    of_user_info(&info, sent_ms)
}

/// Trims and normalises. Parts that cannot be read (most often a phone number) are left out; they are not a reason to
/// refuse.
fn of_user_info(info: &UserInfo<'_>, sent_ms: u64) -> Result<Profile, BadMessage> {
    let wrong_id = |_| BadMessage::Malformed { path: "globalUserId".to_owned(), problem: WRONG_TYPE };
    let global_user_id = text_of("globalUserId", info.global_user_id)?.map_err(wrong_id)?;
    let global_user_id = global_user_id.ok_or(BadMessage::NoGlobalUserId)?;
    let mut left_out = Vec::<Cow<'static, str>>::new();
    let mut member = |name: &'static str, value| match text_of(name, value)? {
        Ok(text) => Ok(text),
        Err(WrongType) => {
            left_out.push(name.into());
            Ok(None)
        }
    };
    let updated_at = member("updatedAt", info.updated_at)?;
    let [email, phone, postal_code] = [
        member("email", info.email)?,
        member("phoneNumber", info.phone_number)?,
        member("postalCode", info.postal_code)?,
    ];
    let country = member("countryCode", info.country_code)?;
    let mut user = User {
        global_user_id,
        first_name: member("firstName", info.first_name)?,
        last_name: member("lastName", info.last_name)?,
        locale: member("locale", info.locale)?,
        member_id: member("memberId", info.member_id)?,
        ..User::default()
    };
    let mut read = |name: &'static str, text: Option<String>, normalise: &dyn Fn(&str) -> Option<String>| {
        let normalised = normalise(text.as_deref()?);
        if normalised.is_none() {
            left_out.push(name.into());
        }
        normalised
    };
    let region = country.as_deref().and_then(Country::read);
    user.updated_at = read("updatedAt", updated_at, &instant).or_else(|| sent_at(sent_ms));
    user.email = read("email", email, &email::normalise);
    user.phone_number = read("phoneNumber", phone, &|number| phone::normalise(number, region).ok());
    user.postal_code = read("postalCode", postal_code, &|code| postal_code::canonical(code, region));
    user.country_code = region.map(|region| region.code().to_owned());
    if let (Some(code), None) = (country, region) {
        let code: String = code.chars().take(MAX_CODE_CHARS).collect();
        left_out.push(format!("countryCode {code}").into());
    }
    Ok(Profile { user, left_out })
}

/// A member of another type than text.
struct WrongType;

/// A member's trimmed text; `None` if it is absent, null or blank. Broken JSON in it is the message's fault.
fn text_of(name: &str, value: Option<&RawValue>) -> Result<Result<Option<String>, WrongType>, BadMessage> {
    let Some(json) = value.map(RawValue::get) else { return Ok(Ok(None)) };
    if !json.starts_with('"') {
        return Ok(if json == "null" { Ok(None) } else { Err(WrongType) });
    }
    let broken = |_| BadMessage::Malformed { path: name.to_owned(), problem: NOT_JSON };
    serde_json::from_str::<String>(json).map(|text| Ok(non_blank(text))).map_err(broken)
}

/// The trimmed text; `None` if it is blank.
fn non_blank(text: String) -> Option<String> {
    Some(text::trimmed(text)).filter(|text| !text.is_empty())
}

/// The time in the form in which texts sort in the order of time.
fn instant(text: &str) -> Option<String> {
    DateTime::parse_from_rfc3339(text).ok().map(|time| log::timestamp(time.to_utc()))
}

fn sent_at(sent_ms: u64) -> Option<String> {
    let sent_ms = i64::try_from(sent_ms).ok().filter(|ms| *ms > 0)?;
    DateTime::from_timestamp_millis(sent_ms).map(log::timestamp)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn profile(info: Value) -> Profile {
        of_message(info.to_string().as_bytes(), 0).unwrap()
    }

    #[track_caller]
    fn refuses(body: &str, why: &str) {
        assert_eq!(of_message(body.as_bytes(), 0).unwrap_err().to_string(), why);
    }

    #[test]
    fn everything_is_normalised() {
        let Profile { user, left_out } = profile(json!({
            "globalUserId": " user-123 ", "email": "User@Example.com ", "firstName": "John", "lastName": " Smith",
            "phoneNumber": "(555) 123-4567", "postalCode": "902101234", "countryCode": "us", "locale": "en-US",
            "memberId": "m", "env": "prod", "isLoggedIn": "true",
        }));
        assert!(left_out.is_empty());
        assert_eq!(
            serde_json::to_value(user).unwrap(),
            json!({
                "globalUserId": "user-123", "email": "user@example.com", "firstName": "John", "lastName": "Smith",
                "phoneNumber": "+15551234567", "postalCode": "90210-1234", "countryCode": "US", "locale": "en-US",
                "memberId": "m",
            })
        );
    }

    #[test]
    fn case_20_uk_is_stored_as_gb_with_its_number() {
        let Profile { user, left_out } = profile(json!({
            "globalUserId": "u", "phoneNumber": "\u{202a}020 7946 0018\u{202c}", "postalCode": "sw1a1aa", "countryCode": "UK",
            "firstName": "\u{feff}Zoé\u{200b}",
        }));
        assert!(left_out.is_empty());
        assert_eq!(user.country_code.as_deref(), Some("GB"));
        assert_eq!(user.phone_number.as_deref(), Some("+442079460018"));
        assert_eq!((user.postal_code.as_deref(), user.first_name.as_deref()), (Some("SW1A 1AA"), Some("Zoé")));
    }

    #[test]
    fn parts_that_cannot_be_read_are_left_out_and_named() {
        let Profile { user, left_out } = profile(json!({
            "globalUserId": "u", "email": "nobody", "phoneNumber": "12", "postalCode": "<>", "countryCode": "USA",
        }));
        assert_eq!(left_out, ["email", "phoneNumber", "postalCode", "countryCode USA"]);
        assert_eq!(user, User { global_user_id: "u".into(), ..User::default() });
    }

    #[test]
    fn blanks_and_nulls_count_as_absent() {
        let Profile { user, left_out } = profile(json!({"globalUserId": "u", "email": " ", "phoneNumber": null}));
        assert!(left_out.is_empty());
        assert_eq!(user, User { global_user_id: "u".into(), ..User::default() });
    }

    #[test]
    fn a_message_without_a_user_is_refused_by_the_fields_name() {
        for body in ["{}", r#"{"globalUserId":null}"#, r#"{"globalUserId":"  "}"#] {
            refuses(body, "userInfo: `globalUserId` is missing or blank: send the fan's id");
        }
    }

    #[test]
    fn a_malformed_message_is_refused_without_its_values() {
        refuses(r#"{"globalUserId":5}"#, "userInfo: `globalUserId` cannot be read: it has the wrong type");
        refuses(
            r#"{"globalUserId":"u","firstName":"\ud800secret"}"#,
            "userInfo: `firstName` cannot be read: it is not JSON",
        );
        refuses("[]", "userInfo: `globalUserId` is missing or blank: send the fan's id");
        refuses("secret", "userInfo: `.` cannot be read: it is not JSON");
        refuses("", "userInfo: `.` cannot be read: it is not JSON");
    }

    #[test]
    fn point_6_a_member_of_a_wrong_type_costs_only_itself() {
        for wrong in ["7", "1e999", "true", "[\"secret\"]", "{\"a\":\"secret\"}"] {
            for name in
                ["email", "firstName", "lastName", "phoneNumber", "postalCode", "countryCode", "locale", "memberId"]
            {
                let body = format!(r#"{{"globalUserId":"u","updatedAt":"2024-01-15T10:30:00Z","{name}":{wrong}}}"#);
                let Profile { user, left_out } = of_message(body.as_bytes(), 0).unwrap();
                assert_eq!(left_out, [name]);
                let updated_at = Some("2024-01-15T10:30:00.000Z".into());
                assert_eq!(user, User { global_user_id: "u".into(), updated_at, ..User::default() }, "{body}");
            }
        }
    }

    #[test]
    fn point_6_what_a_profile_does_not_need_is_not_read() {
        let body = r#"{"globalUserId":"u","env":"\ud800","isLoggedIn":1e999,"more":{"firstName":[]}}"#;
        assert_eq!(of_message(body.as_bytes(), 0).unwrap().left_out, [""; 0]);
    }

    #[test]
    fn point_5_a_profile_is_as_old_as_its_registration() {
        let at = |body: &str, sent_ms| of_message(body.as_bytes(), sent_ms).unwrap();
        let sent = at(r#"{"globalUserId":"u"}"#, 1_705_314_600_123).user.updated_at;
        assert_eq!(sent.as_deref(), Some("2024-01-15T10:30:00.123Z"), "when its message was sent");
        let told = at(r#"{"globalUserId":"u","updatedAt":"2024-01-15T12:30:00+02:00"}"#, 9);
        assert_eq!(told.user.updated_at.as_deref(), Some("2024-01-15T10:30:00.000Z"), "what it says itself counts");
        let wrong = at(r#"{"globalUserId":"u","updatedAt":"today"}"#, 1_705_314_600_123);
        assert_eq!((wrong.left_out, wrong.user.updated_at), (vec![Cow::from("updatedAt")], sent));
        assert_eq!(at(r#"{"globalUserId":"u"}"#, 0).user.updated_at, None);
    }
}
