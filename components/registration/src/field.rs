//! The fields of a campaign's form.

use host_adapters_json::lenient::optional_whole;
use serde::{Deserialize, Serialize};

/// One field of an entry: its name, its type and its bounds.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Field {
    /// Its key in the entry.
    pub name: String,
    /// The type of its value.
    #[serde(rename = "type")]
    pub kind: FieldType,
    /// Whether an entry must have it. A required text must not be blank, a required list of markets not empty.
    #[serde(default)]
    pub required: bool,
    /// Smallest integer, or fewest markets.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "optional_whole")]
    pub min: Option<i64>,
    /// Largest integer, or most markets.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "optional_whole")]
    pub max: Option<i64>,
    /// Most characters of a string, after trimming; by default [`DEFAULT_MAX_LENGTH`](crate::fields::DEFAULT_MAX_LENGTH).
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "optional_whole")]
    pub max_length: Option<usize>,
    /// The allowed values of a string; for markets, the ids of the campaign's markets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub options: Option<Vec<String>>,
}

/// The type of a field.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum FieldType {
    /// A text.
    String,
    /// A whole number.
    Integer,
    /// `true` or `false`.
    Boolean,
    /// An e-mail address.
    Email,
    /// A telephone number.
    Phone,
    /// A postal code.
    PostalCode,
    /// A list of market ids.
    Markets,
    /// A type that this version does not know. Its values cannot be checked, so none is accepted.
    #[serde(other)]
    Unknown,
}

impl Field {
    /// Whether `number` (an integer, or a count of markets) is within `min` and `max`.
    pub(crate) fn in_bounds(&self, number: i64) -> bool {
        self.min.is_none_or(|min| number >= min) && self.max.is_none_or(|max| number <= max)
    }
}
