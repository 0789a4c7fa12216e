//! Typed clients of the REST services.
//!
//! The host adds the app-to-app JWT, keeps the rate limits and retries; a worker calls once and gets the
//! outcome. Requests hold at most [`MAX_PER_REQUEST`] entries or users.

pub mod entry;
mod error;
pub mod user;

pub use entry::EntryService;
pub use error::ServiceError;
pub use user::UserService;

use crate::{Call, variables};
use serde::{Serialize, de::DeserializeOwned};
use spin_sdk::http::{HeaderMap, HeaderValue, Method, Request, body::IncomingBodyExt};

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
            .header("content-type", "application/json");
        for (name, value) in self.call_headers() {
            request = request.header(name, value);
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

    /// What follows the call through services. Both come from outside; what no header can carry is left out rather
    /// than made the record's undoing.
    fn call_headers(&self) -> impl Iterator<Item = (&'static str, HeaderValue)> {
        let Call { correlation_id, traceparent, .. } = self.call;
        let headers = [("x-correlation-id", Some(correlation_id)), ("traceparent", traceparent.as_ref())];
        let value = |text: &String| HeaderValue::from_str(text).ok().filter(|value| !value.is_empty());
        headers.into_iter().filter_map(move |(name, text)| Some((name, value(text?)?)))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(correlation_id: &str, traceparent: Option<&str>) -> Vec<&'static str> {
        let call = Call::new("save-entries", correlation_id.to_owned(), traceparent.map(str::to_owned));
        let client = Client { service: "entry", base: String::new(), call: &call };
        client.call_headers().map(|(name, _)| name).collect()
    }

    #[test]
    fn what_no_header_can_carry_is_left_out() {
        assert_eq!(headers("c-1", Some("00-trace")), ["x-correlation-id", "traceparent"]);
        assert_eq!(headers("two\nlines", None), [""; 0]);
        assert_eq!(headers("", Some("00-trace")), ["traceparent"]);
    }

    #[test]
    fn a_path_segment_is_escaped() {
        assert_eq!(segment("campaign-123"), "campaign-123");
        assert_eq!(segment("a/../b?c#d é%"), "a%2F..%2Fb%3Fc%23d%20%C3%A9%25");
    }
}
