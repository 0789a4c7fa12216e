//! Which of two files is the later one.

use serde::{Deserialize, Serialize, Serializer};
use std::sync::Arc;

/// The `sequencer` of an object's event: a hexadecimal number of any length.
///
/// S3 compares two of them as texts, of which the shorter one has zeros behind it ("right pad the shorter value with
/// zeros, and then do a lexicographic comparison", Amazon S3: event message structure). An event without one is the
/// earliest.
#[derive(Clone, Debug, Default, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(from = "String")]
pub struct Sequencer(SharedText);

impl Sequencer {
    /// Reads one in any case.
    pub fn new(hexadecimal: &str) -> Self {
        // Without zeros at the end, texts are in the order of padded texts.
        Self(hexadecimal.trim().trim_end_matches('0').to_ascii_uppercase().into())
    }

    /// The text by which they are ordered, which is what is stored.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl From<String> for Sequencer {
    fn from(hexadecimal: String) -> Self {
        Self::new(&hexadecimal)
    }
}

/// A text that all records of a file have: they share one copy.
#[derive(Clone, Debug, Default, Deserialize, Eq, Ord, PartialEq, PartialOrd)]
#[serde(from = "String")]
pub struct SharedText(Arc<str>);

impl SharedText {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for SharedText {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl Serialize for SharedText {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0)
    }
}

/// A file, as its event names it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct File {
    /// The bucket.
    pub bucket: String,
    /// The key, decoded.
    pub key: String,
    /// The version that is read.
    pub etag: String,
    /// Its place among the files.
    pub sequencer: Sequencer,
}

impl File {
    /// `<bucket>/<key>`.
    pub fn name(&self) -> String {
        [&self.bucket, "/", &self.key].concat()
    }
}

/// What all records of a file have.
#[derive(Clone, Debug)]
pub struct Origin {
    /// [`File::name`].
    pub file: SharedText,
    /// Its place among the files.
    pub sequencer: Sequencer,
}

impl Origin {
    /// That of a file.
    pub fn of(file: &File) -> Self {
        Self { file: file.name().into(), sequencer: file.sequencer.clone() }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_later_file_has_the_greater_sequencer() {
        // `cases/later` L03.
        assert!(Sequencer::new("0065000000000000A1") < Sequencer::new("0065000000000000A2"));
        for (earlier, later) in [("", "1"), ("0055AED6DCD90281E5", "0055AED6DCD90281E6"), ("55", "551"), ("5F", "6")] {
            assert!(Sequencer::new(earlier) < Sequencer::new(later), "{earlier} {later}");
        }
    }

    #[test]
    fn the_same_event_has_the_same_sequencer_however_it_is_spelled() {
        for (a, b) in [("00ab", "00AB"), ("00AB", "00AB00"), ("0", "")] {
            assert_eq!(Sequencer::new(a), Sequencer::new(b));
        }
        let stored = serde_json::to_string(&Sequencer::new("00ab00")).unwrap();
        assert_eq!(stored, r#""00AB""#);
        assert_eq!(serde_json::from_str::<Sequencer>(&stored).unwrap(), Sequencer::new("00ab"));
    }

    proptest! {
        #[test]
        fn sequencers_are_compared_as_padded_texts(a in "[0-9A-F]{0,6}", b in "[0-9A-F]{0,6}") {
            let padded = |text: &str| format!("{text:0<6}");
            prop_assert_eq!(Sequencer::new(&a).cmp(&Sequencer::new(&b)), padded(&a).cmp(&padded(&b)));
        }
    }
}
