//! A part of a JSON text.

use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// What a JSON pointer (`/Records/0/body`, without escapes) leads to. `*` is the first member of an object by its name.
pub fn pointer<'a>(json: &'a RawValue, pointer: &str) -> Option<&'a RawValue> {
    pointer.split('/').skip(1).try_fold(json, |json, segment| match json.get().as_bytes().first() {
        Some(b'{') => {
            let mut members: BTreeMap<String, &RawValue> = serde_json::from_str(json.get()).ok()?;
            if segment == "*" { members.pop_first().map(|(_, first)| first) } else { members.remove(segment) }
        }
        Some(b'[') => {
            let elements: Vec<&RawValue> = serde_json::from_str(json.get()).ok()?;
            elements.get(segment.parse::<usize>().ok()?).copied()
        }
        _ => None,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn leads_through_objects_and_lists() {
        let json: &RawValue = serde_json::from_str(r#"{"Records": [{}, {"body": 1.50}]}"#).unwrap();
        let at = |path| pointer(json, path).map(RawValue::get);
        assert_eq!(at("/Records/1/body"), Some("1.50"));
        assert_eq!(at("/Records/0"), Some("{}"));
        assert_eq!(at("/*/1/*"), Some("1.50"));
        assert_eq!(at(""), Some(json.get()));
        for path in ["/Records/2", "/Records/0/body", "/none", "/Records/1/body/x"] {
            assert_eq!(at(path), None, "{path}");
        }
    }
}
