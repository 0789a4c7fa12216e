//! The stream of a table: order, images, positions, checkpoints.

use super::backend::{Backend, PLAIN_TABLE, TABLE, WORKER, secs};
use super::table::{item_of_numbers, key};
use host_adapters_platform::{Change, Checkpoint, Position, Shard, TableBackend};
use host_adapters_records::ErrorKind;
use host_adapters_records::table::{BatchUpdate, BatchWrite, Update};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// Puts one item, from JSON text.
pub async fn put(backend: &impl Backend, item: &str) {
    put_in(backend.tables(), item).await;
}

async fn put_in(tables: &dyn TableBackend, item: &str) {
    let args = BatchWrite { table: TABLE.into(), puts: vec![item.to_owned()], deletes: vec![] };
    assert_eq!(tables.batch_write(args).await.unwrap(), [None]);
}

async fn put_number(backend: &impl Backend, sk: &str, n: u32) {
    put_number_in(backend.tables(), sk, n).await;
}

/// Puts an item with a number.
pub async fn put_number_in(tables: &dyn TableBackend, sk: &str, n: u32) {
    put_in(tables, &json!({"pk": "p", "sk": sk, "n": n}).to_string()).await;
}

/// All records of a shard after a position.
async fn read_shard(backend: &impl Backend, shard: &str, from: Position) -> Vec<Change> {
    let (mut found, mut from) = (Vec::new(), Some(from));
    while let Some(position) = from {
        let records = backend.streams().records(TABLE, shard, &position, 1000).await.unwrap();
        if records.records.is_empty() {
            break;
        }
        found.extend(records.records);
        from = records.next;
    }
    found
}

/// All records of the table, each with its shard.
pub async fn all(backend: &impl Backend) -> Vec<(String, Change)> {
    let mut found = Vec::new();
    for shard in backend.streams().shards(TABLE).await.unwrap() {
        let records = read_shard(backend, &shard.id, Position::TrimHorizon).await;
        found.extend(records.into_iter().map(|record| (shard.id.clone(), record)));
    }
    found
}

fn image(text: &Option<String>) -> Option<Value> {
    text.as_ref().map(|text| serde_json::from_str(text).unwrap())
}

pub async fn records_all_images(backend: &impl Backend) {
    put_number(backend, "s", 1).await;
    put_number(backend, "s", 2).await;
    let set = vec![("n".to_owned(), "3".to_owned())];
    let updates = vec![Update { key: key("p", "s"), set, increment: vec![], remove: vec![], condition: vec![] }];
    backend.tables().batch_update(BatchUpdate { table: TABLE.into(), updates }).await.unwrap();
    let deletes = vec![key("p", "s")];
    backend.tables().batch_write(BatchWrite { table: TABLE.into(), puts: vec![], deletes }).await.unwrap();
    let item = |n: u32| Some(json!({"pk": "p", "sk": "s", "n": n}));
    let found = all(backend).await;
    let seen: Vec<_> = found
        .iter()
        .map(|(_, change)| (change.event_name.as_str(), image(&change.old_image), image(&change.new_image)))
        .collect();
    let expected = [
        ("INSERT", None, item(1)),
        ("MODIFY", item(1), item(2)),
        ("MODIFY", item(2), item(3)),
        ("REMOVE", item(3), None),
    ];
    assert_eq!(seen, expected);
    assert!(found.iter().all(|(_, change)| change.key == key("p", "s") && change.time_ms > 1_600_000_000_000));
}

pub async fn keeps_the_order_of_an_item(backend: &impl Backend) {
    for n in 0..20 {
        let puts = (0..30).map(|item| json!({"pk": "p", "sk": item.to_string(), "n": n}).to_string()).collect();
        backend.tables().batch_write(BatchWrite { table: TABLE.into(), puts, deletes: vec![] }).await.unwrap();
    }
    let mut seen: BTreeMap<String, Vec<(String, u64)>> = BTreeMap::new();
    let mut sequences: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (shard, change) in all(backend).await {
        let n = image(&change.new_image).unwrap()["n"].as_u64().unwrap();
        seen.entry(change.key.sk).or_default().push((shard.clone(), n));
        sequences.entry(shard).or_default().push(change.sequence);
    }
    assert_eq!(seen.len(), 30);
    for (sk, changes) in seen {
        assert_eq!(changes.iter().map(|(_, n)| *n).collect::<Vec<_>>(), (0..20).collect::<Vec<_>>(), "item {sk}");
        assert!(changes.iter().all(|(shard, _)| *shard == changes[0].0), "item {sk} stays in its shard");
    }
    assert!(sequences.values().all(|numbers| numbers.is_sorted_by(|a, b| a < b)), "strictly increasing");
}

