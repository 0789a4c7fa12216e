//! Order, checkpoints and shards of a DynamoDB stream (docs/delivery.md, 4).

use crate::model::{ModelStreams, Reply, World, ack_all, down, name, retry, trap};
use crate::rows;
use host_adapters_delivery::event::{Disposition, Event, Payload};
use host_adapters_platform::{Checkpoint, Position};
use host_adapters_sources::SourceConfig;
use host_adapters_sources::dynamodb_stream::{DynamodbStreamConfig, StartingPosition};
use std::collections::BTreeMap;
use std::sync::Arc;

fn start(world: &World, config: DynamodbStreamConfig) -> crate::model::Running {
    world.start(SourceConfig::DynamodbStream(config))
}

fn plain() -> DynamodbStreamConfig {
    DynamodbStreamConfig::new("t")
}

fn at(sequence: u64) -> Option<Checkpoint> {
    Some(Checkpoint::At(name(sequence)))
}

/// Sequence numbers in the order of their (last) delivery.
fn delivered(world: &World) -> Vec<String> {
    world.worker.deliveries().into_iter().map(|(_, id, _)| id).collect()
}

rows! {
    d4_1__trim_horizon_begins_with_the_oldest_record {
        let world = World::new(ack_all);
        world.streams.open("s", None);
        world.streams.put_range("s", 0..3);
        start(&world, plain());
        world.at(1.0).await;
        assert_eq!(delivered(&world), [name(0), name(1), name(2)]);
    }

    d4_1__latest_begins_with_what_comes {
        let world = World::new(ack_all);
        world.streams.open("s", None);
        world.streams.put_range("s", 0..3);
        start(&world, DynamodbStreamConfig { starting_position: StartingPosition::Latest, ..plain() });
        world.at(1.0).await;
        world.streams.put_range("s", 3..5);
        world.at(2.0).await;
        assert_eq!(delivered(&world), [name(3), name(4)]);
    }

    /// The checkpoint is stored before anything is read, so records that arrive while the host is down are not skipped.
    d4_2__latest_counts_from_the_first_start_only {
        let world = World::new(ack_all);
        world.streams.open("s", None);
        world.streams.put_range("s", 0..3);
        let config = DynamodbStreamConfig { starting_position: StartingPosition::Latest, ..plain() };
        let first = start(&world, config.clone());
        world.at(1.0).await;
        first.kill().await;
        world.streams.put_range("s", 3..5);
        start(&world, config);
        world.at(2.0).await;
        assert_eq!(delivered(&world), [name(3), name(4)]);
    }

    /// Nothing has been read, so nothing was settled: that the worker has begun is stored all the same.
    d4_2__case_04_latest_counts_from_the_first_start_of_an_empty_stream {
        let world = World::new(ack_all);
        world.streams.open("s", None);
        let config = DynamodbStreamConfig { starting_position: StartingPosition::Latest, ..plain() };
        let first = start(&world, config.clone());
        world.at(1.0).await;
        first.kill().await;
        world.streams.put_range("s", 0..1);
        start(&world, config);
        world.at(3.0).await;
        assert_eq!(delivered(&world), [name(0)]);
    }

    /// Ends are found before one is stored, so that a start which is killed meanwhile does not begin with the history.
    d4_2__a_start_that_was_killed_before_it_knew_all_ends_has_not_begun {
        let world = World::new(ack_all);
        for shard in ["a", "b"] {
            world.streams.open(shard, None);
        }
        world.streams.put_range("a", 0..2);
        world.streams.put_range("b", 2..4);
        world.streams.latest_takes(std::time::Duration::from_secs(10));
        let config = DynamodbStreamConfig { starting_position: StartingPosition::Latest, ..plain() };
        let first = start(&world, config.clone());
        world.at(15.0).await;
        first.kill().await;
        start(&world, config);
        world.at(60.0).await;
        assert!(delivered(&world).is_empty());
        world.streams.put_range("b", 4..5);
        world.at(62.0).await;
        assert_eq!(delivered(&world), [name(4)]);
    }

    d4_25__a_worker_gets_what_its_filter_matches_and_the_checkpoint_passes_the_rest {
        let world = World::new(ack_all);
        for shard in ["s", "t"] {
            world.streams.open(shard, None);
        }
        world.streams.put_range("s", 0..5);
        world.streams.put_range("t", 10..13);
        // A batch window, which only the records that match open.
        let config = DynamodbStreamConfig { batch_window_secs: 5, ..plain() };
        start(&world, config.filtered(r#"{"dynamodb": {"Keys": {"pk": {"S": ["item-1", "item-3"]}}}}"#).unwrap());
        world.at(2.0).await;
        assert!(delivered(&world).is_empty());
        assert_eq!((world.streams.position("s"), world.streams.position("t")), (at(0), at(12)));
        world.at(8.0).await;
        assert_eq!(delivered(&world), [name(1), name(3)]);
        assert_eq!((world.worker.calls().len(), world.streams.position("s")), (1, at(4)));
    }

    d4_25__images_are_compared_with_their_type_tags {
        let world = World::new(ack_all);
        world.streams.open("s", None);
        world.streams.put_range("s", 0..5);
        let pattern = r#"{"dynamodb": {"NewImage": {"n": {"N": ["2"]}}}, "eventName": ["MODIFY"]}"#;
        start(&world, plain().filtered(pattern).unwrap());
        world.at(2.0).await;
        assert_eq!(delivered(&world), [name(2)]);
        assert_eq!(world.streams.position("s"), at(4));
    }

    /// The record says itself what the service knows: here, who removed the item.
    d4_16__case_07_a_change_is_handed_over_with_all_that_its_source_knows {
        let world = World::new(ack_all);
        world.streams.open("s", None);
        world.streams.remove("s", 7, r#"{"principalId":"dynamodb.amazonaws.com","type":"Service"}"#);
        start(&world, plain());
        world.at(1.0).await;
        let (_, batch) = world.worker.calls().remove(0);
        let payload = r#"{"eventName":"REMOVE","keys":{"pk":"item-7","sk":"s"},"oldImage":{"n":7},"userIdentity":{"principalId":"dynamodb.amazonaws.com","type":"Service"}}"#;
        assert_eq!(batch[0].payload, Payload::Json(payload.to_owned()));
    }

    d4_3__key_groups_run_side_by_side_and_keep_each_item_in_order {
        let world = World::new(|batch| ack_all(batch).takes(10));
        world.streams.open("s", None);
        world.streams.put("s", (0..200).map(|sequence| (sequence, format!("item-{}", sequence % 20))));
        start(&world, DynamodbStreamConfig { parallelization_factor: 10, batch_size: 100, ..plain() });
        world.at(15.0).await;
        let first: Vec<usize> = world.worker.sizes().into_iter().filter(|(at, _)| *at < 5_000).map(|(_, n)| n).collect();
        assert!(first.len() > 5, "{first:?}: most of ten key groups at once");
        world.at(100.0).await;
        let mut items: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (_, batch) in world.worker.calls() {
            batch.into_iter().for_each(|event| items.entry(event.ordering_key.unwrap()).or_default().push(event.id));
        }
        assert_eq!(items.len(), 20);
        assert!(items.values().all(|ids| ids.len() == 10 && ids.is_sorted()), "{items:?}");
        assert_eq!(world.streams.position("s"), at(199));
    }

    d4_3__one_call_at_a_time_without_parallelization {
        let world = World::new(|batch| ack_all(batch).takes(10));
        world.streams.open("s", None);
        world.streams.put_range("s", 0..25);
        start(&world, DynamodbStreamConfig { batch_size: 10, ..plain() });
        world.at(60.0).await;
        assert_eq!(world.worker.sizes(), [(0, 10), (10_000, 10), (20_000, 5)]);
    }

    d4_4__the_checkpoint_follows_the_settled_records {
        let world = World::new(|batch| ack_all(batch).takes(10));
        world.streams.open("s", None);
        world.streams.put_range("s", 0..10);
        start(&world, plain());
        world.at(9.0).await;
        assert_eq!(world.streams.position("s"), None);
        world.at(11.0).await;
        assert_eq!(world.streams.position("s"), at(9));
    }

    d5_1__a_partial_failure_moves_the_checkpoint_to_the_first_retry {
        let world = World::new(|batch| match batch[0].attempt {
            1 => Reply::each(batch, |event| if [name(4), name(7)].contains(&event.id) { retry() } else { Disposition::Ack }),
            _ => ack_all(batch).takes(20),
        });
        world.streams.open("s", None);
        world.streams.put_range("s", 0..10);
        start(&world, plain());
        world.at(3.0).await;
        assert_eq!(world.streams.position("s"), at(3));
        world.at(60.0).await;
        let all: Vec<String> = (0..10).map(name).collect();
        assert_eq!(world.worker.batches(), [all.clone(), all[4..].to_vec()], "all from it on are delivered again");
        assert_eq!(world.streams.position("s"), at(9));
    }

    d4_4__the_checkpoint_is_the_lowest_of_all_key_groups {
        let world = World::new(|batch| {
            let slow = batch.iter().any(|event| event.id == name(0));
            ack_all(batch).takes(if slow { 50 } else { 1 })
        });
        world.streams.open("s", None);
        world.streams.put_range("s", 0..40);
        start(&world, DynamodbStreamConfig { parallelization_factor: 4, ..plain() });
        world.at(40.0).await;
        assert_eq!(world.streams.position("s"), None, "record 0 is not settled");
        world.at(60.0).await;
        assert_eq!(world.streams.position("s"), at(39));
    }

    d4_5__a_restart_repeats_from_the_checkpoint {
        let world = World::new(|batch| ack_all(batch).takes(10));
        world.streams.open("s", None);
        world.streams.put_range("s", 0..15);
        let first = start(&world, DynamodbStreamConfig { batch_size: 10, ..plain() });
        world.at(15.0).await;
        first.kill().await;
        start(&world, plain());
        world.at(30.0).await;
        assert_eq!(world.worker.sizes(), [(0, 10), (10_000, 5), (15_000, 5)]);
    }

    d4_6__a_checkpoint_that_cannot_be_stored_is_stored_later {
        let world = World::new(ack_all);
        world.streams.open("s", None);
        world.streams.put_range("s", 0..3);
        world.streams.faults.plan("set checkpoint", 2, down());
        start(&world, plain());
        world.at(5.0).await;
        assert_eq!(world.streams.position("s"), at(2));
        assert_eq!(world.worker.sizes(), [(0, 3)]);
    }

    d4_6__checkpoints_of_quick_batches_share_a_write {
        let world = World::new(ack_all);
        world.streams.open("s", None);
        world.streams.put_range("s", 0..500);
        start(&world, DynamodbStreamConfig { batch_size: 10, ..plain() });
        world.at(5.0).await;
        assert_eq!((world.worker.sizes().len(), world.streams.position("s")), (50, at(499)));
        let stored = world.streams.checkpoints("s");
        assert!(stored.len() <= 2, "{stored:?}");
    }

    d4_4__rejected_records_advance_the_checkpoint_and_the_iterator {
        let world = World::new(|batch| Reply::each(batch, |_| Disposition::Reject("not mine".into())));
        world.streams.open("s", None);
        world.streams.put_range("s", 0..3);
        start(&world, plain());
        world.at(5.0).await;
        assert_eq!(world.streams.position("s"), at(2));
        let last = world.streams.reads("s").pop().unwrap().1;
        assert_eq!(last, Position::After(name(2)));
        assert_eq!(world.worker.sizes(), [(0, 3)]);
    }

    d4_7__an_idle_shard_is_read_four_times_a_second {
        let world = World::new(ack_all);
        world.streams.open("s", None);
        start(&world, plain());
        world.at(9.9).await;
        let reads = world.streams.reads("s").len();
        assert!((38..=41).contains(&reads), "{reads}");
    }

    d4_8__a_child_waits_until_its_parent_is_settled {
        let world = World::new(|batch| ack_all(batch).takes(10));
        family(&world.streams);
        start(&world, plain());
        world.at(9.0).await;
        assert_eq!(delivered(&world), [name(1), name(2)], "the parent's");
        assert!(world.streams.reads("child-a").is_empty());
        world.at(19.0).await;
        let mut batches = world.worker.batches();
        batches[1..].sort();
        assert_eq!(batches, [vec![name(1), name(2)], vec![name(3)], vec![name(4)]]);
        world.at(30.0).await;
        assert_eq!(world.streams.position("parent"), Some(Checkpoint::ShardEnd));
    }

    d4_8__a_failing_parent_holds_its_children_back {
        let world = World::new(|batch| if batch[0].attempt < 3 { trap() } else { ack_all(batch).takes(5) });
        family(&world.streams);
        start(&world, plain());
        world.at(300.0).await;
        let order = delivered(&world);
        let last_of_parent = order.iter().rposition(|id| *id <= name(2)).unwrap();
        let first_of_child = order.iter().position(|id| *id > name(2)).unwrap();
        assert!(last_of_parent < first_of_child, "{order:?}");
        assert_eq!(world.streams.position("child-a"), at(3));
    }

    d4_9__a_child_begins_with_its_first_record_also_after_latest {
        let world = World::new(ack_all);
        world.streams.open("parent", None);
        world.streams.put_range("parent", 0..3);
        start(&world, DynamodbStreamConfig { starting_position: StartingPosition::Latest, ..plain() });
        world.at(1.0).await;
        world.streams.open("child-a", Some("parent"));
        world.streams.put_range("child-a", 3..6);
        world.streams.close("parent");
        world.at(2.0).await;
        assert_eq!(delivered(&world), [name(3), name(4), name(5)]);
        assert_eq!(world.streams.reads("child-a")[0].1, Position::TrimHorizon);
    }

    /// Other consumers have idled forever after SHARD_END.
    d4_10__children_are_read_at_once_after_the_end_of_a_shard {
        let world = World::new(ack_all);
        world.streams.open("parent", None);
        start(&world, plain());
        world.at(100.0).await;
        world.streams.open("child-a", Some("parent"));
        world.streams.put_range("child-a", 0..2);
        world.streams.close("parent");
        world.at(101.0).await;
        assert_eq!(delivered(&world), [name(0), name(1)]);
    }

    d4_11__a_shard_settled_before_is_not_read_again {
        let world = World::new(ack_all);
        family(&world.streams);
        let first = start(&world, plain());
        world.at(5.0).await;
        first.kill().await;
        let before = world.streams.reads("parent").len();
        start(&world, plain());
        world.at(10.0).await;
        assert_eq!(world.streams.reads("parent").len(), before);
        assert_eq!(delivered(&world).len(), 4);
    }

    d4_19__an_event_names_its_shard_and_those_before_it {
        let world = World::new(ack_all);
        family(&world.streams);
        world.streams.open_after("merged", &["child-a", "child-b"]);
        world.streams.put_range("merged", 5..6);
        ["child-a", "child-b"].iter().for_each(|shard| world.streams.close(shard));
        start(&world, plain());
        world.at(30.0).await;
        let events = world.worker.calls().into_iter().flat_map(|(_, batch)| batch);
        let said = |event: &Event, name| event.attribute(name).unwrap_or_default().to_owned();
        let mut told: Vec<_> = events.map(|event| (said(&event, "shardId"), said(&event, "parentShardId"))).collect();
        told.sort();
        told.dedup();
        let expected = [("child-a", "parent"), ("child-b", "parent"), ("merged", "child-a,child-b"), ("parent", "")];
        assert_eq!(told, expected.map(|(shard, parents)| (shard.to_owned(), parents.to_owned())));
    }
}

/// A closed parent with records 1 and 2, and its two children with 3 and 4.
fn family(streams: &Arc<ModelStreams>) {
    streams.open("parent", None);
    streams.put_range("parent", 1..3);
    streams.close("parent");
    streams.open("child-a", Some("parent"));
    streams.put_range("child-a", 3..4);
    streams.open("child-b", Some("parent"));
    streams.put_range("child-b", 4..5);
}
