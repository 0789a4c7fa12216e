//! Telephone numbers, in E.164.
//!
//! A number is accepted if libphonenumber parses it and finds it *possible*: of a length that the numbering plan of its
//! country has. Whether the range is in use is not checked: ranges open up every month, and the documents' own
//! `+15551234567` is not in use. A number that can be dialled only within its town has no E.164 form and is refused.
//!
//! Invisible characters are removed first. No text may become another fan's number: letters among the digits, which
//! libphonenumber drops or reads as digits, are refused.

use crate::{country::Country, text};
use rlibphonenumber::{NumberLengthType, PHONE_NUMBER_UTIL, PhoneNumber, PhoneNumberFormat, Region};

/// Longest text that is parsed, in bytes, as in libphonenumber; numbers are far shorter.
const MAX_INPUT: usize = 250;

/// Why a text is not accepted as a telephone number. Never contains the number itself, so that it can be logged.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PhoneError {
    /// libphonenumber finds no number in it, or there is no country to read it by.
    #[error("not a phone number, or a national one without a known countryCode")]
    NotANumber,
    /// No number of the country has this length or beginning.
    #[error("not a possible phone number of its country")]
    NotPossible,
}

/// The E.164 form of a number in any notation. National notations are read by `country`.
pub fn normalise(number: &str, country: Option<Country>) -> Result<String, PhoneError> {
    let text = text::visible(number);
    if text.len() > MAX_INPUT {
        return Err(PhoneError::NotANumber);
    }
    let number = PHONE_NUMBER_UTIL.parse(&text, country.and_then(region)).map_err(|_| PhoneError::NotANumber)?;
    if !letters_are_meant(&text, !number.extension().is_empty()) {
        return Err(PhoneError::NotANumber);
    }
    let length = PHONE_NUMBER_UTIL.is_possible_number_with_reason(&number);
    if length != Ok(NumberLengthType::IsPossible) || !reads_back(&number) {
        return Err(PhoneError::NotPossible);
    }
    Ok(PHONE_NUMBER_UTIL.format(&number, PhoneNumberFormat::E164).into_owned())
}

/// Whether letters stand only before the number (`tel:`), in its extension, or as its end, spelt for dialling
/// (`1-800-FLOWERS`).
fn letters_are_meant(text: &str, has_extension: bool) -> bool {
    let digit = |c: char| c.is_numeric();
    // Behind a semicolon are the parameters of an address (RFC 3966). Brazil writes `xx` for a carrier to choose.
    let number = text.split(';').next().unwrap_or_default().replace("xx", " ");
    let number = number.trim_start_matches(|c| !digit(c) && c != '+');
    let number = match has_extension {
        true => number.trim_end_matches(|c| !digit(c)).trim_end_matches(digit).trim_end_matches(|c| !digit(c)),
        false => number,
    };
    let spelt = number.find(char::is_alphabetic).map(|start| number.split_at(start).1);
    // libphonenumber reads three letters or more as digits and drops fewer.
    spelt.is_none_or(|end| !end.contains(digit) && end.chars().filter(|c| c.is_alphabetic()).count() >= 3)
}

/// Whether the E.164 form is read as the same number. If leading zeros are left that numbers of this country do not
/// have (`00 30 901820` dialled in Germany), it would be read as another number.
fn reads_back(number: &PhoneNumber) -> bool {
    let read = || PHONE_NUMBER_UTIL.parse(PHONE_NUMBER_UTIL.format(number, PhoneNumberFormat::E164), None);
    !number.italian_leading_zero() || read().is_ok_and(|read| read == *number)
}

/// Loads the metadata of all countries and compiles the expressions that every number needs; those of a country are
/// compiled with its first number, in microseconds. (With `regex-lite`. The expressions of `regex` are ten times as
/// fast, but take milliseconds and a megabyte for each country.)
pub(crate) fn warm_up() {
    for notation in ["+15551234567", "(555) 123-4567"] {
        // The result does not matter, only what it loads.
        let _ = normalise(notation, Country::read("US"));
    }
}

