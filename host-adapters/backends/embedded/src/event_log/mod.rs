//! The event log with Kafka's rules: partitions by the hash of the key, offsets that begin with 0 and have no gaps, a
//! week's retention.

mod reader;
#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]
mod tests;
mod topic;

pub use reader::EventLogs;
pub(super) use topic::LogTopic;

use crate::Embedded;
use host_adapters_platform::event_log::check_record;
use host_adapters_platform::{EventLogBackend, LogPage, LogPartition, Result};
use host_adapters_records::event_log::LogRecord;
use rusqlite::Connection;

#[async_trait::async_trait]
impl EventLogBackend for Embedded {
    async fn produce(&self, topic: &str, records: Vec<LogRecord>) -> Result<Vec<Result<()>>> {
        let (topic, clock) = (self.names.log_topic(topic)?, self.clock.clone());
        let mut results: Vec<Result<()>> = records.iter().map(check_record).collect();
        let good = records.into_iter().zip(&results).filter_map(|(record, checked)| checked.is_ok().then_some(record));
        let good: Vec<LogRecord> = good.collect();
        if good.is_empty() {
            return Ok(results);
        }
        // One transaction: all of them, or none.
        let written = topic.clone();
        let append = move |conn: &Connection| topic.append(conn, &good, clock.now_ms());
        if let Err(error) = self.store.write(append, move |()| written.wake.now()).await {
            results.iter_mut().filter(|result| result.is_ok()).for_each(|result| *result = Err(error.clone()));
        }
        Ok(results)
    }

    async fn log_partitions(&self, topic: &str) -> Result<Vec<LogPartition>> {
        let topic = self.names.log_topic(topic)?;
        self.store.read(move |conn| topic.bounds(conn)).await
    }

    async fn read_log(&self, topic: &str, partition: u32, from: Option<u64>, limit: usize) -> Result<LogPage> {
        let topic = self.names.log_topic(topic)?;
        let partition = topic.partition(partition)?;
        self.store.read(move |conn| partition.page(conn, from, limit)).await
    }
}
