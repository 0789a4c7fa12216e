//! Checks messages against SQS's limits. An invalid message fails alone, not its batch.

use super::invalid;
use crate::{Result, fifo};
use host_adapters_records::queue::Message;
use host_adapters_records::{Attribute, AttributeValue, is_queue_char};
use std::collections::HashSet;
use std::time::Duration;

/// The largest message, body and attributes together, and the largest batch of a call, in bytes ([SQS:
/// message quotas](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html)).
pub const MAX_MESSAGE_BYTES: usize = 1024 * 1024;
const MAX_DELAY_SECS: u32 = 900;
const MAX_ATTRIBUTES: usize = 10;
const MAX_NAME_CHARS: usize = 256;
const MAX_ID_CHARS: usize = 128;
const MAX_VISIBILITY: Duration = Duration::from_secs(12 * 3600);
/// Most digits of a `Number`, and the powers of ten between which it lies.
const MAX_DIGITS: usize = 38;
const POWERS: std::ops::RangeInclusive<i64> = -128..=126;

/// Checks a message before it is sent to `queue`.
pub fn check_message(queue: &str, message: &Message) -> Result<()> {
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
    check_attribute_list(&message.attributes)?;
    check_order(queue, message)
}

/// The size that SQS counts: the body, and for each attribute its name, its type and its value.
pub fn bytes(message: &Message) -> usize {
    let attribute = |it: &Attribute| it.name.len() + it.data_type.len() + it.value.len();
    message.body.len() + message.attributes.iter().map(attribute).sum::<usize>()
}

/// A FIFO queue needs a group and delays no single message; any other queue knows no deduplication.
fn check_order(queue: &str, message: &Message) -> Result<()> {
    for (what, id) in [("group", &message.group_id), ("deduplication", &message.deduplication_id)] {
        if id.as_deref().is_some_and(|id| !is_id(id)) {
            return Err(invalid(format!("a {what} id has 1 to {MAX_ID_CHARS} letters, digits and punctuation marks")));
        }
    }
    match fifo::is_fifo(queue) {
        true if message.group_id.is_none() => {
            Err(invalid(format!("`{queue}` is a FIFO queue: its messages need a group id")))
        }
        true if message.delay_secs > 0 => {
            Err(invalid(format!("`{queue}` is a FIFO queue: it delays no single message")))
        }
        false if message.deduplication_id.is_some() => {
            Err(invalid(format!("`{queue}` is not a FIFO queue: its messages have no deduplication id")))
        }
        _ => Ok(()),
    }
}

/// Whether it can be the id of a group or of a deduplication.
pub fn is_id(id: &str) -> bool {
    (1..=MAX_ID_CHARS).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Checks the attributes of a message, together and each.
pub(crate) fn check_attribute_list(attributes: &[Attribute]) -> Result<()> {
    if attributes.len() > MAX_ATTRIBUTES {
        return Err(invalid(format!("{} attributes; the most is {MAX_ATTRIBUTES}", attributes.len())));
    }
    let mut names = HashSet::new();
    for attribute in attributes {
        check_attribute(attribute)?;
        if !names.insert(&attribute.name) {
            return Err(invalid(format!("the attribute `{}` is there twice", attribute.name)));
        }
    }
    Ok(())
}

/// Checks one attribute of a message.
pub fn check_attribute(attribute: &Attribute) -> Result<()> {
    check_name(&attribute.name)?;
    if attribute.value.is_empty() {
        return Err(invalid(format!("the attribute `{}` is empty; leave it out", attribute.name)));
    }
    check_value(attribute)
}

fn check_name(name: &str) -> Result<()> {
    let lower = name.to_ascii_lowercase();
    let dots_ok = !name.starts_with('.') && !name.ends_with('.') && !name.contains("..");
    let reserved = lower.starts_with("aws.") || lower.starts_with("amazon.");
    if is_word(name) && dots_ok && !reserved {
        return Ok(());
    }
    Err(invalid(format!(
        "`{name}` is not an attribute name: 1 to {MAX_NAME_CHARS} of A-Z a-z 0-9 _ - . , not beginning with `AWS.` or `Amazon.`"
    )))
}

fn is_word(name: &str) -> bool {
    let is_word_char = |char: char| char.is_ascii_alphanumeric() || matches!(char, '_' | '-' | '.');
    (1..=MAX_NAME_CHARS).contains(&name.len()) && name.chars().all(is_word_char)
}

fn check_value(attribute: &Attribute) -> Result<()> {
    let Attribute { name, data_type, value } = attribute;
    match (attribute.base_type(), value) {
        _ if !is_word(data_type) => {}
        ("String", AttributeValue::Text(text)) => return check_text(name, text),
        ("Number", AttributeValue::Text(text)) if is_number(text) => return Ok(()),
        ("Number", AttributeValue::Text(_)) => {
            return Err(invalid(format!("the attribute `{name}` is not a number of at most {MAX_DIGITS} digits")));
        }
        ("Binary", AttributeValue::Bytes(_)) => return Ok(()),
        _ => {}
    }
    Err(invalid(format!(
        "the attribute `{name}` has the type `{data_type}`; text is a `String` or `Number`, bytes are a `Binary`, and a \
         label may follow a dot"
    )))
}

/// Whether SQS accepts it as a `Number`.
fn is_number(text: &str) -> bool {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let unsigned = mantissa.strip_prefix(['-', '+']).unwrap_or(mantissa);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let digits = format!("{whole}{fraction}");
    let is_decimal = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let significant = digits.trim_start_matches('0');
    let (Ok(exponent), Ok(whole), Ok(zeros)) =
        (exponent.parse::<i64>(), i64::try_from(whole.len()), i64::try_from(digits.len() - significant.len()))
    else {
        return false;
    };
    // The power of ten of the first digit that counts.
    let power = exponent.saturating_add(whole - zeros - 1);
    let counted = significant.trim_end_matches('0').len();
    is_decimal && counted <= MAX_DIGITS && (counted == 0 || POWERS.contains(&power))
}

/// SQS accepts the characters of XML 1.0, which exclude most control characters.
pub(crate) fn check_text(what: &str, text: &str) -> Result<()> {
    match text.chars().find(|char| !is_queue_char(*char)) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_sqs() {
        let digits = "1234567890".repeat(4);
        for (text, expected) in [
            ("0", true),
            ("-7", true),
            ("+1.50", true),
            ("1e126", true),
            ("9.9E-128", true),
            (&digits[..38], true),
            (&digits[..39], false),
            ("1e127", false),
            ("1e-129", false),
            ("", false),
            (".", false),
            ("1,5", false),
            ("0x1", false),
            ("NaN", false),
            ("1e", false),
        ] {
            assert_eq!(is_number(text), expected, "{text}");
        }
    }
}
