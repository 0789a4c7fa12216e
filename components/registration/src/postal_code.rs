//! The canonical form of postal codes, by country.
//!
//! A code is compared by its letters and digits only, and written with the separators of its country. The formats are
//! those of Google's libaddressinput (`data/postal-codes.py`). Whether a code is in use is not checked.

use crate::country::Country;
use crate::text;
use regex_lite::Regex;
use rlibphonenumber::PHONE_NUMBER_UTIL;
use std::sync::OnceLock;

/// Longest code where no format is known, with separators, in characters (Universal Postal Union: Iran and the USA have
/// ten).
const MAX_LENGTH: usize = 10;

/// The canonical form of a postal code; `None` if the country has no such code.
///
/// Where there are no postal codes, or without a country, everything is accepted that looks like one: many forms require
/// one everywhere.
pub fn canonical(code: &str, country: Option<Country>) -> Option<String> {
    let code = latin(code)?;
    match country.and_then(|country| Some((country, country.postal_codes()?))) {
        Some((country, format)) => {
            let symbols: String = code.chars().filter(|symbol| !is_separator(*symbol)).collect();
            // From abroad, the country is written in front of the code: CH-8001.
            format.write(&symbols).or_else(|| format.write(symbols.strip_prefix(country.code())?))
        }
        None => elsewhere(&code),
    }
}

/// Whether the country has postal codes; one that is not known does.
pub(crate) fn exist_in(country: Option<Country>) -> bool {
    country.is_none_or(|country| country.postal_codes().is_some())
}

/// Reads the table of formats and compiles that of the USA.
pub(crate) fn warm_up() {
    // The result does not matter, only what it loads.
    let _ = canonical("90210", Country::read("US"));
}

/// The code with capitals and ASCII digits; `None` if it has other characters than letters, digits and separators.
fn latin(code: &str) -> Option<String> {
    // A superscript or a fraction is not meant as a digit, but would be folded into one.
    if code.chars().any(|symbol| symbol.is_numeric() && digit(symbol).is_none()) {
        return None;
    }
    let code = text::folded(code);
    let latin = code.chars().map(|symbol| match symbol {
        symbol if symbol.is_ascii_alphanumeric() => Some(symbol.to_ascii_uppercase()),
        symbol if is_separator(symbol) => Some(symbol),
        symbol => digit(symbol),
    });
    latin.collect()
}

/// The ASCII digit that a decimal digit of any script is.
fn digit(symbol: char) -> Option<char> {
    PHONE_NUMBER_UTIL.normalize_digits_only(symbol.encode_utf8(&mut [0; 4])).chars().next()
}

/// Of the blanks and dashes only these are left; Japanese keyboards write the last one for a dash.
fn is_separator(symbol: char) -> bool {
    matches!(symbol, ' ' | '-' | 'ー')
}

/// Accepts letters, digits and separators.
fn elsewhere(code: &str) -> Option<String> {
    let code = code.split_whitespace().collect::<Vec<_>>().join(" ");
    let plausible = (2..=MAX_LENGTH).contains(&code.len()) && code.chars().any(|symbol| symbol.is_ascii_alphanumeric());
    plausible.then_some(code)
}

/// The format of a country's codes. Its expressions are compiled with the country's first code.
#[derive(Debug)]
pub(crate) struct Format {
    pattern: &'static str,
    layout: &'static str,
    replacement: &'static str,
    compiled: OnceLock<Option<[Regex; 2]>>,
    #[cfg(test)]
    example: &'static str,
}

impl Format {
    /// Reads the columns of a row behind the country.
    pub(crate) fn parse(columns: &'static str) -> Option<Self> {
        let mut columns = columns.split('\t');
        let (pattern, layout, replacement) = (columns.next()?, columns.next()?, columns.next()?);
        Some(Self {
            pattern,
            layout,
            replacement,
            compiled: OnceLock::new(),
            #[cfg(test)]
            example: columns.next()?,
        })
    }

    /// The code with these letters and digits, with its separators.
    fn write(&self, symbols: &str) -> Option<String> {
        let compiled = self.compiled.get_or_init(|| Some([whole(self.pattern)?, whole(self.layout)?]));
        let [pattern, layout] = compiled.as_ref()?;
        // Codes that the layout does not match have no separators.
        pattern.is_match(symbols).then(|| layout.replace(symbols, self.replacement).into_owned())
    }
}

