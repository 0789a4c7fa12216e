//! Verifies fans' tokens against the issuer's keys.
//!
//! Only RS256 and ES256 are accepted, with a key from a JWKS by its `kid`, type, algorithm and use; `iss`, `aud` and
//! `exp` must be right. A verification takes 0.1 ms, and returning fans send the same token, so the hashes of verified
//! tokens are kept until the tokens expire or the keys are to be renewed. Errors and log lines never contain a token.

mod claims;
mod keys;
mod verified;

use claims::Token;
use host_adapters_platform::clock::Clock;
use host_adapters_platform::{IdentityBackend, IdentityConfig, Result};
use host_adapters_records::identity::Claims;
use host_adapters_records::{Error, ErrorKind};
use keys::Keys;
use sha2::{Digest, Sha256};
use std::sync::{Mutex, MutexGuard, PoisonError};
use verified::Verified;

pub use keys::JwksError;

/// The most bytes of a token: more than any issuer sends, and the limit of browsers for an HTTP header.
const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// Verifies tokens.
pub struct Identity {
    config: IdentityConfig,
    keys: Keys,
    verified: Mutex<Verified>,
    clock: Clock,
}

impl Identity {
    /// Fails if the place of the keys is invalid. The keys themselves are fetched with the first token.
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
    /// Returns the claims of a token; `denied` says why it is not accepted, `unavailable` that the keys are not
    /// available.
    async fn verify(&self, token: &str) -> Result<Claims> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(denied(format!("the token has {} bytes; the most is {MAX_TOKEN_BYTES}", token.len())));
        }
        let (now_ms, hash) = (self.clock.now_ms(), Sha256::digest(token).into());
        if let Some(claims) = self.verified().get(&hash, now_ms) {
            return Ok(claims);
        }
        let token = Token::read(token)?;
        let candidates = self.keys.find(&token.kid, token.algorithm, now_ms).await?;
        let (claims, until_ms) = token.check(&candidates.keys, &self.config, now_ms)?;
        // Verified again with renewed keys, so that a token of a withdrawn key is not accepted until it expires.
        self.verified().insert(hash, claims.clone(), until_ms.min(candidates.fresh_until_ms));
        Ok(claims)
    }
}

fn denied(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Denied, message)
}
