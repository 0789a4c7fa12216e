//! Checks one token: its header, its signature, its claims. The library does the cryptography; it would also refuse
//! headers with members that are not text, and accept those with `crit`.

use super::keys::Key;
use super::{IdentityConfig, denied};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use host_adapters_platform::Result;
use host_adapters_records::identity::Claims;
use jsonwebtoken::{Algorithm, crypto};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer};

/// How far the issuer's clock and the host's may differ.
const LEEWAY_MS: i64 = 60_000;

/// A token in its parts (RFC 7515, 7.1), with an accepted header.
pub(super) struct Token<'t> {
    /// The header and the claims, which the signature covers.
    signed: &'t str,
    claims: &'t str,
    signature: &'t str,
    pub(super) kid: String,
    pub(super) algorithm: Algorithm,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    /// Whether there is a list of extensions that the reader has to understand (RFC 7515, 4.1.11).
    #[serde(default, deserialize_with = "present")]
    crit: bool,
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<bool, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| true)
}

/// The claims as they are in a token.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    sub: Option<String>,
    iss: Option<String>,
    aud: Option<Audience>,
    /// Seconds since 1970; JWT allows fractions.
    exp: Option<f64>,
    nbf: Option<f64>,
    email: Option<String>,
    member_id: Option<String>,
    idv: Option<bool>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl<'t> Token<'t> {
    /// Reads the header.
    pub(super) fn read(token: &'t str) -> Result<Self> {
        let no_token = || denied("the token is not a JWT signed with RS256 or ES256");
        let (signed, signature) = token.rsplit_once('.').ok_or_else(no_token)?;
        let (header, claims) =
            signed.split_once('.').filter(|(_, claims)| !claims.contains('.')).ok_or_else(no_token)?;
        let header: Header = decode(header).ok_or_else(no_token)?;
        let algorithm = match header.alg.as_str() {
            "RS256" => Algorithm::RS256,
            "ES256" => Algorithm::ES256,
            _ => return Err(no_token()),
        };
        if header.crit {
            // No extension is supported, and an empty list, or a value that is not a list, is not allowed.
            return Err(denied("the token requires extensions (`crit`) that are not understood"));
        }
        let kid = header.kid.ok_or_else(|| denied("the token names no key (`kid`)"))?;
        Ok(Self { signed, claims, signature, kid, algorithm })
    }

    /// The claims, and until when they are valid (milliseconds since 1970).
    pub(super) fn check(&self, keys: &[Key], config: &IdentityConfig, now_ms: i64) -> Result<(Claims, i64)> {
        if !keys.iter().any(|key| self.is_signed_with(key)) {
            return Err(denied("the token's signature is wrong"));
        }
        let body: Body = decode(self.claims).ok_or_else(|| {
            denied("the token's claims are of the wrong type (`sub`, `iss`, `aud`, `exp`, `nbf`, `email`, `memberId`, `idv`)")
        })?;
        body.check(config, now_ms)
    }

    fn is_signed_with(&self, key: &Key) -> bool {
        crypto::verify(self.signature, self.signed.as_bytes(), &key.decoding, self.algorithm).unwrap_or(false)
    }
}

impl Body {
    fn check(self, config: &IdentityConfig, now_ms: i64) -> Result<(Claims, i64)> {
        let missing = |claim: &'static str| move || denied(format!("the token has no `{claim}`"));
        if self.iss.ok_or_else(missing("iss"))? != config.issuer {
            return Err(denied("the token is of another issuer (`iss`)"));
        }
        if !self.aud.ok_or_else(missing("aud"))?.holds(&config.audience) {
            return Err(denied("the token is for another audience (`aud`)"));
        }
        let until_ms = to_millis(self.exp.ok_or_else(missing("exp"))?).saturating_add(LEEWAY_MS);
        if until_ms <= now_ms {
            return Err(denied("the token has expired"));
        }
        if self.nbf.is_some_and(|nbf| to_millis(nbf).saturating_sub(LEEWAY_MS) > now_ms) {
            return Err(denied("the token is not valid yet"));
        }
        let subject = self.sub.ok_or_else(missing("sub"))?;
        if subject.is_empty() {
            return Err(denied("`sub` is empty"));
        }
        Ok((Claims { subject, email: self.email, member_id: self.member_id, idv: self.idv }, until_ms))
    }
}

impl Audience {
    fn holds(&self, audience: &str) -> bool {
        match self {
            Self::One(one) => one == audience,
            Self::Several(several) => several.iter().any(|one| one == audience),
        }
    }
}

/// Reads a part of a token.
fn decode<T: DeserializeOwned>(part: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

#[expect(clippy::cast_possible_truncation, reason = "a float beyond the range becomes the nearest end of it")]
fn to_millis(seconds: f64) -> i64 {
    (seconds * 1000.0) as i64
}
