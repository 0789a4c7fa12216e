//! The elements of a file, with the names of their executions.

use crate::cli::invoke::event::text_of;
use anyhow::{Context, Result, bail};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// One execution to start.
pub(super) struct Element {
    pub(super) name: String,
    /// JSON text, its numbers as they are spelled.
    pub(super) input: String,
}

/// The executions of a file.
pub(super) struct Elements {
    /// The first part of their names, if it is a new one.
    pub(super) drawn: Option<String>,
    pub(super) elements: Vec<Element>,
}

/// Reads a file, `-` for standard input. Each execution is named `<base>-<number>`, or by a member of its element.
///
/// # Errors
/// When the file cannot be read, is neither a JSON list nor JSON Lines, or an element lacks the member.
pub(super) fn read(file: &str, base: Option<&str>, name_by: Option<&str>) -> Result<Elements> {
    let argument = if file == "-" { file.to_owned() } else { format!("@{file}") };
    // Without a base, the names of another run would be those of this one.
    let is_named = base.is_some() || name_by.is_some();
    let drawn = (!is_named).then(|| uuid::Uuid::new_v4().simple().to_string());
    let elements = of(&text_of(&argument, "elements")?, base.or(drawn.as_deref()), name_by);
    let elements = elements.with_context(|| format!("in {file}"))?;
    if elements.is_empty() {
        bail!("{file} has no elements");
    }
    Ok(Elements { drawn, elements })
}

fn of(text: &str, base: Option<&str>, name_by: Option<&str>) -> Result<Vec<Element>> {
    let inputs: Vec<&RawValue> = if text.trim_start().starts_with('[') {
        serde_json::from_str(text).context("the elements are not a JSON list")?
    } else {
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let line = |(n, line)| serde_json::from_str(line).with_context(|| format!("line {} is not JSON", n + 1));
        lines.map(line).collect::<Result<_>>()?
    };
    let named = |(n, input): (usize, &&RawValue)| -> Result<Element> {
        let name = match name_by {
            None => base.map_or_else(|| (n + 1).to_string(), |base| format!("{base}-{}", n + 1)),
            Some(member) => {
                let value = member_of(input, member).with_context(|| format!("element {}", n + 1))?;
                base.map_or_else(|| value.clone(), |base| format!("{base}-{value}"))
            }
        };
        Ok(Element { name, input: input.get().to_owned() })
    };
    inputs.iter().enumerate().map(named).collect()
}

/// A member that is text or a number, as text.
fn member_of(input: &RawValue, member: &str) -> Result<String> {
    let mut members: BTreeMap<String, &RawValue> = serde_json::from_str(input.get()).unwrap_or_default();
    let value = members.remove(member).with_context(|| format!("there is no member `{member}`"))?;
    match value.get().as_bytes().first() {
        Some(b'"') => Ok(serde_json::from_str(value.get())?),
        Some(b'-' | b'0'..=b'9') => Ok(value.get().to_owned()),
        _ => bail!("the member `{member}` is neither text nor a number"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;

    fn read(text: &str, base: Option<&str>, name_by: Option<&str>) -> Vec<(String, String)> {
        of(text, base, name_by).unwrap().into_iter().map(|it| (it.name, it.input)).collect()
    }

    fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, input)| ((*name).to_owned(), (*input).to_owned())).collect()
    }

    #[test]
    fn a_list_and_lines_are_the_same_elements() {
        let expected = owned(&[("run-1", r#"{"n":12345678901234567890123}"#), ("run-2", "7")]);
        assert_eq!(read(r#" [{"n":12345678901234567890123}, 7] "#, Some("run"), None), expected);
        assert_eq!(read("{\"n\":12345678901234567890123}\n\n7\n", Some("run"), None), expected);
    }

    #[test]
    fn a_member_names_its_execution() {
        let text = r#"[{"marketId":"m-1"},{"marketId":2}]"#;
        let inputs = [r#"{"marketId":"m-1"}"#, r#"{"marketId":2}"#];
        assert_eq!(read(text, None, Some("marketId")), owned(&[("m-1", inputs[0]), ("2", inputs[1])]));
        assert_eq!(read(text, Some("a"), Some("marketId")), owned(&[("a-m-1", inputs[0]), ("a-2", inputs[1])]));
    }

    #[test]
    fn without_a_base_names_are_new_and_can_be_given_again() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "[1]").unwrap();
        let read = |base: Option<&str>, name_by| super::read(file.path().to_str().unwrap(), base, name_by).unwrap();
        let (one, other) = (read(None, None), read(None, None));
        let drawn = one.drawn.unwrap();
        assert_ne!(Some(&drawn), other.drawn.as_ref());
        let again = read(Some(&drawn), None);
        assert_eq!((&one.elements[0].name, again.drawn), (&again.elements[0].name, None));
        assert!(one.elements[0].name.len() < 80);
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, name_by, said) in [
            ("[1", None, "not a JSON list"),
            ("{\n", None, "line 1 is not JSON"),
            (r#"[{"a":1},{}]"#, Some("a"), "element 2: there is no member `a`"),
            (r#"[{"a":{}}]"#, Some("a"), "neither text nor a number"),
        ] {
            let error = format!("{:#}", of(text, None, name_by).map(|_| ()).unwrap_err());
            assert!(error.contains(said), "{error}");
        }
    }
}
