//! Reads the JSON image of an entry's item in one pass, with as few copies as possible.
//!
//! Here every attribute may have any type. [`Entry`](super::Entry) decides which wrong types are errors, and names
//! them.

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

/// The attributes of an image that an entry needs; a value that is not an object has none.
#[derive(Debug, Default)]
pub struct Image<'a>(Attributes<'a>);

impl<'a> Image<'a> {
    pub(super) fn attributes(self) -> Attributes<'a> {
        self.0
    }

    /// The keys, if they are text.
    pub fn keys(&self) -> [Option<&str>; 2] {
        [&self.0.pk, &self.0.sk].map(|key| match key {
            Text::Is(text) => Some(text.as_ref()),
            Text::Absent | Text::Wrong => None,
        })
    }

    /// Whether the form is JSON text, as in `demand-table`, and not an object.
    pub fn has_text_fields(&self) -> bool {
        matches!(self.0.fields, Fields::Text(_))
    }

    /// The dotted path of the attribute with the time of the last change.
    pub fn updated_path(&self) -> &'static str {
        match self.0.date.0.updated {
            Text::Absent => "updatedAt",
            Text::Is(_) | Text::Wrong => "date.updated",
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Image<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Object::deserialize(deserializer)?.0))
    }
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Attributes<'a> {
    #[serde(borrow)]
    pub(super) pk: Text<'a>,
    #[serde(borrow)]
    pub(super) sk: Text<'a>,
    #[serde(borrow)]
    pub(super) campaign_id: Text<'a>,
    #[serde(borrow)]
    pub(super) global_user_id: Text<'a>,
    #[serde(borrow)]
    pub(super) member_id: Text<'a>,
    #[serde(borrow)]
    pub(super) fields: Fields<'a>,
    #[serde(borrow)]
    pub(super) linked_from: Text<'a>,
    pub(super) score: Score,
    pub(super) needs_replication: Flag,
    #[serde(borrow)]
    pub(super) date: Object<Dates<'a>>,
    #[serde(borrow)]
    pub(super) created_at: Text<'a>,
    #[serde(borrow)]
    pub(super) updated_at: Text<'a>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Dates<'a> {
    #[serde(borrow)]
    pub(super) created: Text<'a>,
    #[serde(borrow)]
    pub(super) updated: Text<'a>,
    #[serde(borrow)]
    pub(super) fan_modified: Text<'a>,
}

/// A text, or a value of another type.
#[derive(Debug, Default)]
pub(super) enum Text<'a> {
    /// Absent or null.
    #[default]
    Absent,
    Is(Cow<'a, str>),
    /// Of another type.
    Wrong,
}

/// The form: JSON text, as in `demand-table`, or an object.
#[derive(Debug, Default)]
pub(super) enum Fields<'a> {
    #[default]
    Absent,
    Text(Cow<'a, str>),
    /// With the text of each member.
    Object(BTreeMap<String, Box<RawValue>>),
    Wrong,
}

/// A number, if the value is one. It is kept as text, which has every digit.
#[derive(Debug, Default)]
pub(super) struct Score(pub(super) Option<Box<RawValue>>);

/// Whether the value is `true`.
#[derive(Debug, Default)]
pub(super) struct Flag(pub(super) bool);

/// An object; any other value counts as an object without attributes.
#[derive(Debug, Default)]
pub(super) struct Object<T>(pub(super) T);

/// The conversion from a JSON value of each type.
trait OfAnyType<'de>: Sized {
    fn wrong() -> Self;
    fn null() -> Self {
        Self::wrong()
    }
    fn boolean(_: bool) -> Self {
        Self::wrong()
    }
    fn text(_: Cow<'de, str>) -> Self {
        Self::wrong()
    }
    fn object<A: MapAccess<'de>>(mut object: A) -> Result<Self, A::Error> {
        while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Self::wrong())
    }
}

impl<'de: 'a, 'a> OfAnyType<'de> for Text<'a> {
    fn wrong() -> Self {
        Self::Wrong
    }
    fn null() -> Self {
        Self::Absent
    }
    fn text(text: Cow<'de, str>) -> Self {
        Self::Is(text)
    }
}

impl<'de: 'a, 'a> OfAnyType<'de> for Fields<'a> {
    fn wrong() -> Self {
        Self::Wrong
    }
    fn text(text: Cow<'de, str>) -> Self {
        Self::Text(text)
    }
    fn object<A: MapAccess<'de>>(object: A) -> Result<Self, A::Error> {
        BTreeMap::deserialize(MapAccessDeserializer::new(object)).map(Self::Object)
    }
}

impl<'de> OfAnyType<'de> for Flag {
    fn wrong() -> Self {
        Self(false)
    }
    fn boolean(value: bool) -> Self {
        Self(value)
    }
}

impl<'de, T: Deserialize<'de> + Default> OfAnyType<'de> for Object<T> {
    fn wrong() -> Self {
        Self(T::default())
    }
    fn object<A: MapAccess<'de>>(object: A) -> Result<Self, A::Error> {
        T::deserialize(MapAccessDeserializer::new(object)).map(Self)
    }
}

struct AnyType<T>(PhantomData<T>);

impl<'de, T: OfAnyType<'de>> Visitor<'de> for AnyType<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }
    fn visit_unit<E>(self) -> Result<T, E> {
        Ok(T::null())
    }
    fn visit_bool<E>(self, value: bool) -> Result<T, E> {
        Ok(T::boolean(value))
    }
    fn visit_i64<E>(self, _: i64) -> Result<T, E> {
        Ok(T::wrong())
    }
    fn visit_u64<E>(self, _: u64) -> Result<T, E> {
        Ok(T::wrong())
    }
    fn visit_f64<E>(self, _: f64) -> Result<T, E> {
        Ok(T::wrong())
    }
    fn visit_str<E>(self, value: &str) -> Result<T, E> {
        Ok(T::text(Cow::Owned(value.to_owned())))
    }
    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<T, E> {
        Ok(T::text(Cow::Borrowed(value)))
    }
    fn visit_string<E>(self, value: String) -> Result<T, E> {
        Ok(T::text(Cow::Owned(value)))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<T, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(T::wrong())
    }
    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<T, A::Error> {
        T::object(object)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyType(PhantomData))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyType(PhantomData))
    }
}

impl<'de> Deserialize<'de> for Score {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Box::<RawValue>::deserialize(deserializer)?;
        let is_number = value.get().starts_with(|first: char| first == '-' || first.is_ascii_digit());
        Ok(Self(is_number.then_some(value)))
    }
}

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyType(PhantomData))
    }
}

impl<'de, T: Deserialize<'de> + Default> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyType(PhantomData))
    }
}
