//! What the embedded backend holds: its tables, queues and collections by name.

use host_adapters_platform::Declared;
use std::collections::{BTreeMap, BTreeSet};

/// Everything that exists; any other name is answered `not-found`.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Tables by name.
    pub tables: BTreeMap<String, TableConfig>,
    /// Queues by name. A dead-letter queue that is named here only by its source is made with the defaults.
    pub queues: BTreeMap<String, QueueConfig>,
    /// Collections of documents.
    pub collections: BTreeSet<String>,
}

/// One table.
#[derive(Clone, Debug, Default)]
pub struct TableConfig {
    /// Whether changes are recorded in a stream.
    pub stream: bool,
    /// The workers that read the stream. What all of them have settled is dropped; with none named, records are kept
    /// for their 24 hours.
    pub consumers: BTreeSet<String>,
}

/// One queue.
#[derive(Clone, Debug)]
pub struct QueueConfig {
    /// How often a message may be received before the next receive moves it to the dead-letter queue.
    pub max_receive_count: u32,
    /// Where such messages go; without it a message is received until its retention ends.
    pub dead_letter_queue: Option<String>,
    /// How long a message is kept, counted from when it was first sent.
    pub retention_secs: u32,
}

impl QueueConfig {
    /// SQS's default retention, 4 days.
    pub const DEFAULT_RETENTION_SECS: u32 = 4 * 24 * 3600;
    /// SQS's longest retention, 14 days: what dead letters get, whose age counts from their first queue.
    pub const DEAD_LETTER_RETENTION_SECS: u32 = 14 * 24 * 3600;

    /// A queue that only takes dead letters.
    pub fn dead_letters() -> Self {
        Self { retention_secs: Self::DEAD_LETTER_RETENTION_SECS, ..Self::default() }
    }
}

impl Default for QueueConfig {
    fn default() -> Self {
        Self { max_receive_count: 3, dead_letter_queue: None, retention_secs: Self::DEFAULT_RETENTION_SECS }
    }
}

impl From<&Declared> for Config {
    fn from(declared: &Declared) -> Self {
        let table = |table: &host_adapters_platform::TableSpec| TableConfig {
            stream: table.stream,
            consumers: table.consumers.clone(),
        };
        let queue = |queue: &host_adapters_platform::QueueSpec| QueueConfig {
            max_receive_count: queue.max_receive_count,
            dead_letter_queue: queue.dead_letter_queue.clone(),
            // The manifest allows 14 days at most.
            retention_secs: u32::try_from(queue.retention.as_secs()).unwrap_or(u32::MAX),
        };
        Self {
            tables: declared.tables.iter().map(|(name, it)| (name.clone(), table(it))).collect(),
            queues: declared.queues.iter().map(|(name, it)| (name.clone(), queue(it))).collect(),
            collections: declared.collections.clone(),
        }
    }
}
