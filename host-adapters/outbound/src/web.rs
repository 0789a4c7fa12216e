//! Requests to the open web: where `allowed_outbound_hosts` lets a component call, without a token and without retries.

use super::allowed_hosts::AllowedHosts;
use super::exchange::{Broken, exchange, remove_hop_by_hop};
use bytes::Bytes;
use http::{Request, Response, header};
use std::time::Duration;

/// How long a host may take to accept a connection. Shorter than the wall time of any call by default, so that a
/// component can still say what it waited for.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long nothing may come of a response, before its first byte and between any two.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(20);

/// The open web, for all components.
#[derive(Clone, Debug)]
pub struct Web(reqwest::Client);

/// Why a request has no response.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum WebError {
    /// The grant is missing.
    #[error("`{component}` may not call {host}; to allow it, add it to its allowed_outbound_hosts in spin.toml")]
    Denied {
        /// Who.
        component: String,
        /// Whom.
        host: String,
    },
    /// The host could not be reached, or hung up.
    #[error("no connection to {host}: {reason}")]
    Connection {
        /// The host.
        host: String,
        /// The error of the network.
        reason: String,
    },
    /// No connection in time, or no byte of the response for too long.
    #[error("{0} did not answer in time")]
    TimedOut(String),
    /// The response does not fit into memory.
    #[error("the response of {0} is larger than 16 MiB")]
    TooLarge(String),
    /// The request cannot be sent as it is.
    #[error("the request to {host} cannot be sent: {reason}")]
    Unsendable {
        /// The host.
        host: String,
        /// The fault.
        reason: String,
    },
}

impl Web {
    /// Opens no connection yet. Fails where the machine has no usable TLS set-up.
    pub fn new() -> Result<Self, reqwest::Error> {
        let client = super::client().connect_timeout(CONNECT_TIMEOUT).read_timeout(SILENCE_TIMEOUT);
        client.build().map(Self)
    }

    /// Sends a request of `component`, which may call the `allowed` hosts. A redirect is a response like any other.
    ///
    /// A host has 10 s to accept the connection, and 20 s for each next part of its response. A caller whose own time is
    /// up drops the future.
    pub async fn send(
        &self,
        component: &str,
        allowed: &AllowedHosts,
        request: Request<Bytes>,
    ) -> Result<Response<Bytes>, WebError> {
        let host = request.uri().host().unwrap_or_default().to_owned();
        if !allowed.allows(request.uri()) {
            return Err(WebError::Denied { component: component.to_owned(), host });
        }
        let request = match outgoing(request) {
            Ok(request) => request,
            Err(error) => return Err(WebError::Unsendable { host, reason: error.to_string() }),
        };
        let response = exchange(&self.0, request).await.map_err(|broken| match broken {
            Broken::Connection(reason) => WebError::Connection { host, reason },
            Broken::TimedOut => WebError::TimedOut(host),
            Broken::TooLarge => WebError::TooLarge(host),
        })?;
        Ok(response.map(Bytes::from))
    }
}

fn outgoing(request: Request<Bytes>) -> Result<reqwest::Request, reqwest::Error> {
    let mut request = reqwest::Request::try_from(request)?;
    let headers = request.headers_mut();
    remove_hop_by_hop(headers);
    // The client sets them, as the URL and the body have them.
    headers.remove(header::HOST);
    headers.remove(header::CONTENT_LENGTH);
    Ok(request)
}
