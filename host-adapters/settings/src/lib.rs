//! Settings: one declaration gives the struct, its defaults, its reader with all diagnostics at their places, its JSON
//! Schema and its table in the documents. It knows no source and no backend.
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
//! assert_eq!(TickerConfig::schema()["properties"]["every_secs"]["maximum"], 86_400);
//! ```
//!
//! A line is a key: its meaning, type, default, and what is allowed: a range for a number, what to write for a text that
//! must be there, the name of the block for a [`Table`], [`Tables`] or [`Named`] tables, how it is referred to for a [`Value`], and
//! `()` for `bool`, `Option<String>`, [`Names`], [`JsonText`] and [`Words`]. `pub struct A with b: B { … }` reads the keys of `B` in
//! the same table. Rules over several keys are checked after [`Settings::read`], with [`Fields::item`] for their places.

mod block;
mod fields;
mod json;
mod report;
mod secret;
mod text;
mod types;

pub use block::{Block, Key};
pub use fields::{Fields, Spanned};
pub use json::JsonText;
pub use report::{Diagnostic, ManifestErrors, Report, is_close, position, suggestion};
pub use secret::{Reference, Secrets, Value};
#[doc(hidden)]
pub use serde_json;
pub use text::{NotText, decode, decoded, read_text, without_mark};
pub use types::{Named, Names, Table, Tables, Template, Url, check_web_url, showable};

use serde_json::Value as Json;

/// Settings that [`settings!`] declares.
pub trait Settings: Default {
    /// What they are the settings of.
    const ABOUT: &'static str;
    /// The keys, in the order in which they are declared.
    fn keys() -> Vec<Key>;
    /// Reads all keys, and reports the faults of each, which then has its default. Says whether all that is required is
    /// there.
    fn read_all(fields: &mut Fields<'_, '_>) -> (Self, bool);

    /// Reads all keys, and reports the faults of each. `None` if a required one is missing.
    fn read(fields: &mut Fields<'_, '_>) -> Option<Self> {
        let (settings, complete) = Self::read_all(fields);
        complete.then_some(settings)
    }

    /// Their JSON Schema.
    fn schema() -> Json {
        Block::of::<Self>("").schema()
    }
}

/// The type of a setting.
pub trait Setting: Sized {
    /// What is allowed.
    type Rule;
    /// Whether the key must be there.
    const REQUIRED: bool = false;
    /// Reads the key, and reports its faults.
    fn read(fields: &mut Fields<'_, '_>, key: &'static str, rule: &Self::Rule) -> Option<Self>;
    /// Its JSON Schema.
    fn schema(default: Self, rule: &Self::Rule) -> Json;
    /// The blocks that the schema refers to.
    fn blocks(_rule: &Self::Rule) -> Vec<Block> {
        Vec::new()
    }
}

/// A setting that is one of a few words.
pub trait Words: Copy + PartialEq + 'static {
    /// The words.
    const WORDS: &'static [(&'static str, Self)];
}

/// Declares settings; the crate's page says how.
#[macro_export]
macro_rules! settings {
    (
        $(#[doc = $about:literal])*
        pub struct $name:ident $(with $part:ident: $part_type:ty)? {
            $($(#[doc = $doc:literal])* pub $key:ident: $type:ty = $default:expr, $rule:expr;)+
        }
    ) => {
        $(#[doc = $about])*
        #[derive(Clone, Debug, Eq, PartialEq)]
        pub struct $name {
            $(#[doc = "Keys that this has in common with others."] pub $part: $part_type,)?
            $($(#[doc = $doc])* pub $key: $type,)+
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($part: Default::default(),)? $($key: $default,)+ }
            }
        }

        impl $crate::Settings for $name {
            const ABOUT: &'static str = concat!($($about),*);

            fn keys() -> Vec<$crate::Key> {
                let mut keys = Vec::new();
                $(keys.extend(<$part_type as $crate::Settings>::keys());)?
                $(keys.push($crate::Key::new::<$type>(stringify!($key), concat!($($doc),*), $default, &$rule));)+
                keys
            }

            fn read_all(fields: &mut $crate::Fields<'_, '_>) -> (Self, bool) {
                let (mut settings, mut complete) = (Self::default(), true);
                $(
                    let (part, whole) = <$part_type as $crate::Settings>::read_all(fields);
                    settings.$part = part;
                    complete &= whole;
                )?
                $(match <$type as $crate::Setting>::read(fields, stringify!($key), &$rule) {
                    Some(value) => settings.$key = value,
                    None => complete &= !<$type as $crate::Setting>::REQUIRED,
                })+
                (settings, complete)
            }
        }
    };
}
