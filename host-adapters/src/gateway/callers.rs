//! Identifies the component or client to which a gateway token belongs.

use crate::server::error;
use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::response::Response;
use host_adapters_event::endpoint::bearer;
use subtle::ConstantTimeEq;

/// Tokens, and the components or clients that they belong to.
pub struct Callers(Vec<(String, String)>);

impl Callers {
    /// Makes the list from pairs of token and caller. An empty token is ignored.
    pub fn new(tokens: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(tokens.into_iter().filter(|(token, _)| !token.is_empty()).collect())
    }

    /// The caller with this token. Every token is compared in full, so that the time taken reveals nothing.
    pub fn find(&self, token: &str) -> Option<&str> {
        let mut found = None;
        for (known, caller) in &self.0 {
            if bool::from(known.as_bytes().ct_eq(token.as_bytes())) {
                found = Some(caller.as_str());
            }
        }
        found
    }
}

/// The caller of a request, by its token.
pub(super) struct Caller(pub(super) String);

impl FromRequestParts<super::Gateway> for Caller {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, gateway: &super::Gateway) -> Result<Self, Response> {
        let header = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = header.and_then(bearer);
        let caller = token.and_then(|token| gateway.callers.find(token));
        caller.map(|caller| Self(caller.to_owned())).ok_or_else(|| {
            let message = "send the header `Authorization: Bearer <token>` with the token of a component or client";
            error(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", message)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_names_its_caller_and_an_empty_token_has_none() {
        let callers = Callers::new([("a".into(), "resolver".into()), (String::new(), "nobody".into())]);
        assert_eq!(callers.find("a"), Some("resolver"));
        assert_eq!(callers.find(""), None);
        assert_eq!(callers.find("b"), None);
    }
}
