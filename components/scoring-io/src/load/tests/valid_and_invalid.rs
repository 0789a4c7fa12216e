//! The outcomes of rows.

use super::*;

#[test]
fn deduplication_effectiveness_rows_of_a_fanlist_are_saved_and_put_after_that() {
    let text = "campaignId,memberId,email,score,verdict\nc,m1,A@x.org,5,verified\nc,,a@x.org,9,verified\nc,m1,,7,rejected\nc,,b@x.org,1,rejected\n";
    let platform = Platform::with(text);
    assert_eq!(platform.deliver(Kind::Fanlist, &event("etag", "1")), Some(Disposition::Ack));
    let items = [("email:b@x.org", "1"), ("m1", "9")].map(|(fan, score)| (fan.to_owned(), score.to_owned()));
    assert_eq!(platform.items(), BTreeMap::from(items), "named by memberId, else by lower-cased address");
    let puts =
        platform.stream.borrow().iter().map(|record| record.score.as_json().get().to_owned()).collect::<Vec<_>>();
    assert_eq!(puts, ["5", "9", "7", "1"], "each row");
    assert_eq!(told(&platform), [("c".to_owned(), Some(1), Some(1))]);
}

#[test]
fn req_008_a_fanlist_row_that_cannot_be_saved_is_logged_and_not_put() {
    let stuck = BTreeMap::from([("SCORE#m1".to_owned(), Error::new(ErrorKind::Invalid, "no"))]);
    let platform = Platform::with(format!("{HEADER}{}", rows(0..3)));
    let platform = Platform { world: World { stuck, ..World::default() }, ..platform };
    assert_eq!(platform.deliver(Kind::Fanlist, &event("etag", "1")), Some(Disposition::Ack));
    assert_eq!(platform.scores().into_keys().collect::<Vec<_>>(), ["0", "2"]);
    assert_eq!(
        platform.lines("Row not saved"),
        [json!({"file": "b/scrubbed/f.csv", "line": 3, "fan": "m1", "reason": "invalid: no"})]
    );
}

#[test]
fn req_004_req_008_invalid_rows_are_logged_and_counted_and_block_no_other() {
    let text = format!("{HEADER}{}c,m,,x,1,verified\nc,,,0,1,verified\n{}", rows(0..18), rows(18..20));
    let platform = Platform::with(text);
    assert_eq!(platform.settle(Kind::Scrubbed, &event("etag", "1")), Disposition::Ack);
    assert_eq!(platform.scores(), each_once(0..20));
    let name = "b/scrubbed/f.csv";
    let invalid = [
        json!({"file": name, "line": 20, "row": "line 20, column rank: is not a number"}),
        json!({"file": name, "line": 21, "row": "line 21: has no memberId or globalUserId"}),
    ];
    assert_eq!(platform.lines("Row invalid"), invalid);
    let counts = platform.progress().position.counts;
    assert_eq!((counts.rows, counts.invalid), (22, 2));
    let warnings: Vec<_> = platform.lines.take().into_iter().filter(|(level, ..)| *level == "WARN").collect();
    let warning = format!("{name}: 2 of 22 rows are invalid, more than 5 %");
    assert_eq!(warnings, [("WARN", warning, json!({"file": name, "rows": 22, "invalid": 2}))]);
}

#[test]
fn a_file_of_invalid_rows_only_is_counted_and_not_listed_whole() {
    let platform = Platform::with(format!("{HEADER}{}", "c,m,,x,1,verified\n".repeat(50_000)));
    assert_eq!(platform.deliver(Kind::Scrubbed, &event("etag", "1")), Some(Disposition::Ack));
    assert_eq!(platform.lines("Row invalid").len(), 100);
    assert_eq!(platform.lines("More rows invalid"), [json!({"file": "b/scrubbed/f.csv", "unlisted": 49_900})]);
    assert_eq!(platform.progress().position.counts.invalid, 50_000);
    assert_eq!(platform.reports.borrow().len(), 0, "no campaign is named");
}

#[test]
fn an_unreadable_file_is_rejected_by_name() {
    let platform = Platform::with(b"\xff\xfec\0a\0");
    let reason = "unreadable: b/scrubbed/f.csv: the file is UTF-16; write it as UTF-8".to_owned();
    assert_eq!(platform.deliver(Kind::Scrubbed, &event("etag", "1")), Some(Disposition::Reject(reason)));
}

