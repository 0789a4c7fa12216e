//! The form that a fan filled in.

use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// A normalised form: a JSON object. It is kept as text, as the item has it and the Entry Service takes it. Its members
/// are parsed only to compare forms whose texts differ.
#[derive(Clone, Debug)]
pub struct Form(Box<RawValue>);

impl Form {
    /// A form from its JSON text; `None` if that is not an object.
    pub(super) fn from_text(text: String) -> Option<Self> {
        RawValue::from_string(text).ok().filter(|json| json.get().starts_with('{')).map(Self)
    }

    /// A form from an object; `None` if that cannot be serialised.
    pub(super) fn from_object(object: &Map<String, Value>) -> Option<Self> {
        serde_json::value::to_raw_value(object).ok().map(Self)
    }

    /// The form as JSON.
    pub fn as_json(&self) -> &RawValue {
        &self.0
    }

    /// Its members; `None` if one is well-formed but out of range, like `1e999`.
    pub fn members(&self) -> Option<Map<String, Value>> {
        serde_json::from_str(self.0.get()).ok()
    }
}

/// The order of members and white space do not matter.
impl PartialEq for Form {
    fn eq(&self, other: &Self) -> bool {
        self.0.get() == other.0.get() || self.members().is_some_and(|members| other.members() == Some(members))
    }
}
