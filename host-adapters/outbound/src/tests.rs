//! Calls against a scripted server on loopback.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use super::*;
use axum::Router;
use axum::extract::State;
use bytes::Bytes;
use host_adapters_records::service::ServiceRequest;
use host_adapters_records::{Error, ErrorKind};
use host_adapters_settings::Value;
use http::header::{AUTHORIZATION, HOST, LOCATION, RETRY_AFTER};
use http::{HeaderMap, Method, Request, Response, Uri};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::time::Instant;

/// What the server does with one request.
#[derive(Clone, Debug)]
enum Step {
    Respond(u16),
    RespondWith(u16, http::HeaderName, String),
    Slow,
    /// Refuses with what it was sent as `Authorization` and `x-forwarded-authorization`.
    Quote,
    /// Redirects to the address that it was called by, and quotes it.
    QuoteAddress,
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
    let sent = ["authorization", "x-forwarded-authorization"].map(|name| headers.get(name).cloned());
    let sent = sent.map(|value| value.map(|value| value.to_str().unwrap().to_owned()));
    let (quoted, address) =
        (format!("bad request: {sent:?}"), format!("http://{}{uri}", headers["host"].to_str().unwrap()));
    script.seen.lock().unwrap().push((method, uri.to_string(), headers, body));
    let step = script.steps.lock().unwrap().pop_front().unwrap_or(Step::Respond(200));
    let answer = Response::builder();
    match step {
        Step::Respond(status) => answer.status(status).body("{}".into()),
        Step::RespondWith(status, name, value) => answer.status(status).header(name, value).body("{}".into()),
        Step::QuoteAddress => answer.status(308).header(LOCATION, &address).body(format!("Cannot POST {uri}").into()),
        Step::Quote => answer.status(400).body(quoted.into()),
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
        upstream: Value::plain(upstream.to_owned()),
        settings: ServiceSettings { attempt_timeout_secs: 1, ..ServiceSettings::default() },
    }
}

/// A service at this address, which is all that it asks for.
fn open(upstream: Value) -> ServiceConfig {
    let config = config("");
    ServiceConfig { upstream, settings: ServiceSettings { auth: Auth::None, ..config.settings }, ..config }
}

fn services(upstream: &str) -> Services {
    Services::new(vec![config(upstream)], Signer::generate().unwrap()).unwrap()
}

fn request(path: &str) -> ServiceRequest {
    ServiceRequest {
        method: "POST".to_owned(),
        path: path.to_owned(),
        route: None,
        expects: Vec::new(),
        headers: vec![("traceparent".to_owned(), "00-1-2-01".to_owned())],
        body: "{\"entries\":[]}".to_owned(),
    }
}

async fn send(services: &Services, path: &str) -> Result<Sent, SendError> {
    services.send("save-entries", "entry", request(path)).await
}

/// Whether the platform tells of the service being down.
fn is_unavailable(error: &SendError) -> bool {
    Error::from(error.clone()).kind == ErrorKind::Unavailable
}

#[tokio::test]
async fn each_status_is_tried_as_often_as_it_is_worth() {
    let cases = [
        (200, 1),
        (201, 1),
        (400, 1),
        (401, 1),
        (404, 1),
        (409, 1),
        (429, 3),
        (500, 1),
        (501, 1),
        (502, 3),
        (503, 3),
        (504, 3),
    ];
    for (status, attempts) in cases {
        let (script, upstream) = Script::serve(vec![Step::Respond(status); 3]).await;
        let sent = send(&services(&upstream), "/c1/entries").await.unwrap();
        assert_eq!(sent.response.status, status);
        assert_eq!((sent.attempts, script.count()), (attempts, attempts as usize), "{status}");
    }
}

/// What a service says of a refused request ends in a dead letter.
#[tokio::test]
async fn point_15_a_refusal_that_quotes_the_tokens_is_shown_without_them() {
    let (script, upstream) = Script::serve([Step::Quote]).await;
    let headers = vec![("x-forwarded-authorization".to_owned(), "Bearer fan-token".to_owned())];
    let request = ServiceRequest { headers, ..request("/c1/entries") };
    let sent = services(&upstream).send("save-entries", "entry", request).await.unwrap();
    let said = r#"bad request: [Some("Bearer ***"), Some("Bearer ***")]"#;
    assert_eq!((sent.response.status, sent.response.body.as_str()), (400, said));
    assert_eq!(script.seen.lock().unwrap()[0].2["x-forwarded-authorization"], "Bearer fan-token");
}

