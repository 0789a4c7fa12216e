//! The metrics of calls and sources, with their names in `/metrics`. docs/operations.md describes them.

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Registers the help text of every metric of delivery. Call it once, after the recorder is installed.
pub fn describe() {
    metrics::describe_counter!(RECEIVED, "Records handed to a worker, each delivery counted");
    metrics::describe_counter!(ACKED, "Records settled as done");
    metrics::describe_counter!(RETRIED, "Records to be delivered again");
    metrics::describe_counter!(REJECTED, "Records that can never succeed, by class of reason");
    metrics::describe_counter!(SKIPPED, "Records done without effect because they were overtaken, by class of reason");
    metrics::describe_counter!(FILTERED, "Records that a worker did not get because of its source's filter");
    metrics::describe_counter!(DEAD_LETTERED, "Records sent to a dead letter queue");
    metrics::describe_histogram!(BATCH_SIZE, "Records per call");
    metrics::describe_histogram!(
        CALL_SECONDS,
        metrics::Unit::Seconds,
        "Calls of workers, waits for an instance included"
    );
    metrics::describe_histogram!(
        RECORD_AGE,
        metrics::Unit::Seconds,
        "Age of records when they were done, skipped or rejected"
    );
    metrics::describe_gauge!(IN_FLIGHT, "Records with a worker now");
    metrics::describe_gauge!(PAUSED, "Open circuit breakers of the source: it waits for a dependency that is down");
    metrics::describe_counter!(
        host_adapters_platform::LEFT_OUT,
        "Records received that cannot be handed to any worker, by reason"
    );
    metrics::describe_gauge!(
        ITERATOR_AGE,
        metrics::Unit::Seconds,
        "Age of the oldest record that a stream has not settled, of all its shards"
    );
}

const RECEIVED: &str = "registration_received_total";
const ACKED: &str = "registration_acked_total";
const RETRIED: &str = "registration_retried_total";
const REJECTED: &str = "registration_rejected_total";
const SKIPPED: &str = "registration_skipped_total";
const FILTERED: &str = "registration_filtered_total";
const DEAD_LETTERED: &str = "registration_dead_lettered_total";
const BATCH_SIZE: &str = "registration_batch_size";
/// By worker, source (`http` for requests) and outcome.
const CALL_SECONDS: &str = "registration_call_seconds";
/// By worker and source.
pub const RECORD_AGE: &str = "registration_record_age_seconds";
const IN_FLIGHT: &str = "registration_in_flight";
const PAUSED: &str = "registration_paused";
const ITERATOR_AGE: &str = "registration_iterator_age_seconds";

/// The outcome of a call whose caller did not wait for it: an HTTP client that disconnected, or the deadline of a
/// drain.
const CANCELLED: &str = "cancelled";

/// Measures one call of a worker until it is dropped.
pub struct CallTimer<'a> {
    worker: &'a str,
    source: &'a str,
    began: Instant,
    outcome: &'static str,
}

impl<'a> CallTimer<'a> {
    /// A call begins now.
    pub fn new(worker: &'a str, source: &'a str) -> Self {
        Self { worker, source, began: Instant::now(), outcome: CANCELLED }
    }

    /// It has ended, with this outcome.
    pub fn end(mut self, outcome: &'static str) {
        self.outcome = outcome;
    }
}

impl Drop for CallTimer<'_> {
    fn drop(&mut self) {
        let (worker, source) = (self.worker.to_owned(), self.source.to_owned());
        let seconds = histogram!(CALL_SECONDS, "worker" => worker, "source" => source, "outcome" => self.outcome);
        seconds.record(self.began.elapsed());
    }
}

/// The most classes of reasons of one source that have their own series. Workers write reasons freely, and every series
/// stays in memory.
const MAX_CLASSES: usize = 64;
/// The class of all further reasons.
const OTHER: &str = "other";

/// The metrics of one source of one worker.
#[derive(Clone)]
pub struct Meter {
    worker: String,
    source: String,
    classes: Arc<Mutex<BTreeSet<String>>>,
    /// Records handed to the worker.
    pub received: Counter,
    /// Records done.
    pub acked: Counter,
    /// Records to be delivered again.
    pub retried: Counter,
    /// Records stored as dead letters.
    pub dead_lettered: Counter,
    /// Records per call.
    pub batch_size: Histogram,
    /// Age of each record when it was done, skipped or rejected, seconds.
    pub record_age: Histogram,
    /// Records with the worker now.
    pub in_flight: Gauge,
    /// Whether the source is paused.
    pub paused: Gauge,
    /// How far the shards of a stream are behind.
    pub ages: Ages,
}

