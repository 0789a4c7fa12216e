//! Files that are read by calls which end, fail and crash, over a small fake of the platform.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod counted;

use super::*;
use crate::save::save;
use crate::table::Table;
use crate::testing::World;
use futures::executor::block_on;
use futures::future::pending;
use proptest::prelude::*;
use scoring::fan::{SCORE, jobs};
use scoring::file::Sequencer;
use scoring::report::Message;
use scoring::table::{Change, Key};
use serde_json::Value;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use worker_kit::Payload;
use worker_kit::platform::data_streams::DataRecord;
use worker_kit::platform::table::Page;

/// Items of a page.
const PER_PAGE: usize = 500;
const HEADER: &str = "campaignId,memberId,email,rank,score,verdict\n";

/// The platform: a bucket with one file, a table, a data stream, a queue, and a clock.
#[derive(Default)]
struct Platform {
    world: World,
    /// The file's etag and content.
    file: RefCell<Option<(String, Vec<u8>)>>,
    stream: RefCell<Vec<ScoreRecord>>,
    /// How many of them the writers have saved.
    written: Cell<usize>,
    reports: RefCell<Vec<Message>>,
    now_ms: Cell<u64>,
    /// Milliseconds that each call of the platform takes.
    call_ms: u64,
    /// After so many calls of the platform the process ends, in the middle of the last one.
    lives: Cell<Option<u32>>,
    /// Whether the call that it dies in takes effect.
    dies_late: bool,
    /// Score of records that the stream does not take for now.
    throttled: Cell<Option<&'static str>>,
    /// Score of records that it never takes.
    refused: Option<&'static str>,
    lines: RefCell<Vec<(&'static str, String, Value)>>,
}

impl Platform {
    fn with(content: impl AsRef<[u8]>) -> Self {
        let platform = Self::default();
        platform.replace("etag", content);
        platform
    }

    fn replace(&self, etag: &str, content: impl AsRef<[u8]>) {
        *self.file.borrow_mut() = Some((etag.to_owned(), content.as_ref().to_vec()));
    }

    /// Makes a call. In the one in which the process dies nobody hears the response.
    async fn call<T>(&self, call: impl Future<Output = T>) -> T {
        self.now_ms.set(self.now_ms.get() + self.call_ms);
        match self.lives.get() {
            Some(0) => pending().await,
            Some(1) => {
                self.lives.set(Some(0));
                if self.dies_late {
                    call.await;
                }
                pending().await
            }
            Some(lives) => {
                self.lives.set(Some(lives - 1));
                call.await
            }
            None => call.await,
        }
    }

    /// Hands the event over once; `None` if the process dies.
    fn deliver(&self, kind: Kind, event: &Event) -> Option<Disposition> {
        handle(self, kind, vec![event.clone()]).now_or_never().map(|mut all| all.remove(0))
    }

    /// Hands the event over until it is settled; writers save meanwhile what is in the stream. A process that dies is
    /// replaced, and the time that the event asks for passes.
    fn settle(&self, kind: Kind, event: &Event) -> Disposition {
        for _ in 0..200 {
            let disposition = match self.world.choices.is_empty() {
                true => self.deliver(kind, event),
                false => Some(block_on(handle(self, kind, vec![event.clone()])).remove(0)),
            };
            match disposition {
                None => self.lives.set(None),
                Some(Disposition::Retry(retry)) => self.now_ms.set(self.now_ms.get() + retry.after_ms.unwrap_or(1_000)),
                Some(settled) => return settled,
            }
            if kind == Kind::Scrubbed {
                self.write();
            }
        }
        panic!("the event is not settled: {:?}", self.lines);
    }

    /// What save-fan-scores does, of which nothing fails.
    fn write(&self) {
        let world = World { table: RefCell::new(self.world.table.take()), ..World::default() };
        let records = self.stream.borrow();
        block_on(save(&world, jobs(records.iter().skip(self.written.replace(records.len())).cloned().enumerate())));
        self.world.table.replace(world.table.into_inner());
    }

