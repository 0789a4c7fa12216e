//! Calls that end, crash, or meet others: where the file is read on.

use super::*;
use scoring::rows::Counts;

#[test]
fn a_crash_at_any_step_repeats_at_most_the_last_two_batches_of_a_scrubbed_file() {
    crash_at_each_step(Kind::Scrubbed);
}

#[test]
fn a_crash_at_any_step_repeats_at_most_the_last_two_batches_of_a_fanlist() {
    crash_at_each_step(Kind::Fanlist);
}

/// At each of the first calls of the platform, and at every third one after them, which are much the same: before or after
/// it takes effect.
fn crash_at_each_step(kind: Kind) {
    let text = format!("{HEADER}{}", rows(0..5_600));
    for dies_late in [false, true] {
        for lives in (1..20).chain((20..60).step_by(3)) {
            let platform = Platform { lives: Cell::new(Some(lives)), dies_late, ..Platform::with(&text) };
            assert!(!matches!(platform.settle(kind, &event("etag", "1")), Disposition::Retry(_)));
            let scores = platform.scores();
            assert_eq!(scores.len(), 5_600, "{lives}");
            let repeated: usize = scores.values().map(|times| times - 1).sum();
            assert!(
                repeated <= 2 * BATCH_ROWS as usize && scores.values().all(|times| *times <= 2),
                "{lives}: {repeated}"
            );
            assert_eq!(platform.items().len(), 5_600, "{lives}");
            let counts = platform.progress().position.counts;
            assert_eq!((counts.rows, counts.invalid), (5_600, 0), "{lives}");
            let reports: BTreeSet<_> = told(&platform).into_iter().collect();
            assert_eq!(reports, BTreeSet::from([("c".to_owned(), Some(4_200), Some(1_400))]), "{lives}");
            assert!(platform.reports.borrow().len() <= 2, "{lives}");
        }
    }
}

/// Although the call never waits before four parts are under way. A batch has five parts and the rows that are held back.
#[test]
fn the_progress_of_a_batch_is_stored_while_the_next_one_begins() {
    let platform = Platform { responds_late: true, ..Platform::with(format!("{HEADER}{}", rows(0..5_001))) };
    platform.deliver(Kind::Scrubbed, &event("etag", "1"));
    let writes = platform.writes.borrow();
    let stored = writes.iter().position(|write| write == progress::SORT_KEY).unwrap();
    assert!((7..9).contains(&stored), "{writes:?}");
}

/// Each change of the table goes to the workers that read its stream.
#[test]
fn the_progress_of_a_batch_has_neither_the_campaigns_nor_the_last_records() {
    let platform = Platform::with(format!("{HEADER}{}", rows(0..10_001)));
    platform.deliver(Kind::Scrubbed, &event("etag", "1"));
    let count = |sk: &str| platform.writes.borrow().iter().filter(|write| *write == sk).count();
    let (batches, ending) = (5, 1);
    assert_eq!(
        (count(progress::SORT_KEY), count(due::SORT_KEY)),
        (batches + ending, 2),
        "the first and the last batch"
    );
    let size = |key| platform.world.table.borrow().get(&key).unwrap().len();
    assert!(size(progress::key(&file("etag"))) < 600 && size(due::key(&file("etag"))) > 20_000);
    platform.settle(Kind::Scrubbed, &event("etag", "1"));
    assert!(size(due::key(&file("etag"))) < 600, "nothing is waited for any more");
}

#[test]
fn before_its_time_is_over_a_call_stores_its_progress_and_is_continued() {
    let platform = Platform { call_ms: 3_000, ..Platform::with(format!("{HEADER}{}", rows(0..12_000))) };
    let first = platform.deliver(Kind::Scrubbed, &event("etag", "1"));
    assert_eq!(first, Some(Disposition::retry_after(Some(0), "b/scrubbed/f.csv is not done yet")));
    let rows = platform.progress().position.counts.rows;
    assert!((1..12_000).contains(&rows), "{rows}");
    assert_eq!(platform.scores().len() as u64, rows, "no row is put that is not done");
    let platform = Platform { call_ms: 0, ..platform };
    assert_eq!(platform.settle(Kind::Scrubbed, &event("etag", "1")), Disposition::Ack);
    assert_eq!(platform.scores(), each_once(0..12_000));
}

/// Rows that are invalid may take long, and cost no call of the platform.
#[test]
fn a_call_looks_at_the_clock_also_while_no_row_is_valid() {
    let text = format!("{HEADER}{}", "c,m,,x,1,verified\n".repeat(50_000));
    let platform = Platform { look_ms: 1_000, ..Platform::with(text) };
    assert!(matches!(platform.deliver(Kind::Scrubbed, &event("etag", "1")), Some(Disposition::Retry(_))));
    assert_eq!(platform.progress().position.counts, Counts { rows: 20 * PART_ROWS, invalid: 20 * PART_ROWS });
}

