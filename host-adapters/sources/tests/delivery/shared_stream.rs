//! Several workers of a host on one stream: one reader a shard, and no worker waits for another (docs/delivery.md, 4).

use crate::model::{ModelWorker, Reply, World, ack_all, name, retry, trap};
use crate::rows;
use host_adapters_delivery::event::Event;
use host_adapters_platform::Checkpoint;
use host_adapters_records::{Error, ErrorKind};
use host_adapters_sources::SourceConfig;
use host_adapters_sources::dynamodb_stream::{DynamodbStreamConfig, StartingPosition};
use std::time::Duration;

fn plain() -> SourceConfig {
    SourceConfig::DynamodbStream(DynamodbStreamConfig::new("t"))
}

fn at(sequence: u64) -> Option<Checkpoint> {
    Some(Checkpoint::At(name(sequence)))
}

fn ids(worker: &ModelWorker) -> Vec<String> {
    worker.deliveries().into_iter().map(|(_, id, _)| id).collect()
}

/// Milliseconds at which a shard was read.
fn read_at(world: &World, shard: &str) -> Vec<u64> {
    world.streams.reads(shard).into_iter().map(|(at, _)| at).collect()
}

fn at_most_five_a_second(reads: &[u64]) -> bool {
    reads.windows(6).all(|six| six[5] - six[0] >= 1_000)
}

/// Three records every 100 ms for two minutes.
async fn trickle(world: &World) -> u64 {
    for round in 0..1_200 {
        #[allow(clippy::cast_precision_loss, reason = "small numbers")]
        world.at(round as f64 / 10.0).await;
        world.streams.put_range("s", round * 3..round * 3 + 3);
    }
    1_200 * 3
}

/// The longest time between the arrival of a record of [`trickle`] and its first delivery.
fn longest_wait_ms(worker: &ModelWorker) -> u64 {
    let waited = |(at, id, _): &(u64, String, u32)| at.saturating_sub(id.parse::<u64>().unwrap() / 3 * 100);
    worker.deliveries().iter().filter(|(_, _, attempt)| *attempt == 1).map(waited).max().unwrap()
}

