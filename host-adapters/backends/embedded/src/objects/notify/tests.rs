//! Files become messages, each version once (docs/delivery.md, 15.7).

use super::*;
use host_adapters_platform::limits::object::ObjectKey;
use host_adapters_platform::{Declared, Depth, ObjectsBackend, QueueSpec, Received};
use host_adapters_records::{Error, ErrorKind};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

const BUCKET: &str = "scoring";
const QUEUE: &str = "loadScoresQueue";
/// Longer than anything should take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

fn notification(prefix: &str, queue: &str) -> Notification {
    Notification { bucket: BUCKET.into(), prefix: prefix.into(), suffix: ".csv".into(), queue: queue.into() }
}

/// A host on a folder, which tells two queues of objects.
fn open(folder: &Path) -> Arc<Embedded> {
    let queues = [QUEUE, "other"].map(|name| (name.to_owned(), QueueSpec::default()));
    let notifications = vec![notification("in/", QUEUE), notification("in/x", "other")];
    let declared =
        Declared { buckets: [BUCKET.into()].into(), queues: queues.into(), notifications, ..Declared::default() };
    Arc::new(Embedded::open(&folder.join("store"), &declared).unwrap())
}

fn start(folder: &Path) -> Arc<Embedded> {
    let store = open(folder);
    store.notify(&(Arc::clone(&store) as Arc<dyn QueueBackend>));
    store
}

/// As another program puts a file.
fn rename_in(folder: &Path, name: &str, content: &str) {
    let elsewhere = folder.join("elsewhere");
    fs::write(&elsewhere, content).unwrap();
    fs::rename(elsewhere, file(folder, name)).unwrap();
}

fn file(folder: &Path, name: &str) -> PathBuf {
    folder.join("objects").join(BUCKET).join(name)
}

async fn put(store: &Embedded, key: &str, content: &str) -> String {
    store.put(BUCKET, &ObjectKey::parse(key.to_owned()).unwrap(), content.as_bytes().to_vec()).await.unwrap()
}

/// Asks again and again until there is an answer.
async fn eventually<T>(ask: impl AsyncFn() -> Option<T>) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.unwrap()
}

/// The objects that the messages of a queue tell of, which are deleted; waits until there are `count`, and then a little for
/// one too many.
async fn told(store: &Embedded, queue: &str, count: usize) -> Vec<Value> {
    let mut objects = Vec::new();
    for seconds in [PATIENCE.as_secs(), 1] {
        let until = tokio::time::Instant::now() + Duration::from_secs(seconds);
        while tokio::time::Instant::now() < until && (seconds == 1 || objects.len() < count) {
            let wait = Duration::from_millis(100);
            let messages = store.receive(queue, 10, wait, Duration::from_secs(30)).await.unwrap();
            let receipts: Vec<_> = messages.iter().map(|message| message.receipt.clone()).collect();
            store.delete_batch(queue, &receipts).await.unwrap();
            objects.extend(messages.iter().map(object));
        }
    }
    assert_eq!(objects.len(), count, "{objects:?}");
    objects
}

fn object(message: &Received) -> Value {
    let mut body: Value = serde_json::from_str(&message.body).unwrap();
    assert_eq!(body["Records"][0]["s3"]["bucket"]["name"], BUCKET);
    body["Records"][0]["s3"]["object"].take()
}

