//! Token verification: a token is accepted exactly if it was signed with a published key and has the right claims.
//!
//! An input is a recipe in lines: the signer (see [`Issuer::sign`]), the header, the claims, the issuer's keys, the
//! `Authorization` header. In the keys `@X` `@Y` `@N` `@E` stand for the parts of the public keys, in the last line
//! `@H` `@P` `@S` for those of the token. Missing lines are those of a good token.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256};
use backend_identity::Identity;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use host_adapters_platform::IdentityBackend;
use host_adapters_platform::IdentityConfig;
use host_adapters_platform::clock::Clock;
use host_adapters_records::ErrorKind;
use host_adapters_records::identity::Claims;
use serde_json::Value;
use std::cell::OnceCell;
use std::path::PathBuf;
use std::time::Duration;
use tokio::runtime::Runtime;

const NOW: i64 = 1_705_312_800;
const LEEWAY: f64 = 60.0;
const ISSUER: &str = "https://issuer.example";
const AUDIENCE: &str = "registration";

const HEADER: &str = r#"{"alg":"ES256","kid":"es"}"#;
const RS_HEADER: &str = r#"{"alg":"RS256","kid":"rs"}"#;
const CLAIMS: &str =
    r#"{"sub":"fan","iss":"https://issuer.example","aud":"registration","exp":1705316400,"email":"a@b.example"}"#;
const KEYS: &str =
    r#"{"keys":[{"kty":"EC","crv":"P-256","kid":"es","x":"@X","y":"@Y"},{"kty":"RSA","kid":"rs","n":"@N","e":"@E"}]}"#;

thread_local! {
    static ISSUERS: OnceCell<Issuer> = const { OnceCell::new() };
}

/// The issuer, another signer, and the verifying host.
struct Issuer {
    es: EcdsaKeyPair,
    foreign: EcdsaKeyPair,
    rs: RsaKeyPair,
    /// The file in which the keys are published.
    jwks: PathBuf,
    runtime: Runtime,
    _folder: tempfile::TempDir,
}

struct Recipe<'r> {
    signer: &'r str,
    header: &'r str,
    claims: &'r str,
    keys: &'r str,
    authorization: &'r str,
}

/// Checks one recipe.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut lines = text.split('\n');
    let mut line = |good| lines.next().filter(|line| !line.is_empty()).unwrap_or(good);
    let recipe = Recipe {
        signer: line("es"),
        header: line(HEADER),
        claims: line(CLAIMS),
        keys: line(KEYS),
        authorization: line("Bearer @H.@P.@S"),
    };
    ISSUERS.with(|issuer| issuer.get_or_init(Issuer::start).check(&recipe));
}

