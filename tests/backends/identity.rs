//! Identity: which tokens are accepted, and when the issuer's keys are fetched.

use super::signer::{Signer, jwks};
use backend_identity::Identity;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use host_adapters_platform::IdentityBackend;
use host_adapters_platform::IdentityConfig;
use host_adapters_platform::clock::Clock;
use host_adapters_records::identity::Claims;
use host_adapters_records::{Error, ErrorKind};
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tests::{log, metrics, programs, wait};

/// 2024-01-15T10:00:00Z.
const NOW: i64 = 1_705_312_800;
const ISSUER: &str = "https://identity.example";
const AUDIENCE: &str = "registration";

struct Setup {
    identity: Identity,
    clock: Clock,
    file: PathBuf,
    _folder: TempDir,
}

fn setup(keys: &[Value]) -> Setup {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("jwks.json");
    std::fs::write(&file, jwks(keys)).unwrap();
    let clock = Clock::manual(NOW * 1000);
    let identity = Identity::new(config(file.to_str().unwrap()), clock.clone()).unwrap();
    Setup { identity, clock, file, _folder: folder }
}

fn config(jwks: &str) -> IdentityConfig {
    IdentityConfig { issuer: ISSUER.into(), audience: AUDIENCE.into(), jwks: jwks.into() }
}

