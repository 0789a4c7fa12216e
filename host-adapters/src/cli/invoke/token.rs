//! A development token: a key made for one command, and a token signed with it for the fan of the event.

use anyhow::{Context, Result};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use chrono::Utc;
use host_adapters_platform::IdentityConfig;
use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use std::path::Path;

const KEY_ID: &str = "development";
const LIFETIME_SECS: i64 = 300;

/// Writes the public key to `jwks`, and returns a token for the fan of `user_info`.
pub(super) fn development(identity: &IdentityConfig, user_info: &Value, jwks: &Path) -> Result<String> {
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
        .ok()
        .context("cannot make a key for the development token")?;
    let key = EncodingKey::from_ec_der(pkcs8.as_ref());
    let mut jwk = Jwk::from_encoding_key(&key, Algorithm::ES256)?;
    jwk.common.key_id = Some(KEY_ID.to_owned());
    std::fs::write(jwks, serde_json::to_vec(&JwkSet { keys: vec![jwk] })?)?;
    let header = Header { kid: Some(KEY_ID.to_owned()), ..Header::new(Algorithm::ES256) };
    let claim = |name: &str| user_info.get(name).cloned().unwrap_or_default();
    let mut claims = json!({
        "iss": identity.issuer,
        "aud": identity.audience,
        "sub": claim("globalUserId"),
        "email": claim("email"),
        "memberId": claim("memberId"),
        "exp": Utc::now().timestamp() + LIFETIME_SECS,
    });
    if let Some(claims) = claims.as_object_mut() {
        claims.retain(|_, value| !value.is_null());
    }
    Ok(jsonwebtoken::encode(&header, &claims, &key)?)
}
