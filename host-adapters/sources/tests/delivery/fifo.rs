//! FIFO queues (docs/delivery.md, 3.13 to 3.16): the order of a message group, whatever fails.

use crate::model::{Reply, World, ack_all, down, retry};
use crate::rows;
use host_adapters_delivery::dispatch::CallError;
use host_adapters_delivery::event::{Disposition, Event};
use host_adapters_platform::QueueBackend;
use host_adapters_records::Attribute;
use host_adapters_records::queue::Message;
use host_adapters_sources::SourceConfig;
use host_adapters_sources::sqs::SqsConfig;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

const QUEUE: &str = "q.fifo";
const DEAD_LETTERS: &str = "qDlq.fifo";

fn one_poller() -> SqsConfig {
    SqsConfig { max_concurrency: 1, ..SqsConfig::new(QUEUE) }
}

/// Sends `"a1"` and so on to the groups that their first letters name.
async fn send(world: &World, names: &[&str]) {
    let message = |name: &&str| Message { group_id: Some(name[..1].to_owned()), ..Message::new(format!("\"{name}\"")) };
    world.queues.send_batch(QUEUE, names.iter().map(message).collect()).await.unwrap();
}

fn name(event: &Event) -> String {
    event.json::<String>().unwrap()
}

/// The calls, each with its time in seconds and its records.
fn calls(world: &World) -> Vec<(u64, Vec<String>)> {
    world.worker.calls().into_iter().map(|(at, batch)| (at / 1_000, batch.iter().map(name).collect())).collect()
}

fn call(at: u64, names: &[&str]) -> (u64, Vec<String>) {
    (at, names.iter().map(ToString::to_string).collect())
}

/// Nothing is left, and this many dead letters.
fn is_done(world: &World, dead_letters: usize) {
    assert_eq!((world.queues.count(QUEUE), world.queues.count(DEAD_LETTERS)), (0, dead_letters));
}

