//! Decimal numbers as text.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

/// As many zeros as are written in place of an exponent.
const MAX_ZEROS: usize = 20;
/// A number of this many digits before its point is within a double's range, which goes to 1.8e308.
const SMALL_DIGITS: usize = 300;

/// The value of a number, of any number of digits.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Decimal {
    is_negative: bool,
    /// From the first to the last one that is not 0; empty for 0.
    digits: String,
    /// The power of ten of the last digit.
    power: i64,
}

impl Decimal {
    /// Reads a number as JSON or DynamoDB spells it; `None` for any other text, and for exponents beyond 64 bits.
    pub fn parse(text: &str) -> Option<Self> {
        let Parts { is_negative, whole, fraction, exponent } = Parts::of(text)?;
        let all = match fraction {
            "" => Cow::Borrowed(whole),
            _ => Cow::Owned([whole, fraction].concat()),
        };
        let significant = all.trim_end_matches('0');
        let digits = significant.trim_start_matches('0');
        if digits.is_empty() {
            return Some(Self { is_negative: false, digits: String::new(), power: 0 });
        }
        let zeros = i64::try_from(all.len() - significant.len()).ok()?;
        let behind_point = i64::try_from(fraction.len()).ok()?;
        let power = exponent.parse::<i64>().ok()?.checked_sub(behind_point)?.checked_add(zeros)?;
        Some(Self { is_negative, digits: digits.to_owned(), power })
    }

    /// Zero, and else its sign.
    fn sign(&self) -> i8 {
        match (self.digits.is_empty(), self.is_negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        }
    }

    /// The sum, to the last digit; `None` if there are more digits between its first and its last one than 128 bits hold,
    /// which are 38.
    pub fn checked_add(&self, other: i64) -> Option<Self> {
        let other = Self::parse(&other.to_string())?;
        let (a, b) = match (self.sign(), other.sign()) {
            (_, 0) => return Some(self.clone()),
            (0, _) => return Some(other),
            _ => (self, &other),
        };
        let power = a.power.min(b.power);
        let sum = a.units(power)?.checked_add(b.units(power)?)?;
        Self::parse(&format!("{sum}e{power}"))
    }

    /// How many of this power of ten it is.
    fn units(&self, power: i64) -> Option<i128> {
        let zeros = u32::try_from(self.power.checked_sub(power)?).ok()?;
        let units = self.digits.parse::<i128>().ok()?.checked_mul(10_i128.checked_pow(zeros)?)?;
        Some(if self.is_negative { -units } else { units })
    }

    /// How many digits it has from the first to the last one that is not 0.
    pub fn significant_digits(&self) -> usize {
        self.digits.len()
    }

    /// The power of ten of its first digit: 2 for 512, -3 for 0.005; `None` for 0.
    pub fn magnitude(&self) -> Option<i64> {
        let behind_first = i64::try_from(self.digits.len()).ok()?.checked_sub(1).filter(|count| *count >= 0)?;
        self.power.checked_add(behind_first)
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        // Without zeros behind them, digits of one magnitude are in the order of their texts.
        let by_size = || self.magnitude().cmp(&other.magnitude()).then_with(|| self.digits.cmp(&other.digits));
        self.sign().cmp(&other.sign()).then_with(|| if self.is_negative { by_size().reverse() } else { by_size() })
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// As JSON spells it: without an exponent where that is not much longer.
impl fmt::Display for Decimal {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { is_negative, digits, power } = self;
        if digits.is_empty() {
            return to.write_str("0");
        }
        if *is_negative {
            to.write_str("-")?;
        }
        let behind_point = usize::try_from(power.unsigned_abs()).unwrap_or(usize::MAX);
        match power {
            0.. if behind_point <= MAX_ZEROS => write!(to, "{digits}{}", "0".repeat(behind_point)),
            ..0 if behind_point <= digits.len() + MAX_ZEROS => {
                let padded = format!("{digits:0>width$}", width = behind_point + 1);
                let (whole, fraction) = padded.split_at(padded.len() - behind_point);
                write!(to, "{whole}.{fraction}")
            }
            _ => write!(to, "{digits}e{power}"),
        }
    }
}

/// A number as JSON spells it, digit for digit; `None` if the text is not a number, or one beyond a double's range, which
/// no reader of JSON takes.
pub fn number(text: &str) -> Option<Cow<'_, str>> {
    let Parts { is_negative, whole, fraction, exponent } = Parts::of(text)?;
    let is_small = exponent == "0" && whole.len() <= SMALL_DIGITS;
    if !is_small && !text.parse::<f64>().is_ok_and(f64::is_finite) {
        return None;
    }
    let is_spelled_so = (whole == "0" || !whole.is_empty() && !whole.starts_with('0'))
        && !(fraction.is_empty() && text.contains('.'))
        && !text.starts_with('+');
    if is_spelled_so {
        return Some(Cow::Borrowed(text));
    }
    let (sign, whole) = (if is_negative { "-" } else { "" }, whole.trim_start_matches('0'));
    let whole = if whole.is_empty() { "0" } else { whole };
    let fraction = if fraction.is_empty() { String::new() } else { format!(".{fraction}") };
    let exponent = if exponent == "0" { String::new() } else { format!("e{exponent}") };
    Some(Cow::Owned(format!("{sign}{whole}{fraction}{exponent}")))
}

/// The parts of a number's text.
struct Parts<'a> {
    is_negative: bool,
    whole: &'a str,
    fraction: &'a str,
    /// "0" where there is none.
    exponent: &'a str,
}

