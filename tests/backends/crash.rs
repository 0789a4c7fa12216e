//! Acknowledged writes survive SIGKILL at any moment: a process writes as fast as it can and prints what was
//! acknowledged; it is killed, and its file is opened again.

use backend_embedded::Embedded;
use host_adapters_platform::{Position, QueueBackend, ShardReader, TableBackend};
use host_adapters_records::queue::Message;
use host_adapters_records::table::{BatchGet, BatchWrite};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use tests::contract::embedded::config;
use tests::contract::suites::backend::{LOOSE_QUEUE, TABLE};
use tests::contract::suites::table::key;

/// Names the file for the child. Without it the child's test does nothing.
const STORE: &str = "CONTRACT_CRASH_STORE";
const CALLERS: usize = 16;

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
        // One write, so that a line is printed whole or not at all.
        std::io::stdout().write_all(format!("acknowledged {id}\n").as_bytes()).unwrap();
    }
}

#[tokio::test]
async fn keeps_what_was_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let mut acknowledged = BTreeSet::new();
    for lines in [50, 333, 1500] {
        let before = acknowledged.len();
        write_and_kill(&path, lines, &mut acknowledged);
        assert!(acknowledged.len() - before >= lines.min(1), "the child wrote");
        let embedded = Embedded::open(&path, &config()).unwrap();
        check(&embedded, &acknowledged).await;
    }
}

fn write_and_kill(path: &Path, lines: usize, acknowledged: &mut BTreeSet<String>) {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "backends::crash::child", "--nocapture", "--test-threads=1"])
        .env(STORE, path)
        .stdout(Stdio::piped())
        .spawn();
    let mut child = child.unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let mut seen = 0;
    for line in output.lines() {
        let line = line.unwrap();
        // The test harness prints text before the first line without a line end.
        let Some((_, id)) = line.split_once("acknowledged ") else { continue };
        acknowledged.insert(id.to_owned());
        seen += 1;
        if seen == lines {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(seen >= lines, "the child ended by itself after {seen} lines");
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
    // An item and its stream record are written in one transaction, so neither exists without the other.
    let keys: Vec<_> = recorded.iter().map(|id| key("p", id)).collect();
    let items = embedded.batch_get(BatchGet { table: TABLE.into(), keys }).await.unwrap();
    assert!(items.iter().all(Option::is_some));
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
