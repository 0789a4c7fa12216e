//! Reading topics for sources. One client of librdkafka fetches all partitions of a topic that this host reads, for all its
//! workers; it joins no group. Each partition has a queue of its own, from which pages are taken. A page that does not begin
//! where the last one ended has the partition fetched from there: groups at different places in a partition take turns.

use crate::client::{Context, base_of_reader, fault_of_certificates};
use crate::config::KafkaConfig;
use crate::error::{fault_of_client, is_of_connection, no_topic, told, unavailable};
use crate::read::{id, offset};
use crate::tls::Material;
use host_adapters_platform::{LogEntry, LogPlace, Position, Records, Result, Shard, ShardPage, trimmed};
use host_adapters_records::{Error, source_name};
use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::{Offset, TopicPartitionList};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// The number of bytes after which a page ends.
const PAGE_BYTES: usize = 1024 * 1024;
/// How much of a partition librdkafka fetches ahead, KiB.
const QUEUED_KIB: &str = "4096";
/// How long a page waits for its first record where its partition is fetched from elsewhere from now on. A page without it
/// would be fetched in vain, because another group may have the partition fetched from its own place next. Longer than a
/// broker waits for records.
const FIRST: Duration = Duration::from_millis(1_000);
/// How long a broker waits for records, in milliseconds. A partition is fetched from elsewhere only when it has answered.
const BROKER_WAITS_MS: &str = "100";
/// A partition that nobody reads for so long is no longer fetched.
const UNREAD: Duration = Duration::from_secs(60);

/// Fetches one topic.
pub(crate) struct Fetcher {
    config: KafkaConfig,
    /// Its declared name, and the one in Kafka.
    topic: String,
    real: String,
    pub(crate) material: Material,
    context: Context,
    consumer: Arc<BaseConsumer<Context>>,
    partitions: Mutex<HashMap<u32, Arc<Mutex<Fetched>>>>,
    /// Told of records that arrive.
    pub(crate) arrived: Arc<Notify>,
}

/// A partition that is fetched.
struct Fetched {
    queue: PartitionQueue<Context>,
    /// Where the queue goes on; `None` while the partition is not fetched.
    at: Option<Position>,
    read: Instant,
}

impl Fetcher {
    pub(crate) fn new(config: &KafkaConfig, topic: &str, real: String, material: Material) -> Result<Self> {
        // It joins no group, and librdkafka wants a name.
        let mut client = base_of_reader(config, &material, "host-adapters-reader");
        client
            // For offsets that are no longer kept, or are of a topic that was there before under this name.
            .set("auto.offset.reset", "earliest")
            .set("fetch.wait.max.ms", BROKER_WAITS_MS)
            .set("queued.max.messages.kbytes", QUEUED_KIB);
        let context = Context::default();
        let consumer = client.create_with_context(context.clone());
        let consumer: BaseConsumer<Context> = consumer.map_err(|failed| unavailable(fault_of_client(&failed)))?;
        Ok(Self {
            config: config.clone(),
            topic: topic.to_owned(),
            real,
            material,
            context,
            consumer: Arc::new(consumer),
            partitions: Mutex::default(),
            arrived: Arc::default(),
        })
    }

    /// The partitions of the topic. Blocks.
    pub(crate) fn shards(&self) -> Result<Vec<Shard>> {
        let metadata =
            self.consumer.fetch_metadata(None, self.config.timeout()).map_err(|failed| self.error(&failed))?;
        let found = metadata.topics().iter().find(|topic| topic.name() == self.real);
        let mut numbers: Vec<i32> =
            found.ok_or_else(|| no_topic(&self.topic))?.partitions().iter().map(|partition| partition.id()).collect();
        numbers.sort_unstable();
        Ok(numbers.into_iter().map(|number| Shard { id: number.to_string(), ..Shard::default() }).collect())
    }

