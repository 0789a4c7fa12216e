//! Scores: numbers that keep every digit.

use host_adapters_json::{Decimal, number};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use serde_json::value::RawValue;
use std::cmp::Ordering;

/// DynamoDB's most significant digits, and the powers of ten between which the first digit of a number is.
const MAX_DIGITS: usize = 38;
const MAGNITUDES: std::ops::RangeInclusive<i64> = -130..=125;

/// A score. Its order and equality are those of the number, its text is that of the file.
#[derive(Clone, Debug)]
pub struct Score(Box<RawValue>);

impl Score {
    /// Reads a number as a program spelled it.
    ///
    /// # Errors
    /// When it is not a number, or not one that DynamoDB holds.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        // A text that is so short and has no exponent is within both limits.
        if text.len() > MAX_DIGITS || text.contains(['e', 'E']) {
            check(text)?;
        }
        let json = number(text).and_then(|text| RawValue::from_string(text.into_owned()).ok());
        json.map(Self).ok_or("is not a number")
    }

    /// The number as JSON.
    pub fn as_json(&self) -> &RawValue {
        &self.0
    }
}

/// Checks the limits of DynamoDB's numbers.
fn check(text: &str) -> Result<(), &'static str> {
    let value = Decimal::parse(text).ok_or("is not a number")?;
    if value.significant_digits() > MAX_DIGITS {
        return Err("has more than 38 significant digits");
    }
    if value.magnitude().is_some_and(|magnitude| !MAGNITUDES.contains(&magnitude)) {
        return Err("is beyond the range of DynamoDB's numbers");
    }
    Ok(())
}

impl PartialEq for Score {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Score {}

impl Ord for Score {
    fn cmp(&self, other: &Self) -> Ordering {
        // Most scores are never compared, so their values are not kept.
        Decimal::parse(self.0.get()).cmp(&Decimal::parse(other.0.get()))
    }
}

impl PartialOrd for Score {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Serialize for Score {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(to)
    }
}

impl<'de> Deserialize<'de> for Score {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let json = Box::<RawValue>::deserialize(from)?;
        Self::parse(json.get()).map_err(|problem| D::Error::custom(format!("score {problem}")))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn score(text: &str) -> Score {
        Score::parse(text).unwrap()
    }

    #[test]
    fn case_01_a_score_keeps_every_digit() {
        let digits = "12345678901234567890.123456789012345678";
        assert_eq!(serde_json::to_string(&score(digits)).unwrap(), digits);
        assert_eq!(serde_json::from_str::<Score>(digits).unwrap(), score(digits));
        assert!(score(digits) < score("12345678901234567890.123456789012345679"));
    }

    #[test]
    fn scores_are_ordered_as_numbers() {
        assert!(score("9") < score("10"));
        assert!(score("-1") < score("0"));
        assert_eq!(score("850"), score("850.0"));
        assert_eq!(score("+.5").as_json().get(), "0.5");
    }

    #[test]
    fn numbers_that_the_table_does_not_hold_are_refused() {
        for (text, problem) in [
            ("high", "is not a number"),
            ("123456789012345678901234567890123456789", "has more than 38 significant digits"),
            ("1e126", "is beyond the range of DynamoDB's numbers"),
            ("1e-131", "is beyond the range of DynamoDB's numbers"),
            ("1e-99999999999999999999", "is not a number"),
            ("0.123456789012345678901234567890123456789", "has more than 38 significant digits"),
        ] {
            assert_eq!(Score::parse(text).unwrap_err(), problem, "{text}");
            assert!(serde_json::from_str::<Score>(text).is_err(), "{text}");
        }
        assert_eq!(score("9.9999999999999999999999999999999999999E+125").as_json().get().len(), 44);
        for digits in ["9".repeat(38), format!("0.{}", "1".repeat(38)), format!("-{}", "9".repeat(38))] {
            assert_eq!(score(&digits).as_json().get(), digits);
        }
        assert_eq!(Score::parse("850 points").unwrap_err(), "is not a number");
    }
}
