//! Whole numbers. As in JSON Schema (since draft 6), a number is an integer if it has no fraction, however it is
//! written: `2`, `2.0` and `2e0` are one number. Python and MongoDB's doubles write the second.

use serde::{Deserialize, Deserializer, de::Error};
use serde_json::Number;

/// Above this a double no longer tells neighbouring integers apart.
const MAX_EXACT: f64 = 9_007_199_254_740_991.0;

/// The integer that a number is; `None` if it has a fraction or is not exact.
pub(crate) fn whole(number: &Number) -> Option<i64> {
    let exact = |number: &f64| number.fract() == 0.0 && number.abs() <= MAX_EXACT;
    number.as_i64().or_else(|| number.as_f64().filter(exact).map(|number| number as i64))
}

/// Reads an integer that may be absent or null.
pub(crate) fn optional<'de, D: Deserializer<'de>, T: TryFrom<i64>>(number: D) -> Result<Option<T>, D::Error> {
    let Some(number) = Option::<Number>::deserialize(number)? else { return Ok(None) };
    let integer = whole(&number).and_then(|integer| T::try_from(integer).ok());
    integer.map(Some).ok_or_else(|| D::Error::custom(format!("{number} is not a whole number in range")))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Option<i64> {
        whole(&serde_json::from_str(text).unwrap())
    }

    #[test]
    fn a_number_without_a_fraction_is_an_integer() {
        for (text, expected) in [
            ("2", Some(2)),
            ("2.0", Some(2)),
            ("2e0", Some(2)),
            ("20E-1", Some(2)),
            ("-0.0", Some(0)),
            ("-3.000", Some(-3)),
            ("9223372036854775807", Some(i64::MAX)),
            ("2.5", None),
            ("1e-9", None),
            ("9223372036854775808", None),
            ("1e16", None),
            ("1e300", None),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_way_to_write_an_integer_is_read_as_it(number in -1_000_000_000_000_i64..1_000_000_000_000) {
            for text in [format!("{number}"), format!("{number}.0"), format!("{number}.00e0"), format!("{number}000E-3")] {
                prop_assert_eq!(read(&text), Some(number), "{}", text);
            }
            prop_assert_eq!(read(&format!("{number}.5")), None);
        }
    }
}
