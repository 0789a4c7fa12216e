//! Serves HTTP requests with components, by the routes of spin.toml.

mod spin_headers;

use crate::dispatch::Dispatcher;
use crate::manifest::Routes;
use crate::server::error;
use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::{ConnectInfo, DefaultBodyLimit, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use bytes::Bytes;
use host_adapters_failpoint as failpoint;
use host_adapters_failpoint::Step;
use host_adapters_runtime::CallError;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::{Semaphore, SemaphorePermit};

/// The largest request body, bytes: the limit of a Lambda payload.
const MAX_BODY_BYTES: usize = 6 << 20;

/// The most bytes of request bodies in memory. Further bodies wait in their connections.
const MAX_IN_FLIGHT_BYTES: usize = 256 << 20;

/// The response header with the digest of the component that answered; empty if none did.
const DIGEST: &str = "x-component-digest";

#[derive(Clone)]
struct Endpoint {
    routes: Arc<Routes>,
    dispatcher: Dispatcher,
    /// Permits for bytes of bodies.
    room: Arc<Semaphore>,
}

/// Serves every route of the manifest.
pub fn router(routes: Arc<Routes>, dispatcher: Dispatcher) -> Router {
    let room = Arc::new(Semaphore::new(MAX_IN_FLIGHT_BYTES));
    Router::new().fallback(answer).layer(DefaultBodyLimit::disable()).with_state(Endpoint { routes, dispatcher, room })
}

async fn answer(
    State(endpoint): State<Endpoint>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let Some(matched) = endpoint.routes.find(request.uri().path()) else {
        return error(StatusCode::NOT_FOUND, "NOT_FOUND", "no [[trigger.http]] of spin.toml has this path");
    };
    let route = matched.route;
    let (mut parts, body) = request.into_parts();
    match spin_headers::completion(&parts, &endpoint.routes, client) {
        Ok(completion) => _ = parts.extensions.insert(completion),
        Err(problem) => return error(StatusCode::BAD_REQUEST, "BAD_REQUEST", problem),
    }
    let (body, _permit) = match endpoint.collect(body).await {
        Ok(collected) => collected,
        Err(refusal) => return refusal,
    };
    let request = http::Request::from_parts(parts, body);
    let called = endpoint.dispatcher.http(&route.component, request).await;
    failpoint::reached(Step::Response);
    let mut response = match called.result {
        Ok(response) => response.map(|body: Bytes| Body::from(body)),
        Err(problem) => {
            tracing::error!(worker = route.component, digest = &*called.digest, error = %problem, "call failed");
            failed(&problem)
        }
    };
    if let Ok(digest) = called.digest.parse() {
        response.headers_mut().insert(DIGEST, digest);
    }
    response
}

impl Endpoint {
    /// Reads the body of a request. Its permit is kept until the request is answered.
    async fn collect(&self, body: Body) -> Result<(Bytes, Option<SemaphorePermit<'_>>), Response> {
        let expected = body.size_hint().upper().map_or(MAX_BODY_BYTES, |bytes| bytes.try_into().unwrap_or(usize::MAX));
        let too_large = || error(StatusCode::PAYLOAD_TOO_LARGE, "PAYLOAD_TOO_LARGE", "send at most 6 MB");
        if expected > MAX_BODY_BYTES {
            return Err(too_large());
        }
        // The semaphore is never closed.
        let permit = self.room.acquire_many(expected.try_into().unwrap_or(u32::MAX)).await.ok();
        match Limited::new(body, MAX_BODY_BYTES).collect().await {
            Ok(body) => Ok((body.to_bytes(), permit)),
            Err(error) if error.is::<LengthLimitError>() => Err(too_large()),
            // The server itself responds to a body that is late; nobody reads a response to a body that was cut off.
            Err(_) => Err(error(StatusCode::BAD_REQUEST, "BODY_NOT_READ", "the body did not arrive")),
        }
    }
}

/// The response to a call that failed. Details are only logged.
fn failed(problem: &CallError) -> Response {
    match problem {
        CallError::TimedOut(_) => error(StatusCode::GATEWAY_TIMEOUT, "TIMED_OUT", "the worker did not answer in time"),
        CallError::NotCallable(_) => {
            error(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", "the worker cannot be called")
        }
        CallError::Failed(_) | CallError::Permanent(_) | CallError::Trapped(_) | CallError::TooMany(..) => error(
            StatusCode::BAD_GATEWAY,
            "INTERNAL_SERVER_ERROR",
            "the worker failed; the same request may be sent again",
        ),
    }
}
