//! Where records end (docs/delivery.md, 12): whatever the worker answers and whatever fails, each record is done, in the
//! dead letter queue, dropped as spin.toml says, or still there.

use crate::model::{Reply, World, retry, trap};
use crate::objects::told;
use crate::rows;
use host_adapters_delivery::OnReject;
use host_adapters_delivery::dispatch::CallError;
use host_adapters_delivery::event::{Disposition, Event, Payload};
use host_adapters_platform::{Checkpoint, QueueSpec};
use host_adapters_sources::SourceConfig;
use host_adapters_sources::dynamodb_stream::DynamodbStreamConfig;
use host_adapters_sources::kinesis::KinesisConfig;
use host_adapters_sources::s3::S3Config;
use host_adapters_sources::sqs::SqsConfig;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

const RECORDS: u64 = 300;

/// Seeds of whims, each with what becomes of rejected records.
const SEEDS: [(u64, OnReject); 3] = [(1, OnReject::DeadLetter), (2, OnReject::Drop), (3, OnReject::DeadLetter)];

/// What a worker has answered.
#[derive(Clone, Default)]
struct Answered(Arc<Mutex<Ids>>);

/// Ids of records.
#[derive(Default)]
struct Ids {
    /// Acknowledged or skipped.
    done: BTreeSet<String>,
    rejected: BTreeSet<String>,
    given_up: BTreeSet<String>,
}

impl Answered {
    /// A worker that answers anything, by whim, and remembers it.
    fn worker(&self, seed: u64) -> impl FnMut(&[Event]) -> Reply + Send + 'static {
        let (answered, mut random) = (self.clone(), StdRng::seed_from_u64(seed));
        move |batch| match random.random_range(0..12) {
            0 => trap(),
            1 => Reply::new(Err(CallError::Permanent("malformed".into()))),
            2 => Reply::new(Ok(vec![])),
            3 => Reply::new(Ok(vec![Disposition::Ack; batch.len() + 1])),
            4 => Reply::each(batch, |_| retry()).outage("service:entry"),
            5 => Reply::each(batch, |_| retry()).refused("service:entry POST /x: every request is answered with 404"),
            _ => Reply::each(batch, |event| answered.say(event, random.random_range(0..8))),
        }
    }

    fn say(&self, event: &Event, whim: u8) -> Disposition {
        let mut answered = self.0.lock().unwrap();
        match whim {
            0 => retry(),
            1 => {
                answered.rejected.insert(event.id.clone());
                Disposition::Reject("unreadable".into())
            }
            2 => {
                answered.done.insert(event.id.clone());
                Disposition::Skip("overtaken".into())
            }
            3 => {
                answered.given_up.insert(event.id.clone());
                Disposition::GiveUp("invalid: no store takes it".into())
            }
            _ => {
                answered.done.insert(event.id.clone());
                Disposition::Ack
            }
        }
    }

    /// Checks that every one of these ids is done, is among the dead letters, or was rejected where rejected ones are
    /// dropped. What was given up is never dropped.
    fn account(&self, ids: BTreeSet<String>, dead: &BTreeSet<String>, on_reject: OnReject) {
        let Ids { done, rejected, given_up } = &*self.0.lock().unwrap();
        for id in ids {
            let is_dropped = on_reject == OnReject::Drop && rejected.contains(&id);
            assert!(done.contains(&id) || dead.contains(&id) || is_dropped, "{id} has vanished");
        }
        if on_reject == OnReject::DeadLetter {
            let gone: Vec<_> = rejected.difference(dead).filter(|id| !done.contains(*id)).collect();
            assert!(gone.is_empty(), "rejected and gone: {gone:?}");
        }
        // Where its dead letter was refused, it came again, and got another answer.
        let ends_otherwise = |id: &&String| done.contains(*id) || on_reject == OnReject::Drop && rejected.contains(*id);
        let gone: Vec<_> = given_up.difference(dead).filter(|id| !ends_otherwise(id)).collect();
        assert!(gone.is_empty(), "given up and gone: {gone:?}");
        assert!(given_up.intersection(dead).next().is_some(), "some were given up");
    }
}

/// The ids of the records in a dead letter queue.
fn dead(world: &World, queue: &str) -> BTreeSet<String> {
    let id = |attributes: &[host_adapters_delivery::event::Attribute]| {
        host_adapters_delivery::event::Attribute::find(attributes, "sourceMessageId").unwrap_or("moved").to_owned()
    };
    world.queues.messages(queue).iter().map(|message| id(&message.attributes)).collect()
}

/// A source hands over the messages with `bodies` while their queue fails now and then, until all are settled.
async fn settles_all(seed: u64, on_reject: OnReject, bodies: Vec<String>, source: fn(SqsConfig) -> SourceConfig) {
    let answered = Answered::default();
    let world = World::new(answered.worker(seed));
    world.queues.redrive_after(QueueSpec::default().max_receive_count);
    for call in ["send", "send one", "delete", "visibility", "receive"] {
        world.queues.faults.chance(call, 0.05);
    }
    world.start(source(SqsConfig { on_reject, batch_size: 7, max_concurrency: 3, ..SqsConfig::new("q") }));
    world.queues.put("q", bodies);
    world.at(20_000.0).await;
    world.queues.faults.end();
    world.at(60_000.0).await;
    assert_eq!(world.queues.count("q"), 0, "all are settled in the end");
    answered.account((1..=RECORDS).map(|n| format!("m{n}")).collect(), &dead(&world, "qDlq"), on_reject);
}

