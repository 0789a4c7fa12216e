//! Reads JSON objects from outside. Errors name the field and what was expected there. They never quote a value, which
//! may be a fan's.

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

/// A list, which serde would read as an object, its values in the order of the fields.
const LIST: &str = "invalid type: sequence, expected an object";

/// Reads a whole text. On an error it is read again, more slowly, to name the field that is wrong.
pub fn from_slice<'a, T: Deserialize<'a>>(text: &'a [u8]) -> Result<T, String> {
    if text.trim_ascii_start().starts_with(b"[") {
        return Err(LIST.to_owned());
    }
    serde_json::from_slice(text).or_else(|_| named(text))
}

fn named<'a, T: Deserialize<'a>>(text: &'a [u8]) -> Result<T, String> {
    let mut json = serde_json::Deserializer::from_slice(text);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| describe(&error))?;
    json.end().map_err(|error| format!("not JSON: {error}"))?;
    Ok(value)
}

/// Reads a parsed value.
pub fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, String> {
    if value.is_array() {
        return Err(LIST.to_owned());
    }
    serde_path_to_error::deserialize(value).map_err(|error| describe(&error))
}

fn describe(error: &serde_path_to_error::Error<serde_json::Error>) -> String {
    if !error.inner().is_data() {
        return format!("not JSON: {}", error.inner());
    }
    let problem = without_value(&error.inner().to_string());
    match error.path().to_string().as_str() {
        "." => problem,
        path => format!("{path}: {problem}"),
    }
}

/// serde writes `invalid type: string "…", expected a number`: everything from the first quote to the last `expected`
/// is the value.
fn without_value(problem: &str) -> String {
    let Some((found, expected)) = problem.rsplit_once(", expected ") else { return problem.to_owned() };
    let kind = found.split(['"', '`']).next().unwrap_or_default().trim_end();
    format!("{kind}, expected {expected}")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "camelCase")]
    #[expect(dead_code, reason = "read by Debug only")]
    struct Fan {
        email: String,
        age: Option<u8>,
    }

    fn check(text: &str, expected: Expect) {
        expected.assert_eq(&from_slice::<Fan>(text.as_bytes()).unwrap_err());
    }

    #[test]
    fn errors_name_the_field_and_quote_no_value() {
        check(r#"{"email":7}"#, expect!["email: invalid type: integer, expected a string at line 1 column 10"]);
        check(
            r#"{"email":"e","age":"my secret, expected \"x\" "}"#,
            expect!["age: invalid type: string, expected u8 at line 1 column 47"],
        );
        check("{}", expect!["missing field `email` at line 1 column 2"]);
        check(r#""fan@example.com""#, expect!["invalid type: string, expected struct Fan at line 1 column 17"]);
    }

    #[test]
    fn a_list_is_not_an_object() {
        check(r#" ["fan@example.com", 7]"#, expect!["invalid type: sequence, expected an object"]);
        let list = from_value::<Fan>(serde_json::json!(["fan@example.com", 7]));
        expect!["invalid type: sequence, expected an object"].assert_eq(&list.unwrap_err());
    }

    #[test]
    fn what_is_not_json_is_called_so() {
        check("nonsense", expect!["not JSON: expected ident at line 1 column 2"]);
        check(r#"{"email":"e"} more"#, expect!["not JSON: trailing characters at line 1 column 15"]);
        check("", expect!["not JSON: EOF while parsing a value at line 1 column 0"]);
    }
}
