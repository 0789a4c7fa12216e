//! Attributes as they are stored: a JSON list of `[name, value]`, with the type behind the value if it is not `String`.
//! Bytes are base64.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use host_adapters_records::{Attribute, AttributeValue};
use std::borrow::Cow;

/// Nothing if there are no attributes.
pub(super) fn stored(attributes: &[Attribute]) -> Option<String> {
    let stored: Vec<_> = attributes.iter().map(parts).collect();
    // Strings can always be serialised.
    (!stored.is_empty()).then(|| serde_json::to_string(&stored).unwrap_or_default())
}

fn parts(attribute: &Attribute) -> Vec<Cow<'_, str>> {
    let value = attribute.as_text().map_or_else(|| Cow::from(attribute.value.to_string()), Cow::from);
    let mut parts = vec![Cow::from(&attribute.name), value];
    if attribute.data_type != Attribute::STRING {
        parts.push(Cow::from(&attribute.data_type));
    }
    parts
}

/// What [`stored`] wrote, and the names of attributes that cannot be read.
pub(super) fn read(text: &str) -> (Vec<Attribute>, Vec<String>) {
    let stored: Vec<Vec<String>> = serde_json::from_str(text).unwrap_or_default();
    let (mut attributes, mut unreadable) = (Vec::new(), Vec::new());
    for parts in stored {
        let name = parts.first().cloned().unwrap_or_default();
        match one(parts) {
            Some(attribute) => attributes.push(attribute),
            None => unreadable.push(name),
        }
    }
    (attributes, unreadable)
}

fn one(parts: Vec<String>) -> Option<Attribute> {
    let mut parts = parts.into_iter();
    let (name, value, data_type) = (parts.next()?, parts.next()?, parts.next());
    let mut attribute = Attribute::text(name, value);
    if let Some(data_type) = data_type {
        attribute.data_type = data_type;
    }
    if attribute.base_type() == Attribute::BINARY {
        let bytes = BASE64_STANDARD.decode(attribute.as_text()?).ok()?;
        attribute.value = AttributeValue::Bytes(bytes);
    }
    Some(attribute)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_read_as_they_were_stored() {
        let attributes = [
            Attribute::text("correlationId", "c"),
            Attribute::typed("n", "Number.float", AttributeValue::Text("1.50".into())),
            Attribute::typed("b", "Binary", AttributeValue::Bytes(vec![0, 255, 10])),
        ];
        let text = stored(&attributes).unwrap_or_default();
        assert_eq!(text, r#"[["correlationId","c"],["n","1.50","Number.float"],["b","AP8K","Binary"]]"#);
        assert_eq!(read(&text), (attributes.to_vec(), vec![]));
        let broken = text.replace("AP8K", "%");
        assert_eq!(read(&broken), (attributes[..2].to_vec(), vec!["b".to_owned()]));
        assert_eq!(stored(&[]), None);
    }
}
