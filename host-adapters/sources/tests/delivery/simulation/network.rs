//! The network between a host and the queues and streams that outlive it. Here calls take time, fail, or succeed
//! without the host receiving the response; here the host dies at its n-th step; and all requests to queues and streams
//! are recorded.

use super::journal::{DeadLetter, Fact, Journal};
use super::records;
use super::schedule::{Kind, Schedule, random};
use super::settings::{QUEUE, QUEUE_DLQ, Streams, TABLE, WORKERS};
use crate::model::{Faults, ModelFailures, ModelQueues, ModelStreams, as_data};
use host_adapters_platform::{
    Change, Checkpoint, Depth, FailureTable, LeaseTable, Position, QueueBackend, Received, Result, Shard, ShardPage,
    ShardReader, StreamRecord,
};
use host_adapters_records::queue::Message;
use host_adapters_records::{Attribute, Error};
use host_adapters_sources::dynamodb_stream::DynamodbStreamConfig;
use rand::RngExt;
use rand::rngs::StdRng;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;

/// The interval of polls of a shard without news. More would only slow the simulation down.
const POLL: Duration = Duration::from_secs(5);
/// More than ten times what any schedule needs.
const MOST_STEPS: u64 = 200_000;

pub struct Network {
    pub faults: Faults,
    pub queues: Arc<ModelQueues>,
    pub streams: Arc<ModelStreams>,
    pub failures: ModelFailures,
    pub journal: Arc<Journal>,
    /// Notified when the host dies at a step.
    pub death: Notify,
    schedule: Arc<Schedule>,
    /// The number of steps after which the host dies; `None` if it does not.
    death_after: Mutex<Option<u32>>,
    random: Mutex<StdRng>,
    steps: AtomicU64,
    /// The times at which this host has read each shard.
    reads: Mutex<BTreeMap<String, Vec<u64>>>,
    /// The record's number for each message id.
    numbers: Mutex<BTreeMap<String, u64>>,
    /// Records that the queue's own redrive is known to have moved.
    moved: Mutex<BTreeSet<u64>>,
}

impl Network {
    pub fn new(
        schedule: Arc<Schedule>,
        queues: Arc<ModelQueues>,
        streams: Arc<ModelStreams>,
        journal: Arc<Journal>,
    ) -> Self {
        let (faults, random) = (Faults::new(schedule.seed), Mutex::new(random(schedule.seed, 2)));
        schedule.chances.iter().for_each(|(call, chance)| faults.chance(call, *chance));
        let (death, death_after, numbers, moved) =
            (Notify::new(), Mutex::default(), Mutex::default(), Mutex::default());
        Self {
            faults,
            queues,
            failures: ModelFailures::new(schedule.seed),
            streams,
            journal,
            death,
            schedule,
            death_after,
            random,
            steps: AtomicU64::new(0),
            reads: Mutex::default(),
            numbers,
            moved,
        }
    }

    /// Makes the host die at the n-th step from now, or not any more.
    pub fn die_after(&self, steps: Option<u32>) {
        *self.death_after.lock().unwrap() = steps;
    }

    /// A host starts: it has read no shard yet.
    pub fn host_started(&self) {
        self.reads.lock().unwrap().clear();
    }

    /// Checks that a shard is read at most five times a second, however many workers there are.
    fn reading(&self, shard: &str) {
        let (mut reads, now_ms) = (self.reads.lock().unwrap(), self.journal.now_ms());
        let reads = reads.entry(shard.to_owned()).or_default();
        reads.retain(|at_ms| at_ms + 1_000 > now_ms);
        reads.push(now_ms);
        if reads.len() > 5 {
            self.journal.write(Fact::Impossible(format!("{shard} is read six times within a second: {reads:?}")));
        }
    }

    /// One step on the way to or from a server.
    pub async fn travel(&self) {
        // Virtual time does not advance for a host that calls in an endless loop.
        assert!(self.steps.fetch_add(1, Ordering::Relaxed) < MOST_STEPS, "the host is in an endless loop");
        if self.schedule.latency_ms > 0 {
            let ms = self.random.lock().unwrap().random_range(0..self.schedule.latency_ms);
            tokio::time::sleep(Duration::from_millis(ms)).await;
        }
        if self.is_last_step() {
            self.death.notify_one();
            std::future::pending::<()>().await;
        }
    }