fn claims() -> Value {
    json!({"sub": "user-1", "iss": ISSUER, "aud": AUDIENCE, "exp": NOW + 300})
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn without(name: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(name);
    claims
}

async fn refused(identity: &Identity, token: &str) -> Error {
    let error = identity.verify(token).await.unwrap_err();
    assert!(token.len() < 20 || !error.message.contains(&token[token.len() - 20..]), "the token is in {error}");
    error
}

#[tokio::test]
async fn reads_the_claims() {
    let (es, rs) = (Signer::es256("es"), Signer::rs256("rs"));
    let setup = setup(&[es.jwk(), rs.jwk()]);
    let full = json!({
        "sub": "user-1", "iss": ISSUER, "aud": ["other", AUDIENCE], "exp": NOW as f64 + 0.5, "nbf": NOW,
        "email": "fan@example.com", "memberId": "m-1", "idv": true, "unknown": {"a": 1},
    });
    let expected = Claims {
        subject: "user-1".into(),
        email: Some("fan@example.com".into()),
        member_id: Some("m-1".into()),
        idv: Some(true),
    };
    for signer in [&es, &rs] {
        let token = signer.sign(&full);
        assert_eq!(setup.identity.verify(&token).await.unwrap(), expected);
        assert_eq!(setup.identity.verify(&token).await.unwrap(), expected, "remembered");
    }
    let bare = Claims { subject: "user-1".into(), email: None, member_id: None, idv: None };
    assert_eq!(setup.identity.verify(&es.sign(&claims())).await.unwrap(), bare);
}

#[tokio::test]
async fn refuses_wrong_claims() {
    let signer = Signer::es256("k");
    let setup = setup(&[signer.jwk()]);
    for (claims, word) in [
        (with("iss", json!("https://other.example")), "`iss`"),
        (with("aud", json!("other")), "`aud`"),
        (with("aud", json!([])), "`aud`"),
        (with("exp", json!(NOW - 60)), "expired"),
        (with("nbf", json!(NOW + 61)), "not valid yet"),
        (with("sub", json!("")), "`sub`"),
        (with("sub", json!(1)), "`sub`"),
        (with("exp", json!("soon")), "`exp`"),
        (with("memberId", json!(1)), "`memberId`"),
        (without("iss"), "`iss`"),
        (without("aud"), "`aud`"),
        (without("exp"), "`exp`"),
        (without("sub"), "`sub`"),
    ] {
        let error = refused(&setup.identity, &signer.sign(&claims)).await;
        assert_eq!(error.kind, ErrorKind::Denied);
        assert!(error.message.contains(word), "{claims}: {error}");
    }
}

#[tokio::test]
async fn goes_by_the_clock_with_a_minute_of_leeway() {
    let signer = Signer::es256("k");
    let setup = setup(&[signer.jwk()]);
    let early = signer.sign(&with("nbf", json!(NOW + 60)));
    assert!(setup.identity.verify(&early).await.is_ok());
    let token = signer.sign(&claims());
    setup.clock.advance(Duration::from_millis(359_999));
    assert!(setup.identity.verify(&token).await.is_ok());
    setup.clock.advance(Duration::from_millis(1));
    let error = refused(&setup.identity, &token).await;
    assert!(error.message.contains("expired"), "{error}");
}

#[tokio::test]
async fn refuses_other_algorithms_and_forgeries() {
    let (es, rs, stranger) = (Signer::es256("es"), Signer::rs256("rs"), Signer::es256("es"));
    let setup = setup(&[es.jwk(), rs.jwk()]);
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let none = format!("{}.{}.", part(json!({"alg": "none", "kid": "es"})), part(claims()));
    // The classic attack: the text of the public key is used as a shared secret.
    let header = Header { kid: Some("rs".into()), ..Header::default() };
    let hmac = encode(&header, &claims(), &EncodingKey::from_secret(rs.jwk().to_string().as_bytes())).unwrap();
    let good = es.sign(&claims());
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let body = with("sub", json!("somebody-else"));
    let swapped = format!("{}.{}.{signature}", signed.split('.').next().unwrap(), part(body));
    for (what, token) in [
        ("none", none),
        ("HS256", hmac),
        ("another's signature", stranger.sign(&claims())),
        ("swapped claims", swapped),
        ("no signature", format!("{signed}.")),
        ("another key's id", es.sign_as(Some("rs"), &claims())),
        ("no key id", es.sign_as(None, &claims())),
        ("empty", String::new()),
        ("no JWT", "a.b.c".into()),
        ("huge", "x".repeat(1 << 20)),
    ] {
        assert_eq!(refused(&setup.identity, &token).await.kind, ErrorKind::Denied, "{what}");
    }
    assert!(setup.identity.verify(&good).await.is_ok());
}

#[tokio::test]
async fn fetches_the_keys_again_for_an_unknown_one_but_not_too_often() {
    let (old, new, newer) = (Signer::es256("old"), Signer::es256("new"), Signer::es256("newer"));
    let setup = setup(&[old.jwk()]);
    assert!(setup.identity.verify(&old.sign(&claims())).await.is_ok());
    std::fs::write(&setup.file, jwks(&[old.jwk(), new.jwk()])).unwrap();
    assert_eq!(refused(&setup.identity, &new.sign(&claims())).await.kind, ErrorKind::Denied, "just fetched");
    setup.clock.advance(Duration::from_secs(10));
    assert!(setup.identity.verify(&new.sign(&claims())).await.is_ok());
    std::fs::write(&setup.file, "broken").unwrap();
    setup.clock.advance(Duration::from_secs(10));
    assert_eq!(refused(&setup.identity, &newer.sign(&claims())).await.kind, ErrorKind::Unavailable);
    assert!(setup.identity.verify(&old.sign(&with("n", json!(1)))).await.is_ok(), "the previous keys are still used");
}

#[tokio::test]
async fn forgets_withdrawn_keys() {
    let (old, new) = (Signer::es256("old"), Signer::es256("new"));
    let setup = setup(&[old.jwk()]);
    let token = old.sign(&with("exp", json!(NOW + 86_400)));
    assert!(setup.identity.verify(&token).await.is_ok());
    std::fs::write(&setup.file, jwks(&[new.jwk()])).unwrap();
    setup.clock.advance(Duration::from_secs(600));
    // The known key serves while the keys are renewed.
    let _ = setup.identity.verify(&token).await;
    let denied = wait::eventually("the renewal", async || setup.identity.verify(&token).await.err()).await;
    assert_eq!(denied.kind, ErrorKind::Denied);
    assert_eq!(refused(&setup.identity, &token).await.kind, ErrorKind::Denied);
}

/// The input of a case.
fn case(path: &str) -> String {
    std::fs::read_to_string(programs::project().join("tests/fixtures/cases").join(path)).unwrap()
}

/// An identity with the keys of a case, at the time and for the issuer of its tokens.
fn identity_of(keys: &str) -> Identity {
    let jwks = programs::project().join("tests/fixtures/cases").join(keys).display().to_string();
    let (issuer, audience) = ("https://identity.registration.example".into(), "registration-workers".into());
    Identity::new(IdentityConfig { issuer, audience, jwks }, Clock::manual(NOW * 1000)).unwrap()
}

#[tokio::test]
async fn case_16_a_token_with_critical_extensions_is_refused() {
    let identity = identity_of("16-crit/jwks.json");
    assert!(identity.verify(&case("16-crit/good.jwt")).await.is_ok());
    for token in ["16-crit/crit-unknown.jwt", "16-crit/crit-empty.jwt"] {
        let error = refused(&identity, &case(token)).await;
        assert!(error.kind == ErrorKind::Denied && error.message.contains("`crit`"), "{token}: {error}");
    }
    let signer = Signer::es256("k");
    let setup = setup(&[signer.jwk()]);
    for crit in [json!(["exp"]), json!("exp"), json!(null), json!(1), json!({}), json!([1])] {
        let header = json!({"alg": "ES256", "kid": "k", "crit": crit, "exp": 1});
        let error = refused(&setup.identity, &signer.sign_with(&header, &claims())).await;
        assert!(error.kind == ErrorKind::Denied && error.message.contains("`crit`"), "{crit}: {error}");
    }
}

#[tokio::test]
async fn case_16_header_members_that_are_not_text_do_no_harm() {
    let signer = Signer::es256("k");
    let setup = setup(&[signer.jwk()]);
    for (name, value) in [("v", json!(2)), ("nested", json!({"a": [1]})), ("typ", json!(null)), ("x5c", json!([]))] {
        let mut header = json!({"alg": "ES256", "kid": "k"});
        header[name] = value;
        let verified = setup.identity.verify(&signer.sign_with(&header, &claims())).await;
        assert!(verified.is_ok(), "{header}: {verified:?}");
    }
    for header in [json!({"alg": "ES256", "kid": 1}), json!({"alg": 1, "kid": "k"}), json!({"kid": "k"}), json!([])] {
        let error = refused(&setup.identity, &signer.sign_with(&header, &claims())).await;
        assert_eq!(error.kind, ErrorKind::Denied, "{header}");
    }
}

#[tokio::test]
async fn case_17_the_key_is_chosen_by_id_type_algorithm_and_use() {
    for (keys, tokens) in [("17-jwks/jwks-rsa-ec.json", &["rsa", "ec"][..]), ("17-jwks/jwks-sig-enc.json", &["rsa"])] {
        let identity = identity_of(keys);
        for token in tokens {
            let verified = identity.verify(&case(&format!("17-jwks/{token}.jwt"))).await;
            assert!(verified.is_ok(), "{token} by {keys}: {verified:?}");
        }
    }
    // Of several keys that fit, any may have signed.
    let (first, second) = (Signer::es256("same"), Signer::es256("same"));
    for keys in [[first.jwk(), second.jwk()], [second.jwk(), first.jwk()]] {
        let setup = setup(&keys);
        for signer in [&first, &second] {
            assert!(setup.identity.verify(&signer.sign(&claims())).await.is_ok());
        }
        assert_eq!(refused(&setup.identity, &Signer::es256("same").sign(&claims())).await.kind, ErrorKind::Denied);
    }
    let mut for_signing = first.jwk();
    for_signing["key_ops"] = json!(["sign"]);
    let setup = setup(&[for_signing, Signer::rs256("other").jwk()]);
    assert_eq!(refused(&setup.identity, &first.sign(&claims())).await.kind, ErrorKind::Denied);
}

/// An issuer that may hang.
struct Issuer {
    url: String,
    hangs: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
}

impl Issuer {
    async fn of(signer: &Signer) -> Self {
        let keys = jwks(&[signer.jwk()]);
        let (hangs, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let answer = {
            let (hangs, asked) = (hangs.clone(), asked.clone());
            move || {
                let (keys, hangs) = (keys.clone(), hangs.load(Ordering::Relaxed));
                asked.fetch_add(1, Ordering::Relaxed);
                async move {
                    if hangs {
                        std::future::pending::<()>().await;
                    }
                    keys
                }
            }
        };
        let app = axum::Router::new().route("/jwks", axum::routing::get(answer));
        let url = format!("{}/jwks", tests::serve(app).await);
        Self { url, hangs, asked }
    }

    fn hangs(&self, hangs: bool) {
        self.hangs.store(hangs, Ordering::Relaxed);
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

#[tokio::test]
async fn a_fetch_of_keys_counts_though_those_who_wait_for_it_hang_up() {
    let signer = Signer::es256("k");
    let issuer = Issuer::of(&signer).await;
    issuer.hangs(true);
    let clock = Clock::manual(NOW * 1000);
    let identity = Identity::new(config(&issuer.url), clock.clone()).unwrap();
    let token = signer.sign(&claims());
    for _ in 0..5 {
        let given_up = tokio::time::timeout(Duration::from_millis(50), identity.verify(&token)).await;
        assert!(given_up.is_err(), "{given_up:?}");
    }
    assert_eq!(issuer.asked(), 1, "a request that hangs up takes no fetch with it");
    issuer.hangs(false);
    let error = identity.verify(&token).await.unwrap_err();
    assert_eq!((error.kind, issuer.asked()), (ErrorKind::Unavailable, 1), "at most every 10 s: {error}");
    clock.advance(Duration::from_secs(10));
    assert!(identity.verify(&token).await.is_ok());
    assert_eq!(issuer.asked(), 2);
}

/// How often keys were fetched in this process with this outcome.
fn fetches(outcome: &str) -> f64 {
    let series = format!("registration_identity_key_fetches_total{{outcome=\"{outcome}\"}} ");
    let shown = metrics().render();
    let count = shown.lines().find_map(|line| line.strip_prefix(series.as_str()));
    count.map_or(0.0, |count| count.parse().unwrap())
}

/// The log lines about keys of this place that were not renewed: level, number of known keys, and their age in seconds.
fn not_renewed(place: &str) -> Vec<[Value; 3]> {
    let lines = log::lines("message", "the issuer's keys could not be renewed; those known serve on");
    let of_place = lines.iter().filter(|line| line["error"].as_str().is_some_and(|error| error.contains(place)));
    of_place.map(|line| ["level", "known_keys", "age_secs"].map(|name| line[name].clone())).collect()
}

#[tokio::test]
async fn case_18_known_keys_serve_while_a_hanging_issuer_is_asked() {
    let signer = Signer::es256("k");
    let issuer = Issuer::of(&signer).await;
    let clock = Clock::manual(NOW * 1000);
    let identity = Identity::new(config(&issuer.url), clock.clone()).unwrap();
    log::listen();
    let (renewed, failed) = (fetches("renewed"), fetches("failed"));
    let fan = |number: u32| {
        let mut claims = with("n", json!(number));
        claims["exp"] = json!(NOW + 7 * 86_400);
        signer.sign(&claims)
    };
    assert!(identity.verify(&fan(0)).await.is_ok());
    issuer.hangs(true);
    for hour in 0..23 {
        clock.advance(Duration::from_secs(3_600));
        for number in 0..10 {
            let began = Instant::now();
            assert!(identity.verify(&fan(100 * hour + number)).await.is_ok(), "after {hour} hours");
            assert!(began.elapsed() < Duration::from_millis(500), "{:?}", began.elapsed());
        }
        // Lets the renewal reach the issuer.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!((2..=3).contains(&issuer.asked()), "one renewal at a time");
    // After a day they serve no more: a request waits for the issuer.
    clock.advance(Duration::from_secs(3_600));
    assert_eq!(identity.verify(&fan(1_000_000)).await.unwrap_err().kind, ErrorKind::Unavailable);
    // Each failure is said: the renewal that was behind the requests, and that which a request has waited for.
    let told = not_renewed(&issuer.url);
    assert_eq!(told.first(), Some(&[json!("WARN"), json!(1), json!("3600")]), "{told:?}");
    assert!(told.len() >= 2 && fetches("failed") >= failed + 2.0, "{told:?}");
    issuer.hangs(false);
    clock.advance(Duration::from_secs(10));
    assert!(identity.verify(&fan(1_000_001)).await.is_ok(), "the issuer is back");
    assert!(fetches("renewed") >= renewed + 2.0);
}

#[tokio::test]
async fn uses_only_public_signing_keys() {
    let (good, encryption, other) = (Signer::es256("good"), Signer::es256("encryption"), Signer::es256("other"));
    let mut for_encryption = encryption.jwk();
    for_encryption["use"] = json!("enc");
    let mut for_another = other.jwk();
    for_another["alg"] = json!("ES384");
    let secret = json!({"kty": "oct", "kid": "secret", "k": URL_SAFE_NO_PAD.encode("secret"), "alg": "HS256"});
    let unknown = json!({"kty": "new", "kid": "unknown"});
    let setup = setup(&[unknown, secret, for_encryption, for_another, good.jwk()]);
    assert!(setup.identity.verify(&good.sign(&claims())).await.is_ok());
    for signer in [encryption, other] {
        assert_eq!(refused(&setup.identity, &signer.sign(&claims())).await.kind, ErrorKind::Denied);
    }
}

#[tokio::test]
async fn case_22_keys_are_read_as_editors_save_them() {
    let signer = Signer::es256("k");
    let keys = jwks(&[signer.jwk()]);
    let saved = |bytes: Vec<u8>| {
        let setup = setup(&[]);
        std::fs::write(&setup.file, bytes).unwrap();
        setup
    };
    let windows = saved(format!("\u{feff}{}\r\n", keys.replace(',', ",\r\n")).into_bytes());
    assert!(windows.identity.verify(&signer.sign(&claims())).await.is_ok());
    let wide = saved(keys.encode_utf16().flat_map(u16::to_le_bytes).collect());
    let error = wide.identity.verify(&signer.sign(&claims())).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable);
    assert!(error.message.contains("it is UTF-16, not UTF-8"), "{error}");
}

#[tokio::test]
async fn is_unavailable_without_keys() {
    let signer = Signer::es256("k");
    let identity = Identity::new(config("/no/such/jwks.json"), Clock::wall()).unwrap();
    let error = identity.verify(&signer.sign(&claims())).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable);
    assert!(error.message.contains("/no/such/jwks.json"), "{error}");
    for place in ["http://identity.example/jwks", "ftp://127.0.0.1/jwks", "https://"] {
        assert!(Identity::new(config(place), Clock::wall()).is_err(), "{place}");
    }
}

#[tokio::test]
async fn fetches_keys_by_http() {
    let signer = Signer::rs256("k");
    let keys = jwks(&[signer.jwk()]);
    let app = axum::Router::new().route("/jwks", axum::routing::get(move || std::future::ready(keys.clone())));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move { axum::serve(listener, app).await });
    let identity = |path: &str| Identity::new(config(&format!("http://{address}/{path}")), Clock::manual(NOW * 1000));
    assert!(identity("jwks").unwrap().verify(&signer.sign(&claims())).await.is_ok());
    let error = identity("missing").unwrap().verify(&signer.sign(&claims())).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable);
    assert!(error.message.contains("404"), "{error}");
    server.abort();
}