#[test]
#[allow(non_snake_case, reason = "begins with a line of docs/delivery.md")]
fn d12_10__a_file_that_is_replaced_while_it_is_read_starts_again() {
    let platform = Platform { call_ms: 3_000, ..Platform::with(format!("{HEADER}{}", rows(0..12_000))) };
    assert!(matches!(platform.deliver(Kind::Scrubbed, &event("etag", "1")), Some(Disposition::Retry(_))));
    platform.replace("new", format!("{HEADER}{}", rows(20_000..20_010)));
    let skipped = Disposition::Skip("replaced: b/scrubbed/f.csv; another event reports it".to_owned());
    assert_eq!(platform.deliver(Kind::Scrubbed, &event("etag", "1")), Some(skipped));
    assert_eq!(platform.settle(Kind::Scrubbed, &event("new", "2")), Disposition::Ack);
    let counts = platform.progress().position.counts;
    assert_eq!(counts.rows, 10);
    assert!(platform.scores().contains_key("20009"));
    // Its older event, which comes last, and the same event again.
    let again = |etag, sequencer| platform.deliver(Kind::Scrubbed, &event(etag, sequencer)).unwrap();
    assert_eq!(again("etag", "1"), Disposition::Skip("replaced: b/scrubbed/f.csv".to_owned()));
    assert_eq!(again("new", "2"), Disposition::Skip("read already: b/scrubbed/f.csv".to_owned()));
}

#[test]
#[allow(non_snake_case, reason = "begins with a line of docs/delivery.md")]
fn d12_10__a_file_that_is_deleted_is_left_out() {
    let platform = Platform::default();
    let skipped = Disposition::Skip("gone: b/scrubbed/f.csv".to_owned());
    assert_eq!(platform.deliver(Kind::Scrubbed, &event("etag", "1")), Some(skipped));
}

#[test]
fn a_file_that_is_deleted_while_it_is_read_is_reported_as_far_as_it_was_read() {
    let platform = Platform { call_ms: 3_000, ..Platform::with(format!("{HEADER}{}", rows(0..12_000))) };
    assert!(matches!(platform.deliver(Kind::Scrubbed, &event("etag", "1")), Some(Disposition::Retry(_))));
    platform.file.take();
    assert_eq!(platform.settle(Kind::Scrubbed, &event("etag", "1")), Disposition::Ack);
    let read = platform.progress().position.counts.rows;
    let rejected = (0..read).filter(|number| number.is_multiple_of(4)).count() as i64;
    assert_eq!(told(&platform), [("c".to_owned(), Some(read as i64 - rejected), Some(rejected))]);
    assert_eq!(
        platform.lines("File gone before its end"),
        [json!({"file": "b/scrubbed/f.csv", "rows": read, "invalid": 0})]
    );
}

/// Campaigns of reports, each once.
fn reported(platform: &Platform) -> Vec<String> {
    told(platform).into_iter().map(|(campaign, ..)| campaign).collect::<BTreeSet<_>>().into_iter().collect()
}

/// While the first version waits for its last records, or between two of its calls.
#[test]
fn a_version_that_is_replaced_before_its_report_leaves_its_campaigns_to_the_next_one() {
    for call_ms in [0, 3_000] {
        let platform =
            Platform { call_ms, ..Platform::with(format!("{HEADER}d,m9,,0,9,verified\n{}", rows(0..12_000))) };
        assert!(matches!(platform.deliver(Kind::Scrubbed, &event("etag", "1")), Some(Disposition::Retry(_))));
        platform.replace("new", format!("{HEADER}{}", rows(0..5)));
        assert_eq!(platform.settle(Kind::Scrubbed, &event("new", "2")), Disposition::Ack);
        let again = platform.deliver(Kind::Scrubbed, &event("etag", "1"));
        assert_eq!(again, Some(Disposition::Skip("replaced: b/scrubbed/f.csv".to_owned())));
        assert_eq!(reported(&platform), ["c", "d"]);
    }
}

/// Its last rows are put.
#[test]
fn a_call_whose_file_is_replaced_leaves_its_campaigns_to_the_next_version() {
    let mut text = format!("{HEADER}{}", rows(0..37_000));
    text.push_str("d,m9,,0,9,verified\n");
    assert!(text.len() < RANGE_BYTES as usize);
    text.push_str(&rows(0..37_000));
    let platform = Platform::with(text);
    platform.replacement.replace(Some(("new".to_owned(), format!("{HEADER}{}", rows(0..5)).into_bytes())));
    let skipped = Disposition::Skip("replaced: b/scrubbed/f.csv; another event reports it".to_owned());
    assert_eq!(platform.deliver(Kind::Scrubbed, &event("etag", "1")), Some(skipped));
    assert!(platform.due().0.campaigns(&file("etag"), None).ids.contains("d") && told(&platform).is_empty());
    assert_eq!(platform.settle(Kind::Scrubbed, &event("new", "2")), Disposition::Ack);
    assert_eq!(reported(&platform), ["c", "d"]);
}

