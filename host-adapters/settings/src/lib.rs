//! Settings: one declaration gives the struct, its defaults, its reader with all diagnostics at their places, and its
//! JSON Schema. It knows no source and no backend.
//!
//! ```
//! use host_adapters_settings::{Settings, settings};
//!
//! settings! {
//!     /// A clock.
//!     pub struct TickerConfig {
//!         /// What it is called.
//!         pub name: String = String::new(), "a name";
//!         /// Seconds between two events.
//!         pub every_secs: u32 = 60, 1..=86_400;
//!         /// Whether the first event is at once.
//!         pub at_once: bool = false, ();
//!     }
//! }
//! assert_eq!(TickerConfig::default().every_secs, 60);
//! assert_eq!(TickerConfig::schema()["every_secs"]["maximum"], 86_400);
//! ```
//!
//! A line is a key: its meaning, type, default, and what is allowed. That is a range for a number, what to write
//! for a `String`, which must be there, and `()` for `bool`, `Option<String>` and [`Words`]. Rules
//! over several keys are checked after [`Settings::read`], with [`Fields::item`] for their places.

mod fields;
mod report;

pub use fields::{Fields, Spanned};
pub use report::{Diagnostic, ManifestErrors, Report, position, suggestion};
#[doc(hidden)]
pub use serde_json;

use serde_json::{Value, json};
use std::ops::RangeInclusive;

/// Settings that [`settings!`] declares.
pub trait Settings: Default {
    /// Reads all keys, and reports what is wrong with each. `None` if a required one cannot be had.
    fn read(fields: &mut Fields<'_, '_>) -> Option<Self>;
    /// The `properties` of their JSON Schema.
    fn schema() -> Value;
}

/// The type of a setting.
pub trait Setting: Sized {
    /// What is allowed.
    type Rule;
    /// Whether the key must be there.
    const REQUIRED: bool = false;
    /// Reads the key, and reports what is wrong with it.
    fn read(fields: &mut Fields<'_, '_>, key: &'static str, rule: &Self::Rule) -> Option<Self>;
    /// Its JSON Schema.
    fn schema(default: Self, rule: &Self::Rule) -> Value;
}

/// A setting that is one of a few words.
pub trait Words: Copy + PartialEq + 'static {
    /// The words.
    const WORDS: &'static [(&'static str, Self)];
}

macro_rules! numbers {
    ($($type:ty),+) => {
        $(impl Setting for $type {
            type Rule = RangeInclusive<i64>;

            fn read(fields: &mut Fields<'_, '_>, key: &'static str, range: &Self::Rule) -> Option<Self> {
                fields.number(key, range.clone()).map(|written| written.value)
            }

            fn schema(default: Self, range: &Self::Rule) -> Value {
                json!({"type": "integer", "minimum": range.start(), "maximum": range.end(), "default": default})
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

    fn schema(default: Self, (): &()) -> Value {
        json!({"type": "boolean", "default": default})
    }
}

impl Setting for String {
    type Rule = &'static str;
    const REQUIRED: bool = true;

    fn read(fields: &mut Fields<'_, '_>, key: &'static str, write: &&'static str) -> Option<Self> {
        let written = fields.string(key);
        fields.required(key, written, write).map(|written| written.value)
    }

    fn schema(_default: Self, _write: &&'static str) -> Value {
        json!({"type": "string"})
    }
}

impl Setting for Option<String> {
    type Rule = ();

    fn read(fields: &mut Fields<'_, '_>, key: &'static str, (): &()) -> Option<Self> {
        fields.string(key).map(|written| Some(written.value))
    }

    fn schema(_default: Self, (): &()) -> Value {
        json!({"type": "string"})
    }
}

impl<T: Words> Setting for T {
    type Rule = ();

    fn read(fields: &mut Fields<'_, '_>, key: &'static str, (): &()) -> Option<Self> {
        fields.choice(key, T::WORDS)
    }

    fn schema(default: Self, (): &()) -> Value {
        let default = T::WORDS.iter().find(|(_, value)| *value == default).map(|(word, _)| *word);
        json!({"enum": T::WORDS.iter().map(|(word, _)| *word).collect::<Vec<_>>(), "default": default})
    }
}

/// Declares settings; the crate's page says how.
#[macro_export]
macro_rules! settings {
    (
        $(#[doc = $about:literal])*
        pub struct $name:ident {
            $($(#[doc = $doc:literal])* pub $key:ident: $type:ty = $default:expr, $rule:expr;)+
        }
    ) => {
        $(#[doc = $about])*
        #[derive(Clone, Debug, Eq, PartialEq)]
        pub struct $name {
            $($(#[doc = $doc])* pub $key: $type,)+
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($key: $default,)+ }
            }
        }

        impl $crate::Settings for $name {
            fn read(fields: &mut $crate::Fields<'_, '_>) -> Option<Self> {
                let (mut settings, mut complete) = (Self::default(), true);
                $(match <$type as $crate::Setting>::read(fields, stringify!($key), &$rule) {
                    Some(value) => settings.$key = value,
                    None => complete &= !<$type as $crate::Setting>::REQUIRED,
                })+
                complete.then_some(settings)
            }

            fn schema() -> $crate::serde_json::Value {
                let mut keys = $crate::serde_json::Map::new();
                $({
                    let mut schema = <$type as $crate::Setting>::schema($default, &$rule);
                    schema["description"] = [$($doc),*].concat().trim().into();
                    keys.insert(stringify!($key).to_owned(), schema);
                })+
                keys.into()
            }
        }
    };
}
