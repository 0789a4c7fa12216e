//! Shards of a DynamoDB stream that hosts share by leases (docs/delivery.md, 9). In these tests a lease is renewed
//! every three seconds and lasts nine.

use crate::model::{World, ack_all, down, name};
use crate::rows;
use host_adapters_platform::{Checkpoint, LeaseTable};
use host_adapters_sources::SourceConfig;
use host_adapters_sources::dynamodb_stream::DynamodbStreamConfig;
use std::collections::BTreeSet;
use std::time::Duration;

fn start(world: &World) {
    world.start(SourceConfig::DynamodbStream(DynamodbStreamConfig::new("t")));
}

fn at(sequence: u64) -> Option<Checkpoint> {
    Some(Checkpoint::At(name(sequence)))
}

/// A shard that this host owns, with three records, and a worker that needs this many seconds for them.
fn world(secs: u64) -> World {
    let world = World::new(move |batch| ack_all(batch).takes(secs));
    world.streams.open("s", None);
    world.streams.put_range("s", 0..3);
    world.streams.lease(&["s"]);
    start(&world);
    world
}

rows! {
    d9_1__only_leased_shards_are_read {
        let world = World::new(ack_all);
        for (shard, sequence) in [("s", 0), ("theirs", 1)] {
            world.streams.open(shard, None);
            world.streams.put_range(shard, sequence..sequence + 1);
        }
        world.streams.lease(&["s"]);
        start(&world);
        world.at(2.0).await;
        assert_eq!((world.streams.position("s"), world.streams.reads("theirs")), (at(0), vec![]));
        world.streams.lease(&["s", "theirs"]);
        world.at(5.0).await;
        assert_eq!(world.streams.position("theirs"), at(1));
    }

    d9_2__a_child_follows_a_parent_that_another_host_settles {
        let world = World::new(ack_all);
        world.streams.open("parent", None);
        world.streams.close("parent");
        world.streams.open("child", Some("parent"));
        world.streams.put_range("child", 0..1);
        world.streams.lease(&["child"]);
        start(&world);
        world.at(10.0).await;
        assert_eq!(world.streams.reads("child"), []);
        world.streams.set_checkpoint("t", "parent", crate::model::WORKER, &Checkpoint::ShardEnd).await.unwrap();
        world.at(14.0).await;
        assert_eq!(world.streams.position("child"), at(0));
        assert_eq!(world.streams.reads("parent"), []);
    }

    d9_3__work_on_a_lost_shard_is_dropped {
        let world = world(20);
        world.at(1.0).await;
        world.streams.lease(&[]);
        world.at(30.0).await;
        assert_eq!(world.streams.position("s"), None, "the worker's dispositions do not count any more");
        assert_eq!(world.worker.sizes(), [(0, 3)]);
        world.streams.lease(&["s"]);
        world.at(60.0).await;
        assert_eq!((world.streams.position("s"), world.worker.sizes().len()), (at(2), 2), "ours again");
    }

    /// Other hosts measure from the last renewal that they saw. When the lease ends, no work of this host may be in
    /// progress.
    d9_4__work_ends_with_a_lease_that_cannot_be_renewed {
        let world = world(10);
        world.streams.faults.plan("hold", usize::MAX, down());
        world.at(0.5).await;
        assert_eq!(world.worker.sizes(), [], "not leased yet");
        world.streams.faults.end();
        world.at(4.0).await;
        let [(began, 3)] = world.worker.sizes()[..] else { panic!("{:?}", world.worker.sizes()) };
        world.streams.faults.plan("hold", usize::MAX, down());
        world.at(40.0).await;
        assert_eq!(world.streams.position("s"), None, "the call began at {began} ms, the lease ended before it");
        assert_eq!(world.worker.sizes().len(), 1, "and nothing was begun without one");
        world.streams.faults.end();
        world.at(140.0).await;
        assert_eq!(world.streams.position("s"), at(2));
    }

    d9_5__leases_are_renewed_until_the_last_work_ends_and_then_released {
        let world = world(20);
        world.at(1.0).await;
        let ended = world.drain.finish(Duration::from_secs(30), async {
            world.at(19.0).await;
            assert_eq!(world.streams.leased(), Some(BTreeSet::from(["s".to_owned()])), "still ours");
            world.at(25.0).await;
        });
        ended.await;
        assert_eq!(world.streams.position("s"), at(2), "settled, though it took longer than a lease");
        assert_eq!(world.streams.leased(), Some(BTreeSet::new()));
    }
}
