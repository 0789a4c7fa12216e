//! What is particular to the event log (docs/delivery.md, 16): groups, their offsets, and rebalances. The rest it shares with
//! the other streams.

use crate::model::{EPOCH_MS, Reply, Running, WORKER, World, ack_all, retry, trap};
use crate::rows;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use host_adapters_delivery::dead_letter::DeadLetter;
use host_adapters_delivery::drain::Ended;
use host_adapters_delivery::event::{Disposition, Event, Payload};
use host_adapters_platform::Received;
use host_adapters_sources::kafka::{KafkaSourceConfig, StartingPosition, Timestamp};
use host_adapters_sources::{SourceConfig, event_of};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

fn plain() -> KafkaSourceConfig {
    KafkaSourceConfig::new("t")
}

fn start(world: &World, config: KafkaSourceConfig) -> Running {
    world.start(SourceConfig::Kafka(config))
}

/// A world with a topic of this many partitions, each with the records 0 to 2.
fn world(partitions: u32, reply: impl FnMut(&[Event]) -> Reply + Send + 'static) -> World {
    let world = World::new(reply);
    world.log.partitions(partitions as usize);
    for partition in 0..partitions {
        world.log.put_range(partition, 0..3);
    }
    world
}

/// The ids of all records that were handed over, in order.
fn ids(world: &World) -> Vec<String> {
    world.worker.calls().into_iter().flat_map(|(_, batch)| batch).map(|event| event.id).collect()
}

fn offset(world: &World, partition: u32) -> Option<u64> {
    world.log.offset(WORKER, partition)
}

/// The messages in the worker's dead letter queue, as they are read.
fn dead_letters(world: &World) -> Vec<DeadLetter> {
    let read = |(n, message): (usize, host_adapters_records::queue::Message)| {
        let (id, body, attributes) = (format!("dead-{n}"), message.body, message.attributes);
        DeadLetter::read("saveEntriesDlq", Received { id, body, attributes, ..Received::default() }, &[])
    };
    world.queues.messages("saveEntriesDlq").into_iter().enumerate().map(read).collect()
}

