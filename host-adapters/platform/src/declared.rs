//! What an application declares in spin.toml and its backends must have.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Tables, queues and collections by name.
#[derive(Clone, Debug, Default)]
pub struct Declared {
    /// Tables.
    pub tables: BTreeMap<String, TableSpec>,
    /// Queues, dead-letter queues included.
    pub queues: BTreeMap<String, QueueSpec>,
    /// Collections of documents.
    pub collections: BTreeSet<String>,
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

/// One queue.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct QueueSpec {
    /// How long a received message stays invisible unless its source says otherwise.
    pub visibility_timeout: Duration,
    /// How often a message may be received before the queue itself moves it to the dead-letter queue.
    pub max_receive_count: u32,
    /// Where such messages go.
    pub dead_letter_queue: Option<String>,
    /// How long a message is kept.
    pub retention: Duration,
}

impl QueueSpec {
    /// A queue that only takes dead letters: SQS's longest retention, 14 days, for their age counts from their first
    /// queue.
    pub fn dead_letters() -> Self {
        Self { retention: Duration::from_secs(14 * 24 * 3600), ..Self::default() }
    }
}

/// SQS's own defaults, and three receives.
impl Default for QueueSpec {
    fn default() -> Self {
        Self {
            visibility_timeout: Duration::from_secs(30),
            max_receive_count: 3,
            dead_letter_queue: None,
            retention: Duration::from_secs(4 * 24 * 3600),
        }
    }
}
