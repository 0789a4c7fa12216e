//! When a batch is handed over: size, bytes, window (docs/delivery.md, 1).

use crate::model::{World, ack_all};
use crate::rows;
use host_adapters_sources::SourceConfig;
use host_adapters_sources::dynamodb_stream::{DynamodbStreamConfig, StartingPosition};
use host_adapters_sources::sqs::SqsConfig;

/// Limits, arrivals, and the calls that must follow. Times are seconds since the beginning.
struct Gathering {
    size: usize,
    window: u32,
    bytes: usize,
    /// How long a call takes, seconds.
    call: u64,
    /// Arrivals: time, number of records, bytes of each.
    arrivals: &'static [(f64, usize, usize)],
    /// Calls: time, number of records.
    calls: &'static [(f64, usize)],
    until: f64,
}

const SIX_MIB: usize = 6 * 1024 * 1024;
const PLAIN: Gathering =
    Gathering { size: 10, window: 0, bytes: SIX_MIB, call: 0, arrivals: &[], calls: &[], until: 60.0 };

impl Gathering {
    async fn check(self) {
        let call = self.call;
        let world = World::new(move |batch| ack_all(batch).takes(call));
        let config = SqsConfig {
            batch_size: self.size,
            batch_window_secs: self.window,
            max_batch_bytes: self.bytes,
            max_concurrency: 1,
            ..SqsConfig::new("q")
        };
        world.start(SourceConfig::Sqs(config));
        for (at, count, bytes) in self.arrivals {
            world.at(*at).await;
            world.queues.put("q", (0..*count).map(|_| json_of(*bytes)));
        }
        world.at(self.until).await;
        assert_eq!(world.worker.sizes(), in_ms(self.calls));
        assert_eq!(world.queues.count("q"), 0, "all messages are deleted");
    }
}