#[test]
fn an_event_that_is_not_a_files_is_rejected() {
    let event = Event { payload: Payload::Json(r#"{"bucket":"b"}"#.to_owned()), ..event("etag", "1") };
    let Some(Disposition::Reject(reason)) = Platform::default().deliver(Kind::Scrubbed, &event) else { panic!() };
    assert!(reason.starts_with("malformed: "), "{reason}");
}

/// Each file, and the scores of the records that it has.
#[test]
fn files_as_programs_write_them_are_read() {
    let row = "c,m1,,0,7,verified";
    let noted = format!(
        "campaignId,note,memberId,email,rank,score,verdict\nc,\"{}\"\"\n\",m1,,0,7,verified\n",
        "x".repeat(60_000)
    );
    for (text, scores) in [
        (String::new(), vec![]),
        (HEADER.to_owned(), vec![]),
        (HEADER.trim().to_owned(), vec![]),
        (format!("{HEADER}{row}"), vec!["7"]),
        (format!("\u{feff}{HEADER}{row}\n").replace('\n', "\r\n"), vec!["7"]),
        ("note,verdict,score,rank,memberId,campaignId\n\"a, \nb\",verified,7,0,m,c\n".to_owned(), vec!["7"]),
        (noted.clone(), vec!["7"]),
        (noted.replace('x', "xx"), vec![]),
    ] {
        let platform = Platform::with(&text);
        assert_eq!(platform.settle(Kind::Scrubbed, &event("etag", "1")), Disposition::Ack, "{text:.100}");
        assert_eq!(platform.scores().into_keys().collect::<Vec<_>>(), scores, "{text:.100}");
    }
    let latin = [HEADER.as_bytes(), b"c,m1,zo\xe9@x.org,0,7,verified\nc,m\xe9,,0,8,verified\n"].concat();
    let platform = Platform::with(latin);
    assert_eq!(platform.settle(Kind::Scrubbed, &event("etag", "1")), Disposition::Ack);
    assert_eq!(platform.scores(), BTreeMap::from([("7".to_owned(), 1)]));
    assert_eq!(platform.lines("Row invalid")[0]["row"], "line 3, column memberId: is not UTF-8");
}

/// Quotes, a line break in them, and characters of several bytes at the border of two ranges.
#[test]
fn rows_cross_the_borders_of_ranges() {
    let range = RANGE_BYTES as usize;
    for shift in 0..12 {
        let mut text = "campaignId,memberId,note,rank,score,verdict\n".to_owned();
        let filler = "c,m1,,0,1,verified\n";
        while text.len() + 100 < range {
            text.push_str(filler);
        }
        let last = "c,m2,\"Zoë, \r\n\"\"Z\"\"\",0,2,verified\r\n";
        text.push_str(&format!("c,m3,{},0,3,verified\n", "x".repeat(range - text.len() - 28 - shift)));
        text.push_str(last);
        text.push_str("c,m4,,1,4,verified");
        assert!(text.len() > range);
        let platform = Platform::with(&text);
        assert_eq!(platform.settle(Kind::Scrubbed, &event("etag", "1")), Disposition::Ack);
        assert_eq!(platform.scores().into_keys().collect::<Vec<_>>(), ["1", "2", "3", "4"], "{shift}");
        assert_eq!(platform.progress().position.counts.invalid, 0);
    }
}

/// A range that ends where the file ends is not its last one by its length.
#[test]
fn a_file_of_whole_ranges_is_read_to_its_end() {
    let row = "c,m1,,0,1,verified\n";
    let rows = 2 * RANGE_BYTES as usize / row.len() - 10;
    let mut text = HEADER.to_owned() + &row.repeat(rows);
    text.push_str(&"\n".repeat(2 * RANGE_BYTES as usize - text.len()));
    let platform = Platform::with(&text);
    assert_eq!(platform.settle(Kind::Scrubbed, &event("etag", "1")), Disposition::Ack);
    assert_eq!(platform.progress().position.counts.rows as usize, rows);
    assert_eq!(platform.progress().position.place.offset as usize, text.len());
}

#[test]
fn stream_delivery_records_that_fail_alone_are_put_again_alone_and_one_that_is_wrong_costs_no_other() {
    let platform = Platform { refused: Some("3"), ..Platform::with(format!("{HEADER}{}", rows(0..5))) };
    platform.throttled.set(Some("1"));
    let Some(Disposition::Retry(retry)) = platform.deliver(Kind::Scrubbed, &event("etag", "1")) else { panic!() };
    assert!(retry.after_ms.is_some(), "it waits, which uses no attempt");
    assert_eq!(platform.scores().into_iter().collect::<Vec<_>>(), ["0", "2", "4"].map(|score| (score.to_owned(), 1)));
    assert_eq!(platform.lines("Row not put").len(), 0, "the call fails, so nothing is final");
    platform.throttled.set(None);
    platform.stream.borrow_mut().clear();
    platform.written.set(0);
    platform.settle(Kind::Scrubbed, &event("etag", "1"));
    assert_eq!(platform.scores().into_keys().collect::<Vec<_>>(), ["0", "1", "2", "4"]);
    assert_eq!(
        platform.lines("Row not put"),
        [json!({"file": "b/scrubbed/f.csv", "line": 5, "fan": "m3", "reason": "no"})]
    );
}

/// The rows that lines of level ERROR name, each by its line, fan and reason: those with a line each, and the others.
fn lost(platform: &Platform) -> [Vec<(u64, String, String)>; 2] {
    let row = |row: &Value| {
        let text = |name: &str| row[name].as_str().unwrap().to_owned();
        (row["line"].as_u64().unwrap(), text("fan"), text("reason"))
    };
    let lines = platform.lines.borrow();
    let of = |message: &str| lines.iter().filter(move |line| line.1 == message).collect::<Vec<_>>();
    let (alone, together) = (of("Row not put"), of("More rows lost"));
    assert!(alone.iter().chain(&together).all(|line| line.0 == "ERROR" && line.2["file"] == "b/scrubbed/f.csv"));
    let others = together.iter().flat_map(|line| line.2["rows"].as_array().unwrap());
    [alone.iter().map(|line| row(&line.2)).collect(), others.map(row).collect()]
}

#[test]
#[allow(non_snake_case, reason = "begins with a line of docs/delivery.md")]
fn d12_8__invalid_record_handling_many_invalid_rows_hide_no_row_that_is_lost() {
    let invalid = "c,m,,x,1,verified\n".repeat(150);
    let refused: String = (0..250).map(|n| format!("c,m{n},,0,9,verified\n")).collect();
    let platform = Platform { refused: Some("9"), ..Platform::with(format!("{HEADER}{invalid}{refused}")) };
    let settled = platform.deliver(Kind::Scrubbed, &event("etag", "1"));
    assert_eq!(settled, Some(Disposition::Ack), "a report does not wait for rows that are lost");
    let [alone, others] = lost(&platform);
    assert_eq!((platform.lines("Row invalid").len(), alone.len(), others.len()), (100, 100, 150));
    let named: BTreeSet<_> = alone.into_iter().chain(others).collect();
    let expected = (0..250).map(|n: u64| (n + 152, format!("m{n}"), "no".to_owned()));
    assert_eq!(named, expected.collect::<BTreeSet<_>>(), "each with its line");
    assert_eq!(platform.lines("More rows invalid"), [json!({"file": "b/scrubbed/f.csv", "unlisted": 50})]);
}

/// The host takes 1,000 lines of a call.
#[test]
#[allow(non_snake_case, reason = "begins with a line of docs/delivery.md")]
fn d12_8__of_a_file_whose_rows_are_all_lost_each_is_named_in_several_calls() {
    let refused: String = (0..30_000).map(|n| format!("c,m{n},,0,9,verified\n")).collect();
    let platform = Platform { refused: Some("9"), ..Platform::with(format!("{HEADER}{refused}")) };
    let (mut calls, mut named) = (0, BTreeSet::new());
    loop {
        calls += 1;
        let settled = platform.deliver(Kind::Scrubbed, &event("etag", "1")).unwrap();
        named.extend(lost(&platform).concat().into_iter().map(|(line, ..)| line));
        let lines = platform.lines.take().len();
        assert!(lines < 1_000, "{lines}");
        if settled == Disposition::Ack {
            break;
        }
    }
    assert!(calls > 1, "one call has no room for them");
    assert_eq!(named, (2..30_002).collect::<BTreeSet<u64>>());
}

/// The same of the files of a notification with several records. The platform has one content for all of them.
#[test]
#[allow(non_snake_case, reason = "begins with a line of docs/delivery.md")]
fn d12_8__of_several_files_whose_rows_are_all_lost_each_is_named_in_several_calls() {
    let refused: String = (0..3_000).map(|n| format!("c,m{n},,0,9,verified\n")).collect();
    let invalid = "c,m,,x,1,verified\n".repeat(150);
    let platform = Platform { refused: Some("9"), ..Platform::with(format!("{HEADER}{refused}{invalid}")) };
    let mut open: Vec<_> = (0..8).map(|file| event_of(&format!("scrubbed/{file}.csv"), "etag", "1")).collect();
    let (mut calls, mut named) = (0, BTreeSet::new());
    while !open.is_empty() {
        calls += 1;
        assert!(calls < 20, "{} files are not done", open.len());
        let settled = platform.run(handle(&platform, Kind::Scrubbed, open.clone())).unwrap();
        let lines = platform.lines.take();
        assert!(lines.len() < 1_000, "{}", lines.len());
        for (_, _, data) in lines.iter().filter(|(level, ..)| *level == "ERROR") {
            let rows = data["rows"].as_array().cloned().unwrap_or_else(|| vec![data.clone()]);
            let name = |row: &Value| (data["file"].as_str().unwrap().to_owned(), row["line"].as_u64().unwrap());
            named.extend(rows.iter().map(name));
        }
        open =
            open.into_iter().zip(settled).filter(|(_, it)| *it != Disposition::Ack).map(|(event, _)| event).collect();
    }
    assert!(calls > 1, "one call has no room for them");
    let expected = (0..8).flat_map(|file| (2..3_002_u64).map(move |line| (format!("b/scrubbed/{file}.csv"), line)));
    assert_eq!(named, expected.collect::<BTreeSet<_>>());
}