    /// Records from a position on, which are there already. Blocks, for [`FIRST`] where there are none.
    pub(crate) fn page(&self, number: u32, from: &Position, limit: usize) -> Result<ShardPage<LogEntry>> {
        self.leave_unread(number);
        let from = match from {
            Position::Latest => {
                let next = LogPlace { partition: number, offset: self.bounds(number)?.1 }.from_here();
                return Ok(ShardPage::from(Records { records: Vec::new(), next: Some(next) }));
            }
            Position::AtTimestamp(time_ms) => {
                LogPlace { partition: number, offset: self.offset_of_time(number, *time_ms)? }.from_here()
            }
            from => from.clone(),
        };
        let fetched = self.fetched(number)?;
        let mut fetched = fetched.lock().unwrap_or_else(PoisonError::into_inner);
        fetched.read = Instant::now();
        let is_moved = fetched.at.as_ref() != Some(&from);
        if is_moved {
            // Another group's place is not given up for records that have not come yet.
            if fetched.at.is_some() && self.bounds(number)?.1 == first_offset(number, &from)? {
                return Ok(ShardPage::from(Records { records: Vec::new(), next: Some(from) }));
            }
            self.fetch_from(&mut fetched, number, &from)?;
        }
        let wait = if is_moved { FIRST } else { Duration::ZERO };
        let records = match self.take(&fetched, number, limit, wait) {
            Ok(records) => records,
            Err(error) => {
                // What came before the error would be passed over.
                fetched.at = None;
                return Err(error);
            }
        };
        let Some(last) = records.last() else {
            self.check(number)?;
            return Ok(ShardPage::from(Records { records, next: Some(from) }));
        };
        self.context.works();
        let first = records.first().map_or(last.place.offset, |first| first.place.offset);
        self.note_dropped(number, &from, first);
        let next = LogPlace { partition: number, offset: last.place.offset + 1 }.from_here();
        fetched.at = Some(next.clone());
        // A read that finds nothing says that there is no more.
        Ok(ShardPage::from(Records { records, next: Some(next) }).and_more(true))
    }

    /// The offset of the first record that came at or after a time; the end where none did. Blocks.
    pub(crate) fn offset_of_time(&self, number: u32, time_ms: u64) -> Result<u64> {
        let mut times = TopicPartitionList::new();
        let time = Offset::Offset(i64::try_from(time_ms).unwrap_or(i64::MAX));
        let found = times
            .add_partition_offset(&self.real, id(number), time)
            .and_then(|()| self.consumer.offsets_for_times(times, self.config.timeout()))
            .map_err(|failed| self.error(&failed))?;
        let found = found.elements().first().map(|partition| partition.error().map(|()| partition.offset()));
        match found.transpose().map_err(|failed| self.error(&failed))? {
            Some(Offset::Offset(found)) => Ok(offset(found)),
            _ => Ok(self.bounds(number)?.1),
        }
    }

    /// The offset of the first record that is kept, and the one that the next record gets. Blocks.
    pub(crate) fn bounds(&self, number: u32) -> Result<(u64, u64)> {
        let watermarks = self.consumer.fetch_watermarks(&self.real, id(number), self.config.timeout());
        let (first, end) = watermarks.map_err(|failed| self.error(&failed))?;
        Ok((offset(first), offset(end)))
    }

    /// The error of a request. It may block for some seconds, to find out what is wrong with the certificates.
    fn error(&self, failed: &KafkaError) -> Error {
        let is_of_connection = is_of_connection(failed);
        let why = is_of_connection.then(|| fault_of_certificates(&self.config, &self.material)).flatten();
        let why = why.or_else(|| self.context.last_error().filter(|_| is_of_connection));
        told(&self.topic, failed, why.as_deref())
    }

    /// The queue of a partition, which is made when the partition is read for the first time.
    fn fetched(&self, number: u32) -> Result<Arc<Mutex<Fetched>>> {
        let mut partitions = self.partitions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(fetched) = partitions.get(&number) {
            return Ok(fetched.clone());
        }
        // Before the partition is fetched: otherwise its records would come to the common queue.
        let queue = self.consumer.split_partition_queue(&self.real, id(number));
        let mut queue = queue.ok_or_else(|| unavailable(format!("{}: no queue for partition {number}", self.topic)))?;
        let arrived = self.arrived.clone();
        queue.set_nonempty_callback(move || arrived.notify_waiters());
        let fetched = Arc::new(Mutex::new(Fetched { queue, at: None, read: Instant::now() }));
        partitions.insert(number, fetched.clone());
        Ok(fetched)
    }

    /// Has a partition fetched from a position. librdkafka drops what it has fetched from elsewhere.
    fn fetch_from(&self, fetched: &mut Fetched, number: u32, from: &Position) -> Result<()> {
        let begin = match first_offset(number, from)? {
            0 => Offset::Beginning,
            first => Offset::Offset(i64::try_from(first).unwrap_or(i64::MAX)),
        };
        self.stop(fetched, number).map_err(|failed| self.error(&failed))?;
        let mut assigned = TopicPartitionList::new();
        assigned
            .add_partition_offset(&self.real, id(number), begin)
            .and_then(|()| self.consumer.incremental_assign(&assigned))
            .map_err(|failed| self.error(&failed))?;
        fetched.at = Some(from.clone());
        Ok(())
    }

