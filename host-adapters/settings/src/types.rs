//! The types that a setting can have.

use crate::{Block, Fields, Setting, Settings, Spanned, Words};
use serde_json::{Value as Json, json};
use std::ops::RangeInclusive;

macro_rules! numbers {
    ($($type:ty),+) => {
        $(impl Setting for $type {
            type Rule = RangeInclusive<i64>;

            fn read(fields: &mut Fields<'_, '_>, key: &'static str, range: &Self::Rule) -> Option<Self> {
                fields.number(key, range.clone()).map(|raw| raw.value)
            }

            fn schema(default: Self, range: &Self::Rule) -> Json {
                json!({"type": "integer", "minimum": range.start(), "maximum": range.end(), "default": default})
            }
        }

        impl Setting for Option<$type> {
            type Rule = RangeInclusive<i64>;

            fn read(fields: &mut Fields<'_, '_>, key: &'static str, range: &Self::Rule) -> Option<Self> {
                <$type>::read(fields, key, range).map(Some)
            }

            fn schema(_default: Self, range: &Self::Rule) -> Json {
                json!({"type": "integer", "minimum": range.start(), "maximum": range.end()})
            }
        })+
    };
}

numbers!(i32, u32, usize);

impl Setting for bool {
    type Rule = ();

    fn read(fields: &mut Fields<'_, '_>, key: &'static str, (): &()) -> Option<Self> {
        fields.boolean(key)
    }

    fn schema(default: Self, (): &()) -> Json {
        json!({"type": "boolean", "default": default})
    }
}

impl Setting for String {
    type Rule = &'static str;
    const REQUIRED: bool = true;

    fn read(fields: &mut Fields<'_, '_>, key: &'static str, write: &&'static str) -> Option<Self> {
        let raw = fields.string(key);
        fields.required(key, raw, write).map(|raw| raw.value)
    }

    fn schema(_default: Self, _write: &&'static str) -> Json {
        json!({"type": "string"})
    }
}

impl Setting for Option<String> {
    type Rule = ();

    fn read(fields: &mut Fields<'_, '_>, key: &'static str, (): &()) -> Option<Self> {
        fields.string(key).map(|raw| Some(raw.value))
    }

    fn schema(_default: Self, (): &()) -> Json {
        json!({"type": "string"})
    }
}

impl<T: Words> Setting for T {
    type Rule = ();

    fn read(fields: &mut Fields<'_, '_>, key: &'static str, (): &()) -> Option<Self> {
        fields.choice(key, T::WORDS)
    }

    fn schema(default: Self, (): &()) -> Json {
        let default = T::WORDS.iter().find(|(_, value)| *value == default).map(|(word, _)| *word);
        json!({"enum": words::<T>(), "default": default})
    }
}

impl<T: Words> Setting for Option<T> {
    type Rule = ();

    fn read(fields: &mut Fields<'_, '_>, key: &'static str, (): &()) -> Option<Self> {
        fields.choice(key, T::WORDS).map(Some)
    }

    fn schema(_default: Self, (): &()) -> Json {
        json!({"enum": words::<T>()})
    }
}

fn words<T: Words>() -> Vec<&'static str> {
    T::WORDS.iter().map(|(word, _)| *word).collect()
}

/// A required text in which variables may stand, as in `{{ name }}`; `None` only where it is missing.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Template(pub Option<Spanned<String>>);

impl Setting for Template {
    type Rule = &'static str;
    const REQUIRED: bool = true;

    fn read(fields: &mut Fields<'_, '_>, key: &'static str, write: &&'static str) -> Option<Self> {
        let raw = fields.string(key);
        fields.required(key, raw, write).map(|raw| Self(Some(raw)))
    }

    fn schema(_default: Self, _write: &&'static str) -> Json {
        json!({"type": "string"})
    }
}

/// An address of the web, if there is one.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Url(pub Option<String>);

impl Setting for Url {
    type Rule = ();

    fn read(fields: &mut Fields<'_, '_>, key: &'static str, (): &()) -> Option<Self> {
        let raw = fields.string(key)?;
        if let Err(wrong) = check_web_url(&raw.value) {
            let shown = showable(&raw.value).map_or_else(|| key.to_owned(), |url| format!("\"{url}\""));
            fields.diagnostic(&raw.span, format!("{shown} {wrong}"));
        }
        Some(Self(Some(raw.value)))
    }