#[test]
fn of_two_calls_that_read_a_file_one_stops() {
    let platform = Platform::with(format!("{HEADER}{}", rows(0..12_000)));
    let mut other = Box::pin(handle(&platform, Kind::Scrubbed, vec![event("etag", "1")]));
    platform.lives.set(Some(9));
    assert_eq!(platform.run(&mut other), None, "it waits for a call");
    platform.lives.set(None);
    assert_eq!(platform.settle(Kind::Scrubbed, &event("etag", "1")), Disposition::Ack);
    drop(other);
    let stored = platform.progress();
    let (kind, lines) = (Kind::Scrubbed, Lines::default());
    let loader = Loader {
        ports: &platform,
        kind,
        file: file("etag"),
        until_ms: 0,
        listed: Listed::of(&lines),
        overtaken: Cell::default(),
    };
    let (due, tail) = platform.due();
    let campaigns = due.campaigns(&loader.file, None);
    // A call that has not read what is to be reported, and one that has.
    for due in [Due::default(), due] {
        let (campaigns, tail) = (campaigns.clone(), tail.clone());
        let mut state = State { stored: None, progress: stored.clone(), due, covered: Rc::default(), campaigns, tail };
        platform.reports.borrow_mut().clear();
        let stopped = block_on(loader.store(&mut state)).unwrap_err();
        let reason = "another call reads b/scrubbed/f.csv, or another version of it";
        assert_eq!(stopped, Disposition::retry_after(Some(OTHER_CALL_MS), reason));
        assert_eq!(platform.progress(), stored);
        assert!(loader.overtaken.take());
        block_on(loader.report_unstored(&state)).unwrap();
        assert_eq!(told(&platform), [("c".to_owned(), None, None)], "what it has put is told");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Calls wait, fail, and take effect unheard.
    #[test]
    fn processing_success_rate_whatever_fails_every_valid_row_is_saved_and_counted_once(
        choices in prop::collection::vec(any::<u8>(), 0..400),
        is_fanlist in any::<bool>(),
    ) {
        let kind = if is_fanlist { Kind::Fanlist } else { Kind::Scrubbed };
        let platform = Platform::with(format!("{HEADER}{}c,m,,0,x,verified\n", rows(0..6_500)));
        platform.world.choices.set(choices);
        let settled = platform.settle(kind, &event("etag", "1"));
        // If the response of the last step was lost, the event is delivered again.
        prop_assert!(matches!(settled, Disposition::Ack | Disposition::Skip(_)), "{:?}", settled);
        prop_assert_eq!(platform.scores().len(), 6_500);
        if kind == Kind::Scrubbed {
            platform.write();
        }
        prop_assert_eq!(platform.items().len(), 6_500);
        let counts = platform.progress().position.counts;
        prop_assert_eq!((counts.rows, counts.invalid), (6_501, 1));
        let reports = told(&platform);
        // The last records may have been put before others that failed, and are saved before them then.
        let is_minimum = |(_, verified, rejected): &(String, Option<i64>, Option<i64>)| {
            kind == Kind::Scrubbed && *verified <= Some(4_875) && *rejected <= Some(1_625)
                || (*verified, *rejected) == (Some(4_875), Some(1_625))
        };
        prop_assert!(!reports.is_empty() && reports.iter().all(is_minimum), "{:?}", reports);
    }
}

/// Whether the update that stores the end takes effect or not.
#[test]
fn invalid_record_handling_the_warning_of_a_file_outlasts_a_crash() {
    for dies_late in [false, true] {
        // Two reads of what is stored, a range, a put, two updates for the batch and one for the end.
        let text = format!("{HEADER}c,m,,x,1,verified\n{}", rows(0..3));
        for lives in 1..9 {
            let platform = Platform { lives: Cell::new(Some(lives)), dies_late, ..Platform::with(&text) };
            platform.settle(Kind::Scrubbed, &event("etag", "1"));
            let lines = platform.lines.borrow();
            let warnings = lines.iter().filter(|(level, text, _)| *level == "WARN" && text.contains("1 of 4 rows"));
            assert!((1..=2).contains(&warnings.count()), "{dies_late} {lives}: {lines:?}");
        }
    }
}
