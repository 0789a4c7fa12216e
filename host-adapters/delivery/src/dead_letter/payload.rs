//! Encodes the payload of a record as text for a dead letter, and decodes it: byte for byte, and JSON as JSON.
//!
//! A payload that is text stays as it is, so that people can read it. Any other payload is stored as base64 and marked:
//! in the attribute `payloadEncoding` of a message, in the field of this name in a stream's envelope. A payload that
//! does not fit otherwise is compressed and marked in the same way. Dead letters of earlier versions lack the mark and
//! are read as text.

use crate::event::Payload;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use host_adapters_platform::dead_letter::is_queue_text;
use serde::Deserialize;
use serde_json::{Value, json};
use std::io::Read;

/// The encoding of bytes.
const BASE64: &str = "base64";
/// The encoding of JSON with characters that queues refuse.
const BASE64_JSON: &str = "base64-json";
/// The encoding of bytes that are compressed by zstd, as base64.
const ZSTD: &str = "zstd";
/// The encoding of JSON that is compressed.
const ZSTD_JSON: &str = "zstd-json";
/// The encoding of JSON that is compressed with its control characters as they are: an escape of one takes up to 26 bits
/// even compressed, and a table's item may consist of them.
const ZSTD_RAW_JSON: &str = "zstd-raw-json";
/// The compression level: 1 MB takes about 30 ms.
const LEVEL: i32 = 9;
/// The most bytes of a decompressed payload. The records of all sources are smaller.
const MAX_BYTES: u64 = 64 << 20;
/// The encoding of an empty payload: queues refuse messages without a body.
const EMPTY: &str = "empty";
/// Precedes the payload in an envelope, where it is the last field.
const PAYLOAD: &str = r#","payload":"#;

/// The body of a message, and its encoding if it is not the payload itself.
pub(super) fn body(payload: &Payload) -> (String, Option<&'static str>) {
    let text = match payload {
        Payload::Json(text) => Some(text.as_str()),
        Payload::Bytes(bytes) => std::str::from_utf8(bytes).ok(),
    };
    let is_itself =
        |text: &&str| is_queue_text(text) && !text.is_empty() && Payload::of_text((*text).to_owned()) == *payload;
    match text.filter(is_itself) {
        Some(text) => (text.to_owned(), None),
        None => encoded(payload),
    }
}

/// The payload that a body stands for.
pub(super) fn of_body(body: &str, encoding: Option<&str>) -> Result<Payload, String> {
    match encoding {
        Some(encoding) => decoded(body, encoding),
        None => Ok(Payload::of_text(body.to_owned())),
    }
}

/// Adds the payload to the envelope of a stream's record, and the ordering key if the payload does not contain it. JSON
/// is inserted as text, because parsing could round its numbers.
pub(super) fn in_envelope(envelope: Value, payload: &Payload, ordering_key: Option<&str>) -> String {
    match payload {
        Payload::Json(text) if is_queue_text(text) && Payload::of_text(text.clone()) == *payload => {
            joined(&envelope, text)
        }
        _ => marked(envelope, encoded(payload), ordering_key),
    }
}

/// As [`in_envelope`], compressed.
pub(super) fn compressed_in_envelope(envelope: Value, payload: &Payload, ordering_key: Option<&str>) -> String {
    marked(envelope, compressed(payload), ordering_key)
}

pub(super) fn marked(
    mut envelope: Value,
    (text, encoding): (String, Option<&str>),
    ordering_key: Option<&str>,
) -> String {
    if let Some(members) = envelope.as_object_mut() {
        members.insert("payloadEncoding".to_owned(), json!(encoding));
        members.extend(ordering_key.map(|key| ("orderingKey".to_owned(), json!(key))));
    }
    joined(&envelope, &json!(text).to_string())
}

fn joined(envelope: &Value, json: &str) -> String {
    let envelope = envelope.to_string();
    let open = envelope.strip_suffix('}').unwrap_or(&envelope);
    format!("{open}{PAYLOAD}{json}}}")
}

