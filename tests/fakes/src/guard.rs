//! The checks of every request before it reaches a service: token, faults, contract.

use crate::contract::{Contract, Fault as Breach};
use crate::faults::{Dice, Fate, Fault};
use crate::reply;
use crate::token::Token;
use crate::violations::Violations;
use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::MethodRouter;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The largest body that is read, bytes: 25 entries of 40 KiB.
const MAX_BODY: usize = 1 << 20;

/// Guards one service: checks its requests and injects faults.
pub(crate) struct Guard {
    pub(crate) contract: Contract,
    /// Checks tokens, unless the service takes none.
    token: Option<Token>,
    /// Makes a failure of status, code and message.
    failure: Failure,
    pub(crate) dice: Dice,
    pub(crate) violations: Violations,
    answers: Mutex<BTreeMap<String, u64>>,
}

/// How a service words a failure, of its status, code and message.
pub(crate) type Failure = fn(StatusCode, &str, &str) -> Response;

/// A body that conforms to the contract, except for the records named in `bad`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Checked {
    pub(crate) body: Arc<Value>,
    pub(crate) bad: Arc<BTreeMap<usize, String>>,
}

impl Checked {
    /// The fans, or the codes, that the request is about.
    fn fans(&self) -> impl Iterator<Item = &str> {
        let records = self.body.as_object().into_iter().flat_map(|body| body.values()).filter_map(Value::as_array);
        records.flatten().filter_map(|record| record.as_str().or_else(|| name(record)))
    }
}

/// The fan whom a record names.
fn name(record: &Value) -> Option<&str> {
    ["globalUserId", "memberId", "email"].iter().find_map(|name| record.get(name)?.as_str())
}

impl Guard {
    pub(crate) fn new(contract: Contract, token: Option<Token>, failure: Failure, dice: Dice) -> Arc<Self> {
        let (violations, answers) = (Violations::default(), Mutex::default());
        Arc::new(Self { contract, token, failure, dice, violations, answers })
    }

    /// Guards a route with the checks of an operation of the contract.
    pub(crate) fn route<S: Clone + Send + Sync + 'static>(
        self: &Arc<Self>,
        operation: &'static str,
        route: MethodRouter<S>,
    ) -> MethodRouter<S> {
        route.layer(from_fn_with_state((self.clone(), operation), check))
    }

    /// How many requests were answered, by `<operation> <status>`.
    pub(crate) fn answers(&self) -> BTreeMap<String, u64> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The response to what the documents print no answer for.
    pub(crate) fn done(&self) -> Response {
        match self.dice.answers_without_results() {
            true => StatusCode::NO_CONTENT.into_response(),
            false => reply::ok(json!({ "success": true })),
        }
    }

    /// With 200, and where it is asked for, the page of a proxy or of another server.
    fn refused(&self, status: u16) -> Response {
        let code = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
        if self.dice.refuses_by_page(status) {
            return match self.dice.page() {
                Some(page) => (code, Json(page)).into_response(),
                None => (code, Html("<!DOCTYPE html>\n<title>It works!</title>")).into_response(),
            };
        }
        (self.failure)(code, "REFUSED", "refused on demand")
    }

    fn throttled(&self, retry_after_secs: u64) -> Response {
        let mut response = (self.failure)(StatusCode::TOO_MANY_REQUESTS, "TOO_MANY_REQUESTS", "try later");
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(retry_after_secs));
        response
    }

    fn count(&self, operation: &str, outcome: &str) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        *answers.entry(format!("{operation} {outcome}")).or_default() += 1;
    }
}

async fn check(State((guard, operation)): State<(Arc<Guard>, &'static str)>, request: Request, next: Next) -> Response {
    let fate = guard.dice.roll(operation);
    if fate.delay_ms > 0 {
        tokio::time::sleep(Duration::from_millis(fate.delay_ms)).await;
    }
    let response = answer(&guard, operation, fate, request, next).await;
    match fate.fault {
        Some(Fault::Cut | Fault::CutAfter) => guard.count(operation, "cut"),
        Some(Fault::Garbled) => guard.count(operation, "garbled"),
        _ => guard.count(operation, response.status().as_str()),
    }
    response
}

async fn answer(guard: &Guard, operation: &str, fate: Fate, mut request: Request, next: Next) -> Response {
    let authorization = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if let Some(Err(error)) = guard.token.as_ref().map(|token| token.check(authorization)) {
        return (guard.failure)(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", &error.to_string());
    }
    match fate.fault {
        Some(Fault::Throttled { retry_after_secs }) => return guard.throttled(retry_after_secs),
        Some(Fault::Unavailable) => {
            return (guard.failure)(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", "try later");
        }
        Some(Fault::Refused { status }) => return guard.refused(status),
        Some(Fault::Cut) => return cut(),
        Some(Fault::CutAfter | Fault::Garbled) | None => {}
    }
    if guard.contract.takes_body(operation) {
        let body = std::mem::take(request.body_mut());
        match read(guard, operation, body).await {
            Ok(checked) => {
                if let Some(status) = guard.dice.spoiled(operation, checked.fans()) {
                    return guard.refused(status);
                }
                request.extensions_mut().insert(checked);
            }
            Err(message) => return (guard.failure)(StatusCode::BAD_REQUEST, "BAD_REQUEST", &message),
        }
    }
    request.extensions_mut().insert(fate);
    let response = next.run(request).await;
    match fate.fault {
        Some(Fault::CutAfter) => cut(),
        Some(Fault::Garbled) => garbled(),
        _ => response,
    }
}

async fn read(guard: &Guard, operation: &str, body: Body) -> Result<Checked, String> {
    let bytes = axum::body::to_bytes(body, MAX_BODY).await.map_err(|e| format!("the body cannot be read: {e}"))?;
    let body: Value = serde_json::from_slice(&bytes).map_err(|e| format!("the body is not JSON: {e}"))?;
    let bad = match guard.contract.check_request(operation, &body) {
        Ok(()) => BTreeMap::new(),
        Err(Breach::Records(bad)) => bad,
        Err(Breach::Request(message)) => return Err(message),
    };
    Ok(Checked { body: Arc::new(body), bad: Arc::new(bad) })
}

/// A response that announces more than it sends: the server closes the connection in the middle of it.
fn cut() -> Response {
    let chunks = [Ok(Bytes::from_static(b"{")), Err(std::io::Error::other("cut on demand"))];
    let mut response = Response::new(Body::from_stream(futures::stream::iter(chunks)));
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from_static("1000"));
    response
}

fn garbled() -> Response {
    let mut response = Response::new(Body::from("<html>200 OK"));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
