//! Numbers, compared to the last digit.

use host_adapters_json::Decimal;
use std::cmp::Ordering;

/// A number as JSON spells it.
#[derive(Clone, Debug)]
pub enum Number {
    /// Most are integers of 64 bits, and comparing two of them allocates nothing.
    Integer(i64),
    Decimal(Decimal),
}

impl Number {
    /// `None` for a text that is not a number, and for exponents beyond 64 bits.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().map(Self::Integer).ok().or_else(|| Decimal::parse(text).map(Self::Decimal))
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        let decimal = |integer: &i64| Decimal::parse(&integer.to_string());
        match (self, other) {
            (Self::Integer(a), Self::Integer(b)) => a.cmp(b),
            (Self::Integer(a), Self::Decimal(b)) => decimal(a).as_ref().cmp(&Some(b)),
            (Self::Decimal(a), Self::Integer(b)) => Some(a).cmp(&decimal(b).as_ref()),
            (Self::Decimal(a), Self::Decimal(b)) => a.cmp(b),
        }
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Number {}

/// A range of numbers; a bound counts as inside if it is inclusive.
#[derive(Clone, Debug)]
pub struct Range {
    pub lower: Option<Bound>,
    pub upper: Option<Bound>,
}

#[derive(Clone, Debug)]
pub struct Bound {
    pub number: Number,
    pub is_inclusive: bool,
}

impl Range {
    pub fn contains(&self, number: &Number) -> bool {
        let is_inside = |bound: &Option<Bound>, inside: Ordering| match bound {
            None => true,
            Some(bound) => match number.cmp(&bound.number) {
                Ordering::Equal => bound.is_inclusive,
                order => order == inside,
            },
        };
        is_inside(&self.lower, Ordering::Greater) && is_inside(&self.upper, Ordering::Less)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn number(text: &str) -> Number {
        Number::parse(text).unwrap()
    }

    #[test]
    fn one_value_is_one_number_however_it_is_spelled() {
        for (a, b) in [("300", "3e2"), ("300", "300.0"), ("-0", "0.0"), ("0.5", "5E-1"), ("1e400", "10e399")] {
            assert_eq!(number(a), number(b));
        }
        assert!(number("9007199254740992") < number("9007199254740993"));
        assert!(number("9007199254740993") < number("9007199254740993.5"));
        assert!(number("-1e400") < number("-9223372036854775808"));
        assert!(Number::parse("1e99999999999999999999").is_none());
    }

    proptest! {
        #[test]
        fn integers_and_decimals_have_one_order(a in any::<i64>(), b in any::<i64>()) {
            let (a_decimal, b_decimal) = (number(&format!("{a}.0")), number(&format!("{b}e0")));
            prop_assert_eq!(number(&a.to_string()).cmp(&b_decimal), a.cmp(&b));
            prop_assert_eq!(a_decimal.cmp(&number(&b.to_string())), a.cmp(&b));
            prop_assert_eq!(a_decimal.cmp(&b_decimal), a.cmp(&b));
        }
    }
}
