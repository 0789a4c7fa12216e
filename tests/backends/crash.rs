//! Acknowledged writes survive SIGKILL at any moment: a process writes as fast as it can and prints what was
//! acknowledged; it is killed, and its file is opened again.

use backend_embedded::Embedded;
use host_adapters_platform::limits::object::ObjectQuery;
use host_adapters_platform::{
    DataStreamBackend, ObjectsBackend, Position, QueueBackend, ShardReader, TableBackend, TopicBackend,
};
use host_adapters_records::objects::{ByteRange, MAX_RANGE_BYTES};
use host_adapters_records::queue::Message;
use host_adapters_records::table::{BatchGet, BatchWrite};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use tests::contract::embedded::config;
use tests::contract::suites::backend::{BUCKET, DATA_STREAM, LOOSE_QUEUE, TABLE};
use tests::contract::suites::data_streams::record;
use tests::contract::suites::objects;
use tests::contract::suites::table::key;
use tests::contract::suites::topics::{RAW_QUEUE, TOPIC, WRAPPED_QUEUE, topic_message};

/// Names the file for the child. Without it the child's test does nothing.
const STORE: &str = "CONTRACT_CRASH_STORE";
const CALLERS: usize = 16;
/// Lines of an object, which all name its put: a mixture or a part would show.
const LINES: usize = 10_000;

/// The child, which only the test below starts. It writes until it is killed.
#[test]
fn child() {
    let Some(path) = std::env::var_os(STORE) else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let embedded = Embedded::open(Path::new(&path), &config()).unwrap();
        let callers: Vec<_> =
            (0..CALLERS).map(|caller| tokio::spawn(write_for_ever(embedded.clone(), caller))).collect();
        for caller in callers {
            caller.await.unwrap();
        }
    });
}

