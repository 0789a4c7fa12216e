//! Reads the event log from Kafka with a consumer of the demo's own and certificates of both sides, as other systems do.

use super::due::Kind;
use super::read::{DEDUP_ID, Logged};
use anyhow::{Context, Result, bail};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long Kafka may take for an answer, and between two records.
const WAIT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(250);

/// The topics of a run.
#[derive(Clone)]
pub struct Kafka {
    consumer: Arc<BaseConsumer>,
    prefix: String,
}

/// The first offset of each partition, and the one behind its last record, by topic and number.
type Bounds = BTreeMap<(String, i32), (i64, i64)>;

impl Kafka {
    /// The topics whose names begin with a prefix. The folder has the certificates (`tests/servers/src/certificates.rs`).
    pub fn connect(brokers: &str, certificates: &Path, prefix: String) -> Result<Self> {
        let file = |name: &str| certificates.join(name).display().to_string();
        let mut client = ClientConfig::new();
        client
            .set("bootstrap.servers", brokers)
            .set("security.protocol", "ssl")
            .set("ssl.ca.location", file("ca.pem"))
            .set("ssl.certificate.location", file("client.pem"))
            .set("ssl.key.location", file("client.key"))
            // It joins no group, and librdkafka wants a name.
            .set("group.id", "demo")
            .set("enable.auto.commit", "false");
        let consumer: BaseConsumer = client.create().context("making a consumer of Kafka")?;
        Ok(Self { consumer: Arc::new(consumer), prefix })
    }

    /// How many records all topics have.
    pub async fn count(&self) -> Result<usize> {
        self.blocking(|log| {
            let records: i64 = log.bounds()?.values().map(|(first, end)| end - first).sum();
            Ok(usize::try_from(records)?)
        })
        .await
    }

    /// All records of all topics.
    pub async fn records(&self) -> Result<Vec<Logged>> {
        self.blocking(Self::read).await
    }

    async fn blocking<T: Send + 'static>(&self, read: impl FnOnce(&Self) -> Result<T> + Send + 'static) -> Result<T> {
        let log = self.clone();
        tokio::task::spawn_blocking(move || read(&log)).await?
    }

    fn bounds(&self) -> Result<Bounds> {
        let mut bounds = Bounds::new();
        for kind in Kind::ALL {
            let topic = format!("{}{}", self.prefix, kind.topic());
            let place = || format!("reading the offsets of {topic}");
            let metadata = self.consumer.fetch_metadata(Some(&topic), WAIT).with_context(place)?;
            let found = metadata.topics().first().with_context(place)?;
            for partition in found.partitions() {
                let offsets = self.consumer.fetch_watermarks(&topic, partition.id(), WAIT).with_context(place)?;
                bounds.insert((topic.clone(), partition.id()), offsets);
            }
        }
        Ok(bounds)
    }

    fn read(&self) -> Result<Vec<Logged>> {
        let mut unread = self.bounds()?;
        unread.retain(|_, (first, end)| first < end);
        let mut all = TopicPartitionList::new();
        for ((topic, partition), (first, _)) in &unread {
            all.add_partition_offset(topic, *partition, Offset::Offset(*first))?;
        }
        self.consumer.assign(&all)?;
        let (mut records, mut last) = (Vec::new(), Instant::now());
        while !unread.is_empty() {
            let message = match self.consumer.poll(POLL) {
                Some(Ok(message)) => message,
                Some(Err(error)) if last.elapsed() > WAIT => return Err(error).context("reading the event log"),
                None if last.elapsed() > WAIT => bail!("Kafka has sent no record for {} s", WAIT.as_secs()),
                // librdkafka goes on to try.
                Some(Err(_)) | None => continue,
            };
            let place = (message.topic().to_owned(), message.partition());
            if unread.get(&place).is_some_and(|(_, end)| message.offset() + 1 >= *end) {
                unread.remove(&place);
            }
            records.push(self.logged(&message));
            last = Instant::now();
        }
        self.consumer.unassign()?;
        Ok(records)
    }

    fn logged(&self, message: &BorrowedMessage<'_>) -> Logged {
        let text = |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
        let dedup_id = message.headers().and_then(|headers| headers.iter().find(|header| header.key == DEDUP_ID));
        let topic = message.topic();
        Logged {
            topic: topic.strip_prefix(self.prefix.as_str()).unwrap_or(topic).to_owned(),
            key: text(message.key()),
            value: text(message.payload()),
            dedup_id: dedup_id.map(|header| text(header.value)),
            time_ms: message.timestamp().to_millis().unwrap_or_default(),
        }
    }
}
