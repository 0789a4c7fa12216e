//! Retries, halving and dead letters of a DynamoDB stream (docs/delivery.md, 5 and 6).

use crate::model::{EPOCH_MS, Reply, World, ack_all, down, name, retry, trap};
use crate::rows;
use host_adapters_delivery::OnReject;
use host_adapters_delivery::dead_letter::DeadLetter;
use host_adapters_delivery::dispatch::CallError;
use host_adapters_delivery::event::{Attribute, Disposition, Event, Payload};
use host_adapters_platform::{Checkpoint, Received};
use host_adapters_records::{Error, ErrorKind};
use host_adapters_sources::SourceConfig;
use host_adapters_sources::dynamodb_stream::DynamodbStreamConfig;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const DLQ: &str = "saveEntriesDlq";

fn plain() -> DynamodbStreamConfig {
    DynamodbStreamConfig::new("t")
}

/// A shard with records `0..records` and a worker; the source has run for this many seconds.
async fn run(
    records: u64,
    config: DynamodbStreamConfig,
    secs: f64,
    reply: impl FnMut(&[Event]) -> Reply + Send + 'static,
) -> World {
    let world = World::new(reply);
    world.streams.open("s", None);
    world.streams.put_range("s", 0..records);
    world.start(SourceConfig::DynamodbStream(config));
    world.at(secs).await;
    world
}

/// A worker that answers `retry` for record `poison`.
fn names(poison: u64) -> impl FnMut(&[Event]) -> Reply + Send + 'static {
    move |batch| Reply::each(batch, |event| if event.id == name(poison) { retry() } else { Disposition::Ack })
}

/// A worker that traps on record `poison`.
fn traps(poison: u64) -> impl FnMut(&[Event]) -> Reply + Send + 'static {
    move |batch| if batch.iter().any(|event| event.id == name(poison)) { trap() } else { ack_all(batch) }
}

/// A worker that returns a permanent failure for a batch with record `poison`.
fn fails_for_good(poison: u64) -> impl FnMut(&[Event]) -> Reply + Send + 'static {
    move |batch| match batch.iter().any(|event| event.id == name(poison)) {
        true => Reply::new(Err(CallError::Permanent("malformed".into()))),
        false => ack_all(batch),
    }
}

fn settled_up_to(world: &World, sequence: u64) {
    assert_eq!(world.streams.position("s"), Some(Checkpoint::At(name(sequence))));
}

fn dead_letters(world: &World) -> Vec<Value> {
    world.queues.messages(DLQ).iter().map(|dead_letter| serde_json::from_str(&dead_letter.body).unwrap()).collect()
}

/// Numbers of the records in each call.
fn batches(world: &World) -> Vec<Vec<u64>> {
    let batches = world.worker.batches().into_iter();
    batches.map(|batch| batch.iter().map(|id| id.parse().unwrap()).collect()).collect()
}

