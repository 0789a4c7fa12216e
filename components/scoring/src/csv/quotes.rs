//! The quotes of a row.
//!
//! They are right if each cell that begins with a quotation mark ends with one, in front of a comma, a line break or the end
//! of the file. Text behind closing quotes is wrong where the row spans lines: such quotes are rather the opening ones of a
//! later row, and those before them were never closed. In one line such text does no harm.

use memchr::{memchr, memchr2, memchr3};

/// Whether the quotes of a row are right.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Quotes {
    /// They are; the row has this number of bytes, its line break included.
    Right {
        /// The bytes.
        end: usize,
    },
    /// They are not.
    Wrong {
        /// How many bytes were looked at. Up to there they do not end.
        at: usize,
    },
    /// More bytes are needed.
    Unknown,
}

/// What ends the bytes that are looked at.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum End {
    /// The file.
    File,
    /// The range; more bytes may come.
    Range,
    /// The limit; no more bytes are looked at.
    Limit,
}

/// Follows the quotes of the row that begins here.
pub(super) fn follow(bytes: &[u8], end: End) -> Quotes {
    let cut = match end {
        End::Range => Quotes::Unknown,
        End::File | End::Limit => Quotes::Wrong { at: bytes.len() },
    };
    let (mut at, mut spans_lines, mut has_text) = (0, false, false);
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let Some(cell) = cell_end(rest) else { return cut };
        spans_lines |= rest.get(..cell).is_some_and(|cell| memchr2(b'\r', b'\n', cell).is_some());
        at += cell;
        let is_separator = |byte: &u8| matches!(byte, b',' | b'\r' | b'\n');
        has_text |= bytes.get(at).is_some_and(|byte| !is_separator(byte));
        if spans_lines && has_text {
            return Quotes::Wrong { at };
        }
        at += separator(bytes.get(at..).unwrap_or_default());
        match (bytes.get(at), bytes.get(at + 1)) {
            (Some(b','), _) => at += 1,
            (Some(b'\r'), Some(b'\n')) => return Quotes::Right { end: at + 2 },
            (Some(b'\r'), None) if end != End::File => return cut,
            (Some(_), _) => return Quotes::Right { end: at + 1 },
            (None, _) if end == End::File => return Quotes::Right { end: at },
            (None, _) => return cut,
        }
    }
}

/// Whether a whole row spans lines and has text behind closing quotes.
pub(super) fn has_text_behind_quotes(row: &[u8]) -> bool {
    let row = row.trim_ascii_end();
    memchr2(b'\r', b'\n', row).is_some() && matches!(follow(row, End::File), Quotes::Wrong { .. })
}

/// Where a cell ends that begins here; `None` if its quotes are not closed.
fn cell_end(bytes: &[u8]) -> Option<usize> {
    if bytes.first() != Some(&b'"') {
        return Some(separator(bytes));
    }
    let mut at = 1;
    loop {
        at += memchr(b'"', bytes.get(at..)?)? + 1;
        if bytes.get(at) != Some(&b'"') {
            return Some(at);
        }
        at += 1;
    }
}

/// Where the first comma or line break is; the end if there is none.
fn separator(bytes: &[u8]) -> usize {
    memchr3(b',', b'\r', b'\n', bytes).unwrap_or(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_followed_to_the_end_of_their_row() {
        for (text, end) in [
            ("a,b\nc", 4),
            ("a,b\r\nc", 5),
            ("a,\"b\nc\",d\ne", 10),
            ("\"a\"\"\n\"\"\"\ne", 9),
            ("a\"b,\"c\n\"\re", 9),
            ("\"a\"b,c\nd", 7),
            ("a,\"b\nc\"", 7),
            ("", 0),
        ] {
            assert_eq!(follow(text.as_bytes(), End::File), Quotes::Right { end }, "{text:?}");
        }
    }

    #[test]
    fn quotes_that_are_not_closed_in_front_of_a_separator_are_wrong() {
        for text in ["\"a\n", "\"a\n\"\"", "a,\"b\n3,\"c\",d\n", "\"a\n\",\"b\"c\n", "\"a\"b,\"c\n\"\n"] {
            assert!(matches!(follow(text.as_bytes(), End::File), Quotes::Wrong { .. }), "{text:?}");
        }
    }

    #[test]
    fn what_is_cut_off_is_not_guessed_at() {
        for text in ["a", "a,", "\"a\n", "\"a\n\"", "a\r", "\"a\n\"\r"] {
            assert_eq!(follow(text.as_bytes(), End::Range), Quotes::Unknown, "{text:?}");
            assert_eq!(follow(text.as_bytes(), End::Limit), Quotes::Wrong { at: text.len() }, "{text:?}");
        }
    }
}
