//! A stream: shards with parents, which close, split and merge (docs/delivery.md, 4). It is read as changes of a
//! table's items, or as a data stream, whose records may be packed into others.

use super::{EPOCH_MS, Faults, WORKER, rounded_ms};
use host_adapters_platform::{
    Change, Checkpoint, LeaseTable, Leases, Position, Records, Result, Shard, ShardPage, ShardReader, StreamRecord,
};
use host_adapters_records::table::Key;
use md5::{Digest, Md5};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// The same as DynamoDB's.
const READ_INTERVAL: Duration = Duration::from_millis(250);
const MOST_RECORDS: usize = 1_000;

/// Checkpoints with their times, by worker and shard.
type Checkpoints = BTreeMap<(String, String), Vec<(u64, Checkpoint)>>;

/// Turns a page of changes into a page of data records. If `packs`, those up to a number that three divides are packed
/// into one record, which has the number of the last of them.
pub fn as_data(page: ShardPage<Change>, packs: bool) -> ShardPage<StreamRecord> {
    let (count, next) = (page.count, page.next.clone());
    ShardPage::new(count, next, move || {
        let (mut records, mut open) = (Vec::new(), Vec::new());
        for change in page.read().records {
            let is_last = packs && change.sequence.parse::<u64>().unwrap() % 3 == 0;
            open.push(as_record(change));
            if is_last {
                records.push(packed(&std::mem::take(&mut open)));
            }
        }
        records.extend(open);
        records
    })
}

fn as_record(change: Change) -> StreamRecord {
    let Change { sequence, key, new_image, time_ms, .. } = change;
    // Not UTF-8, and therefore not JSON.
    let data = [&[0xff], new_image.unwrap_or_default().as_bytes()].concat();
    StreamRecord { sequence, partition_key: key.pk, data, time_ms }
}

/// One record that holds these, as the Kinesis Producer Library packs them: the keys in a table (field 1), records with
/// the index of their key (1) and their data (3) in field 3.
fn packed(records: &[StreamRecord]) -> StreamRecord {
    let field = |tag: u8, bytes: &[u8]| [&[tag][..], &varint(bytes.len()), bytes].concat();
    let keys = records.iter().flat_map(|record| field(0x0a, record.partition_key.as_bytes()));
    let parts = records.iter().enumerate().flat_map(|(index, record)| {
        let part = [&[0x08][..], &varint(index), &field(0x1a, &record.data)].concat();
        field(0x1a, &part)
    });
    let message: Vec<u8> = keys.chain(parts).collect();
    let data = [&[0xf3, 0x89, 0x9a, 0xc2][..], &message, &Md5::digest(&message)].concat();
    StreamRecord { data, ..records.last().unwrap().clone() }
}

fn varint(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 127 {
        bytes.push(u8::try_from(number & 127).unwrap() | 128);
        number >>= 7;
    }
    bytes.push(u8::try_from(number).unwrap());
    bytes
}

pub struct ModelStreams {
    pub faults: Faults,
    shards: Mutex<BTreeMap<String, ModelShard>>,
    checkpoints: Mutex<Checkpoints>,
    reads: Mutex<Vec<(u64, String, Position)>>,
    latest_takes: Mutex<Duration>,
    leases: Mutex<Option<BTreeSet<String>>>,
    /// Whether a data stream's records are packed.
    packs: AtomicBool,
    /// Workers that began with an empty shard.
    begun: Mutex<BTreeSet<String>>,
    changed: Notify,
    began: Instant,
}

#[derive(Default)]
struct ModelShard {
    parents: Vec<String>,
    /// Known of a data stream's shard, if at all.
    hash_keys: Option<RangeInclusive<u128>>,
    records: Vec<Change>,
    closed: bool,
}

impl ModelStreams {
    pub fn new(seed: u64, began: Instant) -> Self {
        let (shards, checkpoints, reads) = (Mutex::default(), Mutex::default(), Mutex::default());
        let (faults, leases, changed) = (Faults::new(seed), Mutex::default(), Notify::new());
        let (latest_takes, begun, packs) = (Mutex::default(), Mutex::default(), AtomicBool::default());
        Self { faults, shards, checkpoints, reads, latest_takes, leases, packs, begun, changed, began }
    }

    /// From now on the records of a data stream are packed, as [`as_data`] says.
    pub fn packs(&self) {
        self.packs.store(true, Ordering::Relaxed);
    }

    pub fn open(&self, shard: &str, parent: Option<&str>) {
        self.open_after(shard, parent.as_slice());
    }

    pub fn open_after(&self, shard: &str, parents: &[&str]) {
        let parents = parents.iter().map(ToString::to_string).collect();
        self.lock().insert(shard.to_owned(), ModelShard { parents, ..ModelShard::default() });
    }

    /// From now on a shard is known to take these hashes of partition keys.
    pub fn takes(&self, shard: &str, hash_keys: RangeInclusive<u128>) {
        self.lock().get_mut(shard).unwrap().hash_keys = Some(hash_keys);
    }

    pub fn close(&self, shard: &str) {
        self.lock().get_mut(shard).unwrap().closed = true;
        self.changed.notify_waiters();
    }

