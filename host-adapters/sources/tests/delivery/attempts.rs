//! What counts as an attempt of a message, and where failures are counted (docs/delivery.md, 3.8 to 3.12).

use crate::model::{Reply, World, ack_all, down, retry, trap};
use crate::queue::{attribute, fill, one_poller, start};
use crate::rows;
use host_adapters_delivery::drain::{Drain, Ended};
use host_adapters_delivery::event::Disposition;
use host_adapters_sources::SourceConfig;
use std::time::Duration;

rows! {
    /// Case 06: a service is down while the host is started and drained three times.
    d3_8__case_06_what_ends_without_a_disposition_is_not_an_attempt {
        let world = World::new(|_| Reply::new(Ok(vec![])).outage("service:entry").takes(20));
        world.queues.redrive_after(100);
        fill(&world, 1);
        for start in 0..3u32 {
            let (at, drain) = (f64::from(start) * 40.0, Drain::new());
            let running = world.start_with(SourceConfig::Sqs(one_poller()), &drain);
            world.at(at + 4.0).await;
            let ended = drain.finish(Duration::from_secs(2), running.task).await.unwrap();
            assert_eq!(ended, Ended::Abandoned(1));
            world.at(at + 40.0).await;
        }
        world.worker.answers(ack_all);
        start(&world, one_poller());
        world.at(130.0).await;
        let attempts: Vec<u32> = world.worker.deliveries().into_iter().map(|(_, _, attempt)| attempt).collect();
        assert_eq!(attempts, [1, 2, 3, 4], "the delivery number goes on");
        assert_eq!((world.queues.count("q"), world.queues.count("qDlq")), (0, 0));
        assert!(world.failures.asked().iter().all(|(call, _)| *call == "forget failures"), "nothing failed");
    }

    d3_8__the_third_failure_is_the_last_however_many_receives_there_were {
        let mut calls = 0;
        let world = World::new(move |_| {
            calls += 1;
            // Every other delivery ends with its host.
            if calls % 2 == 0 { trap() } else { trap().takes(1_000) }
        });
        world.queues.redrive_after(100);
        fill(&world, 1);
        for start in 0..3u32 {
            let at = f64::from(start) * 100.0;
            let running = world.start(SourceConfig::Sqs(one_poller()));
            world.at(at + 5.0).await;
            running.kill().await;
            let running = world.start(SourceConfig::Sqs(one_poller()));
            world.at(at + 45.0).await;
            running.kill().await;
            world.at(at + 100.0).await;
        }
        assert_eq!((world.queues.count("q"), world.queues.count("qDlq")), (0, 1));
        assert_eq!(attribute(&world.queues.messages("qDlq")[0], "attempt"), "6", "the delivery number");
        assert_eq!(world.failures.kept(), Vec::<String>::new(), "forgotten where the message is settled");
    }

    /// The first two of four fail now and then.
    d3_11__a_batch_without_failures_costs_no_count {
        let world = World::new(|batch| Reply::each(batch, |event| match (event.id.as_str(), event.attempt) {
            ("m1", 1) | ("m2", 1 | 2) => retry(),
            _ => Disposition::Ack,
        }));
        start(&world, one_poller());
        fill(&world, 4);
        world.at(100.0).await;
        let ids = |ids: &[&str]| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
        let (count, forget) = ("count failures", "forget failures");
        let expected =
            [(count, ids(&["m1", "m2"])), (forget, ids(&["m1"])), (count, ids(&["m2"])), (forget, ids(&["m2"]))];
        let mut asked = world.failures.asked();
        asked.sort_by_key(|(call, ids)| expected.iter().position(|it| (it.0, &it.1) == (*call, ids)));
        assert_eq!(asked, expected);
        fill(&world, 10);
        world.at(200.0).await;
        assert_eq!((world.failures.asked().len(), world.queues.count("q")), (4, 0), "first receives, all acknowledged");
    }

    /// The second delivery is acknowledged, and its delete fails: the message has failed once all the same.
    d3_11__failures_are_forgotten_only_with_their_message {
        let mut calls = 0;
        let world = World::new(move |batch| {
            calls += 1;
            if calls == 1 || calls == 3 { trap() } else { ack_all(batch) }
        });
        world.queues.redrive_after(100);
        world.queues.faults.plan("delete", 3, down());
        start(&world, one_poller());
        fill(&world, 1);
        world.at(200.0).await;
        let calls: Vec<_> = world.failures.asked().into_iter().map(|(call, _)| call).collect();
        assert_eq!(calls, ["count failures", "count failures", "forget failures"]);
        assert_eq!((world.worker.deliveries().len(), world.queues.count("q")), (4, 0));
    }

    /// While failures cannot be counted, none is the last; the queue's own redrive ends it.
    d3_12__a_table_of_failures_that_is_down_loses_nothing {
        let world = World::new(|_| trap());
        world.queues.redrive_after(5);
        world.failures.faults.plan("count failures", 3, down());
        start(&world, one_poller());
        fill(&world, 1);
        world.at(400.0).await;
        assert_eq!(world.worker.deliveries().len(), 5);
        assert_eq!((world.queues.count("q"), world.queues.count("qDlq")), (0, 1));
        fill(&world, 1);
        world.at(800.0).await;
        assert_eq!(world.worker.deliveries().len(), 5 + 3, "it is up again");
    }

    /// A queue counts receives: a host that dies with a message has used one up.
    d3_9__a_message_without_receives_left_goes_to_the_dlq_without_a_call {
        let world = World::new(|batch| ack_all(batch).takes(10));
        fill(&world, 1);
        for death in 0..3u32 {
            let running = world.start(SourceConfig::Sqs(one_poller()));
            world.at(f64::from(death) * 40.0 + 5.0).await;
            running.kill().await;
            world.at(f64::from(death) * 40.0 + 40.0).await;
        }
        assert_eq!(world.queues.count("q"), 1, "exactly max_receive_count receives: still there");
        start(&world, one_poller());
        world.at(300.0).await;
        let attempts: Vec<u32> = world.worker.deliveries().into_iter().map(|(_, _, attempt)| attempt).collect();
        assert_eq!(attempts, [1, 2, 3]);
        assert_eq!((world.queues.count("q"), world.queues.count("qDlq")), (0, 1));
    }
}
