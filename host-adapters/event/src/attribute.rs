//! Attributes of records and messages, as SQS types them.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
#[cfg(feature = "component")]
use wasmtime::component::{ComponentType, Lift, Lower};

/// An attribute of a record or message: a name, a type and a value.
#[derive(Clone, Debug, serde::Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, serde::Serialize)]
#[cfg_attr(feature = "component", derive(ComponentType, Lift, Lower), component(record))]
pub struct Attribute {
    /// Names it among the attributes of its record.
    pub name: String,
    /// `String`, `Number` or `Binary`; a label of the sender's may follow a dot: `Number.float`.
    #[cfg_attr(feature = "component", component(name = "data-type"))]
    #[serde(default = "string")]
    pub data_type: String,
    /// Bytes if the type is `Binary`, else text.
    pub value: AttributeValue,
}

/// The value of an attribute.
#[derive(Clone, Debug, serde::Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, serde::Serialize)]
#[cfg_attr(feature = "component", derive(ComponentType, Lift, Lower), component(variant))]
pub enum AttributeValue {
    /// Of a `String` or `Number`.
    #[cfg_attr(feature = "component", component(name = "text"))]
    Text(String),
    /// Of a `Binary`.
    #[cfg_attr(feature = "component", component(name = "bytes"))]
    Bytes(Vec<u8>),
}

impl Attribute {
    /// The type of plain text, which most attributes have.
    pub const STRING: &'static str = "String";
    /// The type of bytes.
    pub const BINARY: &'static str = "Binary";

    /// Plain text.
    pub fn text(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self::typed(name, Self::STRING, AttributeValue::Text(value.into()))
    }

    /// An attribute of any type.
    pub fn typed(name: impl Into<String>, data_type: impl Into<String>, value: AttributeValue) -> Self {
        Self { name: name.into(), data_type: data_type.into(), value }
    }

    /// The text; `None` if the value is bytes.
    pub fn as_text(&self) -> Option<&str> {
        match &self.value {
            AttributeValue::Text(text) => Some(text),
            AttributeValue::Bytes(_) => None,
        }
    }

    /// The type without the sender's label: `Number` for `Number.float`.
    pub fn base_type(&self) -> &str {
        self.data_type.split('.').next().unwrap_or_default()
    }

    /// The text of the attribute with this name.
    pub fn find<'a>(attributes: &'a [Self], name: &str) -> Option<&'a str> {
        attributes.iter().find(|attribute| attribute.name == name)?.as_text()
    }
}

impl AttributeValue {
    /// Size in bytes.
    pub fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
        }
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Text as it is, bytes as base64.
impl std::fmt::Display for AttributeValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Bytes(bytes) => f.write_str(&BASE64_STANDARD.encode(bytes)),
        }
    }
}

fn string() -> String {
    Attribute::STRING.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_text_is_found_as_text() {
        let attributes = [
            Attribute::text("type", "ENTRY"),
            Attribute::typed("score", "Number.float", AttributeValue::Text("1.50".into())),
            Attribute::typed("image", "Binary.png", AttributeValue::Bytes(vec![0, 255])),
        ];
        let found = ["type", "score", "image", "none"].map(|name| Attribute::find(&attributes, name));
        assert_eq!(found, [Some("ENTRY"), Some("1.50"), None, None]);
        assert_eq!(attributes.map(|it| it.base_type().to_owned()), ["String", "Number", "Binary"]);
    }
}
