//! How the messages of a queue are settled (docs/delivery.md, 2, 3 and 6).

use crate::model::{Lines, Reply, Request, World, ack_all, down, retry, trap};
use crate::rows;
use host_adapters_delivery::OnReject;
use host_adapters_delivery::dead_letter::DeadLetter;
use host_adapters_delivery::dispatch::CallError;
use host_adapters_delivery::drain::Ended;
use host_adapters_delivery::event::{Attribute, AttributeValue, Disposition, Event};
use host_adapters_platform::limits::message::MAX_MESSAGE_BYTES;
use host_adapters_platform::{QueueSpec, Received};
use host_adapters_records::queue::Message;
use host_adapters_sources::SourceConfig;
use host_adapters_sources::sqs::SqsConfig;
use std::time::Duration;

pub fn one_poller() -> SqsConfig {
    SqsConfig { max_concurrency: 1, ..SqsConfig::new("q") }
}

pub fn start(world: &World, config: SqsConfig) {
    world.start(SourceConfig::Sqs(config));
}

/// `count` messages at the beginning, `m1` and so on.
pub fn fill(world: &World, count: usize) {
    world.queues.put("q", (0..count).map(|n| format!(r#"{{"n":{n}}}"#)));
}

fn reject(reason: &str) -> Disposition {
    Disposition::Reject(reason.to_owned())
}

pub fn attribute<'a>(message: &'a Message, name: &str) -> &'a str {
    let found = Attribute::find(&message.attributes, name);
    found.unwrap_or_else(|| panic!("no {name} in {:?}", message.attributes))
}

/// Sends two messages to a worker that answers `first`, then acknowledges. Returns what was delivered when.
async fn deliveries_after(first: fn(&[Event]) -> Reply) -> Vec<(u64, String, u32)> {
    let mut calls = 0;
    let world = World::new(move |batch| {
        calls += 1;
        if calls == 1 { first(batch) } else { ack_all(batch) }
    });
    start(&world, one_poller());
    fill(&world, 2);
    world.at(200.0).await;
    assert_eq!(world.queues.count("q"), 0);
    world.worker.deliveries()
}

fn delivered(at: u64, id: &str, attempt: u32) -> (u64, String, u32) {
    (at, id.to_owned(), attempt)
}

rows! {
    d3_1__success_deletes_the_batch {
        let world = World::new(ack_all);
        start(&world, one_poller());
        fill(&world, 10);
        world.at(1.0).await;
        assert_eq!(world.queues.count("q"), 0);
        assert_eq!(world.worker.sizes(), [(0, 10)]);
    }

    d3_2__an_error_leaves_all_until_the_visibility_timeout {
        let deliveries = deliveries_after(|_| trap()).await;
        let expected = [delivered(0, "m1", 1), delivered(0, "m2", 1), delivered(30_000, "m1", 2), delivered(30_000, "m2", 2)];
        assert_eq!(deliveries, expected);
    }

    d3_2__a_retry_leaves_its_message_until_the_visibility_timeout {
        let first = |batch: &[Event]| Reply::each(batch, |event| if event.id == "m1" { retry() } else { Disposition::Ack });
        assert_eq!(deliveries_after(first).await[2..], [delivered(30_000, "m1", 2)]);
    }

    d3_2__the_timeout_is_a_setting_of_the_source {
        let world = World::new(|batch| if batch[0].attempt == 1 { trap() } else { ack_all(batch) });
        start(&world, SqsConfig { visibility_timeout_secs: 7, ..one_poller() });
        fill(&world, 1);
        world.at(20.0).await;
        assert_eq!(world.worker.deliveries(), [delivered(0, "m1", 1), delivered(7_000, "m1", 2)]);
    }

    /// A 429 in the worker delays only the records concerned.
    d2_3__a_retry_with_a_time_delays_that_record_only {
        let first = |batch: &[Event]| {
            let later = |secs: u64| Disposition::retry_after(Some(secs * 1000), "busy");
            Reply::each(batch, |event| later(if event.id == "m1" { 90 } else { 5 }))
        };
        assert_eq!(deliveries_after(first).await[2..], [delivered(5_000, "m2", 2), delivered(90_000, "m1", 2)]);
    }

    d2_4__a_rejected_record_is_not_tried_again {
        let world = World::new(|batch| Reply::each(batch, |_| reject("stale: newer item")));
        start(&world, SqsConfig { on_reject: OnReject::Drop, ..one_poller() });
        fill(&world, 2);
        world.at(100.0).await;
        assert_eq!(world.worker.deliveries().len(), 2);
        assert_eq!((world.queues.count("q"), world.queues.count("qDlq")), (0, 0));
    }

    d2_5__a_skipped_record_is_done_and_never_a_dead_letter {
        let world = World::new(|batch| Reply::each(batch, |_| Disposition::Skip("stale: newer item".to_owned())));
        start(&world, one_poller());
        fill(&world, 2);
        world.at(100.0).await;
        assert_eq!(world.worker.deliveries().len(), 2);
        assert_eq!((world.queues.count("q"), world.queues.count("qDlq")), (0, 0));
    }

    d2_4__a_rejected_record_becomes_a_dead_letter_unless_the_source_says_otherwise {
        let world = World::new(|batch| Reply::each(batch, |_| reject("stale: newer item")));
        start(&world, one_poller());
        fill(&world, 1);
        world.at(1.0).await;
        assert_eq!(world.queues.count("q"), 0);
        let dead_letters = world.queues.messages("qDlq");
        assert_eq!((dead_letters.len(), attribute(&dead_letters[0], "reason")), (1, "stale: newer item"));
    }

    d6_2__case_11_a_dead_letter_keeps_types_and_bytes_of_attributes {
        let attributes = vec![
            Attribute::typed("image", "Binary", AttributeValue::Bytes(vec![0, 255])),
            Attribute::typed("ratio", "Number.float", AttributeValue::Text("12.50".into())),
            Attribute::typed("score", "Number", AttributeValue::Text("850".into())),
        ];
        let sent = attributes.clone();
        let world = World::new(move |batch| {
            assert_eq!(batch[0].attributes, sent);
            Reply::each(batch, |_| reject("no"))
        });
        start(&world, SqsConfig { on_reject: OnReject::DeadLetter, ..one_poller() });
        let message = Message { attributes: attributes.clone(), ..Message::new("{}") };
        host_adapters_platform::QueueBackend::send_batch(&*world.queues, "q", vec![message]).await.unwrap();
        world.at(1.0).await;
        let dead_letter = world.queues.messages("qDlq").remove(0);
        assert!(attributes.iter().all(|it| dead_letter.attributes.contains(it)), "{:?}", dead_letter.attributes);
    }

    /// After the third attempt that ends in retry, the host sends the message to the DLQ, with what an operator needs.
    d6_2__a_dead_letter_keeps_its_payload_and_names_its_reason {
        let world = World::new(|_| Reply::new(Err(CallError::Trapped("unreachable".into()))));
        start(&world, one_poller());
        let attributes = (0..9).map(|n| Attribute::text(format!("own{n}"), "v"));
        let attributes = attributes.chain([Attribute::text("traceparent", "00-a-b-01")]).collect();
        let message = Message { attributes, ..Message::new(r#"{"n":1}"#) };
        host_adapters_platform::QueueBackend::send_batch(&*world.queues, "q", vec![message]).await.unwrap();
        world.at(100.0).await;
        let times: Vec<u64> = world.worker.sizes().into_iter().map(|(at, _)| at).collect();
        assert_eq!(times, [0, 30_000, 60_000]);
        assert_eq!(world.queues.count("q"), 0);
        let dead_letters = world.queues.messages("qDlq");
        let dead_letter = &dead_letters[0];
        assert_eq!((dead_letters.len(), dead_letter.body.as_str()), (1, r#"{"n":1}"#));
        let expected = [
            ("reason", "worker trapped: unreachable"),
            ("attempt", "3"),
            ("worker", "save-entries"),
            ("digest", "d1"),
            ("traceparent", "00-a-b-01"),
            ("sourceMessageId", "m1"),
            ("own0", "v"),
        ];
        for (name, value) in expected {
            assert_eq!(attribute(dead_letter, name), value);
        }
    }

    /// 1 MiB leaves no room for the reason.
    d6_6__case_08_the_largest_message_is_given_up_whole {
        let noise: String = {
            let mut seed = 1u64;
            std::iter::repeat_with(|| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                char::from(b' ' + (seed >> 58) as u8)
            })
            .take(MAX_MESSAGE_BYTES)
            .collect()
        };
        let world = World::new(|_| trap());
        start(&world, SqsConfig { max_attempts: 1, batch_size: 1, ..one_poller() });
        let zeros = "0".repeat(MAX_MESSAGE_BYTES);
        world.queues.put("q", [zeros.clone(), noise.clone()]);
        world.at(10.0).await;
        assert_eq!(world.queues.count("q"), 0);
        let dead_letters = world.queues.messages("qDlq").into_iter().map(|message| {
            let received = Received { body: message.body, attributes: message.attributes, ..Received::default() };
            DeadLetter::read("qDlq", received, &[])
        });
        let dead_letters: Vec<_> = dead_letters.collect();
        let bodies: Vec<_> = dead_letters.iter().map(|dead_letter| dead_letter.message().unwrap().body).collect();
        assert!(bodies == [zeros, noise], "whole");
        let reasons: Vec<_> = dead_letters.iter().map(|dead_letter| dead_letter.summary.reason.as_str()).collect();
        assert_eq!(reasons, ["worker trapped: unreachable", "receives exhausted"], "as its queue would have moved it");
    }

    d6_8__a_dead_letter_names_the_workers_reason_and_the_times_of_all_attempts {
        let world = World::new(|batch| {
            let attempt = batch[0].attempt;
            Reply::each(batch, |_| Disposition::retry(format!("service entry: 422 at attempt {attempt}")))
        });
        start(&world, one_poller());
        fill(&world, 1);
        world.at(100.0).await;
        let message = world.queues.messages("qDlq").remove(0);
        let received = Received { body: message.body, attributes: message.attributes, ..Received::default() };
        let summary = DeadLetter::read("qDlq", received, &[]).summary;
        assert_eq!((summary.reason.as_str(), summary.attempts), ("service entry: 422 at attempt 3", 3));
        let seconds = |time: &String| chrono::DateTime::parse_from_rfc3339(time).unwrap().timestamp();
        let times: Vec<_> = summary.attempted.iter().map(seconds).collect();
        assert_eq!(times.iter().map(|time| time - times[0]).collect::<Vec<_>>(), [0, 30, 60]);
    }

    d6_3__the_dead_letter_is_stored_before_the_message_is_deleted {
        let world = World::new(|_| trap());
        start(&world, SqsConfig { max_attempts: 1, ..one_poller() });
        fill(&world, 1);
        world.queues.faults.plan("send", 1, down());
        world.at(10.0).await;
        assert_eq!((world.queues.count("q"), world.queues.count("qDlq")), (1, 0), "refused: it stays");
        world.at(40.0).await;
        assert_eq!((world.queues.count("q"), world.queues.count("qDlq")), (0, 1));
        assert_eq!(world.queues.asked("qDlq"), [(30_000, Request::Sent("m2".into()))]);
        assert_eq!(world.queues.asked("q"), [(30_000, Request::Deleted("m1".into()))]);
    }

    d6_4__a_refused_dead_letter_is_left_to_the_queues_own_redrive {
        let world = World::new(|_| trap());
        start(&world, one_poller());
        fill(&world, 1);
        world.queues.faults.plan("send", usize::MAX, down());
        world.at(200.0).await;
        assert_eq!(world.worker.deliveries().len(), 3);
        assert_eq!((world.queues.count("q"), world.queues.count("qDlq")), (0, 1));
    }

    d2_1__no_dispositions_are_a_failure_of_all {
        let expected = [delivered(30_000, "m1", 2), delivered(30_000, "m2", 2)];
        assert_eq!(deliveries_after(|_| Reply::new(Ok(vec![]))).await[2..], expected);
    }

    d2_1__a_missing_disposition_is_a_failure_of_its_record {
        let first = |_: &[Event]| Reply::new(Ok(vec![Disposition::Ack]));
        assert_eq!(deliveries_after(first).await[2..], [delivered(30_000, "m2", 2)]);
    }

    d2_2__too_many_dispositions_fail_the_call {
        let first = |_: &[Event]| Reply::new(Ok(vec![Disposition::Ack; 3]));
        assert_eq!(deliveries_after(first).await[2..].len(), 2);
    }

    d2_2__every_failed_call_is_a_failure_of_all {
        let failures: [fn() -> CallError; 3] = [
            || CallError::Failed("no".into()),
            || CallError::Trapped("unreachable".into()),
            || CallError::TimedOut(Duration::from_secs(300)),
        ];
        for failure in failures {
            let mut calls = 0;
            let world = World::new(move |batch| {
                calls += 1;
                if calls == 1 { Reply::new(Err(failure())) } else { ack_all(batch) }
            });
            start(&world, one_poller());
            fill(&world, 2);
            world.at(40.0).await;
            assert_eq!(world.worker.sizes(), [(0, 2), (30_000, 2)], "{}", failure());
        }
    }

    d3_1__only_acknowledged_and_rejected_messages_are_deleted {
        let world = World::new(|batch| Reply::each(batch, |event| match event.id.as_str() {
            "m1" => Disposition::Ack,
            "m2" => reject("never"),
            _ => retry(),
        }));
        start(&world, one_poller());
        fill(&world, 3);
        world.at(1.0).await;
        let deleted = [(0, Request::Deleted("m1".into())), (0, Request::Deleted("m2".into()))];
        assert_eq!(world.queues.asked("q"), deleted);
    }

    d3_3__a_slow_worker_gets_nothing_twice {
        let world = World::new(|batch| ack_all(batch).takes(300));
        start(&world, SqsConfig { max_concurrency: 3, ..SqsConfig::new("q") });
        fill(&world, 5);
        world.at(1_000.0).await;
        assert_eq!(world.worker.deliveries().len(), 5);
        assert_eq!(world.queues.count("q"), 0);
        let beats = world.queues.asked("q").into_iter().filter(|(_, asked)| *asked == Request::Visibility("m1".into(), 30));
        let times: Vec<u64> = beats.map(|(at, _)| at).collect();
        assert_eq!(times, (1..30).map(|n| n * 10_000).collect::<Vec<u64>>(), "at a third of the timeout");
    }

    d3_3__messages_that_wait_for_their_window_are_extended_too {
        let world = World::new(ack_all);
        start(&world, SqsConfig { batch_window_secs: 100, ..one_poller() });
        fill(&world, 1);
        world.at(120.0).await;
        assert_eq!(world.worker.deliveries(), [delivered(100_000, "m1", 1)]);
    }

    /// Its heartbeat failed while it waited for its window, so it became visible and was received twice.
    d3_5__a_message_received_again_while_it_waits_is_handed_over_once {
        let world = World::new(ack_all);
        world.queues.faults.plan("visibility", usize::MAX, down());
        start(&world, SqsConfig { batch_window_secs: 8, visibility_timeout_secs: 5, ..one_poller() });
        fill(&world, 1);
        world.at(20.0).await;
        assert_eq!(world.worker.deliveries(), [delivered(8_000, "m1", 2)]);
        assert_eq!((world.queues.count("q"), world.queues.count("qDlq")), (0, 0));
    }

    /// Two messages go with the first call. The queue deletes them slowly, and the others are kept invisible.
    d3_3__messages_for_the_next_batch_are_extended_while_the_last_is_settled {
        let world = World::new(ack_all);
        world.queues.faults.plan("delete", 2, down());
        let config = SqsConfig { max_concurrency: 2, visibility_timeout_secs: 2, ..SqsConfig::new("q") };
        start(&world, SqsConfig { max_batch_bytes: 15, ..config });
        fill(&world, 4);
        world.at(20.0).await;
        let others = world.worker.deliveries().into_iter().filter(|(_, id, _)| id == "m3" || id == "m4");
        let (times, attempts): (Vec<u64>, Vec<u32>) = others.map(|(at, _, attempt)| (at, attempt)).unzip();
        assert_eq!(attempts, [1, 1]);
        assert!(times[0] > 2_000, "the first batch is settled late: {times:?}");
    }

    /// One message is done, one is kept by an outage. The queue deletes the first slowly, and the second is kept
    /// invisible.
    d3_3__messages_kept_by_an_outage_are_extended_while_the_rest_is_settled {
        let mut calls = 0;
        let world = World::new(move |batch| {
            calls += 1;
            let each = |event: &Event| if event.id == "m1" { Disposition::Ack } else { retry() };
            if calls == 1 { Reply::each(batch, each).outage("service:entry").takes(1) } else { ack_all(batch) }
        });
        world.queues.faults.plan("delete", 2, down());
        start(&world, SqsConfig { max_concurrency: 2, visibility_timeout_secs: 2, ..SqsConfig::new("q") });
        fill(&world, 2);
        world.at(20.0).await;
        let second = world.worker.calls().into_iter().flat_map(|(_, batch)| batch).filter(|event| event.id == "m2");
        assert_eq!(second.count(), 2, "the outage and the probe");
        assert_eq!((world.queues.count("q"), world.queues.count("qDlq")), (0, 0));
    }

    d3_4__a_message_is_in_flight_for_12_hours_at_most {
        let world = World::new(|batch| ack_all(batch).takes(13 * 3600));
        start(&world, SqsConfig { max_concurrency: 2, ..SqsConfig::new("q") });
        fill(&world, 1);
        world.at(12.0 * 3600.0 + 5.0).await;
        assert_eq!(world.worker.deliveries(), [delivered(0, "m1", 1), delivered(12 * 3_600_000, "m1", 2)]);
    }

    d3_3__a_heartbeat_that_fails_is_repeated_in_time {
        let world = World::new(|batch| ack_all(batch).takes(60));
        start(&world, SqsConfig { max_concurrency: 2, ..SqsConfig::new("q") });
        fill(&world, 1);
        world.queues.faults.plan("visibility", 1, down());
        world.at(100.0).await;
        assert_eq!(world.worker.deliveries().len(), 1);
    }

    /// A delete with a stale receipt succeeds and deletes nothing: the message was received again meanwhile.
    d3_6__a_successful_delete_proves_nothing {
        let world = World::new(|batch| ack_all(batch).takes(45));
        start(&world, SqsConfig { max_concurrency: 2, ..SqsConfig::new("q") });
        fill(&world, 1);
        world.queues.faults.plan("visibility", usize::MAX, down());
        world.at(50.0).await;
        assert_eq!(world.worker.deliveries(), [delivered(0, "m1", 1), delivered(30_000, "m1", 2)]);
        assert_eq!(world.queues.asked("q"), [(45_000, Request::DeletedStale("m1".into()))]);
        assert_eq!(world.queues.count("q"), 1, "only the second delivery deletes it");
    }

    d3_7__a_delete_that_fails_is_repeated_and_else_the_message_comes_again {
        let world = World::new(ack_all);
        start(&world, one_poller());
        fill(&world, 1);
        world.queues.faults.plan("delete", 2, down());
        world.at(20.0).await;
        assert_eq!((world.worker.deliveries().len(), world.queues.count("q")), (1, 0));
        world.queues.faults.plan("delete", 3, down());
        fill(&world, 1);
        world.at(100.0).await;
        assert_eq!((world.worker.deliveries().len(), world.queues.count("q")), (3, 0));
    }

    d3_2__received_messages_are_invisible_for_30_s {
        let world = World::new(ack_all);
        start(&world, one_poller());
        world.at(1.0).await;
        assert_eq!(world.queues.receives(), [(0, 10, Duration::from_secs(30))]);
    }

    /// A service is throttled for longer than three attempts take.
    d2_3__a_retry_with_a_time_uses_no_attempt {
        let world = World::new(|batch| match batch[0].attempt {
            1..=9 => Reply::each(batch, |_| Disposition::retry_after(Some(5_000), "429")),
            _ => ack_all(batch),
        });
        world.queues.redrive_after(100);
        start(&world, one_poller());
        fill(&world, 1);
        world.at(100.0).await;
        let times: Vec<u64> = world.worker.sizes().into_iter().map(|(at, _)| at).collect();
        assert_eq!(times, (0..10).map(|n| n * 5_000).collect::<Vec<u64>>());
        assert_eq!((world.queues.count("q"), world.queues.count("qDlq")), (0, 0));
        assert!(world.failures.asked().iter().all(|(call, _)| *call == "forget failures"), "nothing failed");
    }

    /// Four days of 429: each wait is a receive, and the queue moves a message after 100 of them.
    d2_3__a_message_that_only_waits_is_not_moved_by_its_queue {
        let world = World::new(|batch| Reply::each(batch, |_| Disposition::retry_after(Some(1_000), "429")));
        world.queues.redrive_after(QueueSpec::default().max_receive_count);
        start(&world, one_poller());
        fill(&world, 1);
        world.at(93.0 * 3600.0).await;
        assert_eq!((world.queues.count("q"), world.queues.count("qDlq")), (1, 0));
        let times: Vec<u64> = world.worker.sizes().into_iter().map(|(at, _)| at / 1_000).collect();
        assert_eq!(times[..14], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 40, 100, 220], "longer from the eleventh on");
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] <= 4200), "70 minutes at most");
    }

    /// A file is read by as many calls as it takes.
    d2_3__a_message_waits_as_asked_for_as_long_as_its_queue_has_receives_to_spare {
        let world = World::new(|batch| Reply::each(batch, |_| Disposition::retry_after(Some(0), "goes on")).takes(20));
        world.queues.redrive_after(1_000);
        start(&world, SqsConfig { max_receive_count: 1_000, ..one_poller() });
        fill(&world, 1);
        world.at(93.0 * 3600.0).await;
        assert_eq!((world.queues.count("q"), world.queues.count("qDlq")), (1, 0));
        let times: Vec<u64> = world.worker.sizes().into_iter().map(|(at, _)| at / 1_000).collect();
        assert_eq!(times[909..913], [909 * 20, 910 * 20, 911 * 20 + 30, 912 * 20 + 90], "promptly up to the 910th");
    }

    d2_3__a_longer_wait_than_12_h_is_12_h {
        let retry = Disposition::retry_after(Some(100 * 3_600_000), "busy");
        let world = World::new(move |batch| Reply::each(batch, |_| retry.clone()));
        start(&world, one_poller());
        fill(&world, 1);
        world.at(1.0).await;
        assert_eq!(world.queues.asked("q"), [(0, Request::Visibility("m1".into(), 43_200))]);
    }

    /// The halves stay invisible while they wait for each other.
    d3_10__a_message_that_fails_for_good_is_a_dead_letter_at_once {
        let world = World::new(|batch| {
            let reply = match batch.iter().any(|event| event.id == "m3") {
                true => Reply::new(Err(CallError::Permanent("malformed".into()))),
                false => ack_all(batch),
            };
            reply.takes(20)
        });
        start(&world, SqsConfig { max_concurrency: 2, ..SqsConfig::new("q") });
        fill(&world, 4);
        world.at(200.0).await;
        let ids = |batch: &[&str]| batch.iter().map(ToString::to_string).collect::<Vec<_>>();
        let halves = [&["m1", "m2", "m3", "m4"][..], &["m1", "m2"], &["m3", "m4"], &["m3"], &["m4"]];
        assert_eq!(world.worker.batches(), halves.map(ids));
        let attempts: Vec<u32> = world.worker.deliveries().into_iter().map(|(_, _, attempt)| attempt).collect();
        assert_eq!(attempts, [1, 1, 1, 1, 2, 2, 2, 2, 3, 3]);
        assert_eq!((world.queues.count("q"), world.queues.count("qDlq")), (0, 1));
        assert_eq!(attribute(&world.queues.messages("qDlq")[0], "reason"), "worker failed for good: malformed");
    }

    d3_10__an_outage_is_waited_for {
        let world = World::new(|_| Reply::new(Err(CallError::Permanent("refused".into()))).outage("service:entry"));
        start(&world, one_poller());
        fill(&world, 2);
        world.at(1.0).await;
        world.worker.answers(ack_all);
        world.at(120.0).await;
        assert_eq!((world.queues.count("q"), world.queues.count("qDlq")), (0, 0));
    }

    /// At the deadline every half is returned, also those that wait.
    d8_2__halves_that_wait_are_returned_at_the_deadline {
        let mut calls = 0;
        let world = World::new(move |batch| {
            calls += 1;
            match calls {
                1 => Reply::new(Err(CallError::Permanent("malformed".into()))),
                _ => ack_all(batch).takes(1_000),
            }
        });
        let running = world.start(SourceConfig::Sqs(one_poller()));
        fill(&world, 4);
        world.at(5.0).await;
        let ended = world.drain.finish(Duration::from_secs(10), running.task).await;
        assert_eq!(ended.unwrap(), Ended::Abandoned(4));
        assert_eq!(world.queues.visible("q"), 4);
    }

    d12_3__what_cannot_be_read_of_a_message_is_logged_once {
        let lines = Lines::default();
        let _heard = tracing::subscriber::set_default(lines.clone());
        let world = World::new(|batch| if batch[0].attempt == 1 { trap() } else { ack_all(batch) });
        world.queues.unreadable.lock().unwrap().push("image".to_owned());
        start(&world, one_poller());
        fill(&world, 1);
        world.at(40.0).await;
        assert_eq!((world.worker.deliveries().len(), world.queues.count("q")), (2, 0), "its body is good");
        let said = lines.with("attribute left out");
        assert_eq!(said.len(), 1, "{said:?}");
        for part in ["worker=save-entries", "source=sqs:q", "id=m1", "attribute=image"] {
            assert!(said[0].contains(part), "{part}: {said:?}");
        }
    }

    /// Concurrency is a configured number; further messages wait.
    d1_6__no_more_batches_in_flight_than_allowed {
        let world = World::new(|batch| ack_all(batch).takes(10));
        start(&world, SqsConfig { max_concurrency: 3, ..SqsConfig::new("q") });
        fill(&world, 100);
        world.at(9.0).await;
        assert_eq!(world.worker.sizes(), [(0, 10); 3]);
        assert_eq!(world.queues.visible("q"), 70, "the others wait on the queue");
        world.at(35.0).await;
        assert_eq!(world.worker.sizes().len(), 10);
    }
}
