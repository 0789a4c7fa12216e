//! The event log in Kafka, by librdkafka.
//!
//! - `client`: the producer, replaced when the certificates have changed; [`produce`]: records, each with its outcome.
//! - `read`: pages for operators; `topics`: whether topics are there, making those that are missing.
//! - `tls`: what is wrong with certificates, in one sentence. librdkafka brings OpenSSL with it; all else of the host has
//!   the crypto provider of Rust's, as `tls` has.

mod client;
mod config;
mod error;
mod produce;
mod read;
mod tls;
mod topics;

pub use config::KafkaConfig;
pub use config::KafkaConfig as Config;

use client::Client;
use host_adapters_platform::names::Names;
use host_adapters_platform::{Declared, EventLogBackend, LogPage, LogPartition, Result};
use host_adapters_records::event_log::LogRecord;

/// The topics of one cluster.
pub struct Kafka {
    config: KafkaConfig,
    names: Names,
    client: Client,
}

impl Kafka {
    /// The declared topics. It connects when the first record is produced.
    pub fn new(config: KafkaConfig, declared: &Declared) -> Self {
        let topics = declared.event_log.keys().cloned().collect();
        let names = Names::new("topic of the event log", config.prefix(), topics);
        Self { client: Client::new(config.clone()), config, names }
    }
}

#[async_trait::async_trait]
impl EventLogBackend for Kafka {
    async fn produce(&self, topic: &str, records: Vec<LogRecord>) -> Result<Vec<Result<()>>> {
        self.produce_all(topic, &records).await
    }

    async fn log_partitions(&self, topic: &str) -> Result<Vec<LogPartition>> {
        self.partitions(topic).await
    }

    async fn read_log(&self, topic: &str, partition: u32, from: Option<u64>, limit: usize) -> Result<LogPage> {
        self.page(topic, partition, from, limit).await
    }
}
