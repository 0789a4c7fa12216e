//! Headers and bodies of a worker's HTTP endpoint, which either the guest or the host serves.

/// The token of `Authorization: Bearer <token>`. The scheme may be written in any case, and any number of blanks may
/// follow it (RFC 9110, 11.1 and 11.4).
pub fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.trim_matches(BLANKS).split_once(BLANKS)?;
    let token = token.trim_start_matches(BLANKS);
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

/// A fan's token: as [`bearer`], or alone, as AppSync's own clients send it.
pub fn fan_token(header: &str) -> Option<&str> {
    let is_token = |token: &&str| !(token.is_empty() || token.contains(BLANKS) || token.eq_ignore_ascii_case("bearer"));
    bearer(header).or_else(|| Some(header.trim_matches(BLANKS)).filter(is_token))
}

const BLANKS: [char; 2] = [' ', '\t'];

/// `{"error": {"code", "message"}}`, as in the API's error responses.
pub fn error_body(code: &str, message: &str) -> String {
    serde_json::json!({"error": {"code": code, "message": message}}).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_15_the_scheme_is_read_in_any_case_and_with_any_blanks() {
        for header in ["Bearer t", "bearer t", "BEARER t", "Bearer  t", "Bearer \t t ", " bEARER t"] {
            assert_eq!((bearer(header), fan_token(header)), (Some("t"), Some("t")), "{header:?}");
        }
        for header in ["", " ", "Basic t", "Bearert u", "Bearer", "bearer "] {
            assert_eq!((bearer(header), fan_token(header)), (None, None), "{header:?}");
        }
        for header in ["t", " t "] {
            assert_eq!((bearer(header), fan_token(header)), (None, Some("t")), "{header:?}");
        }
    }
}
