//! Calls against a scripted server on loopback.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use super::*;
use axum::Router;
use axum::extract::State;
use bytes::Bytes;
use http::header::{AUTHORIZATION, HOST, LOCATION, RETRY_AFTER};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::time::Instant;

/// What the server does with one request.
#[derive(Clone, Debug)]
enum Step {
    Answer(u16),
    AnswerWith(u16, http::HeaderName, String),
    Slow,
    Large,
}

/// A request as it arrived.
type Seen = (Method, String, HeaderMap, Bytes);

/// A server that plays a script, then always answers 200, and records its requests.
#[derive(Clone, Default)]
struct Script {
    steps: Arc<Mutex<VecDeque<Step>>>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Script {
    async fn serve(steps: impl IntoIterator<Item = Step>) -> (Self, String) {
        let script = Self { steps: Arc::new(Mutex::new(steps.into_iter().collect())), ..Self::default() };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let upstream = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(play).with_state(script.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (script, upstream)
    }

    fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }
}

async fn play(
    State(script): State<Script>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<axum::body::Body> {
    script.seen.lock().unwrap().push((method, uri.to_string(), headers, body));
    let step = script.steps.lock().unwrap().pop_front().unwrap_or(Step::Answer(200));
    let answer = Response::builder();
    match step {
        Step::Answer(status) => answer.status(status).body("{}".into()),
        Step::AnswerWith(status, name, value) => answer.status(status).header(name, value).body("{}".into()),
        Step::Large => answer.body(vec![b' '; MAX_BODY_BYTES + 1].into()),
        Step::Slow => {
            tokio::time::sleep(Duration::from_secs(60)).await;
            answer.body("{}".into())
        }
    }
    .unwrap()
}

/// A server that hangs up on everybody, after a request or in the middle of an answer.
async fn hang_up(after: &'static [u8]) -> (Arc<Mutex<usize>>, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = format!("http://{}", listener.local_addr().unwrap());
    let connections = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&connections);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            *counted.lock().unwrap() += 1;
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).await;
            let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, after).await;
        }
    });
    (connections, upstream)
}

fn config(upstream: &str) -> ServiceConfig {
    ServiceConfig {
        name: "entry".to_owned(),
        host: "entry.services.internal".to_owned(),
        upstream: upstream.to_owned(),
        rate_limit: None,
        try_timeout: Duration::from_millis(300),
    }
}

fn services(upstream: &str) -> Services {
    Services::new(vec![config(upstream)], Signer::generate().unwrap()).unwrap()
}

fn allowed() -> AllowedHosts {
    let mut hosts = AllowedHosts::default();
    hosts.add("http://entry.services.internal").unwrap();
    hosts
}

fn request(path: &str) -> Request<Bytes> {
    let uri = format!("http://entry.services.internal{path}");
    Request::post(uri).header("traceparent", "00-1-2-01").body(Bytes::from_static(b"{\"entries\":[]}")).unwrap()
}

async fn send(services: &Services, path: &str) -> Result<Sent, SendError> {
    services.send("save-entries", &allowed(), request(path)).await
}

#[tokio::test]
async fn each_status_is_tried_as_often_as_it_is_worth() {
    let cases = [
        (200, 1, false),
        (201, 1, false),
        (400, 1, false),
        (401, 1, false),
        (404, 1, false),
        (409, 1, false),
        (429, 3, false),
        (500, 1, false),
        (501, 1, false),
        (502, 3, true),
        (503, 3, true),
        (504, 3, true),
    ];
    for (status, attempts, outage) in cases {
        let (script, upstream) = Script::serve(vec![Step::Answer(status); 3]).await;
        let sent = send(&services(&upstream), "/c1/entries").await.unwrap();
        assert_eq!(sent.response.status().as_u16(), status);
        assert_eq!((sent.attempts, script.count()), (attempts, attempts as usize), "{status}");
        assert_eq!(sent.outage, outage.then(|| "service:entry".to_owned()), "{status}");
    }
}

#[tokio::test]
async fn a_try_that_succeeds_is_the_answer() {
    let (script, upstream) = Script::serve([Step::Answer(503), Step::Slow]).await;
    let sent = send(&services(&upstream), "/c1/entries").await.unwrap();
    assert_eq!((sent.response.status(), sent.attempts, sent.outage), (StatusCode::OK, 3, None));
    let seen = script.seen.lock().unwrap();
    assert!(seen.iter().all(|(_, _, _, body)| body == "{\"entries\":[]}"), "each try carries the body");
}