impl<'a> Parts<'a> {
    fn of(text: &'a str) -> Option<Self> {
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let unsigned = |part: &'a str| part.strip_prefix(['-', '+']).unwrap_or(part);
        let (whole, fraction) = unsigned(mantissa).split_once('.').unwrap_or((unsigned(mantissa), ""));
        let are_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let is_number = are_digits(whole) && are_digits(fraction) && !(whole.is_empty() && fraction.is_empty());
        let has_exponent = are_digits(unsigned(exponent)) && !unsigned(exponent).is_empty();
        (is_number && has_exponent).then_some(Self {
            is_negative: mantissa.starts_with('-'),
            whole,
            fraction,
            exponent,
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keeps_every_digit_and_spells_as_json_does() {
        for (text, spelled) in [
            ("12.50", Some("12.50")),
            ("-0", Some("-0")),
            ("1E-130", Some("1E-130")),
            ("1E+2", Some("1E+2")),
            ("18446744073709551616", Some("18446744073709551616")),
            ("9.9999999999999999999999999999999999999E+125", Some("9.9999999999999999999999999999999999999E+125")),
            ("+5", Some("5")),
            ("-.5", Some("-0.5")),
            ("5.", Some("5")),
            ("007.10e1", Some("7.10e1")),
            ("000", Some("0")),
            ("1e999", None),
            ("1e99999999999999999999", None),
            ("", None),
            (".", None),
            ("1e", None),
            ("e5", None),
            ("--1", None),
            ("1 ", None),
            ("inf", None),
            ("NaN", None),
            ("0x1", None),
            ("1_0", None),
        ] {
            assert_eq!(number(text).as_deref(), spelled, "{text}");
        }
    }

    #[test]
    fn compares_by_value() {
        for (a, b, same) in [
            ("1", "1.0", true),
            ("1e2", "100", true),
            ("-0", "0.00e5", true),
            ("12345678901234567890123", "12345678901234567890123.0", true),
            ("12345678901234567890123", "12345678901234567890124", false),
            ("1", "-1", false),
            ("10", "1", false),
        ] {
            assert_eq!(Decimal::parse(a).unwrap() == Decimal::parse(b).unwrap(), same, "{a} {b}");
        }
    }

    #[test]
    fn orders_by_value() {
        let ascending =
            ["-1e5", "-12", "-1.5", "-1e-9", "0", "1e-130", "1.25", "1.3", "9", "10", "1234567890123456789012", "1e99"];
        for (i, a) in ascending.iter().enumerate() {
            for (j, b) in ascending.iter().enumerate() {
                assert_eq!(Decimal::parse(a).unwrap().cmp(&Decimal::parse(b).unwrap()), i.cmp(&j), "{a} {b}");
            }
        }
    }

    #[test]
    fn knows_its_digits_and_its_magnitude() {
        for (text, digits, magnitude) in [
            ("0.00", 0, None),
            ("512", 3, Some(2)),
            ("0.005", 1, Some(-3)),
            ("110111111111111110000000000000000000000", 17, Some(38)),
            ("0.12345678901234567890123456789012345678", 38, Some(-1)),
            ("9.9999999999999999999999999999999999999E+125", 38, Some(125)),
            ("1E-130", 1, Some(-130)),
        ] {
            let decimal = Decimal::parse(text).unwrap();
            assert_eq!((decimal.significant_digits(), decimal.magnitude()), (digits, magnitude), "{text}");
        }
    }

    #[test]
    fn adds_to_the_last_digit() {
        for (a, b, sum) in [
            ("0", 0, Some("0")),
            ("41", 1, Some("42")),
            ("1e2", -100, Some("0")),
            ("-5", 3, Some("-2")),
            ("99", 1, Some("100")),
            ("12.50", 0, Some("12.5")),
            ("0.005", 1, Some("1.005")),
            ("-0.5", 1, Some("0.5")),
            ("9223372036854775807", i64::MAX, Some("18446744073709551614")),
            ("12345678901234567890123456789012345678", 1, Some("12345678901234567890123456789012345679")),
            ("1e30", 1, Some("1000000000000000000000000000001")),
            ("1e-130", 0, Some("1e-130")),
            ("0", i64::MIN, Some("-9223372036854775808")),
            ("1e125", 1, None),
            ("1e-130", 1, None),
        ] {
            let added = Decimal::parse(a).unwrap().checked_add(b).map(|sum| sum.to_string());
            assert_eq!(added.as_deref(), sum, "{a} + {b}");
        }
    }

    proptest! {
        /// Integers add as those of the machine do.
        #[test]
        fn adds_as_integers_do(a in any::<i64>(), b in any::<i64>()) {
            let sum = Decimal::parse(&a.to_string()).unwrap().checked_add(b).unwrap();
            prop_assert_eq!(sum.to_string(), (i128::from(a) + i128::from(b)).to_string());
        }

        /// The written text is JSON, and reads as the same number.
        #[test]
        fn is_spelled_as_it_is_read(digits in "-?[0-9]{1,40}", exponent in -140_i32..140) {
            let decimal = Decimal::parse(&format!("{digits}e{exponent}")).unwrap();
            let text = decimal.to_string();
            prop_assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok(), "{}", text);
            prop_assert_eq!(Decimal::parse(&text), Some(decimal));
        }

        /// Every respelled number is JSON, and the same number.
        #[test]
        fn every_number_is_json(text in "[-+]?[0-9]{0,45}\\.?[0-9]{0,45}([eE][-+]?[0-9]{1,2})?") {
            match number(&text) {
                Some(spelled) => {
                    prop_assert!(serde_json::from_str::<serde_json::Value>(&spelled).is_ok(), "{}", spelled);
                    prop_assert_eq!(Decimal::parse(&spelled), Decimal::parse(&text));
                }
                None => prop_assert!(text.parse::<f64>().is_err(), "{}", text),
            }
        }
    }
}