pub async fn is_silent_where_nothing_changes(backend: &impl Backend) {
    put(backend, r#"{"pk":"p","sk":"s","a":1,"b":{"c":null}}"#).await;
    put(backend, r#"{"pk":"p","sk":"s","a":1,"b":{"c":null}}"#).await;
    put(backend, r#"{ "b": {"c": null}, "a": 1, "sk": "s", "pk": "p" }"#).await;
    let same = |path: &str, value: &str| Update {
        key: key("p", "s"),
        set: vec![(path.into(), value.into())],
        increment: vec![],
        remove: vec!["not-there".into()],
        condition: vec![],
    };
    let updates = vec![same("a", "1"), same("b.c", "null")];
    backend.tables().batch_update(BatchUpdate { table: TABLE.into(), updates }).await.unwrap();
    let deletes = vec![key("p", "never there")];
    backend.tables().batch_write(BatchWrite { table: TABLE.into(), puts: vec![], deletes }).await.unwrap();
    let names: Vec<_> = all(backend).await.into_iter().map(|(_, change)| change.event_name).collect();
    assert_eq!(names, ["INSERT"]);
}

pub async fn resumes_after_a_record(backend: &impl Backend) {
    for n in 0..5 {
        put_number(backend, "s", n).await;
    }
    let found = all(backend).await;
    let (shard, third) = &found[2];
    let rest = read_shard(backend, shard, Position::After(third.sequence.clone())).await;
    assert_eq!(rest, found[3..].iter().map(|(_, change)| change.clone()).collect::<Vec<_>>());
    let end = Position::After(found[4].1.sequence.clone());
    let records = backend.streams().records(TABLE, shard, &end, 10).await.unwrap();
    assert_eq!(records.records, []);
    put_number(backend, "s", 9).await;
    assert_eq!(read_shard(backend, shard, records.next.unwrap()).await.len(), 1, "an open shard can be read on");
}

pub async fn reads_from_latest(backend: &impl Backend) {
    put_number(backend, "s", 1).await;
    let shard = all(backend).await.remove(0).0;
    let records = backend.streams().records(TABLE, &shard, &Position::Latest, 10).await.unwrap();
    assert_eq!(records.records, []);
    put_number(backend, "s", 2).await;
    let found = read_shard(backend, &shard, records.next.unwrap()).await;
    assert_eq!(found.iter().map(|change| change.event_name.as_str()).collect::<Vec<_>>(), ["MODIFY"]);
}

pub async fn remembers_checkpoints(backend: &impl Backend) {
    for n in 0..3 {
        put_number(backend, "s", n).await;
    }
    let found = all(backend).await;
    let (shard, streams) = (&found[0].0, backend.streams());
    let at = |n: usize| Checkpoint::At(found[n].1.sequence.clone());
    let shards = streams.shards(TABLE).await.unwrap();
    assert!(streams.hold(TABLE, WORKER, &shards).await.unwrap().owned.contains(shard));
    assert_eq!(streams.checkpoint(TABLE, shard, WORKER).await.unwrap(), None);
    for (set, expected) in [(1, 1), (2, 2), (0, 2)] {
        streams.set_checkpoint(TABLE, shard, WORKER, &at(set)).await.unwrap();
        assert_eq!(streams.checkpoint(TABLE, shard, WORKER).await.unwrap(), Some(at(expected)), "only ever forward");
    }
    assert_eq!(streams.checkpoint(TABLE, shard, "another").await.unwrap(), None);
    streams.set_checkpoint(TABLE, shard, WORKER, &Checkpoint::ShardEnd).await.unwrap();
    streams.set_checkpoint(TABLE, shard, WORKER, &at(2)).await.unwrap();
    assert_eq!(streams.checkpoint(TABLE, shard, WORKER).await.unwrap(), Some(Checkpoint::ShardEnd));
}

pub async fn limits_a_read(backend: &impl Backend) {
    for n in 0..4 {
        put_number(backend, "s", n).await;
    }
    let shard = all(backend).await.remove(0).0;
    let records = backend.streams().records(TABLE, &shard, &Position::TrimHorizon, 3).await.unwrap();
    assert_eq!(records.records.len(), 3);
    let records = backend.streams().records(TABLE, &shard, &records.next.unwrap(), 3).await.unwrap();
    assert_eq!(records.records.len(), 1);
}

pub async fn wakes_who_waits(backend: &impl Backend) {
    tokio::time::sleep(Duration::from_millis(50)).await;
    let later = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        put_number(backend, "s", 1).await;
    };
    let waited = async { tokio::time::timeout(secs(5), backend.streams().changed(TABLE, secs(60))).await };
    let (waited, ()) = tokio::join!(waited, later);
    assert!(waited.is_ok(), "woken by the change, not by the end of the wait");
    tokio::time::timeout(secs(5), backend.streams().changed(TABLE, Duration::from_millis(10))).await.unwrap();
}

pub async fn knows_its_names(backend: &impl Backend) {
    let streams = backend.streams();
    assert_eq!(streams.shards("no-such-table").await.unwrap_err().kind, ErrorKind::NotFound);
    assert_eq!(streams.shards(PLAIN_TABLE).await.unwrap_err().kind, ErrorKind::NotFound, "it has no stream");
    let error = streams.records(TABLE, "no-such-shard", &Position::TrimHorizon, 1).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
    let shard = streams.shards(TABLE).await.unwrap().remove(0).id;
    for sequence in ["", "nonsense", "-1"] {
        let error = streams.records(TABLE, &shard, &Position::After(sequence.into()), 1).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Invalid, "{sequence}");
    }
}

pub async fn refuses_sequences_of_no_stream(backend: &impl Backend) {
    let shard = backend.streams().shards(TABLE).await.unwrap().remove(0).id;
    let from = Position::After("99999999999999999999999999999999".to_owned());
    let error = backend.streams().records(TABLE, &shard, &from, 1).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid);
}

