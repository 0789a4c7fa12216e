//! Filters of subscriptions and sources (`host-adapters/filter`), compared with Amazon's event ruler itself.

use test_servers::Servers;

const PAIRS: usize = 10_000;

/// `RULER_SEED=<n>` compares other pairs.
#[test]
fn filters_differ_from_the_ruler_only_where_that_is_documented() {
    let seed = std::env::var("RULER_SEED").map_or(1, |seed| seed.parse().unwrap());
    let report = ruler_checks::compare(&Servers::open().unwrap(), seed, PAIRS).unwrap();
    println!("{report}");
    assert!(report.undocumented.is_empty(), "{report}");
}