    fn stop(&self, fetched: &mut Fetched, number: u32) -> KafkaResult<()> {
        fetched.at = None;
        let assigned = self.consumer.assignment()?;
        if assigned.find_partition(&self.real, id(number)).is_none() {
            return Ok(());
        }
        let mut unassigned = TopicPartitionList::new();
        unassigned.add_partition(&self.real, id(number));
        self.consumer.incremental_unassign(&unassigned)
    }

    /// Takes what has arrived of a partition. Waits for the first record, at most for this time.
    fn take(&self, fetched: &Fetched, number: u32, limit: usize, wait: Duration) -> Result<Vec<LogEntry>> {
        let (mut records, mut bytes, until) = (Vec::new(), 0, Instant::now() + wait);
        while records.len() < limit && bytes < PAGE_BYTES {
            let is_first = records.is_empty();
            let wait = if is_first { until.saturating_duration_since(Instant::now()) } else { Duration::ZERO };
            match fetched.queue.poll(wait) {
                None => break,
                Some(Ok(message)) => {
                    let entry = entry(number, &message);
                    bytes += entry.key.as_ref().map_or(0, Vec::len) + entry.value.as_ref().map_or(0, Vec::len);
                    records.push(entry);
                }
                // librdkafka goes on to try; whether it can is found out when nothing comes.
                Some(Err(failed)) if is_of_connection(&failed) => {}
                Some(Err(failed)) => return Err(self.error(&failed)),
            }
        }
        Ok(records)
    }

    /// Fails if Kafka cannot be asked: nothing has come, and something was told that may be the reason.
    fn check(&self, number: u32) -> Result<()> {
        while let Some(event) = self.consumer.poll(Duration::ZERO) {
            match event {
                Err(failed) if !is_of_connection(&failed) => return Err(self.error(&failed)),
                _ => {}
            }
        }
        if self.context.last_error().is_some() {
            self.bounds(number)?;
            self.context.works();
        }
        Ok(())
    }

    /// Counts records that were dropped before they were read. Offsets have gaps where a topic is compacted or transactions
    /// end, so it is compared what is kept.
    fn note_dropped(&self, number: u32, from: &Position, first: u64) {
        let Position::After(sequence) = from else { return };
        let Ok(place) = LogPlace::of(number, sequence) else { return };
        if first > place.offset + 1
            && let Ok((kept, _)) = self.bounds(number)
        {
            let dropped = kept.min(first).saturating_sub(place.offset + 1);
            trimmed(&source_name::of_log_topic(&self.topic), usize::try_from(dropped).unwrap_or(usize::MAX));
        }
    }

    /// No longer fetches the other partitions that nobody has read for a while: another host may have them.
    fn leave_unread(&self, but: u32) {
        let partitions = self.partitions.lock().unwrap_or_else(PoisonError::into_inner);
        for (number, fetched) in partitions.iter().filter(|(number, _)| **number != but) {
            let Ok(mut fetched) = fetched.try_lock() else { continue };
            if fetched.at.is_some() && fetched.read.elapsed() > UNREAD {
                // If that fails, it is fetched in vain.
                let _ = self.stop(&mut fetched, *number);
            }
        }
    }
}

/// The offset with which a place in a partition begins, which is neither its end nor a time.
fn first_offset(number: u32, from: &Position) -> Result<u64> {
    match from {
        Position::After(sequence) => Ok(LogPlace::of(number, sequence)?.offset + 1),
        _ => Ok(0),
    }
}

fn entry(partition: u32, message: &BorrowedMessage<'_>) -> LogEntry {
    let headers = message.headers().into_iter().flat_map(Headers::iter);
    let header =
        |header: rdkafka::message::Header<'_, &[u8]>| (header.key.to_owned(), header.value.map(<[u8]>::to_vec));
    LogEntry {
        place: LogPlace { partition, offset: offset(message.offset()) },
        key: message.key().map(<[u8]>::to_vec),
        value: message.payload().map(<[u8]>::to_vec),
        headers: headers.map(header).collect(),
        time_ms: message.timestamp().to_millis().map_or(0, offset),
    }
}
