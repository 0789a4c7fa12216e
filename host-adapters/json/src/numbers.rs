//! The numbers of a text, and which of them a machine holds.

use crate::Decimal;

/// A number without an exponent that is no longer than this has at most 15 digits, which a double keeps.
const SURELY_EXACT_BYTES: usize = 16;

/// Whether an integer of 64 bits holds it, or, if it has a fraction or an exponent, a double.
pub fn is_exact(number: &str) -> bool {
    if !number.contains(['.', 'e', 'E']) {
        return number.parse::<i64>().is_ok();
    }
    if number.len() <= SURELY_EXACT_BYTES && !number.contains(['e', 'E']) {
        return true;
    }
    let Some(decimal) = Decimal::parse(number) else { return false };
    // As it is read and written: of two texts that are equally short and equally close to a double, serde_json and
    // JavaScript write 1457775315110394.2, the standard library 1457775315110394.3.
    let Ok(double) = serde_json::from_str::<f64>(number) else { return false };
    Decimal::parse(&serde_json::json!(double).to_string()).as_ref() == Some(&decimal)
}

/// The numbers of a JSON text as they are spelled, each with the name of the member that it is in.
#[derive(Debug)]
pub struct Numbers<'a> {
    name: &'a str,
    rest: &'a str,
}

impl<'a> Numbers<'a> {
    /// Those of a text, which is JSON.
    pub fn of(json: &'a str) -> Self {
        Self::of_member("", json)
    }

    /// Those of the value of a member, which is JSON.
    pub fn of_member(name: &'a str, json: &'a str) -> Self {
        Self { name, rest: json }
    }

    /// The rest of the text after the last number.
    pub fn rest(&self) -> &'a str {
        self.rest
    }

    /// Goes past a string, whose first quotation mark is passed already.
    fn skip_string(&mut self) -> Option<()> {
        let mut escaped = false;
        let end = self.rest.find(|char| {
            let ends = char == '"' && !escaped;
            escaped = char == '\\' && !escaped;
            ends
        })?;
        let string = self.rest.get(..end)?;
        self.rest = self.rest.get(end + 1..)?;
        if self.rest.trim_start().starts_with(':') {
            self.name = string;
        }
        Some(())
    }
}

impl<'a> Iterator for Numbers<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let start = self.rest.find(|char: char| matches!(char, '"' | '-' | '0'..='9'))?;
            self.rest = self.rest.get(start..)?;
            if let Some(string) = self.rest.strip_prefix('"') {
                self.rest = string;
                self.skip_string()?;
                continue;
            }
            let is_part = |char: char| matches!(char, '-' | '+' | '.' | 'e' | 'E' | '0'..='9');
            let end = self.rest.find(|char| !is_part(char)).unwrap_or(self.rest.len());
            let (number, rest) = self.rest.split_at_checked(end)?;
            self.rest = rest;
            return Some((self.name, number));
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn takes_what_machine_numbers_hold() {
        for number in [
            "0",
            "-0",
            "-1",
            "9007199254740993",
            "9223372036854775807",
            "-9223372036854775808",
            "0.1",
            "1.0",
            "12.50",
            "1e2",
            "1E-130",
            "-2.5e+10",
            "0.30000000000000004",
            "0.1234567890123456",
            "1.7976931348623157e308",
            "5e-324",
            "0.0",
            "0e99",
            "123000000000000000000000000.0",
            "100000000000000000000000000.00",
            "1457775315110394.2",
        ] {
            assert!(is_exact(number), "{number}");
        }
        for number in [
            "9223372036854775808",
            "12345678901234567890",
            "18446744073709551616",
            "0.12345678901234567890123456789012345678",
            "9.9999999999999999999999999999999999999E+125",
            "9007199254740993.0",
            "1e400",
            "1e-400",
            "1e99999999999999999999",
            "0.10000000000000000001",
            // serde_json writes another that is as close to the same double.
            "1457775315110394.3",
            "70369000000000.13",
        ] {
            assert!(!is_exact(number), "{number}");
        }
    }

    proptest! {
        /// With the fewest digits that tell it from others.
        #[test]
        fn takes_every_double_that_programs_write(double in any::<f64>().prop_filter("a number", |it| it.is_finite())) {
            let text = serde_json::json!(double).to_string();
            prop_assert!(is_exact(&text) || !text.contains(['.', 'e', 'E']), "{}", text);
            let text = format!("{double:E}");
            let kept = serde_json::from_str::<f64>(&text).map(|read| serde_json::json!(read).to_string());
            let is_kept = kept.is_ok_and(|kept| Decimal::parse(&kept) == Decimal::parse(&text));
            prop_assert_eq!(is_exact(&text), is_kept, "{}", text);
        }
    }

    #[test]
    fn names_the_member() {
        let text =
            r#"{"a-1": 1, "text": "9e999 \" 12345678901234567890", "deep": {"n": [1.5, -3, 12345678901234567890]}}"#;
        assert!(serde_json::from_str::<serde_json::Value>(text).is_ok());
        let numbers: Vec<_> = Numbers::of(text).collect();
        assert_eq!(numbers, [("a-1", "1"), ("n", "1.5"), ("n", "-3"), ("n", "12345678901234567890")]);
        assert_eq!(Numbers::of_member("whole", "[1]").next(), Some(("whole", "1")));
    }
}
