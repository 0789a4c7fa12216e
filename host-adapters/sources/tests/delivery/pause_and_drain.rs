//! Outages and drains: an outage uses up no attempt, and nothing is lost when the host ends (docs/delivery.md, 7 and 8).

use crate::model::{Reply, Request, World, ack_all, down, name, retry, trap};
use crate::rows;
use host_adapters_delivery::dispatch::CallError;
use host_adapters_delivery::drain::Ended;
use host_adapters_delivery::event::{Attribute, Disposition, Event};
use host_adapters_platform::{Checkpoint, QueueSpec};
use host_adapters_sources::SourceConfig;
use host_adapters_sources::dynamodb_stream::DynamodbStreamConfig;
use host_adapters_sources::sqs::SqsConfig;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A worker whose service can be switched off. It then retries all records except `m1`.
fn with_service(up: &Arc<AtomicBool>) -> impl FnMut(&[Event]) -> Reply + Send + 'static {
    let up = up.clone();
    move |batch| match up.load(Ordering::Relaxed) {
        true => ack_all(batch),
        false => Reply::each(batch, |event| if event.id == "m1" { Disposition::Ack } else { retry() })
            .outage("service:entry"),
    }
}

/// The text of the host about a route that refuses every request.
pub(super) const ROUTE: &str = "service:entry POST /{campaignId}/entries: every request is answered with 404";

const REFUSED: &str = "the entry service refused with status 500: no";
const TRAPPED: &str = "worker trapped: unreachable";

fn refusal(is_refused: bool) -> Disposition {
    if is_refused { Disposition::retry(REFUSED) } else { Disposition::Ack }
}

/// A worker whose service refuses these records. It needs no service for the others.
fn refuses(numbers: &[u64]) -> impl FnMut(&[Event]) -> Reply + Send + 'static {
    let refused: Vec<String> = numbers.iter().map(|number| name(*number)).collect();
    move |batch| {
        let reply = Reply::each(batch, |event| refusal(refused.contains(&event.id)));
        if batch.iter().any(|event| refused.contains(&event.id)) { reply.refused(ROUTE) } else { reply }
    }
}

/// The records in the stream's dead letter queue, each with its reason.
fn given_up(world: &World) -> Vec<(String, String)> {
    let dead_letters = world.queues.messages("saveEntriesDlq").into_iter();
    dead_letters
        .map(|dead_letter| {
            let body: serde_json::Value = serde_json::from_str(&dead_letter.body).unwrap();
            let id = body["DDBStreamBatchInfo"]["startSequenceNumber"].as_str().unwrap().to_owned();
            (id, Attribute::find(&dead_letter.attributes, "reason").unwrap().to_owned())
        })
        .collect()
}

pub(super) fn sqs(config: SqsConfig) -> SourceConfig {
    SourceConfig::Sqs(config)
}

fn stream() -> SourceConfig {
    SourceConfig::DynamodbStream(DynamodbStreamConfig { maximum_retry_attempts: 0, ..DynamodbStreamConfig::new("t") })
}

pub(super) fn fill(world: &World, count: usize) {
    world.queues.put("q", (0..count).map(|n| n.to_string()));
}