rows! {
    d5_2__three_retries_by_default_then_the_shard_goes_on {
        assert_eq!(plain().maximum_retry_attempts, 3);
        let world = run(2, plain(), 300.0, traps(0)).await;
        assert_eq!(batches(&world), [vec![0, 1], vec![0], vec![0], vec![0], vec![0], vec![1]]);
        assert_eq!(dead_letters(&world).len(), 1);
        settled_up_to(&world, 1);
    }

    d5_10__a_record_that_fails_for_good_is_a_dead_letter_at_once {
        for bisect in [true, false] {
            let config = DynamodbStreamConfig { bisect, maximum_retry_attempts: -1, ..plain() };
            let world = run(4, config, 1.0, fails_for_good(2)).await;
            assert_eq!(batches(&world), [vec![0, 1, 2, 3], vec![0, 1], vec![2, 3], vec![2], vec![3]]);
            assert_eq!(dead_letters(&world).len(), 1);
            world.at(3.0).await;
            settled_up_to(&world, 3);
        }
    }

    d5_10__an_outage_is_waited_for {
        let world = run(1, plain(), 1.0, |_| {
            Reply::new(Err(CallError::Permanent("refused".into()))).outage("service:entry")
        })
        .await;
        world.worker.answers(ack_all);
        world.at(120.0).await;
        assert_eq!(dead_letters(&world).len(), 0);
        settled_up_to(&world, 0);
    }

    d5_2__no_retries {
        let config = DynamodbStreamConfig { maximum_retry_attempts: 0, ..plain() };
        let world = run(1, config, 10.0, traps(0)).await;
        assert_eq!((batches(&world).len(), dead_letters(&world).len()), (1, 1));
    }

    d5_2__minus_one_retries_until_the_record_expires {
        let config =
            DynamodbStreamConfig { maximum_retry_attempts: -1, maximum_record_age_secs: 86_400, ..plain() };
        let world = run(2, config, 86_000.0, traps(0)).await;
        assert!(batches(&world).len() > 1_000, "{}", batches(&world).len());
        assert!(dead_letters(&world).is_empty());
        assert_eq!(world.streams.position("s"), None, "the shard is blocked");
        world.at(86_500.0).await;
        assert_eq!(dead_letters(&world)[0]["requestContext"]["condition"], "RecordAgeExceeded");
    }

    d5_3__a_record_too_old_is_not_handed_over {
        let config = DynamodbStreamConfig { maximum_record_age_secs: 60, ..plain() };
        let world = World::new(ack_all);
        world.streams.open("s", None);
        world.streams.put_range("s", 0..2);
        world.at(61.0).await;
        world.streams.put_range("s", 2..3);
        world.start(SourceConfig::DynamodbStream(config));
        world.at(62.0).await;
        assert_eq!(batches(&world), [vec![2]]);
        let conditions: Vec<Value> = dead_letters(&world).iter().map(|l| l["requestContext"]["condition"].clone()).collect();
        assert_eq!(conditions, ["RecordAgeExceeded", "RecordAgeExceeded"]);
        settled_up_to(&world, 2);
    }

    /// The first is too old, and its dead letter is refused for a while, in which the second becomes too old.
    d5_3__a_record_that_becomes_too_old_behind_a_dead_letter_is_not_handed_over {
        let config = DynamodbStreamConfig { maximum_record_age_secs: 60, ..plain() };
        let world = World::new(ack_all);
        world.streams.open("s", None);
        world.streams.put_range("s", 0..1);
        world.at(5.0).await;
        world.streams.put_range("s", 1..2);
        world.at(62.0).await;
        world.queues.faults.plan("send", 4, down());
        world.start(SourceConfig::DynamodbStream(config));
        world.at(200.0).await;
        assert_eq!((batches(&world).len(), dead_letters(&world).len()), (0, 2));
        settled_up_to(&world, 1);
    }

    /// A dependency of the worker is down for longer than the maximum age of a record.
    d5_3__a_record_that_becomes_too_old_in_a_pause_is_not_handed_over {
        for age in [10, 30, 60] {
            let config = DynamodbStreamConfig { maximum_record_age_secs: age, ..plain() };
            let outage = |batch: &[Event]| Reply::each(batch, |_| retry()).outage("service:entry");
            let world = run(2, config, 300.0, outage).await;
            let tried: Vec<u64> = world.worker.sizes().into_iter().map(|(at, _)| at).collect();
            assert!(tried.iter().all(|at| *at <= u64::try_from(age).unwrap() * 1_000), "{age}: {tried:?}");
            assert_eq!(dead_letters(&world).len(), 2);
            assert!(dead_letters(&world).iter().all(|it| it["requestContext"]["condition"] == "RecordAgeExceeded"));
            settled_up_to(&world, 1);
            // The next record is the probe that finds the service up again.
            world.worker.answers(ack_all);
            world.streams.put_range("s", 2..3);
            world.at(400.0).await;
            settled_up_to(&world, 2);
        }
    }

    d5_4__retries_back_off_between_1_and_60_s {
        let config = DynamodbStreamConfig { maximum_retry_attempts: 12, ..plain() };
        let world = run(1, config, 2_000.0, traps(0)).await;
        let times: Vec<u64> = world.worker.sizes().into_iter().map(|(at, _)| at).collect();
        let waits: Vec<u64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert_eq!(waits.len(), 12);
        assert!(waits.iter().all(|wait| (1_000..=60_010).contains(wait)), "{waits:?}");
        assert!(waits[0] <= 2_010 && waits.iter().max() > Some(&20_000), "{waits:?}");
    }

    d2_3__a_retry_waits_as_long_as_the_worker_asks {
        let world = run(1, plain(), 20.0, |batch| match batch[0].attempt {
            1 => Reply::each(batch, |_| Disposition::retry_after(Some(17_000), "busy")),
            _ => ack_all(batch),
        })
        .await;
        assert_eq!(world.worker.sizes(), [(0, 1), (17_000, 1)]);
    }

    /// A service is throttled for longer than all retries take.
    d2_3__a_wait_uses_no_retry {
        let config = DynamodbStreamConfig { maximum_retry_attempts: 0, ..plain() };
        let world = run(2, config, 100.0, |batch| match batch[0].attempt {
            1..=9 => Reply::each(batch, |event| match event.id == name(0) {
                true => Disposition::retry_after(Some(5_000), "429"),
                false => Disposition::Ack,
            }),
            _ => ack_all(batch),
        })
        .await;
        assert_eq!(world.worker.sizes(), (0..10).map(|n| (n * 5_000, 2)).collect::<Vec<_>>());
        assert_eq!(dead_letters(&world).len(), 0);
        settled_up_to(&world, 1);
    }

    /// With unlimited retries this would be a loop without a pause.
    d2_3__a_worker_that_asks_for_no_wait_gets_a_second {
        let world = run(1, plain(), 60.0, |batch| Reply::each(batch, |_| Disposition::retry_after(Some(0), "busy"))).await;
        assert_eq!(world.worker.sizes()[..4], [(0, 1), (1_000, 1), (2_000, 1), (3_000, 1)]);
    }

    d2_2__every_failed_call_is_a_failure_of_all {
        let answers: [fn() -> Reply; 5] = [
            || Reply::new(Ok(vec![])),
            || Reply::new(Ok(vec![Disposition::Ack; 3])),
            || Reply::new(Err(CallError::Failed("no".into()))),
            || Reply::new(Err(CallError::TimedOut(Duration::from_secs(300)))),
            trap,
        ];
        for answer in answers {
            let world = run(2, plain(), 300.0, move |batch| match batch[0].attempt {
                1 => answer(),
                _ => ack_all(batch),
            })
            .await;
            let again: Vec<u64> = batches(&world)[1..].concat();
            assert_eq!(again[..2], [0, 1], "both are delivered again");
            settled_up_to(&world, 1);
        }
    }

    d5_1__a_missing_disposition_is_the_first_retry {
        let world = run(3, plain(), 60.0, |batch| match batch[0].attempt {
            1 => Reply::new(Ok(vec![Disposition::Ack])),
            _ => ack_all(batch),
        })
        .await;
        assert_eq!(batches(&world), [vec![0, 1, 2], vec![1, 2]]);
    }

    d5_5__a_failed_batch_is_halved_until_the_poison_stands_alone {
        let config = DynamodbStreamConfig { maximum_retry_attempts: 0, ..plain() };
        let world = run(8, config, 60.0, traps(5)).await;
        let expected: [Vec<u64>; 7] =
            [(0..8).collect(), (0..4).collect(), (4..8).collect(), vec![4, 5], vec![4], vec![5], vec![6, 7]];
        assert_eq!(batches(&world), expected);
        assert_eq!(dead_letters(&world)[0]["payload"]["newImage"]["n"], 5);
        settled_up_to(&world, 7);
    }

    d5_6__halving_uses_no_retry_and_does_not_wait {
        let config = DynamodbStreamConfig { maximum_retry_attempts: 1, ..plain() };
        let world = run(4, config, 60.0, traps(0)).await;
        let sizes = world.worker.sizes();
        assert_eq!(sizes[..3], [(0, 4), (0, 2), (0, 1)]);
        assert!(sizes[3].0 >= 1_000, "the retry waits: {sizes:?}");
        assert_eq!(batches(&world), [vec![0, 1, 2, 3], vec![0, 1], vec![0], vec![0], vec![1], vec![2, 3]]);
    }

    d5_6__cutting_at_a_named_record_uses_no_retry {
        let config = DynamodbStreamConfig { maximum_retry_attempts: 0, ..plain() };
        let world = run(5, config, 60.0, names(2)).await;
        assert_eq!(batches(&world), [vec![0, 1, 2, 3, 4], vec![2, 3, 4], vec![3, 4]]);
        assert_eq!(dead_letters(&world).len(), 1);
        settled_up_to(&world, 4);
    }

    d5_7__without_bisect_the_batch_stays_whole {
        let config = DynamodbStreamConfig { bisect: false, maximum_retry_attempts: 1, ..plain() };
        let world = run(3, config, 60.0, traps(1)).await;
        assert_eq!(batches(&world), [vec![0, 1, 2], vec![0, 1, 2]]);
        assert_eq!(dead_letters(&world).len(), 3);
        settled_up_to(&world, 2);
    }

    d5_8__a_poison_record_is_found_in_few_calls {
        for (records, poison) in [(1, 0), (2, 1), (3, 2), (64, 0), (64, 63), (100, 37), (100, 99)] {
            let config = DynamodbStreamConfig { maximum_retry_attempts: 0, ..plain() };
            let world = run(records, config, 60.0, traps(poison)).await;
            let failing = batches(&world).into_iter().filter(|batch| batch.contains(&poison)).count() as u32;
            let log2 = records.next_power_of_two().trailing_zeros();
            assert!(failing <= log2 + 1, "{records}/{poison}: {failing} failing");
            let calls = batches(&world).len() as u32;
            assert!(calls <= 2 * log2 + 1, "{records}/{poison}: {calls} calls");
            assert_eq!(dead_letters(&world).len(), 1);
            settled_up_to(&world, records - 1);
        }
    }

    d5_9__the_other_key_groups_go_on {
        let config = DynamodbStreamConfig { parallelization_factor: 4, maximum_retry_attempts: -1, ..plain() };
        let world = run(40, config, 30.0, traps(0)).await;
        let others: std::collections::BTreeSet<u64> = batches(&world).concat().into_iter().filter(|n| *n != 0).collect();
        assert!(others.len() > 25, "{}", others.len());
    }

    /// Whatever a worker answers, drawn from a seed: changes of an item stay in order, what is settled stays settled,
    /// and every record is either done or a dead letter.
    d4_3__order_holds_whatever_the_worker_answers {
        for seed in 0..30 {
            let (mut random, mut order) = (StdRng::seed_from_u64(seed), Order::default());
            let world = World::seeded(seed, move |batch| {
                let reply = whim(&mut random, batch);
                order.check(batch, &reply);
                reply
            });
            world.streams.open("s", None);
            world.streams.put("s", (0..300).map(|sequence| (sequence, format!("item-{}", sequence % 7))));
            let config = DynamodbStreamConfig { batch_size: 20, parallelization_factor: 1 + seed as usize % 4, ..plain() };
            let running = world.start(SourceConfig::DynamodbStream(config));
            world.at(6_000.0).await;
            assert_eq!(running.source.status().paused, None);
            settled_up_to(&world, 299);
        }
    }

    d6_5__the_envelope_is_lambdas_and_the_payload_is_kept {
        let world = run(1, plain(), 300.0, traps(0)).await;
        let mut dead_letter = dead_letters(&world).remove(0);
        assert!(dead_letter.as_object_mut().unwrap().remove("timestamp").unwrap().is_string());
        let created = "2023-11-14T22:13:20.000Z";
        assert_eq!(EPOCH_MS, 1_700_000_000_000, "that is {created}");
        let expected = json!({
            "version": "1.0",
            "requestContext": {
                "functionName": "save-entries", "condition": "RetryAttemptsExhausted", "approximateInvokeCount": 4,
            },
            "DDBStreamBatchInfo": {
                "shardId": "s", "stream": "dynamodb-stream:t", "batchSize": 1,
                "startSequenceNumber": name(0), "endSequenceNumber": name(0),
                "approximateArrivalOfFirstRecord": created, "approximateArrivalOfLastRecord": created,
            },
            "payload": {"eventName": "MODIFY", "keys": {"pk": "item-0", "sk": "s"}, "newImage": {"n": 0}},
        });
        assert_eq!(dead_letter, expected);
        let attributes = world.queues.messages(DLQ).remove(0).attributes;
        let attribute = |name: &str| Attribute::find(&attributes, name);
        assert_eq!(attribute("reason"), Some("worker trapped: unreachable"));
        assert_eq!((attribute("attempt"), attribute("worker")), (Some("4"), Some("save-entries")));
        assert_eq!((attribute("digest"), attribute("sourceMessageId")), (Some("d1"), Some("000000")));
    }

    d6_3__the_checkpoint_waits_for_the_dead_letter {
        let config = DynamodbStreamConfig { maximum_retry_attempts: 0, ..plain() };
        let world = World::new(traps(0));
        world.streams.open("s", None);
        world.streams.put_range("s", 0..2);
        world.queues.faults.plan("send", 4, down());
        world.start(SourceConfig::DynamodbStream(config));
        world.at(3.0).await;
        assert_eq!(world.streams.position("s"), None);
        world.at(120.0).await;
        settled_up_to(&world, 1);
        assert_eq!(dead_letters(&world).len(), 1, "stored once");
        assert_eq!(batches(&world), [vec![0, 1], vec![0], vec![1]]);
    }

    d6_6__case_08_a_dead_letter_that_is_too_large_is_compressed_and_comes_back_whole {
        let config = DynamodbStreamConfig { maximum_retry_attempts: 0, ..plain() };
        let world = World::new(|batch| Reply::each(batch, |_| retry()));
        world.streams.open("s", None);
        let item = "k".repeat(3 << 20);
        world.streams.put_image("s", 0, json!({ "item": item }).to_string());
        world.start(SourceConfig::DynamodbStream(config));
        world.at(10.0).await;
        let message = world.queues.messages(DLQ).remove(0);
        assert!(message.body.len() < 100_000, "{} bytes", message.body.len());
        let received = Received { body: message.body, attributes: message.attributes, ..Received::default() };
        let dead_letter = DeadLetter::read(DLQ, received, &[]);
        let event = host_adapters_sources::event_of(&dead_letter).unwrap();
        assert_eq!(event.ordering_key.as_deref(), Some("item|s"));
        assert!(matches!(&event.payload, Payload::Json(text) if text.contains(&item)));
        assert!(dead_letter.readable().contains(&item), "people see the record");
        settled_up_to(&world, 0);
    }

    /// A queue that takes less than the service's limit gets it compressed, too; one that takes nothing holds the shard.
    d6_6__case_08_a_record_waits_until_the_queue_takes_its_dead_letter {
        let config = DynamodbStreamConfig { maximum_retry_attempts: 0, ..plain() };
        let world = World::new(|batch| Reply::each(batch, |_| retry()));
        world.streams.open("s", None);
        world.streams.put_range("s", 0..1);
        let refusal = Error::new(ErrorKind::Invalid, "a message above the queue's maximum");
        world.queues.faults.plan("send", 5, refusal);
        world.start(SourceConfig::DynamodbStream(config));
        world.at(1.0).await;
        assert_eq!((world.queues.count(DLQ), world.streams.position("s")), (0, None), "not skipped");
        world.at(60.0).await;
        let body = &dead_letters(&world)[0];
        assert_eq!(body["payloadEncoding"], "zstd-raw-json", "the sixth attempt was a compressed one: {body}");
        settled_up_to(&world, 0);
    }

    d2_4__a_rejected_record_is_dropped_where_the_source_says_so {
        let config = DynamodbStreamConfig { on_reject: OnReject::Drop, ..plain() };
        let world = run(3, config, 1.0, |batch| Reply::each(batch, |_| Disposition::Reject("unreadable".into()))).await;
        assert_eq!(dead_letters(&world).len(), 0);
        settled_up_to(&world, 2);
    }

    d2_5__a_skipped_record_is_done_and_never_a_dead_letter {
        let world = run(3, plain(), 1.0, |batch| Reply::each(batch, |_| Disposition::Skip("stale".into()))).await;
        assert_eq!(dead_letters(&world).len(), 0);
        settled_up_to(&world, 2);
    }

    d2_4__a_rejected_record_becomes_a_dead_letter_unless_the_source_says_otherwise {
        let config = plain();
        let reject = |batch: &[Event]| Reply::each(batch, |event| match event.id.as_str() {
            "000001" => Disposition::Reject("unreadable".into()),
            _ => Disposition::Ack,
        });
        let world = run(3, config, 1.0, reject).await;
        let dead_letters = dead_letters(&world);
        assert_eq!((dead_letters.len(), &dead_letters[0]["requestContext"]["condition"]), (1, &json!("RecordRejected")));
        settled_up_to(&world, 2);
    }
}

