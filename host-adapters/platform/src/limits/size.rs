//! The size of an item as DynamoDB counts it (Amazon DynamoDB Developer Guide, "DynamoDB item sizes and formats"): names
//! and strings by their UTF-8 bytes, numbers by their significant digits, and a little for each value that is nested.

use super::invalid;
use crate::Result;
use host_adapters_json::{Decimal, Numbers};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// A list or an object in an item, whatever it holds.
const NESTED: usize = 3;
/// An element of such a list, a member of such an object.
const ELEMENT: usize = 1;

/// The bytes of an item, which is a JSON object.
///
/// # Errors
/// When the text is not JSON, or nested more deeply than anything that can be stored.
pub(super) fn size(item: &str) -> Result<usize> {
    let Size(others) =
        serde_json::from_str(item).map_err(|error| invalid(format!("an item cannot be read: {error}")))?;
    // The item itself is not a nested object, but was measured as one.
    let own = NESTED + ELEMENT * others.members;
    let numbers: usize = Numbers::of(item).map(|(_, number)| of_number(number)).sum();
    Ok((others.bytes + numbers).saturating_sub(own))
}

/// One byte for two significant digits, and one more.
fn of_number(number: &str) -> usize {
    Decimal::parse(number).map_or(0, |decimal| decimal.significant_digits()).div_ceil(2) + 1
}

/// What a value takes, numbers left out: they are measured as they are spelled.
struct Size(Measured);

#[derive(Default)]
struct Measured {
    bytes: usize,
    /// Of the value itself, those of its members left out.
    members: usize,
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_any(Measure)
    }
}

struct Measure;

impl Size {
    fn of(bytes: usize) -> Self {
        Self(Measured { bytes, members: 0 })
    }
}

impl<'de> Visitor<'de> for Measure {
    type Value = Size;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of JSON")
    }

    fn visit_unit<E>(self) -> std::result::Result<Size, E> {
        Ok(Size::of(1))
    }

    fn visit_bool<E>(self, _: bool) -> std::result::Result<Size, E> {
        Ok(Size::of(1))
    }

    fn visit_i64<E>(self, _: i64) -> std::result::Result<Size, E> {
        Ok(Size::of(0))
    }

    fn visit_u64<E>(self, _: u64) -> std::result::Result<Size, E> {
        Ok(Size::of(0))
    }

    fn visit_f64<E>(self, _: f64) -> std::result::Result<Size, E> {
        Ok(Size::of(0))
    }

    fn visit_str<E>(self, text: &str) -> std::result::Result<Size, E> {
        Ok(Size::of(text.len()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> std::result::Result<Size, A::Error> {
        let mut measured = Measured { bytes: NESTED, members: 0 };
        while let Some(Size(element)) = list.next_element()? {
            measured.bytes += ELEMENT + element.bytes;
            measured.members += 1;
        }
        Ok(Size(measured))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> std::result::Result<Size, A::Error> {
        let mut measured = Measured { bytes: NESTED, members: 0 };
        while let Some((name, Size(member))) = object.next_entry::<Cow<'_, str>, Size>()? {
            measured.bytes += ELEMENT + name.len() + member.bytes;
            measured.members += 1;
        }
        Ok(Size(measured))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn counts_as_dynamodb_documents_it() {
        for (item, bytes) in [
            (r#"{"pk":"p","sk":"s"}"#, 2 + 1 + 2 + 1),
            (r#"{ "ü" : "ü\u00fc\n\ud83d\ude00" }"#, 2 + 2 + 2 + 1 + 4),
            (r#"{"a":null,"b":true,"c":false}"#, 3 * 2),
            (r#"{"a":0,"b":7,"c":-12,"d":123,"e":1e9,"f":12.50}"#, 6 + 1 + 2 + 2 + 3 + 2 + 3),
            (r#"{"a":12345678901234567890123456789012345678}"#, 1 + 20),
            (r#"{"a":[],"b":{}}"#, 2 * (1 + 3)),
            (r#"{"a":[1,"xy",[]]}"#, 1 + 3 + (1 + 2) + (1 + 2) + (1 + 3)),
            (r#"{"a":{"bc":"d","e":{"f":null}}}"#, 1 + 3 + (1 + 2 + 1) + (1 + 1 + 3 + (1 + 1 + 1))),
            (r#"{"a":"1234","5":"-6"}"#, 5 + 3),
        ] {
            assert_eq!(size(item), Ok(bytes), "{item}");
        }
        assert!(size("{").is_err() && size(&format!(r#"{{"a":{}{}}}"#, "[".repeat(200), "]".repeat(200))).is_err());
    }
}
