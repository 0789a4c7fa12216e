//! Objects of which S3 notifies a queue (docs/delivery.md, 15).

use crate::model::{Reply, Request, World, ack_all, retry, trap};
use crate::queue::attribute;
use crate::rows;
use host_adapters_delivery::OnReject;
use host_adapters_delivery::event::{Disposition, Event};
use host_adapters_sources::s3::S3Config;
use host_adapters_sources::sqs::SqsConfig;
use host_adapters_sources::{SourceConfig, SourceContext};
use serde_json::{Value, json};
use std::sync::Arc;

fn config() -> S3Config {
    let messages = SqsConfig { max_concurrency: 1, ..SqsConfig::new("q") };
    S3Config { prefix: Some("in/".into()), suffix: Some(".csv".into()), messages, ..S3Config::new("scoring", "q") }
}

fn start(world: &World, config: S3Config) {
    world.start(SourceConfig::S3(config));
}

fn record(bucket: &str, key: &str, sequencer: &str) -> Value {
    let mut object = json!({"key": key, "size": 3, "eTag": format!("etag-{sequencer}")});
    if !sequencer.is_empty() {
        object["sequencer"] = sequencer.into();
    }
    json!({"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": bucket}, "object": object}})
}

/// Notifications of objects in the bucket, `(key, sequencer)`, each of one message.
pub(super) fn told(messages: &[&[(&str, &str)]]) -> Vec<String> {
    let record = |(key, sequencer): &(&str, &str)| record("scoring", key, sequencer);
    messages.iter().map(|it| json!({ "Records": it.iter().map(record).collect::<Vec<_>>() }).to_string()).collect()
}

fn payload(event: &Event) -> Value {
    event.json().unwrap()
}

/// The keys of each call.
fn calls(world: &World) -> Vec<Vec<String>> {
    let key = |event: Event| payload(&event)["key"].as_str().unwrap().to_owned();
    world.worker.calls().into_iter().map(|(_, batch)| batch.into_iter().map(key).collect()).collect()
}

fn deleted(world: &World) -> Vec<String> {
    let ids = world.queues.asked("q").into_iter().filter_map(|(_, asked)| match asked {
        Request::Deleted(id) => Some(id),
        _ => None,
    });
    let mut ids: Vec<_> = ids.collect();
    ids.sort();
    ids
}