    fn schema(_default: Self, (): &()) -> Json {
        json!({"type": "string", "pattern": "^https?://[^/?#@]+([/?#].*)?$"})
    }
}

/// Whether a text is an address of the web without a user or password, which every log of it would show.
///
/// # Errors
/// The fault.
pub fn check_web_url(text: &str) -> Result<(), &'static str> {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    let authority = rest.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default());
    match authority {
        None | Some("") => Err("is not an http or https URL"),
        Some(authority) if authority.contains('@') => Err("has a user or password; leave them out"),
        Some(authority) if authority.contains(char::is_whitespace) => Err("is not an http or https URL"),
        Some(_) => Ok(()),
    }
}

/// An address that may be shown in a message: not one that may hold a password or a key.
pub fn showable(address: &str) -> Option<&str> {
    (!address.contains(['@', '?', '#'])).then_some(address)
}

/// Names with their places.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Names(pub Vec<Spanned<String>>);

impl Setting for Names {
    type Rule = ();

    fn read(fields: &mut Fields<'_, '_>, key: &'static str, (): &()) -> Option<Self> {
        let names = fields.strings(key);
        for name in names.iter().filter(|name| name.value.trim().is_empty()) {
            fields.diagnostic(&name.span, format!("\"{key}\" holds an empty name; remove it"));
        }
        Some(Self(names))
    }

    fn schema(_default: Self, (): &()) -> Json {
        json!({"type": "array", "items": {"type": "string", "minLength": 1}})
    }
}

/// Settings in a table of their own, if it is there. Documents describe them under the name of their block.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Table<T>(pub Option<T>);

impl<T: Settings> Setting for Table<T> {
    type Rule = &'static str;

    fn read(fields: &mut Fields<'_, '_>, key: &'static str, _block: &&'static str) -> Option<Self> {
        let mut table = fields.table(key)?;
        let (settings, _) = T::read_all(&mut table);
        table.finish();
        Some(Self(Some(settings)))
    }

    fn schema(_default: Self, block: &&'static str) -> Json {
        Block::reference(block)
    }

    fn blocks(block: &&'static str) -> Vec<Block> {
        vec![Block::of::<T>(block)]
    }
}

/// Settings by name, each with its place. Documents describe them under the name of their block.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Named<T>(pub Vec<(String, Spanned<T>)>);

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Settings> Setting for Named<T> {
    type Rule = &'static str;

    fn read(fields: &mut Fields<'_, '_>, key: &'static str, _block: &&'static str) -> Option<Self> {
        let read = |(name, mut table): (&str, Fields<'_, '_>)| {
            let (value, _) = T::read_all(&mut table);
            let span = table.span.clone();
            if name.trim().is_empty() {
                table.diagnostic(&span, format!("\"{key}\" holds an empty name; write one"));
            }
            table.finish();
            (name.to_owned(), Spanned { value, span })
        };
        Some(Self(fields.tables(key).into_iter().map(read).collect()))
    }

    fn schema(_default: Self, block: &&'static str) -> Json {
        json!({"type": "object", "additionalProperties": Block::reference(block)})
    }

    fn blocks(block: &&'static str) -> Vec<Block> {
        vec![Block::of::<T>(block)]
    }
}

/// A list of tables with settings, each with its place. Documents describe them under the name of their block.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tables<T>(pub Vec<Spanned<T>>);

impl<T> Default for Tables<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

/// Settings that are in no text.
impl<T> From<Vec<T>> for Tables<T> {
    fn from(settings: Vec<T>) -> Self {
        Self(settings.into_iter().map(|value| Spanned { value, span: 0..0 }).collect())
    }
}

impl<T> Tables<T> {
    /// The settings without their places.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|table| &table.value)
    }
}

impl<T: Settings> Setting for Tables<T> {
    type Rule = &'static str;

    fn read(fields: &mut Fields<'_, '_>, key: &'static str, _block: &&'static str) -> Option<Self> {
        let read = |mut table: Fields<'_, '_>| {
            let (value, _) = T::read_all(&mut table);
            let span = table.span.clone();
            table.finish();
            Spanned { value, span }
        };
        Some(Self(fields.list(key).into_iter().map(read).collect()))
    }

    fn schema(_default: Self, block: &&'static str) -> Json {
        json!({"type": "array", "items": Block::reference(block)})
    }

    fn blocks(block: &&'static str) -> Vec<Block> {
        vec![Block::of::<T>(block)]
    }
}