/// The fields of an envelope that describe its record.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct EnvelopeFields {
    payload_encoding: Option<String>,
    ordering_key: Option<String>,
}

/// Payload and ordering key in an envelope; `None` if it holds no payload.
pub(super) fn of_envelope(envelope: &str) -> Option<Result<(Payload, Option<String>), String>> {
    let (open, payload) = envelope.split_once(PAYLOAD)?;
    let payload = payload.strip_suffix('}').unwrap_or(payload);
    let fields: EnvelopeFields = serde_json::from_str(&format!("{open}}}")).unwrap_or_default();
    let not_one = |_| "its body is not a dead letter".to_owned();
    let payload = match fields.payload_encoding {
        Some(encoding) => {
            serde_json::from_str::<String>(payload).map_err(not_one).and_then(|text| decoded(&text, &encoding))
        }
        None => serde_json::from_str::<serde::de::IgnoredAny>(payload)
            .map(|_| Payload::Json(payload.to_owned()))
            .map_err(not_one),
    };
    Some(payload.map(|payload| (payload, fields.ordering_key)))
}

/// The envelope whose encoded payload these envelopes have in pieces; `None` if one of them has none.
pub(super) fn rejoined<'a>(envelopes: impl Iterator<Item = &'a str>) -> Option<String> {
    let (mut first, mut text) = (None, String::new());
    for envelope in envelopes {
        let (open, piece) = envelope.split_once(PAYLOAD)?;
        text.push_str(&serde_json::from_str::<String>(piece.strip_suffix('}')?).ok()?);
        first = first.or(Some(open));
    }
    Some(format!("{}{PAYLOAD}{}}}", first?, json!(text)))
}

/// An envelope with its encoded JSON as it is; `None` if it has none.
pub(super) fn decoded_in_envelope(envelope: &str) -> Option<String> {
    let (open, payload) = envelope.split_once(PAYLOAD)?;
    match of_envelope(envelope)?.ok()? {
        (Payload::Json(json), _) if payload.strip_suffix('}') != Some(&json) => {
            Some(format!("{open}{PAYLOAD}{json}}}"))
        }
        _ => None,
    }
}

fn encoded(payload: &Payload) -> (String, Option<&'static str>) {
    match payload {
        Payload::Json(text) => (BASE64_STANDARD.encode(text), Some(BASE64_JSON)),
        Payload::Bytes(bytes) if bytes.is_empty() => (EMPTY.to_owned(), Some(EMPTY)),
        Payload::Bytes(bytes) => (BASE64_STANDARD.encode(bytes), Some(BASE64)),
    }
}

/// The payload as compressed text, and its encoding.
pub(super) fn compressed(payload: &Payload) -> (String, Option<&'static str>) {
    let (bytes, encoding) = match payload {
        Payload::Json(text) => match with_raw_controls(text) {
            Some(raw) => (raw.into_bytes(), ZSTD_RAW_JSON),
            None => (text.clone().into_bytes(), ZSTD_JSON),
        },
        Payload::Bytes(bytes) => (bytes.clone(), ZSTD),
    };
    match zstd::bulk::compress(&bytes, LEVEL) {
        Ok(compressed) => (BASE64_STANDARD.encode(compressed), Some(encoding)),
        Err(_) => encoded(payload),
    }
}

fn decompressed(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let broken = |error| format!("its payload cannot be decompressed: {error}");
    let mut payload = Vec::new();
    let decoder = zstd::Decoder::new(bytes).map_err(broken)?;
    decoder.take(MAX_BYTES + 1).read_to_end(&mut payload).map_err(broken)?;
    if payload.len() as u64 > MAX_BYTES {
        return Err(format!("its payload has more than {MAX_BYTES} bytes"));
    }
    Ok(payload)
}