    fn is_last_step(&self) -> bool {
        let mut left = self.death_after.lock().unwrap();
        match &mut *left {
            Some(steps) if *steps > 1 => *steps -= 1,
            Some(_) => {
                *left = None;
                return true;
            }
            None => (),
        }
        false
    }

    /// Travels to the server, where the call takes effect. The call may fail before that.
    async fn there(&self, call: &'static str, records: &[u64]) -> Result<()> {
        self.travel().await;
        self.check(call, records)
    }

    /// Travels back with the response, which may be lost.
    async fn back(&self, answer: &'static str, records: &[u64]) -> Result<()> {
        self.travel().await;
        self.check(answer, records)
    }

    fn check(&self, call: &'static str, records: &[u64]) -> Result<()> {
        let checked = self.faults.check(call);
        if checked.is_err() {
            self.journal.write(Fact::Failed { call, records: records.to_vec() });
        }
        checked
    }

    /// The record of a receipt of the models (`id#n`).
    fn of_receipt(&self, receipt: &str) -> u64 {
        let id = receipt.split('#').next().unwrap_or_default();
        let known = self.numbers.lock().unwrap().get(id).copied();
        known.unwrap_or_else(|| {
            self.journal.write(Fact::Impossible(format!("a receipt that nobody got: {receipt}")));
            u64::MAX
        })
    }

    fn received(&self, message: &Received) -> u64 {
        let record = records::of_body(&message.body).expect("only records are on the queue");
        self.numbers.lock().unwrap().insert(message.id.clone(), record);
        let (receipt, receives) = (message.receipt.clone(), message.receive_count);
        self.journal.write(Fact::Received { record, receipt, receives });
        record
    }

    /// Records which messages the queue has moved to its DLQ: those without the attributes of a host's dead letter.
    pub fn note_moved(&self) {
        let dead_letters =
            self.queues.messages(QUEUE_DLQ).into_iter().filter(|dead_letter| dead_letter.attributes.is_empty());
        let mut moved = self.moved.lock().unwrap();
        for record in dead_letters.filter_map(|dead_letter| records::of_body(&dead_letter.body)) {
            if moved.insert(record) {
                self.journal.write(Fact::Moved(record));
            }
        }
    }

    /// Reads a message to a dead letter queue; an error says what is wrong with it.
    fn dead_letter(&self, queue: &str, message: &Message) -> std::result::Result<DeadLetter, String> {
        let reader = WORKERS.iter().position(|worker| queue == stream_dead_letter_queue(worker));
        let kind = match reader {
            Some(worker) => Kind::Stream(worker),
            None if queue == QUEUE_DLQ => Kind::Queue,
            None => return Err(format!("a dead letter on {queue}")),
        };
        let attribute = |name: &str| Attribute::find(&message.attributes, name).map(str::to_owned);
        let (record, condition) = match kind {
            Kind::Queue => (records::of_body(&message.body), None),
            Kind::Stream(_) => records::of_envelope(&message.body),
        };
        let record = record.ok_or_else(|| format!("a dead letter that holds no record: {}", message.body))?;
        let source = attribute("sourceMessageId").unwrap_or_default();
        let known = match kind {
            Kind::Queue => self.numbers.lock().unwrap().get(&source) == Some(&record),
            Kind::Stream(_) => records::is_id(&source, record),
        };
        let attempt = attribute("attempt").and_then(|attempt| attempt.parse().ok());
        match attempt {
            Some(attempt) if known => Ok(DeadLetter { kind, record, attempt, digest: attribute("digest"), condition }),
            _ => Err(format!("a dead letter of {record} with other attributes: {:?}", message.attributes)),
        }
    }

