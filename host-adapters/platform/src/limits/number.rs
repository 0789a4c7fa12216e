//! Numbers that every backend keeps exactly: in documents, signed 64-bit integers and doubles; in items, the numbers of
//! DynamoDB.

use super::invalid;
use crate::Result;
use host_adapters_json::{Decimal, Numbers, is_exact};

/// As much of a number as an error quotes.
const QUOTED_CHARS: usize = 40;
/// DynamoDB's most significant digits, and the powers of ten between which the first digit of a number is.
const MAX_DIGITS: usize = 38;
const MAGNITUDES: std::ops::RangeInclusive<i64> = -130..=125;

/// Checks all numbers of a text, which is JSON, against DynamoDB's. `name` is that of the whole, if it has one.
pub fn check_attributes(name: &str, json: &str) -> Result<()> {
    let wrong = Numbers::of_member(name, json).find_map(|(name, number)| {
        let problem = not_of_dynamodb(number)?;
        Some(format!("`{name}`: {number:.QUOTED_CHARS$} {problem}"))
    });
    wrong.map_or(Ok(()), |wrong| Err(invalid(wrong)))
}

fn not_of_dynamodb(number: &str) -> Option<String> {
    if number.len() <= MAX_DIGITS && !number.contains(['e', 'E']) {
        return None;
    }
    let Some(decimal) = Decimal::parse(number) else { return Some("is not a number of DynamoDB".to_owned()) };
    let (digits, magnitude) = (decimal.significant_digits(), decimal.magnitude().unwrap_or(0));
    if digits > MAX_DIGITS {
        return Some(format!("has {digits} significant digits; the most is {MAX_DIGITS}"));
    }
    if magnitude > *MAGNITUDES.end() {
        return Some("is too large; the largest is 9.9999999999999999999999999999999999999E+125".to_owned());
    }
    (magnitude < *MAGNITUDES.start()).then(|| "is too small; the smallest is 1E-130".to_owned())
}

/// Checks all numbers of a text, which is JSON.
pub fn check_numbers(json: &str) -> Result<()> {
    match Numbers::of(json).find(|(_, number)| !is_exact(number)) {
        Some((name, number)) => Err(invalid(format!(
            "`{name}`: {number:.QUOTED_CHARS$} would lose digits; numbers are integers of 64 bits with sign, or doubles"
        ))),
        None => Ok(()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn case_01_takes_the_numbers_of_dynamodb_and_no_others() {
        for number in [
            "-0",
            "12345678901234567890",
            "18446744073709551616",
            "0.12345678901234567890123456789012345678",
            "110111111111111110000000000000000000000",
            "-9.9999999999999999999999999999999999999E+125",
            "1E-130",
            "0e-999",
            "0.00000000000000000000000000000000000000000000000000000001",
        ] {
            assert_eq!(check_attributes("", number), Ok(()), "{number}");
        }
        for (number, word) in [
            ("0.123456789012345678901234567890123456789", "39 significant digits"),
            ("123456789012345678901234567890123456789", "39 significant digits"),
            ("1e126", "too large"),
            ("-1e126", "too large"),
            ("9.9e-131", "too small"),
            ("1e99999999999999999999", "not a number"),
        ] {
            let error = check_attributes("", &format!(r#"{{"pk":"p","deep":[{{"score":{number}}}]}}"#)).unwrap_err();
            assert!(error.message.starts_with("`score`: ") && error.message.contains(word), "{number}: {error}");
        }
        assert!(check_attributes("a.b", "1e126").unwrap_err().message.starts_with("`a.b`: "));
    }

    #[test]
    fn a_number_that_would_lose_digits_is_refused_by_name() {
        let error = check_numbers(r#"{"a-1": 1, "deep": {"n": [1.5, -3, 12345678901234567890]}}"#).unwrap_err();
        assert!(error.message.starts_with("`n`: 12345678901234567890 "), "{error}");
    }
}
