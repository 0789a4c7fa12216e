//! One connection: its requests, one after the other, until the client, a limit or the host ends it.

use super::activity::Exchange;
use super::body::{RequestBody, ResponseBody};
use super::io::Io;
use super::{Activity, HttpLimits, error};
use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::http::header::CONNECTION;
use axum::http::{HeaderValue, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

pub(super) async fn serve(
    stream: TcpStream,
    client: SocketAddr,
    router: Router,
    limits: HttpLimits,
    stop: CancellationToken,
) {
    // Small responses must not wait for a full segment.
    let _ = stream.set_nodelay(true);
    let activity = Arc::new(Activity::new());
    let io = TokioIo::new(Io::new(stream, activity.clone()));
    let service = service_fn(|request| answer(router.clone(), request, client, limits.body_timeout, activity.clone()));
    let mut connection = pin!(http1::Builder::new().serve_connection(io, service));
    let mut overdue = pin!(activity.overdue(&limits));
    let mut stopping = false;
    loop {
        tokio::select! {
            // Clients' faults are not worth a log line.
            _ = &mut connection => return,
            () = &mut overdue => return,
            () = stop.cancelled(), if !stopping => {
                if activity.is_idle() {
                    return;
                }
                stopping = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

/// Lets the router answer a request. If the response comes before the end of the request, the connection ends with it.
async fn answer(
    router: Router,
    request: Request<Incoming>,
    client: SocketAddr,
    body_timeout: Duration,
    activity: Arc<Activity>,
) -> Result<Response<ResponseBody>, Infallible> {
    let exchange = Exchange::begin(&activity);
    let (parts, body) = request.into_parts();
    let (body, reading) = RequestBody::new(body, body_timeout);
    let mut request = Request::from_parts(parts, Body::new(body));
    request.extensions_mut().insert(ConnectInfo(client));
    let mut response = TowerToHyperService::new(router).call(request).await?;
    if reading.is_late() {
        let message = format!("send the body within {} s", body_timeout.as_secs());
        response = error(StatusCode::REQUEST_TIMEOUT, "BODY_TOO_SLOW", &message);
    }
    if !reading.is_complete() {
        activity.answered_early();
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response.map(|body| ResponseBody { body, _exchange: exchange }))
}
