//! The requests of check-eligibility in these measurements: fans, their tokens, one campaign, one form.

use anyhow::{Context, Result, ensure};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use bytes::Bytes;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// `iss` of the fans' tokens.
pub const ISSUER: &str = "https://identity.bench.example";
/// `aud` of the fans' tokens.
pub const AUDIENCE: &str = "registration-workers";
/// The route.
pub const PATH: &str = "/workers/check-eligibility";
const KEY_ID: &str = "bench";
/// The number of fans whose requests alternate.
const FANS: usize = 256;

/// One fan's request.
#[derive(Clone)]
pub struct Question {
    /// The fan's token.
    pub token: String,
    /// The body that AppSync sends.
    pub body: Bytes,
}

/// The keys, the campaign and the requests for both servers.
pub struct Registration {
    /// The issuer's public keys.
    pub jwks: PathBuf,
    /// The campaign, a JSON document.
    pub campaign: PathBuf,
    /// The fans' requests.
    pub questions: Vec<Question>,
}

impl Registration {
    /// Makes keys, tokens and documents in a folder.
    pub fn new(folder: &Path) -> Result<Self> {
        let pair = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
            .ok()
            .context("no key could be made")?;
        let key = EncodingKey::from_ec_der(pair.as_ref());
        let mut jwk = Jwk::from_encoding_key(&key, Algorithm::ES256)?;
        jwk.common.key_id = Some(KEY_ID.to_owned());
        let (jwks, campaign_file) = (folder.join("jwks.json"), folder.join("campaign.json"));
        std::fs::write(&jwks, json!({ "keys": [jwk] }).to_string())?;
        std::fs::write(&campaign_file, campaign().to_string())?;
        let questions = (0..FANS).map(|fan| Ok(Question { token: token(&key, fan)?, body: body(fan) }));
        Ok(Self { jwks, campaign: campaign_file, questions: questions.collect::<Result<_>>()? })
    }

    /// Checks that a response admits the fan.
    pub fn admitted(answer: &[u8]) -> Result<()> {
        let value: Value = serde_json::from_slice(answer)?;
        ensure!(value.get("isEligible") == Some(&Value::Bool(true)), "the fan is not admitted: {value}");
        Ok(())
    }
}

/// The campaign: open to all fans, with a typical form of presales.
pub fn campaign() -> Value {
    json!({
        "id": "campaign-bench", "slug": "bench", "name": "Benchmark", "status": "ACTIVE", "locale": "en-US",
        "date": {"open": "2024-01-01T00:00:00Z", "close": "2099-01-01T00:00:00Z"},
        "gates": [],
        "fields": [
            {"name": "email", "type": "email", "required": true},
            {"name": "phone", "type": "phone", "required": true},
            {"name": "postal_code", "type": "postalCode", "required": true},
            {"name": "ticket_count", "type": "integer", "required": true, "min": 1, "max": 6},
            {"name": "markets", "type": "markets", "required": true, "options": ["market-1", "market-2", "market-3"]},
        ],
    })
}

fn body(fan: usize) -> Bytes {
    let input = json!({
        "slug": "bench",
        "entry": {
            "email": format!("Fan.{fan}@example.com"), "phone": "(555) 123-4567", "postal_code": "90210",
            "ticket_count": 2, "markets": ["market-2", "market-1"],
        },
        "userInfo": {"firstName": "Jane", "lastName": "Doe", "countryCode": "US"},
    });
    json!({"arguments": {"input": {"body": input}}, "info": {"fieldName": "checkEligibility"}}).to_string().into()
}

fn token(key: &EncodingKey, fan: usize) -> Result<String> {
    let expires = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() + 12 * 3600;
    let claims = json!({
        "sub": format!("user-{fan}"), "email": format!("fan.{fan}@example.com"), "memberId": format!("member-{fan}"),
        "iss": ISSUER, "aud": AUDIENCE, "exp": expires,
    });
    let header = Header { kid: Some(KEY_ID.to_owned()), ..Header::new(Algorithm::ES256) };
    Ok(encode(&header, &claims, key)?)
}
