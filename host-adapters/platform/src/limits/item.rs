//! Checks items and keys against DynamoDB's limits.

use super::invalid;
use super::number::check_attributes;
use super::size::size;
use crate::Result;
use host_adapters_records::table::Key;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The largest item, 400 KB, as DynamoDB counts it.
pub const MAX_ITEM_BYTES: usize = 400 * 1024;
const MAX_PK_BYTES: usize = 2048;
const MAX_SK_BYTES: usize = 1024;

/// A checked item: its text as it came, and its key.
#[derive(Debug)]
pub struct Item {
    /// Its key.
    pub key: Key,
    /// Its JSON text.
    pub text: String,
}

#[derive(Deserialize)]
struct Keys<'a> {
    #[serde(borrow)]
    pk: Option<Text<'a>>,
    #[serde(borrow)]
    sk: Option<Text<'a>>,
}

/// A string, borrowed if it has no escapes: the item's other attributes are checked without being built.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl Item {
    /// Checks a whole item.
    pub fn parse(text: String) -> Result<Self> {
        if !text.trim_start().starts_with('{') {
            return Err(invalid("an item is a JSON object"));
        }
        let keys: Keys<'_> = serde_json::from_str(&text)
            .map_err(|error| invalid(format!("an item is a JSON object with string `pk` and `sk`: {error}")))?;
        let (Some(Text(pk)), Some(Text(sk))) = (keys.pk, keys.sk) else {
            return Err(invalid("an item needs the string attributes `pk` and `sk`"));
        };
        let key = Key { pk: pk.into_owned(), sk: sk.into_owned() };
        check_key(&key)?;
        check_size(&key, &text)?;
        check_strings(&text)?;
        check_attributes("", &text)?;
        Ok(Self { key, text })
    }
}

/// The value that an update sets at a path, or that a condition compares it with.
///
/// # Errors
/// When it is not JSON, or not a value that DynamoDB has.
pub fn parse_value<'a>(path: &str, text: &'a str) -> Result<&'a RawValue> {
    let value: &RawValue =
        serde_json::from_str(text).map_err(|error| invalid(format!("the value for `{path}` is not JSON: {error}")))?;
    check_strings(text)?;
    check_attributes(path, text)?;
    Ok(value)
}

/// The value that a condition orders, as [`parse_value`].
///
/// # Errors
/// As there, and when it is neither a text nor a number.
pub fn parse_ordered<'a>(path: &str, text: &'a str) -> Result<&'a RawValue> {
    let value = parse_value(path, text)?;
    match value.get().as_bytes().first() {
        Some(b'"' | b'-' | b'0'..=b'9') => Ok(value),
        _ => Err(invalid(format!("nothing is less than the value for `{path}`; it must be a text or a number"))),
    }
}

/// Checks names, and strings with escapes, which need not stand for Unicode. The value is built only if the text may have
/// an empty name or has such a string.
fn check_strings(text: &str) -> Result<()> {
    if !text.contains("\"\"") && !text.contains("\\u") {
        return Ok(());
    }
    // This fails for an item that is nested deeper than any that can be stored.
    let item = serde_json::from_str(text).map_err(|error| invalid(format!("an item cannot be read: {error}")))?;
    check_names(&item)
}

/// DynamoDB has no attributes without a name, at any depth.
fn check_names(value: &Value) -> Result<()> {
    match value {
        Value::Array(values) => values.iter().try_for_each(check_names),
        Value::Object(fields) if fields.contains_key("") => Err(invalid("an attribute's name is not empty")),
        Value::Object(fields) => fields.values().try_for_each(check_names),
        _ => Ok(()),
    }
}

/// Checks that a key is not empty and not longer than an index allows.
pub fn check_key(key: &Key) -> Result<()> {
    check_part("pk", &key.pk, MAX_PK_BYTES)?;
    check_part("sk", &key.sk, MAX_SK_BYTES)
}

/// Checks one part of a key, of `max` bytes at most.
pub fn check_part(name: &str, value: &str, max: usize) -> Result<()> {
    match value.len() {
        0 => Err(invalid(format!("`{name}` is empty; a key is a string of 1 to {max} bytes"))),
        bytes if bytes > max => Err(invalid(format!("`{name}` has {bytes} bytes; the most is {max}"))),
        _ => Ok(()),
    }
}

/// Checks a partition key.
pub fn check_pk(pk: &str) -> Result<()> {
    check_part("pk", pk, MAX_PK_BYTES)
}

/// Checks the size of an item with its key.
pub fn check_size(key: &Key, item: &str) -> Result<()> {
    // DynamoDB counts at most twice as many bytes as the text has: four for a list in a list, which is `[]` at least.
    if item.len() <= MAX_ITEM_BYTES / 2 {
        return Ok(());
    }
    let bytes = size(item)?;
    if bytes <= MAX_ITEM_BYTES {
        return Ok(());
    }
    Err(invalid(format!("item {}/{} has {bytes} bytes; the most is {MAX_ITEM_BYTES}", key.pk, key.sk)))
}