impl Meter {
    /// Labelled with the worker and the source (`sqs:saveEntriesQueue`).
    pub fn new(worker: &str, source: &str) -> Self {
        let labels = [("worker", worker.to_owned()), ("source", source.to_owned())];
        Self {
            worker: worker.to_owned(),
            source: source.to_owned(),
            classes: Arc::default(),
            received: counter!(RECEIVED, &labels),
            acked: counter!(ACKED, &labels),
            retried: counter!(RETRIED, &labels),
            dead_lettered: counter!(DEAD_LETTERED, &labels),
            batch_size: histogram!(BATCH_SIZE, &labels),
            record_age: histogram!(RECORD_AGE, &labels),
            in_flight: gauge!(IN_FLIGHT, &labels),
            paused: gauge!(PAUSED, &labels),
            ages: Ages { most: gauge!(ITERATOR_AGE, &labels), by_shard: Arc::default() },
        }
    }

    /// Counts a record that can never succeed.
    pub fn rejected(&self, reason: &str) {
        self.count(REJECTED, reason);
    }

    /// Counts a skipped record, which a newer one supersedes.
    pub fn skipped(&self, reason: &str) {
        self.count(SKIPPED, reason);
    }

    /// Counts records that the source's filter does not match.
    pub fn filtered(&self, records: usize) {
        let (worker, source) = (self.worker.clone(), self.source.clone());
        counter!(FILTERED, "worker" => worker, "source" => source).increment(records as u64);
    }

    fn count(&self, name: &'static str, reason: &str) {
        let (worker, source) = (self.worker.clone(), self.source.clone());
        counter!(name, "worker" => worker, "source" => source, "reason" => self.class(reason)).increment(1);
    }

    fn class(&self, reason: &str) -> String {
        let class = class(reason);
        let mut classes = self.classes.lock().unwrap_or_else(PoisonError::into_inner);
        if classes.contains(&class) {
            return class;
        }
        if classes.len() >= MAX_CLASSES {
            return OTHER.to_owned();
        }
        classes.insert(class.clone());
        class
    }
}

/// The age of the oldest record of each shard that is not settled. The metric is the greatest of them.
#[derive(Clone)]
pub struct Ages {
    most: Gauge,
    by_shard: Arc<Mutex<BTreeMap<String, Duration>>>,
}

impl Ages {
    /// Sets the age of a shard; zero if all of it is settled.
    pub fn set(&self, shard: &str, age: Duration) {
        self.change(|ages| {
            ages.insert(shard.to_owned(), age);
        });
    }

    /// Forgets a shard that is no longer read.
    pub fn forget(&self, shard: &str) {
        self.change(|ages| {
            ages.remove(shard);
        });
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<String, Duration>)) {
        let mut ages = self.by_shard.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut ages);
        self.most.set(ages.values().max().copied().unwrap_or_default().as_secs_f64());
    }
}

/// The part of a reason that is the same for many records: the text before the first colon, without digits, so that ids
/// and values in reasons do not create separate series.
fn class(reason: &str) -> String {
    let head = reason.split(':').next().unwrap_or_default();
    let class: String = head.chars().filter(|c| !c.is_ascii_digit()).take(48).collect();
    if class.trim().is_empty() { "unnamed".to_owned() } else { class.trim().to_owned() }
}

#[cfg(test)]
mod tests {
    use super::{MAX_CLASSES, Meter, OTHER, class};

    #[test]
    fn a_worker_cannot_make_unlimited_series() {
        let meter = Meter::new("worker", "sqs:queue");
        let dead_letters = |n: usize| char::from_u32(0x4e00 + n as u32).map(String::from).unwrap_or_default();
        for n in 0..MAX_CLASSES {
            assert_eq!(meter.class(&dead_letters(n)), dead_letters(n));
        }
        assert_eq!(meter.class(&dead_letters(MAX_CLASSES)), OTHER);
        assert_eq!(meter.clone().class(&dead_letters(0)), dead_letters(0));
    }

    #[test]
    fn a_reason_is_counted_by_its_class() {
        for (reason, expected) in [
            ("stale: item is newer than 2024-01-15", "stale"),
            ("INVALID_ENTRY", "INVALID_ENTRY"),
            ("no globalUserId in record 17", "no globalUserId in record"),
            ("", "unnamed"),
            ("12345", "unnamed"),
        ] {
            assert_eq!(class(reason), expected, "{reason}");
        }
    }
}
