//! A JSON object whose values are texts, so that its numbers keep every digit.

use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use std::collections::BTreeMap;

/// A JSON object. Of members with one name the last one counts. A member that is null counts as absent.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(transparent)]
pub struct Object(BTreeMap<String, Box<RawValue>>);

impl Object {
    /// Reads an object; `None` if the text is not one.
    pub fn parse(json: &str) -> Option<Self> {
        serde_json::from_str(json).ok()
    }

    /// Whether it has no member.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of a member.
    pub fn get(&self, name: &str) -> Option<&RawValue> {
        self.0.get(name).map(Box::as_ref).filter(|value| value.get() != "null")
    }

    /// A member that is text.
    pub fn text(&self, name: &str) -> Option<String> {
        serde_json::from_str(self.get(name)?.get()).ok()
    }

    /// A member that is an object.
    pub fn object(&self, name: &str) -> Option<Self> {
        Self::parse(self.get(name)?.get())
    }

    /// Sets a member.
    pub fn set(&mut self, name: &str, value: &impl Serialize) {
        // What is set here is text, a truth value, a list of them, or an object: all can be written.
        if let Ok(value) = to_raw_value(value) {
            self.0.insert(name.to_owned(), value);
        }
    }

    /// Drops a member.
    pub fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// Drops the members that are null, and all for which `keep` is false.
    pub fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        self.0.retain(|name, value| value.get() != "null" && keep(name));
    }

    /// The text without white space, the members of all objects in the order of their names.
    ///
    /// # Errors
    /// The fault, if a string in it is not Unicode, or if it is nested too deep.
    pub fn compact(&self) -> Result<String, String> {
        let text = to_raw_value(self).and_then(|json| host_adapters_json::compact(&json));
        text.map_err(|error| error.to_string())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn members_are_read_and_null_is_absent() {
        let mut object = Object::parse(r#"{"a":"x","b":null,"c":{"d":1},"e":7,"a":"y"}"#).unwrap();
        assert_eq!((object.text("a").as_deref(), object.text("e")), (Some("y"), None));
        assert!(object.get("b").is_none() && object.object("a").is_none());
        assert_eq!(object.object("c").unwrap().get("d").unwrap().get(), "1");
        object.retain(|name| name != "c");
        object.set("z", &true);
        object.remove("a");
        assert_eq!(object.compact().unwrap(), r#"{"e":7,"z":true}"#);
        for text in ["[]", "7", "\"{}\"", "{", ""] {
            assert!(Object::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn numbers_keep_every_digit() {
        let text = r#"{ "n": [0.12345678901234567890123, {"b": 1E-130, "a": 12345678901234567890123}] }"#;
        let compact = r#"{"n":[0.12345678901234567890123,{"a":12345678901234567890123,"b":1E-130}]}"#;
        assert_eq!(Object::parse(text).unwrap().compact().unwrap(), compact);
    }
}
