//! Checks messages against SQS's limits. An invalid message fails alone, not its batch.

use super::invalid;
use crate::Result;
use host_adapters_records::queue::Message;
use std::collections::HashSet;
use std::time::Duration;

/// The largest message, body and attributes together, in bytes.
pub const MAX_MESSAGE_BYTES: usize = 256 * 1024;
const MAX_DELAY_SECS: u32 = 900;
const MAX_ATTRIBUTES: usize = 10;
const MAX_NAME_CHARS: usize = 256;
const MAX_VISIBILITY: Duration = Duration::from_secs(12 * 3600);

/// Checks a message before it is sent.
pub fn check_message(message: &Message) -> Result<()> {
    if message.body.is_empty() {
        return Err(invalid("a message's body is not empty"));
    }
    if message.delay_secs > MAX_DELAY_SECS {
        return Err(invalid(format!("a delay of {} s; the most is {MAX_DELAY_SECS} s", message.delay_secs)));
    }
    let bytes = bytes(message);
    if bytes > MAX_MESSAGE_BYTES {
        return Err(invalid(format!("a message of {bytes} bytes; the most is {MAX_MESSAGE_BYTES}")));
    }
    check_text("body", &message.body)?;
    check_attributes(&message.attributes)
}

/// The size that SQS counts: the body, and for each attribute its name, its type and its value.
pub fn bytes(message: &Message) -> usize {
    let attribute = |(name, value): &(String, String)| name.len() + "String".len() + value.len();
    message.body.len() + message.attributes.iter().map(attribute).sum::<usize>()
}

fn check_attributes(attributes: &[(String, String)]) -> Result<()> {
    if attributes.len() > MAX_ATTRIBUTES {
        return Err(invalid(format!("{} attributes; the most is {MAX_ATTRIBUTES}", attributes.len())));
    }
    let mut names = HashSet::new();
    for (name, value) in attributes {
        check_name(name)?;
        if !names.insert(name) {
            return Err(invalid(format!("the attribute `{name}` is there twice")));
        }
        if value.is_empty() {
            return Err(invalid(format!("the attribute `{name}` is empty; leave it out")));
        }
        check_text(name, value)?;
    }
    Ok(())
}

fn check_name(name: &str) -> Result<()> {
    let lower = name.to_ascii_lowercase();
    let chars_ok = name.chars().all(|char| char.is_ascii_alphanumeric() || matches!(char, '_' | '-' | '.'));
    let dots_ok = !name.starts_with('.') && !name.ends_with('.') && !name.contains("..");
    let reserved = lower.starts_with("aws.") || lower.starts_with("amazon.");
    if !name.is_empty() && name.len() <= MAX_NAME_CHARS && chars_ok && dots_ok && !reserved {
        return Ok(());
    }
    Err(invalid(format!(
        "`{name}` is not an attribute name: 1 to {MAX_NAME_CHARS} of A-Z a-z 0-9 _ - . , not beginning with `AWS.` or `Amazon.`"
    )))
}

/// SQS accepts the characters of XML 1.0, which exclude most control characters.
fn check_text(what: &str, text: &str) -> Result<()> {
    let refused =
        |char: &char| matches!(char, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}');
    match text.chars().find(refused) {
        Some(char) => Err(invalid(format!("`{what}` holds U+{:04X}, which a queue does not carry", u32::from(char)))),
        None => Ok(()),
    }
}

/// Checks for how long messages are to stay invisible.
pub fn check_visibility(visibility: Duration) -> Result<()> {
    if visibility <= MAX_VISIBILITY {
        return Ok(());
    }
    Err(invalid(format!("a visibility of {visibility:?}; the most is 12 hours")))
}
