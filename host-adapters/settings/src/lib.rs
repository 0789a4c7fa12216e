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
//! `()` for `bool`, `Option<String>`, [`Names`], [`JsonText`] and [`Words`]. A line without a default, `pub b: B;`, stands for the
//! keys of the settings `B`, which are in the same table. Rules over several keys are checked after [`Settings::read`], with [`Fields::item`] for their places.

mod block;
mod fields;
mod json;
mod report;
mod secret;
mod stored;
mod text;
mod types;

pub use block::{Block, Key};
pub use fields::{Fields, Spanned};
pub use json::JsonText;
pub use report::{Diagnostic, ManifestErrors, Report, is_close, position, suggestion};
pub use secret::{Reference, Secrets, Value};
#[doc(hidden)]
pub use serde_json;
pub use stored::StoredSecrets;
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
        pub struct $name:ident {
            $($(#[doc = $doc:literal])* pub $key:ident: $type:ty $(= $default:expr, $rule:expr)?;)+
        }
    ) => {
        $(#[doc = $about])*
        #[derive(Clone, Debug, Eq, PartialEq)]
        pub struct $name {
            $($(#[doc = $doc])* pub $key: $type,)+
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($key: $crate::settings!(@default $($default)?),)+ }
            }
        }

        impl $crate::Settings for $name {
            const ABOUT: &'static str = concat!($($about),*);

            fn keys() -> Vec<$crate::Key> {
                let mut keys = Vec::new();
                $($crate::settings!(@keys keys, $key: $type, concat!($($doc),*) $(, $default, $rule)?);)+
                keys
            }

            fn read_all(fields: &mut $crate::Fields<'_, '_>) -> (Self, bool) {
                let (mut settings, mut complete) = (Self::default(), true);
                $($crate::settings!(@read fields, settings, complete, $key: $type $(, $rule)?);)+
                (settings, complete)
            }
        }
    };
    // A line without a default: settings whose keys are in the same table.
    (@default) => { Default::default() };
    (@keys $keys:ident, $key:ident: $type:ty, $meaning:expr) => {
        $keys.extend(<$type as $crate::Settings>::keys())
    };
    (@read $fields:ident, $settings:ident, $complete:ident, $key:ident: $type:ty) => {
        let (part, whole) = <$type as $crate::Settings>::read_all($fields);
        $settings.$key = part;
        $complete &= whole;
    };
    // A key.
    (@default $default:expr) => { $default };
    (@keys $keys:ident, $key:ident: $type:ty, $meaning:expr, $default:expr, $rule:expr) => {
        $keys.push($crate::Key::new::<$type>(stringify!($key), $meaning, $default, &$rule))
    };
    (@read $fields:ident, $settings:ident, $complete:ident, $key:ident: $type:ty, $rule:expr) => {
        match <$type as $crate::Setting>::read($fields, stringify!($key), &$rule) {
            Some(value) => $settings.$key = value,
            None => $complete &= !<$type as $crate::Setting>::REQUIRED,
        }
    };
}