rows! {
    d16_1__records_of_a_key_are_in_order_and_other_keys_do_not_wait_for_them {
        let world = World::new(|batch| ack_all(batch).takes(5));
        world.log.partitions(2);
        for n in 0..24_u32 {
            world.log.put(n % 2, Some(&format!("key-{}", n % 8)), Some(n.to_string().as_bytes()));
        }
        start(&world, KafkaSourceConfig { parallelization_factor: 4, batch_size: 1, ..plain() });
        world.at(200.0).await;
        let (mut keys, mut times): (BTreeMap<String, Vec<u64>>, BTreeMap<u64, usize>) = Default::default();
        for (at, batch) in world.worker.calls() {
            *times.entry(at).or_default() += 1;
            for event in batch {
                keys.entry(event.ordering_key.clone().unwrap()).or_default().push(event.json().unwrap());
            }
        }
        assert_eq!(keys.len(), 8);
        assert!(keys.values().all(|numbers| numbers.len() == 3 && numbers.is_sorted()), "{keys:?}");
        assert!(times.values().any(|calls| *calls > 2), "slices and partitions are at work side by side: {times:?}");
        assert_eq!((offset(&world, 0), offset(&world, 1)), (Some(12), Some(12)));
    }

    d16_1__a_batch_is_of_one_partition {
        let world = world(3, ack_all);
        start(&world, plain());
        world.at(5.0).await;
        let calls = world.worker.calls();
        assert_eq!(calls.len(), 3);
        for (_, batch) in calls {
            let partitions: Vec<_> = batch.iter().map(|event| event.attribute("shardId").unwrap()).collect();
            assert_eq!(partitions, [partitions[0]; 3]);
        }
    }

    d16_2__an_offset_is_stored_after_the_answer_and_never_before {
        let world = world(1, |batch| ack_all(batch).takes(20));
        start(&world, plain());
        world.at(19.0).await;
        assert_eq!((ids(&world).len(), offset(&world, 0)), (3, None));
        world.at(22.0).await;
        assert_eq!(offset(&world, 0), Some(3), "the offset that is read next");
    }

    d16_2__a_restart_goes_on_at_the_offset {
        let world = world(1, ack_all);
        start(&world, plain()).kill().await;
        let running = start(&world, plain());
        world.at(5.0).await;
        running.kill().await;
        world.log.put_range(0, 3..5);
        let before = ids(&world).len();
        start(&world, plain());
        world.at(10.0).await;
        assert_eq!(ids(&world)[before..], ["0-3", "0-4"]);
    }

    d16_2__an_offset_passes_no_record_that_is_not_settled {
        let world = world(1, |batch| {
            Reply::each(batch, |event| if event.id == "0-1" { retry() } else { Disposition::Ack })
        });
        start(&world, KafkaSourceConfig { maximum_retry_attempts: -1, ..plain() });
        world.at(600.0).await;
        assert_eq!(world.log.offsets(WORKER, 0).iter().map(|(_, next)| *next).collect::<Vec<_>>(), [1]);
    }

    d16_3__a_group_begins_once_where_it_is_told {
        for (position, time, expected) in [
            (StartingPosition::TrimHorizon, None, &["0-0", "0-1", "0-2", "0-3"][..]),
            (StartingPosition::Latest, None, &[]),
            (StartingPosition::AtTimestamp, Some(EPOCH_MS + 5_000), &["0-3"]),
        ] {
            let world = world(1, ack_all);
            world.at(10.0).await;
            world.log.put_range(0, 3..4);
            let config = KafkaSourceConfig {
                starting_position: position,
                starting_position_timestamp: Timestamp(time),
                ..plain()
            };
            let running = start(&world, config.clone());
            world.at(15.0).await;
            assert_eq!(ids(&world), expected, "{position:?}");
            running.kill().await;
            world.log.put_range(0, 4..5);
            start(&world, config);
            world.at(20.0).await;
            assert_eq!(ids(&world).last().unwrap(), "0-4", "{position:?}: what came meanwhile is read");
            assert_eq!(offset(&world, 0), Some(5));
        }
    }

    /// In Kafka a member leaves its group when its source has not asked for ten seconds. Renewals are three seconds apart.
    d16_3__a_group_that_takes_long_to_begin_keeps_its_partitions {
        let world = world(1, ack_all);
        world.log.faults.plan("shards", usize::MAX, crate::model::down());
        start(&world, KafkaSourceConfig { starting_position: StartingPosition::Latest, ..plain() });
        world.at(11.0).await;
        assert_eq!((world.log.renewals(), offset(&world, 0)), (3, None));
        world.log.faults.end();
        world.at(400.0).await;
        assert_eq!((offset(&world, 0), ids(&world).len()), (Some(3), 0), "begun, with what comes from now on");
        let renewals = world.log.renewals();
        world.at(430.0).await;
        assert_eq!(world.log.renewals(), renewals, "its leases are held");
    }

    /// With `LATEST`, too: what is in it came after the group had begun.
    d16_3__a_new_partition_is_read_from_its_first_record {
        let world = world(1, ack_all);
        start(&world, KafkaSourceConfig { starting_position: StartingPosition::Latest, ..plain() });
        world.at(5.0).await;
        world.log.partitions(2);
        world.log.put_range(1, 0..2);
        world.at(70.0).await;
        assert_eq!((ids(&world), offset(&world, 1)), (vec!["1-0".to_owned(), "1-1".to_owned()], Some(2)));
    }

    d16_4__a_partition_goes_when_the_work_on_it_has_ended_and_its_offset_is_stored {
        let world = world(2, |batch| ack_all(batch).takes(20));
        start(&world, KafkaSourceConfig { batch_size: 2, ..plain() });
        world.at(5.0).await;
        world.log.revoke(&[1]);
        world.at(19.0).await;
        assert_eq!(world.log.left(), [], "a call is in progress");
        world.at(21.0).await;
        let [(left, 1)] = world.log.left()[..] else { panic!("{:?}", world.log.left()) };
        let stored = world.log.offsets(WORKER, 1);
        assert!(matches!(stored[..], [(at, 2)] if at <= left), "{stored:?} before {left}");
        world.at(60.0).await;
        assert_eq!(offset(&world, 0), Some(3), "the other partition is not disturbed");
        assert_eq!(world.log.offsets(WORKER, 1).len(), 1);
        assert!(!ids(&world).contains(&"1-2".to_owned()), "no call begins on a partition that goes: {:?}", ids(&world));
    }

    /// Renewals are three seconds apart.
    d16_4__a_rebalance_is_noticed_at_once {
        let world = world(1, ack_all);
        world.log.own(&[]);
        start(&world, plain());
        world.at(4.0).await;
        world.log.own(&[0]);
        world.at(4.1).await;
        assert_eq!(ids(&world).len(), 3);
        world.log.revoke(&[0]);
        world.at(4.2).await;
        assert_eq!(world.log.left().len(), 1);
    }

    d16_4__a_paused_source_lets_a_partition_go {
        let world = world(1, |batch| Reply::each(batch, |_| retry()).outage("service:entry"));
        start(&world, plain());
        world.at(30.0).await;
        world.log.revoke(&[0]);
        world.at(31.0).await;
        assert_eq!((world.log.left().len(), offset(&world, 0)), (1, None));
        let calls = world.worker.calls().len();
        world.at(300.0).await;
        assert_eq!(world.worker.calls().len(), calls);
    }

    d16_5__what_is_lost_is_dropped_and_stores_no_offset {
        let world = world(1, |batch| ack_all(batch).takes(20));
        start(&world, plain());
        world.at(5.0).await;
        world.log.own(&[]);
        world.at(40.0).await;
        assert_eq!((offset(&world, 0), world.worker.calls().len()), (None, 1));
        world.log.own(&[0]);
        world.at(70.0).await;
        assert_eq!((offset(&world, 0), world.worker.calls().len()), (Some(3), 2), "this host's again");
    }

    /// The offset is stored in the middle of a rebalance: it is not this host's any more.
    d16_5__a_late_offset_is_refused {
        let world = world(1, |batch| ack_all(batch).takes(5));
        let running = start(&world, plain());
        world.log.faults.plan("set checkpoint", 1, crate::model::down());
        world.at(5.5).await;
        world.log.own(&[]);
        world.at(30.0).await;
        assert_eq!(offset(&world, 0), None);
        assert_eq!(running.source.status().paused, None, "no outage");
    }

    d16_6__groups_read_a_topic_independently {
        let world = world(1, |batch| Reply::each(batch, |_| retry()).outage("service:entry"));
        start(&world, plain());
        let own = KafkaSourceConfig { group: Some("audit".to_owned()), ..plain() };
        let (other, _running) = world.start_worker("other", SourceConfig::Kafka(own), ack_all);
        world.at(10.0).await;
        assert_eq!((world.log.offset("audit", 0), world.log.offset(WORKER, 0)), (Some(3), None));
        assert_eq!((other.calls().len(), world.log.offset("other", 0)), (1, None), "the group has the offset");
    }

    d16_7__poison_is_isolated_and_the_partition_goes_on {
        let world = world(1, |batch| if batch.iter().any(|event| event.id == "0-1") { trap() } else { ack_all(batch) });
        world.log.put(0, Some("key-9"), Some(b"\xff\x00"));
        start(&world, plain());
        world.at(120.0).await;
        assert_eq!(offset(&world, 0), Some(4));
        let [dead_letter] = &dead_letters(&world)[..] else { panic!("one dead letter") };
        let envelope: Value = serde_json::from_str(&dead_letter.body).unwrap();
        assert_eq!(envelope["KafkaBatchInfo"]["shardId"], "0");
        assert_eq!(envelope["requestContext"]["condition"], "RetryAttemptsExhausted");
        let back = event_of(dead_letter).unwrap();
        assert_eq!((back.id.as_str(), back.ordering_key.as_deref()), ("0-1", Some("key-1")));
    }

    d16_7__dead_letters_of_bytes_and_tombstones_come_back_as_they_were {
        let world = World::new(|batch| Reply::each(batch, |_| Disposition::Reject("no".to_owned())));
        world.log.partitions(1);
        for value in [Some(&b"\xff\x00"[..]), Some(b"{truncated"), Some(b""), None, Some(b"{\"n\":1.50}")] {
            world.log.put(0, Some("k"), value);
        }
        start(&world, plain());
        world.at(5.0).await;
        let given: Vec<Event> = world.worker.calls().into_iter().flat_map(|(_, batch)| batch).collect();
        let back: Vec<Event> = dead_letters(&world).iter().map(|it| event_of(it).unwrap()).collect();
        assert_eq!(back.len(), 5);
        let plain = |event: &Event| {
            let mut attributes = event.attributes.clone();
            attributes.sort_unstable();
            (event.id.clone(), event.payload.clone(), event.ordering_key.clone(), attributes)
        };
        assert_eq!(back.iter().map(plain).collect::<Vec<_>>(), given.iter().map(plain).collect::<Vec<_>>());
        assert_eq!(back[0].payload, Payload::Bytes(b"\xff\x00".to_vec()));
        let tombstones: Vec<_> = back.iter().map(|event| event.attribute("tombstone").is_some()).collect();
        assert_eq!(tombstones, [false, false, false, true, false]);
        let body: Value = serde_json::from_str(&dead_letters(&world)[0].body).unwrap();
        assert_eq!(body["payloadEncoding"], "base64");
        assert_eq!(body["payload"], BASE64_STANDARD.encode(b"\xff\x00"));
    }

    /// -1 is for workers that must not lose the order; Lambda makes ten attempts of it where there is a destination.
    d16_8__retries_without_limit_make_no_dead_letter {
        let world = world(1, |batch| Reply::each(batch, |_| retry()));
        start(&world, KafkaSourceConfig { maximum_retry_attempts: -1, ..plain() });
        world.at(3_000.0).await;
        assert!(world.worker.calls().len() > 20);
        assert_eq!((dead_letters(&world).len(), offset(&world, 0)), (0, None));
    }

    d16_9__a_log_that_cannot_be_read_pauses_the_source {
        let world = world(1, ack_all);
        world.log.faults.plan("records", 5, crate::model::down());
        let running = start(&world, plain());
        world.at(0.5).await;
        assert!(running.source.status().paused.unwrap().reason.contains("kafka:t: "), "{:?}", running.source.status());
        world.at(400.0).await;
        assert_eq!((running.source.status().paused, offset(&world, 0)), (None, Some(3)));
    }

    d16_10__a_drain_settles_what_is_in_progress_and_leaves_the_group {
        let world = world(1, |batch| ack_all(batch).takes(20));
        let running = start(&world, KafkaSourceConfig { batch_size: 2, ..plain() });
        world.at(5.0).await;
        let ended = world.drain.finish(Duration::from_secs(30), running.task).await.unwrap();
        assert_eq!((ended, offset(&world, 0), world.log.is_released()), (Ended::Drained, Some(2), true));
        assert_eq!(ids(&world), ["0-0", "0-1"], "no new call");
    }
}
