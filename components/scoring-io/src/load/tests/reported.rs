//! The reports of a file's campaigns.

use super::*;

#[test]
fn req_001_the_rows_of_a_file_are_put_and_its_campaign_is_reported() {
    let platform = Platform::with(format!("{HEADER}{}", rows(0..2_500)));
    assert_eq!(platform.settle(Kind::Scrubbed, &event("etag", "1")), Disposition::Ack);
    assert_eq!(platform.scores(), each_once(0..2_500));
    let record = platform.stream.borrow()[4].clone();
    assert_eq!((record.file.as_str(), record.sequencer), ("b/scrubbed/f.csv", Sequencer::new("1")));
    assert_eq!(told(&platform), [("c".to_owned(), Some(1_875), Some(625))]);
    let message = serde_json::to_value(&platform.reports.borrow()[0]).unwrap();
    let expected = json!({
        "campaignId": "c", "source": "scoring", "file": "b/scrubbed/f.csv",
        "expected": {"verified": 1_875, "rejected": 625}, "endedMs": 0,
    });
    assert_eq!(message, expected);
    assert!(platform.progress().is_done);
    assert_eq!(platform.lines("File read"), [json!({"file": "b/scrubbed/f.csv", "rows": 2_500, "invalid": 0})]);
}

#[test]
fn a_file_is_reported_when_the_writers_have_saved_its_last_records() {
    let platform = Platform::with(format!("{HEADER}{}", rows(0..50)));
    let event = event("etag", "1");
    for expected_ms in [1_000, 1_250, 2_500] {
        let reason = "the last records of b/scrubbed/f.csv are not saved yet";
        let waits = Disposition::retry_after(Some(expected_ms), reason);
        assert_eq!(platform.deliver(Kind::Scrubbed, &event), Some(waits));
        assert_eq!(platform.reports.borrow().len(), 0);
        platform.now_ms.set(platform.now_ms.get() + 5_000);
    }
    platform.write();
    assert_eq!(platform.deliver(Kind::Scrubbed, &event), Some(Disposition::Ack));
    assert_eq!(told(&platform), [("c".to_owned(), Some(37), Some(13))]);
    assert_eq!(platform.scores(), each_once(0..50), "rows are not put again while it waits");
}

#[test]
fn a_file_whose_last_records_are_never_saved_is_reported_after_10_minutes() {
    let platform = Platform::with(format!("{HEADER}{}", rows(0..5)));
    assert!(matches!(platform.deliver(Kind::Scrubbed, &event("etag", "1")), Some(Disposition::Retry(_))));
    platform.now_ms.set(600_000);
    assert_eq!(platform.deliver(Kind::Scrubbed, &event("etag", "1")), Some(Disposition::Ack));
    assert_eq!(told(&platform), [("c".to_owned(), Some(0), Some(0))]);
    let lines = platform.lines.take();
    let is_warning = |(level, message, _): &&(&str, String, Value)| *level == "WARN" && message.contains("10 minutes");
    assert_eq!(lines.iter().filter(is_warning).count(), 1, "{lines:?}");
}

#[test]
fn each_campaign_of_a_file_is_reported_also_when_the_count_is_continued() {
    let text: String = (0..40).map(|n| format!("c{},m{n},,0,{n},verified\n", n % 5)).collect();
    let platform = Platform { call_ms: 4_000, ..Platform::with(format!("{HEADER}{text}")) };
    assert_eq!(platform.settle(Kind::Scrubbed, &event("etag", "1")), Disposition::Ack);
    let expected = (0..5).map(|n| (format!("c{n}"), Some(8), Some(0)));
    assert_eq!(told(&platform), expected.collect::<Vec<_>>(), "each once, in order");
}

#[test]
fn point_1_a_campaign_whose_report_no_queue_takes_costs_no_other() {
    let text: String = (0..40).map(|n| format!("c{},m{n},,0,{n},verified\n", n % 5)).collect();
    let platform = Platform { unreportable: Some("c2"), ..Platform::with(format!("{HEADER}{text}")) };
    assert_eq!(platform.settle(Kind::Scrubbed, &event("etag", "1")), Disposition::Ack);
    let expected = [0, 1, 3, 4].map(|n| (format!("c{n}"), Some(8), Some(0)));
    assert_eq!(told(&platform), expected);
    assert!(platform.progress().is_done);
    let problem = "a character that no queue takes";
    let line = json!({"file": "b/scrubbed/f.csv", "campaignId": "c2", "problem": problem});
    assert_eq!(platform.lines("Campaign not reported: its message is invalid"), [line]);
}

/// Each of 16 shards in turn is behind while the others are not. The last batch has 1 row, the one before 5,000.
#[test]
fn req_002_a_file_is_not_reported_while_any_shard_is_behind() {
    for shard in 0..16 {
        let platform = Platform::with(format!("{HEADER}{}", rows(0..5_001)));
        platform.held_up.set(Some(shard));
        let event = event("etag", "1");
        for _ in 0..30 {
            let waits = platform.deliver(Kind::Scrubbed, &event);
            assert!(matches!(waits, Some(Disposition::Retry(_))), "{shard}: {waits:?}");
            platform.write();
            platform.now_ms.set(platform.now_ms.get() + 1_000);
        }
        assert_eq!(platform.reports.borrow().len(), 0);
        platform.held_up.set(None);
        platform.write();
        assert_eq!(platform.deliver(Kind::Scrubbed, &event), Some(Disposition::Ack));
        assert_eq!(told(&platform), [("c".to_owned(), Some(3_750), Some(1_251))]);
    }
}

/// Parts that are in progress at the same time are put in any order.
#[test]
fn the_rows_that_a_report_waits_for_are_put_when_all_others_are() {
    let platform = Platform::with(format!("{HEADER}{}", rows(0..9_000)));
    platform.world.choices.set((0..400).map(|n| [2, 0, 0, 1, 0, 0, 0][n % 7]).collect());
    block_on(handle(&platform, Kind::Scrubbed, vec![event("etag", "1")]));
    let (stream, tail) = (platform.stream.borrow(), platform.due().1);
    for digit in 0..16 {
        let is_of_shard = |record: &&ScoreRecord| first_digit(partition_key(record)) == digit;
        let last = stream.iter().rfind(is_of_shard).unwrap();
        assert!(tail.records().any(|record| record == last), "{digit}");
    }
}

/// A call that fails stores what it has counted, so the count ends although no call reads all pages.
#[test]
fn a_count_whose_pages_are_throttled_goes_on_where_it_stood() {
    for pages_per_throttled in [2, 5] {
        let platform = Platform::with(format!("{HEADER}{}", rows(0..5_600)));
        let platform = Platform { pages_per_throttled: Some(pages_per_throttled), ..platform };
        assert_eq!(platform.settle(Kind::Scrubbed, &event("etag", "1")), Disposition::Ack);
        assert_eq!(told(&platform), [("c".to_owned(), Some(4_200), Some(1_400))]);
        assert!(platform.pages.get() <= 12 + 12, "{}", platform.pages.get());
    }
}
