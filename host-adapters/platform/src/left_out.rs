//! Records that cannot be handed to a worker, or no longer can. None is left out silently.

use host_adapters_records::source_name;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// The metric's name.
pub const LEFT_OUT: &str = "registration_left_out_total";

/// Counts a record of `source` (`dynamodb-stream:demand-table`) that cannot be handed over, and says so in one line for
/// each reason. Its intake continues without it.
pub fn left_out(source: &str, reason: &'static str) {
    static SAID: Mutex<BTreeSet<(String, &'static str)>> = Mutex::new(BTreeSet::new());
    count(source.to_owned(), reason, 1);
    if SAID.lock().unwrap_or_else(PoisonError::into_inner).insert((source.to_owned(), reason)) {
        tracing::error!(source, reason, "records left out; further ones are only counted");
    }
}

/// Counts messages that the store dropped from a queue in one go because their retention has ended, and says so.
pub fn expired(queue: &str, messages: usize) {
    if messages > 0 {
        count(source_name::of_queue(queue), "retention ended", messages);
        tracing::warn!(queue, messages, "messages dropped: their retention has ended");
    }
}

/// The reason of records that a stream has dropped before all workers had them.
pub const TRIMMED: &str = "trimmed";

/// Counts records that a store has dropped from the stream of `source`, at the end of their retention, before all workers had
/// them, and says so.
pub fn trimmed(source: &str, records: usize) {
    if records > 0 {
        count(source.to_owned(), TRIMMED, records);
        tracing::warn!(source, records, "records dropped at the end of their retention, before all workers had them");
    }
}

fn count(source: String, reason: &'static str, records: usize) {
    metrics::counter!(LEFT_OUT, "source" => source, "reason" => reason).increment(records as u64);
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use metrics::{Counter, CounterFn, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// Adds all counters up.
    #[derive(Default)]
    struct Sum(Arc<Added>);

    #[derive(Default)]
    struct Added(AtomicU64);

    impl CounterFn for Added {
        fn increment(&self, value: u64) {
            self.0.fetch_add(value, Ordering::Relaxed);
        }
        fn absolute(&self, value: u64) {
            self.0.store(value, Ordering::Relaxed);
        }
    }

    impl Recorder for Sum {
        fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
            assert_eq!(key.name(), LEFT_OUT);
            Counter::from_arc(self.0.clone())
        }
        fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
            Gauge::noop()
        }
        fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
            Histogram::noop()
        }
    }

    #[test]
    fn what_expires_is_counted() {
        let sum = Sum::default();
        metrics::with_local_recorder(&sum, || {
            [0, 3, 4].into_iter().for_each(|messages| expired("q", messages));
            [0, 5].into_iter().for_each(|changes| trimmed("dynamodb-stream:t", changes));
        });
        assert_eq!(sum.0.0.load(Ordering::Relaxed), 12);
    }

    #[test]
    fn case_05_what_is_left_out_is_counted() {
        let sum = Sum::default();
        metrics::with_local_recorder(&sum, || {
            left_out("dynamodb-stream:t", "a change without keys");
            left_out("dynamodb-stream:t", "a change without keys");
            left_out("dynamodb-stream:t", "a record without a change");
        });
        assert_eq!(sum.0.0.load(Ordering::Relaxed), 3);
    }
}
