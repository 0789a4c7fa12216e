//! `registration:platform/identity`: who a caller is.

use crate::Function;
use serde::{Deserialize, Serialize};

/// Verifies a token (RS256 or ES256, by `kid`); [`crate::ErrorKind::Denied`] says why it is not accepted.
#[derive(Clone, Deserialize, Serialize)]
pub struct Verify {
    /// The token, without `Bearer `.
    pub token: String,
}

/// What a verified token says.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Claims {
    /// `sub`: the fan's globalUserId.
    pub subject: String,
    /// `email`.
    pub email: Option<String>,
    /// `memberId`.
    pub member_id: Option<String>,
    /// `idv`: identity verification done, where the token says so.
    pub idv: Option<bool>,
}

impl Function for Verify {
    const PATH: &'static str = "identity/verify";
    type Output = Claims;
}
