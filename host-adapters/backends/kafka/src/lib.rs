//! The event log in Kafka, by librdkafka.
//!
//! - `client`: the producer, replaced when the certificates have changed; [`produce`]: records, each with its outcome.
//! - `fetch`: pages for sources; `group`: which partitions this host may read, and the offsets, with `membership`, which is
//!   shared with the thread that serves the group.
//! - `read`: pages for operators; `topics`: whether topics are there, making those that are missing.
//! - `tls`: what is wrong with certificates, in one sentence. librdkafka brings OpenSSL with it; all else of the host has
//!   the crypto provider of Rust's, as `tls` has.

mod client;
mod config;
mod error;
mod fetch;
mod group;
mod membership;
mod produce;
mod read;
mod tls;
mod topics;

pub use config::KafkaConfig;
pub use config::KafkaConfig as Config;

use client::{Client, LOOK};
use error::unavailable;
use fetch::Fetcher;
use group::{Member, number_of};
use host_adapters_platform::names::Names;
use host_adapters_platform::{
    Declared, EventLogBackend, LogEntry, LogPage, LogPartition, Position, Result, Shard, ShardPage, ShardReader,
};
use host_adapters_records::event_log::LogRecord;
use read::blocking;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tls::Material;

/// The topics of one cluster.
pub struct Kafka {
    config: KafkaConfig,
    names: Names,
    client: Client,
    /// By topic, with when the files of the certificates were last looked at.
    fetchers: Mutex<HashMap<String, (Arc<Fetcher>, Instant)>>,
    /// By topic and group.
    members: Mutex<HashMap<(String, String), Arc<Member>>>,
    /// Held while a member joins: a group has one of this host.
    joining: tokio::sync::Mutex<()>,
}

/// Most records of a page for a source.
const PAGE_RECORDS: usize = 1_000;

impl Kafka {
    /// The declared topics. It connects when the first record is produced.
    pub fn new(config: KafkaConfig, declared: &Declared) -> Self {
        let topics = declared.event_log.keys().cloned().collect();
        let names = Names::new("topic of the event log", config.prefix(), topics);
        let (fetchers, members, joining) = Default::default();
        Self { client: Client::new(config.clone()), config, names, fetchers, members, joining }
    }

    /// The fetcher of a topic, with the certificates as they are now. If they cannot be used, the one with those of before.
    async fn fetcher(&self, topic: &str) -> Result<Arc<Fetcher>> {
        let real = self.names.real(topic)?;
        let found = self.fetchers.lock().unwrap_or_else(PoisonError::into_inner).get(topic).cloned();
        let material = match &found {
            Some((fetcher, looked)) if looked.elapsed() < LOOK => return Ok(fetcher.clone()),
            Some((fetcher, _)) => Material::read(&self.config).unwrap_or_else(|_| fetcher.material.clone()),
            None => Material::read(&self.config).map_err(|fault| unavailable(fault.message))?,
        };
        let fetcher = match &found {
            Some((fetcher, _)) if fetcher.material == material => fetcher.clone(),
            _ => {
                let (config, named) = (self.config.clone(), topic.to_owned());
                Arc::new(blocking(move || Fetcher::new(&config, &named, real, material)).await?)
            }
        };
        let now = (fetcher.clone(), Instant::now());
        let before = self.fetchers.lock().unwrap_or_else(PoisonError::into_inner).insert(topic.to_owned(), now);
        // The last one to have it ends its client, which blocks.
        tokio::task::spawn_blocking(move || drop((before, found)));
        Ok(fetcher)
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

#[async_trait::async_trait]
impl ShardReader<LogEntry> for Kafka {
    async fn shards(&self, topic: &str) -> Result<Vec<Shard>> {
        let fetcher = self.fetcher(topic).await?;
        blocking(move || fetcher.shards()).await
    }

    async fn page(&self, topic: &str, shard: &str, from: &Position, limit: usize) -> Result<ShardPage<LogEntry>> {
        let (fetcher, number, from) = (self.fetcher(topic).await?, number_of(shard)?, from.clone());
        blocking(move || fetcher.page(number, &from, limit)).await
    }

    fn most_records(&self) -> usize {
        PAGE_RECORDS
    }

    async fn changed(&self, topic: &str, wait: Duration) {
        let fetcher = self.fetchers.lock().unwrap_or_else(PoisonError::into_inner).get(topic).cloned();
        match fetcher {
            Some((fetcher, _)) => drop(tokio::time::timeout(wait, fetcher.arrived.notified()).await),
            None => tokio::time::sleep(wait).await,
        }
    }
}
