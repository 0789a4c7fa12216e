//! The body of a service's refusal. One reading for both sides: by it the host decides whether a route works
//! (docs/delivery.md, 7.7), and a worker whether the thing that it asks for does not exist.

use serde_json::Value;

/// `error.code` of a service's refusal, `{"error": {"code": "…", "message": "…"}}`; `None` if it is missing, not text or
/// empty. Then the body is not the service's own: gateways and other servers answer with an `error` that is text, or with
/// a number as its code.
pub fn service_error_code(body: &str) -> Option<String> {
    let body: Value = serde_json::from_str(body).ok()?;
    let code = body.pointer("/error/code").and_then(Value::as_str).filter(|code| !code.is_empty());
    code.map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn point_16_only_the_services_own_words_have_a_code() {
        let own = r#" {"error":{"code":"NOT_FOUND","message":"no such user"}}"#;
        assert_eq!(service_error_code(own).as_deref(), Some("NOT_FOUND"));
        for page in [
            "",
            "<html>",
            "404 page not found",
            "null",
            r#"["error"]"#,
            r#"{"message":"no Route matched with those values"}"#,
            r#"{"status":404,"error":"Not Found","path":"/users"}"#,
            r#"{"error":{"code":404,"message":"Requested entity was not found."}}"#,
            r#"{"error":{"code":"","message":"why"}}"#,
            r#"{"error":{"code":null}}"#,
            r#"{"code":"NOT_FOUND"}"#,
        ] {
            assert_eq!(service_error_code(page), None, "{page}");
        }
    }
}
