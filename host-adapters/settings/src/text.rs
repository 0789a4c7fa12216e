//! Text that people give: files as any editor saves them. Windows editors begin them with a byte order mark, end lines
//! with CRLF, and save some of them as UTF-16, which is refused by its name.

use std::io;
use std::path::Path;

/// The byte order mark of UTF-8.
const MARK: char = '\u{feff}';

/// Why bytes are not a text.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotText {
    /// Saved in UTF-16 or UTF-32.
    #[error("it is {0}, not UTF-8; save it as UTF-8")]
    Wide(&'static str),
    /// Bytes of another encoding.
    #[error("line {line} is not UTF-8; save it as UTF-8")]
    Other {
        /// The first such line, from 1.
        line: usize,
    },
}

/// Reads a file as text, without its byte order mark.
///
/// # Errors
/// When it cannot be read, or holds no UTF-8.
pub fn read_text(path: &Path) -> io::Result<String> {
    decoded(std::fs::read(path)?)
}

/// The text of bytes that were read, without their byte order mark.
///
/// # Errors
/// When they are not UTF-8.
pub fn decoded(bytes: Vec<u8>) -> io::Result<String> {
    decode(&bytes).map(str::to_owned).map_err(|wrong| io::Error::new(io::ErrorKind::InvalidData, wrong))
}

/// The text of bytes, without their byte order mark.
///
/// # Errors
/// When they are not UTF-8.
pub fn decode(bytes: &[u8]) -> Result<&str, NotText> {
    if let Some(encoding) = wide(bytes) {
        return Err(NotText::Wide(encoding));
    }
    let text = std::str::from_utf8(bytes).map_err(|wrong| {
        let before = bytes.get(..wrong.valid_up_to()).unwrap_or_default();
        NotText::Other { line: before.iter().filter(|byte| **byte == b'\n').count() + 1 }
    })?;
    Ok(without_mark(text))
}

/// A text without its byte order mark.
pub fn without_mark(text: &str) -> &str {
    text.strip_prefix(MARK).unwrap_or(text)
}

/// UTF-16 or UTF-32, by its byte order mark, or by the zero beside its first character.
fn wide(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => Some("UTF-32"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some("UTF-16"),
        [0, second, ..] if *second != 0 => Some("UTF-16"),
        [first, 0, ..] if *first != 0 => Some("UTF-16"),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn case_22_text_is_read_as_editors_save_it() {
        assert_eq!(decode(b"{}"), Ok("{}"));
        assert_eq!(decode(b"\xef\xbb\xbf{}\r\n"), Ok("{}\r\n"));
        assert_eq!(decode(b""), Ok(""));
        assert_eq!(decode("ü\u{feff}".as_bytes()), Ok("ü\u{feff}"), "inside it is a character like any other");
    }

    #[test]
    fn case_22_other_encodings_are_named() {
        let little: Vec<u8> = "{}".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = "{}".encode_utf16().flat_map(u16::to_be_bytes).collect();
        for utf16 in
            [&little, &big, &[b"\xff\xfe".as_slice(), &little].concat(), &[b"\xfe\xff".as_slice(), &big].concat()]
        {
            assert_eq!(decode(utf16), Err(NotText::Wide("UTF-16")), "{utf16:x?}");
        }
        assert_eq!(decode(b"\xff\xfe\0\0{\0\0\0"), Err(NotText::Wide("UTF-32")));
        assert_eq!(decode(b"a\nb\n\xfc"), Err(NotText::Other { line: 3 }));
        assert_eq!(decoded(little).unwrap_err().to_string(), "it is UTF-16, not UTF-8; save it as UTF-8");
    }
}