    /// From now on shards are shared with other hosts, and this host owns these.
    pub fn lease(&self, shards: &[&str]) {
        *self.leases.lock().unwrap() = Some(shards.iter().map(|&shard| shard.to_owned()).collect());
    }

    /// The shards that this host owns, if they are shared.
    pub fn leased(&self) -> Option<BTreeSet<String>> {
        self.leases.lock().unwrap().clone()
    }

    /// A change of the item `key` for each number, which becomes the sequence number.
    pub fn put(&self, shard: &str, changes: impl IntoIterator<Item = (u64, String)>) {
        let time_ms = EPOCH_MS + rounded_ms(self.began.elapsed());
        let change = |(sequence, key): (u64, String)| Change {
            sequence: name(sequence),
            event_name: "MODIFY".to_owned(),
            key: Key { pk: key, sk: "s".to_owned() },
            new_image: Some(format!(r#"{{"n":{sequence}}}"#)),
            old_image: None,
            user_identity: None,
            time_ms,
        };
        self.lock().get_mut(shard).unwrap().records.extend(changes.into_iter().map(change));
        self.changed.notify_waiters();
    }

    /// The removal of an item by a service.
    pub fn remove(&self, shard: &str, sequence: u64, by: &str) {
        self.put_range(shard, sequence..sequence + 1);
        let mut shards = self.lock();
        let change = shards.get_mut(shard).unwrap().records.last_mut().unwrap();
        change.event_name = "REMOVE".to_owned();
        change.old_image = change.new_image.take();
        change.user_identity = Some(by.to_owned());
    }

    /// A change with this image.
    pub fn put_image(&self, shard: &str, sequence: u64, image: String) {
        self.put(shard, [(sequence, "item".to_owned())]);
        if let Some(change) = self.lock().get_mut(shard).unwrap().records.last_mut() {
            change.new_image = Some(image);
        }
    }

    /// A change with these images, of which the new one is `new`.
    pub fn put_images(&self, shard: &str, sequence: u64, old: String, new: String) {
        self.put_image(shard, sequence, new);
        if let Some(change) = self.lock().get_mut(shard).unwrap().records.last_mut() {
            change.old_image = Some(old);
        }
    }

    /// Changes of as many different items.
    pub fn put_range(&self, shard: &str, sequences: std::ops::Range<u64>) {
        self.put(shard, sequences.map(|sequence| (sequence, format!("item-{sequence}"))));
    }

    /// Every checkpoint that [`WORKER`](super::WORKER) has stored for a shard, with its time.
    pub fn checkpoints(&self, shard: &str) -> Vec<(u64, Checkpoint)> {
        self.checkpoints_of(WORKER, shard)
    }

    /// The last checkpoint of [`WORKER`](super::WORKER).
    pub fn position(&self, shard: &str) -> Option<Checkpoint> {
        self.position_of(WORKER, shard)
    }

    pub fn position_of(&self, worker: &str, shard: &str) -> Option<Checkpoint> {
        self.checkpoints_of(worker, shard).pop().map(|(_, checkpoint)| checkpoint)
    }

    fn checkpoints_of(&self, worker: &str, shard: &str) -> Vec<(u64, Checkpoint)> {
        let key = (worker.to_owned(), shard.to_owned());
        self.checkpoints.lock().unwrap().get(&key).cloned().unwrap_or_default()
    }

    /// The last sequence number of each shard, and whether it is closed.
    pub fn ends(&self) -> Vec<(String, Option<String>, bool)> {
        let shards = self.lock();
        let last = |shard: &ModelShard| shard.records.last().map(|change| change.sequence.clone());
        shards.iter().map(|(id, shard)| (id.clone(), last(shard), shard.closed)).collect()
    }

    /// Every read of a shard: when and from where.
    /// How long it takes to find the end of a shard.
    pub fn latest_takes(&self, time: Duration) {
        *self.latest_takes.lock().unwrap() = time;
    }

    pub fn reads(&self, shard: &str) -> Vec<(u64, Position)> {
        let reads = self.reads.lock().unwrap();
        reads.iter().filter(|(_, id, _)| id == shard).map(|(at, _, position)| (*at, position.clone())).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, ModelShard>> {
        self.shards.lock().unwrap()
    }

    fn now_ms(&self) -> u64 {
        rounded_ms(self.began.elapsed())
    }
}

/// A sequence number of a stream: the order of the text is the order of the records.
pub fn name(sequence: u64) -> String {
    format!("{sequence:06}")
}

#[async_trait::async_trait]
impl ShardReader<Change> for ModelStreams {
    async fn shards(&self, _table: &str) -> Result<Vec<Shard>> {
        self.faults.check("shards")?;
        // Children first, because the order of the list must not matter.
        let shards = self.lock();
        let shard = |(id, shard): (&String, &ModelShard)| Shard {
            id: id.clone(),
            parents: shard.parents.clone(),
            hash_keys: shard.hash_keys.clone(),
        };
        Ok(shards.iter().rev().map(shard).collect())
    }

    async fn page(&self, _table: &str, shard: &str, from: &Position, limit: usize) -> Result<ShardPage<Change>> {
        self.reads.lock().unwrap().push((self.now_ms(), shard.to_owned(), from.clone()));
        self.faults.check("records")?;
        if *from == Position::Latest {
            let time = *self.latest_takes.lock().unwrap();
            tokio::time::sleep(time).await;
        }
        let shards = self.lock();
        let shard = &shards[shard];
        let start = match from {
            Position::TrimHorizon => 0,
            Position::Latest => shard.records.len(),
            Position::AtTimestamp(time_ms) => shard.records.partition_point(|change| change.time_ms < *time_ms),
            Position::After(sequence) => shard.records.partition_point(|change| change.sequence <= *sequence),
        };
        let records: Vec<Change> = shard.records[start..].iter().take(limit).cloned().collect();
        let end = start + records.len();
        let last = end.checked_sub(1).map(|last| Position::After(shard.records[last].sequence.clone()));
        let done = shard.closed && end == shard.records.len();
        Ok(Records { records, next: (!done).then(|| last.unwrap_or(Position::TrimHorizon)) }.into())
    }

    fn most_records(&self) -> usize {
        MOST_RECORDS
    }

    async fn changed(&self, _table: &str, wait: Duration) {
        let _ = tokio::time::timeout(wait, self.changed.notified()).await;
    }

    fn read_interval(&self) -> Duration {
        READ_INTERVAL
    }
}

/// The same records, as a data stream's.
#[async_trait::async_trait]
impl ShardReader<StreamRecord> for ModelStreams {
    async fn shards(&self, stream: &str) -> Result<Vec<Shard>> {
        ShardReader::<Change>::shards(self, stream).await
    }

    async fn page(&self, stream: &str, shard: &str, from: &Position, limit: usize) -> Result<ShardPage<StreamRecord>> {
        let page = ShardReader::<Change>::page(self, stream, shard, from, limit).await?;
        Ok(as_data(page, self.packs.load(Ordering::Relaxed)))
    }

    fn most_records(&self) -> usize {
        MOST_RECORDS
    }

    async fn changed(&self, stream: &str, wait: Duration) {
        ShardReader::<Change>::changed(self, stream, wait).await;
    }

    fn read_interval(&self) -> Duration {
        READ_INTERVAL
    }
}

#[async_trait::async_trait]
impl LeaseTable for ModelStreams {
    async fn hold(&self, _table: &str, worker: &str, shards: &[Shard]) -> Result<Leases> {
        self.faults.check("hold")?;
        let ours = |shard: &&Shard| self.leased().is_none_or(|leased| leased.contains(&shard.id));
        let done = |shard: &&Shard| self.position_of(worker, &shard.id) == Some(Checkpoint::ShardEnd);
        let ids = |shards: Vec<&Shard>| shards.into_iter().map(|shard| shard.id.clone()).collect();
        let (owned, done) = (ids(shards.iter().filter(ours).collect()), ids(shards.iter().filter(done).collect()));
        Ok(Leases { owned, done, ..Leases::default() })
    }

    async fn renew(&self, _table: &str, _worker: &str) -> Result<Vec<String>> {
        Ok(self.leased().into_iter().flatten().collect())
    }

    async fn release(&self, _table: &str, _worker: &str) -> Result<()> {
        self.leases.lock().unwrap().iter_mut().for_each(BTreeSet::clear);
        Ok(())
    }

    fn lease_renewal(&self) -> Option<Duration> {
        self.leased().map(|_| Duration::from_secs(3))
    }

    async fn has_begun(&self, _table: &str, worker: &str) -> Result<bool> {
        self.faults.check("has begun")?;
        let begun = self.begun.lock().unwrap().contains(worker);
        Ok(begun || self.checkpoints.lock().unwrap().keys().any(|(of, _)| of == worker))
    }

    async fn begin(&self, _table: &str, _shard: &str, worker: &str) -> Result<()> {
        self.faults.check("begin")?;
        self.begun.lock().unwrap().insert(worker.to_owned());
        Ok(())
    }

    async fn checkpoint(&self, _table: &str, shard: &str, worker: &str) -> Result<Option<Checkpoint>> {
        self.faults.check("checkpoint")?;
        Ok(self.position_of(worker, shard))
    }

    async fn set_checkpoint(&self, _table: &str, shard: &str, worker: &str, checkpoint: &Checkpoint) -> Result<()> {
        self.faults.check("set checkpoint")?;
        match (self.position_of(worker, shard), checkpoint) {
            (Some(Checkpoint::At(before)), Checkpoint::At(now)) => {
                // A host that did not get the response stores the same checkpoint again.
                assert!(*now >= before, "a checkpoint went backwards")
            }
            (Some(Checkpoint::ShardEnd), Checkpoint::At(_)) => panic!("a checkpoint after the end of its shard"),
            (Some(_), Checkpoint::AtTimestamp(_)) => panic!("a worker begins a shard again"),
            _ => (),
        }
        let mut checkpoints = self.checkpoints.lock().unwrap();
        checkpoints.entry((worker.to_owned(), shard.to_owned())).or_default().push((self.now_ms(), checkpoint.clone()));
        Ok(())
    }
}
