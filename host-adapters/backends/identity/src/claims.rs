//! Checks one token: its header, its signature, its claims.

use super::keys::Key;
use super::{IdentityConfig, denied};
use host_adapters_platform::Result;
use host_adapters_records::identity::Claims;
use jsonwebtoken::errors::ErrorKind as JwtError;
use jsonwebtoken::{Algorithm, Validation, decode, decode_header};
use serde::Deserialize;

/// How far the issuer's clock and the host's may differ.
const LEEWAY_MS: i64 = 60_000;

/// The fields of an accepted header.
pub(super) struct Header {
    pub(super) kid: String,
    algorithm: Algorithm,
}

/// The claims as they are in a token. `iss` and `aud` are checked by the library.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    sub: String,
    /// Seconds since 1970; JWT allows fractions.
    exp: f64,
    nbf: Option<f64>,
    email: Option<String>,
    member_id: Option<String>,
    idv: Option<bool>,
}

pub(super) fn header(token: &str) -> Result<Header> {
    // The library does not know the algorithm `none`, so such a token fails here too.
    let header = decode_header(token).map_err(|_| denied("the token is not a JWT signed with RS256 or ES256"))?;
    if !matches!(header.alg, Algorithm::RS256 | Algorithm::ES256) {
        return Err(denied(format!("the token is signed with {:?}; accepted: RS256, ES256", header.alg)));
    }
    let kid = header.kid.ok_or_else(|| denied("the token names no key (`kid`)"))?;
    Ok(Header { kid, algorithm: header.alg })
}

/// The claims, and until when they are valid (milliseconds since 1970).
pub(super) fn check(
    token: &str,
    header: &Header,
    key: &Key,
    config: &IdentityConfig,
    now_ms: i64,
) -> Result<(Claims, i64)> {
    if header.algorithm != key.algorithm {
        return Err(denied(format!(
            "the token is signed with {:?}, its key is for {:?}",
            header.algorithm, key.algorithm
        )));
    }
    let body = decode::<Body>(token, &key.decoding, &validation(key.algorithm, config))
        .map_err(|error| denied(reason(error.kind())))?
        .claims;
    let until_ms = to_millis(body.exp).saturating_add(LEEWAY_MS);
    if until_ms <= now_ms {
        return Err(denied("the token has expired"));
    }
    if body.nbf.is_some_and(|nbf| to_millis(nbf).saturating_sub(LEEWAY_MS) > now_ms) {
        return Err(denied("the token is not valid yet"));
    }
    if body.sub.is_empty() {
        return Err(denied("the token names nobody (`sub` is empty)"));
    }
    Ok((Claims { subject: body.sub, email: body.email, member_id: body.member_id, idv: body.idv }, until_ms))
}

fn validation(algorithm: Algorithm, config: &IdentityConfig) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    validation.set_issuer(&[&config.issuer]);
    validation.set_audience(&[&config.audience]);
    // Checked below, by the host's clock.
    validation.validate_exp = false;
    validation
}

#[expect(clippy::cast_possible_truncation, reason = "a float beyond the range becomes the nearest end of it")]
fn to_millis(seconds: f64) -> i64 {
    (seconds * 1000.0) as i64
}

/// The reason, for people to read. It never contains a part of the token.
fn reason(kind: &JwtError) -> String {
    match kind {
        JwtError::InvalidSignature | JwtError::Signing(_) => "the token's signature is wrong".to_owned(),
        JwtError::InvalidIssuer => "the token is of another issuer (`iss`)".to_owned(),
        JwtError::InvalidAudience => "the token is for another audience (`aud`)".to_owned(),
        JwtError::MissingRequiredClaim(claim) => format!("the token has no `{claim}`"),
        JwtError::Json(_) => "the token's claims are missing or of the wrong type (`sub`, `exp`, `email`, \
                              `memberId`, `idv`)"
            .to_owned(),
        _ => "the token cannot be verified".to_owned(),
    }
}