/// Of both images. A put that differs in the last digit alone is a change.
pub async fn case_01_images_keep_every_digit(backend: &impl Backend) {
    let (first, second) =
        (item_of_numbers(), item_of_numbers().replace("12345678901234567890", "12345678901234567891"));
    put(backend, &first).await;
    put(backend, &first).await;
    put(backend, &second).await;
    let found = all(backend).await;
    let images: Vec<_> = found.iter().map(|(_, change)| (&change.old_image, &change.new_image)).collect();
    let [(None, Some(inserted)), (Some(before), Some(after))] = images.as_slice() else { panic!("{images:?}") };
    for (image, expected) in [(inserted, &first), (before, &first), (after, &second)] {
        assert!(host_adapters_json::same(image, expected), "{image}");
    }
}

/// Also in a shard that was empty: what is written while the worker is away is found.
pub async fn case_04_remembers_that_a_worker_has_begun(backend: &impl Backend) {
    let (streams, shards) = (backend.streams(), backend.streams().shards(TABLE).await.unwrap());
    assert!(!streams.has_begun(TABLE, WORKER).await.unwrap());
    for shard in &shards {
        let end = streams.records(TABLE, &shard.id, &Position::Latest, 10).await.unwrap();
        assert_eq!(end.records, []);
        streams.begin(TABLE, &shard.id, WORKER).await.unwrap();
    }
    assert!(streams.has_begun(TABLE, WORKER).await.unwrap());
    assert!(!streams.has_begun(TABLE, "another").await.unwrap());
    put_number(backend, "s", 1).await;
    let mut found = Vec::new();
    for Shard { id, .. } in &shards {
        let from = match streams.checkpoint(TABLE, id, WORKER).await.unwrap() {
            Some(Checkpoint::At(sequence)) => Position::After(sequence),
            Some(Checkpoint::ShardEnd) => panic!("{id} is open"),
            Some(Checkpoint::AtTimestamp(time_ms)) => panic!("{id} begins at {time_ms}"),
            None => Position::TrimHorizon,
        };
        for change in read_shard(backend, id, from).await {
            found.push((id.clone(), change.sequence));
        }
    }
    let [(shard, sequence)] = found.as_slice() else { panic!("{found:?}") };
    let settled = Checkpoint::At(sequence.clone());
    streams.set_checkpoint(TABLE, shard, WORKER, &settled).await.unwrap();
    streams.begin(TABLE, shard, WORKER).await.unwrap();
    assert_eq!(streams.checkpoint(TABLE, shard, WORKER).await.unwrap(), Some(settled), "only ever forward");
}
