//! Files that are read by calls which end, fail and crash, over a small fake of the platform.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod continued;
mod counted;
mod reported;
mod valid_and_invalid;

use super::*;
use crate::save::save;
use crate::table::Table;
use crate::testing::World;
use futures::executor::block_on;
use futures::future::pending;
use md5::{Digest, Md5};
use proptest::prelude::*;
use scoring::fan::{SCORE, jobs};
use scoring::file::Sequencer;
use scoring::record::ScoreRecord;
use scoring::report::Message;
use scoring::tail::partition_key;
use serde_json::Value;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};
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
    /// What replaces it when its first range is read.
    replacement: RefCell<Option<(String, Vec<u8>)>>,
    stream: RefCell<Vec<ScoreRecord>>,
    /// How many of them the writers have taken.
    written: Cell<usize>,
    /// The first digit of the hashes whose shard and slice hold up their writer.
    held_up: Cell<Option<u8>>,
    /// What that writer has taken and not saved.
    unsaved: RefCell<Vec<ScoreRecord>>,
    reports: RefCell<Vec<Message>>,
    now_ms: Cell<u64>,
    /// Milliseconds that each call of the platform takes.
    call_ms: u64,
    /// Milliseconds between two looks at the clock.
    look_ms: u64,
    /// After this many calls of the platform the process ends, in the middle of the last one.
    lives: Cell<Option<u32>>,
    /// Whether the call that it dies in takes effect.
    dies_late: bool,
    /// Score of records that the stream does not take for now.
    throttled: Cell<Option<&'static str>>,
    /// Score of records that it never takes.
    refused: Option<&'static str>,
    /// The campaign whose report no queue accepts.
    unreportable: Option<&'static str>,
    /// One in this many pages of items is throttled.
    pages_per_throttled: Option<u32>,
    pages: Cell<u32>,
    /// Whether responses arrive as in a component: only while the whole call waits.
    responds_late: bool,
    /// How often it has waited.
    waits: Cell<u64>,
    /// Who waits for a response.
    waiting: RefCell<Vec<Waker>>,
    /// The requests that write: `put`, or the sort key of an update.
    writes: RefCell<Vec<String>>,
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
        let response = match self.lives.get() {
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
        };
        let waits = self.waits.get();
        poll_fn(|context| {
            if !self.responds_late || self.waits.get() > waits {
                return Poll::Ready(());
            }
            self.waiting.borrow_mut().push(context.waker().clone());
            Poll::Pending
        })
        .await;
        response
    }

    /// Runs something to its end; `None` if it waits for what never comes.
    fn run<T>(&self, task: impl Future<Output = T>) -> Option<T> {
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(woken.clone());
        let mut task = pin!(task);
        loop {
            if let Poll::Ready(value) = task.as_mut().poll(&mut Context::from_waker(&waker)) {
                return Some(value);
            }
            self.waits.set(self.waits.get() + 1);
            self.waiting.take().into_iter().for_each(Waker::wake);
            if !woken.0.swap(false, Ordering::Relaxed) {
                return None;
            }
        }
    }

    /// Hands the event over once; `None` if the process dies.
    fn deliver(&self, kind: Kind, event: &Event) -> Option<Disposition> {
        self.run(handle(self, kind, vec![event.clone()])).map(|mut all| all.remove(0))
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

    /// What save-fan-scores does, of which nothing fails; but a shard may be held up.
    fn write(&self) {
        let world = World { table: RefCell::new(self.world.table.take()), ..World::default() };
        let records = self.stream.borrow();
        let new = records.iter().skip(self.written.replace(records.len())).cloned();
        let is_held_up = |record: &ScoreRecord| self.held_up.get() == Some(first_digit(partition_key(record)));
        let taken: Vec<_> = self.unsaved.take().into_iter().chain(new).collect();
        let (held_up, saved): (Vec<_>, Vec<_>) = taken.into_iter().partition(is_held_up);
        self.unsaved.replace(held_up);
        block_on(save(&world, jobs(saved.into_iter().enumerate())));
        self.world.table.replace(world.table.into_inner());
    }

    fn progress(&self) -> Progress {
        let item = self.world.table.borrow().get(&progress::key(&file("etag")));
        progress::read(item.as_deref()).unwrap().unwrap()
    }

    /// What is to be reported, as it is stored: the campaigns, and the last records.
    fn due(&self) -> (Due, Tail) {
        let item = self.world.table.borrow().get(&due::key(&file("etag")));
        due::read(item.as_deref()).unwrap()
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
        self.writes.borrow_mut().extend(changes.iter().map(|change| change.key.sk.clone()));
        self.call(self.world.update(changes)).await
    }

    async fn remove(&self, keys: Vec<Key>) -> Result<Vec<Option<Error>>, Error> {
        self.call(self.world.remove(keys)).await
    }
}

impl Ports for Platform {
    async fn range(&self, file: &File, offset: u64, length: u32) -> Result<Vec<u8>, Error> {
        self.call(async {
            let mut held = self.file.borrow_mut();
            let Some((etag, content)) = held.as_ref() else { return Err(Error::new(ErrorKind::NotFound, "nothing")) };
            if *etag != file.etag {
                return Err(Error::new(ErrorKind::Changed, "another one"));
            }
            let rest = content.get(offset as usize..).unwrap_or_default();
            let range = rest[..rest.len().min(length as usize)].to_vec();
            if let Some(replacement) = self.replacement.take() {
                *held = Some(replacement);
            }
            Ok(range)
        })
        .await
    }

    async fn put(&self, records: Vec<DataRecord>) -> Result<Vec<Result<String, Error>>, Error> {
        assert!(records.len() <= 1_000 && !records.is_empty());
        self.writes.borrow_mut().push("put".to_owned());
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
            self.pages.set(self.pages.get() + 1);
            if self.pages_per_throttled.is_some_and(|pages| self.pages.get().is_multiple_of(pages)) {
                return Err(Error::new(ErrorKind::Throttled, "busy"));
            }
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
            let report: Message = serde_json::from_str(&body).unwrap();
            if self.unreportable == Some(report.campaign_id.as_str()) {
                return Err(Error::new(ErrorKind::Invalid, "a character that no queue takes"));
            }
            self.reports.borrow_mut().push(report);
            Ok(String::new())
        };
        let reports = self.world.call(|| bodies.into_iter().map(one).collect());
        self.call(reports).await
    }

    async fn pause(&self, ms: u64) {
        self.now_ms.set(self.now_ms.get() + ms);
    }

    fn now_ms(&self) -> u64 {
        self.now_ms.set(self.now_ms.get() + self.look_ms);
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

/// Whether a task was woken.
#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
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
    event_of("scrubbed/f.csv", etag, sequencer)
}

fn event_of(key: &str, etag: &str, sequencer: &str) -> Event {
    let payload = json!({
        "bucket": "b", "key": key, "size": 1, "etag": etag, "sequencer": sequencer,
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

/// The first hexadecimal digit of a key's hash: a stream of 16 equal shards.
fn first_digit(partition_key: &str) -> u8 {
    <[u8; 16]>::from(Md5::digest(partition_key))[0] >> 4
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
