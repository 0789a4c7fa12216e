//! The issuer's public keys. They are fetched with the first token, and again when they are old or a token names an
//! unknown key. They are fetched at most every 10 s, so that made-up key ids do not cause requests.

use super::denied;
use host_adapters_platform::Result;
use host_adapters_records::{Error, ErrorKind};
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::Value;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

const LEAST_BETWEEN_MS: i64 = 10_000;
/// A key that the issuer withdraws is used for at most this long, as long as the issuer can be reached.
const MAX_AGE_MS: i64 = 10 * 60_000;
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
const MAX_BYTES: usize = 1024 * 1024;

/// A public key and its algorithm.
#[derive(Clone)]
pub(super) struct Key {
    pub(super) decoding: DecodingKey,
    pub(super) algorithm: Algorithm,
}

/// Why the keys are not available.
#[derive(Debug, thiserror::Error)]
pub enum JwksError {
    /// Neither a file nor an allowed address.
    #[error("`{0}` is not a place for keys; name a file or an https:// address (http:// on this machine only)")]
    Place(String),
    /// The file cannot be read.
    #[error("cannot read the keys in {0}: {1}")]
    File(String, std::io::Error),
    /// The address does not answer.
    #[error("cannot fetch the keys from {0}: {1}")]
    Fetch(String, reqwest::Error),
    /// The content is not a JWKS.
    #[error("{0} holds no JWKS with a usable RS256 or ES256 key: {1}")]
    Content(String, String),
}

pub(super) struct Keys {
    place: Place,
    state: RwLock<State>,
    /// Locked while fetching: one task fetches, the others wait for the result.
    fetching: tokio::sync::Mutex<()>,
}

enum Place {
    File(PathBuf),
    Address(reqwest::Client, reqwest::Url),
}

#[derive(Clone, Default)]
struct State {
    keys: Arc<HashMap<String, Key>>,
    fetched_ms: Option<i64>,
    tried_ms: Option<i64>,
    error: Option<String>,
}

impl Keys {
    pub(super) fn new(place: &str) -> std::result::Result<Self, JwksError> {
        Ok(Self { place: Place::parse(place)?, state: RwLock::default(), fetching: tokio::sync::Mutex::new(()) })
    }

    /// The key of this id.
    pub(super) async fn find(&self, kid: &str, now_ms: i64) -> Result<Key> {
        let state = self.state();
        let fresh = state.fetched_ms.is_some_and(|at| now_ms - at < MAX_AGE_MS);
        if let (true, Some(key)) = (fresh, state.keys.get(kid)) {
            return Ok(key.clone());
        }
        self.fetch(now_ms).await;
        let state = self.state();
        match (state.keys.get(kid), state.error) {
            // If fetching fails, the previous keys are used.
            (Some(key), _) => Ok(key.clone()),
            (None, Some(error)) => Err(Error::new(ErrorKind::Unavailable, error)),
            (None, None) => Err(denied("the token names a key (`kid`) that its issuer does not publish")),
        }
    }

    fn state(&self) -> State {
        self.state.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn fetch(&self, now_ms: i64) {
        let _fetching = self.fetching.lock().await;
        let mut state = self.state();
        if state.tried_ms.is_some_and(|at| now_ms - at < LEAST_BETWEEN_MS) {
            return;
        }
        state.tried_ms = Some(now_ms);
        match self.place.load().await {
            Ok(keys) => (state.keys, state.fetched_ms, state.error) = (Arc::new(keys), Some(now_ms), None),
            Err(error) => {
                tracing::warn!(%error, known_keys = state.keys.len(), "the issuer's keys could not be renewed");
                state.error = Some(error.to_string());
            }
        }
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = state;
    }
}

impl Place {
    fn parse(text: &str) -> std::result::Result<Self, JwksError> {
        if !text.contains("://") {
            return Ok(Self::File(PathBuf::from(text)));
        }
        let wrong = || JwksError::Place(text.to_owned());
        let url = reqwest::Url::parse(text).map_err(|_| wrong())?;
        let local = matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
        if url.scheme() != "https" && !(url.scheme() == "http" && local) {
            return Err(wrong());
        }
        let client = reqwest::Client::builder().timeout(FETCH_TIMEOUT).redirect(reqwest::redirect::Policy::none());
        let client = client.build().map_err(|error| JwksError::Fetch(text.to_owned(), error))?;
        Ok(Self::Address(client, url))
    }

    async fn load(&self) -> std::result::Result<HashMap<String, Key>, JwksError> {
        match self {
            Self::File(path) => {
                let name = path.display().to_string();
                let bytes = tokio::fs::read(path).await.map_err(|error| JwksError::File(name.clone(), error))?;
                parse(&name, &bytes)
            }
            Self::Address(client, url) => {
                let failed = |error: reqwest::Error| JwksError::Fetch(url.to_string(), error.without_url());
                let mut answer =
                    client.get(url.clone()).send().await.map_err(failed)?.error_for_status().map_err(failed)?;
                let mut bytes = Vec::new();
                while let Some(chunk) = answer.chunk().await.map_err(failed)? {
                    bytes.extend_from_slice(&chunk);
                    if bytes.len() > MAX_BYTES {
                        return Err(JwksError::Content(url.to_string(), format!("more than {MAX_BYTES} bytes")));
                    }
                }
                parse(url.as_str(), &bytes)
            }
        }
    }
}

/// The usable keys of a JWKS. The issuer may publish others, for other purposes.
fn parse(place: &str, bytes: &[u8]) -> std::result::Result<HashMap<String, Key>, JwksError> {
    let wrong = |what: &str| JwksError::Content(place.to_owned(), what.to_owned());
    let text = host_adapters_settings::decode(bytes).map_err(|error| wrong(&error.to_string()))?;
    let mut set: Value = serde_json::from_str(text).map_err(|error| wrong(&error.to_string()))?;
    let Some(Value::Array(keys)) = set.get_mut("keys").map(Value::take) else {
        return Err(wrong("it has no list `keys`"));
    };
    let usable: HashMap<_, _> = keys.into_iter().filter_map(usable_key).collect();
    if usable.is_empty() { Err(wrong("none of its keys has a `kid` and is of such a type")) } else { Ok(usable) }
}

fn usable_key(key: Value) -> Option<(String, Key)> {
    let jwk: Jwk = serde_json::from_value(key).ok()?;
    let algorithm = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => Algorithm::RS256,
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => Algorithm::ES256,
        // Never a shared secret: anyone who can read a published secret could sign.
        _ => return None,
    };
    let for_signing = matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature));
    let named = match jwk.common.key_algorithm {
        None => true,
        Some(KeyAlgorithm::RS256) => algorithm == Algorithm::RS256,
        Some(KeyAlgorithm::ES256) => algorithm == Algorithm::ES256,
        Some(_) => false,
    };
    let decoding = DecodingKey::from_jwk(&jwk).ok()?;
    (for_signing && named).then_some((jwk.common.key_id?, Key { decoding, algorithm }))
}
