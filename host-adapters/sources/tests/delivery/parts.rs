//! Dead letters in parts (docs/delivery.md, 6.9): of records of a stream that no message holds even if they are
//! compressed.

use crate::model::{Reply, World, down, name};
use crate::rows;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use host_adapters_delivery::dead_letter::{DeadLetter, by_dead_letter};
use host_adapters_delivery::event::{Disposition, Event, Payload};
use host_adapters_platform::limits::message::{MAX_MESSAGE_BYTES, bytes, check_message};
use host_adapters_platform::{Checkpoint, Received};
use host_adapters_records::queue::Message;
use host_adapters_sources::dynamodb_stream::DynamodbStreamConfig;
use host_adapters_sources::kinesis::KinesisConfig;
use host_adapters_sources::{SourceConfig, event_of};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;

const DLQ: &str = "saveEntriesDlq";
/// The most that a record of a data stream has, with its key.
const LARGEST: usize = 1 << 20;
/// What queues take that were made while the limit of SQS was lower.
const LESS: usize = 256 << 10;

fn random(bytes: usize) -> Vec<u8> {
    let mut random = StdRng::seed_from_u64(7);
    (0..bytes).map(|_| random.random_range(0..=u8::MAX)).collect()
}

/// A world with a record of incompressible text in its stream, which the worker rejects.
fn world() -> World {
    let world = World::new(|batch: &[Event]| Reply::each(batch, |_| Disposition::Reject("not mine".into())));
    world.streams.open("s", None);
    let text: String = random(LARGEST - 10).into_iter().map(|byte| char::from(byte & 127)).collect();
    world.streams.put_image("s", 1, text);
    world
}

fn kinesis() -> SourceConfig {
    SourceConfig::Kinesis(KinesisConfig::new("s"))
}

/// The dead letters as an operator has them: joined, if they are in parts.
fn dead_letters(world: &World) -> Vec<DeadLetter> {
    let read = |(number, message): (usize, Message)| {
        assert_eq!(check_message(DLQ, &message), Ok(()));
        let Message { body, attributes, .. } = message;
        DeadLetter::read(DLQ, Received { id: format!("d{number}"), body, attributes, ..Received::default() }, &[])
    };
    let read = world.queues.messages(DLQ).into_iter().enumerate().map(read);
    by_dead_letter(read).into_iter().filter_map(DeadLetter::joined).collect()
}

/// The dead letter is that of the record that the worker had, byte for byte, and the checkpoint has passed it. Returns
/// how many messages it has.
fn is_given_up_whole(world: &World) -> usize {
    assert_eq!(world.streams.position("s"), Some(Checkpoint::At(name(1))));
    let dead = dead_letters(world);
    let [dead_letter] = dead.as_slice() else { panic!("{} dead letters", dead.len()) };
    let mut given = world.worker.calls().remove(0).1.remove(0);
    given.attributes.sort_unstable();
    let back = event_of(dead_letter).unwrap();
    assert!(back.payload == given.payload, "byte for byte");
    assert_eq!((&back.ordering_key, &back.attributes), (&given.ordering_key, &given.attributes));
    assert_eq!((back.id, dead_letter.summary.reason.as_str()), (given.id, "not mine"));
    dead_letter.messages.len()
}

rows! {
    d6_9__case_08_a_data_record_that_no_message_holds_is_given_up_in_parts {
        let world = world();
        world.start(kinesis());
        world.at(5.0).await;
        assert!(matches!(&world.worker.calls()[0].1[0].payload, Payload::Bytes(bytes) if bytes.len() > LARGEST - 20));
        assert_eq!(is_given_up_whole(&world), 2);
    }

    /// Bytes are base64 in the JSON of a change, and the largest item has 400 KB.
    d6_9__case_08_a_change_of_two_images_of_bytes_is_given_up_in_parts {
        let world = World::new(|batch| Reply::each(batch, |_| Disposition::Reject("not mine".into())));
        world.streams.open("s", None);
        let bytes = random(800_000);
        let [old, new] = [&bytes[..400_000], &bytes[400_000..]].map(|bytes| json!({ "b": BASE64_STANDARD.encode(bytes) }));
        world.streams.put_images("s", 1, old.to_string(), new.to_string());
        world.start(SourceConfig::DynamodbStream(DynamodbStreamConfig::new("t")));
        world.at(5.0).await;
        assert!(matches!(&world.worker.calls()[0].1[0].payload, Payload::Json(change) if change.len() > LARGEST));
        assert_eq!(is_given_up_whole(&world), 2);
    }

    /// Its owner made it with the limit of that time.
    d6_9__a_queue_that_takes_smaller_messages_gets_more_parts {
        let world = world();
        world.queues.takes_at_most(LESS);
        world.start(kinesis());
        world.at(5.0).await;
        assert!(world.queues.messages(DLQ).iter().all(|message| bytes(message) <= LESS));
        assert!(is_given_up_whole(&world) > LARGEST / LESS);
    }

    /// What the queue has is not sent again.
    d6_9__a_part_that_the_queue_did_not_take_is_sent_until_it_does {
        let world = world();
        world.queues.faults.plan("send one", 1, down());
        world.start(kinesis());
        world.at(0.9).await;
        assert_eq!((world.queues.count(DLQ), world.streams.position("s")), (1, None), "not passed yet");
        world.at(10.0).await;
        assert_eq!(is_given_up_whole(&world), 2);
    }

    /// The record is given up again, and its parts complete those that are there.
    d6_9__parts_that_a_crash_left_belong_to_those_that_are_sent_after_it {
        let world = world();
        world.queues.faults.plan("send one", 1, down());
        let first = world.start(kinesis());
        world.at(0.9).await;
        first.kill().await;
        let left = dead_letters(&world);
        assert_eq!((left.len(), world.streams.position("s")), (1, None));
        let error = event_of(&left[0]).unwrap_err();
        assert!(error.starts_with("it is part 2 of 2 of a dead letter, and not all of the others are there"), "{error}");
        world.start(kinesis());
        world.at(20.0).await;
        assert_eq!(is_given_up_whole(&world), 3);
    }

    /// In a FIFO queue, the parts follow each other in the group of their record, and each is stored once.
    d6_9__parts_in_a_fifo_queue_have_one_group_and_their_own_deduplication_ids {
        let world = world();
        let config = KinesisConfig { dead_letter_queue: Some("dead.fifo".to_owned()), ..KinesisConfig::new("s") };
        world.start(SourceConfig::Kinesis(config));
        world.at(5.0).await;
        let messages = world.queues.messages("dead.fifo");
        let [first, second] = messages.as_slice() else { panic!("{} messages", messages.len()) };
        assert!([first, second].iter().all(|it| check_message("dead.fifo", it).is_ok() && bytes(it) <= MAX_MESSAGE_BYTES));
        assert_eq!((first.group_id.as_deref(), &second.group_id), (Some("item"), &first.group_id));
        assert_ne!(first.deduplication_id, second.deduplication_id);
        assert_eq!(world.streams.position("s"), Some(Checkpoint::At(name(1))));
    }
}