impl Issuer {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let es = || EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
        Self {
            es: es(),
            foreign: es(),
            rs: RsaKeyPair::generate(KeySize::Rsa2048).expect("a key"),
            jwks: folder.path().join("jwks.json"),
            runtime: tokio::runtime::Builder::new_current_thread().build().expect("a runtime"),
            _folder: folder,
        }
    }

    fn check(&self, recipe: &Recipe<'_>) {
        let message = format!("{}.{}", BASE64.encode(recipe.header), BASE64.encode(recipe.claims));
        let signature = BASE64.encode(self.sign(recipe.signer, message.as_bytes()));
        let signed = format!("{message}.{signature}");
        let (header, payload) = message.split_once('.').expect("two parts");
        let authorization = recipe.authorization.replace("@H", header).replace("@P", payload).replace("@S", &signature);
        let Some(token) = host_adapters_event::endpoint::fan_token(&authorization) else { return };

        let (clock, keys) = (Clock::manual(NOW * 1000), self.publish(recipe.keys));
        let identity = self.identity(&clock);
        let verify = || self.runtime.block_on(identity.verify(token));
        let expected = if token == signed { self.acceptable(recipe, &keys) } else { None };
        let answer = verify();
        match (&answer, &expected) {
            (Ok(claims), Some((expected, _))) => assert_eq!(claims, expected),
            (Ok(claims), None) => panic!("{claims:?} of a token that was not signed like this: {token}"),
            // The token is right but refused, for one of the library's many reasons (a duplicate name, a number too
            // large).
            (Err(error), _) => assert!(matches!(error.kind, ErrorKind::Denied | ErrorKind::Unavailable), "{error:?}"),
        }
        let good = [("es", HEADER), ("rs", RS_HEADER)].contains(&(recipe.signer, recipe.header));
        if good && recipe.claims == CLAIMS && recipe.keys == KEYS && token == signed {
            assert!(answer.is_ok(), "{answer:?} for a good token");
        }
        assert_eq!(verify().ok(), answer.ok(), "the second result differs");
        let left = expected.map_or(f64::MAX, |(_, until)| until - NOW as f64 + LEEWAY);
        if (0.0..1e9).contains(&left) {
            clock.advance(Duration::from_secs_f64(left + 1.0));
            assert!(verify().is_err(), "an expired token is accepted");
        }
    }

    /// Signs with one of the issuer's keys, with another signer's, or with a public part of the issuer's keys as a
    /// shared secret.
    fn sign(&self, signer: &str, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        let shared = |secret: &[u8]| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message).as_ref().to_vec();
        let ecdsa = |key: &EcdsaKeyPair| key.sign(&random, message).expect("a signature").as_ref().to_vec();
        match signer {
            "es" => ecdsa(&self.es),
            "foreign" => ecdsa(&self.foreign),
            "rs" => {
                let mut signature = vec![0; self.rs.public_modulus_len()];
                self.rs.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).expect("a signature");
                signature
            }
            "hs-point" => shared(self.es.public_key().as_ref()),
            "hs-ec-der" => shared(self.es.public_key().as_der().expect("a public key").as_ref()),
            "hs-modulus" => shared(self.rs.public_key().modulus().big_endian_without_leading_zero()),
            "hs-rsa-der" => shared(self.rs.public_key().as_der().expect("a public key").as_ref()),
            _ => Vec::new(),
        }
    }

    /// Publishes keys from their template; returns the contents of the file.
    fn publish(&self, template: &str) -> String {
        let [x, y, n, e] = self.parts().map(|part| BASE64.encode(part));
        let keys = template.replace("@X", &x).replace("@Y", &y).replace("@N", &n).replace("@E", &e);
        std::fs::write(&self.jwks, &keys).expect("a file");
        keys
    }

    /// The parts of the public keys: x, y; n, e.
    fn parts(&self) -> [&[u8]; 4] {
        let (point, rsa) = (self.es.public_key().as_ref(), self.rs.public_key());
        let (n, e) = (rsa.modulus(), rsa.exponent());
        [&point[1..33], &point[33..], n.big_endian_without_leading_zero(), e.big_endian_without_leading_zero()]
    }

    /// The claims of a token of this recipe and when it expires (seconds since 1970), if everything in it is right.
    fn acceptable(&self, recipe: &Recipe<'_>, keys: &str) -> Option<(Claims, f64)> {
        let header: Value = serde_json::from_str(recipe.header).ok()?;
        if header.get("crit").is_some() {
            return None;
        }
        let algorithm = match recipe.signer {
            "es" => "ES256",
            "rs" => "RS256",
            _ => return None,
        };
        let keys: Value = serde_json::from_str(keys).ok()?;
        let named = |key: &&Value| key["kid"].is_string() && key["kid"] == header["kid"];
        let published = keys.get("keys")?.as_array()?.iter().filter(named).any(|key| self.is_ours(key, algorithm));
        if header["alg"] != algorithm || !published {
            return None;
        }
        said(&serde_json::from_str(recipe.claims).ok()?)
    }

    /// Whether a published key is the issuer's own for this algorithm, and may be used for it.
    fn is_ours(&self, key: &Value, algorithm: &str) -> bool {
        let bytes = |name: &str| BASE64.decode(key[name].as_str().unwrap_or_default()).unwrap_or_default();
        let number = |name: &str| bytes(name).into_iter().skip_while(|byte| *byte == 0).collect::<Vec<_>>();
        let [x, y, n, e] = self.parts();
        let material = match algorithm {
            "ES256" => {
                key["kty"] == "EC" && key["crv"] == "P-256" && [bytes("x"), bytes("y")].concat() == [x, y].concat()
            }
            _ => key["kty"] == "RSA" && number("n") == n && number("e") == e,
        };
        let fits = |name: &str, value: &str| key[name].is_null() || key[name] == value;
        material && fits("use", "sig") && fits("alg", algorithm)
    }

    fn identity(&self, clock: &Clock) -> Identity {
        let jwks = self.jwks.display().to_string();
        let config = IdentityConfig { issuer: ISSUER.to_owned(), audience: AUDIENCE.to_owned(), jwks };
        Identity::new(config, clock.clone()).expect("a file")
    }
}

/// The claims, if they are for this host, valid now, and of the right types.
fn said(claims: &Value) -> Option<(Claims, f64)> {
    let text = |name: &str| match &claims[name] {
        Value::Null => Some(None),
        Value::String(text) => Some(Some(text.clone())),
        _ => None,
    };
    let audience = &claims["aud"];
    let for_us = audience == AUDIENCE || audience.as_array().is_some_and(|all| all.iter().any(|it| it == AUDIENCE));
    let (now, until) = (NOW as f64, claims["exp"].as_f64()?);
    let begun = claims["nbf"].is_null() || claims["nbf"].as_f64()? <= now + LEEWAY;
    let idv = if claims["idv"].is_null() { None } else { Some(claims["idv"].as_bool()?) };
    let subject = text("sub")?.filter(|subject| !subject.is_empty())?;
    let right = claims["iss"] == ISSUER && for_us && begun && until + LEEWAY > now;
    right.then_some((Claims { subject, email: text("email")?, member_id: text("memberId")?, idv }, until))
}
