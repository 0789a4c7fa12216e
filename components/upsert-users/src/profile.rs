//! Makes a fan's profile, in the User Service's form, from the browser's data.

use registration::{country::Country, email, phone, postal_code, text, user_info::UserInfo};
use worker_kit::services::user::User;

/// A profile, and the parts of the browser's input that were left out.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// The profile.
    pub user: User,
    /// Names of the members that cannot be read, for the log.
    pub left_out: Vec<&'static str>,
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

/// Reads the profile in a message's body.
pub fn of_message(body: &[u8]) -> Result<Profile, BadMessage> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let info: UserInfo = serde_path_to_error::deserialize(&mut json).map_err(|error| BadMessage::Malformed {
        path: error.path().to_string(),
        // serde_json's own message would quote the value.
        problem: if error.inner().is_data() { "it has the wrong type" } else { "it is not JSON" },
    })?;
    let behind = |_| BadMessage::Malformed { path: ".".to_owned(), problem: "it is not JSON" };
    json.end().map_err(behind)?;
    of_user_info(info)
}

/// Trims and normalises. Parts that cannot be read (most often a phone number) are left out; they are not a reason to
/// refuse.
fn of_user_info(info: UserInfo) -> Result<Profile, BadMessage> {
    let global_user_id = non_blank(info.global_user_id).ok_or(BadMessage::NoGlobalUserId)?;
    let mut left_out = Vec::new();
    let country = non_blank(info.country_code);
    let region = country.as_deref().and_then(Country::read);
    let mut read = |name, text: Option<String>, normalise: &dyn Fn(&str) -> Option<String>| {
        let normalised = normalise(text.as_deref()?);
        if normalised.is_none() {
            left_out.push(name);
        }
        normalised
    };
    let user = User {
        global_user_id,
        email: read("email", non_blank(info.email), &email::normalise),
        phone_number: read("phoneNumber", non_blank(info.phone_number), &|number| {
            phone::normalise(number, region).ok()
        }),
        postal_code: read("postalCode", non_blank(info.postal_code), &|code| postal_code::canonical(code, region)),
        country_code: read("countryCode", country, &|_| Some(region?.code().to_owned())),
        first_name: non_blank(info.first_name),
        last_name: non_blank(info.last_name),
        locale: non_blank(info.locale),
        member_id: non_blank(info.member_id),
    };
    Ok(Profile { user, left_out })
}

/// The trimmed text; `None` if it is blank.
fn non_blank(text: Option<String>) -> Option<String> {
    text.map(text::trimmed).filter(|text| !text.is_empty())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn profile(info: Value) -> Profile {
        of_message(info.to_string().as_bytes()).unwrap()
    }

    #[track_caller]
    fn refuses(body: &str, why: &str) {
        assert_eq!(of_message(body.as_bytes()).unwrap_err().to_string(), why);
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
        assert_eq!(left_out, ["email", "phoneNumber", "postalCode", "countryCode"]);
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
        refuses(r#"{"firstName":["secret"]}"#, "userInfo: `firstName` cannot be read: it has the wrong type");
        refuses("[]", "userInfo: `globalUserId` is missing or blank: send the fan's id");
        refuses("secret", "userInfo: `.` cannot be read: it is not JSON");
        refuses("", "userInfo: `.` cannot be read: it is not JSON");
    }
}