/// A first answer with this `Retry-After` delays the second by at least so much.
async fn is_delayed(status: u16, retry_after: &str, least: Duration) {
    let (_, upstream) = Script::serve([Step::AnswerWith(status, RETRY_AFTER, retry_after.to_owned())]).await;
    let started = Instant::now();
    let sent = send(&services(&upstream), "/c1/entries").await.unwrap();
    assert_eq!((sent.response.status(), sent.attempts), (StatusCode::OK, 2));
    assert!(started.elapsed() >= least, "{retry_after}: {:?}", started.elapsed());
}

#[tokio::test]
async fn retry_after_in_seconds_is_kept() {
    is_delayed(429, "1", Duration::from_secs(1)).await;
}

#[tokio::test]
async fn retry_after_as_a_date_is_kept() {
    // A date has whole seconds, so up to one of the four is lost; a slow machine may lose another before the call.
    let date = std::time::SystemTime::now() + Duration::from_secs(4);
    is_delayed(503, &httpdate::fmt_http_date(date), Duration::from_secs(2)).await;
}

#[tokio::test]
async fn a_retry_after_of_minutes_is_left_to_the_caller() {
    let (_, upstream) = Script::serve([Step::AnswerWith(429, RETRY_AFTER, "120".to_owned())]).await;
    let sent = send(&services(&upstream), "/c1/entries").await.unwrap();
    assert_eq!((sent.response.status().as_u16(), sent.attempts, sent.outage), (429, 1, None));
    assert_eq!(sent.response.headers()[RETRY_AFTER], "120");
}

#[tokio::test]
async fn a_service_that_is_too_slow_is_down() {
    let (script, upstream) = Script::serve(vec![Step::Slow; 3]).await;
    let error = send(&services(&upstream), "/c1/entries").await.unwrap_err();
    assert_eq!(error, SendError::TimedOut("entry".to_owned()));
    assert_eq!((error.outage().as_deref(), script.count()), (Some("service:entry"), 3));
}

#[tokio::test]
async fn cut_connections_are_tried_again_and_then_an_outage() {
    let cuts: [&[u8]; 2] = [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"];
    for cut in cuts {
        let (connections, upstream) = hang_up(cut).await;
        let error = send(&services(&upstream), "/c1/entries").await.unwrap_err();
        assert!(matches!(&error, SendError::Connection { service, .. } if service == "entry"), "{error}");
        assert_eq!(error.outage().as_deref(), Some("service:entry"));
        assert!(*connections.lock().unwrap() >= 3);
    }
}

#[tokio::test]
async fn nobody_listening_is_an_outage() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = send(&services(&upstream), "/c1/entries").await.unwrap_err();
    assert_eq!(error.outage().as_deref(), Some("service:entry"));
    assert!(error.to_string().starts_with("no connection to service entry: "), "{error}");
}

#[tokio::test]
async fn the_request_arrives_with_the_hosts_token_and_not_the_guests() {
    let (script, upstream) = Script::serve([]).await;
    let services = services(&format!("{upstream}/base/"));
    let mut request = request("/c1/entries?after=x");
    request.headers_mut().insert(AUTHORIZATION, "Bearer forged".parse().unwrap());
    request.headers_mut().append(AUTHORIZATION, "Basic forged".parse().unwrap());
    services.send("save-entries", &allowed(), request).await.unwrap();

    let seen = script.seen.lock().unwrap();
    let (method, uri, headers, body) = &seen[0];
    assert_eq!((method, uri.as_str()), (&Method::POST, "/base/c1/entries?after=x"));
    assert_eq!(body, "{\"entries\":[]}");
    assert_eq!(headers["traceparent"], "00-1-2-01");
    assert_eq!(headers[HOST], upstream.trim_start_matches("http://"));
    let tokens: Vec<_> = headers.get_all(AUTHORIZATION).iter().map(|value| value.to_str().unwrap()).collect();
    let [token] = tokens[..] else { panic!("{tokens:?}") };
    let claims = verify(services.signer(), token.strip_prefix("Bearer ").unwrap());
    assert_eq!((claims.sub.as_str(), claims.aud.as_str(), claims.exp - claims.iat), ("save-entries", "entry", 300));
}

