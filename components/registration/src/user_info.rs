//! What a fan's browser says of the fan: `schemas/domain/user-info.json`. Nothing in it is proven.

use serde::Deserialize;

/// The body of a userInfoQueue message.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "each member is the document's of the same name")]
pub struct UserInfo {
    pub global_user_id: Option<String>,
    pub member_id: Option<String>,
    pub email: Option<String>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub phone_number: Option<String>,
    pub postal_code: Option<String>,
    pub country_code: Option<String>,
    pub locale: Option<String>,
}
