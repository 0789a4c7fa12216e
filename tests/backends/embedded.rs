//! What only the embedded backend guarantees: retention and pruning over days, and persistence.

#![allow(non_snake_case, reason = "names that begin with a line of docs/delivery.md")]

use backend_embedded::{Embedded, FanOut, OpenError};
use host_adapters_platform::clock::Clock;
use host_adapters_platform::task::ExecutionState;
use host_adapters_platform::{
    Checkpoint, Declared, QueueSpec, SubscriptionSpec, TableBackend, TopicBackend, TopicSpec,
};
use host_adapters_records::Attribute;
use host_adapters_records::queue::Message;
use host_adapters_records::table::{BatchGet, Key};
use host_adapters_records::topic::TopicMessage;
use rusqlite::Connection;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tests::contract::embedded::{Opened, config, open, open_in};
use tests::contract::suites::backend::{
    Backend, COLLECTION, DEAD_LETTERS, FIFO_QUEUE, LOOSE_QUEUE, MAX_RECEIVES, QUEUE, TABLE, WORKER, secs,
};
use tests::contract::suites::documents::{find_one, replace, replace_one};
use tests::contract::suites::documents_find::{page, query};
use tests::contract::suites::queue::{receive, send};
use tests::contract::suites::stream::{all, put};
use tests::contract::suites::tasks::{TaskStore, find, start, take};
use tests::contract::suites::{attempts, kafka_source, kinesis_source, latest, shared_stream};
use tests::{log, programs};

