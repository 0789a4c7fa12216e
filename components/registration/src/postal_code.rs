//! The canonical form of postal codes, by country.
//!
//! Countries whose codes fans write in several ways have patterns, in which `A` stands for a letter, `9` for a digit
//! and any other character for itself. A code is compared by its letters and digits only, and written with the
//! pattern's separators. Codes of other countries are trimmed, upper-cased, and accepted if they look like a postal
//! code at all. Existing crates recognise codes of a few countries and do not normalise them.

/// Longest code of any country, with separators, in characters (Universal Postal Union: Iran and the USA have ten).
const MAX_LENGTH: usize = 10;

const UNITED_STATES: &[&str] = &["99999", "99999-9999"];
const CANADA: &[&str] = &["A9A 9A9"];
const UNITED_KINGDOM: &[&str] = &["A9 9AA", "A99 9AA", "AA9 9AA", "AA99 9AA", "A9A 9AA", "AA9A 9AA", "GIR 0AA"];

/// The canonical form of a postal code; `None` if that country (ISO 3166-1 alpha-2, in any case)
/// has no such code.
pub fn canonical(code: &str, country: Option<&str>) -> Option<String> {
    let country = country.map(|country| country.trim().to_ascii_uppercase());
    match patterns(country.as_deref()) {
        Some(patterns) => {
            let symbols = symbols(code)?;
            patterns.iter().find_map(|pattern| written_as(&symbols, pattern))
        }
        None => elsewhere(code),
    }
}

/// The patterns of a country; a territory uses those of the country whose post serves it.
fn patterns(country: Option<&str>) -> Option<&'static [&'static str]> {
    match country? {
        "US" | "AS" | "GU" | "MP" | "PR" | "VI" => Some(UNITED_STATES),
        "CA" => Some(CANADA),
        "GB" | "GG" | "IM" | "JE" => Some(UNITED_KINGDOM),
        _ => None,
    }
}

/// Letters and digits of a code, upper-cased, without separators; `None` if it has other characters.
fn symbols(code: &str) -> Option<Vec<char>> {
    code.chars()
        .filter(|symbol| !is_separator(*symbol))
        .map(|symbol| symbol.is_ascii_alphanumeric().then(|| symbol.to_ascii_uppercase()))
        .collect()
}

fn is_separator(symbol: char) -> bool {
    symbol.is_whitespace() || symbol == '-'
}

/// The symbols with the pattern's separators; `None` if they do not match the pattern.
fn written_as(symbols: &[char], pattern: &str) -> Option<String> {
    let mut symbols = symbols.iter().copied();
    let written = pattern.chars().map(|expected| match expected {
        'A' => symbols.next().filter(char::is_ascii_uppercase),
        '9' => symbols.next().filter(char::is_ascii_digit),
        separator if is_separator(separator) => Some(separator),
        literal => symbols.next().filter(|symbol| *symbol == literal),
    });
    let written = written.collect::<Option<String>>()?;
    symbols.next().is_none().then_some(written)
}

/// For countries without patterns, or without a country: accepts letters, digits and single separators.
fn elsewhere(code: &str) -> Option<String> {
    let code = code.split_whitespace().collect::<Vec<_>>().join(" ").to_ascii_uppercase();
    let known = code.chars().all(|symbol| symbol.is_ascii_alphanumeric() || is_separator(symbol));
    let plausible = (2..=MAX_LENGTH).contains(&code.len()) && code.chars().any(|symbol| symbol.is_ascii_alphanumeric());
    (known && plausible).then_some(code)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(country: &str, code: &str, expected: Option<&str>) {
        assert_eq!(canonical(code, Some(country)).as_deref(), expected, "{code:?} in {country}");
    }

    #[test]
    fn united_states() {
        check("US", " 90210 ", Some("90210"));
        check("us", "902101234", Some("90210-1234"));
        check("US", "90210 1234", Some("90210-1234"));
        check("PR", "00901-0001", Some("00901-0001"));
        for wrong in ["", "9021", "9021O", "90210-12", "90210-12345", "９０２１０"] {
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

    proptest! {
        #[test]
        fn canonical_twice_changes_nothing(
            code in "[ a-zA-Z0-9-]{0,12}|\\PC{0,12}",
            country in proptest::option::of(prop_oneof![Just("US"), Just("CA"), Just("GB"), Just("DE"), Just("??")]),
        ) {
            if let Some(once) = canonical(&code, country) {
                prop_assert_eq!(canonical(&once, country), Some(once));
            }
        }

        #[test]
        fn every_zip_code_is_accepted(code in "[0-9]{5}(-[0-9]{4})?") {
            prop_assert_eq!(canonical(&code, Some("US")), Some(code));
        }
    }
}