/// JSON text of this many bytes.
fn json_of(bytes: usize) -> String {
    format!("\"{}\"", "x".repeat(bytes.saturating_sub(2)))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small positive numbers")]
fn in_ms(calls: &[(f64, usize)]) -> Vec<(u64, usize)> {
    calls.iter().map(|(at, count)| ((at * 1000.0).round() as u64, *count)).collect()
}

rows! {
    d1_1__ten_records_by_default {
        let config = SqsConfig::new("q");
        assert_eq!((config.batch_size, config.batch_window_secs, config.max_batch_bytes), (10, 0, SIX_MIB));
        Gathering { arrivals: &[(1.0, 25, 10)], calls: &[(1.0, 10), (1.0, 10), (1.0, 5)], ..PLAIN }.check().await;
    }

    d1_1__one_record_a_call {
        Gathering { size: 1, arrivals: &[(1.0, 2, 10)], calls: &[(1.0, 1), (1.0, 1)], ..PLAIN }.check().await;
    }

    d1_1__ten_thousand_with_a_window {
        Gathering { size: 10_000, window: 1, arrivals: &[(1.0, 10_000, 10)], calls: &[(1.0, 10_000)], ..PLAIN }
            .check()
            .await;
    }

    d1_1__twenty_five_thousand_in_one_call {
        Gathering { size: 25_000, window: 300, arrivals: &[(1.0, 25_000, 200)], calls: &[(1.0, 25_000)], ..PLAIN }
            .check()
            .await;
    }

    d1_2__without_a_window_nothing_waits {
        Gathering { arrivals: &[(1.0, 1, 10), (1.5, 2, 10)], calls: &[(1.0, 1), (1.5, 2)], ..PLAIN }.check().await;
    }

    d1_2__the_longest_window {
        Gathering { window: 300, arrivals: &[(1.0, 1, 10)], calls: &[(301.0, 1)], until: 400.0, ..PLAIN }.check().await;
    }

    d1_3__size_first {
        let arrivals = &[(1.0, 4, 10), (2.0, 6, 10)];
        Gathering { window: 20, arrivals, calls: &[(2.0, 10)], ..PLAIN }.check().await;
    }

    d1_3__window_first {
        let arrivals = &[(1.0, 1, 10), (3.0, 1, 10), (5.9, 1, 10)];
        Gathering { window: 5, arrivals, calls: &[(6.0, 3)], ..PLAIN }.check().await;
    }

    d1_4__window_begins_with_the_first_record {
        Gathering { window: 5, arrivals: &[(37.0, 1, 10)], calls: &[(42.0, 1)], ..PLAIN }.check().await;
    }

    d1_3__bytes_first {
        let arrivals = &[(1.0, 2, 400), (2.0, 1, 400)];
        Gathering { bytes: 1000, window: 20, arrivals, calls: &[(2.0, 2), (22.0, 1)], ..PLAIN }.check().await;
    }

    d1_3__bytes_exactly_met {
        let arrivals = &[(1.0, 1, 500), (2.0, 1, 500)];
        Gathering { bytes: 1000, window: 20, arrivals, calls: &[(2.0, 2)], ..PLAIN }.check().await;
    }

    d1_3__one_byte_short_of_the_limit_waits {
        let arrivals = &[(1.0, 1, 500), (2.0, 1, 499)];
        Gathering { bytes: 1000, window: 20, arrivals, calls: &[(21.0, 2)], ..PLAIN }.check().await;
    }

    d1_3__six_mib_by_default {
        let arrivals = &[(1.0, 25, 256 * 1024)];
        Gathering { size: 100, window: 9, arrivals, calls: &[(1.0, 24), (10.0, 1)], ..PLAIN }.check().await;
    }

    d1_3__a_record_larger_than_the_limit_goes_alone {
        let arrivals = &[(1.0, 1, 10), (2.0, 1, 5000), (3.0, 1, 10)];
        let calls = &[(2.0, 1), (2.0, 1), (23.0, 1)];
        Gathering { bytes: 1000, window: 20, arrivals, calls, ..PLAIN }.check().await;
    }

    d1_4__next_window_begins_when_the_call_has_ended {
        let arrivals = &[(1.0, 3, 400)];
        Gathering { bytes: 1000, window: 5, call: 10, arrivals, calls: &[(1.0, 2), (16.0, 1)], ..PLAIN }.check().await;
    }

    d1_5__a_hundred_by_default {
        let config = DynamodbStreamConfig::new("t");
        assert_eq!((config.batch_size, config.batch_window_secs, config.parallelization_factor), (100, 0, 1));
        assert_eq!(config.starting_position, StartingPosition::TrimHorizon);
        stream(config, &[(0.0, 0..250)], &[(0.0, 100), (0.0, 100), (0.0, 50)]).await;
    }

    d1_5__ten_thousand_with_a_window {
        let config = DynamodbStreamConfig { batch_size: 10_000, batch_window_secs: 5, ..DynamodbStreamConfig::new("t") };
        stream(config, &[(1.0, 0..12_000)], &[(1.0, 10_000), (6.0, 2_000)]).await;
    }

    d1_5__window_first {
        let config = DynamodbStreamConfig { batch_window_secs: 5, ..DynamodbStreamConfig::new("t") };
        stream(config, &[(1.0, 0..3), (4.0, 3..5)], &[(6.0, 5)]).await;
    }

    d1_5__the_longest_window {
        let config = DynamodbStreamConfig { batch_window_secs: 300, ..DynamodbStreamConfig::new("t") };
        stream(config, &[(1.0, 0..3)], &[(301.0, 3)]).await;
    }

    d1_5__size_before_window {
        let config = DynamodbStreamConfig { batch_size: 4, batch_window_secs: 50, ..DynamodbStreamConfig::new("t") };
        stream(config, &[(1.0, 0..3), (2.0, 3..4)], &[(2.0, 4)]).await;
    }

    d1_5__bytes_before_window {
        let config =
            DynamodbStreamConfig { max_batch_bytes: 1, batch_window_secs: 50, ..DynamodbStreamConfig::new("t") };
        stream(config, &[(1.0, 0..3)], &[(1.0, 1), (1.0, 1), (1.0, 1)]).await;
    }
}

/// The same for a stream: when records arrive, and the calls that must follow.
async fn stream(config: DynamodbStreamConfig, arrivals: &[(f64, std::ops::Range<u64>)], calls: &[(f64, usize)]) {
    let world = World::new(ack_all);
    world.streams.open("s", None);
    world.start(SourceConfig::DynamodbStream(config));
    for (at, sequences) in arrivals {
        world.at(*at).await;
        world.streams.put_range("s", sequences.clone());
    }
    world.at(400.0).await;
    assert_eq!(world.worker.sizes(), in_ms(calls));
}