    /// Of a call for several entries some may fail: for each entry, its error if it does.
    fn through(&self, call: &'static str, records: &[u64]) -> Vec<Option<Error>> {
        records.iter().map(|record| self.check(call, &[*record]).err()).collect()
    }
}

#[async_trait::async_trait]
impl QueueBackend for Network {
    async fn send_batch(&self, queue: &str, messages: Vec<Message>) -> Result<Vec<Result<String>>> {
        let dead_letters: Vec<_> = messages.iter().map(|message| self.dead_letter(queue, message)).collect();
        let records: Vec<u64> = dead_letters.iter().flatten().map(|dead_letter| dead_letter.record).collect();
        self.there("send", &records).await?;
        let mut answers = Vec::new();
        for (message, dead_letter) in messages.into_iter().zip(dead_letters) {
            let of: Vec<u64> = dead_letter.iter().map(|dead_letter| dead_letter.record).collect();
            if let Err(error) = self.check("send one", &of) {
                answers.push(Err(error));
                continue;
            }
            answers.extend(self.queues.send_batch(queue, vec![message]).await?);
            self.journal.write(dead_letter.map_or_else(Fact::Impossible, Fact::DeadLettered));
        }
        self.back("send response", &records).await?;
        Ok(answers)
    }

    async fn receive(&self, queue: &str, max: usize, wait: Duration, visibility: Duration) -> Result<Vec<Received>> {
        self.there("receive", &[]).await?;
        let received = self.queues.receive(queue, max, wait, visibility).await?;
        self.note_moved();
        let records: Vec<u64> = received.iter().map(|message| self.received(message)).collect();
        self.back("receive response", &records).await?;
        Ok(received)
    }

    async fn delete_batch(&self, queue: &str, receipts: &[String]) -> Result<Vec<Option<Error>>> {
        let records: Vec<u64> = receipts.iter().map(|receipt| self.of_receipt(receipt)).collect();
        self.there("delete", &records).await?;
        self.note_moved();
        let errors = self.through("delete one", &records);
        for ((receipt, record), _) in receipts.iter().zip(records.iter()).zip(&errors).filter(|(_, e)| e.is_none()) {
            self.queues.delete_batch(queue, std::slice::from_ref(receipt)).await?;
            self.journal.write(Fact::Deleted { record: *record, receipt: receipt.clone() });
        }
        self.back("delete response", &records).await?;
        Ok(errors)
    }

    async fn change_visibility_batch(&self, queue: &str, changes: &[(String, Duration)]) -> Result<Vec<Option<Error>>> {
        let records: Vec<u64> = changes.iter().map(|(receipt, _)| self.of_receipt(receipt)).collect();
        self.there("visibility", &records).await?;
        let mut errors = self.through("visibility one", &records);
        for ((change, record), error) in changes.iter().zip(&records).zip(&mut errors).filter(|(_, e)| e.is_none()) {
            *error = self.queues.change_visibility_batch(queue, std::slice::from_ref(change)).await?.remove(0);
            self.journal.write(match error {
                None => Fact::Hidden { record: *record, secs: change.1.as_secs() },
                Some(_) => Fact::Failed { call: "visibility of a stale receipt", records: vec![*record] },
            });
        }
        self.back("visibility response", &records).await?;
        Ok(errors)
    }

    async fn depth(&self, queue: &str) -> Result<Depth> {
        self.queues.depth(queue).await
    }

    async fn peek(&self, queue: &str, max: usize) -> Result<Vec<Received>> {
        self.queues.peek(queue, max).await
    }
}

#[async_trait::async_trait]
impl FailureTable for Network {
    async fn count_failures(&self, queue: &str, messages: &[String]) -> Result<Vec<u32>> {
        let records: Vec<u64> = messages.iter().map(|message| self.of_receipt(message)).collect();
        self.there("count failures", &records).await?;
        let counts = self.failures.count_failures(queue, messages).await?;
        let counted = records.iter().zip(&counts);
        counted.for_each(|(record, count)| self.journal.write(Fact::Counted { record: *record, failures: *count }));
        self.back("count failures response", &records).await?;
        Ok(counts)
    }