const SECRET_PATH: &str = "/services/T024BE7LD/B024BE7LD/XXXXXXXXXXXXXXXXXXXXXXXX";

/// A service whose address is all that it asks for.
fn webhook(upstream: &str) -> Services {
    let upstream = Value::secret(format!("{upstream}{SECRET_PATH}"));
    Services::new(vec![open(upstream)], Signer::generate().unwrap()).unwrap()
}

#[tokio::test]
async fn a_webhook_is_called_at_its_very_address_without_a_token() {
    let (script, upstream) = Script::serve([Step::Respond(429)]).await;
    assert_eq!(send(&webhook(&upstream), "/").await.unwrap().attempts, 2);
    let seen = script.seen.lock().unwrap();
    for (method, uri, headers, body) in seen.iter() {
        assert_eq!((method, uri.as_str(), body.len()), (&Method::POST, SECRET_PATH, 14));
        for name in ["authorization", "traceparent"] {
            assert!(!headers.contains_key(name), "{headers:?}");
        }
    }
}

#[tokio::test]
async fn a_secret_address_is_in_no_response_and_no_error() {
    let (_, upstream) = Script::serve([Step::QuoteAddress]).await;
    let response = send(&webhook(&upstream), "/").await.unwrap().response;
    assert_eq!((response.status, response.body.as_str()), (308, "Cannot POST ***"));
    assert!(response.headers.contains(&("location".to_owned(), "***".to_owned())), "{response:?}");
    for dead in ["http://127.0.0.1:1", "http://no-such-host.invalid"] {
        let error = send(&webhook(dead), "/").await.unwrap_err();
        assert!(is_unavailable(&error));
        let said = format!("{error} {error:?}");
        let parts = ["T024BE7LD", "XXXX", "127.0.0.1", "no-such-host", "services"];
        assert!(parts.iter().all(|part| !said.contains(part)), "{said}");
    }
    let shown = format!("{:?}", ServiceConfig { upstream: Value::secret(SECRET_PATH.to_owned()), ..config("") });
    assert!(!shown.contains("XXXX"), "{shown}");
}

#[tokio::test]
async fn a_service_without_an_address_is_not_there() {
    let services = Services::new(vec![open(Value::default())], Signer::generate().unwrap()).unwrap();
    let error = send(&services, "/").await.unwrap_err();
    assert_eq!(error, SendError::NotSetUp("entry".to_owned()));
    assert_eq!(Error::from(error).kind, ErrorKind::NotFound);
}

#[tokio::test]
async fn a_try_that_succeeds_is_the_answer() {
    let (script, upstream) = Script::serve([Step::Respond(503), Step::Slow]).await;
    let sent = send(&services(&upstream), "/c1/entries").await.unwrap();
    assert_eq!((sent.response.status, sent.attempts), (200, 3));
    let seen = script.seen.lock().unwrap();
    assert!(seen.iter().all(|(_, _, _, body)| body == "{\"entries\":[]}"), "each attempt carries the body");
}

/// A first answer with this `Retry-After` delays the second by at least so much.
async fn is_delayed(status: u16, retry_after: &str, least: Duration) {
    let (_, upstream) = Script::serve([Step::RespondWith(status, RETRY_AFTER, retry_after.to_owned())]).await;
    let started = Instant::now();
    let sent = send(&services(&upstream), "/c1/entries").await.unwrap();
    assert_eq!((sent.response.status, sent.attempts), (200, 2));
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
    let (_, upstream) = Script::serve([Step::RespondWith(429, RETRY_AFTER, "120".to_owned())]).await;
    let sent = send(&services(&upstream), "/c1/entries").await.unwrap();
    assert_eq!((sent.response.status, sent.attempts), (429, 1));
    assert!(sent.response.headers.contains(&("retry-after".to_owned(), "120".to_owned())), "{sent:?}");
}

