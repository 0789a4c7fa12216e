//! Lines that apply only to data streams (docs/delivery.md, 4): packed records, and beginning at a time. The rest they
//! share with the changes of tables.

use crate::model::{EPOCH_MS, Reply, Running, World, ack_all, name, retry, trap};
use crate::rows;
use host_adapters_delivery::event::{Disposition, Event, Payload};
use host_adapters_platform::{Checkpoint, Position};
use host_adapters_sources::SourceConfig;
use host_adapters_sources::kinesis::{KinesisConfig, StartingPosition, Timestamp};
use std::collections::BTreeMap;

fn start(world: &World, config: KinesisConfig) -> Running {
    world.start(SourceConfig::Kinesis(config))
}

fn plain() -> KinesisConfig {
    KinesisConfig::new("s")
}

/// Begins this many seconds after the world.
fn from(secs: u64) -> KinesisConfig {
    let starting_position_timestamp = Timestamp(Some(EPOCH_MS + secs * 1_000));
    KinesisConfig { starting_position: StartingPosition::AtTimestamp, starting_position_timestamp, ..plain() }
}

fn at(sequence: u64) -> Option<Checkpoint> {
    Some(Checkpoint::At(name(sequence)))
}

fn delivered(world: &World) -> Vec<String> {
    world.worker.deliveries().into_iter().map(|(_, id, _)| id).collect()
}

fn names(sequences: std::ops::Range<u64>) -> Vec<String> {
    sequences.map(name).collect()
}

/// A world with the records 1 to 3 packed into one, and 4 alone.
fn three_in_one(reply: impl FnMut(&[Event]) -> Reply + Send + 'static) -> World {
    let world = World::new(reply);
    world.streams.packs();
    world.streams.open("s", None);
    world.streams.put_range("s", 1..5);
    world
}

fn parts(parts: &[u64]) -> Vec<String> {
    parts.iter().map(|part| format!("{}#{part}", name(3))).collect()
}

