//! Telephone numbers, in E.164.
//!
//! A number is accepted if libphonenumber parses it and finds it *possible*: of a length that the numbering plan of its
//! country has. Whether the range is in use is not checked: ranges open up every month, and the documents' own
//! `+15551234567` is not in use. A number that can be dialled only within its town has no E.164 form and is refused.

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

/// The E.164 form of a number in any notation. National notations are read by `country` (ISO 3166-1 alpha-2, in any
/// case).
pub fn normalise(number: &str, country: Option<&str>) -> Result<String, PhoneError> {
    if number.len() > MAX_INPUT {
        return Err(PhoneError::NotANumber);
    }
    let number = PHONE_NUMBER_UTIL.parse(number, country.and_then(region)).map_err(|_| PhoneError::NotANumber)?;
    let length = PHONE_NUMBER_UTIL.is_possible_number_with_reason(&number);
    if length != Ok(NumberLengthType::IsPossible) || !reads_back(&number) {
        return Err(PhoneError::NotPossible);
    }
    Ok(PHONE_NUMBER_UTIL.format(&number, PhoneNumberFormat::E164).into_owned())
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
        let _ = normalise(notation, Some("US"));
    }
}

fn region(country: &str) -> Option<Region> {
    Region::from_code(&country.trim().to_ascii_uppercase()).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(number: &str, country: Option<&str>, expected: Result<&str, PhoneError>) {
        assert_eq!(
            normalise(number, country).as_deref().map_err(|error| *error),
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
                assert_eq!(normalise(&written, Some(&country)), expected, "{written} in {country}");
            }
        }
    }

    proptest! {
        #[test]
        fn normalising_twice_changes_nothing(
            number in "[+]?[0-9 ()-]{5,16}|\\PC{0,20}",
            country in proptest::option::of(prop_oneof![Just("US"), Just("GB"), Just("DE"), Just("IT"), Just("MX"), Just("AR")]),
        ) {
            if let Ok(once) = normalise(&number, country) {
                prop_assert_eq!(normalise(&once, country), Ok(once.clone()));
                prop_assert_eq!(normalise(&once, None), Ok(once));
            }
        }

        #[test]
        fn every_ten_digit_us_number_is_possible(number in "[2-9][0-9]{2}[2-9][0-9]{6}") {
            prop_assert_eq!(normalise(&number, Some("US")), Ok(format!("+1{number}")));
        }
    }
}