fn keys(objects: &[Value]) -> Vec<&str> {
    objects.iter().map(|object| object["key"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn d15_7__a_file_that_is_renamed_in_or_put_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = start(folder.path());
    rename_in(folder.path(), "in%2FÜ 1%252F.csv", "rows");
    let renamed = told(&store, QUEUE, 1).await.remove(0);
    assert_eq!((&renamed["key"], &renamed["size"]), (&json!("in/%C3%9C+1%252F.csv"), &json!(4)));
    let etag = put(&store, "in/2.csv", "more rows").await;
    let put = told(&store, QUEUE, 1).await.remove(0);
    assert_eq!((&put["key"], &put["eTag"]), (&json!("in/2.csv"), &json!(etag)));
    assert!(put["sequencer"].as_str() > renamed["sequencer"].as_str());
}

#[tokio::test]
async fn d15_7__prefix_and_suffix_choose_the_queue() {
    let folder = tempfile::tempdir().unwrap();
    let store = start(folder.path());
    for key in ["in/a.csv", "in/a.txt", "out/a.csv", "in/x.csv"] {
        put(&store, key, "rows").await;
    }
    let mut first = told(&store, QUEUE, 2).await;
    first.sort_by_key(|object| object["key"].to_string());
    assert_eq!(keys(&first), ["in/a.csv", "in/x.csv"]);
    assert_eq!(keys(&told(&store, "other", 1).await), ["in/x.csv"]);
}

#[tokio::test]
async fn d15_7__a_file_that_came_while_no_host_ran_is_told_and_no_other_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = start(folder.path());
    put(&store, "in/1.csv", "rows").await;
    told(&store, QUEUE, 1).await;
    // The notifier may be in the middle of a round.
    let running = Arc::downgrade(&store);
    drop(store);
    eventually(async || running.upgrade().is_none().then_some(())).await;
    rename_in(folder.path(), "in%2F2.csv", "rows");
    let store = start(folder.path());
    assert_eq!(keys(&told(&store, QUEUE, 1).await), ["in/2.csv"]);
}

#[tokio::test]
async fn d15_7__a_file_that_is_replaced_is_told_again_with_a_later_sequencer() {
    let folder = tempfile::tempdir().unwrap();
    let store = start(folder.path());
    let mut sequencers = Vec::new();
    for content in ["first", "again", "again"] {
        put(&store, "in/1.csv", content).await;
        sequencers.push(told(&store, QUEUE, 1).await[0]["sequencer"].to_string());
    }
    fs::remove_file(file(folder.path(), "in%2F1.csv")).unwrap();
    told(&store, QUEUE, 0).await;
    // What is gone is forgotten.
    eventually(async || {
        let rows = store.store.read(|conn| conn.query_row("SELECT count(*) FROM notified", [], |row| row.get(0)));
        (rows.await == Ok(0)).then_some(())
    })
    .await;
    put(&store, "in/1.csv", "first").await;
    sequencers.push(told(&store, QUEUE, 1).await[0]["sequencer"].to_string());
    assert!(sequencers.is_sorted_by(|a, b| a < b), "{sequencers:?}");
}

/// A queue that can be down. It keeps what it is sent, whether its answer says so or not.
#[derive(Default)]
struct Flaky {
    is_up: AtomicBool,
    /// Who knows whether they were stored.
    failed: std::sync::Mutex<Vec<Message>>,
    stored: std::sync::Mutex<Vec<Message>>,
}

/// The bodies of messages, once there are so many.
async fn bodies(messages: &std::sync::Mutex<Vec<Message>>, count: usize) -> Vec<String> {
    eventually(async || {
        let messages = messages.lock().unwrap();
        (messages.len() >= count).then(|| messages.iter().map(|message| message.body.clone()).collect())
    })
    .await
}

#[async_trait::async_trait]
impl QueueBackend for Flaky {
    async fn send_batch(&self, _: &str, messages: Vec<Message>) -> Result<Vec<Result<String>>> {
        if !self.is_up.load(Ordering::SeqCst) {
            self.failed.lock().unwrap().extend(messages);
            return Err(Error::new(ErrorKind::Unavailable, "down"));
        }
        let ids = messages.iter().map(|_| Ok(String::new())).collect();
        self.stored.lock().unwrap().extend(messages);
        Ok(ids)
    }
    async fn receive(&self, _: &str, _: usize, _: Duration, _: Duration) -> Result<Vec<Received>> {
        Ok(Vec::new())
    }
    async fn delete_batch(&self, _: &str, _: &[String]) -> Result<Vec<Option<Error>>> {
        Ok(Vec::new())
    }
    async fn change_visibility_batch(&self, _: &str, _: &[(String, Duration)]) -> Result<Vec<Option<Error>>> {
        Ok(Vec::new())
    }
    async fn depth(&self, _: &str) -> Result<Depth> {
        Ok(Depth::default())
    }
    async fn peek(&self, _: &str, _: usize) -> Result<Vec<Received>> {
        Ok(Vec::new())
    }
}

/// As after a crash between the message and the note of it.
#[tokio::test]
async fn d15_7__a_message_that_may_be_lost_is_sent_again_with_the_same_sequencer() {
    let folder = tempfile::tempdir().unwrap();
    let (store, queues) = (open(folder.path()), Arc::new(Flaky::default()));
    store.notify(&(Arc::clone(&queues) as Arc<dyn QueueBackend>));
    rename_in(folder.path(), "in%2F1.csv", "rows");
    bodies(&queues.failed, 2).await;
    queues.is_up.store(true, Ordering::SeqCst);
    let first = bodies(&queues.stored, 1).await.remove(0);
    let failed = bodies(&queues.failed, 2).await;
    assert!(failed.iter().all(|body| *body == first), "{failed:?} and then {first}");
    // Each of these is sent in a later round, which would send the first one with it.
    for (count, name) in [(2, "in%2F2.csv"), (3, "in%2F3.csv")] {
        rename_in(folder.path(), name, "rows");
        let stored = bodies(&queues.stored, count).await;
        let firsts = stored.iter().filter(|body| **body == first).count();
        assert_eq!((stored.len(), firsts), (count, 1), "once it is stored it is not sent again: {stored:?}");
    }
}