rows! {
    /// The shards `left` and `right` are split from one and merged again.
    d4_15__records_of_a_partition_key_are_read_in_order_through_a_split_and_a_merge {
        let world = World::new(|batch| {
            if batch.iter().any(|event| event.id == name(32)) { trap() } else { ack_all(batch).takes(1) }
        });
        world.streams.packs();
        let put = |shard: &str, sequences: std::ops::Range<u64>, odd: u64| {
            let sequences = sequences.filter(|sequence| odd == 2 || sequence % 2 == odd);
            world.streams.put(shard, sequences.map(|sequence| (sequence, format!("key-{}", sequence % 4))));
        };
        world.streams.open_after("merged", &["left", "right"]);
        world.streams.open("root", None);
        world.streams.open("left", Some("root"));
        world.streams.open("right", Some("root"));
        put("root", 0..20, 2);
        put("left", 20..34, 0);
        put("right", 20..34, 1);
        put("merged", 40..60, 2);
        ["root", "left", "right"].iter().for_each(|shard| world.streams.close(shard));
        start(&world, KinesisConfig { parallelization_factor: 3, ..plain() });
        world.at(90.0).await;
        let number = |event: &Event| match &event.payload {
            Payload::Bytes(bytes) => {
                let text = std::str::from_utf8(bytes.strip_prefix(&[0xff]).unwrap()).unwrap();
                text[5..text.len() - 1].parse::<u64>().unwrap()
            }
            Payload::Json(json) => panic!("{json} was put as bytes"),
        };
        let mut keys: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        for (_, batch) in world.worker.calls() {
            for event in batch {
                keys.entry(event.ordering_key.clone().unwrap()).or_default().push(number(&event));
            }
        }
        for (key, numbers) in &keys {
            // Records of the calls that trap with the poison record are delivered again.
            let last = |number: u64| numbers.iter().rposition(|other| *other == number);
            let mut once = numbers.clone();
            once.sort_unstable();
            once.dedup();
            assert!(once.len() >= 13 && once.is_sorted_by_key(|number| last(*number)), "{key}: {numbers:?}");
        }
        assert_eq!(keys.values().map(|numbers| numbers.iter().max().unwrap()).max(), Some(&59));
        assert_eq!(world.streams.position("merged"), at(59));
        let [dead_letter] = &world.queues.messages("saveEntriesDlq")[..] else { panic!("one dead letter") };
        assert!(dead_letter.body.contains("KinesisBatchInfo"), "{}", dead_letter.body);
    }

    /// Data that is not text matches no pattern.
    d4_25__a_packed_record_is_passed_when_its_filter_matches_none_of_its_parts {
        let world = three_in_one(ack_all);
        start(&world, plain().filtered(r#"{"data": [{"exists": true}]}"#).unwrap());
        world.at(5.0).await;
        assert!(delivered(&world).is_empty());
        assert_eq!(world.streams.position("s"), at(4));
    }

    d4_20__a_worker_begins_with_the_first_record_of_a_time {
        let world = World::new(ack_all);
        for shard in ["a", "b"] {
            world.streams.open(shard, None);
            world.streams.put_range(shard, 0..3);
        }
        world.at(5.0).await;
        world.streams.put_range("a", 3..5);
        world.at(10.0).await;
        world.streams.put_range("b", 3..4);
        start(&world, from(5));
        world.at(12.0).await;
        assert_eq!(world.worker.calls().iter().map(|(_, batch)| batch.len()).sum::<usize>(), 3);
        assert_eq!((world.streams.position("a"), world.streams.position("b")), (at(4), at(3)));
        world.streams.put_range("b", 4..5);
        world.at(14.0).await;
        assert_eq!(world.streams.position("b"), at(4));
    }

    d4_20__a_time_before_the_oldest_record_is_the_beginning {
        let world = World::new(ack_all);
        world.streams.open("s", None);
        world.streams.put_range("s", 0..3);
        let long_ago = KinesisConfig { starting_position_timestamp: Timestamp(Some(0)), ..from(0) };
        start(&world, long_ago);
        world.at(1.0).await;
        assert_eq!(delivered(&world), names(0..3));
    }

    /// Another time in the settings skips nothing, and `TRIM_HORIZON` repeats nothing.
    d4_20__the_time_counts_from_the_first_start_only {
        let world = World::new(ack_all);
        for shard in ["idle", "s"] {
            world.streams.open(shard, None);
            world.streams.put_range(shard, 0..3);
        }
        world.at(5.0).await;
        world.streams.put_range("s", 3..4);
        let first = start(&world, from(5));
        world.at(10.0).await;
        first.kill().await;
        assert_eq!(world.streams.position("idle"), Some(Checkpoint::AtTimestamp(EPOCH_MS + 5_000)));
        world.streams.put_range("s", 4..5);
        world.streams.put_range("idle", 5..6);
        world.at(100.0).await;
        let second = start(&world, from(50));
        world.at(110.0).await;
        assert_eq!((world.streams.position("s"), world.streams.position("idle")), (at(4), at(5)));
        second.kill().await;
        start(&world, plain());
        world.at(120.0).await;
        let mut once = delivered(&world);
        once.sort();
        assert_eq!(once, names(3..6));
    }

    d4_20__children_of_the_first_shards_are_read_from_their_first_records {
        let world = World::new(ack_all);
        world.streams.open("root", None);
        world.streams.put_range("root", 0..3);
        world.at(5.0).await;
        start(&world, from(5));
        world.at(10.0).await;
        world.streams.put_range("root", 3..5);
        world.streams.open("child", Some("root"));
        world.streams.put_range("child", 5..7);
        world.streams.close("root");
        world.at(15.0).await;
        assert_eq!(delivered(&world), names(3..7));
        assert_eq!(world.streams.reads("child")[0].1, Position::TrimHorizon);
        assert_eq!(world.streams.position("root"), Some(Checkpoint::ShardEnd));
    }

    /// A shard that was closed before the time has nothing for the worker. Its child, which was there, begins at the time.
    d4_20__a_shard_that_ended_before_the_time_is_passed_over {
        let world = World::new(ack_all);
        world.streams.open("root", None);
        world.streams.put_range("root", 0..3);
        world.streams.close("root");
        world.streams.open("child", Some("root"));
        world.streams.put_range("child", 3..5);
        world.at(5.0).await;
        world.streams.put_range("child", 5..7);
        start(&world, from(5));
        world.at(10.0).await;
        assert_eq!(delivered(&world), names(5..7));
        assert_eq!(world.streams.position("root"), Some(Checkpoint::ShardEnd));
    }

    d4_21__what_is_packed_into_a_record_is_handed_over_one_by_one {
        let world = three_in_one(ack_all);
        start(&world, plain());
        world.at(1.0).await;
        assert_eq!(delivered(&world), [parts(&[0, 1, 2]), names(4..5)].concat());
        let (_, batch) = world.worker.calls().remove(0);
        let keys: Vec<_> = batch.iter().map(|event| event.ordering_key.as_deref().unwrap()).collect();
        assert_eq!(keys, ["item-1", "item-2", "item-3", "item-4"]);
        assert_eq!(batch[1].payload, Payload::Bytes([&[0xff], br#"{"n":2}"#.as_slice()].concat()));
        assert_eq!(world.streams.position("s"), at(4));
    }

    d4_22__a_batch_may_end_within_a_record_and_a_checkpoint_may_not {
        let world = three_in_one(|batch| ack_all(batch).takes(10));
        let first = start(&world, KinesisConfig { batch_size: 2, ..plain() });
        world.at(15.0).await;
        assert_eq!((world.worker.calls().len(), world.streams.position("s")), (2, None));
        first.kill().await;
        start(&world, KinesisConfig { batch_size: 2, ..plain() });
        world.at(60.0).await;
        let twice = [parts(&[0, 1]), [parts(&[2]), names(4..5)].concat()].concat();
        assert_eq!(delivered(&world), [twice.clone(), twice].concat());
        assert_eq!(world.streams.position("s"), at(4));
    }

    /// The slices settle the parts in any order.
    d4_22__a_checkpoint_waits_for_the_parts_in_all_key_slices {
        let world = three_in_one(|batch| {
            Reply::each(batch, |event| if event.id == parts(&[1])[0] { retry() } else { Disposition::Ack })
        });
        start(&world, KinesisConfig { parallelization_factor: 10, maximum_retry_attempts: -1, ..plain() });
        world.at(30.0).await;
        let delivered = delivered(&world);
        assert!([parts(&[0, 2]), names(4..5)].concat().iter().all(|id| delivered.contains(id)), "{delivered:?}");
        assert_eq!(world.streams.position("s"), None);
        world.worker.answers(ack_all);
        world.at(150.0).await;
        assert_eq!(world.streams.position("s"), at(4));
    }

    /// Halving finds the part, its dead letter names it, and the others are settled once.
    d4_22__a_poison_part_is_given_up_alone {
        let world = three_in_one(|batch| {
            if batch.iter().any(|event| event.id == parts(&[1])[0]) { trap() } else { ack_all(batch) }
        });
        start(&world, KinesisConfig { maximum_retry_attempts: 0, ..plain() });
        world.at(30.0).await;
        assert_eq!(world.streams.position("s"), at(4));
        let [dead_letter] = &world.queues.messages("saveEntriesDlq")[..] else { panic!("one dead letter") };
        let envelope: serde_json::Value = serde_json::from_str(&dead_letter.body).unwrap();
        assert_eq!(envelope["KinesisBatchInfo"]["startSequenceNumber"], parts(&[1])[0]);
        assert_eq!(envelope["KinesisBatchInfo"]["stream"], "kinesis:s");
    }

    /// A worker that begins behind another reads from its own checkpoint, which is after all parts of a record.
    d4_22__a_worker_that_is_behind_begins_after_a_whole_record {
        let world = three_in_one(ack_all);
        world.streams.put_range("s", 5..9);
        let first = start(&world, KinesisConfig { batch_size: 3, ..plain() });
        world.at(1.0).await;
        assert_eq!(world.streams.position("s"), at(8));
        first.kill().await;
        let (behind, _) = world.start_worker("second", SourceConfig::Kinesis(plain()), ack_all);
        world.at(3.0).await;
        assert_eq!(behind.deliveries().len(), 8);
        assert_eq!(world.streams.position_of("second", "s"), at(8));
    }

    /// In hexadecimal the hashes of the first three keys begin with 76, 38 and 65.
    d4_23__a_record_with_a_key_of_another_shard_is_left_out_as_a_whole {
        let world = three_in_one(ack_all);
        world.streams.takes("s", 5 << 124..=u128::MAX);
        start(&world, plain());
        world.at(1.0).await;
        assert_eq!(delivered(&world), names(4..5), "Kinesis itself put this one into the shard");
        assert_eq!(world.streams.position("s"), at(4));
        let all = three_in_one(ack_all);
        all.streams.takes("s", 3 << 124..=u128::MAX);
        start(&all, plain());
        all.at(2.0).await;
        assert_eq!(delivered(&all), [parts(&[0, 1, 2]), names(4..5)].concat());
    }
}