fn verify(signer: &Signer, token: &str) -> Claims {
    let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::ES256);
    validation.set_audience(&["entry"]);
    validation.set_issuer(&[ISSUER]);
    let key = jsonwebtoken::DecodingKey::from_jwk(&signer.jwks().keys[0]).unwrap();
    jsonwebtoken::decode(token, &key, &validation).unwrap().claims
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_takes_the_token_nowhere() {
    let (elsewhere, other) = Script::serve([]).await;
    let (_, upstream) = Script::serve([Step::AnswerWith(307, LOCATION, other)]).await;
    let sent = send(&services(&upstream), "/c1/entries").await.unwrap();
    assert_eq!((sent.response.status().as_u16(), elsewhere.count()), (307, 0));
}

#[tokio::test]
async fn an_answer_beyond_bounds_is_no_answer() {
    let (script, upstream) = Script::serve([Step::Large]).await;
    let mut config = config(&upstream);
    config.try_timeout = Duration::from_secs(10);
    let services = Services::new(vec![config], Signer::generate().unwrap()).unwrap();
    let error = send(&services, "/c1/entries").await.unwrap_err();
    assert_eq!((error.clone(), error.outage()), (SendError::TooLarge("entry".to_owned()), None));
    assert_eq!(script.count(), 1);
}

#[tokio::test]
async fn what_is_not_allowed_is_not_sent() {
    let (script, upstream) = Script::serve([]).await;
    let services = services(&upstream);
    let denied = services.send("save-entries", &AllowedHosts::default(), request("/c1/entries")).await.unwrap_err();
    let expected = "`save-entries` may not call entry.services.internal; to allow it, add it to its \
                    allowed_outbound_hosts in spin.toml";
    assert_eq!(denied.to_string(), expected);
    for path in ["/c1/../c2/entries", "/c1/%2E%2e/entries", "/./c1/entries"] {
        let bad = send(&services, path).await.unwrap_err();
        assert_eq!(bad, SendError::BadPath("entry.services.internal".to_owned()), "{path}");
    }
    let mut anywhere = AllowedHosts::default();
    anywhere.add("http://*").unwrap();
    let other = Request::get("http://code.services.internal/").body(Bytes::new()).unwrap();
    let unknown = services.send("save-entries", &anywhere, other).await.unwrap_err();
    assert_eq!(unknown, SendError::Unknown("code.services.internal".to_owned()));
    assert_eq!(script.count(), 0);
}

#[tokio::test]
async fn all_components_share_one_limit() {
    let (script, upstream) = Script::serve([]).await;
    let mut config = config(&upstream);
    config.rate_limit = Some(RateLimit { per_sec: NonZeroU32::new(20).unwrap(), by: LimitBy::Campaign });
    let services = Services::new(vec![config], Signer::generate().unwrap()).unwrap();
    let allowed = allowed();
    let calls = (0..40).map(|call| {
        let component = if call % 2 == 0 { "save-entries" } else { "retry-score" };
        services.send(component, &allowed, request("/c1/entries"))
    });
    // One second from the first call on: what is still in line then is dropped, as a call whose time is up.
    let (in_line, started) = (futures::future::join_all(calls), Instant::now());
    assert!(tokio::time::timeout(Duration::from_secs(1), in_line).await.is_err());
    // Two at once and 18 a second, however late this machine ends the second.
    let (served, most) = (script.count(), 2.0 + 18.0 * started.elapsed().as_secs_f64().ceil());
    assert!((2.0..=most).contains(&(served as f64)), "{served} requests");
    let other = send(&services, "/c2/entries").await.unwrap();
    assert!(other.limited < Duration::from_millis(50), "another campaign waited {:?}", other.limited);
}

#[test]
fn services_are_found_by_their_host() {
    let services = services("http://127.0.0.1:1");
    let name = |uri: &str| services.name(&uri.parse().unwrap()).map(str::to_owned);
    assert_eq!(name("http://Entry.services.internal/c1"), Some("entry".to_owned()));
    assert_eq!(name("http://127.0.0.1:1/c1"), None);
}
