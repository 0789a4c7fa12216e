//! Pages of a partition, for operators. Each has a consumer of its own, which is assigned the partition, joins no group and
//! commits nothing.

use crate::Kafka;
use crate::client::{Context, base_of_reader, fault_of_certificates};
use crate::config::KafkaConfig;
use crate::error::{fault_of_client, is_of_connection, no_topic, told, unavailable};
use crate::tls::Material;
use host_adapters_platform::{LogPage, LogPartition, LoggedRecord, Result};
use host_adapters_records::{Error, ErrorKind};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::{Offset, TopicPartitionList};
use std::time::{Duration, Instant};

/// The number of bytes after which a page ends.
const PAGE_BYTES: usize = 1024 * 1024;
/// The setting of librdkafka's own buffer, KiB.
const QUEUED_KIB: &str = "4096";
/// How long one wait for a record is.
const POLL: Duration = Duration::from_millis(100);

impl Kafka {
    pub(crate) async fn page(&self, topic: &str, partition: u32, from: Option<u64>, limit: usize) -> Result<LogPage> {
        let reader = self.reader(topic)?;
        blocking(move || reader.page(partition, from, limit)).await
    }

    pub(crate) async fn partitions(&self, topic: &str) -> Result<Vec<LogPartition>> {
        let reader = self.reader(topic)?;
        blocking(move || reader.partitions()).await
    }

    fn reader(&self, topic: &str) -> Result<Reader> {
        let real = self.names.real(topic)?;
        Ok(Reader { config: self.config.clone(), topic: topic.to_owned(), real })
    }
}

/// Runs what blocks on a thread that may.
pub(crate) async fn blocking<T: Send + 'static>(run: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let ended = |_| Err(unavailable("the client of Kafka ended early"));
    tokio::task::spawn_blocking(run).await.unwrap_or_else(ended)
}

struct Reader {
    config: KafkaConfig,
    topic: String,
    real: String,
}

impl Reader {
    fn consumer(&self) -> Result<BaseConsumer<Context>> {
        let material = Material::read(&self.config).map_err(|fault| unavailable(fault.message))?;
        // It joins no group, and librdkafka wants a name.
        let mut client = base_of_reader(&self.config, &material, "host-adapters-operator");
        client
            .set("enable.partition.eof", "true")
            .set("fetch.wait.max.ms", "100")
            // What is fetched beyond the page, at most.
            .set("queued.max.messages.kbytes", QUEUED_KIB);
        client.create_with_context(Context::default()).map_err(|failed| unavailable(fault_of_client(&failed)))
    }

    /// The error of a request. It may block for some seconds, to find out what is wrong with the certificates.
    fn error(&self, failed: &KafkaError) -> Error {
        let material = is_of_connection(failed).then(|| Material::read(&self.config).ok()).flatten();
        let why = material.and_then(|material| fault_of_certificates(&self.config, &material));
        told(&self.topic, failed, why.as_deref())
    }

    fn count(&self, consumer: &BaseConsumer<Context>) -> Result<u32> {
        let metadata = consumer.fetch_metadata(None, self.config.timeout()).map_err(|failed| self.error(&failed))?;
        let found = metadata.topics().iter().find(|topic| topic.name() == self.real);
        let count = found.ok_or_else(|| no_topic(&self.topic))?.partitions().len();
        Ok(u32::try_from(count).unwrap_or(u32::MAX))
    }

    fn partitions(&self) -> Result<Vec<LogPartition>> {
        let consumer = self.consumer()?;
        (0..self.count(&consumer)?).map(|number| self.bounds(&consumer, number)).collect()
    }

    fn bounds(&self, consumer: &BaseConsumer<Context>, number: u32) -> Result<LogPartition> {
        let watermarks = consumer.fetch_watermarks(&self.real, id(number), self.config.timeout());
        let (first, end) = watermarks.map_err(|failed| self.error(&failed))?;
        Ok(LogPartition { number, first: offset(first), end: offset(end) })
    }

    fn page(&self, number: u32, from: Option<u64>, limit: usize) -> Result<LogPage> {
        let consumer = self.consumer()?;
        let count = self.count(&consumer)?;
        if number >= count {
            let topic = &self.topic;
            let message = format!("topic `{topic}` has no partition {number}; it has {count}, which count from 0");
            return Err(Error::new(ErrorKind::NotFound, message));
        }
        let bounds = self.bounds(&consumer, number)?;
        let begin = from.unwrap_or(bounds.first).max(bounds.first);
        if begin >= bounds.end {
            return Ok(LogPage { records: Vec::new(), next: begin });
        }
        let mut assigned = TopicPartitionList::new();
        let place = Offset::Offset(i64::try_from(begin).unwrap_or(i64::MAX));
        assigned
            .add_partition_offset(&self.real, id(number), place)
            .and_then(|()| consumer.assign(&assigned))
            .map_err(|failed| self.error(&failed))?;
        self.read(&consumer, number, begin, limit)
    }

    /// Reads to the end of the partition, or of the page.
    fn read(&self, consumer: &BaseConsumer<Context>, number: u32, begin: u64, limit: usize) -> Result<LogPage> {
        let (mut records, mut bytes, mut next) = (Vec::new(), 0, begin);
        let until = Instant::now() + self.config.timeout();
        while records.len() < limit && bytes < PAGE_BYTES {
            match consumer.poll(POLL) {
                Some(Ok(message)) => {
                    bytes += message.payload().map_or(0, <[u8]>::len);
                    next = offset(message.offset()) + 1;
                    records.push(record(number, &message));
                }
                Some(Err(KafkaError::PartitionEOF(_))) => break,
                // librdkafka goes on to try.
                Some(Err(failed)) if is_of_connection(&failed) && Instant::now() < until => {}
                Some(Err(failed)) => return Err(self.error(&failed)),
                None if Instant::now() < until => {}
                None => return Err(unavailable(format!("{}: Kafka did not answer in time", self.topic))),
            }
        }
        Ok(LogPage { records, next })
    }
}

fn record(partition: u32, message: &BorrowedMessage<'_>) -> LoggedRecord {
    let headers = message.headers().into_iter().flat_map(Headers::iter);
    let header =
        |header: rdkafka::message::Header<'_, &[u8]>| (header.key.to_owned(), text(header.value.unwrap_or_default()));
    LoggedRecord {
        partition,
        offset: offset(message.offset()),
        time_ms: message.timestamp().to_millis().map_or(0, offset),
        key: message.key().map(text),
        value: message.payload().map(text),
        headers: headers.map(header).collect(),
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Kafka's number of a partition.
pub(crate) fn id(partition: u32) -> i32 {
    i32::try_from(partition).unwrap_or(i32::MAX)
}

/// Kafka's offset; 0 where it names none.
pub(crate) fn offset(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
