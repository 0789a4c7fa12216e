//! Typed clients of the REST services.
//!
//! The host adds the app-to-app JWT, keeps the rate limits and retries; a worker calls once and learns what came of
//! it. Requests hold at most [`MAX_PER_REQUEST`] entries or users.

pub mod entry;
mod error;
pub mod user;

pub use entry::EntryService;
pub use error::ServiceError;
pub use user::UserService;

use crate::{Call, variables};
use serde::{Serialize, de::DeserializeOwned};
use spin_sdk::http::{HeaderMap, Method, Request, body::IncomingBodyExt};

/// Entries, users or ids in one request (API usage: 25).
pub const MAX_PER_REQUEST: usize = 25;

/// A service as one call uses it: its base URL and what each request carries.
#[derive(Clone, Debug)]
struct Client<'a> {
    service: &'static str,
    base: String,
    call: &'a Call,
}

impl<'a> Client<'a> {
    /// A client of `service`, whose base URL is in the Spin variable `variable`.
    async fn new(service: &'static str, variable: &str, call: &'a Call) -> Result<Self, ServiceError> {
        let base =
            variables::required(variable).await.map_err(|problem| ServiceError::misconfigured(service, &problem))?;
        Ok(Self { service, base: base.trim_end_matches('/').to_owned(), call })
    }

    async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<T, ServiceError> {
        let body = body.map(serde_json::to_vec).transpose().map_err(|error| self.unusable("request", &error))?;
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header("content-type", "application/json")
            .header("x-correlation-id", &self.call.correlation_id);
        if let Some(traceparent) = &self.call.traceparent {
            request = request.header("traceparent", traceparent);
        }
        let request = request
            .body(http_body_util::Full::new(bytes::Bytes::from(body.unwrap_or_default())))
            .map_err(|error| self.unusable("request", &error))?;
        let response = spin_sdk::http::send(request).await.map_err(|error| self.unreachable(&error))?;
        let status = response.status().as_u16();
        let retry_after = retry_after(response.headers());
        let bytes = response.into_body().bytes().await.map_err(|error| self.unreachable(&error))?;
        if (200..300).contains(&status) {
            return error::parse(self.service, &bytes);
        }
        Err(ServiceError::from_status(self.service, status, retry_after, &bytes))
    }

    fn unreachable(&self, error: &impl std::fmt::Display) -> ServiceError {
        ServiceError::Unavailable { service: self.service, message: error.to_string() }
    }

    fn unusable(&self, part: &str, error: &impl std::fmt::Display) -> ServiceError {
        ServiceError::misconfigured(self.service, &format!("the {part} cannot be made: {error}"))
    }
}

fn retry_after(headers: &HeaderMap) -> Option<u64> {
    headers.get("retry-after")?.to_str().ok()?.trim().parse().ok()
}

/// A path segment with everything escaped that is not unreserved (RFC 3986).
fn segment(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut path, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => path.push(byte.into()),
            _ => path.push_str(&format!("%{byte:02X}")),
        }
        path
    })
}