#[tokio::test]
async fn keeps_everything_over_a_restart() {
    let backend = open().await;
    put(&backend, r#"{"pk":"a","sk":"1"}"#).await;
    send(&backend, QUEUE, &["m"]).await;
    replace_one(&backend, r#"{"id":"c"}"#, r#"{"id":"c"}"#).await.unwrap();
    let before = all(&backend).await;
    let backend = backend.reopen().await;
    let keys = vec![Key { pk: "a".into(), sk: "1".into() }];
    let found = backend.tables().batch_get(BatchGet { table: TABLE.into(), keys }).await.unwrap();
    assert_eq!(found, [Some(r#"{"pk":"a","sk":"1"}"#.to_owned())]);
    assert_eq!(receive(&backend, QUEUE, 10, 30).await.len(), 1);
    assert!(find_one(&backend, COLLECTION, "{}").await.unwrap().is_some());
    assert_eq!(all(&backend).await, before);
}

#[tokio::test]
async fn a_file_of_version_1_is_read_on_with_all_that_it_holds() {
    let folder = tempfile::tempdir().unwrap();
    let file = Connection::open(folder.path().join("store")).unwrap();
    let layout = programs::project().join("tests/fixtures/store-v1.sql");
    file.execute_batch(&std::fs::read_to_string(layout).unwrap()).unwrap();
    drop(file);

    let backend = open_in(folder);
    let keys = vec![Key { pk: "a".into(), sk: "1".into() }];
    let found = backend.tables().batch_get(BatchGet { table: TABLE.into(), keys }).await.unwrap();
    assert_eq!(found, [Some(r#"{"pk":"a","sk":"1","n":2}"#.to_owned())]);
    assert!(find_one(&backend, COLLECTION, r#"{"id":"campaign"}"#).await.unwrap().is_some());
    let changes = all(&backend).await;
    let sequences: Vec<_> = changes.iter().map(|(shard, change)| (shard.as_str(), change.sequence.as_str())).collect();
    let (first, second) = ("00000001099511627777", "00000001099511627778");
    assert_eq!(sequences, [("shardId-00000000", first), ("shardId-00000000", second)]);
    let settled = backend.streams().checkpoint(TABLE, "shardId-00000000", WORKER).await.unwrap();
    assert_eq!(settled, Some(Checkpoint::At(first.to_owned())));
    let received = receive(&backend, QUEUE, 10, 30).await;
    let [message] = received.as_slice() else { panic!("{received:?}") };
    assert_eq!((message.id.as_str(), message.body.as_str()), ("00112233-4455-6677-8899-aabbccddeeff", "body"));
    assert_eq!((message.receive_count, &message.group, message.attributes.len()), (2, &None, 1));

    // The tables of version 3.
    start(&backend, "a", "1").await;
    assert_eq!(take(&backend).await.unwrap().number, 1);
    // And in version 2.
    let grouped = Message { group_id: Some("g".to_owned()), ..Message::new("m") };
    assert!(backend.queues().send_batch(FIFO_QUEUE, vec![grouped]).await.unwrap()[0].is_ok());
    let backend = backend.reopen().await;
    assert_eq!(receive(&backend, FIFO_QUEUE, 1, 30).await[0].group.as_deref(), Some("g"));
}

/// Work that a killed host has left is available at once: no host waits for the end of a lease.
#[tokio::test]
async fn d13_11__executions_are_resumed_by_the_next_host() {
    let backend = open().await;
    for name in ["running", "ended", "waiting"] {
        start(&backend, name, "1").await;
        backend.pass(secs(1)).await;
    }
    let (first, ended) = (take(&backend).await.unwrap(), take(&backend).await.unwrap());
    backend.tasks().succeed(&ended, "1").await.unwrap();
    let backend = backend.reopen().await;
    assert_eq!(take(&backend).await.unwrap().name, "waiting", "it has been due for longer");
    let second = take(&backend).await.unwrap();
    assert_eq!((second.name.as_str(), second.number, second.failures), ("running", 2, 0));
    assert_eq!(second.task_id, first.task_id);
    assert!(!backend.tasks().heartbeat(&first, secs(30)).await.unwrap());
    assert!(take(&backend).await.is_none());
}

#[tokio::test]
async fn d13_11__an_execution_that_kills_its_host_each_time_fails_in_the_end() {
    let mut backend = open().await;
    start(&backend, "killer", "1").await;
    for number in 1..=200 {
        assert_eq!(take(&backend).await.unwrap().number, number);
        backend = backend.reopen().await;
    }
    start(&backend, "other", "1").await;
    let metrics = tests::metrics();
    assert_eq!(take(&backend).await.unwrap().name, "other");
    let failed = format!(r#"registration_task_seconds_count{{worker="{WORKER}",outcome="failed"}} 1"#);
    assert!(metrics.render().contains(&failed), "the alert SelectionFails counts it: {}", metrics.render());
    let ended = find(&backend, "killer").await;
    assert_eq!((ended.state, ended.attempts, ended.failures), (ExecutionState::Failed, 200, 0));
    assert_eq!(
        (ended.error.as_deref(), ended.cause.as_deref()),
        (Some("AttemptsExhausted"), Some("200 attempts ended with their hosts, or without heartbeats"))
    );
}

/// Only attempts that ended with their hosts are so limited.
#[tokio::test]
async fn d13_11__attempts_that_wait_are_repeated_or_released_end_no_execution() {
    let backend = open().await;
    start(&backend, "a", "1").await;
    for _ in 0..100 {
        let attempt = take(&backend).await.unwrap();
        backend.tasks().repeat(&attempt).await.unwrap();
        backend.tasks().postpone(&attempt, "taken", Duration::ZERO).await.unwrap();
        let attempt = take(&backend).await.unwrap();
        backend.tasks().release(&attempt).await.unwrap();
    }
    let attempt = take(&backend).await.unwrap();
    assert_eq!((attempt.number, attempt.failures), (301, 0));
}

/// As version 3 left it: without the count of lost attempts.
#[tokio::test]
async fn executions_of_a_file_of_version_3_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let backend = open_in(folder);
    start(&backend, "a", "1").await;
    assert_eq!(take(&backend).await.unwrap().number, 1);
    let file = Connection::open(backend.path()).unwrap();
    file.execute_batch("ALTER TABLE executions DROP COLUMN lost; PRAGMA user_version = 3;").unwrap();
    drop(file);
    let backend = backend.reopen().await;
    let attempt = take(&backend).await.unwrap();
    assert_eq!((attempt.name.as_str(), attempt.number), ("a", 2));
    assert!(backend.tasks().succeed(&attempt, "1").await.unwrap());
}

#[tokio::test]
async fn d13_6__ended_executions_are_kept_for_90_days() {
    let backend = open().await;
    for name in ["old", "new", "open"] {
        start(&backend, name, "1").await;
    }
    let old = take(&backend).await.unwrap();
    backend.tasks().succeed(&old, "1").await.unwrap();
    backend.pass(secs(1)).await;
    let new = take(&backend).await.unwrap();
    backend.tasks().succeed(&new, "1").await.unwrap();
    backend.pass(secs(90 * 24 * 3600 - 1)).await;
    let names = async || {
        let page = backend.executions().list(WORKER, None, None, 100).await.unwrap();
        page.executions.into_iter().map(|execution| execution.name).collect::<Vec<_>>()
    };
    assert_eq!(names().await, ["open", "new"]);
    backend.pass(secs(1)).await;
    assert_eq!(names().await, ["open"], "one that has not ended stays");
    let again = start(&backend, "old", "2").await;
    assert_ne!(again.id, old.task_id, "the name is free, the id is not used again");
}

#[tokio::test]
async fn d13_6__so_many_ended_executions_are_kept() {
    let backend = open().await;
    let folder = backend.path().to_owned();
    start(&backend, "template", "1").await;
    let attempt = take(&backend).await.unwrap();
    backend.tasks().succeed(&attempt, "1").await.unwrap();
    let file = Connection::open(folder).unwrap();
    let many = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 10000)
                INSERT INTO executions (worker, name, uuid, state, due_ms, attempts, failures, token, input, output,
                                        started_ms, ended_ms)
                SELECT worker, 'copy-' || n, uuid, state, due_ms, 1, 0, 0, input, output, started_ms, ended_ms + n
                FROM executions, n";
    assert_eq!(file.execute(many, []).unwrap(), 10_000);
    backend.pass(secs(20)).await;
    let count = || file.query_row("SELECT count(*) FROM executions", [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(count(), 10_000);
    assert!(backend.executions().find(WORKER, "template").await.unwrap().is_none(), "the oldest is gone");
    backend.pass(secs(1)).await;
    assert_eq!(count(), 10_000, "no other is");
}

#[tokio::test]
async fn counts_on_after_all_records_were_pruned() {
    let backend = open().await;
    put(&backend, r#"{"pk":"a","sk":"1"}"#).await;
    let (shard, first) = all(&backend).await.remove(0);
    settle(&backend, &shard, &first.sequence).await;
    backend.pass(secs(1)).await;
    assert_eq!(all(&backend).await, []);
    let backend = backend.reopen().await;
    put(&backend, r#"{"pk":"a","sk":"1","n":2}"#).await;
    let (_, second) = all(&backend).await.remove(0);
    assert!(second.sequence > first.sequence, "{} after {}", second.sequence, first.sequence);
}

async fn settle(backend: &Opened, shard: &str, sequence: &str) {
    let checkpoint = Checkpoint::At(sequence.to_owned());
    backend.streams().set_checkpoint(TABLE, shard, WORKER, &checkpoint).await.unwrap();
}

#[tokio::test]
async fn prunes_only_what_its_readers_have_settled() {
    let backend = open().await;
    for n in 0..3 {
        put(&backend, &format!(r#"{{"pk":"a","sk":"1","n":{n}}}"#)).await;
    }
    let records = all(&backend).await;
    let checkpoint = Checkpoint::At(records[2].1.sequence.clone());
    backend.streams().set_checkpoint(TABLE, &records[0].0, "somebody-else", &checkpoint).await.unwrap();
    backend.pass(secs(1)).await;
    assert_eq!(all(&backend).await, records, "another worker's checkpoint does not count");
    settle(&backend, &records[0].0, &records[1].1.sequence).await;
    backend.pass(secs(1)).await;
    assert_eq!(all(&backend).await, records[2..]);
}

#[tokio::test]
async fn keeps_unsettled_records_for_a_day() {
    let backend = open().await;
    put(&backend, r#"{"pk":"a","sk":"1"}"#).await;
    backend.pass(secs(24 * 3600)).await;
    assert_eq!(all(&backend).await.len(), 1);
    backend.pass(Duration::from_millis(1)).await;
    assert_eq!(all(&backend).await.len(), 0);
}

/// A worker that has not read for a day loses changes; an operator sees how many.
#[tokio::test]
async fn says_how_many_changes_were_dropped_before_their_worker_had_them() {
    log::listen();
    let backend = open().await;
    let said = |changes: u64| {
        let lines = log::lines("source", &format!("dynamodb-stream:{TABLE}"));
        lines.iter().filter(|line| line["records"] == changes && line["level"] == "WARN").count()
    };
    for n in 0..31 {
        put(&backend, &format!(r#"{{"pk":"a","sk":"1","n":{n}}}"#)).await;
    }
    let records = all(&backend).await;
    settle(&backend, &records[0].0, &records[1].1.sequence).await;
    backend.pass(secs(1)).await;
    assert_eq!(said(2), 0, "settled");
    backend.pass(secs(24 * 3600)).await;
    assert_eq!((all(&backend).await.len(), said(29)), (0, 1));
}

#[tokio::test]
async fn drops_messages_after_their_retention() {
    let backend = open().await;
    send(&backend, LOOSE_QUEUE, &["old"]).await;
    backend.pass(secs(4 * 24 * 3600 - 10)).await;
    assert_eq!(receive(&backend, LOOSE_QUEUE, 10, 5).await.len(), 1, "still there");
    send(&backend, LOOSE_QUEUE, &["new"]).await;
    backend.pass(secs(10)).await;
    let bodies: Vec<_> = receive(&backend, LOOSE_QUEUE, 10, 0).await.into_iter().map(|m| m.body).collect();
    assert_eq!(bodies, ["new"]);
    backend.pass(secs(4 * 24 * 3600 + 1)).await;
    assert_eq!(backend.queues().depth(LOOSE_QUEUE).await.unwrap().visible, 0, "pruned without a receive");
}

/// By a receive, and by a sweep.
#[tokio::test]
async fn says_how_many_messages_were_dropped() {
    log::listen();
    let backend = open().await;
    let said = |messages: u64| {
        let lines = log::lines("queue", LOOSE_QUEUE);
        lines.iter().filter(|line| line["messages"] == messages && line["level"] == "WARN").count()
    };
    send(&backend, LOOSE_QUEUE, &["old"; 37]).await;
    backend.pass(secs(4 * 24 * 3600 - 1)).await;
    assert_eq!(receive(&backend, LOOSE_QUEUE, 100, 1).await.len(), 37, "the sweep does not see what is in flight");
    backend.pass(secs(1)).await;
    assert_eq!((receive(&backend, LOOSE_QUEUE, 100, 1).await.len(), said(37)), (0, 1));
    send(&backend, LOOSE_QUEUE, &["old"; 41]).await;
    backend.pass(secs(4 * 24 * 3600)).await;
    assert_eq!(said(41), 1);
}

#[tokio::test]
async fn dead_letters_outlive_their_queue() {
    let backend = open().await;
    send(&backend, QUEUE, &["poison"]).await;
    for _ in 0..=MAX_RECEIVES {
        receive(&backend, QUEUE, 1, 1).await;
        backend.pass(secs(1)).await;
    }
    backend.pass(secs(5 * 24 * 3600)).await;
    assert_eq!(receive(&backend, DEAD_LETTERS, 1, 1).await.len(), 1);
    backend.pass(secs(10 * 24 * 3600)).await;
    assert_eq!(receive(&backend, DEAD_LETTERS, 1, 1).await.len(), 0);
}

#[tokio::test]
async fn refuses_files_of_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("theirs");
    std::fs::write(&path, vec![7_u8; 4096]).unwrap();
    assert!(matches!(Embedded::open(&path, &config()), Err(OpenError::Sqlite { .. })));
    let missing = folder.path().join("no-folder").join("store");
    let error = Embedded::open(&missing, &config()).err().unwrap().to_string();
    assert!(error.contains("no-folder"), "{error}");
}

/// `id` and `slug` have an index, which must not hide that a condition also holds for an element of a list.
#[tokio::test]
async fn indexed_members_may_be_lists() {
    let backend = open().await;
    for (n, (id, slug)) in
        [(json!("a"), json!(["s1", "s2"])), (json!(["b", "[c"]), json!("s2")), (json!("[c"), json!("x"))]
            .into_iter()
            .enumerate()
    {
        replace(&backend, json!({"n": n}), &json!({"id": id, "slug": slug, "n": n})).await;
    }
    for (filter, count) in
        [(json!({"slug": "s2"}), 2), (json!({"slug": "s1"}), 1), (json!({"id": "[c"}), 2), (json!({"id": "b"}), 1)]
    {
        let found = page(&backend, &query(filter.clone())).await.unwrap().items;
        assert_eq!(found.len(), count, "{filter}");
    }
}

#[tokio::test]
async fn a_second_process_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sqlite");
    let first = Embedded::open(&path, &config()).unwrap();
    let error = Embedded::open(&path, &config()).err().unwrap().to_string();
    assert!(error.contains("another host uses") && error.contains("store.sqlite"), "{error}");
    drop(first);
    Embedded::open(&path, &config()).unwrap();
}

#[tokio::test]
async fn answers_all_of_a_group_though_one_fails() {
    let backend = open().await;
    let put = |n: usize| {
        let embedded = backend.embedded.clone();
        let item =
            if n.is_multiple_of(7) { r#"{"pk":""}"#.to_owned() } else { format!(r#"{{"pk":"p","sk":"{n:03}"}}"#) };
        let args = host_adapters_records::table::BatchWrite { table: TABLE.into(), puts: vec![item], deletes: vec![] };
        tokio::spawn(async move { embedded.batch_write(args).await.unwrap().remove(0).is_none() })
    };
    let tasks: Vec<_> = (0..500).map(put).collect();
    for (n, task) in tasks.into_iter().enumerate() {
        assert_eq!(task.await.unwrap(), n % 7 != 0, "item {n}");
    }
    assert_eq!(all(&backend).await.len(), 500 - 72);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_reader_feeds_three_workers() {
    let embedded = Arc::new(open().await.embedded);
    let interval = Some(shared_stream::INTERVAL);
    shared_stream::one_reader_feeds_three_workers(&*embedded, embedded.clone(), embedded.clone(), interval).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn case_04_latest_counts_from_the_first_start_of_an_empty_table() {
    let embedded = Arc::new(open().await.embedded);
    latest::counts_from_the_first_start_of_an_empty_table(&*embedded, embedded.clone(), embedded.clone()).await;
}

fn data_streams() -> (kinesis_source::Store, tempfile::TempDir) {
    let (host, folder) = host();
    let streams = Arc::new(host.queues.data_streams());
    (kinesis_source::Store { put: streams.clone(), reader: streams, queues: host.queues }, folder)
}

#[tokio::test(flavor = "multi_thread")]
async fn d4_3__a_data_stream_keeps_the_order_of_each_key() {
    let (store, _folder) = data_streams();
    kinesis_source::keeps_the_order_of_each_key(store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn d4_20__a_worker_begins_at_a_time() {
    let (store, _folder) = data_streams();
    kinesis_source::begins_at_a_time(store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn d4_22__what_is_packed_is_taken_apart() {
    let (store, _folder) = data_streams();
    kinesis_source::takes_what_is_packed_apart(store).await;
}

/// By the store's own topics and by those over queues of another backend. No other test has a topic of this name.
#[tokio::test]
async fn a_message_that_no_subscription_matches_is_counted() {
    const UNMATCHED: &str = "unmatched";
    let filter = json!({ "type": ["MARKET"] }).to_string().into();
    let subscriptions = vec![SubscriptionSpec { filter, ..SubscriptionSpec::of_all(QUEUE) }].into();
    let declared = Declared {
        queues: [(QUEUE.to_owned(), QueueSpec::default())].into(),
        topics: [(UNMATCHED.to_owned(), TopicSpec { subscriptions })].into(),
        ..Declared::default()
    };
    let (metrics, folder) = (tests::metrics(), tempfile::tempdir().unwrap());
    let store = Arc::new(Embedded::open(&folder.path().join("store"), &declared).unwrap());
    let fan_out = FanOut::open(&declared, store.clone(), Clock::wall()).unwrap();
    let topics: [&dyn TopicBackend; 2] = [&*store, &fan_out];
    let of_type =
        |name: &str| TopicMessage { body: "body".to_owned(), attributes: vec![Attribute::text("type", name)] };
    for (topic, counted) in topics.into_iter().zip(1..) {
        let answers = topic.publish_batch(UNMATCHED, vec![of_type("MARKET"), of_type("VENUE")]).await.unwrap();
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
        let shown = metrics.render();
        let mut lines = shown.lines().filter(|line| line.starts_with("registration_left_out_total"));
        let line = lines.find(|line| line.contains("topic:unmatched")).unwrap_or_default();
        assert!(
            line.contains("no subscription matches") && line.ends_with(&format!(" {counted}")),
            "{counted}: {shown}"
        );
    }
}

fn event_log() -> (kafka_source::Store, tempfile::TempDir) {
    let (host, folder) = host();
    let (log, reader) = (host.queues.clone(), Arc::new(host.queues.event_log()));
    (kafka_source::Store { log, reader, browser: host.queues.clone(), queues: host.queues }, folder)
}

#[tokio::test(flavor = "multi_thread")]
#[allow(non_snake_case, reason = "begins with a line of docs/delivery.md")]
async fn d16_1__a_topic_keeps_the_order_of_each_key() {
    let (store, _folder) = event_log();
    kafka_source::keeps_the_order_of_each_key(store).await;
}

#[tokio::test(flavor = "multi_thread")]
#[allow(non_snake_case, reason = "begins with a line of docs/delivery.md")]
async fn d16_2__offsets_are_a_groups() {
    let (store, _folder) = event_log();
    kafka_source::keeps_offsets_of_groups(store).await;
}

#[tokio::test(flavor = "multi_thread")]
#[allow(non_snake_case, reason = "begins with a line of docs/delivery.md")]
async fn d16_3__a_group_begins_at_a_time() {
    let (store, _folder) = event_log();
    kafka_source::begins_at_a_time(store).await;
}

#[tokio::test(flavor = "multi_thread")]
#[allow(non_snake_case, reason = "begins with a line of docs/delivery.md")]
async fn d16_7__poison_in_a_topic_is_isolated() {
    let (store, _folder) = event_log();
    kafka_source::isolates_poison(store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_is_read_from_any_position() {
    let (store, _folder) = event_log();
    kafka_source::reads_pages_from_any_position(store).await;
}

/// The embedded store with a clock that runs.
fn host() -> (attempts::Host<Embedded>, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(Embedded::open(&folder.path().join("store"), &config()).unwrap());
    (attempts::Host { queues: store.clone(), failures: store.clone(), streams: store }, folder)
}

#[tokio::test(flavor = "multi_thread")]
#[allow(non_snake_case, reason = "begins with a line of docs/delivery.md")]
async fn d3_8__case_06_only_failures_count() {
    let (host, _folder) = host();
    attempts::case_06_only_failures_count(host).await;
}

#[tokio::test(flavor = "multi_thread")]
#[allow(non_snake_case, reason = "begins with a line of docs/delivery.md")]
async fn d3_16__case_09_a_group_keeps_its_order() {
    let (host, _folder) = host();
    attempts::case_09_a_group_keeps_its_order(host).await;
}

#[tokio::test(flavor = "multi_thread")]
#[allow(non_snake_case, reason = "begins with a line of docs/delivery.md")]
async fn d6_6__case_08_case_11_the_largest_messages_come_back_as_they_were() {
    let (host, _folder) = host();
    attempts::case_08_case_11_the_largest_messages_come_back_as_they_were(host).await;
}

#[tokio::test(flavor = "multi_thread")]
#[allow(non_snake_case, reason = "begins with a line of docs/delivery.md")]
async fn d6_9__case_08_a_record_in_parts_comes_back_as_it_was() {
    let (host, _folder) = host();
    attempts::case_08_a_record_in_parts_comes_back_as_it_was(host).await;
}
