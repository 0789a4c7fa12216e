//! Fans, and the identity provider whose tokens the host accepts.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

/// `iss` of fan tokens.
pub const ISSUER: &str = "https://identity.test.example";
/// `aud` of fan tokens.
pub const AUDIENCE: &str = "registration-workers";
const KEY_ID: &str = "test";

/// A fan, as named by a token.
#[derive(Clone, Copy, Debug)]
pub struct Fan {
    /// `sub`.
    pub id: &'static str,
    /// `email`.
    pub email: &'static str,
}

impl Fan {
    /// The claims of a token of the fan, valid for an hour.
    pub fn claims(&self) -> Value {
        json!({ "sub": self.id, "email": self.email, "iss": ISSUER, "aud": AUDIENCE, "exp": now() + 3600 })
    }

    /// [`Fan::claims`] with another value for one claim.
    pub fn claims_with(&self, name: &str, value: Value) -> Value {
        let mut claims = self.claims();
        claims[name] = value;
        claims
    }
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// A P-256 key that signs tokens.
pub struct Signer(EncodingKey);

impl Signer {
    /// Makes a key, under the key id that all signers share: a second signer is a forger.
    pub fn generate() -> Self {
        let der = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
        Self(EncodingKey::from_ec_der(der.as_ref()))
    }

    /// A token with these claims.
    pub fn sign(&self, claims: &Value) -> String {
        let header = Header { kid: Some(KEY_ID.to_owned()), ..Header::new(Algorithm::ES256) };
        encode(&header, claims, &self.0).unwrap()
    }

    /// The public key as its issuer publishes it.
    pub fn jwks(&self) -> String {
        let mut jwk = Jwk::from_encoding_key(&self.0, Algorithm::ES256).unwrap();
        jwk.common.key_id = Some(KEY_ID.to_owned());
        json!({ "keys": [jwk] }).to_string()
    }
}
