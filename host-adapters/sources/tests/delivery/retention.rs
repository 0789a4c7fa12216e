//! Messages that wait until shortly before their queue drops them (docs/delivery.md, 3.18).

use crate::model::{Reply, World, retry};
use crate::pause_and_drain::{ROUTE, fill, sqs};
use crate::rows;
use host_adapters_delivery::event::{Attribute, Disposition, Event};
use host_adapters_platform::QueueSpec;
use host_adapters_sources::sqs::SqsConfig;
use std::collections::BTreeSet;

/// A queue whose messages are all refused.
fn refusing(retention_secs: u32, max_concurrency: usize) -> World {
    let world = World::new(|batch| Reply::each(batch, |_| Disposition::retry("status 404")).refused(ROUTE));
    world.queues.redrive_after(QueueSpec::default().max_receive_count);
    world.start(sqs(SqsConfig { retention_secs, max_concurrency, ..SqsConfig::new("q") }));
    world
}

rows! {
    /// Refused, in an outage, or without capacity: whatever it waits for, the queue does not drop it.
    d3_18__a_message_that_waits_is_a_dead_letter_before_its_queue_drops_it {
        let replies: [fn(&[Event]) -> Reply; 3] = [
            |batch| Reply::each(batch, |_| Disposition::retry("status 404")).refused(ROUTE),
            |batch| Reply::each(batch, |_| Disposition::retry("status 404")).outage("service:entry"),
            |batch| Reply::each(batch, |_| Disposition::retry_after(Some(12 * 3600 * 1000), "status 404")),
        ];
        for (reply, retention_secs) in replies.into_iter().flat_map(|reply| [(reply, 4 * 24 * 3600), (reply, 3600)]) {
            let world = World::new(reply);
            world.queues.redrive_after(QueueSpec::default().max_receive_count);
            world.start(sqs(SqsConfig { retention_secs, ..SqsConfig::new("q") }));
            fill(&world, 1);
            let (end, margin) = (f64::from(retention_secs), (f64::from(retention_secs) / 4.0).min(7200.0));
            world.at(end - margin - 60.0).await;
            assert_eq!((world.queues.count("q"), world.queues.count("qDlq")), (1, 0), "{retention_secs}");
            world.at(end - 60.0).await;
            assert_eq!((world.queues.count("q"), world.queues.count("qDlq")), (0, 1), "{retention_secs}");
            let dead = world.queues.messages("qDlq").remove(0);
            let reason = "status 404; given up, because its queue is about to drop it at the end of its retention";
            assert_eq!(Attribute::find(&dead.attributes, "reason"), Some(reason));
        }
    }

    /// A backlog of days: what fails has its attempts.
    d3_18__an_old_message_that_fails_has_all_its_attempts {
        let world = World::new(|batch| Reply::each(batch, |_| retry()));
        fill(&world, 1);
        world.at(4.0 * 24.0 * 3600.0 - 600.0).await;
        world.start(sqs(SqsConfig::new("q")));
        world.at(4.0 * 24.0 * 3600.0 - 1.0).await;
        assert_eq!((world.worker.deliveries().len(), world.queues.count("qDlq")), (3, 1));
    }

    /// Also what is set aside, and the batch that is kept while there are others.
    d3_18__what_refusals_set_aside_is_a_dead_letter_before_its_queue_drops_it {
        for (retention_secs, pollers) in [(1800, 1), (3600, 1), (3600, 2), (2 * 3600, 1), (4 * 3600, 2)] {
            let world = refusing(retention_secs, pollers);
            fill(&world, 40);
            let (end, margin) = (f64::from(retention_secs), f64::from(retention_secs) / 4.0);
            world.at(end - margin - 60.0).await;
            assert_eq!((world.queues.count("q"), world.queues.count("qDlq")), (40, 0), "{retention_secs}");
            world.at(end - 10.0).await;
            assert_eq!((world.queues.count("q"), world.queues.count("qDlq")), (0, 40), "{retention_secs}");
        }
    }

    /// More new messages than the probes can use. Those that came first are kept in flight meanwhile.
    d3_18__what_is_kept_is_a_dead_letter_before_its_queue_drops_it_although_others_come {
        let world = refusing(3600, 1);
        for minute in 0..58 {
            world.at(f64::from(minute) * 60.0).await;
            fill(&world, 100);
        }
        let id = |attributes: &[Attribute]| Attribute::find(attributes, "sourceMessageId").unwrap().to_owned();
        let dead: BTreeSet<_> = world.queues.messages("qDlq").iter().map(|it| id(&it.attributes)).collect();
        let first: BTreeSet<_> = (1..=10).map(|n| format!("m{n}")).collect();
        assert!(dead.is_superset(&first), "{dead:?}");
    }
}
