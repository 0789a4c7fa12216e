//! Filters of subscriptions and sources (`host-adapters/filter`), compared with Amazon's event ruler itself.

use test_servers::Servers;

const PAIRS: usize = 10_000;
/// Fewest pairs that match. A sixth of all patterns is one field with one to three values, and such a field alone matches
/// in a quarter of the events that are made for it.
const MATCHING: usize = 250;
/// Fewest and most pairs whose pattern is refused: one in a hundred lists of values is made to be, and few others are.
const REFUSED: std::ops::RangeInclusive<usize> = 50..=5_000;
/// Fewest pairs that are compared as they are, and not only without what is compared differently on purpose.
const PLAIN: usize = 1_000;

/// `RULER_SEED=<n>` compares other pairs.
#[test]
fn filters_differ_from_the_ruler_only_where_that_is_documented() {
    let seed = std::env::var("RULER_SEED").map_or(1, |seed| seed.parse().unwrap());
    let report = ruler_checks::compare(&Servers::open().unwrap(), seed, PAIRS).unwrap();
    println!("{report}");
    assert!(report.undocumented.is_empty(), "{report}");
    let is_varied = report.matches >= MATCHING && REFUSED.contains(&report.refused) && report.plain >= PLAIN;
    assert!(is_varied, "the generator makes pairs that say little: {report}");
}