fn region(country: Country) -> Option<Region> {
    Region::from_code(country.code()).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(number: &str, country: Option<&str>, expected: Result<&str, PhoneError>) {
        assert_eq!(
            normalise(number, country.and_then(Country::read)).as_deref().map_err(|error| *error),
            expected,
            "{number:?} in {country:?}"
        );
    }

    #[test]
    fn the_documents_own_number_is_possible() {
        check("+15551234567", None, Ok("+15551234567"));
        check("+15551234567", Some("US"), Ok("+15551234567"));
    }

    #[test]
    fn national_notations_are_read_by_the_country() {
        check("(555) 123-4567", Some("US"), Ok("+15551234567"));
        check("1-555-123-4567", Some("us"), Ok("+15551234567"));
        check("020 7946 0018", Some("GB"), Ok("+442079460018"));
        check("030 901820", Some("DE"), Ok("+4930901820"));
        check("+44 20 7946 0018", Some("US"), Ok("+442079460018"));
    }

    #[test]
    fn national_notations_need_a_country() {
        for country in [None, Some(""), Some("XX"), Some("USA"), Some("001"), Some("é")] {
            check("555 123 4567", country, Err(PhoneError::NotANumber));
        }
    }

    #[test]
    fn a_text_that_is_not_a_number_is_refused() {
        for text in ["", " ", "phone", "+", "+999 123", &"5".repeat(300)] {
            check(text, Some("US"), Err(PhoneError::NotANumber));
        }
        for text in ["123", "555123456", "+1555123456", "+155512345678"] {
            check(text, Some("US"), Err(PhoneError::NotPossible));
        }
    }

    #[test]
    fn a_number_that_only_its_town_can_dial_is_refused() {
        check("555-1234", Some("US"), Err(PhoneError::NotPossible));
    }

    #[test]
    fn zeros_that_no_number_of_the_country_begins_with_are_refused() {
        for text in ["000000", "0030 901820", "+49 0030 901820"] {
            check(text, Some("DE"), Err(PhoneError::NotPossible));
        }
        check("06 698 12345", Some("IT"), Ok("+390669812345"));
    }

    #[test]
    fn the_example_of_every_country_is_accepted_in_every_notation() {
        for region in PHONE_NUMBER_UTIL.get_supported_regions() {
            let country = region.to_string();
            let example = PHONE_NUMBER_UTIL.get_example_number(region).unwrap();
            let expected = Ok(example.to_string());
            for notation in [PhoneNumberFormat::E164, PhoneNumberFormat::International, PhoneNumberFormat::National] {
                let written = example.format_as(notation);
                assert_eq!(normalise(&written, Country::read(&country)), expected, "{written} in {country}");
            }
        }
    }

    /// The numbers of a file of cases: each becomes what is `right`, or is refused.
    fn cases(file: &str) {
        for line in file.lines() {
            let case: serde_json::Value = serde_json::from_str(line).unwrap();
            let text = |name: &str| case.get(name).and_then(serde_json::Value::as_str);
            let normalised = normalise(text("phone").unwrap(), text("country").and_then(Country::read)).ok();
            assert_eq!(normalised.as_deref(), text("right").filter(|right| right.starts_with('+')), "{case}");
        }
    }

    #[test]
    fn case_19_characters_that_nobody_sees() {
        cases(include_str!("../../../tests/fixtures/phones/invisible.jsonl"));
    }

    #[test]
    fn case_20_numbering_plans() {
        cases(include_str!("../../../tests/fixtures/phones/plans.jsonl"));
    }

    #[test]
    fn case_20_letters_are_read_only_where_they_are_meant() {
        for (text, expected) in [
            ("1-800-FLOWERS", "+18003569377"),
            ("1-800-GO-FEDEX", "+18004633339"),
            ("Phone: (555) 123-4567", "+15551234567"),
            ("555-123-4567 ext. 89", "+15551234567"),
            ("555-123-4567 x89", "+15551234567"),
            ("tel:555-123-4567;phone-context=+1", "+15551234567"),
        ] {
            check(text, Some("US"), Ok(expected));
        }
        check("0 xx 11 96123-4567", Some("BR"), Ok("+5511961234567"));
        for text in [
            "a53055a51212a",
            "53055a51212",
            "530551212a",
            "5305551212ab",
            "555-123-456O",
            "55S-123-4567",
            "53055a51212 x5",
            "555-123-4567б",
            "555-123-4567²",
        ] {
            assert!(normalise(text, Country::read("US")).is_err(), "{text}");
        }
    }

    const MARKS: &[&str] = &[
        "\u{200b}", "\u{200c}", "\u{200d}", "\u{200e}", "\u{200f}", "\u{2060}", "\u{feff}", "\u{ad}", "\u{fe0e}",
        "\u{61c}", "\u{2066}", "\u{2069}", " ", "\u{a0}", "\u{202f}", "\u{2009}", "\t", "-", "\u{2010}", "\u{2011}",
        "\u{2013}", "\u{2212}",
    ];

    proptest! {
        #[test]
        fn normalising_twice_changes_nothing(
            number in "[+]?[0-9 ()-]{5,16}|\\PC{0,20}",
            country in proptest::option::of(prop_oneof![Just("US"), Just("GB"), Just("DE"), Just("IT"), Just("MX"), Just("AR")]),
        ) {
            let country = country.and_then(Country::read);
            if let Ok(once) = normalise(&number, country) {
                prop_assert_eq!(normalise(&once, country), Ok(once.clone()));
                prop_assert_eq!(normalise(&once, None), Ok(once));
            }
        }

        #[test]
        fn what_nobody_sees_and_other_blanks_and_dashes_change_no_number(
            number in "[+]1[2-9][0-9]{9}|[+]49[1-9][0-9]{7,9}|[+]44[1-9][0-9]{9}",
            marks in proptest::collection::vec((any::<proptest::sample::Index>(), prop::sample::select(MARKS)), 0..6),
        ) {
            // Each mark stands behind a digit, as copied numbers have them.
            let mut written: Vec<String> = number.chars().map(String::from).collect();
            for (place, mark) in marks {
                written.get_mut(1 + place.index(number.len() - 1)).unwrap().push_str(mark);
            }
            let written = format!("\u{202a}{}\u{202c}", written.concat());
            prop_assert_eq!(normalise(&written, None), normalise(&number, None), "{:?}", written);
        }

        #[test]
        fn a_letter_among_the_digits_never_makes_another_number(
            number in "[2-9][0-9]{2}[2-9][0-9]{6}",
            letters in proptest::collection::vec((1..10_usize, "[a-wyzA-WYZ]{1,3}"), 1..4),
        ) {
            let mut written = number;
            for (place, letters) in letters {
                written.insert_str(place, &letters);
            }
            // Without an `x`, which would begin an extension.
            prop_assert!(normalise(&written, Country::read("US")).is_err(), "{}", written);
        }

        #[test]
        fn every_ten_digit_us_number_is_possible(number in "[2-9][0-9]{2}[2-9][0-9]{6}") {
            prop_assert_eq!(normalise(&number, Country::read("US")), Ok(format!("+1{number}")));
        }
    }
}
