//! Settings of the sources of a schedule, drawn from what `spin.toml` allows and what is likely to matter.

use host_adapters_delivery::OnReject;
use host_adapters_sources::dynamodb_stream::DynamodbStreamConfig;
use host_adapters_sources::sqs::SqsConfig;
use rand::RngExt;
use rand::rngs::StdRng;

/// Names of the queue, its dead letter queue and the table (or data stream).
pub const QUEUE: &str = "q";
pub const QUEUE_DLQ: &str = "qDlq";
pub const TABLE: &str = "t";

/// The shard that the first two become if they are merged.
const MERGED: &str = "merged";

/// The queue of a schedule.
#[derive(Clone, Debug)]
pub struct Queue {
    pub config: SqsConfig,
    /// The receives after which the queue's own redrive moves a message.
    pub max_receive_count: u32,
}

/// Workers that may read the stream; the first also has the queue.
pub const WORKERS: [&str; 3] = [crate::model::WORKER, "second", "third"];

/// The stream of a schedule: one or two shards at the beginning, each of which may be split once, or both merged.
#[derive(Clone, Debug)]
pub struct Streams {
    /// How each worker reads it.
    pub configs: Vec<DynamodbStreamConfig>,
    /// Whether it is a data stream, whose records are bytes, instead of the changes of a table.
    pub bytes: bool,
    /// When the first shards are merged, if they are, milliseconds.
    pub merged_ms: Option<u64>,
    /// For each of the first shards: when it is split and into how many, if it is.
    pub roots: Vec<Option<(u64, u64)>>,
}

impl Streams {
    /// The shard that a change of item `key` is in.
    pub fn shard_of(&self, key: u64, at_ms: u64) -> String {
        let roots = self.roots.len() as u64;
        let root = key % roots;
        if self.merged_ms.is_some_and(|merged_ms| at_ms >= merged_ms) {
            return MERGED.to_owned();
        }
        match self.roots[usize::try_from(root).unwrap()] {
            Some((split_ms, children)) if at_ms >= split_ms => format!("s{root}.{}", key / roots % children),
            _ => format!("s{root}"),
        }
    }

    /// Whether some of the records are packed into others. What is packed has one age, that of the last; the oracle knows
    /// each record's own.
    pub fn packs(&self) -> bool {
        self.bytes && self.configs.iter().all(|config| config.maximum_record_age_secs < 0)
    }

    /// All reshardings: when, which shards end, and which begin.
    pub fn reshardings(&self) -> Vec<(u64, Vec<String>, Vec<String>)> {
        let split = |(root, split): (usize, &Option<(u64, u64)>)| {
            let (at, children) = (*split)?;
            Some((at, vec![format!("s{root}")], (0..children).map(|child| format!("s{root}.{child}")).collect()))
        };
        let merged = self.merged_ms.map(|at| (at, self.root_shards(), vec![MERGED.to_owned()]));
        self.roots.iter().enumerate().filter_map(split).chain(merged).collect()
    }

    /// The shards at the beginning.
    pub fn root_shards(&self) -> Vec<String> {
        (0..self.roots.len()).map(|root| format!("s{root}")).collect()
    }

    /// The shards that a shard came from.
    pub fn parents_of(&self, shard: &str) -> Vec<String> {
        match shard.split_once('.') {
            Some((parent, _)) => vec![parent.to_owned()],
            None if shard == MERGED => self.root_shards(),
            None => Vec::new(),
        }
    }

    /// The same, in part of the schedules with more workers, with bytes, or merged.
    pub fn shared(mut self, random: &mut StdRng) -> Self {
        for _ in 1..one_of(random, &[1, 1, 2, 3]) {
            self.configs.push(stream_config(random));
        }
        self.bytes = random.random_bool(0.3);
        let unsplit = self.roots.len() > 1 && self.roots.iter().all(Option::is_none);
        self.merged_ms = (unsplit && random.random_bool(0.5)).then(|| random.random_range(0..150_000));
        self
    }
}

pub fn queue(random: &mut StdRng) -> Queue {
    let batch_size = one_of(random, &[1, 2, 5, 10, 10, 25]);
    let window = one_of(random, &[0, 0, 1, 20]);
    let max_attempts = random.random_range(1..6);
    let config = SqsConfig {
        batch_size,
        batch_window_secs: if batch_size > 10 { window.max(1) } else { window },
        max_batch_bytes: one_of(random, &[6 << 20, 6 << 20, 30]),
        visibility_timeout_secs: one_of(random, &[5, 10, 30, 60]),
        max_concurrency: random.random_range(1..5),
        max_attempts,
        on_reject: on_reject(random),
        ..SqsConfig::new(QUEUE)
    };
    let max_receive_count = one_of(random, &[max_attempts, 100, max_attempts + 1, max_attempts + 3, 1, 2]);
    Queue { config, max_receive_count }
}

pub fn streams(random: &mut StdRng) -> Streams {
    let configs = vec![stream_config(random)];
    let mut split = || random.random_bool(0.3).then(|| (random.random_range(0..150_000), random.random_range(1..3)));
    let roots = [split(), split()];
    let count = random.random_range(1..=roots.len());
    Streams { configs, bytes: false, merged_ms: None, roots: roots.into_iter().take(count).collect() }
}

fn stream_config(random: &mut StdRng) -> DynamodbStreamConfig {
    let retries = one_of(random, &[-1, 0, 0, 1, 2, 3, 5]);
    let age = one_of(random, &[-1, -1, -1, 60, 300]);
    DynamodbStreamConfig {
        batch_size: one_of(random, &[1, 2, 3, 7, 16, 64, 100]),
        batch_window_secs: one_of(random, &[0, 0, 1, 20]),
        max_batch_bytes: one_of(random, &[6 << 20, 6 << 20, 200]),
        parallelization_factor: one_of(random, &[1, 1, 2, 3, 10]),
        maximum_retry_attempts: retries,
        // Without a limit of retries, a poison record blocks its shard until it is too old.
        maximum_record_age_secs: if retries < 0 { age.max(60) } else { age },
        bisect: random.random_bool(0.8),
        on_reject: on_reject(random),
        ..DynamodbStreamConfig::new(TABLE)
    }
}

fn on_reject(random: &mut StdRng) -> OnReject {
    one_of(random, &[OnReject::Drop, OnReject::DeadLetter])
}

fn one_of<T: Copy>(random: &mut StdRng, choices: &[T]) -> T {
    choices[random.random_range(0..choices.len())]
}
