//! The event shapes that AWS documents for SQS, DynamoDB streams, Kinesis, Kafka, S3 and AppSync (`tests/fixtures/events`): absent, null and
//! default are alike, numbers keep their digits, and a good body is never lost for what stands around it.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use check_eligibility::input::Input;
use fake_services::Service;
use host_adapters_delivery::event::{Event, Payload};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};
use tests::{Fan, TestHost, WORKER_TOKEN, entry, without_stream};
use worker_kit::lambda::{self, Context, Incoming};

/// A shape: the documented event, and what of its record a worker needs.
struct Shape {
    name: &'static str,
    event: fn() -> Value,
    /// The record's JSON.
    record: &'static str,
    /// The members that the record cannot do without: its id, and its body. Nothing in them is changed.
    needed: &'static [&'static str],
    /// Members of the body for which absent and null are alike.
    images: &'static [&'static str],
    /// What a member is by default.
    defaults: &'static [(&'static str, &'static str)],
}

const SQS: Shape = Shape {
    name: "SQS",
    event: || fixture(include_str!("../fixtures/events/sqs.json")),
    record: "/Records/0",
    needed: &["/messageId", "/body"],
    images: &[],
    defaults: SQS_DEFAULTS,
};

const SQS_FIFO: Shape = Shape {
    name: "SQS FIFO",
    event: || fixture(include_str!("../fixtures/events/sqs-fifo.json")),
    needed: &["/messageId", "/body"],
    ..SQS
};

const DYNAMODB: Shape = Shape {
    name: "DynamoDB stream",
    event: || fixture(include_str!("../fixtures/events/dynamodb-stream.json")),
    record: "/Records/0",
    needed: &[
        "/eventName",
        "/userIdentity",
        "/dynamodb/SequenceNumber",
        "/dynamodb/Keys",
        "/dynamodb/NewImage",
        "/dynamodb/OldImage",
    ],
    images: &["/userIdentity", "/dynamodb/NewImage", "/dynamodb/OldImage"],
    defaults: &[("/dynamodb/ApproximateCreationDateTime", "0")],
};