    async fn forget_failures(&self, queue: &str, messages: &[String]) -> Result<()> {
        let records: Vec<u64> = messages.iter().map(|message| self.of_receipt(message)).collect();
        self.there("forget failures", &records).await?;
        self.failures.forget_failures(queue, messages).await?;
        records.into_iter().for_each(|record| self.journal.write(Fact::Forgotten(record)));
        Ok(())
    }
}

#[async_trait::async_trait]
impl ShardReader<Change> for Network {
    async fn shards(&self, table: &str) -> Result<Vec<Shard>> {
        self.there("shards", &[]).await?;
        ShardReader::<Change>::shards(&*self.streams, table).await
    }

    async fn page(&self, table: &str, shard: &str, from: &Position, limit: usize) -> Result<ShardPage<Change>> {
        self.reading(shard);
        self.there("records", &[]).await?;
        self.streams.page(table, shard, from, limit).await
    }

    fn most_records(&self) -> usize {
        ShardReader::<Change>::most_records(&*self.streams)
    }

    async fn changed(&self, table: &str, wait: Duration) {
        ShardReader::<Change>::changed(&*self.streams, table, wait.max(POLL)).await;
    }

    fn read_interval(&self) -> Duration {
        ShardReader::<Change>::read_interval(&*self.streams)
    }
}

/// The same records, as a data stream's.
#[async_trait::async_trait]
impl ShardReader<StreamRecord> for Network {
    async fn shards(&self, stream: &str) -> Result<Vec<Shard>> {
        ShardReader::<Change>::shards(self, stream).await
    }

    async fn page(&self, stream: &str, shard: &str, from: &Position, limit: usize) -> Result<ShardPage<StreamRecord>> {
        let page = ShardReader::<Change>::page(self, stream, shard, from, limit).await?;
        Ok(as_data(page, self.schedule.streams.as_ref().is_some_and(Streams::packs)))
    }

    fn most_records(&self) -> usize {
        ShardReader::<Change>::most_records(self)
    }

    async fn changed(&self, stream: &str, wait: Duration) {
        ShardReader::<Change>::changed(self, stream, wait).await;
    }

    fn read_interval(&self) -> Duration {
        ShardReader::<Change>::read_interval(self)
    }
}

#[async_trait::async_trait]
impl LeaseTable for Network {
    async fn has_begun(&self, table: &str, worker: &str) -> Result<bool> {
        self.there("has begun", &[]).await?;
        self.streams.has_begun(table, worker).await
    }

    async fn begin(&self, table: &str, shard: &str, worker: &str) -> Result<()> {
        self.there("begin", &[]).await?;
        self.streams.begin(table, shard, worker).await
    }

    async fn checkpoint(&self, table: &str, shard: &str, worker: &str) -> Result<Option<Checkpoint>> {
        self.there("checkpoint", &[]).await?;
        self.streams.checkpoint(table, shard, worker).await
    }

    async fn set_checkpoint(&self, table: &str, shard: &str, worker: &str, checkpoint: &Checkpoint) -> Result<()> {
        self.there("set checkpoint", &[]).await?;
        let upto = match checkpoint {
            Checkpoint::At(sequence) => Some(sequence.parse().expect("sequence numbers are the records' own")),
            Checkpoint::ShardEnd => None,
            Checkpoint::AtTimestamp(_) => panic!("no worker of a schedule begins at a time"),
        };
        self.streams.set_checkpoint(table, shard, worker, checkpoint).await?;
        let worker = WORKERS.iter().position(|known| *known == worker).expect("only workers of the schedule");
        self.journal.write(Fact::Settled { worker, shard: shard.to_owned(), upto });
        self.back("set checkpoint response", &[]).await
    }
}

/// The dead letter queue of a worker of the stream.
pub fn stream_dead_letter_queue(worker: &str) -> String {
    DynamodbStreamConfig::new(TABLE).dead_letters(worker)
}

/// Sends a record to the queue, from outside.
pub fn arrive(queues: &ModelQueues, record: u64) {
    queues.put(QUEUE, [records::body(record)]);
}