/// A source hands over a shard while the dead letter queue fails now and then, until its checkpoint has passed all.
async fn passes_all(seed: u64, on_reject: OnReject, source: SourceConfig) {
    let answered = Answered::default();
    let world = World::new(answered.worker(seed));
    world.queues.faults.chance("send", 0.2);
    world.streams.open("s", None);
    world.streams.put_range("s", 0..RECORDS);
    world.start(source);
    world.at(60_000.0).await;
    let position = world.streams.position("s").map(|at| format!("{at:?}")).unwrap_or_default();
    assert!(position.contains("299"), "{position}");
    let ids = (0..RECORDS).map(crate::model::name).collect();
    answered.account(ids, &dead(&world, "saveEntriesDlq"), on_reject);
}

rows! {
    /// Whatever becomes of rejected records.
    d12_4__what_is_wrong_in_itself_is_a_dead_letter_at_once {
        for on_reject in [OnReject::DeadLetter, OnReject::Drop] {
            let world = World::new(|batch| Reply::each(batch, |event| match event.id.as_str() {
                "m2" | "000001" => Disposition::GiveUp("invalid: a message of 2000000 bytes".into()),
                _ => Disposition::Ack,
            }));
            world.start(SourceConfig::Sqs(SqsConfig { on_reject, ..SqsConfig::new("q") }));
            world.queues.put("q", (0..3).map(|n| n.to_string()));
            world.streams.open("s", None);
            world.streams.put_range("s", 0..3);
            world.start(SourceConfig::DynamodbStream(DynamodbStreamConfig { on_reject, ..DynamodbStreamConfig::new("t") }));
            world.at(3.0).await;
            assert_eq!((world.worker.sizes(), world.queues.count("q")), (vec![(0, 3), (0, 3)], 0));
            assert_eq!(world.streams.position("s"), Some(Checkpoint::At(crate::model::name(2))));
            for (queue, id) in [("qDlq", "m2"), ("saveEntriesDlq", "000001")] {
                let dead = world.queues.messages(queue);
                let attribute = |name| host_adapters_delivery::event::Attribute::find(&dead[0].attributes, name);
                assert_eq!((dead.len(), attribute("sourceMessageId")), (1, Some(id)));
                assert_eq!(attribute("reason"), Some("invalid: a message of 2000000 bytes"));
            }
        }
    }

    d12_1__every_message_is_done_dead_or_dropped_as_the_settings_say {
        for (seed, on_reject) in SEEDS {
            let bodies = (0..RECORDS).map(|n| if n % 7 == 0 { "{cut".to_owned() } else { n.to_string() });
            settles_all(seed, on_reject, bodies.collect(), SourceConfig::Sqs).await;
        }
    }

    d12_1__every_message_of_an_object_is_done_dead_or_dropped_as_the_settings_say {
        for (seed, on_reject) in SEEDS {
            let bodies = (0..RECORDS).map(|n| told(&[&[(format!("in/{n}.csv").as_str(), "1")]]).remove(0));
            let source = |messages| SourceConfig::S3(S3Config { messages, ..S3Config::new("scoring", "q") });
            settles_all(seed, on_reject, bodies.collect(), source).await;
        }
    }

    d12_2__every_record_of_a_stream_is_done_dead_or_dropped_as_the_settings_say {
        for (seed, on_reject) in SEEDS {
            let config = DynamodbStreamConfig { on_reject, batch_size: 20, parallelization_factor: 2, ..DynamodbStreamConfig::new("t") };
            passes_all(seed, on_reject, SourceConfig::DynamodbStream(config)).await;
        }
    }

    d12_2__every_record_of_a_data_stream_is_done_dead_or_dropped_as_the_settings_say {
        for (seed, on_reject) in SEEDS {
            let config = KinesisConfig { on_reject, batch_size: 20, parallelization_factor: 2, ..KinesisConfig::new("s") };
            passes_all(seed, on_reject, SourceConfig::Kinesis(config)).await;
        }
    }

    d12_3__what_cannot_be_read_reaches_the_worker_as_it_is {
        let seen: Arc<Mutex<Vec<Payload>>> = Arc::default();
        let sees = seen.clone();
        let world = World::new(move |batch| {
            sees.lock().unwrap().extend(batch.iter().map(|event| event.payload.clone()));
            Reply::each(batch, |_| Disposition::Reject("unreadable".into()))
        });
        let config = SqsConfig { max_batch_bytes: 10, max_concurrency: 1, ..SqsConfig::new("q") };
        world.start(SourceConfig::Sqs(config));
        let bodies = ["{cut", r#""\ud83d""#, "plain", "1.0E+400", r#"{"larger":"than max_batch_bytes"}"#];
        world.queues.put("q", bodies.map(str::to_owned));
        world.at(10.0).await;
        let text = |payload: &Payload| match payload {
            Payload::Json(text) => text.clone(),
            Payload::Bytes(bytes) => String::from_utf8(bytes.clone()).unwrap(),
        };
        assert_eq!(seen.lock().unwrap().iter().map(text).collect::<Vec<_>>(), bodies);
        let dead: Vec<_> = world.queues.messages("qDlq").into_iter().map(|message| message.body).collect();
        assert_eq!(dead, bodies, "and its dead letter holds it");
    }
}