    fn progress(&self) -> Progress {
        let item = self.world.table.borrow().get(&progress::key(&file("etag")));
        progress::read(item.as_deref()).unwrap().unwrap()
    }

    /// How often each score is in the stream.
    fn scores(&self) -> BTreeMap<String, usize> {
        let mut scores = BTreeMap::new();
        for record in self.stream.borrow().iter() {
            *scores.entry(record.score.as_json().get().to_owned()).or_default() += 1;
        }
        scores
    }

    /// Fans and their scores in the table.
    fn items(&self) -> BTreeMap<String, String> {
        let table = self.world.table.borrow();
        let items = table.items.iter().filter(|(key, _)| key.sk.starts_with(SCORE));
        items.map(|(key, item)| (key.sk[SCORE.len()..].to_owned(), item["score"].to_string())).collect()
    }

    /// Lines with this message.
    fn lines(&self, message: &str) -> Vec<Value> {
        let lines = self.lines.borrow();
        lines.iter().filter(|(_, text, _)| text == message).map(|(_, _, data)| data.clone()).collect()
    }

    fn log(&self, level: &'static str, message: &str, data: Value) {
        self.lines.borrow_mut().push((level, message.to_owned(), data));
    }
}

impl Table for Platform {
    async fn read(&self, keys: Vec<Key>) -> Result<Vec<Option<String>>, Error> {
        self.call(self.world.read(keys)).await
    }

    async fn update(&self, changes: Vec<Change>) -> Result<Vec<Option<Error>>, Error> {
        self.call(self.world.update(changes)).await
    }

    async fn remove(&self, keys: Vec<Key>) -> Result<Vec<Option<Error>>, Error> {
        self.call(self.world.remove(keys)).await
    }
}

impl Ports for Platform {
    async fn range(&self, file: &File, offset: u64, length: u32) -> Result<Vec<u8>, Error> {
        self.call(async {
            let held = self.file.borrow();
            let Some((etag, content)) = held.as_ref() else { return Err(Error::new(ErrorKind::NotFound, "nothing")) };
            if *etag != file.etag {
                return Err(Error::new(ErrorKind::Changed, "another one"));
            }
            let rest = content.get(offset as usize..).unwrap_or_default();
            Ok(rest[..rest.len().min(length as usize)].to_vec())
        })
        .await
    }

    async fn put(&self, records: Vec<DataRecord>) -> Result<Vec<Result<String, Error>>, Error> {
        assert!(records.len() <= 1_000 && !records.is_empty());
        let one = |DataRecord { partition_key, data }| {
            let record: ScoreRecord = serde_json::from_slice(&data).unwrap();
            assert_eq!(Some(&partition_key), record.member_id.as_ref().or(record.email.as_ref()));
            let score = record.score.as_json().get();
            if self.throttled.get() == Some(score) {
                return Err(Error::new(ErrorKind::Throttled, "busy"));
            }
            if self.refused == Some(score) {
                return Err(Error::new(ErrorKind::Invalid, "no"));
            }
            self.stream.borrow_mut().push(record);
            Ok("1".to_owned())
        };
        let puts = self.world.call(|| records.into_iter().map(one).collect());
        self.call(puts).await
    }

    async fn query(&self, pk: &str, prefix: &str, after: Option<String>) -> Result<Page, Error> {
        self.call(async {
            let table = self.world.table.borrow();
            let items = table.items.iter().filter(|(key, _)| key.pk == pk && key.sk.starts_with(prefix));
            let mut items: Vec<_> =
                items.filter(|(key, _)| after.as_ref().is_none_or(|after| key.sk > *after)).collect();
            let next = items.get(PER_PAGE..).filter(|rest| !rest.is_empty()).map(|_| items[PER_PAGE - 1].0.sk.clone());
            items.truncate(PER_PAGE);
            Ok(Page { items: items.into_iter().map(|(_, item)| Value::from(item.clone()).to_string()).collect(), next })
        })
        .await
    }

