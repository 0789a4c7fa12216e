//! The form that a fan filled in.

use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// A form, normalised: a JSON object. It is kept as text, as the item has it and the Entry Service takes it; its
/// members are parsed only when two forms differ as text.
#[derive(Clone, Debug)]
pub struct Form(Box<RawValue>);

impl Form {
    /// A form from its JSON text; none where that is not an object.
    pub(super) fn from_text(text: String) -> Option<Self> {
        RawValue::from_string(text).ok().filter(|json| json.get().starts_with('{')).map(Self)
    }

    /// A form from an object; none where that cannot be written as JSON.
    pub(super) fn from_object(object: &Map<String, Value>) -> Option<Self> {
        serde_json::value::to_raw_value(object).ok().map(Self)
    }

    /// As JSON.
    pub fn as_json(&self) -> &RawValue {
        &self.0
    }

    /// Its members; none if one is well-formed but out of range, like `1e999`.
    pub fn members(&self) -> Option<Map<String, Value>> {
        serde_json::from_str(self.0.get()).ok()
    }
}

/// Neither the order of members nor white space matters.
impl PartialEq for Form {
    fn eq(&self, other: &Self) -> bool {
        self.0.get() == other.0.get() || self.members().is_some_and(|members| other.members() == Some(members))
    }
}
