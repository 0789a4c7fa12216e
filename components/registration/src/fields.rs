//! Checks and normalises the fields of an entry, by the fields of the campaign.

use crate::{
    country::Country,
    email,
    field::{Field, FieldType},
    phone, postal_code,
    text::{fits_queue, trimmed},
};
use host_adapters_json::lenient;
use serde::{Serialize, Serializer};
use serde_json::{Map, Number, Value};

/// Most characters of a string whose field has no `maxLength`.
pub const DEFAULT_MAX_LENGTH: usize = 1_000;

/// Most bytes of an entry's fields as JSON. Escaped in a message they are up to twice as large, and both images of a
/// change four times: they fit into the 1 MiB of a message of SQS, and into the 400 KB of an item.
pub const MAX_BYTES: usize = 64 << 10;

/// The normalised fields of an entry. It is serialised as a JSON object in the campaign's order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fields(Vec<(String, Value)>);

/// The first field that breaks the campaign's rules.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("field `{0}` is not as the campaign asks for it")]
pub struct InvalidField(pub String);

impl Fields {
    /// Names and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

/// Checks `entry` against `fields` in their order and normalises its values. Phones and postal codes are read by
/// `country`.
///
/// A `null` counts as absent, and so does a blank text. Absent fields are left out of the result. Fields that the
/// campaign does not have are errors too, found after all others. If all fields together are larger than
/// [`MAX_BYTES`], the first that does not fit is the bad one.
pub fn normalise(
    fields: &[Field],
    mut entry: Map<String, Value>,
    country: Option<Country>,
) -> Result<Fields, InvalidField> {
    let mut normalised = Vec::with_capacity(fields.len());
    let mut room = MAX_BYTES - "{}".len();
    for field in fields {
        let invalid = || InvalidField(field.name.clone());
        match normalised_value(field, entry.remove(&field.name), country).ok_or_else(invalid)? {
            FieldValue::Value(value) => {
                room = room.checked_sub(bytes(&field.name, &value)).ok_or_else(invalid)?;
                normalised.push((field.name.clone(), value));
            }
            FieldValue::Nothing if is_required(field, country) => return Err(invalid()),
            FieldValue::Nothing => {}
        }
    }
    match entry.into_iter().next() {
        Some((unknown, _)) => Err(InvalidField(unknown)),
        None => Ok(Fields(normalised)),
    }
}

/// In countries without postal codes none is required.
fn is_required(field: &Field, country: Option<Country>) -> bool {
    field.required && (field.kind != FieldType::PostalCode || postal_code::exist_in(country))
}

/// The size of a member as JSON, with its colon and comma.
fn bytes(name: &str, value: &Value) -> usize {
    Value::from(name).to_string().len() + value.to_string().len() + ":,".len()
}

/// The normalised value of a field, if the entry has one.
enum FieldValue {
    Value(Value),
    Nothing,
}

/// The normalised value; `None` if it does not meet the field's rules.
fn normalised_value(field: &Field, value: Option<Value>, country: Option<Country>) -> Option<FieldValue> {
    match (field.kind, value) {
        (_, None | Some(Value::Null)) => Some(FieldValue::Nothing),
        (FieldType::Boolean, Some(value @ Value::Bool(_))) => Some(FieldValue::Value(value)),
        (FieldType::Integer, Some(Value::Number(number))) => integer(field, &number),
        (FieldType::Markets, Some(Value::Array(values))) => markets(field, values),
        (kind, Some(Value::String(value))) => text(field, kind, trimmed(value), country),
        _ => None,
    }
}

fn integer(field: &Field, number: &Number) -> Option<FieldValue> {
    let integer = lenient::whole(number)?;
    field.in_bounds(integer).then(|| FieldValue::Value(integer.into()))
}

fn text(field: &Field, kind: FieldType, value: String, country: Option<Country>) -> Option<FieldValue> {
    if !fits_queue(&value) {
        return None;
    }
    let normalised = match kind {
        FieldType::String | FieldType::Email | FieldType::Phone | FieldType::PostalCode if value.is_empty() => {
            return Some(FieldValue::Nothing);
        }
        FieldType::String => allowed(field, &value).then_some(value),
        FieldType::Email => email::normalise(&value),
        FieldType::Phone => phone::normalise(&value, country).ok(),
        FieldType::PostalCode => postal_code::canonical(&value, country),
        FieldType::Integer | FieldType::Boolean | FieldType::Markets | FieldType::Unknown => None,
    };
    normalised.map(|text| FieldValue::Value(Value::String(text)))
}

/// Whether a string is short enough and, if the field lists its values, one of them.
fn allowed(field: &Field, value: &str) -> bool {
    value.chars().count() <= field.max_length.unwrap_or(DEFAULT_MAX_LENGTH)
        && field.options.as_ref().is_none_or(|options| options.iter().any(|option| option == value))
}

/// The ids without duplicates, in their order; `None` if one is unknown, or if there are too few or too many.
fn markets(field: &Field, values: Vec<Value>) -> Option<FieldValue> {
    let known = field.options.as_deref().unwrap_or_default();
    let mut chosen: Vec<Value> = Vec::with_capacity(values.len().min(known.len()));
    for value in values {
        let Value::String(id) = value else { return None };
        let id = trimmed(id);
        if !known.contains(&id) {
            return None;
        }
        let id = Value::String(id);
        if !chosen.contains(&id) {
            chosen.push(id);
        }
    }
    if chosen.is_empty() && field.required {
        return Some(FieldValue::Nothing);
    }
    let within = field.in_bounds(i64::try_from(chosen.len()).ok()?);
    within.then_some(FieldValue::Value(Value::Array(chosen)))
}

#[cfg(test)]
mod tests;