rows! {
    /// An hour without the service: no receive is used up, no message leaves, the batch in flight is the probe.
    d7_1__a_queue_survives_an_outage {
        let up = Arc::new(AtomicBool::new(false));
        let world = World::new(with_service(&up));
        let running = world.start(sqs(SqsConfig { max_concurrency: 1, ..SqsConfig::new("q") }));
        fill(&world, 30);
        world.at(3600.0).await;
        let paused = running.source.status().paused.unwrap();
        assert_eq!((paused.reason.as_str(), paused.for_secs), ("service:entry", 3600));
        assert!(paused.probe_in_secs <= 60);
        assert_eq!(world.queues.receives().len(), 1, "polling stopped");
        assert_eq!(world.queues.asked("q")[0].1, Request::Deleted("m1".into()), "what was done is not undone");
        let calls = world.worker.sizes();
        assert!((60..200).contains(&calls.len()), "{} probes in an hour", calls.len());
        assert!(calls[1..].iter().all(|(_, size)| *size == 9), "always the same batch");

        up.store(true, Ordering::Relaxed);
        world.at(3700.0).await;
        assert_eq!(running.source.status().paused, None);
        assert_eq!((world.queues.count("q"), world.queues.count("qDlq")), (0, 0));
        let last = world.worker.calls().pop().unwrap().1;
        assert!(last.iter().all(|event| event.attempt == 1), "the next batch is a first attempt");
        let attempts = world.worker.deliveries().into_iter().filter(|(_, id, _)| id == "m2").map(|(_, _, n)| n);
        assert_eq!(attempts.collect::<Vec<_>>(), (1..=calls.len() as u32 + 1).collect::<Vec<_>>(), "each delivery shows");
    }

    d7_2__one_probe_for_all_pollers {
        let up = Arc::new(AtomicBool::new(false));
        let mut answer = with_service(&up);
        let world = World::new(move |batch| answer(batch).takes(1));
        world.start(sqs(SqsConfig { max_concurrency: 4, ..SqsConfig::new("q") }));
        fill(&world, 100);
        world.at(300.0).await;
        let calls = world.worker.sizes();
        assert!(calls[..4].iter().all(|(at, _)| *at == 0), "all four met the outage");
        let probes = &calls[4..];
        assert!(probes.windows(2).all(|pair| pair[1].0 - pair[0].0 >= 1_000), "one at a time: {probes:?}");
        assert_eq!(world.queues.visible("q"), 60, "the rest was never received");
        up.store(true, Ordering::Relaxed);
        world.at(400.0).await;
        assert_eq!((world.queues.count("q"), world.queues.count("qDlq")), (0, 0));
    }

    d7_3__an_outage_that_kept_no_record_from_success_pauses_nothing {
        let world = World::new(|batch| ack_all(batch).outage("service:entry"));
        let running = world.start(sqs(SqsConfig::new("q")));
        fill(&world, 1);
        world.at(1.0).await;
        assert_eq!(running.source.status().paused, None);
        assert_eq!(world.queues.count("q"), 0);
    }

    d7_4__a_worker_that_cannot_be_called_is_an_outage {
        let world = World::new(|_| Reply::new(Err(CallError::NotCallable("does not compile".into()))));
        let running = world.start(sqs(SqsConfig::new("q")));
        fill(&world, 1);
        world.at(600.0).await;
        assert_eq!(running.source.status().paused.unwrap().reason, "worker:save-entries: does not compile");
        assert_eq!((world.queues.count("q"), world.queues.count("qDlq")), (1, 0));
        world.worker.answers(ack_all);
        world.at(700.0).await;
        assert_eq!(world.queues.count("q"), 0);
    }

    /// A day of a wrong path: no attempt is used up, the probes are made with whatever the queue gives, and its own redrive,
    /// which counts receives, moves nothing.
    d7_7__refusals_of_everything_pause_a_queue_and_use_no_attempt {
        let up = Arc::new(AtomicBool::new(false));
        let service = up.clone();
        let world = World::new(move |batch| match service.load(Ordering::Relaxed) {
            true => ack_all(batch),
            false => Reply::each(batch, |_| retry()).refused(ROUTE),
        });
        world.queues.redrive_after(QueueSpec::default().max_receive_count);
        let running = world.start(sqs(SqsConfig { max_concurrency: 2, ..SqsConfig::new("q") }));
        fill(&world, 30);
        world.at(3600.0).await;
        assert_eq!(running.source.status().paused.unwrap().reason, ROUTE);
        assert_eq!((world.queues.count("q"), world.queues.count("qDlq")), (30, 0));
        let calls = world.worker.sizes();
        assert!((60..250).contains(&calls.len()), "{} probes in an hour", calls.len());
        let tried: BTreeSet<_> = world.worker.deliveries().into_iter().map(|(_, id, _)| id).collect();
        assert_eq!(tried.len(), 30, "whatever the queue gives");
        world.at(24.5 * 3600.0).await;
        assert_eq!((world.queues.count("q"), world.queues.count("qDlq")), (30, 0));
        assert!(world.queues.most_receives("q") <= 26, "{} receives in a day", world.queues.most_receives("q"));
        up.store(true, Ordering::Relaxed);
        world.at(24.5 * 3600.0 + 100.0).await;
        assert_eq!(running.source.status().paused, None);
        assert_eq!((world.queues.count("q"), world.queues.count("qDlq")), (0, 0));
    }

    /// A load balancer answers 503 now and then, and the service behind it 500.
    d7_7__refusals_between_outages_use_few_receives_too {
        let mut count = 0;
        let world = World::new(move |batch| {
            count += 1;
            let reply = Reply::each(batch, |_| retry());
            if count % 5 == 0 { reply.outage("service:entry") } else { reply.refused(ROUTE) }
        });
        world.queues.redrive_after(QueueSpec::default().max_receive_count);
        world.start(sqs(SqsConfig { max_concurrency: 1, ..SqsConfig::new("q") }));
        fill(&world, 30);
        world.at(24.0 * 3600.0).await;
        assert_eq!((world.queues.count("q"), world.queues.count("qDlq")), (30, 0));
        assert!(world.queues.most_receives("q") <= 26, "{} receives in a day", world.queues.most_receives("q"));
    }

    /// All probes are made with the one message there is, which is received again only every 12 hours.
    d7_7__one_message_is_not_moved_by_days_of_refusals {
        let world = World::new(|batch| Reply::each(batch, |_| retry()).refused(ROUTE));
        world.queues.redrive_after(QueueSpec::default().max_receive_count);
        world.start(sqs(SqsConfig::new("q")));
        fill(&world, 1);
        world.at(11.0 * 3600.0).await;
        assert!(world.worker.sizes().len() > 600, "{} probes", world.worker.sizes().len());
        assert_eq!(world.queues.most_receives("q"), 1);
        world.at(93.0 * 3600.0).await;
        assert_eq!((world.queues.count("q"), world.queues.count("qDlq")), (1, 0));
        assert!(world.queues.most_receives("q") <= 9, "{} receives", world.queues.most_receives("q"));
        world.worker.answers(ack_all);
        world.at(93.0 * 3600.0 + 100.0).await;
        assert_eq!((world.queues.count("q"), world.queues.count("qDlq")), (0, 0));
    }

    d8_4__what_refusals_set_aside_goes_back_at_once_too {
        let world = World::new(|batch| Reply::each(batch, |_| retry()).refused(ROUTE));
        let running = world.start(sqs(SqsConfig { max_concurrency: 1, ..SqsConfig::new("q") }));
        fill(&world, 40);
        world.at(900.0).await;
        assert_eq!(world.queues.visible("q"), 0, "held, or set aside");
        let ended = world.drain.finish(Duration::from_secs(30), running.task).await.unwrap();
        assert_eq!((ended, world.now_ms()), (Ended::Abandoned(40), 900_000));
        assert_eq!(world.queues.visible("q"), 40);
    }

    /// Alone it looks like an outage. Records that come later are handled all the same, and show whose fault it was.
    d7_7__a_record_that_is_refused_alone_stops_no_others_and_is_given_up_after_its_attempts {
        let worked = Arc::new(AtomicBool::new(false));
        let world = World::new(move |batch| {
            let reply = Reply::each(batch, |event| match event.id.as_str() {
                "m1" => Disposition::retry("service entry: 500"),
                _ => Disposition::Ack,
            });
            if batch.iter().any(|event| event.id != "m1") {
                worked.store(true, Ordering::Relaxed);
            }
            if worked.load(Ordering::Relaxed) { reply } else { reply.refused(ROUTE) }
        });
        let running = world.start(sqs(SqsConfig { max_concurrency: 1, ..SqsConfig::new("q") }));
        fill(&world, 1);
        world.at(600.0).await;
        assert_eq!(running.source.status().paused.unwrap().reason, ROUTE);
        assert_eq!((world.queues.count("q"), world.queues.count("qDlq")), (1, 0), "nothing tells whose fault it is");
        fill(&world, 5);
        world.at(700.0).await;
        assert_eq!(running.source.status().paused, None);
        assert_eq!(world.queues.count("q") + world.queues.count("qDlq"), 1, "the others are done");
        world.at(900.0).await;
        assert_eq!((world.queues.count("q"), world.queues.count("qDlq")), (0, 1));
        let dead_letter = world.queues.messages("qDlq").remove(0);
        let details: serde_json::Value =
            serde_json::from_str(Attribute::find(&dead_letter.attributes, "details").unwrap()).unwrap();
        assert!(details["attempted"].as_array().unwrap().len() > 3, "the probes are attempts, too: {details}");
    }

    d7_7__refusals_of_everything_pause_a_stream_without_a_retry {
        let up = Arc::new(AtomicBool::new(false));
        let service = up.clone();
        let world = World::new(move |batch| match service.load(Ordering::Relaxed) {
            true => ack_all(batch),
            false => Reply::each(batch, |_| retry()).refused(ROUTE),
        });
        world.streams.open("s", None);
        world.streams.put_range("s", 0..5);
        let running = world.start(stream());
        world.at(3600.0).await;
        assert_eq!(running.source.status().paused.unwrap().reason, ROUTE);
        up.store(true, Ordering::Relaxed);
        world.at(3700.0).await;
        assert_eq!((running.source.status().paused, world.queues.count("saveEntriesDlq")), (None, 0));
    }

    /// Nothing else calls the service, so nothing tells whose fault it is. The others of the shard wait for minutes at most.
    d7_8__a_record_refused_alone_on_a_stream_is_given_up_and_the_others_go_on {
        let world = World::new(refuses(&[1]));
        world.streams.open("s", None);
        world.streams.put_range("s", 0..5);
        let running = world.start(SourceConfig::DynamodbStream(DynamodbStreamConfig::new("t")));
        world.at(59.0).await;
        assert_eq!((running.source.status().paused.unwrap().reason.as_str(), given_up(&world)), (ROUTE, vec![]));
        world.at(240.0).await;
        assert_eq!(given_up(&world), [(name(1), REFUSED.to_owned())]);
        assert_eq!(world.streams.position("s"), Some(Checkpoint::At(name(4))));
        assert_eq!(running.source.status().paused, None);
        let attempts = world.worker.deliveries().into_iter().filter(|(_, id, _)| *id == name(1)).count();
        assert!(attempts > 3, "its retries come first: {attempts}");
    }

    /// What comes later goes with the next probe. If it gets through, the refusals were the record's own (7.7).
    d7_8__records_that_come_later_show_whose_fault_it_is {
        let world = World::new(|batch| {
            let reply = Reply::each(batch, |event| refusal(event.id == name(0)));
            if batch.len() == 1 { reply.refused(ROUTE) } else { reply }
        });
        world.streams.open("s", None);
        world.streams.put_range("s", 0..1);
        let config = DynamodbStreamConfig { maximum_retry_attempts: 1, ..DynamodbStreamConfig::new("t") };
        world.start(SourceConfig::DynamodbStream(config));
        world.at(20.0).await;
        assert_eq!(given_up(&world), []);
        world.streams.put_range("s", 1..5);
        world.at(59.0).await;
        assert_eq!(given_up(&world), [(name(0), REFUSED.to_owned())]);
        assert_eq!(world.streams.position("s"), Some(Checkpoint::At(name(4))));
    }

    /// An hour of a wrong path, which begins with a record that comes alone.
    d7_8__records_that_are_all_refused_are_an_outage {
        let world = World::new(|batch| Reply::each(batch, |_| refusal(true)).refused(ROUTE));
        world.streams.open("s", None);
        world.streams.put_range("s", 0..1);
        let running = world.start(stream());
        world.at(30.0).await;
        world.streams.put_range("s", 1..5);
        world.at(3600.0).await;
        assert_eq!((running.source.status().paused.unwrap().reason.as_str(), given_up(&world)), (ROUTE, vec![]));
        world.worker.answers(ack_all);
        world.at(3700.0).await;
        assert_eq!((running.source.status().paused, given_up(&world)), (None, vec![]));
        assert_eq!(world.streams.position("s"), Some(Checkpoint::At(name(4))));
    }

    /// The first record has its batch halved until it stands alone. As it is given up, the service is gone: what is left of
    /// the batch is refused in pieces of one, two and four records.
    d7_8__what_was_halved_before_an_outage_does_not_stand_alone_in_it {
        let gone = Arc::new(AtomicBool::new(false));
        let goes = gone.clone();
        let world = World::new(move |batch| match batch[0].id == name(0) {
            true => {
                goes.store(batch.len() == 1, Ordering::Relaxed);
                trap()
            }
            false => Reply::each(batch, |_| refusal(gone.load(Ordering::Relaxed))).refused(ROUTE),
        });
        world.streams.open("s", None);
        world.streams.put_range("s", 0..8);
        let config = DynamodbStreamConfig { maximum_retry_attempts: 0, ..DynamodbStreamConfig::new("t") };
        let running = world.start(SourceConfig::DynamodbStream(config));
        world.at(3600.0).await;
        assert_eq!(running.source.status().paused.unwrap().reason, ROUTE);
        assert_eq!(given_up(&world), [(name(0), TRAPPED.to_owned())]);
        world.worker.answers(ack_all);
        world.at(3700.0).await;
        assert_eq!((running.source.status().paused, given_up(&world).len()), (None, 1));
        assert_eq!(world.streams.position("s"), Some(Checkpoint::At(name(7))));
    }

    /// Together they fail as a whole, for what the second one does; alone the first one seems to be in an outage. That they
    /// were put together once is enough: else neither would ever be given up.
    d7_8__a_record_that_was_cut_off_for_its_refusals_is_given_up_and_so_is_the_next {
        let world = World::new(|batch| match batch.iter().any(|event| event.id == name(1)) {
            true => trap(),
            false => {
                let reply = Reply::each(batch, |event| refusal(event.id == name(0)));
                if batch[0].id == name(0) { reply.refused(ROUTE) } else { reply }
            }
        });
        world.streams.open("s", None);
        world.streams.put_range("s", 0..4);
        world.start(stream());
        world.at(59.0).await;
        assert_eq!(given_up(&world), []);
        let whole = world.worker.sizes().into_iter().filter(|(_, size)| *size == 4).count();
        assert_eq!(whole, 2, "when they came, and once after the first refusal");
        world.at(400.0).await;
        assert_eq!(given_up(&world), [(name(0), REFUSED.to_owned()), (name(1), TRAPPED.to_owned())]);
        assert_eq!(world.streams.position("s"), Some(Checkpoint::At(name(3))));
    }

    /// So an outage in which few records come costs few of them.
    d7_8__each_record_that_is_given_up_doubles_the_time_of_the_next {
        let world = World::new(refuses(&[0, 1, 2]));
        world.streams.open("s", None);
        world.streams.put_range("s", 0..4);
        let config = DynamodbStreamConfig { batch_size: 1, maximum_retry_attempts: 0, ..DynamodbStreamConfig::new("t") };
        world.start(SourceConfig::DynamodbStream(config));
        for (at, most) in [(59.0, 0), (179.0, 1), (419.0, 2), (1200.0, 3)] {
            world.at(at).await;
            assert!(given_up(&world).len() <= most, "{:?} at {at}", given_up(&world));
        }
        assert_eq!(given_up(&world).len(), 3);
        assert_eq!(world.streams.position("s"), Some(Checkpoint::At(name(3))));
    }

    d7_8__with_endless_retries_the_age_of_the_record_is_its_end {
        let world = World::new(refuses(&[0]));
        world.streams.open("s", None);
        world.streams.put_range("s", 0..2);
        let config = DynamodbStreamConfig {
            maximum_retry_attempts: -1, maximum_record_age_secs: 3600, ..DynamodbStreamConfig::new("t")
        };
        world.start(SourceConfig::DynamodbStream(config));
        world.at(3500.0).await;
        assert_eq!(given_up(&world), []);
        world.at(3700.0).await;
        assert_eq!(given_up(&world).len(), 2, "both are too old");
    }

    d7_5__a_queue_that_is_down_pauses_and_resumes {
        let world = World::new(ack_all);
        world.queues.faults.plan("receive", 8, down());
        let running = world.start(sqs(SqsConfig::new("q")));
        fill(&world, 1);
        world.at(0.5).await;
        assert_eq!(running.source.status().paused.unwrap().reason, "sqs:q: connection refused");
        world.at(600.0).await;
        assert_eq!(running.source.status().paused, None);
        assert_eq!(world.queues.count("q"), 0);
    }

    d7_1__a_stream_survives_an_outage_without_a_retry {
        let up = Arc::new(AtomicBool::new(false));
        let world = World::new(with_service(&up));
        world.streams.open("s", None);
        world.streams.put_range("s", 0..5);
        let running = world.start(stream());
        world.at(3600.0).await;
        assert_eq!(running.source.status().paused.unwrap().reason, "service:entry");
        assert!(world.worker.sizes().iter().all(|(_, size)| *size == 5), "never split");
        up.store(true, Ordering::Relaxed);
        world.at(3700.0).await;
        assert_eq!(world.queues.count("saveEntriesDlq"), 0);
        assert_eq!(world.streams.position("s"), Some(Checkpoint::At(name(4))));
        let attempts: Vec<u32> = world.worker.calls().iter().map(|(_, batch)| batch[0].attempt).collect();
        assert_eq!(attempts, (1..=attempts.len() as u32).collect::<Vec<_>>());
    }

    d7_5__a_stream_that_is_down_pauses_and_resumes {
        let world = World::new(ack_all);
        world.streams.open("s", None);
        world.streams.put_range("s", 0..5);
        for call in ["shards", "checkpoint", "records"] {
            world.streams.faults.plan(call, 3, down());
        }
        let running = world.start(stream());
        world.at(0.5).await;
        assert_eq!(running.source.status().paused.unwrap().reason, "dynamodb-stream:t: connection refused");
        world.at(600.0).await;
        assert_eq!(running.source.status().paused, None);
        assert_eq!(world.worker.sizes().len(), 1);
    }

    d8_1__calls_in_flight_end_and_no_new_one_begins {
        let world = World::new(|batch| ack_all(batch).takes(10));
        let running = world.start(sqs(SqsConfig { max_concurrency: 1, ..SqsConfig::new("q") }));
        fill(&world, 25);
        world.at(3.0).await;
        let ended = world.drain.finish(Duration::from_secs(30), running.task).await.unwrap();
        assert_eq!((ended, world.now_ms()), (Ended::Drained, 10_000));
        assert_eq!((world.worker.sizes().len(), world.queues.visible("q")), (1, 15));
    }

    d8_2__at_the_deadline_the_rest_is_visible_at_once {
        let world = World::new(|batch| ack_all(batch).takes(1_000));
        let running = world.start(sqs(SqsConfig { max_concurrency: 2, ..SqsConfig::new("q") }));
        fill(&world, 15);
        world.at(3.0).await;
        let ended = world.drain.finish(Duration::from_secs(30), running.task).await.unwrap();
        assert_eq!((ended, world.now_ms()), (Ended::Abandoned(15), 33_000));
        assert_eq!(world.queues.visible("q"), 15);
    }

    d8_3__a_batch_that_waits_for_its_window_is_handed_over_at_once {
        let world = World::new(ack_all);
        let running = world.start(sqs(SqsConfig { batch_window_secs: 100, max_concurrency: 1, ..SqsConfig::new("q") }));
        fill(&world, 3);
        world.at(5.0).await;
        let ended = world.drain.finish(Duration::from_secs(30), running.task).await.unwrap();
        assert_eq!((ended, world.worker.sizes()), (Ended::Drained, vec![(5_000, 3)]));
        assert_eq!(world.queues.count("q"), 0, "no receive is used up for nothing");
    }

    d8_4__a_paused_source_gives_its_batch_back_at_once {
        let up = Arc::new(AtomicBool::new(false));
        let world = World::new(with_service(&up));
        let running = world.start(sqs(SqsConfig { max_concurrency: 1, ..SqsConfig::new("q") }));
        fill(&world, 3);
        world.at(0.9).await;
        let ended = world.drain.finish(Duration::from_secs(30), running.task).await.unwrap();
        assert_eq!((ended, world.now_ms()), (Ended::Abandoned(2), 900));
        assert_eq!(world.queues.visible("q"), 2);
    }

    d8_5__an_idle_source_ends_at_once {
        let world = World::new(ack_all);
        world.streams.open("s", None);
        let (queue, stream) = (world.start(sqs(SqsConfig::new("q"))), world.start(stream()));
        world.at(5.0).await;
        let both = async { (queue.task.await.unwrap(), stream.task.await.unwrap()) };
        let ended = world.drain.finish(Duration::from_secs(30), both).await;
        assert_eq!((ended, world.now_ms()), ((Ended::Drained, Ended::Drained), 5_000));
    }

    d8_1__a_stream_ends_its_call_and_stores_its_checkpoint {
        let world = World::new(|batch| ack_all(batch).takes(10));
        world.streams.open("s", None);
        world.streams.put_range("s", 0..250);
        let running = world.start(stream());
        world.at(3.0).await;
        let ended = world.drain.finish(Duration::from_secs(30), running.task).await.unwrap();
        assert_eq!((ended, world.now_ms()), (Ended::Drained, 10_000));
        assert_eq!(world.streams.position("s"), Some(Checkpoint::At(name(99))));
    }

    d8_2__a_stream_abandons_its_call_at_the_deadline {
        let world = World::new(|batch| ack_all(batch).takes(1_000));
        world.streams.open("s", None);
        world.streams.put_range("s", 0..5);
        let running = world.start(stream());
        world.at(3.0).await;
        let ended = world.drain.finish(Duration::from_secs(30), running.task).await.unwrap();
        assert_eq!((ended, world.now_ms()), (Ended::Abandoned(5), 33_000));
        assert_eq!(world.streams.position("s"), None, "a restart delivers them again");
    }

    /// A tenth of all calls of the models fails at random for an hour: nothing is lost, nothing is given up.
    d7_6__nothing_is_lost_while_a_tenth_of_all_calls_fails {
        for seed in 0..10 {
            let world = World::seeded(seed, ack_all);
            for call in ["receive", "send", "delete", "visibility"] {
                world.queues.faults.chance(call, 0.1);
            }
            for call in ["shards", "records", "checkpoint", "set checkpoint"] {
                world.streams.faults.chance(call, 0.1);
            }
            world.streams.open("s", None);
            world.streams.put_range("s", 0..500);
            fill(&world, 500);
            let (queue, stream) = (world.start(sqs(SqsConfig::new("q"))), world.start(stream()));
            world.at(3600.0).await;
            assert_eq!((world.queues.count("q"), world.queues.count("qDlq")), (0, 0), "seed {seed}");
            assert_eq!(world.streams.position("s"), Some(Checkpoint::At(name(499))), "seed {seed}");
            let both = async { (queue.task.await.unwrap(), stream.task.await.unwrap()) };
            world.drain.finish(Duration::from_secs(30), both).await;
        }
    }
}
