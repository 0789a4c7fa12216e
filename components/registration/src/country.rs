//! Countries, which determine how phone numbers and postal codes are read.

use crate::postal_code::Format;
use crate::text;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Made by `data/postal-codes.py`, which says from what.
const TABLE: &str = include_str!("../data/postal-codes.tsv");

/// All countries, with the format of their postal codes if they have any.
static COUNTRIES: LazyLock<BTreeMap<&str, Option<Format>>> = LazyLock::new(|| {
    let rows = TABLE.lines().filter(|line| !line.starts_with('#'));
    rows.map(|row| row.split_once('\t').map_or((row, None), |(code, format)| (code, Format::parse(format)))).collect()
});

/// A country or territory of ISO 3166-1.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Country(&'static str);

impl Country {
    /// Reads an alpha-2 code in any case. `UK` and `EL`, which the European Union writes, are `GB` and `GR`.
    pub fn read(code: &str) -> Option<Self> {
        let code = text::folded(code).to_ascii_uppercase();
        let code = match code.as_str() {
            "UK" => "GB",
            "EL" => "GR",
            code => code,
        };
        COUNTRIES.get_key_value(code).map(|(code, _)| Self(code))
    }

    /// Its alpha-2 code.
    pub fn code(self) -> &'static str {
        self.0
    }

    /// The format of its postal codes; `None` if it has none.
    pub(crate) fn postal_codes(self) -> Option<&'static Format> {
        COUNTRIES.get(self.0)?.as_ref()
    }

    #[cfg(test)]
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        COUNTRIES.keys().map(|code| Self(code))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_as_people_write_them() {
        for (code, expected) in [
            ("US", Some("US")),
            (" us\u{200b}", Some("US")),
            ("ＵＳ", Some("US")),
            ("UK", Some("GB")),
            ("el", Some("GR")),
            ("XK", Some("XK")),
            ("", None),
            ("XX", None),
            ("USA", None),
            ("001", None),
            ("é", None),
        ] {
            assert_eq!(Country::read(code).map(Country::code), expected, "{code:?}");
        }
    }

    #[test]
    fn every_country_that_has_phones_is_known() {
        for region in rlibphonenumber::PHONE_NUMBER_UTIL.get_supported_regions() {
            assert!(Country::read(&region.to_string()).is_some(), "{region}");
        }
        assert!(Country::all().count() > 249, "ISO 3166-1 alone has 249");
    }
}
