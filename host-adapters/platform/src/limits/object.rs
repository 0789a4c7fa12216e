//! Objects' keys, and how much one call moves: S3's limits, and ours where it has none.

use super::{invalid, too_large};
use crate::Result;
use host_adapters_records::objects::{ByteRange, List, MAX_RANGE_BYTES};

/// The longest key (Amazon S3 User Guide, "Naming Amazon S3 objects").
const MAX_KEY_BYTES: usize = 1024;
/// The most bytes of a put, ours: as many as a call reads.
pub const MAX_PUT_BYTES: usize = MAX_RANGE_BYTES as usize;
/// The most objects of a page, S3's.
pub const MAX_LIMIT: u32 = 1_000;

/// The longest etag that may be asked for, ours: S3's have 34 to 38 bytes.
const MAX_ETAG_BYTES: usize = 1024;

/// A checked key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ObjectKey(String);

impl ObjectKey {
    /// Checks a key. S3 takes any text; but control characters cannot be written in its lists, its SDK sends no key of
    /// blanks alone, and programs on the way resolve the names `.` and `..`, so that another object would be meant.
    ///
    /// # Errors
    /// When no backend takes it.
    pub fn parse(key: String) -> Result<Self> {
        check_text("a key", &key)?;
        if key.trim().is_empty() {
            return Err(invalid("a key is empty, or nothing but blanks; write 1 to 1,024 bytes"));
        }
        match key.split('/').find(|name| [".", ".."].contains(name)) {
            Some(name) => Err(invalid(format!("the key `{key}` holds the name `{name}`; write it without"))),
            None => Ok(Self(key)),
        }
    }

    /// The key.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A checked list.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ObjectQuery {
    /// What the keys begin with.
    pub prefix: String,
    /// The keys are behind this one.
    pub after: Option<String>,
    /// At most this many, 1 to [`MAX_LIMIT`].
    pub limit: u32,
}

impl ObjectQuery {
    /// Checks what a page is asked for.
    ///
    /// # Errors
    /// When the limit is out of range, or the prefix or the place could be of no key.
    pub fn parse(List { prefix, after, limit, .. }: List) -> Result<Self> {
        check_text("a prefix", &prefix)?;
        // It may be the key of another program, which holds what no key here does.
        after.as_deref().map_or(Ok(()), |after| check_size("`after`", after))?;
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err(invalid(format!("limit = {limit}; write 1 to {MAX_LIMIT}")));
        }
        Ok(Self { prefix, after, limit })
    }
}

/// Checks that one call may read so much.
///
/// # Errors
/// When it may not.
pub fn check_range(range: ByteRange) -> Result<ByteRange> {
    match range.length {
        0..=MAX_RANGE_BYTES => Ok(range),
        bytes => Err(too_large(format!("a range of {bytes} bytes; the most is {MAX_RANGE_BYTES}"))),
    }
}

/// Whether an etag can be that of a version. An empty one is of none, and others cannot be asked for in the header
/// `If-Match` (RFC 9110, 8.8.3).
pub fn is_etag(etag: &str) -> bool {
    (1..=MAX_ETAG_BYTES).contains(&etag.len()) && etag.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'"')
}

/// Checks that one call may write so much.
///
/// # Errors
/// When it may not.
pub fn check_content(content: &[u8]) -> Result<()> {
    match content.len() {
        0..=MAX_PUT_BYTES => Ok(()),
        bytes => Err(too_large(format!("an object of {bytes} bytes; the most is {MAX_PUT_BYTES}"))),
    }
}

/// XML, in which S3 lists keys, has neither control characters nor U+FFFE and U+FFFF.
fn check_text(what: &str, text: &str) -> Result<()> {
    check_size(what, text)?;
    let wrong = text.chars().find(|it| it.is_control() || ['\u{fffe}', '\u{ffff}'].contains(it));
    wrong.map_or(Ok(()), |wrong| Err(invalid(format!("{what} holds the character {}", wrong.escape_unicode()))))
}

fn check_size(what: &str, text: &str) -> Result<()> {
    match text.len() {
        0..=MAX_KEY_BYTES => Ok(()),
        bytes => Err(invalid(format!("{what} of {bytes} bytes; the most is {MAX_KEY_BYTES}"))),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use host_adapters_records::{ErrorKind, Weight};

    #[test]
    fn keys_are_those_of_s3_that_mean_one_object_everywhere() {
        let longest = "k".repeat(MAX_KEY_BYTES);
        for key in
            ["a", "a/b", "a//b", "/a", "a/", "...", "a..b/.c", " a ", "ü/👍", "a%2Fb", "a+b", "\u{301}e", &longest]
        {
            assert_eq!(ObjectKey::parse(key.to_owned()).unwrap().as_str(), key);
        }
        let long = "ü".repeat(MAX_KEY_BYTES / 2) + "k";
        for key in ["", " ", ".", "..", "../a", "a/../b", "a/.", "a\0", "a\nb", "\u{7f}", "\u{85}", "\u{ffff}", &long] {
            assert_eq!(ObjectKey::parse(key.to_owned()).unwrap_err().kind, ErrorKind::Invalid, "{key:?}");
        }
    }

    #[test]
    fn a_list_has_a_limit_and_a_place_that_keys_can_have() {
        let list = |prefix: &str, after: Option<&str>, limit| List {
            bucket: "b".into(),
            prefix: prefix.into(),
            after: after.map(str::to_owned),
            limit,
        };
        for good in [list("", None, 1), list("..", Some("a/"), MAX_LIMIT), list("", Some("\u{1}"), 1)] {
            assert!(ObjectQuery::parse(good).is_ok());
        }
        let long = "k".repeat(MAX_KEY_BYTES + 1);
        for wrong in [
            list("", None, 0),
            list("", None, MAX_LIMIT + 1),
            list("\0", None, 1),
            list(&long, None, 1),
            list("", Some(&long), 1),
        ] {
            assert_eq!(ObjectQuery::parse(wrong).unwrap_err().kind, ErrorKind::Invalid);
        }
    }

    #[test]
    fn an_etag_can_be_sent_in_a_header() {
        let longest = "e".repeat(MAX_ETAG_BYTES);
        for etag in ["d41d8cd98f00b204e9800998ecf8427e-12", "W/x", "*", "a b~", &longest] {
            assert!(is_etag(etag), "{etag:?}");
        }
        let long = "e".repeat(MAX_ETAG_BYTES + 1);
        for etag in
            ["", "a\nb", "a\r\nHost: b", "\0", "\u{7f}", "\"", "\"a\"", "a\", \"b", "ü", &long, &"e".repeat(100 << 10)]
        {
            assert!(!is_etag(etag), "{etag:?}");
        }
    }

    #[test]
    fn a_call_moves_4_mib() {
        let range = |length| ByteRange { offset: u64::MAX, length };
        assert!(check_range(range(0)).is_ok() && check_range(range(MAX_RANGE_BYTES)).is_ok());
        for length in [MAX_RANGE_BYTES + 1, 1_000_000_000, u32::MAX] {
            assert_eq!(check_range(range(length)).unwrap_err().kind, ErrorKind::TooLarge);
            assert!(range(length).weight() < 100, "it is refused, and not held back");
        }
        assert!(range(MAX_RANGE_BYTES).weight() > MAX_PUT_BYTES, "the answer is weighed");
        assert!(check_content(&vec![0; MAX_PUT_BYTES]).is_ok());
        assert_eq!(check_content(&vec![0; MAX_PUT_BYTES + 1]).unwrap_err().kind, ErrorKind::TooLarge);
    }
}
