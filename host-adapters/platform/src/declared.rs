//! What an application declares in spin.toml and its backends must have.

use crate::objects::Notification;
use host_adapters_settings::settings;
use std::collections::{BTreeMap, BTreeSet};

/// Tables, queues, collections, buckets, data streams and services by name, and the workers that do tasks.
#[derive(Clone, Debug, Default)]
pub struct Declared {
    /// Tables.
    pub tables: BTreeMap<String, TableSpec>,
    /// Queues, dead-letter queues included.
    pub queues: BTreeMap<String, QueueSpec>,
    /// Collections of documents.
    pub collections: BTreeSet<String>,
    /// Buckets of objects.
    pub buckets: BTreeSet<String>,
    /// Data streams.
    pub data_streams: BTreeMap<String, DataStreamSpec>,
    /// Which queues are notified of which objects.
    pub notifications: Vec<Notification>,
    /// Services.
    pub services: BTreeSet<String>,
    /// Ids of the workers that have a source of tasks.
    pub tasks: BTreeSet<String>,
}

/// Whose tokens are accepted.
#[derive(Clone, Debug)]
pub struct IdentityConfig {
    /// What `iss` must be.
    pub issuer: String,
    /// What `aud` must be or hold.
    pub audience: String,
    /// Where the issuer's keys are: a file, or an `https://` address (`http://` on this machine only).
    pub jwks: String,
}

/// One table.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct TableSpec {
    /// Whether its changes can be read as a stream.
    pub stream: bool,
    /// The workers that read the stream.
    pub consumers: BTreeSet<String>,
}

settings! {
    /// A queue.
    pub struct QueueSpec {
        /// How long a received message stays invisible, in seconds, unless its source says otherwise.
        pub visibility_timeout_secs: u32 = 30, 1..=43_200;
        /// How often a message may be received before the queue itself moves it to the dead-letter queue. Drains and
        /// outages use receives up, so it is far above a source's `max_attempts`, and never below.
        pub max_receive_count: u32 = 100, 1..=1_000;
        /// Where such messages go. It exists when it is named; describe it only to have it otherwise.
        pub dead_letter_queue: Option<String> = None, ();
        /// How long a message is kept, in seconds; 14 days in a dead-letter queue that is not described.
        pub retention_secs: u32 = 4 * DAY_SECS, 60..=14 * i64::from(DAY_SECS);
    }
}

settings! {
    /// A data stream.
    pub struct DataStreamSpec {
        /// How many shards it has: how many readers can be at work on it. What is read of one shard is in order. `provision`
        /// makes a stream with so many; those of an embedded one are split or merged when the number has changed.
        pub shards: u32 = 1, 1..=1_000;
    }
}

/// A day.
const DAY_SECS: u32 = 24 * 3600;

impl QueueSpec {
    /// A queue that only takes dead letters: SQS's longest retention, 14 days, for their age counts from their first
    /// queue.
    pub fn dead_letters() -> Self {
        Self { retention_secs: 14 * DAY_SECS, ..Self::default() }
    }
}
