//! Keys and tokens: the fans' identity provider, and the tokens of the checks for the services.
//!
//! Tokens are made here and signed with a key that is parsed once. A library that parses it for each token takes
//! fifteen times as long, which for 50,000 fans is a quarter of a minute.

use crate::generate::Fan;
use crate::progress::Progress;
use anyhow::{Result, anyhow};
use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use indicatif::ProgressBar;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// `iss` of fan tokens.
pub const ISSUER: &str = "https://identity.demo.example";
/// `aud` of fan tokens.
pub const AUDIENCE: &str = "registration-workers";
const KEY_ID: &str = "demo";
/// Longer than any run.
const LIFETIME: Duration = Duration::from_hours(12);

fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}

/// A P-256 key.
pub struct Key {
    pair: EcdsaKeyPair,
}

impl Key {
    /// Makes a key.
    pub fn generate() -> Result<Self> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING);
        Ok(Self { pair: pair.map_err(|_| anyhow!("no key could be made"))? })
    }

    /// The private key as PEM (PKCS #8).
    pub fn private_pem(&self) -> Result<String> {
        let key = self.pair.to_pkcs8v1().map_err(|_| anyhow!("a key could not be written"))?;
        Ok(pem("PRIVATE KEY", key.as_ref()))
    }

    /// The public key in PEM.
    pub fn public_pem(&self) -> Result<String> {
        let key: PublicKeyX509Der<'_> =
            self.pair.public_key().as_der().map_err(|_| anyhow!("a key has no DER form"))?;
        Ok(pem("PUBLIC KEY", key.as_ref()))
    }

    /// A JSON Web Key Set with only the public key.
    pub fn jwks(&self) -> Value {
        // An uncompressed point: 4, then x and y of 32 bytes each.
        let (x, y) = self.pair.public_key().as_ref().get(1..).unwrap_or_default().split_at(32);
        json!({ "keys": [{
            "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": KEY_ID,
            "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y),
        }] })
    }

    /// A signed token with these claims and an expiry.
    pub fn sign(&self, mut claims: Value) -> Result<String> {
        let expiry = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + LIFETIME;
        if let Some(claims) = claims.as_object_mut() {
            claims.insert("exp".to_owned(), expiry.as_secs().into());
        }
        let header = json!({ "alg": "ES256", "typ": "JWT", "kid": KEY_ID });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(&header), part(&claims));
        let signature = self.pair.sign(&SystemRandom::new(), message.as_bytes());
        let signature = signature.map_err(|_| anyhow!("a token could not be signed"))?;
        Ok(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref())))
    }

    /// The token of a fan.
    fn fan_token(&self, fan: &Fan) -> Result<String> {
        let mut claims = json!({ "sub": fan.global_user_id, "email": fan.email, "iss": ISSUER, "aud": AUDIENCE });
        if let Some(claims) = claims.as_object_mut() {
            claims.extend(fan.member_id.iter().map(|id| ("memberId".to_owned(), id.as_str().into())));
            claims.extend(fan.idv.map(|idv| ("idv".to_owned(), idv.into())));
        }
        self.sign(claims)
    }
}

/// One token a fan, by globalUserId, signed on all cores.
pub fn sign_all(key: &Key, fans: &[Fan], progress: &Progress) -> Result<HashMap<String, String>> {
    let bar = progress.bar("signing the fans' tokens", fans.len());
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let chunks = fans.chunks(fans.len().div_ceil(workers).max(1));
    let signed: Result<Vec<HashMap<_, _>>> = std::thread::scope(|scope| {
        let threads: Vec<_> = chunks.map(|chunk| scope.spawn(|| sign_some(key, chunk, &bar))).collect();
        threads.into_iter().map(|thread| thread.join().map_err(|_| anyhow!("a signing thread ended early"))?).collect()
    });
    bar.finish_and_clear();
    Ok(signed?.into_iter().flatten().collect())
}

fn sign_some(key: &Key, fans: &[Fan], bar: &ProgressBar) -> Result<HashMap<String, String>> {
    let sign = |fan: &Fan| {
        bar.inc(1);
        Ok((fan.global_user_id.clone(), key.fan_token(fan)?))
    };
    fans.iter().map(sign).collect()
}

/// A random token for the clients of the gateway.
pub fn secret() -> String {
    let bytes: [u8; 24] = rand::random();
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::generate::generate;
    use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, jwk::JwkSet};

    #[test]
    fn tokens_verify_against_the_key_set_and_name_the_fan() {
        let (key, fans) = (Key::generate().unwrap(), generate(400, 2).fans);
        let tokens = sign_all(&key, &fans, &Progress::new()).unwrap();
        assert_eq!(tokens.len(), fans.len());
        let set: JwkSet = serde_json::from_value(key.jwks()).unwrap();
        let public = DecodingKey::from_jwk(set.find(KEY_ID).unwrap()).unwrap();
        let mut validation = Validation::new(Algorithm::ES256);
        validation.set_audience(&[AUDIENCE]);
        validation.set_issuer(&[ISSUER]);
        for fan in &fans {
            let claims = decode::<Value>(&tokens[&fan.global_user_id], &public, &validation).unwrap().claims;
            assert_eq!(claims["sub"], fan.global_user_id);
            assert_eq!(claims.get("idv").and_then(Value::as_bool), fan.idv);
            assert_eq!(claims.get("memberId").and_then(Value::as_str), fan.member_id.as_deref());
        }
    }
}