#[tokio::test]
async fn a_service_that_is_too_slow_is_down() {
    let (script, upstream) = Script::serve(vec![Step::Slow; 3]).await;
    let error = send(&services(&upstream), "/c1/entries").await.unwrap_err();
    assert_eq!(error, SendError::TimedOut("entry".to_owned()));
    assert_eq!((is_unavailable(&error), script.count()), (true, 3));
}

#[tokio::test]
async fn cut_connections_are_tried_again_and_then_an_outage() {
    let cuts: [&[u8]; 2] = [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"];
    for cut in cuts {
        let (connections, upstream) = hang_up(cut).await;
        let error = send(&services(&upstream), "/c1/entries").await.unwrap_err();
        assert!(matches!(&error, SendError::Connection { service, .. } if service == "entry"), "{error}");
        assert!(is_unavailable(&error));
        assert!(*connections.lock().unwrap() >= 3);
    }
}

#[tokio::test]
async fn nobody_listening_is_an_outage() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = send(&services(&upstream), "/c1/entries").await.unwrap_err();
    assert!(is_unavailable(&error));
    assert!(error.to_string().starts_with("no connection to service entry: "), "{error}");
}

#[tokio::test]
async fn the_request_arrives_with_the_hosts_token() {
    let (script, upstream) = Script::serve([]).await;
    let services = services(&format!("{upstream}/base/"));
    send(&services, "/c1/entries?after=x").await.unwrap();

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
    let (_, upstream) = Script::serve([Step::RespondWith(307, LOCATION, other)]).await;
    let sent = send(&services(&upstream), "/c1/entries").await.unwrap();
    assert_eq!((sent.response.status, elsewhere.count()), (307, 0));
}

#[tokio::test]
async fn a_response_beyond_bounds_is_not_a_response() {
    let (script, upstream) = Script::serve([Step::Large]).await;
    let mut config = config(&upstream);
    config.settings.attempt_timeout_secs = 10;
    let services = Services::new(vec![config], Signer::generate().unwrap()).unwrap();
    let error = send(&services, "/c1/entries").await.unwrap_err();
    assert_eq!((&error, is_unavailable(&error)), (&SendError::TooLarge("entry".to_owned()), false));
    assert_eq!(script.count(), 1);
}

#[tokio::test]
async fn what_cannot_be_a_call_of_the_service_is_not_sent() {
    let (script, upstream) = Script::serve([]).await;
    let services = services(&upstream);
    for path in ["/c1/../c2/entries", "/c1/%2E%2e/entries", "/./c1/entries", "http://evil.example/", "@evil.example"] {
        let bad = send(&services, path).await.unwrap_err();
        assert!(bad.to_string().starts_with("the call of service entry cannot be sent: its path "), "{path}: {bad}");
        assert_eq!(Error::from(bad).kind, ErrorKind::Invalid);
    }
    for name in ["authorization", "Authorization", "host", "connection"] {
        let headers = vec![(name.to_owned(), "Bearer forged".to_owned())];
        let request = ServiceRequest { headers, ..request("/c1/entries") };
        let bad = services.send("save-entries", "entry", request).await.unwrap_err();
        assert!(bad.to_string().contains("is the host's to set; leave it out"), "{name}: {bad}");
    }
    let unknown = services.send("save-entries", "Entry", request("/c1/entries")).await.unwrap_err();
    assert_eq!(unknown, SendError::Unknown("Entry".to_owned()));
    assert_eq!(Error::from(unknown).kind, ErrorKind::NotFound);
    assert_eq!(script.count(), 0);
}

