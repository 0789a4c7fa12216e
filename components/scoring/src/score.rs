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
pub struct Score {
    json: Box<RawValue>,
    value: Decimal,
}

impl Score {
    /// Reads a number as a program spelled it.
    ///
    /// # Errors
    /// When it is not a number, or not one that DynamoDB holds.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let value = Decimal::parse(text).ok_or("is not a number")?;
        if value.significant_digits() > MAX_DIGITS {
            return Err("has more than 38 significant digits");
        }
        if value.magnitude().is_some_and(|magnitude| !MAGNITUDES.contains(&magnitude)) {
            return Err("is beyond the range of DynamoDB's numbers");
        }
        let json = number(text).and_then(|text| RawValue::from_string(text.into_owned()).ok());
        Ok(Self { json: json.ok_or("is not a number")?, value })
    }

    /// The number as JSON.
    pub fn as_json(&self) -> &RawValue {
        &self.json
    }
}

impl PartialEq for Score {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Score {}

impl Ord for Score {
    fn cmp(&self, other: &Self) -> Ordering {
        self.value.cmp(&other.value)
    }
}

impl PartialOrd for Score {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Serialize for Score {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.json.serialize(to)
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
        ] {
            assert_eq!(Score::parse(text).unwrap_err(), problem, "{text}");
            assert!(serde_json::from_str::<Score>(text).is_err(), "{text}");
        }
        assert_eq!(score("9.9999999999999999999999999999999999999E+125").as_json().get().len(), 44);
    }
}