rows! {
    d15_1__an_object_that_was_created_is_an_event {
        let world = World::new(ack_all);
        start(&world, config());
        world.queues.put("q", told(&[&[("in/a%2Bb+c.csv", "00A1")]]));
        world.at(1.0).await;
        let (_, batch) = world.worker.calls().remove(0);
        let [event] = batch.as_slice() else { panic!("{batch:?}") };
        assert_eq!((event.id.as_str(), event.source.as_str(), event.attempt), ("m1", "s3:scoring", 1));
        assert_eq!((event.ordering_key.as_deref(), event.correlation_id.as_str()), (None, "m1"));
        let expected = json!({
            "bucket": "scoring", "key": "in/a+b c.csv", "size": 3, "etag": "etag-00A1", "sequencer": "00A1",
            "eventName": "ObjectCreated:Put",
        });
        assert_eq!(payload(event), expected);
        assert_eq!(world.queues.count("q"), 0);
    }

    d15_1__what_creates_no_object_is_settled_without_a_call {
        let world = World::new(ack_all);
        start(&world, config());
        let mut removed = record("scoring", "in/a.csv", "1");
        removed["eventName"] = "ObjectRemoved:Delete".into();
        let test = json!({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "scoring"});
        let in_sns = json!({"Type": "Notification", "Message": test.to_string()});
        world.queues.put("q", [json!({"Records": [removed]}), test, in_sns].map(|it| it.to_string()));
        world.at(1.0).await;
        assert_eq!((world.worker.calls().len(), world.queues.count("q"), world.queues.count("qDlq")), (0, 0, 0));
    }

    d15_1__sns_may_wrap_what_s3_tells {
        let world = World::new(ack_all);
        start(&world, config());
        let wrap = |text: String| json!({"Type": "Notification", "MessageId": "n", "Message": text}).to_string();
        world.queues.put("q", told(&[&[("in/1.csv", "1")], &[("in/2.csv", "1"), ("in/3.csv", "1")]]).into_iter().map(wrap));
        world.at(1.0).await;
        assert_eq!(calls(&world), [["in/1.csv", "in/2.csv", "in/3.csv"]]);
        assert_eq!(world.worker.batches(), [["m1", "m2#0", "m2#1"]]);
        assert_eq!(deleted(&world), ["m1", "m2"]);
    }

    /// Deployments have a prefix before the names of their buckets.
    d15_1__a_bucket_is_called_as_it_is_declared {
        let world = World::new(ack_all);
        let buckets = Arc::new([("scoring".to_owned(), "prod-scoring".to_owned())].into());
        let source = SourceConfig::S3(config()).source(&SourceContext { buckets, ..world.context() });
        let drain = world.drain.clone();
        let running = tokio::spawn(async move { source.run(drain).await });
        let of = |bucket: &str| json!({ "Records": [record(bucket, "in/a.csv", bucket)] }).to_string();
        world.queues.put("q", [of("prod-scoring"), of("scoring")]);
        world.at(1.0).await;
        let (_, batch) = world.worker.calls().remove(0);
        assert_eq!((batch.len(), &payload(&batch[0])["bucket"]), (1, &json!("scoring")));
        assert_eq!(deleted(&world), ["m1", "m2"]);
        running.abort();
    }

    d15_2__a_message_is_settled_when_all_its_objects_are {
        let world = World::new(|batch| Reply::each(batch, |event| {
            let fails = event.attempt == 1 && payload(event)["key"] == "in/2.csv";
            if fails { retry() } else { Disposition::Ack }
        }));
        start(&world, config());
        world.queues.put("q", told(&[&[("in/1.csv", "1"), ("in/2.csv", "1")], &[("in/3.csv", "1")]]));
        world.at(29.0).await;
        assert_eq!(deleted(&world), ["m2"]);
        world.at(31.0).await;
        assert_eq!(calls(&world), [vec!["in/1.csv", "in/2.csv", "in/3.csv"], vec!["in/1.csv", "in/2.csv"]]);
        assert_eq!(deleted(&world), ["m1", "m2"]);
    }

    d15_2__a_wait_of_an_object_is_its_messages_and_uses_no_attempt {
        let world = World::new(|batch| Reply::each(batch, |event| {
            if event.attempt < 6 { Disposition::retry_after(Some(1000), "goes on") } else { Disposition::Ack }
        }));
        start(&world, config());
        world.queues.redrive_after(100);
        world.queues.put("q", told(&[&[("in/1.csv", "1")]]));
        world.at(10.0).await;
        assert_eq!((world.worker.calls().len(), world.queues.count("q"), world.queues.count("qDlq")), (6, 0, 0));
    }

    d15_2__the_dead_letter_of_an_object_is_its_message {
        let world = World::new(|batch| Reply::each(batch, |event| {
            if payload(event)["key"] == "in/bad.csv" { Disposition::Reject("no header".into()) } else { Disposition::Ack }
        }));
        start(&world, config());
        let bodies = told(&[&[("in/bad.csv", "1"), ("in/good.csv", "1")], &[("in/other.csv", "1")]]);
        world.queues.put("q", bodies.clone());
        world.at(1.0).await;
        let dead_letters = world.queues.messages("qDlq");
        assert_eq!((dead_letters.len(), &dead_letters[0].body), (1, &bodies[0]));
        assert_eq!(attribute(&dead_letters[0], "reason"), "no header");
        assert_eq!(attribute(&dead_letters[0], "source"), "s3:scoring");
        assert_eq!(world.queues.count("q"), 0);
    }

    d15_2__attempts_are_counted_by_message {
        let world = World::new(|_| trap());
        start(&world, S3Config { messages: SqsConfig { max_attempts: 2, ..config().messages }, ..config() });
        world.queues.put("q", told(&[&[("in/1.csv", "1")]]));
        world.at(100.0).await;
        assert_eq!((world.worker.calls().len(), world.queues.count("qDlq")), (2, 1));
    }

    d15_2__an_outage_uses_no_attempt {
        let mut calls = 0;
        let world = World::new(move |batch| {
            calls += 1;
            let reply = Reply::each(batch, |_| if calls < 9 { retry() } else { Disposition::Ack });
            if calls < 9 { reply.outage("data-stream:scores") } else { reply }
        });
        start(&world, config());
        world.queues.put("q", told(&[&[("in/1.csv", "1")]]));
        world.at(600.0).await;
        assert_eq!((world.worker.calls().len(), world.queues.count("q"), world.queues.count("qDlq")), (9, 0, 0));
    }

    d15_3__other_objects_are_skipped {
        let world = World::new(ack_all);
        start(&world, config());
        let elsewhere = json!({"Records": [record("other", "in/a.csv", "1")]}).to_string();
        world.queues.put("q", told(&[&[("out/a.csv", "1")], &[("in/a.txt", "1")]]).into_iter().chain([elsewhere]));
        world.queues.put("q", told(&[&[("in/a.csv", "1"), ("a.csv", "1")]]));
        world.at(1.0).await;
        assert_eq!(calls(&world), [["in/a.csv"]]);
        assert_eq!((world.queues.count("q"), world.queues.count("qDlq")), (0, 0));
    }

    d15_4__the_same_event_in_a_batch_is_handed_over_once {
        let world = World::new(|batch| Reply::each(batch, |event| if event.attempt == 1 { retry() } else { Disposition::Ack }));
        start(&world, config());
        let repeated = [("in/a.csv", "00a1")];
        world.queues.put("q", told(&[&repeated, &[("in/a.csv", "00A1")], &[("in/b.csv", "00A1")], &repeated]));
        world.at(1.0).await;
        assert_eq!(calls(&world), [["in/a.csv", "in/b.csv"]]);
        assert_eq!(deleted(&world), [""; 0], "all wait for the one");
        world.at(31.0).await;
        assert_eq!(deleted(&world), ["m1", "m2", "m3", "m4"]);
    }

    d15_4__without_a_sequencer_the_etag_tells_repeats {
        let world = World::new(ack_all);
        start(&world, config());
        let mut other = record("scoring", "in/a.csv", "");
        other["s3"]["object"]["eTag"] = "another".into();
        let other = json!({ "Records": [other] }).to_string();
        world.queues.put("q", told(&[&[("in/a.csv", "")], &[("in/a.csv", "")]]).into_iter().chain([other]));
        world.at(1.0).await;
        assert_eq!(calls(&world), [["in/a.csv", "in/a.csv"]]);
        assert_eq!(deleted(&world), ["m1", "m2", "m3"]);
    }

    d15_4__an_object_that_was_overtaken_in_its_batch_is_skipped {
        let world = World::new(ack_all);
        start(&world, config());
        // Compared as texts, the shorter one padded with zeros.
        world.queues.put("q", told(&[&[("in/a.csv", "55")], &[("in/a.csv", "551")], &[("in/a.csv", "0060")], &[("in/b.csv", "1")]]));
        world.at(1.0).await;
        let (_, batch) = world.worker.calls().remove(0);
        let sequencers: Vec<_> = batch.iter().map(|event| payload(event)["sequencer"].clone()).collect();
        assert_eq!(sequencers, ["551", "1"]);
        assert_eq!((world.queues.count("q"), world.queues.count("qDlq")), (0, 0));
    }

    d15_5__events_of_several_batches_come_as_they_are_received {
        let world = World::new(ack_all);
        start(&world, S3Config { messages: SqsConfig { batch_size: 1, ..config().messages }, ..config() });
        world.queues.put("q", told(&[&[("in/a.csv", "2")], &[("in/a.csv", "1")], &[("in/a.csv", "2")]]));
        world.at(1.0).await;
        let sequencers = world.worker.calls().into_iter().map(|(_, batch)| payload(&batch[0])["sequencer"].clone());
        assert_eq!(sequencers.collect::<Vec<_>>(), ["2", "1", "2"]);
    }

    d15_6__what_is_not_of_s3_is_rejected_and_holds_up_nothing {
        let world = World::new(ack_all);
        start(&world, config());
        let bodies = ["{truncated".to_owned(), r#"{"a":1}"#.to_owned()];
        world.queues.put("q", bodies.iter().cloned().chain(told(&[&[("in/a.csv", "1")]])));
        world.at(1.0).await;
        assert_eq!(calls(&world), [["in/a.csv"]]);
        let dead_letters = world.queues.messages("qDlq");
        assert_eq!(dead_letters.len(), 2);
        assert_eq!(attribute(&dead_letters[0], "reason"), "malformed: not a notification of S3");
        assert_eq!(world.queues.count("q"), 0);
    }

    d15_6__a_malformed_record_does_not_keep_the_others_of_its_message {
        let world = World::new(ack_all);
        start(&world, config());
        let body = json!({"Records": [{"eventName": "ObjectCreated:Put", "s3": {}}, record("scoring", "in/a.csv", "1")]});
        world.queues.put("q", [body.to_string()]);
        world.at(1.0).await;
        assert_eq!(calls(&world), [["in/a.csv"]]);
        let dead_letters = world.queues.messages("qDlq");
        assert_eq!(dead_letters[0].body, body.to_string());
        assert_eq!(attribute(&dead_letters[0], "reason"), "malformed: Records[0]: s3: missing field `bucket`");
    }

    d15_6__rejected_messages_are_dropped_if_the_source_says_so {
        let world = World::new(ack_all);
        start(&world, S3Config { messages: SqsConfig { on_reject: OnReject::Drop, ..config().messages }, ..config() });
        world.queues.put("q", ["{truncated".to_owned()]);
        world.at(1.0).await;
        assert_eq!((world.queues.count("q"), world.queues.count("qDlq")), (0, 0));
    }
}
