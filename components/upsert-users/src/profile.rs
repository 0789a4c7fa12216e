//! A fan's profile as the User Service takes it, made of what the browser said.

use crate::{email, phone, postal_code, text::trimmed, user_info::UserInfo};
use serde::Serialize;

/// A profile for `POST /users` of the User Service.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    /// Whose profile.
    pub global_user_id: String,
    /// Lower-cased.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// As given, trimmed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_name: Option<String>,
    /// As given, trimmed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_name: Option<String>,
    /// E.164.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone_number: Option<String>,
    /// Canonical by country.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postal_code: Option<String>,
    /// ISO 3166-1 alpha-2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country_code: Option<String>,
    /// As given, trimmed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// As given, trimmed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub member_id: Option<String>,
}

/// A profile, and what of the browser's word did not make it there.
#[derive(Clone, Debug, PartialEq)]
pub struct Normalised {
    /// The profile.
    pub profile: Profile,
    /// Names of the members that were given and could not be read, for the log.
    pub left_out: Vec<&'static str>,
}

/// The user info names no user.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("userInfo has no `globalUserId`: send the fan's id")]
pub struct MissingGlobalUserId;

/// Trims and normalises. What cannot be read (most often a phone number) is left out, never a reason to refuse.
pub fn normalise(info: UserInfo) -> Result<Normalised, MissingGlobalUserId> {
    let mut left_out = Vec::new();
    let country = given(info.country_code);
    let region = country.as_deref();
    let profile = Profile {
        global_user_id: given(info.global_user_id).ok_or(MissingGlobalUserId)?,
        email: read("email", given(info.email), &mut left_out, email::normalise),
        first_name: given(info.first_name),
        last_name: given(info.last_name),
        phone_number: read("phoneNumber", given(info.phone_number), &mut left_out, |number| {
            phone::normalise(number, region).ok()
        }),
        postal_code: read("postalCode", given(info.postal_code), &mut left_out, |code| {
            postal_code::canonical(code, region)
        }),
        country_code: read("countryCode", country.clone(), &mut left_out, alpha_2),
        locale: given(info.locale),
        member_id: given(info.member_id),
    };
    Ok(Normalised { profile, left_out })
}

/// Trimmed; a blank is not given.
fn given(text: Option<String>) -> Option<String> {
    text.map(trimmed).filter(|text| !text.is_empty())
}

fn read(
    name: &'static str,
    text: Option<String>,
    left_out: &mut Vec<&'static str>,
    normalise: impl FnOnce(&str) -> Option<String>,
) -> Option<String> {
    let normalised = normalise(text.as_deref()?);
    if normalised.is_none() {
        left_out.push(name);
    }
    normalised
}

fn alpha_2(country: &str) -> Option<String> {
    let two_letters = country.len() == 2 && country.bytes().all(|letter| letter.is_ascii_alphabetic());
    two_letters.then(|| country.to_ascii_uppercase())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    fn normalised(info: serde_json::Value) -> Normalised {
        normalise(serde_json::from_value(info).unwrap()).unwrap()
    }

    #[test]
    fn everything_is_normalised() {
        let Normalised { profile, left_out } = normalised(json!({
            "globalUserId": " user-123 ", "email": "User@Example.com ", "firstName": "John", "lastName": " Smith",
            "phoneNumber": "(555) 123-4567", "postalCode": "902101234", "countryCode": "us", "locale": "en-US",
            "memberId": "m", "env": "prod", "isLoggedIn": "true",
        }));
        assert!(left_out.is_empty());
        assert_eq!(
            serde_json::to_value(profile).unwrap(),
            json!({
                "globalUserId": "user-123", "email": "user@example.com", "firstName": "John", "lastName": "Smith",
                "phoneNumber": "+15551234567", "postalCode": "90210-1234", "countryCode": "US", "locale": "en-US",
                "memberId": "m",
            })
        );
    }

    #[test]
    fn what_cannot_be_read_is_left_out_and_named() {
        let Normalised { profile, left_out } = normalised(json!({
            "globalUserId": "u", "email": "nobody", "phoneNumber": "12", "postalCode": "<>", "countryCode": "USA",
        }));
        assert_eq!(left_out, ["email", "phoneNumber", "postalCode", "countryCode"]);
        assert_eq!(profile, Profile { global_user_id: "u".into(), ..Profile::default() });
    }

    #[test]
    fn blanks_and_nulls_are_not_given() {
        let Normalised { profile, left_out } =
            normalised(json!({"globalUserId": "u", "email": " ", "phoneNumber": null}));
        assert!(left_out.is_empty());
        assert_eq!(profile, Profile { global_user_id: "u".into(), ..Profile::default() });
    }

    #[test]
    fn a_user_without_an_id_is_refused() {
        for info in [json!({}), json!({"globalUserId": null}), json!({"globalUserId": "  "})] {
            assert_eq!(normalise(serde_json::from_value(info).unwrap()), Err(MissingGlobalUserId));
        }
    }
}