async fn write_for_ever(embedded: Embedded, caller: usize) {
    for n in 0_u64.. {
        let id = format!("{caller}-{n}");
        let puts = vec![format!(r#"{{"pk":"p","sk":"{id}"}}"#)];
        embedded.batch_write(BatchWrite { table: TABLE.into(), puts, deletes: vec![] }).await.unwrap();
        let message = Message::new(&id);
        embedded.send_batch(LOOSE_QUEUE, vec![message]).await.unwrap();
        let put = embedded.data_streams().put_records(DATA_STREAM, vec![record(&id, id.clone())]).await.unwrap();
        assert!(put.iter().all(Result::is_ok), "{put:?}");
        let published = embedded.publish_batch(TOPIC, vec![topic_message(&id, vec![])]).await.unwrap();
        assert!(published.iter().all(Result::is_ok), "{published:?}");
        let content = format!("{n}\n").repeat(LINES).into_bytes();
        embedded.put(BUCKET, &objects::key(&object_of(caller)), content).await.unwrap();
        // One write, so that a line is printed whole or not at all.
        std::io::stdout().write_all(format!("acknowledged {id}\n").as_bytes()).unwrap();
    }
}

fn object_of(caller: impl std::fmt::Display) -> String {
    format!("caller/{caller}")
}

#[tokio::test]
async fn keeps_what_was_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let mut acknowledged = BTreeSet::new();
    for lines in [50, 333, 1500] {
        let before = acknowledged.len();
        let latest = write_and_kill(&path, lines, &mut acknowledged);
        assert!(acknowledged.len() - before >= lines.min(1), "the child wrote");
        let embedded = Embedded::open(&path, &config()).unwrap();
        check(&embedded, &acknowledged).await;
        check_objects(&embedded, &latest).await;
        let files = std::fs::read_dir(folder.path().join("objects").join(BUCKET)).unwrap();
        let names: Vec<_> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        assert!(names.iter().all(|name| name.starts_with("caller%2F")), "left by the crash: {names:?}");
    }
}

/// Returns the latest acknowledged number of each caller in this run.
fn write_and_kill(path: &Path, lines: usize, acknowledged: &mut BTreeSet<String>) -> BTreeMap<String, u64> {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "backends::crash::child", "--nocapture", "--test-threads=1"])
        .env(STORE, path)
        .stdout(Stdio::piped())
        .spawn();
    let mut child = child.unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let (mut seen, mut latest) = (0, BTreeMap::new());
    for line in output.lines() {
        let line = line.unwrap();
        // The test harness prints text before the first line without a line end.
        let Some((_, id)) = line.split_once("acknowledged ") else { continue };
        acknowledged.insert(id.to_owned());
        let (caller, n) = id.split_once('-').unwrap();
        latest.insert(caller.to_owned(), n.parse().unwrap());
        seen += 1;
        if seen == lines {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(seen >= lines, "the child ended by itself after {seen} lines");
    latest
}

/// Each object is complete, and from the last put that was acknowledged or the one that was in progress.
async fn check_objects(embedded: &Embedded, latest: &BTreeMap<String, u64>) {
    let query = ObjectQuery { prefix: String::new(), after: None, limit: 1_000 };
    let listed: BTreeSet<_> =
        embedded.list(BUCKET, &query).await.unwrap().items.into_iter().map(|info| info.key).collect();
    let callers: BTreeSet<_> = (0..CALLERS).map(object_of).collect();
    assert!(listed.is_subset(&callers), "{listed:?}");
    for name in &listed {
        let key = objects::key(name);
        let etag = embedded.head(BUCKET, &key).await.unwrap().etag;
        let all = ByteRange { offset: 0, length: MAX_RANGE_BYTES };
        let content = String::from_utf8(embedded.get_range(BUCKET, &key, &etag, all).await.unwrap()).unwrap();
        let first = content.lines().next().unwrap();
        assert_eq!(content, format!("{first}\n").repeat(LINES), "{name} is not whole");
    }
    for (caller, n) in latest {
        let key = objects::key(&object_of(caller));
        let etag = embedded.head(BUCKET, &key).await.unwrap().etag;
        let start = ByteRange { offset: 0, length: 20 };
        let content = String::from_utf8(embedded.get_range(BUCKET, &key, &etag, start).await.unwrap()).unwrap();
        let found: u64 = content.lines().next().unwrap().parse().unwrap();
        assert!([*n, n + 1].contains(&found), "caller {caller}: {n} was acknowledged, {found} is there");
    }
}

/// The keys of all records of the data stream.
async fn put_records(embedded: &Embedded) -> BTreeSet<String> {
    let (streams, mut found) = (embedded.data_streams(), BTreeSet::new());
    for shard in streams.shards(DATA_STREAM).await.unwrap() {
        let mut from = Position::TrimHorizon;
        loop {
            let read = streams.records(DATA_STREAM, &shard.id, &from, 1_000).await.unwrap();
            if read.records.is_empty() {
                break;
            }
            found.extend(read.records.into_iter().map(|record| record.partition_key));
            from = read.next.unwrap();
        }
    }
    found
}

async fn check(embedded: &Embedded, acknowledged: &BTreeSet<String>) {
    let keys: Vec<_> = acknowledged.iter().map(|id| key("p", id)).collect();
    let items = embedded.batch_get(BatchGet { table: TABLE.into(), keys }).await.unwrap();
    let lost: Vec<_> = acknowledged.iter().zip(&items).filter(|(_, item)| item.is_none()).collect();
    assert!(lost.is_empty(), "items lost: {lost:?}");
    let recorded = recorded(embedded).await;
    assert_eq!(acknowledged.difference(&recorded).collect::<Vec<_>>(), Vec::<&String>::new(), "stream records lost");
    let sent: BTreeSet<_> = embedded.peek(LOOSE_QUEUE, usize::MAX).await.unwrap().into_iter().map(|m| m.body).collect();
    assert_eq!(acknowledged.difference(&sent).collect::<Vec<_>>(), Vec::<&String>::new(), "messages lost");
    check_topic(embedded, acknowledged).await;
    let put = put_records(embedded).await;
    assert_eq!(acknowledged.difference(&put).collect::<Vec<_>>(), Vec::<&String>::new(), "records lost");
    // An item and its stream record are written in one transaction, so neither exists without the other.
    let keys: Vec<_> = recorded.iter().map(|id| key("p", id)).collect();
    let items = embedded.batch_get(BatchGet { table: TABLE.into(), keys }).await.unwrap();
    assert!(items.iter().all(Option::is_some));
}

/// A message is stored in all its queues in one transaction: whatever one of them has, the other has, too.
async fn check_topic(embedded: &Embedded, acknowledged: &BTreeSet<String>) {
    let bodies = async |queue: &str| {
        let messages = embedded.peek(queue, usize::MAX).await.unwrap();
        messages.into_iter().map(|message| message.body).collect::<Vec<_>>()
    };
    let raw: BTreeSet<_> = bodies(RAW_QUEUE).await.into_iter().collect();
    assert_eq!(acknowledged.difference(&raw).collect::<Vec<_>>(), Vec::<&String>::new(), "published messages lost");
    let unwrapped =
        |body: String| serde_json::from_str::<Value>(&body).unwrap()["Message"].as_str().unwrap().to_owned();
    let wrapped: BTreeSet<_> = bodies(WRAPPED_QUEUE).await.into_iter().map(unwrapped).collect();
    assert_eq!(raw.symmetric_difference(&wrapped).collect::<Vec<_>>(), Vec::<&String>::new(), "in one queue only");
}

async fn recorded(embedded: &Embedded) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for shard in embedded.shards(TABLE).await.unwrap() {
        let mut from = Position::TrimHorizon;
        loop {
            let records = embedded.records(TABLE, &shard.id, &from, 1000).await.unwrap();
            if records.records.is_empty() {
                break;
            }
            found.extend(records.records.into_iter().map(|change| change.key.sk));
            from = records.next.unwrap();
        }
    }
    found
}