    async fn report(&self, bodies: Vec<String>) -> Result<Vec<Result<String, Error>>, Error> {
        let one = |body: String| {
            self.reports.borrow_mut().push(serde_json::from_str(&body).unwrap());
            Ok(String::new())
        };
        let reports = self.world.call(|| bodies.into_iter().map(one).collect());
        self.call(reports).await
    }

    async fn pause(&self, ms: u64) {
        self.now_ms.set(self.now_ms.get() + ms);
    }

    fn now_ms(&self) -> u64 {
        self.now_ms.get()
    }

    fn info(&self, message: &str, data: Value) {
        self.log("INFO", message, data);
    }

    fn warn(&self, message: &str, data: Value) {
        self.log("WARN", message, data);
    }

    fn error(&self, message: &str, data: Value) {
        self.log("ERROR", message, data);
    }

    fn count(&self, name: &str, number: u64, labels: &[(&str, &str)]) {
        self.log("COUNT", &format!("{name} {labels:?}"), json!(number));
    }
}

fn file(etag: &str) -> File {
    File {
        bucket: "b".to_owned(),
        key: "scrubbed/f.csv".to_owned(),
        etag: etag.to_owned(),
        sequencer: Sequencer::new("1"),
    }
}

fn event(etag: &str, sequencer: &str) -> Event {
    let payload = json!({
        "bucket": "b", "key": "scrubbed/f.csv", "size": 1, "etag": etag, "sequencer": sequencer,
        "eventName": "ObjectCreated:Put", "eventTime": "2024-01-15T10:30:00Z",
    });
    Event {
        id: "1".to_owned(),
        source: "s3:b".to_owned(),
        ordering_key: None,
        payload: Payload::Json(payload.to_string()),
        attributes: vec![],
        attempt: 1,
        time_ms: 0,
        correlation_id: "c".to_owned(),
        traceparent: None,
    }
}

/// Rows of as many members, each with its number as the score.
fn rows(numbers: std::ops::Range<u32>) -> String {
    let mut text = String::new();
    for number in numbers {
        let verdict = if number.is_multiple_of(4) { "rejected" } else { "verified" };
        writeln!(text, "c,m{number},,{},{number},{verdict}", number % 2).unwrap();
    }
    text
}

fn each_once(numbers: std::ops::Range<u32>) -> BTreeMap<String, usize> {
    numbers.map(|number| (number.to_string(), 1)).collect()
}

/// The expected totals of the reports.
fn told(platform: &Platform) -> Vec<(String, Option<i64>, Option<i64>)> {
    let reports = platform.reports.borrow();
    let told = |it: &Message| (it.campaign_id.clone(), it.expected.verified, it.expected.rejected);
    reports.iter().map(told).collect()
}

#[test]
fn req_001_the_rows_of_a_file_are_put_and_its_campaign_is_reported() {
    let platform = Platform::with(format!("{HEADER}{}", rows(0..2_500)));
    assert_eq!(platform.settle(Kind::Scrubbed, &event("etag", "1")), Disposition::Ack);
    assert_eq!(platform.scores(), each_once(0..2_500));
    let record = platform.stream.borrow()[4].clone();
    assert_eq!((record.file.as_str(), record.sequencer), ("b/scrubbed/f.csv", Sequencer::new("1")));
    assert_eq!(told(&platform), [("c".to_owned(), Some(1_875), Some(625))]);
    let message = serde_json::to_value(&platform.reports.borrow()[0]).unwrap();
    let expected = json!({"campaignId": "c", "source": "scoring", "file": "b/scrubbed/f.csv", "expected": {"verified": 1_875, "rejected": 625}});
    assert_eq!(message, expected);
    assert!(platform.progress().is_done);
    assert_eq!(platform.lines("File read"), [json!({"file": "b/scrubbed/f.csv", "rows": 2_500, "invalid": 0})]);
}

#[test]
fn rows_of_a_fanlist_are_saved_and_put_after_that() {
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
    assert_eq!(platform.lines("Row not saved"), [json!({"file": "b/scrubbed/f.csv", "reason": "invalid: no"})]);
}

/// At each call of the platform, before or after it takes effect.
#[test]
fn a_crash_at_any_step_repeats_at_most_the_last_batch() {
    let text = format!("{HEADER}{}", rows(0..5_600));
    for (kind, dies_late) in [Kind::Scrubbed, Kind::Fanlist].into_iter().flat_map(|kind| [(kind, false), (kind, true)])
    {
        // The count of the items takes most of the calls.
        for lives in 1..60 {
            let platform = Platform { lives: Cell::new(Some(lives)), dies_late, ..Platform::with(&text) };
            assert!(!matches!(platform.settle(kind, &event("etag", "1")), Disposition::Retry(_)));
            let scores = platform.scores();
            assert_eq!(scores.len(), 5_600, "{lives}");
            let repeated: usize = scores.values().map(|times| times - 1).sum();
            assert!(
                repeated <= STORED_ROWS as usize && scores.values().all(|times| *times <= 2),
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

#[test]
fn a_file_that_is_replaced_while_it_is_read_starts_anew() {
    let platform = Platform { call_ms: 3_000, ..Platform::with(format!("{HEADER}{}", rows(0..12_000))) };
    assert!(matches!(platform.deliver(Kind::Scrubbed, &event("etag", "1")), Some(Disposition::Retry(_))));
    platform.replace("new", format!("{HEADER}{}", rows(20_000..20_010)));
    let skipped = Disposition::Skip("replaced: b/scrubbed/f.csv, of which another event tells".to_owned());
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
fn a_file_that_is_deleted_is_left_out() {
    let skipped = Disposition::Skip("gone: b/scrubbed/f.csv".to_owned());
    assert_eq!(Platform::default().deliver(Kind::Scrubbed, &event("etag", "1")), Some(skipped));
}

#[test]
fn of_two_calls_that_read_a_file_one_stops() {
    let platform = Platform::with(format!("{HEADER}{}", rows(0..12_000)));
    let mut other = Box::pin(handle(&platform, Kind::Scrubbed, vec![event("etag", "1")]));
    platform.lives.set(Some(9));
    assert!((&mut other).now_or_never().is_none(), "it waits for a call");
    platform.lives.set(None);
    assert_eq!(platform.settle(Kind::Scrubbed, &event("etag", "1")), Disposition::Ack);
    drop(other);
    let mut state = State { stored: None, progress: platform.progress() };
    let loader =
        Loader { ports: &platform, kind: Kind::Scrubbed, file: file("etag"), until_ms: 0, listed: Listed::default() };
    let stopped = block_on(loader.store(&mut state)).unwrap_err();
    let reason = "another call reads b/scrubbed/f.csv, or another version of it";
    assert_eq!(stopped, Disposition::retry_after(Some(OTHER_CALL_MS), reason));
    assert_eq!(platform.progress(), state.progress);
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
    assert_eq!(platform.lines("More rows invalid or lost"), [json!({"file": "b/scrubbed/f.csv", "unlisted": 49_900})]);
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
fn records_that_fail_alone_are_put_again_alone_and_one_that_is_wrong_costs_no_other() {
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
    assert_eq!(platform.lines("Row not put"), [json!({"file": "b/scrubbed/f.csv", "reason": "no"})]);
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Calls wait, fail, and take effect unheard.
    #[test]
    fn whatever_fails_every_valid_row_is_saved_and_counted_once(
        choices in prop::collection::vec(any::<u8>(), 0..400),
        is_fanlist in any::<bool>(),
    ) {
        let kind = if is_fanlist { Kind::Fanlist } else { Kind::Scrubbed };
        let platform = Platform::with(format!("{HEADER}{}c,m,,0,x,verified\n", rows(0..6_500)));
        platform.world.choices.set(choices);
        let settled = platform.settle(kind, &event("etag", "1"));
        // Where the response of the last step was lost, the event comes again.
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
