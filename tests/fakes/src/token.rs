//! Checks the app-to-app token that every request needs.

use jsonwebtoken::{Algorithm, DecodingKey, Validation, dangerous};
use serde::Deserialize;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// Most verified tokens that are remembered. Hosts send the same token until it expires, and checking a signature takes
/// 120 µs.
const REMEMBERED: usize = 64;

/// Checks tokens.
pub struct Token {
    key: Option<DecodingKey>,
    audience: &'static str,
    accepted: Mutex<HashMap<String, u64>>,
}

/// Why a token is not accepted, or a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// No `Authorization: Bearer`.
    #[error("the request has no bearer token")]
    Missing,
    /// The token is not valid for this service.
    #[error("the token is not accepted: {0}")]
    Refused(String),
    /// The host's public key is not valid.
    #[error("the host's public key is not a P-256 key in PEM: {0}")]
    Key(String),
}

#[derive(Deserialize)]
struct Claims {
    exp: u64,
    aud: Audience,
}

/// `aud` is a string or a list of strings.
#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Token {
    /// Accepts ES256 tokens for `audience` that are signed by the key (PEM). Without a key, signatures are not checked.
    pub fn new(public_key: Option<&str>, audience: &'static str) -> Result<Self, TokenError> {
        let parse = |pem: &str| DecodingKey::from_ec_pem(pem.as_bytes()).map_err(|e| TokenError::Key(e.to_string()));
        Ok(Self { key: public_key.map(parse).transpose()?, audience, accepted: Mutex::default() })
    }

    /// Checks an `Authorization` header.
    pub fn check(&self, authorization: Option<&str>) -> Result<(), TokenError> {
        let token = authorization.and_then(|value| value.strip_prefix("Bearer ")).ok_or(TokenError::Missing)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let mut accepted = self.accepted.lock().unwrap_or_else(PoisonError::into_inner);
        if accepted.get(token).is_some_and(|expiry| *expiry > now) {
            return Ok(());
        }
        let claims = self.decode(token)?;
        self.check_claims(&claims, now)?;
        if accepted.len() >= REMEMBERED {
            accepted.clear();
        }
        accepted.insert(token.to_owned(), claims.exp);
        Ok(())
    }

    fn decode(&self, token: &str) -> Result<Claims, TokenError> {
        let refused = |e: jsonwebtoken::errors::Error| TokenError::Refused(e.to_string());
        let data = match &self.key {
            Some(key) => jsonwebtoken::decode::<Claims>(token, key, &signature_only()).map_err(refused)?,
            None => dangerous::insecure_decode::<Claims>(token).map_err(refused)?,
        };
        match data.header.alg {
            Algorithm::ES256 => Ok(data.claims),
            other => Err(TokenError::Refused(format!("its algorithm is {other:?}, not ES256"))),
        }
    }

    fn check_claims(&self, claims: &Claims, now: u64) -> Result<(), TokenError> {
        if claims.exp <= now {
            return Err(TokenError::Refused("it has expired".to_owned()));
        }
        let known = |audience: &String| audience == self.audience;
        let meant = match &claims.aud {
            Audience::One(audience) => known(audience),
            Audience::Many(audiences) => audiences.iter().any(known),
        };
        if meant { Ok(()) } else { Err(TokenError::Refused("its aud is another service".to_owned())) }
    }
}

/// Claims are checked in `check_claims`, in the same way with and without a key.
fn signature_only() -> Validation {
    let mut validation = Validation::new(Algorithm::ES256);
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    validation
}