/// JSON with its control characters as they are; `None` if [`with_escaped_controls`] would not give the same text again.
fn with_raw_controls(json: &str) -> Option<String> {
    let (mut raw, mut rest) = (String::with_capacity(json.len()), json);
    while let Some((before, escape)) = rest.split_once('\\') {
        raw.push_str(before);
        let control = CONTROLS.iter().find_map(|(name, control)| Some((*control, escape.strip_prefix(*name)?)));
        let hex = || {
            let code = u32::from_str_radix(escape.strip_prefix('u')?.get(..4)?, 16).ok()?;
            Some((char::from_u32(code).filter(char::is_ascii_control)?, escape.get(5..)?))
        };
        rest = match control.or_else(hex) {
            Some((control, after)) => {
                raw.push(control);
                after
            }
            None => {
                let (kept, after) = escape.split_at_checked(escape.chars().next().map_or(0, char::len_utf8))?;
                raw.extend(["\\", kept]);
                after
            }
        };
    }
    raw.push_str(rest);
    (with_escaped_controls(&raw) == json).then_some(raw)
}

/// Escapes that are not numbers, and their characters.
const CONTROLS: [(&str, char); 5] = [("b", '\u{8}'), ("t", '\t'), ("n", '\n'), ("f", '\u{c}'), ("r", '\r')];

/// JSON with its control characters escaped, as our writers do it.
fn with_escaped_controls(raw: &str) -> String {
    let mut json = String::with_capacity(raw.len());
    for c in raw.chars() {
        match CONTROLS.iter().find(|(_, control)| *control == c) {
            Some((name, _)) => json.extend(["\\", name]),
            None if c < ' ' => json.push_str(&format!("\\u{:04x}", u32::from(c))),
            None => json.push(c),
        }
    }
    json
}

fn decoded(text: &str, encoding: &str) -> Result<Payload, String> {
    if encoding == EMPTY {
        return Ok(Payload::Bytes(Vec::new()));
    }
    let bytes = BASE64_STANDARD.decode(text).map_err(|error| format!("its payload is not base64: {error}"))?;
    let text = |bytes| String::from_utf8(bytes).map_err(|_| "its payload is not text".to_owned());
    match encoding {
        BASE64 => Ok(Payload::Bytes(bytes)),
        BASE64_JSON => text(bytes).map(Payload::Json),
        ZSTD => decompressed(&bytes).map(Payload::Bytes),
        ZSTD_JSON => decompressed(&bytes).and_then(text).map(Payload::Json),
        ZSTD_RAW_JSON => decompressed(&bytes).and_then(text).map(|raw| Payload::Json(with_escaped_controls(&raw))),
        other => Err(format!("its payload has the encoding `{other}`, which this version does not know")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn comes_back(payload: &Payload) {
        let (text, encoding) = compressed(payload);
        assert_eq!(of_body(&text, encoding).unwrap(), *payload);
        let envelope = compressed_in_envelope(json!({"version": "1.0"}), payload, Some("key"));
        assert_eq!(of_envelope(&envelope).unwrap().unwrap(), (payload.clone(), Some("key".to_owned())));
    }

    proptest! {
        #[test]
        fn case_08_what_is_compressed_comes_back_byte_for_byte(text: String, bytes: Vec<u8>) {
            comes_back(&Payload::Bytes(bytes));
            for json in [json!({ "a": text }).to_string(), format!("{{\n \"a\": {}}}", json!(text)), format!("\"{text}\\u001F\"")] {
                comes_back(&Payload::Json(json));
            }
        }
    }

    /// An item has 400 KB, and a change two images of it. No text takes more room than random ASCII: other text has fewer
    /// bits in a byte. Bytes take more, and need parts.
    #[test]
    fn case_08_a_change_of_the_largest_items_fits_into_a_message() {
        let mut seed = 1u64;
        let mut random = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            char::from((seed >> 57) as u8)
        };
        let mut image = || json!({ "a": (0..409_600).map(|_| random()).collect::<String>() });
        let change = Payload::Json(json!({"newImage": image(), "oldImage": image()}).to_string());
        assert!(change.len() > 3 << 19, "{} bytes as it is", change.len());
        let envelope = compressed_in_envelope(json!({"version": "1.0"}), &change, None);
        assert!(envelope.len() < 1_040_000, "{} bytes compressed", envelope.len());
        assert_eq!(of_envelope(&envelope).unwrap().unwrap().0, change);
    }
}
