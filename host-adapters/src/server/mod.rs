//! HTTP/1.1 servers: a router behind a listener, with limits on what a client can keep open.
//!
//! Every listener of the host is served here. A connection ends when it is silent for too long, when the head of a
//! request takes too long, when the client takes no byte of its response, or, with status 408, when a body takes too
//! long. A response that is sent before the whole request has arrived still reaches its client, because the rest of the
//! request is read for a while before the connection is closed.

mod activity;
mod body;
mod connection;
mod io;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]
mod tests;

use activity::Activity;
use anyhow::{Context, Result};
use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long to wait when the system has no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// How often a full listener is reported.
const FULL_REPORT: Duration = Duration::from_secs(60);

/// What the clients of one listener can keep open.
#[derive(Clone, Copy, Debug)]
pub struct HttpLimits {
    /// Connections at a time. Further ones wait until one of these ends.
    pub max_connections: usize,
    /// Time from the first byte of a request to the end of its head. It is checked at intervals of half of it.
    pub header_timeout: Duration,
    /// Time from when the body of a request is first asked for to its end.
    pub body_timeout: Duration,
    /// How long a client may take no byte of a response.
    pub write_timeout: Duration,
    /// How long a connection may be silent between requests, or before its first.
    pub idle_timeout: Duration,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            max_connections: 512,
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(50),
        }
    }
}

/// Connections that the system accepts before the server does, as tokio's own listeners have it.
const BACKLOG: u32 = 1024;

/// An address that this process has taken. Nobody can connect to it before a server listens there.
pub struct Reserved {
    socket: TcpSocket,
    /// The address, and how an operator chooses it.
    place: String,
}

impl Reserved {
    /// Takes an address that an operator chooses by this option.
    ///
    /// # Errors
    /// When it cannot be used; names both.
    pub fn new(address: SocketAddr, option: &str) -> Result<Self> {
        let place = format!("cannot listen on {address}, which {option} chooses");
        let take = || {
            let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
            // What an earlier process has closed a moment ago does not count.
            socket.set_reuseaddr(true)?;
            socket.bind(address)?;
            std::io::Result::Ok(socket)
        };
        let socket = take().with_context(|| place.clone())?;
        Ok(Self { socket, place })
    }
}

/// A router and the address that it is served at.
pub struct Server {
    listener: TcpListener,
    router: Router,
    limits: HttpLimits,
    connections: Arc<Semaphore>,
    full: Option<Instant>,
}

impl Server {
    /// Listens at an address. Connections wait until the server [runs](Self::run).
    ///
    /// # Errors
    /// When the address cannot be used.
    pub fn listen(at: Reserved, router: Router, limits: HttpLimits) -> Result<Self> {
        let listener = at.socket.listen(BACKLOG).context(at.place)?;
        let connections = Arc::new(Semaphore::new(limits.max_connections));
        Ok(Self { listener, router, limits, connections, full: None })
    }

    /// The address, with the port that was chosen for port 0.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop`, then until the requests that have begun are answered and their responses sent.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                (stream, client, permit) = self.accept() => {
                    // A separate token for each: a connection checks its token whenever it is polled.
                    let stop = stop.child_token();
                    let served = connection::serve(stream, client, self.router.clone(), self.limits, stop);
                    connections.spawn(async move {
                        let _permit = permit;
                        served.await;
                    });
                }
                Some(_) = connections.join_next(), if !connections.is_empty() => {}
            }
        }
        drop(self.listener);
        while connections.join_next().await.is_some() {}
    }

    async fn accept(&mut self) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
        if self.connections.available_permits() == 0 {
            self.report_full();
        }
        loop {
            // The semaphore is never closed.
            let Ok(permit) = self.connections.clone().acquire_owned().await else { continue };
            match self.listener.accept().await {
                Ok((stream, client)) => return (stream, client, permit),
                Err(error) if is_of_the_client(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn report_full(&mut self) {
        if self.full.is_none_or(|reported| reported.elapsed() >= FULL_REPORT) {
            self.full = Some(Instant::now());
            let address = self.listener.local_addr().map(|address| address.to_string()).unwrap_or_default();
            let max_connections = self.limits.max_connections;
            tracing::warn!(address, max_connections, "all connections are taken; further ones wait");
        }
    }
}

/// Whether only the connection that was to be accepted has failed.
fn is_of_the_client(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// A response in the form of the API's errors: `{"error": {"code", "message"}}`.
pub fn error(status: StatusCode, code: &str, message: &str) -> Response {
    (status, axum::Json(json!({"error": {"code": code, "message": message}}))).into_response()
}
