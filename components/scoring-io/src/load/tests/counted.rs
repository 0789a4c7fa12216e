//! The rows that a loader counts, by their outcome.

use super::*;

/// The valid, the invalid and the lost rows.
fn counted(platform: &Platform) -> [u64; 3] {
    ["valid", "invalid", "lost"].map(|outcome| {
        let counts = platform.lines(&format!("scoring_rows_total {:?}", [("outcome", outcome)]));
        assert!(!counts.is_empty(), "a series of each outcome");
        counts.iter().map(|count| count.as_u64().unwrap()).sum()
    })
}

#[test]
fn each_row_is_counted_once_by_its_outcome() {
    let text = format!("{HEADER}{}c,m,,x,1,verified\n{}", rows(0..6_000), rows(6_000..12_000));
    let platform = Platform { call_ms: 3_000, refused: Some("17"), ..Platform::with(&text) };
    assert!(matches!(platform.deliver(Kind::Scrubbed, &event("etag", "1")), Some(Disposition::Retry(_))));
    assert_eq!(counted(&platform).iter().sum::<u64>(), platform.progress().position.counts.rows);
    let platform = Platform { call_ms: 0, ..platform };
    assert_eq!(platform.settle(Kind::Scrubbed, &event("etag", "1")), Disposition::Ack);
    assert_eq!(counted(&platform), [11_999, 1, 1]);
    // A later version has rows of its own.
    platform.replace("new", format!("{HEADER}{}", rows(20..30)));
    assert_eq!(platform.settle(Kind::Scrubbed, &event("new", "2")), Disposition::Ack);
    assert_eq!(counted(&platform), [12_009, 1, 1]);
}

#[test]
fn rows_that_are_not_saved_are_lost() {
    let stuck = BTreeMap::from([("SCORE#m1".to_owned(), Error::new(ErrorKind::Invalid, "no"))]);
    let platform = Platform::with(format!("{HEADER}{}{}", rows(0..3), rows(1..2)));
    let platform = Platform { world: World { stuck, ..World::default() }, ..platform };
    assert_eq!(platform.deliver(Kind::Fanlist, &event("etag", "1")), Some(Disposition::Ack));
    assert_eq!(counted(&platform), [2, 0, 2], "both rows of the fan");
}

/// A crash counts no row twice. Those are missing that were stored when the process died.
#[test]
fn a_crash_counts_no_row_twice() {
    let text = format!("{HEADER}{}", rows(0..5_600));
    for (lives, dies_late) in (1..20).flat_map(|lives| [(lives, false), (lives, true)]) {
        let platform = Platform { lives: Cell::new(Some(lives)), dies_late, ..Platform::with(&text) };
        platform.settle(Kind::Scrubbed, &event("etag", "1"));
        let rows: u64 = counted(&platform).iter().sum();
        assert!(rows == 5_600 || dies_late && [3_100, 5_000].contains(&rows), "{lives}: {rows}");
    }
}

/// The next batch loses rows while the progress of this one is being stored.
#[test]
fn lost_rows_are_counted_with_their_own_batch() {
    // Of rows of one fan that follow each other only the last one is held back.
    let refused = "c,r,,0,17,verified\n".repeat(2_500);
    let text = format!("{HEADER}{}{refused}{}", rows(100..2_600), rows(2_600..5_100));
    let platform = Platform { responds_late: true, refused: Some("17"), ..Platform::with(&text) };
    platform.deliver(Kind::Scrubbed, &event("etag", "1"));
    let of = |outcome| platform.lines(&format!("scoring_rows_total {:?}", [("outcome", outcome)]));
    assert_eq!(of("valid")[..3], [json!(2_500), json!(0), json!(2_500)]);
    assert_eq!(of("lost")[..3], [json!(0), json!(2_500), json!(0)]);
}