/// Its data is not JSON.
const DATA_STREAM: Shape = Shape {
    name: "Kinesis",
    event: || fixture(include_str!("../fixtures/events/kinesis.json")),
    record: "/Records/0",
    needed: &["/kinesis/sequenceNumber", "/kinesis/data"],
    images: &[],
    defaults: &[("/kinesis/approximateArrivalTimestamp", "0"), ("/kinesis/approximateArrivalTimestamp", r#""0""#)],
};

/// The data of a Kinesis record: one change of a table.
const KINESIS: Shape = Shape {
    name: "Kinesis stream for DynamoDB",
    event: || fixture(include_str!("../fixtures/events/kinesis-dynamodb.json")),
    record: "",
    needed: &["/eventName", "/userIdentity", "/dynamodb/Keys", "/dynamodb/NewImage", "/dynamodb/OldImage"],
    ..DYNAMODB
};

/// A record of a topic, by Amazon MSK.
const KAFKA: Shape = Shape {
    name: "Kafka",
    event: || fixture(include_str!("../fixtures/events/kafka.json")),
    record: "/records/mytopic-0/0",
    needed: &["/topic", "/partition", "/offset", "/key", "/value"],
    images: &[],
    defaults: &[("/timestamp", "0"), ("/timestamp", r#""0""#), ("/headers", "[]")],
};

/// A notification of S3's. Its record holds the event of an object.
const S3: Shape = Shape {
    name: "S3",
    event: || fixture(include_str!("../fixtures/events/s3.json")),
    record: "/Records/0",
    needed: &["/eventName", "/s3/bucket/name", "/s3/object/key", "/s3/object/eTag", "/s3/object/sequencer"],
    images: &[],
    defaults: &[],
};

/// The object that a notification tells of: called by S3, in a message of SQS, and in one of SNS.
fn objects(event: &Value) -> Vec<Value> {
    let message = json!({ "Records": [{ "messageId": "m", "body": event.to_string(), "eventSource": "aws:sqs" }] });
    let sns =
        json!({ "Records": [{ "EventSource": "aws:sns", "Sns": { "MessageId": "m", "Message": event.to_string() } }] });
    let object = |event: &Value| -> Value {
        let mut incoming = lambda::parse(event.to_string().as_bytes(), &Context::default(), &mut |_| ()).unwrap();
        match (incoming.len(), incoming.remove(0)) {
            (1, Incoming::Several(several)) if several.malformed.is_none() && several.events.len() == 1 => {
                serde_json::from_str(text(&several.events[0])).unwrap()
            }
            (_, other) => panic!("{other:?}: {event}"),
        }
    };
    [event, &message, &sns].map(object).into()
}

/// What an object cannot do without.
fn needed_of_object(object: &Value) -> [Value; 5] {
    ["bucket", "key", "etag", "sequencer", "eventName"].map(|name| object[name].clone())
}

const SQS_DEFAULTS: &[(&str, &str)] = &[
    ("/attributes", "{}"),
    ("/attributes/ApproximateReceiveCount", r#""1""#),
    ("/attributes/ApproximateReceiveCount", "1"),
    ("/attributes/SentTimestamp", r#""0""#),
    ("/attributes/SentTimestamp", "0"),
    ("/messageAttributes", "{}"),
];

const SHAPES: [Shape; 6] = [SQS, SQS_FIFO, DYNAMODB, DATA_STREAM, KINESIS, KAFKA];

/// Members of an input that have a default, and that.
const APPSYNC_DEFAULTS: [(&str, &str); 3] = [("doTransfer", "false"), ("userInfo", "{}"), ("entry", "{}")];

fn appsync_event() -> Value {
    fixture(include_str!("../fixtures/events/appsync.json"))
}

/// The pointers of all members that an input does not need.
fn optional_of_appsync(event: &Value) -> Vec<String> {
    let mut found = Vec::new();
    members(event, "", &mut found);
    found.retain(|path| !path.starts_with("/arguments"));
    found
}

fn fixture(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

impl Shape {
    /// The outcome of the event: its only record.
    fn read(&self, event: &Value) -> Incoming {
        let event = if self.name == KINESIS.name { in_kinesis(&event.to_string()) } else { event.to_string() };
        let mut incoming = lambda::parse(event.as_bytes(), &Context::default(), &mut |_| ()).unwrap();
        assert_eq!(incoming.len(), 1);
        incoming.remove(0)
    }

    fn event(&self, event: &Value) -> Event {
        match self.read(event) {
            Incoming::Event(event) => event,
            Incoming::Several(several) => panic!("{}: {several:?}: {event}", self.name),
            Incoming::Malformed { reason, .. } => panic!("{}: {reason}: {event}", self.name),
        }
    }

    /// The pointers of all members that the record can do without.
    fn optional(&self) -> Vec<String> {
        let (event, mut found) = ((self.event)(), Vec::new());
        members(event.pointer(self.record).unwrap(), "", &mut found);
        let is_needed = |path: &String| {
            self.needed.iter().any(|needed| path.starts_with(needed) || needed.starts_with(&format!("{path}/")))
        };
        found.retain(|path| !is_needed(path));
        found.into_iter().map(|path| format!("{}{path}", self.record)).collect()
    }
}

/// A Kinesis record with this data.
fn in_kinesis(data: &str) -> String {
    let kinesis = json!({
        "kinesisSchemaVersion": "1.0", "partitionKey": "1", "sequenceNumber": "49590338271490256608559692538361571095",
        "data": BASE64_STANDARD.encode(data), "approximateArrivalTimestamp": 1545084650.987,
    });
    json!({ "Records": [{ "kinesis": kinesis, "eventSource": "aws:kinesis", "eventID": "shardId-000000000006:4959" }] })
        .to_string()
}

/// The pointers of all members of objects in a value.
fn members(value: &Value, path: &str, found: &mut Vec<String>) {
    for (name, value) in value.as_object().into_iter().flatten() {
        let path = format!("{path}/{name}");
        members(value, &path, found);
        found.push(path);
    }
}

/// Puts a value in the place of a member; `None` removes the member.
pub(super) fn put(event: &mut Value, path: &str, value: Option<Value>) {
    let (parent, name) = path.rsplit_once('/').unwrap();
    let Some(parent) = event.pointer_mut(parent).and_then(Value::as_object_mut) else { return };
    match value {
        Some(value) => drop(parent.insert(name.to_owned(), value)),
        None => drop(parent.remove(name)),
    }
}

pub(super) fn with(event: &Value, path: &str, value: Option<Value>) -> Value {
    let mut event = event.clone();
    put(&mut event, path, value);
    event
}

#[test]
fn absent_null_and_default_are_alike() {
    for shape in SHAPES {
        let event = (shape.event)();
        let images = shape.images.iter().map(|path| format!("{}{path}", shape.record));
        for path in shape.optional().into_iter().chain(images) {
            let absent = shape.event(&with(&event, &path, None));
            assert_eq!(shape.event(&with(&event, &path, Some(Value::Null))), absent, "{}: null {path}", shape.name);
        }
        for (path, default) in shape.defaults {
            let path = format!("{}{path}", shape.record);
            let absent = shape.event(&with(&event, &path, None));
            let default = shape.event(&with(&event, &path, Some(fixture(default))));
            assert_eq!(default, absent, "{}: default {path}", shape.name);
        }
        // What only other shapes have.
        for path in ["/dynamodb", "/kinesis", "/Sns", "/s3", "/body"].map(|path| format!("{}{path}", shape.record)) {
            if event.pointer(&path).is_none() {
                let null = shape.event(&with(&event, &path, Some(Value::Null)));
                assert_eq!(null, shape.event(&event), "{}: null {path}", shape.name);
            }
        }
    }
}

#[test]
fn absent_and_null_are_alike_in_a_notification() {
    let event = (S3.event)();
    let whole = objects(&event);
    assert!(whole.iter().all(|object| *object == whole[0]), "{whole:?}");
    assert_eq!(needed_of_object(&whole[0])[..2], [json!("amzn-s3-demo-bucket"), json!("HappyFace.jpg")]);
    for path in S3.optional() {
        let absent = objects(&with(&event, &path, None));
        assert_eq!(objects(&with(&event, &path, Some(Value::Null))), absent, "null {path}");
        assert_eq!(needed_of_object(&absent[0]), needed_of_object(&whole[0]), "absent {path}");
    }
    for (size, read) in [(json!(1024.0), json!(1024)), (json!("1024"), json!(1024)), (json!(-1), Value::Null)] {
        let event = with(&event, "/Records/0/s3/object/size", Some(size.clone()));
        assert_eq!(objects(&event)[0]["size"], read, "{size}");
    }
}

#[test]
fn counts_and_times_are_read_as_text_and_as_numbers() {
    let event = (SQS.event)();
    for (count, attempt) in [(json!("3"), 3), (json!(3), 3), (json!(3.0), 3), (json!("0"), 1), (json!("many"), 1)] {
        let event = SQS.event(&with(&event, "/Records/0/attributes/ApproximateReceiveCount", Some(count.clone())));
        assert_eq!(event.attempt, attempt, "{count}");
    }
    for (sent, time_ms) in
        [(json!("1545082649183"), 1_545_082_649_183), (json!(1_545_082_649_183_u64), 1_545_082_649_183)]
    {
        let event = SQS.event(&with(&event, "/Records/0/attributes/SentTimestamp", Some(sent)));
        assert_eq!(event.time_ms, time_ms);
    }
    for time in [json!(1_428_537_600), json!(1_428_537_600.0), json!("1428537600"), json!("1.4285376E9")] {
        let path = "/Records/0/dynamodb/ApproximateCreationDateTime";
        assert_eq!(
            DYNAMODB.event(&with(&(DYNAMODB.event)(), path, Some(time.clone()))).time_ms,
            1_428_537_600_000,
            "{time}"
        );
    }
}

/// Any JSON.
pub(super) fn junk() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-zA-Z]{1,12}", inner, 0..4).prop_map(|map| json!(map)),
        ]
    })
}

/// A number as it may be written, of at most 38 digits, as DynamoDB has them.
fn number() -> impl Strategy<Value = String> {
    ("-?(0|[1-9][0-9]{0,18})", prop::option::of("\\.[0-9]{1,19}"), prop::option::of("[eE][+-]?[0-9]{1,2}")).prop_map(
        |(whole, fraction, exponent)| {
            format!("{whole}{}{}", fraction.unwrap_or_default(), exponent.unwrap_or_default())
        },
    )
}

/// A number without its notation: sign, digits, exponent of ten.
fn exactly(number: &str) -> (bool, String, i64) {
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let exponent: i64 = exponent.parse().unwrap();
    let (whole, fraction) =
        mantissa.trim_start_matches('-').split_once('.').unwrap_or((mantissa.trim_start_matches('-'), ""));
    let digits = format!("{whole}{fraction}");
    let kept = digits.trim_end_matches('0');
    let zeros = i64::try_from(digits.len() - kept.len()).unwrap();
    let kept = kept.trim_start_matches('0');
    if kept.is_empty() {
        return (false, String::new(), 0);
    }
    (number.starts_with('-'), kept.to_owned(), exponent - i64::try_from(fraction.len()).unwrap() + zeros)
}

/// The number that follows `"n":` in a text.
fn number_in(text: &str) -> &str {
    let rest = &text[text.find(r#""n":"#).unwrap_or_else(|| panic!("there is no number in {text}")) + 4..].trim_start();
    &rest[..rest.find([',', '}', ']', ' ']).unwrap_or(rest.len())]
}

fn text(event: &Event) -> &str {
    match &event.payload {
        Payload::Json(text) => text,
        Payload::Bytes(bytes) => panic!("{bytes:?} are not JSON"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever stands in the members that it can do without, and in members that nobody knows.
    #[test]
    fn a_good_body_is_never_lost_for_what_stands_around_it(
        shape in 0..SHAPES.len(),
        changes in prop::collection::vec((any::<Index>(), prop::option::of(junk())), 1..6),
        unknown in junk(),
    ) {
        let shape = &SHAPES[shape];
        let (mut event, optional) = ((shape.event)(), shape.optional());
        let whole = shape.event(&event);
        for (index, change) in changes {
            put(&mut event, index.get(optional.as_slice()).as_str(), change);
        }
        put(&mut event, &format!("{}/unknown", shape.record), Some(unknown.clone()));
        put(&mut event, "/more", Some(unknown));
        let changed = shape.event(&event);
        prop_assert_eq!(changed.payload, whole.payload);
        prop_assert_eq!(changed.id, whole.id);
        prop_assert!(changed.attempt >= 1);
    }

    /// The same of a notification of S3's, however it comes.
    #[test]
    fn a_good_notification_is_never_lost_for_what_stands_around_it(
        changes in prop::collection::vec((any::<Index>(), prop::option::of(junk())), 1..6),
        unknown in junk(),
    ) {
        let (mut event, optional) = ((S3.event)(), S3.optional());
        let whole = needed_of_object(&objects(&event)[0]);
        // S3 names itself in `eventSource`: by that word a message of SQS or SNS is known to be its.
        let free = optional.iter().filter(|path| !path.ends_with("/eventSource")).collect::<Vec<_>>();
        for (index, change) in changes {
            let path = *index.get(free.as_slice());
            put(&mut event, path, change);
        }
        for parent in ["/Records/0", "/Records/0/s3", "/Records/0/s3/bucket", "/Records/0/s3/object"] {
            put(&mut event, &format!("{parent}/unknown"), Some(unknown.clone()));
        }
        for object in objects(&event) {
            prop_assert_eq!(&needed_of_object(&object), &whole, "{}", event);
        }
    }

    /// AppSync's event has its input under `arguments`; what stands there beside it counts no more than the rest.
    #[test]
    fn a_good_input_is_never_lost_for_what_stands_around_it(
        changes in prop::collection::vec((any::<Index>(), prop::option::of(junk())), 1..6),
        unknown in junk(),
    ) {
        let mut event = appsync_event();
        let (whole, optional) = (Input::parse(&event.to_string()), optional_of_appsync(&event));
        for (index, change) in changes {
            put(&mut event, index.get(optional.as_slice()).as_str(), change);
        }
        for parent in ["", "/arguments", "/arguments/input", "/arguments/input/body", "/arguments/input/body/userInfo"] {
            put(&mut event, &format!("{parent}/unknown"), Some(unknown.clone()));
        }
        prop_assert!(whole.is_ok());
        prop_assert_eq!(Input::parse(&event.to_string()), whole, "{}", event);
    }

    /// Absent, null and the default, in any combination.
    #[test]
    fn absent_null_and_default_are_alike_in_an_input(chosen in prop::collection::vec(0..3_usize, APPSYNC_DEFAULTS.len())) {
        let alike = |chosen: &[usize]| {
            let mut event = appsync_event();
            for ((member, default), chosen) in APPSYNC_DEFAULTS.iter().zip(chosen) {
                let value = [None, Some(Value::Null), Some(fixture(default))][*chosen].clone();
                put(&mut event, &format!("/arguments/input/body/{member}"), value);
            }
            Input::parse(&event.to_string()).unwrap()
        };
        prop_assert_eq!(alike(&chosen), alike(&[0; APPSYNC_DEFAULTS.len()]));
    }

    /// A number of the form is read with every digit, or as what no field accepts.
    #[test]
    fn numbers_of_an_input_keep_their_digits(number in number()) {
        let plain = format!(r#"{{"slug":"s","entry":{{"n":{number}}}}}"#);
        let aws_json = json!({"slug": "s", "entry": format!(r#"{{"n":{number}}}"#)}).to_string();
        for body in [plain, aws_json] {
            let entry = Input::parse(&format!(r#"{{"arguments":{{"input":{{"body":{body}}}}}}}"#)).unwrap().entry;
            match &entry["n"] {
                Value::Number(read) => prop_assert_eq!(exactly(&read.to_string()), exactly(&number)),
                refused => prop_assert_eq!(refused, "\u{ffff}", "{}", number),
            }
        }
    }

    #[test]
    fn numbers_keep_their_digits(number in number()) {
        let sqs = |body: &str| format!(r#"{{"Records":[{{"messageId":"m","body":{body}}}]}}"#);
        let image = format!(r#"{{"n":{{"N":"{number}"}}}}"#);
        let change = format!(r#"{{"eventName":"INSERT","dynamodb":{{"SequenceNumber":"1","Keys":{{}},"NewImage":{image}}}}}"#);
        let events = [
            sqs(&Value::from(format!(r#"{{"n":{number}}}"#)).to_string()),
            // As the documents print it.
            sqs(&format!(r#"{{"n":{number}}}"#)),
            format!(r#"{{"Records":[{change}]}}"#),
            in_kinesis(&change),
        ];
        for event in events {
            let incoming = lambda::parse(event.as_bytes(), &Context::default(), &mut |_| ()).unwrap();
            let Incoming::Event(read) = &incoming[0] else { panic!("{event} is refused: {incoming:?}") };
            prop_assert_eq!(exactly(number_in(text(read))), exactly(&number), "{} of {}", text(read), event);
        }
    }
}

#[test]
fn numbers_are_compared_exactly() {
    for (number, same) in
        [("1.50", "15e-1"), ("-0.0", "0"), ("1200", "1.2E3"), ("1e-30", "0.000000000000000000000000000001")]
    {
        assert_eq!(exactly(number), exactly(same));
    }
    assert_ne!(exactly("12345678901234567890"), exactly("12345678901234567891"));
    assert_ne!(exactly("1"), exactly("-1"));
    assert_eq!(number_in(r#"{"a":{"n": 1.5E3},"b":2}"#), "1.5E3");
}

/// The case's own event, by the real component: all five are handled.
#[tokio::test]
async fn case_02_nulls_and_counts_as_numbers_cost_no_message() {
    let host = TestHost::with(without_stream).await;
    for fan in 1..=5 {
        host.send_past_host("c-1", &entry("c-1", &format!("u-{fan}"), &json!({}), "2024-01-15T10:30:00.000Z")).await;
    }
    let event = include_str!("../fixtures/events/case_02_sqs_nulls.json");
    let reply = host.post("/workers/retry-score", Some(WORKER_TOKEN), event).await;
    let expected = json!({
        "batchItemFailures": [], "rejected": [], "count": { "received": 5, "processed": 5, "failed": 0, "rejected": 0 },
    });
    assert_eq!((reply.status, reply.body), (200, expected));
    assert_eq!(host.answers(Service::Entry).await["refreshScores 200"], 1);
    let incoming = lambda::parse(event.as_bytes(), &Context::default(), &mut |_| ()).unwrap();
    let events: Vec<_> = incoming.iter().filter_map(Incoming::event).collect();
    assert_eq!((events[3].attempt, events[3].time_ms), (1, 1_767_225_600_000));
}

const JANE: Fan = Fan { id: "global-user-123", email: "fan@example.com" };

/// AppSync's event, by the real component: the answer is the same whatever stands around `arguments`, and for what is
/// absent in them, null or the default.
#[tokio::test]
async fn of_an_appsync_event_only_the_arguments_count() {
    let host = TestHost::start().await;
    host.put_campaign("artist-presale-2024").await;
    let event = appsync_event();
    let expected = host.eligibility(JANE, &event).await;
    assert_eq!((expected.status, &expected.body["isEligible"]), (200, &json!(true)), "{}", expected.body);
    let junk = [json!(7), json!("x"), json!([{}]), json!({ "headers": 7 }), json!(true)];
    for path in &optional_of_appsync(&event) {
        for value in [None, Some(Value::Null)].into_iter().chain(junk.clone().map(Some)) {
            let event = with(&event, path, value);
            assert_eq!(host.eligibility(JANE, &event).await, expected, "{event}");
        }
    }
    let body = "/arguments/input/body";
    let alike: [(&str, &[Value]); 4] = [
        ("doTransfer", &[json!(false)]),
        ("userInfo", &[json!({})]),
        ("userInfo/countryCode", &[]),
        ("entry/opt_in", &[]),
    ];
    for (member, defaults) in alike {
        for value in [None, Some(Value::Null)].into_iter().chain(defaults.iter().cloned().map(Some)) {
            let event = with(&event, &format!("{body}/{member}"), value);
            assert_eq!(host.eligibility(JANE, &event).await, expected, "{event}");
        }
    }
}

/// A number of the form is answered with every digit, or its field is named.
#[tokio::test]
async fn numbers_of_an_appsync_event_keep_their_digits() {
    let host = TestHost::start().await;
    let mut campaign = host.put_campaign("artist-presale-2024").await;
    campaign["slug"] = "numbers".into();
    campaign["id"] = "numbers".into();
    campaign["fields"] = json!([{ "name": "n", "type": "integer", "required": true }]);
    host.put_document(&campaign).await;
    let token = host.signer.sign(&JANE.claims());
    for number in [
        "1",
        "-7",
        "9007199254740993",
        "9223372036854775807",
        "18446744073709551615",
        "123456789012345678901234567890",
        "2.0",
        "2e0",
        "1.5",
        "0.1234567890123456789",
        "4503599627370497.25",
        "1.00000000000000000001",
        "1e400",
    ] {
        let event = format!(r#"{{"arguments":{{"input":{{"body":{{"slug":"numbers","entry":{{"n":{number}}}}}}}}}}}"#);
        let request = host.http().post(host.url("/workers/check-eligibility")).bearer_auth(&token).body(event);
        let answer = request.send().await.unwrap().text().await.unwrap();
        let refused = answer.contains(r#""detail":{"field":"n"}"#);
        assert!(refused || exactly(number_in(&answer)) == exactly(number), "{number}: {answer}");
    }
}
