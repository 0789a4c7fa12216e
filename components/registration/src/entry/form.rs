//! The form that a fan filled in.

use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A normalised form: a JSON object. It is kept as text, as the item has it and the Entry Service takes it. It is read only
/// to compare forms whose texts differ.
#[derive(Clone, Debug)]
pub struct Form(Box<RawValue>);

impl Form {
    /// A form from its JSON text; `None` if that is not an object.
    pub(super) fn from_text(text: String) -> Option<Self> {
        RawValue::from_string(text).ok().filter(|json| json.get().starts_with('{')).map(Self)
    }

    /// A form from the members of an object; `None` if they cannot be serialised.
    pub(super) fn from_members(object: &BTreeMap<String, Box<RawValue>>) -> Option<Self> {
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

/// The order of members and white space do not matter; numbers are compared to the last digit.
impl PartialEq for Form {
    fn eq(&self, other: &Self) -> bool {
        let [a, b] = [self, other].map(|form| form.0.get());
        let have_members = || self.members().is_some() && other.members().is_some();
        a == b || have_members() && host_adapters_json::same(a, b)
    }
}
