//! Reads one level of a JSON text, so that numbers stay as they are spelled and members stay in their order.

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// The kind of a JSON value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    Object,
    List,
    Text,
    Number,
    True,
    False,
    Null,
}

pub fn kind(json: &RawValue) -> Kind {
    match json.get().as_bytes().first() {
        Some(b'{') => Kind::Object,
        Some(b'[') => Kind::List,
        Some(b'"') => Kind::Text,
        Some(b't') => Kind::True,
        Some(b'f') => Kind::False,
        Some(b'n') => Kind::Null,
        _ => Kind::Number,
    }
}

/// The members of an object in their order, those that are named twice included.
pub fn members(json: &RawValue) -> serde_json::Result<Vec<(Cow<'_, str>, &RawValue)>> {
    serde_json::from_str::<Members<'_>>(json.get()).map(|members| members.0)
}

/// The elements of a list.
pub fn elements(json: &RawValue) -> serde_json::Result<Vec<&RawValue>> {
    serde_json::from_str(json.get())
}

/// A string, borrowed where nothing in it is escaped.
///
/// # Errors
/// When it is not a string, or not Unicode.
pub fn text(json: &RawValue) -> serde_json::Result<Cow<'_, str>> {
    serde_json::from_str::<Text<'_>>(json.get()).map(|text| text.0)
}

#[derive(serde::Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Members<'de>;

            fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
                to.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((Text(name), value)) = from.next_entry()? {
                    members.push((name, value));
                }
                Ok(Members(members))
            }
        }

        from.deserialize_map(InOrder)
    }
}