rows! {
    d4_12__three_idle_workers_read_a_shard_as_often_as_one {
        let world = World::new(ack_all);
        world.streams.open("s", None);
        world.start(plain());
        for worker in ["second", "third"] {
            world.start_worker(worker, plain(), ack_all);
        }
        world.at(9.9).await;
        let reads = read_at(&world, "s");
        assert!((38..=41).contains(&reads.len()), "{reads:?}");
    }

    /// The second worker's service is down for a minute, so it falls behind the pages that the host keeps of the shard.
    /// The third has a record that traps.
    d4_12__reads_of_a_shard_are_five_a_second_at_most_for_any_number_of_workers {
        let world = World::new(ack_all);
        world.streams.open("s", None);
        world.start(plain());
        let began = tokio::time::Instant::now();
        let (stopped, _) = world.start_worker("second", plain(), move |batch: &[Event]| {
            match began.elapsed().as_secs() {
                10..70 => Reply::each(batch, |_| retry()).outage("service:entry"),
                _ => ack_all(batch),
            }
        });
        let (poisoned, _) = world.start_worker("third", plain(), |batch: &[Event]| {
            if batch.iter().any(|event| event.id == name(50)) { trap() } else { ack_all(batch) }
        });
        let records = trickle(&world).await;
        world.at(130.0).await;
        let reads = read_at(&world, "s");
        assert!(at_most_five_a_second(&reads), "{reads:?}");
        let all: Vec<String> = (0..records).map(name).collect();
        assert_eq!(ids(&world.worker), all, "the first keeps up, each record once");
        assert!(longest_wait_ms(&world.worker) <= 600, "{} ms", longest_wait_ms(&world.worker));
        let first_attempts = |worker: &ModelWorker| {
            let deliveries = worker.deliveries();
            let mut ids: Vec<String> = deliveries.into_iter().map(|(_, id, _)| id).collect();
            ids.sort();
            ids.dedup();
            ids
        };
        assert_eq!((first_attempts(&stopped), first_attempts(&poisoned)), (all.clone(), all));
        for worker in [crate::model::WORKER, "second", "third"] {
            assert_eq!(world.streams.position_of(worker, "s"), at(records - 1), "{worker}");
        }
        assert_eq!((world.queues.count("secondDlq"), world.queues.count("thirdDlq")), (0, 1));
    }

    d4_13__a_worker_that_is_stopped_holds_up_no_other {
        let world = World::new(ack_all);
        world.streams.open("s", None);
        let (stopped, running) = world.start_worker("second", plain(), |batch: &[Event]| {
            Reply::each(batch, |_| retry()).outage("service:entry")
        });
        let first = world.start(plain());
        let records = trickle(&world).await;
        world.at(122.0).await;
        assert!(longest_wait_ms(&world.worker) <= 600, "{} ms", longest_wait_ms(&world.worker));
        assert_eq!((world.streams.position("s"), world.streams.position_of("second", "s")), (at(records - 1), None));
        assert!(running.source.status().paused.is_some() && first.source.status().paused.is_none());
        stopped.answers(ack_all);
        world.at(200.0).await;
        assert_eq!(world.streams.position_of("second", "s"), at(records - 1));
        assert!(at_most_five_a_second(&read_at(&world, "s")));
    }

    /// It takes many reads to find the end of a shard of DynamoDB.
    d4_13__a_worker_that_begins_at_the_end_holds_up_no_other {
        let world = World::new(ack_all);
        world.streams.open("s", None);
        world.streams.latest_takes(Duration::from_secs(60));
        world.start(plain());
        let mut latest = DynamodbStreamConfig::new("t");
        latest.starting_position = StartingPosition::Latest;
        let (second, _) = world.start_worker("second", SourceConfig::DynamodbStream(latest), ack_all);
        let records = trickle(&world).await;
        world.at(122.0).await;
        assert!(longest_wait_ms(&world.worker) <= 600, "{} ms", longest_wait_ms(&world.worker));
        let later = ids(&second);
        assert!(!later.is_empty() && later.len() < ids(&world.worker).len(), "{later:?}");
        assert_eq!(world.streams.position_of("second", "s"), at(records - 1));
    }

    /// The second worker begins with a backlog that the first has behind it.
    d4_13__older_records_are_read_again_at_most_five_times_a_second {
        let world = World::new(ack_all);
        world.streams.open("s", None);
        world.streams.put_range("s", 0..20_000);
        world.start(plain());
        world.at(5.0).await;
        assert_eq!(world.streams.position("s"), at(19_999));
        let before = read_at(&world, "s").len();
        let (second, _) = world.start_worker("second", plain(), ack_all);
        world.at(15.0).await;
        assert_eq!(ids(&second).len(), 20_000);
        let reads = read_at(&world, "s").split_off(before);
        assert!(reads.len() >= 20 && at_most_five_a_second(&reads), "{reads:?}");
    }

    d4_13__each_worker_begins_at_its_own_checkpoint {
        let world = World::new(ack_all);
        world.streams.open("s", None);
        world.streams.put_range("s", 0..10);
        world.start(plain());
        world.at(5.0).await;
        let (second, running) = world.start_worker("second", plain(), ack_all);
        world.at(10.0).await;
        assert_eq!((ids(&second).len(), ids(&world.worker).len()), (10, 10));
        running.kill().await;
        world.streams.put_range("s", 10..15);
        world.at(12.0).await;
        let (second, _) = world.start_worker("second", plain(), ack_all);
        world.at(14.0).await;
        assert_eq!(ids(&second), (10..15).map(name).collect::<Vec<_>>());
    }

    d4_14__two_pages_of_a_backlog_are_read_ahead_and_no_more {
        let world = World::new(|batch| ack_all(batch).takes(100));
        world.streams.open("s", None);
        world.streams.put_range("s", 0..9_000);
        world.start(plain());
        world.at(50.0).await;
        // One page is with the worker, two wait for it, and two are read ahead.
        assert_eq!(read_at(&world, "s"), [0; 5]);
    }

    d4_14__a_backlog_is_read_at_once_by_all_workers_together {
        let world = World::new(ack_all);
        world.streams.open("s", None);
        world.streams.put_range("s", 0..9_000);
        world.start(plain());
        let (second, _) = world.start_worker("second", plain(), ack_all);
        world.at(1.0).await;
        assert_eq!((ids(&world.worker).len(), ids(&second).len()), (9_000, 9_000));
        let reads = world.streams.reads("s");
        let of_records = reads.iter().filter(|(at, _)| *at < 200).count();
        assert!(of_records <= 10, "each page once: {reads:?}");
    }

    d4_14__a_throttled_backlog_is_read_five_times_a_second_at_most {
        let world = World::new(ack_all);
        world.streams.open("s", None);
        world.streams.put_range("s", 0..9_000);
        world.streams.faults.plan("records", 1, Error::new(ErrorKind::Throttled, "slow down"));
        world.start(plain());
        world.at(30.0).await;
        let reads = read_at(&world, "s");
        assert!(at_most_five_a_second(&reads), "{reads:?}");
        assert_eq!(world.streams.position("s"), at(8_999));
    }
}
