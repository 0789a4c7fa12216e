//! How the hash keys of a stream are divided among its shards.

use std::ops::RangeInclusive;

/// The hash keys of one shard.
pub(super) type HashKeys = RangeInclusive<u128>;

/// All hash keys in equal parts, as Kinesis makes them.
pub(super) fn evenly(shards: u32) -> Vec<HashKeys> {
    let shards = u128::from(shards.max(1));
    // The share of each in 2^128, which is one more than the greatest hash key, and the remainder.
    let (each, over) = match (u128::MAX / shards, u128::MAX % shards + 1) {
        (each, over) if over == shards => (each.wrapping_add(1), 0),
        parts => parts,
    };
    let begin = |at: u128| at.wrapping_mul(each) + at * over / shards;
    let end = |at: u128| if at == shards { u128::MAX } else { begin(at) - 1 };
    (0..shards).map(|at| begin(at)..=end(at + 1)).collect()
}

/// One step from the shards that there are to those that are wanted. Shards are numbered by their places, the one with the
/// lowest hash keys first.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Step {
    /// The shard becomes two; the second begins with this hash key.
    Split(usize, u128),
    /// The shard and the next one become one.
    Merge(usize),
}

/// The next step from `open`, which has all hash keys in order, to `wanted`; `None` when they are the same. What is wider
/// than wanted is split before anything is merged, so that each step has one parent or two, as in Kinesis.
pub(super) fn next_step(open: &[HashKeys], wanted: &[HashKeys]) -> Option<Step> {
    let begins = |key: u128| wanted.binary_search_by_key(&key, |keys| *keys.start()).is_ok();
    let split = open.iter().enumerate().find_map(|(place, keys)| {
        let within = wanted.partition_point(|wanted| wanted.start() <= keys.start());
        let at = *wanted.get(within)?.start();
        keys.contains(&at).then_some(Step::Split(place, at))
    });
    // The pair with the fewest hash keys first: no record waits for more parents than it must.
    let merge = || {
        let pairs = open.windows(2).enumerate().filter_map(|(place, pair)| match pair {
            [first, second] if !begins(*second.start()) => Some((second.end() - first.start(), place)),
            _ => None,
        });
        pairs.min().map(|(_, place)| Step::Merge(place))
    };
    split.or_else(merge)
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;

    /// Takes all steps; returns them with the shards that are open afterwards.
    fn steps(open: &[HashKeys], wanted: &[HashKeys]) -> (Vec<Step>, Vec<HashKeys>) {
        let (mut open, mut steps) = (open.to_vec(), Vec::new());
        while let Some(step) = next_step(&open, wanted) {
            match step {
                Step::Split(place, at) => {
                    let keys = open.remove(place);
                    assert!(*keys.start() < at && at <= *keys.end());
                    open.splice(place..place, [*keys.start()..=at - 1, at..=*keys.end()]);
                }
                Step::Merge(place) => {
                    let (first, second) = (open.remove(place), open.remove(place));
                    open.insert(place, *first.start()..=*second.end());
                }
            }
            steps.push(step);
        }
        (steps, open)
    }

    #[test]
    fn every_hash_key_is_in_one_shard() {
        for shards in [1, 2, 3, 4, 7, 1_000] {
            let parts = evenly(shards);
            assert_eq!(parts.len(), shards as usize);
            assert_eq!((*parts[0].start(), *parts[parts.len() - 1].end()), (0, u128::MAX));
            assert!(parts.windows(2).all(|pair| pair[0].end() + 1 == *pair[1].start()), "{shards}");
        }
        // As Kinesis divides them, so that twice as many shards are made by splits alone.
        assert_eq!(evenly(4)[2], 1 << 127..=(1 << 127) + (1 << 126) - 1);
        assert_eq!(steps(&evenly(3), &evenly(6)).0.len(), 3);
    }

    #[test]
    fn any_number_of_shards_becomes_any_other_by_splits_and_merges() {
        for from in 1..=9 {
            for to in 1..=9 {
                let (steps, open) = steps(&evenly(from), &evenly(to));
                assert_eq!(open, evenly(to), "{from} to {to}: {steps:?}");
                assert_eq!(steps.is_empty(), from == to);
            }
        }
        let (steps, _) = steps(&evenly(1), &evenly(2));
        assert_eq!(steps, [Step::Split(0, 1 << 127)]);
    }

    #[test]
    fn merges_go_by_pairs() {
        let (steps, _) = steps(&evenly(4), &evenly(1));
        assert_eq!(steps.len(), 3);
        // Two pairs, then their results: no shard has more than two generations of parents.
        assert_eq!((steps[0], steps[2]), (Step::Merge(0), Step::Merge(0)), "{steps:?}");
        assert_eq!(steps[1], Step::Merge(1), "{steps:?}");
    }
}
