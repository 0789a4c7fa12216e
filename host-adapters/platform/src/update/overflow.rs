//! When an `$inc` of a double exceeds the range of doubles.

/// The numbers at a path for which an `$inc` would make infinity.
#[derive(Clone, Debug, PartialEq)]
pub struct Overflow {
    /// Dotted.
    pub path: String,
    /// The number nearest to 0 for which it does; those beyond it do, too.
    pub from: f64,
}

impl Overflow {
    /// `None` where no number is large enough, as for all but the hugest increments.
    pub(super) fn of(path: &[String], by: f64) -> Option<Self> {
        let most = f64::MAX.copysign(by);
        if (most + by).is_finite() {
            return None;
        }
        // The bits of doubles of one sign are in the order of their values.
        let (mut finite, mut infinite) = (0_u64, f64::MAX.to_bits());
        while finite + 1 < infinite {
            let middle = finite.midpoint(infinite);
            let sum = f64::from_bits(middle).copysign(by) + by;
            *(if sum.is_finite() { &mut finite } else { &mut infinite }) = middle;
        }
        Some(Self { path: path.join("."), from: f64::from_bits(infinite).copysign(by) })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::float_cmp, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn from(by: f64) -> Option<f64> {
        Overflow::of(&["n".to_owned()], by).map(|overflow| overflow.from)
    }

    #[test]
    fn small_increments_never_overflow() {
        for by in [0.0, 1.0, -1.0, 1e15, 1e290] {
            assert_eq!(from(by), None, "{by}");
        }
    }

    proptest! {
        #[test]
        fn it_is_the_first_number_that_overflows(by in 1e292_f64..f64::MAX, negative in any::<bool>()) {
            let by = if negative { -by } else { by };
            let from = from(by).unwrap();
            prop_assert!((from + by).is_infinite());
            let before = f64::from_bits(from.to_bits() - 1);
            prop_assert!((before + by).is_finite(), "{} {}", before, by);
        }
    }
}
