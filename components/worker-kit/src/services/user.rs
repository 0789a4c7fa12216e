//! The User Service (`schemas/services/user.json`).

use super::{Client, Path, ResponseBody, Results, ServiceError};
use crate::Call;
use host_adapters_json::lenient::if_readable;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// The User Service, as one call uses it.
#[derive(Clone, Debug)]
pub struct UserService<'a>(Client<'a>);

/// A fan's profile as the service takes it. Absent parts are left as they are; of each part the service keeps the newest
/// by `updated_at`.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// The fan.
    pub global_user_id: String,
    /// When the fan gave it, RFC 3339 in UTC with milliseconds. Without it, it counts as given now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<String>,
    /// E-mail address, lower case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// First name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_name: Option<String>,
    /// Last name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_name: Option<String>,
    /// Phone number, E.164.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone_number: Option<String>,
    /// Postal code, canonical for its country.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postal_code: Option<String>,
    /// ISO 3166-1 alpha-2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country_code: Option<String>,
    /// BCP 47.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// The fan's member id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member_id: Option<String>,
}

/// What became of one profile.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Upserted {
    /// Whose profile.
    pub global_user_id: String,
    /// What became of it.
    pub status: UpsertStatus,
    /// Why it is invalid.
    #[serde(default, deserialize_with = "if_readable")]
    pub message: Option<String>,
}

/// What became of a profile that was sent.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "camelCase")]
pub enum UpsertStatus {
    /// Stored.
    Upserted,
    /// The service holds a newer profile, so nothing of this one was stored.
    Stale,
    /// The service finds it invalid.
    Invalid,
}

#[derive(Deserialize)]
struct Upserts {
    results: Vec<Upserted>,
}

impl ResponseBody for Upserts {
    const MEMBERS: &[&str] = &["results"];
}

#[derive(Deserialize)]
struct Verification {
    idv: bool,
}

impl ResponseBody for Verification {
    // With `error` the service says that it does not know the fan.
    const MEMBERS: &[&str] = &["idv", "error"];
}

impl<'a> UserService<'a> {
    /// The service, as `call` uses it.
    pub fn new(call: &'a Call) -> Self {
        Self(Client { service: "user", call })
    }

    /// Stores at most [`MAX_PER_REQUEST`](super::MAX_PER_REQUEST) profiles in one request.
    pub async fn upsert(&self, users: &[&User]) -> Result<Results<Upserted>, ServiceError> {
        let (path, body) = (Path::new("/users", &[]), json!({"users": users}));
        let (summary, Upserts { results }) = self.0.send("POST", path, Some(&body)).await?;
        Ok(Results { summary, results })
    }

    /// Whether the fan's identity is verified. An unknown fan's is not.
    pub async fn is_verified(&self, global_user_id: &str) -> Result<bool, ServiceError> {
        let path = Path::new("/users/{globalUserId}/verification", &[global_user_id]);
        Ok(self.0.find::<Verification>(path).await?.is_some_and(|verification| verification.idv))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use crate::services::ResponseSummary;

    #[test]
    fn case_02_a_message_that_is_not_text_costs_no_profile() {
        for message in ["null", "7", r#"{"text":"x"}"#, r#""\ud800""#] {
            let body = format!(r#"{{"results":[{{"globalUserId":"u","status":"stale","message":{message}}}]}}"#);
            let Upserts { results } = Upserts::read(&ResponseSummary::new("user", 200, &body), &body).unwrap();
            assert_eq!((results[0].status, &results[0].message), (UpsertStatus::Stale, &None), "{message}");
        }
    }
}