#[tokio::test]
async fn a_response_that_is_not_text_can_still_be_shown() {
    let text = b"HTTP/1.1 502 \r\nx-of: caf\xe9\r\nconnection: close\r\ncontent-length: 4\r\n\r\ncaf\xe9";
    let (_, upstream) = hang_up(text).await;
    let response = send(&services(&upstream), "/c1/entries").await.unwrap().response;
    assert_eq!((response.status, response.body.as_str()), (502, "caf\u{fffd}"));
    let headers = [("x-of", "caf\u{fffd}"), ("content-length", "4")];
    assert_eq!(response.headers, headers.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[tokio::test]
async fn all_components_share_one_limit() {
    let (script, upstream) = Script::serve([]).await;
    let mut config = config(&upstream);
    config.settings.rate_limit_per_sec = Some(20);
    config.settings.rate_limit_by = LimitBy::Campaign;
    let services = Services::new(vec![config], Signer::generate().unwrap()).unwrap();
    let calls = (0..40).map(|call| {
        let component = if call % 2 == 0 { "save-entries" } else { "retry-score" };
        services.send(component, "entry", request("/c1/entries"))
    });
    // One second from the first call on: what is still in line then is dropped, as a call whose time is up.
    let (in_line, started) = (futures::future::join_all(calls), Instant::now());
    assert!(tokio::time::timeout(Duration::from_secs(1), in_line).await.is_err());
    // Two at once and 18 a second, however late this machine ends the second.
    let (served, most) = (script.count(), 2.0 + 18.0 * started.elapsed().as_secs_f64().ceil());
    assert!((2.0..=most).contains(&(served as f64)), "{served} requests");
    let other = send(&services, "/c2/entries?after=c1").await.unwrap();
    assert!(other.limited < Duration::from_millis(50), "another campaign waited {:?}", other.limited);
}

/// What `web` gets from a URL, for a component that may call `allowed`.
async fn fetch(allowed: &str, url: &str) -> Result<Response<Bytes>, WebError> {
    let mut hosts = AllowedHosts::default();
    hosts.add(allowed).unwrap();
    let request = Request::get(url).header(AUTHORIZATION, "Bearer own").header("te", "trailers");
    Web::new().unwrap().send("loader", &hosts, request.body(Bytes::new()).unwrap()).await
}

#[tokio::test]
async fn the_open_web_gets_the_guests_request_and_no_token() {
    let (elsewhere, other) = Script::serve([]).await;
    let (script, upstream) = Script::serve([Step::Respond(503), Step::RespondWith(307, LOCATION, other)]).await;
    let url = format!("{upstream}/a?b=c");
    assert_eq!(fetch(&upstream, &url).await.unwrap().status(), 503, "tried once");
    assert_eq!(fetch(&upstream, &url).await.unwrap().status(), 307, "not followed");
    assert_eq!(fetch(&upstream, &url).await.unwrap().body(), "{}");
    assert_eq!((script.count(), elsewhere.count()), (3, 0));
    let seen = script.seen.lock().unwrap();
    let (method, uri, headers, _) = &seen[0];
    assert_eq!(
        (method, uri.as_str(), &headers[AUTHORIZATION]),
        (&Method::GET, "/a?b=c", &"Bearer own".parse().unwrap())
    );
    assert!(!headers.contains_key("te"), "{headers:?}");
}

#[tokio::test]
async fn the_open_web_is_where_a_component_may_call() {
    let (script, upstream) = Script::serve([Step::Large]).await;
    let denied = fetch("https://example.com", &upstream).await.unwrap_err();
    let expected = "`loader` may not call 127.0.0.1; to allow it, add it to its allowed_outbound_hosts in spin.toml";
    assert_eq!((denied.to_string().as_str(), script.count()), (expected, 0));
    assert_eq!(fetch(&upstream, &upstream).await.unwrap_err(), WebError::TooLarge("127.0.0.1".to_owned()));
    let (_, upstream) = hang_up(b"").await;
    let broken = fetch(&upstream, &upstream).await.unwrap_err();
    assert!(matches!(broken, WebError::Connection { .. }), "{broken}");
}

#[tokio::test(start_paused = true)]
async fn a_host_of_the_open_web_that_does_not_answer_is_given_up() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = format!("http://{}", silent.local_addr().unwrap());
    let began = Instant::now();
    let fetched = tokio::time::timeout(Duration::from_secs(30), fetch(&upstream, &upstream)).await;
    assert_eq!(fetched.unwrap().unwrap_err(), WebError::TimedOut("127.0.0.1".to_owned()));
    assert!(began.elapsed() >= Duration::from_secs(10), "{:?}", began.elapsed());
}
