//! One request and its whole response.

use http::Response;
use http::header::{self, HeaderMap, HeaderName};

/// The largest body of a response that is read.
pub const MAX_BODY_BYTES: usize = 16 * 1024 * 1024;

/// Headers that belong to one connection (RFC 9110, section 7.6.1).
const HOP_BY_HOP: [HeaderName; 9] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    HeaderName::from_static("proxy-connection"),
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Why there is no whole response.
#[derive(Debug)]
pub(super) enum Broken {
    /// Not connected, or the connection broke: the error of the network.
    Connection(String),
    /// Not connected in time, or nothing came for too long.
    TimedOut,
    /// The body is larger than [`MAX_BODY_BYTES`].
    TooLarge,
}

/// Sends a request and reads its response to the end.
pub(super) async fn exchange(client: &reqwest::Client, request: reqwest::Request) -> Result<Response<Vec<u8>>, Broken> {
    let mut received = client.execute(request).await.map_err(connection)?;
    let length = received.content_length().and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
    let mut body = Vec::with_capacity(length.min(MAX_BODY_BYTES));
    while let Some(chunk) = received.chunk().await.map_err(connection)? {
        if body.len() + chunk.len() > MAX_BODY_BYTES {
            return Err(Broken::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    let mut response = Response::new(body);
    *response.status_mut() = received.status();
    *response.headers_mut() = std::mem::take(received.headers_mut());
    remove_hop_by_hop(response.headers_mut());
    Ok(response)
}

/// Whether a header belongs to one connection.
pub(super) fn is_hop_by_hop(name: &HeaderName) -> bool {
    HOP_BY_HOP.contains(name)
}

/// Leaves the headers that are not the connection's.
pub(super) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
}

fn connection(error: reqwest::Error) -> Broken {
    if error.is_timeout() {
        return Broken::TimedOut;
    }
    // The innermost source says what happened; the outer ones repeat the URL, which may be a secret.
    let error = error.without_url();
    let mut reason: &dyn std::error::Error = &error;
    while let Some(source) = reason.source() {
        reason = source;
    }
    Broken::Connection(reason.to_string())
}
