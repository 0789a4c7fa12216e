//! The issuer's public keys. They are fetched with the first token, and again when they are ten minutes old or a token
//! names an unknown key. While known keys are renewed they serve on, so that no request waits for the issuer; after a
//! day without a renewal they are no longer used. They are fetched at most every 10 s, so that made-up key ids do not
//! cause requests.

use super::denied;
use host_adapters_platform::Result;
use host_adapters_records::{Error, ErrorKind};
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::Value;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::task::JoinHandle;

const LEAST_BETWEEN_MS: i64 = 10_000;
/// From this age on the keys are renewed. A key that the issuer withdraws is used for little longer, as long as the
/// issuer can be reached.
const RENEW_MS: i64 = 10 * 60_000;
/// Keys that could not be renewed serve up to this age, so that an issuer may be down for a day.
const MAX_AGE_MS: i64 = 24 * 3_600_000;
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
const MAX_BYTES: usize = 1024 * 1024;

/// A public key, its id and its algorithm.
#[derive(Clone)]
pub(super) struct Key {
    kid: String,
    pub(super) decoding: DecodingKey,
    algorithm: Algorithm,
}

/// The keys that a token may have been signed with.
pub(super) struct Candidates {
    pub(super) keys: Vec<Key>,
    /// Until when they need no renewal, milliseconds since 1970.
    pub(super) fresh_until_ms: i64,
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

pub(super) struct Keys(Arc<Shared>);

struct Shared {
    place: Place,
    state: RwLock<State>,
    /// Locked while fetching: one task fetches, and those that know no key wait for the result.
    fetching: Arc<Mutex<()>>,
}

enum Place {
    File(PathBuf),
    Address(reqwest::Client, reqwest::Url),
}

#[derive(Clone, Default)]
struct State {
    keys: Arc<[Key]>,
    fetched_ms: Option<i64>,
    tried_ms: Option<i64>,
    error: Option<String>,
}

impl State {
    /// The keys that a token with this header may have been signed with, unless they are too old. An issuer may publish
    /// several under one id.
    fn candidates(&self, kid: &str, algorithm: Algorithm, now_ms: i64) -> Option<Candidates> {
        let fetched_ms = self.fetched_ms.filter(|at| now_ms - at < MAX_AGE_MS)?;
        let fitting = self.keys.iter().filter(|key| key.kid == kid && key.algorithm == algorithm);
        let keys: Vec<_> = fitting.cloned().collect();
        (!keys.is_empty()).then_some(Candidates { keys, fresh_until_ms: fetched_ms + RENEW_MS })
    }
}

impl Keys {
    pub(super) fn new(place: &str) -> std::result::Result<Self, JwksError> {
        let (place, state, fetching) = (Place::parse(place)?, RwLock::default(), Arc::default());
        if let Place::File(path) = &place
            && !path.is_file()
        {
            let path = path.display();
            tracing::warn!(%path, "there is no file with the issuer's keys; until there is one, no token is accepted");
        }
        Ok(Self(Arc::new(Shared { place, state, fetching })))
    }

    /// The keys that a token with this header may have been signed with.
    pub(super) async fn find(&self, kid: &str, algorithm: Algorithm, now_ms: i64) -> Result<Candidates> {
        if let Some(known) = self.0.state().candidates(kid, algorithm, now_ms) {
            if now_ms >= known.fresh_until_ms {
                self.renew(now_ms);
            }
            return Ok(known);
        }
        let fetching = self.0.fetching.clone().lock_owned().await;
        // A request that is given up must not end the fetch: it would not be recorded, and the next request would repeat
        // it at once. A fetch that panicked has recorded no keys either.
        let _ = self.fetch(now_ms, fetching).await;
        let state = self.0.state();
        match (state.candidates(kid, algorithm, now_ms), state.error) {
            (Some(known), _) => Ok(known),
            (None, Some(error)) => Err(Error::new(ErrorKind::Unavailable, error)),
            (None, None) => {
                Err(denied(format!("the token names a key (`kid`) that its issuer does not publish for {algorithm:?}")))
            }
        }
    }

    /// Renews the keys while they serve, unless a renewal runs.
    fn renew(&self, now_ms: i64) {
        if let Ok(fetching) = self.0.fetching.clone().try_lock_owned() {
            self.fetch(now_ms, fetching);
        }
    }

    /// Fetches the keys in a separate task, unless that was attempted recently.
    fn fetch(&self, now_ms: i64, fetching: OwnedMutexGuard<()>) -> JoinHandle<()> {
        let shared = self.0.clone();
        tokio::spawn(async move { shared.fetch(now_ms, fetching).await })
    }
}

impl Shared {
    fn state(&self) -> State {
        self.state.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn fetch(&self, now_ms: i64, _fetching: OwnedMutexGuard<()>) {
        let mut state = self.state();
        if state.tried_ms.is_some_and(|at| now_ms - at < LEAST_BETWEEN_MS) {
            return;
        }
        state.tried_ms = Some(now_ms);
        let loaded = self.place.load().await;
        let outcome = if loaded.is_ok() { "renewed" } else { "failed" };
        metrics::counter!("registration_identity_key_fetches_total", "outcome" => outcome).increment(1);
        match loaded {
            Ok(keys) => {
                (state.keys, state.fetched_ms, state.error) = (keys.into(), Some(now_ms), None);
                #[expect(clippy::cast_precision_loss, reason = "a time in seconds")]
                metrics::gauge!("registration_identity_keys_fetched_timestamp_seconds").set((now_ms / 1000) as f64);
            }
            Err(error) => {
                let age_secs = state.fetched_ms.map(|at| (now_ms - at) / 1000);
                let known_keys = state.keys.len();
                tracing::warn!(%error, known_keys, age_secs, "the issuer's keys could not be renewed; those known serve on");
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

    async fn load(&self) -> std::result::Result<Vec<Key>, JwksError> {
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
fn parse(place: &str, bytes: &[u8]) -> std::result::Result<Vec<Key>, JwksError> {
    let wrong = |what: &str| JwksError::Content(place.to_owned(), what.to_owned());
    let text = host_adapters_settings::decode(bytes).map_err(|error| wrong(&error.to_string()))?;
    let mut set: Value = serde_json::from_str(text).map_err(|error| wrong(&error.to_string()))?;
    let Some(Value::Array(keys)) = set.get_mut("keys").map(Value::take) else {
        return Err(wrong("it has no list `keys`"));
    };
    let usable: Vec<_> = keys.into_iter().filter_map(usable_key).collect();
    if usable.is_empty() { Err(wrong("none of its keys has a `kid` and is of such a type")) } else { Ok(usable) }
}

fn usable_key(key: Value) -> Option<Key> {
    let jwk: Jwk = serde_json::from_value(key).ok()?;
    let algorithm = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => Algorithm::RS256,
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => Algorithm::ES256,
        // Never a shared secret: anyone who can read a published secret could sign.
        _ => return None,
    };
    let verifies = |operations: &Vec<_>| operations.contains(&KeyOperations::Verify);
    let for_signing = matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature))
        && jwk.common.key_operations.as_ref().is_none_or(verifies);
    let named = match jwk.common.key_algorithm {
        None => true,
        Some(KeyAlgorithm::RS256) => algorithm == Algorithm::RS256,
        Some(KeyAlgorithm::ES256) => algorithm == Algorithm::ES256,
        Some(_) => false,
    };
    let decoding = DecodingKey::from_jwk(&jwk).ok()?;
    (for_signing && named).then_some(Key { kid: jwk.common.key_id?, decoding, algorithm })
}
