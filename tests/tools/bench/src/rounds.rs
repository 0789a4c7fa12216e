//! Rounds: each round measures everything once, one after the other, so that other load on the machine affects all
//! figures alike. A figure is the median of its rounds.

use anyhow::Result;
use std::time::Duration;

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Rounds of each figure; the figure is their median.
    pub rounds: usize,
    /// Measure only enough to see that everything runs; the figures mean nothing.
    pub quick: bool,
}

impl Effort {
    /// `full`, or `quick` if the figures do not matter.
    pub fn of<T>(self, full: T, quick: T) -> T {
        if self.quick { quick } else { full }
    }
}

/// One thing to measure.
pub type Measure<'a> = &'a mut dyn FnMut() -> Result<f64>;

/// Measures in rounds A B A B …; the first round warms up and does not count, and is left out where no figure does. Returns
/// the median of each.
///
/// # Errors
/// The first error of a measure.
pub fn interleaved<const N: usize>(effort: Effort, mut measures: [Measure<'_>; N]) -> Result<[f64; N]> {
    let mut taken: [Vec<f64>; N] = std::array::from_fn(|_| Vec::with_capacity(effort.rounds));
    for round in effort.of(0, 1)..=effort.rounds {
        for (measure, taken) in measures.iter_mut().zip(&mut taken) {
            let value = measure()?;
            if round > 0 {
                taken.push(value);
            }
        }
    }
    Ok(taken.map(median))
}

/// The median; of an even number of values the lower one of the two in the middle.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or(f64::NAN)
}

/// Microseconds.
pub fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// Milliseconds.
pub fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measures_take_turns_and_the_warm_up_does_not_count() {
        let order = std::cell::RefCell::new(String::new());
        let mut values = [100.0, 3.0, 1.0, 2.0].into_iter();
        let mut first = || {
            order.borrow_mut().push('a');
            Ok(values.next().unwrap_or_default())
        };
        let mut second = || {
            order.borrow_mut().push('b');
            Ok(7.0)
        };
        let medians = interleaved(Effort { rounds: 3, quick: false }, [&mut first, &mut second]).unwrap_or_default();
        assert_eq!(medians, [2.0, 7.0]);
        assert_eq!(*order.borrow(), "abababab");
        let mut once = || Ok(1.0);
        let quick = interleaved(Effort { rounds: 1, quick: true }, [&mut once, &mut second]).unwrap_or_default();
        assert_eq!((quick, order.borrow().as_str()), ([1.0, 7.0], "ababababb"));
    }

    #[test]
    fn an_outlier_moves_no_median() {
        assert!((median(vec![1.0, 900.0, 2.0]) - 2.0).abs() < f64::EPSILON);
        assert!(median(vec![]).is_nan());
    }
}
