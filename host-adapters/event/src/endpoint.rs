//! Headers and bodies of a worker's HTTP endpoint, which either the guest or the host serves.

/// The token in an `Authorization` header. AppSync's own clients send it without `Bearer`.
pub fn bearer(header: &str) -> Option<String> {
    let token = match header.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        Some(_) => return None,
        None => header.trim(),
    };
    (!token.is_empty()).then(|| token.to_owned())
}

/// `{"error": {"code", "message"}}`, as in the API's error responses.
pub fn error_body(code: &str, message: &str) -> String {
    serde_json::json!({"error": {"code": code, "message": message}}).to_string()
}