/// Mostly acknowledges. Otherwise retries, rejects, leaves some out, traps, or finds its service down.
fn whim(random: &mut StdRng, batch: &[Event]) -> Reply {
    let each = |random: &mut StdRng| match random.random_range(0..30) {
        0 => retry(),
        1 => Disposition::retry_after(Some(random.random_range(0..100) * 1000), "whim"),
        2 => Disposition::Reject("whim".into()),
        _ => Disposition::Ack,
    };
    let mut dispositions: Vec<Disposition> = batch.iter().map(|_| each(random)).collect();
    match random.random_range(0..10) {
        0 => trap(),
        1 => Reply::new(Ok(dispositions)).outage("service:entry"),
        2 => {
            dispositions.truncate(random.random_range(0..=batch.len()));
            Reply::new(Ok(dispositions))
        }
        _ => Reply::new(Ok(dispositions)).takes(random.random_range(0..5)),
    }
}

/// What a worker may rely on.
#[derive(Default)]
struct Order {
    newest: BTreeMap<String, String>,
    settled: BTreeSet<String>,
}

impl Order {
    fn check(&mut self, batch: &[Event], reply: &Reply) {
        for event in batch {
            assert!(!self.settled.contains(&event.id), "{} again", event.id);
            let newest = self.newest.entry(event.ordering_key.clone().unwrap()).or_default();
            assert!(event.attempt > 1 || event.id > *newest, "{} after {newest}", event.id);
            newest.clone_from(&event.id.clone().max(newest.clone()));
        }
        let answered = reply.dispatched.result.iter().flatten();
        let settled = answered.take_while(|disposition| !matches!(disposition, Disposition::Retry(_))).count();
        self.settled.extend(batch[..settled].iter().map(|event| event.id.clone()));
    }
}