rows! {
    d3_14__one_batch_of_a_group_at_a_time {
        let world = World::new(|batch| ack_all(batch).takes(10));
        world.start(SourceConfig::Sqs(SqsConfig { max_concurrency: 3, batch_size: 1, ..SqsConfig::new(QUEUE) }));
        send(&world, &["a1", "a2", "b1", "a3"]).await;
        world.at(100.0).await;
        assert_eq!(calls(&world), [call(0, &["a1"]), call(0, &["b1"]), call(10, &["a2"]), call(20, &["a3"])]);
        is_done(&world, 0);
    }

    d3_15__case_09_what_is_behind_a_failed_message_comes_after_it {
        let first = |event: &Event| event.attempt == 1 && name(event) == "a1";
        let world = World::new(move |batch| Reply::each(batch, |it| if first(it) { retry() } else { Disposition::Ack }));
        world.start(SourceConfig::Sqs(one_poller()));
        send(&world, &["a1", "b1", "a2", "b2", "a3"]).await;
        world.at(100.0).await;
        assert_eq!(calls(&world), [call(0, &["a1", "b1", "a2", "b2", "a3"]), call(30, &["a1", "a2", "a3"])]);
        is_done(&world, 0);
        let counted: Vec<_> = world.failures.asked().into_iter().filter(|(call, _)| *call == "count failures").collect();
        assert_eq!(counted, [("count failures", vec!["m1".to_owned()])], "those behind it have not failed");
    }

    d3_15__what_waits_in_the_host_goes_back_too {
        let first = |event: &Event| event.attempt == 1 && name(event) == "a1";
        let world = World::new(move |batch| Reply::each(batch, |it| if first(it) { retry() } else { Disposition::Ack }));
        world.start(SourceConfig::Sqs(SqsConfig { max_batch_bytes: 4, ..one_poller() }));
        send(&world, &["a1", "a2", "b1", "a3"]).await;
        world.at(100.0).await;
        let expected = [call(0, &["a1"]), call(0, &["b1"]), call(30, &["a1"]), call(30, &["a2"]), call(30, &["a3"])];
        assert_eq!(calls(&world), expected);
        is_done(&world, 0);
    }

    d3_15__an_outage_keeps_the_rest_of_the_group {
        let mut count = 0;
        let world = World::new(move |batch| {
            count += 1;
            let said = |event: &Event| if name(event) == "a1" { retry() } else { Disposition::Ack };
            if count == 1 { Reply::each(batch, said).outage("service:entry") } else { ack_all(batch) }
        });
        world.start(SourceConfig::Sqs(one_poller()));
        send(&world, &["a1", "a2", "b1"]).await;
        world.at(100.0).await;
        let batches: Vec<_> = calls(&world).into_iter().map(|(_, names)| names).collect();
        assert_eq!(batches, [call(0, &["a1", "a2", "b1"]).1, call(0, &["a1", "a2"]).1]);
        is_done(&world, 0);
        assert_eq!(world.failures.asked(), []);
    }

    /// The first of the group becomes a dead letter, so the second goes back, and no message is left for a probe.
    d3_15__an_outage_of_what_is_behind_a_dead_letter_ends {
        let mut count = 0;
        let world = World::new(move |batch| {
            count += 1;
            let reject = || Disposition::Reject("never".to_owned());
            let said = |event: &Event| if name(event) == "a1" { reject() } else { retry() };
            if count == 1 { Reply::each(batch, said).outage("service:entry") } else { ack_all(batch) }
        });
        world.start(SourceConfig::Sqs(one_poller()));
        send(&world, &["a1", "a2"]).await;
        world.at(100.0).await;
        assert_eq!(calls(&world).len(), 2);
        is_done(&world, 1);
    }

    d3_15__the_group_goes_on_after_a_dead_letter {
        let world = World::new(|batch| {
            Reply::each(batch, |event| if name(event) == "a1" { retry() } else { Disposition::Ack })
        });
        world.start(SourceConfig::Sqs(SqsConfig { max_attempts: 2, ..one_poller() }));
        world.queues.redrive_after(100);
        send(&world, &["a1", "a2"]).await;
        world.at(100.0).await;
        assert_eq!(calls(&world), [call(0, &["a1", "a2"]), call(30, &["a1", "a2"]), call(30, &["a2"])]);
        is_done(&world, 1);
    }

    d3_15__what_is_behind_a_rejected_message_waits_until_its_dead_letter_is_stored {
        let world = World::new(|batch| Reply::each(batch, |event| match name(event).as_str() {
            "a1" => Disposition::Reject("unreadable".into()),
            _ => Disposition::Ack,
        }));
        world.start(SourceConfig::Sqs(one_poller()));
        world.queues.redrive_after(100);
        send(&world, &["a1", "a2", "b1"]).await;
        world.queues.faults.plan("send", 1, down());
        world.at(100.0).await;
        assert_eq!(calls(&world), [call(0, &["a1", "a2", "b1"]), call(30, &["a1", "a2"]), call(30, &["a2"])]);
        is_done(&world, 1);
    }

    /// Whatever is held, set aside or received meanwhile.
    d7_7__refusals_of_everything_keep_the_order_of_a_group {
        let (up, done) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let (service, seen) = (up.clone(), done.clone());
        let world = World::new(move |batch| match service.load(Ordering::Relaxed) {
            true => {
                seen.lock().unwrap().extend(batch.iter().map(name));
                ack_all(batch)
            }
            false => Reply::each(batch, |_| retry()).refused("service:entry POST /x: every request is answered with 404"),
        });
        world.queues.redrive_after(100);
        world.start(SourceConfig::Sqs(SqsConfig { max_batch_bytes: 4, ..one_poller() }));
        for round in 0..10 {
            let names: Vec<String> = ["a", "b", "c"].iter().map(|group| format!("{group}{round}")).collect();
            send(&world, &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
            world.at(f64::from(round + 1) * 400.0).await;
        }
        assert_eq!((world.queues.count(QUEUE), done.lock().unwrap().len()), (30, 0));
        up.store(true, Ordering::Relaxed);
        world.at(4_200.0).await;
        is_done(&world, 0);
        for group in ["a", "b", "c"] {
            let seen: Vec<_> = done.lock().unwrap().iter().filter(|name| name.starts_with(group)).cloned().collect();
            assert_eq!(seen, (0..10).map(|round| format!("{group}{round}")).collect::<Vec<_>>());
        }
    }

    /// The group is that of the message; its id stands for its deduplication id.
    d3_16__dead_letters_keep_their_group {
        let world = World::new(|batch| match batch.iter().any(|event| name(event) == "a3") {
            true => Reply::new(Err(CallError::Permanent("malformed".into()))),
            false => ack_all(batch),
        });
        world.start(SourceConfig::Sqs(one_poller()));
        world.queues.redrive_after(100);
        send(&world, &["a1", "a2", "a3", "a4"]).await;
        world.at(100.0).await;
        let batches: Vec<_> = calls(&world).into_iter().map(|(_, names)| names).collect();
        let expected = [&["a1", "a2", "a3", "a4"][..], &["a1", "a2"], &["a3", "a4"], &["a3"], &["a4"]];
        assert_eq!(batches, expected.map(|names| call(0, names).1));
        is_done(&world, 1);
        let dead_letter = world.queues.messages(DEAD_LETTERS).remove(0);
        assert_eq!(dead_letter.group_id.as_deref(), Some("a"));
        assert_eq!(dead_letter.deduplication_id.as_deref(), Attribute::find(&dead_letter.attributes, "sourceMessageId"));
    }
}
