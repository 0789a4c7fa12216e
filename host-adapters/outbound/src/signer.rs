//! App-to-app tokens: short-lived ES256 JWTs that prove to a service that a call comes from this host, and name the
//! component. The key stays in the host; no sandbox sees a token.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use jsonwebtoken::jwk::{Jwk, JwkSet, ThumbprintHash};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// `iss` of every token.
pub const ISSUER: &str = "registration-workers";
/// How long a token is valid.
pub const LIFETIME: Duration = Duration::from_secs(300);
/// A token with less time left is renewed, so that none expires on its way.
const RENEW_BEFORE: Duration = Duration::from_secs(60);

/// The claims of a token.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Claims {
    /// [`ISSUER`].
    pub iss: String,
    /// The calling component.
    pub sub: String,
    /// The called service.
    pub aud: String,
    /// When it was made, seconds since 1970 (UTC).
    pub iat: u64,
    /// When it expires, seconds since 1970 (UTC).
    pub exp: u64,
}

/// Why there is no key or no token. Never contains the key.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SignerError {
    /// The text is not an ES256 private key.
    #[error(
        "the service key is not an ES256 private key; give a PEM file in PKCS #8 form (BEGIN PRIVATE KEY, curve P-256)"
    )]
    BadKey,
    /// The key cannot be made or used, for example without a source of randomness.
    #[error("the service key cannot be made or used")]
    Failed,
}

/// Makes tokens, and keeps each while it is valid.
pub struct Signer {
    key: EncodingKey,
    jwk: Jwk,
    /// By component and service.
    tokens: Mutex<HashMap<(String, String), Token>>,
}

struct Token {
    text: Arc<str>,
    expires: Duration,
}

impl Signer {
    /// Uses the key in a PEM file.
    pub fn from_pem(pem: &[u8]) -> Result<Self, SignerError> {
        Self::new(EncodingKey::from_ec_pem(pem).map_err(|_| SignerError::BadKey)?)
    }

    /// Makes a key for this process.
    pub fn generate() -> Result<Self, SignerError> {
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
        Self::new(EncodingKey::from_ec_der(pkcs8.map_err(|_| SignerError::Failed)?.as_ref()))
    }

    fn new(key: EncodingKey) -> Result<Self, SignerError> {
        let mut jwk = Jwk::from_encoding_key(&key, Algorithm::ES256).map_err(|_| SignerError::BadKey)?;
        jwk.common.key_id = Some(jwk.thumbprint(ThumbprintHash::SHA256));
        Ok(Self { key, jwk, tokens: Mutex::default() })
    }

    /// The public key, for the services.
    pub fn jwks(&self) -> JwkSet {
        JwkSet { keys: vec![self.jwk.clone()] }
    }

    /// A token with which `component` may call `service` at `now`.
    pub fn token(&self, component: &str, service: &str, now: SystemTime) -> Result<Arc<str>, SignerError> {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let name = (component.to_owned(), service.to_owned());
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(token) = tokens.get(&name).filter(|token| token.expires > now + RENEW_BEFORE) {
            return Ok(Arc::clone(&token.text));
        }
        let text: Arc<str> = self.sign(component, service, now)?.into();
        tokens.insert(name, Token { text: Arc::clone(&text), expires: now + LIFETIME });
        Ok(text)
    }

    fn sign(&self, component: &str, service: &str, now: Duration) -> Result<String, SignerError> {
        let header = Header { kid: self.jwk.common.key_id.clone(), ..Header::new(Algorithm::ES256) };
        let claims = Claims {
            iss: ISSUER.to_owned(),
            sub: component.to_owned(),
            aud: service.to_owned(),
            iat: now.as_secs(),
            exp: (now + LIFETIME).as_secs(),
        };
        jsonwebtoken::encode(&header, &claims, &self.key).map_err(|_| SignerError::Failed)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use jsonwebtoken::{DecodingKey, Validation};

    /// 2024-01-15T10:00:00Z.
    const NOW: Duration = Duration::from_secs(1_705_312_800);

    fn claims(signer: &Signer, token: &str) -> Claims {
        let mut validation = Validation::new(Algorithm::ES256);
        validation.set_audience(&["entry"]);
        validation.set_issuer(&[ISSUER]);
        validation.validate_exp = false;
        let key = DecodingKey::from_jwk(&signer.jwks().keys[0]).unwrap();
        jsonwebtoken::decode(token, &key, &validation).unwrap().claims
    }

    #[test]
    fn a_token_names_component_and_service_for_five_minutes() {
        let signer = Signer::generate().unwrap();
        let token = signer.token("save-entries", "entry", UNIX_EPOCH + NOW).unwrap();
        let expected = Claims {
            iss: "registration-workers".to_owned(),
            sub: "save-entries".to_owned(),
            aud: "entry".to_owned(),
            iat: 1_705_312_800,
            exp: 1_705_313_100,
        };
        assert_eq!(claims(&signer, &token), expected);
        let kid = jsonwebtoken::decode_header(&*token).unwrap().kid;
        assert_eq!(kid, signer.jwks().keys[0].common.key_id);
    }

    #[test]
    fn a_token_is_kept_until_its_last_minute() {
        let signer = Signer::generate().unwrap();
        let at = |secs| signer.token("a", "entry", UNIX_EPOCH + NOW + Duration::from_secs(secs)).unwrap();
        let first = at(0);
        assert!(Arc::ptr_eq(&first, &at(239)));
        let second = at(240);
        assert_eq!(claims(&signer, &second).iat, 1_705_312_800 + 240);
    }

    #[test]
    fn components_and_services_share_no_token() {
        let signer = Signer::generate().unwrap();
        let token = |component, service| signer.token(component, service, UNIX_EPOCH + NOW).unwrap();
        assert_ne!(token("a", "entry"), token("b", "entry"));
        assert_ne!(token("a", "entry"), token("a", "user"));
    }

    #[test]
    fn keys_come_from_pem_and_only_from_pem_of_the_right_kind() {
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
        let base64 = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, pkcs8.as_ref());
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{base64}\n-----END PRIVATE KEY-----\n");
        assert!(Signer::from_pem(pem.as_bytes()).is_ok());
        let error = Signer::from_pem(b"nonsense").err().unwrap();
        assert_eq!(error, SignerError::BadKey);
        assert!(!error.to_string().contains("nonsense"));
    }
}