/// An expression for all of a text. A test compiles each that there is.
fn whole(expression: &str) -> Option<Regex> {
    Regex::new(&format!("^(?:{expression})$")).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::string::string_regex;

    #[track_caller]
    fn check(country: &str, code: &str, expected: Option<&str>) {
        let country = Country::read(country).unwrap();
        assert_eq!(canonical(code, Some(country)).as_deref(), expected, "{code:?} in {country:?}");
    }

    #[test]
    fn united_states() {
        check("US", " 90210 ", Some("90210"));
        check("us", "902101234", Some("90210-1234"));
        check("US", "90210 1234", Some("90210-1234"));
        check("PR", "00901-0001", Some("00901-0001"));
        for wrong in ["", "9021", "9021O", "90210-12", "90210-12345"] {
            check("US", wrong, None);
        }
    }

    #[test]
    fn canada() {
        check("CA", "k1a0b1", Some("K1A 0B1"));
        check("CA", "K1A-0B1", Some("K1A 0B1"));
        check("CA", "K1A 0BB", None);
    }

    #[test]
    fn united_kingdom() {
        for (code, expected) in
            [("sw1a1aa", "SW1A 1AA"), ("M1 1AE", "M1 1AE"), ("b338th", "B33 8TH"), ("gir0aa", "GIR 0AA")]
        {
            check("GB", code, Some(expected));
        }
        check("GB", "SW1A 1A", None);
        check("GB", "12345", None);
        check("UK", "bfpo61", Some("BFPO 61"));
    }

    #[test]
    fn other_countries_are_trimmed_and_upper_cased() {
        check("NL", " 1012  ab ", Some("1012 AB"));
        check("DE", "10115", Some("10115"));
        check("BR", "01310-100", Some("01310-100"));
        for wrong in ["", " ", "-", "--", "1", "12345678901", "12_34", "<b>"] {
            check("DE", wrong, None);
        }
        assert_eq!(canonical(" 90210 ", None).as_deref(), Some("90210"));
    }

    #[test]
    fn point_10_postal_codes_of_every_country() {
        check("NL", "1012ab", Some("1012 AB"));
        check("DE", "HELLO", None);
        check("NL", "HELLO", None);
        check("JP", "\u{ff11}\u{ff15}\u{ff14}\u{ff0d}\u{ff10}\u{ff10}\u{ff12}\u{ff13}", Some("154-0023"));
        check("JP", "154ー0023", Some("154-0023"));
        check("US", "９０２１０", Some("90210"));
        check("SA", "١١٥٦٤", Some("11564"));
        check("SE", "114\u{a0}55", Some("114 55"));
        check("SE", "11455", Some("114 55"));
        check("PL", "00\u{2013}950", Some("00-950"));
        check("PT", "2725079", Some("2725-079"));
        check("LV", "1073", Some("LV-1073"));
        check("LV", "lv 1073", Some("LV-1073"));
        check("CH", "CH-8001", Some("8001"));
        check("IE", "a65f4e2", Some("A65 F4E2"));
        check("FR", "75 008", Some("75008"));
        check("PE", "lima 23", Some("LIMA 23"));
        // Not "1015": the last one is a note's mark.
        check("CH", "101\u{2075}", None);
        check("CH", "8001½", None);
    }

    #[test]
    fn point_10_countries_without_postal_codes_take_what_looks_like_one() {
        check("HK", " 999077 ", Some("999077"));
        check("AE", "00000", Some("00000"));
        check("AE", "n/a", None);
        assert!(!exist_in(Country::read("HK")) && exist_in(Country::read("DE")) && exist_in(None));
    }

    fn formats() -> impl Iterator<Item = (Country, &'static Format)> {
        Country::all().filter_map(|country| Some((country, country.postal_codes()?)))
    }

    #[test]
    fn the_example_of_every_country_is_canonical() {
        assert!(formats().count() > 180, "{}", formats().count());
        for (country, format) in formats() {
            let expected = Some(format.example.to_owned());
            assert_eq!(canonical(format.example, Some(country)), expected, "{country:?}");
            assert!(format.compiled.get().unwrap().is_some(), "{country:?}");
        }
    }

    /// A country, one of its codes, and the code as a fan might write it.
    fn any_code() -> impl Strategy<Value = (Country, String, String)> {
        let formats: Vec<_> = formats().map(|(country, format)| (country, format.pattern)).collect();
        let code = proptest::sample::select(formats).prop_flat_map(|(country, pattern)| {
            (Just(country), string_regex(&pattern.replace("\\d", "[0-9]")).unwrap())
        });
        let style = (0..3_u8, "[ \u{a0}\u{200b}\u{2011}-]{0,2}", any::<proptest::sample::Index>());
        (code, style).prop_map(|((country, code), (width, separator, place))| {
            let (start, end) = code.split_at(place.index(code.len()));
            let written = format!("{start}{separator}{end}");
            let written = match width {
                0 => written.to_ascii_lowercase(),
                1 => written.chars().map(wide).collect(),
                _ => written,
            };
            (country, code, written)
        })
    }

    fn wide(symbol: char) -> char {
        match symbol {
            '!'..='~' => char::from_u32(u32::from(symbol) + 0xfee0).unwrap(),
            symbol => symbol,
        }
    }

    proptest! {
        #[test]
        fn canonical_twice_changes_nothing(
            code in "[ a-zA-Z0-9-]{0,12}|\\PC{0,12}",
            country in proptest::option::of(prop_oneof![Just("US"), Just("CA"), Just("GB"), Just("DE"), Just("??")]),
        ) {
            let country = country.and_then(Country::read);
            if let Some(once) = canonical(&code, country) {
                prop_assert_eq!(canonical(&once, country), Some(once));
            }
        }

        #[test]
        fn every_zip_code_is_accepted(code in "[0-9]{5}(-[0-9]{4})?") {
            prop_assert_eq!(canonical(&code, Country::read("US")), Some(code));
        }

        #[test]
        fn a_code_has_one_form_however_it_is_written((country, code, written) in any_code()) {
            let once = canonical(&code, Some(country));
            prop_assert!(once.is_some(), "{} in {:?}", code, country);
            prop_assert_eq!(canonical(&written, Some(country)), once.clone(), "{:?}", written);
            prop_assert_eq!(canonical(once.as_deref().unwrap(), Some(country)), once);
        }
    }
}
