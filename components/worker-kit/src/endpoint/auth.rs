//! A caller of a batch worker over HTTP, or of one that does tasks, needs the worker token.

use crate::Response;
use host_adapters_event::endpoint::bearer;
use subtle::ConstantTimeEq;

/// Checks `Authorization: Bearer <worker_token>` in constant time. A worker without a token refuses all requests.
pub(super) fn check(authorization: Option<&str>, worker_token: Option<&str>) -> Result<(), Response> {
    let Some(expected) = worker_token.filter(|token| !token.is_empty()) else {
        let message = "this worker takes no HTTP calls: its variable worker_token is not set";
        return Err(Response::error(403, "FORBIDDEN", message));
    };
    let Some(given) = authorization.and_then(bearer) else {
        return Err(Response::error(401, "UNAUTHORIZED", "send the header Authorization: Bearer <worker token>"));
    };
    if bool::from(given.as_bytes().ct_eq(expected.as_bytes())) {
        Ok(())
    } else {
        Err(Response::error(401, "UNAUTHORIZED", "the worker token is wrong"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(authorization: Option<&str>, token: Option<&str>) -> u16 {
        check(authorization, token).map_or_else(|refusal| refusal.status, |()| 200)
    }

    #[test]
    fn the_right_token_opens() {
        assert_eq!(status(Some("Bearer secret"), Some("secret")), 200);
        assert_eq!(status(Some("BEARER  secret"), Some("secret")), 200);
    }

    #[test]
    fn no_or_wrong_token_is_401() {
        for authorization in [None, Some("secret"), Some("Basic secret"), Some("Bearer "), Some("Bearer secret2")] {
            assert_eq!(status(authorization, Some("secret")), 401, "{authorization:?}");
        }
    }

    #[test]
    fn a_worker_without_a_token_refuses_everything() {
        for token in [None, Some("")] {
            assert_eq!(status(Some("Bearer "), token), 403);
            assert_eq!(status(None, token), 403);
        }
    }

    #[test]
    fn a_refusal_tells_nothing_of_the_secret() {
        let body = check(Some("Bearer guess"), Some("secret")).map_or_else(|refusal| refusal.body, |()| String::new());
        expect_test::expect![[r#"{"error":{"code":"UNAUTHORIZED","message":"the worker token is wrong"}}"#]]
            .assert_eq(&body);
    }
}
