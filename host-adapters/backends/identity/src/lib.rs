//! Who a caller is: verifies the fan's token against the issuer's keys.
//!
//! RS256 and ES256 only, by `kid` from a JWKS; `iss`, `aud` and `exp` must be right. A verification takes 0.1 ms, and
//! returning fans send the same token, so the hashes of verified tokens are kept until the tokens expire, for ten
//! minutes at most. Errors and log lines never contain a token.

mod claims;
mod keys;
mod verified;

use host_adapters_platform::clock::Clock;
use host_adapters_platform::{IdentityBackend, IdentityConfig, Result};
use host_adapters_records::identity::Claims;
use host_adapters_records::{Error, ErrorKind};
use keys::Keys;
use sha2::{Digest, Sha256};
use std::sync::{Mutex, MutexGuard, PoisonError};
use verified::Verified;

pub use keys::JwksError;

/// More than any issuer sends; an HTTP header of a browser is no longer either.
const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// A verified token is verified anew after this, so that one of a withdrawn key is not believed until it expires.
const REMEMBERED_MS: i64 = 10 * 60_000;

/// Verifies tokens.
pub struct Identity {
    config: IdentityConfig,
    keys: Keys,
    verified: Mutex<Verified>,
    clock: Clock,
}

impl Identity {
    /// Fails if the place of the keys makes no sense. The keys themselves are fetched with the first token.
    pub fn new(config: IdentityConfig, clock: Clock) -> std::result::Result<Self, JwksError> {
        let keys = Keys::new(&config.jwks)?;
        Ok(Self { config, keys, verified: Mutex::new(Verified::default()), clock })
    }

    fn verified(&self) -> MutexGuard<'_, Verified> {
        self.verified.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait::async_trait]
impl IdentityBackend for Identity {
    /// The claims of a token; `denied` says why it is not accepted, `unavailable` that the keys cannot be had.
    async fn verify(&self, token: &str) -> Result<Claims> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(denied(format!("the token has {} bytes; the most is {MAX_TOKEN_BYTES}", token.len())));
        }
        let (now_ms, hash) = (self.clock.now_ms(), Sha256::digest(token).into());
        if let Some(claims) = self.verified().get(&hash, now_ms) {
            return Ok(claims);
        }
        let header = claims::header(token)?;
        let key = self.keys.find(&header.kid, now_ms).await?;
        let (claims, until_ms) = claims::check(token, &header, &key, &self.config, now_ms)?;
        self.verified().insert(hash, claims.clone(), until_ms.min(now_ms + REMEMBERED_MS));
        Ok(claims)
    }
}

fn denied(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Denied, message)
}
