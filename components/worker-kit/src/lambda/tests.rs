//! The documents' example events as printed, events as AWS sends them, and malformed events.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, non_snake_case, reason = "tests")]

use super::{Context, Incoming, appsync, batch_response::BatchResponse, parse};
use crate::{Attribute, AttributeValue, Disposition, Payload};
use base64::{Engine, engine::general_purpose::STANDARD};
use expect_test::{Expect, expect};
use serde_json::{Value, json};

macro_rules! fixture {
    ($path:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../", $path))
    };
}

fn show(incoming: &Incoming) -> String {
    match incoming {
        Incoming::Malformed { id, reason } => format!("{id}: {reason}\n"),
        Incoming::Several(several) => {
            let malformed = several.malformed.iter().map(|reason| format!("{reason}\n"));
            let events = several.events.iter().map(|event| show(&Incoming::Event(event.clone())));
            format!("{} holds {}:\n", several.id, several.events.len()) + &events.chain(malformed).collect::<String>()
        }
        Incoming::Event(event) => {
            let payload = match &event.payload {
                Payload::Json(text) => text.clone(),
                Payload::Bytes(bytes) => format!("{bytes:?}"),
            };
            format!(
                "{} from {} key {:?} attempt {} at {} for {}\n{:?}\n{payload}\n",
                event.id,
                event.source,
                event.ordering_key,
                event.attempt,
                event.time_ms,
                event.correlation_id,
                event.attributes.iter().map(|it| (&it.name, it.value.to_string())).collect::<Vec<_>>(),
            )
        }
    }
}

fn check(event: &str, expected: Expect) {
    let shown = match parse(event.as_bytes(), &Context::default(), &mut |_| ()) {
        Ok(incoming) => incoming.iter().map(show).collect(),
        Err(error) => format!("{error}\n"),
    };
    expected.assert_eq(&shown);
}

#[test]
fn the_documents_upsert_users_event() {
    check(
        fixture!("components/upsert-users/fixtures/sqs.json"),
        expect![[r#"
        msg-123 from sqs:http key None attempt 1 at 0 for msg-123
        []
        {"email":"user@example.com","firstName":"John","globalUserId":"user-123","lastName":"Smith","phoneNumber":"+15551234567"}
    "#]],
    );
}

#[test]
fn the_documents_save_entries_event() {
    check(
        fixture!("components/save-entries/fixtures/sqs.json"),
        expect![[r#"
        msg-456 from sqs:http key None attempt 1 at 0 for msg-456
        []
        {"entry":{"campaignId":"campaign-123","createdAt":"2024-01-15T10:30:00Z","fields":"{\"email\":\"fan@example.com\"}","globalUserId":"user-456","pk":"CAMPAIGN#campaign-123","score":850,"sk":"USER#user-456","updatedAt":"2024-01-15T10:30:00Z"},"operation":"INSERT"}
    "#]],
    );
}

#[test]
fn the_documents_enqueue_entries_event() {
    check(
        fixture!("components/enqueue-entries/fixtures/dynamodb-stream.json"),
        expect![[r#"
        record-0 from dynamodb-stream:http key Some("CAMPAIGN#campaign-123|USER#user-456") attempt 1 at 0 for record-0
        [("eventName", "INSERT")]
        {"eventName":"INSERT","keys":{"pk":"CAMPAIGN#campaign-123","sk":"USER#user-456"},"newImage":{"campaignId":"campaign-123","fields":"{\"email\":\"fan@example.com\"}","globalUserId":"user-456","needsReplication":true,"pk":"CAMPAIGN#campaign-123","sk":"USER#user-456"}}
    "#]],
    );
}

#[test]
fn a_message_as_aws_sends_it() {
    check(
        fixture!("components/retry-score/fixtures/aws.json"),
        expect![[r#"
        059f36b4-87a3-44ab-83d2-661975830a7d from sqs:retryScoreQueue key None attempt 2 at 1705314600123 for correlation-123
        [("correlationId", "correlation-123")]
        {"campaignId":"campaign-123","globalUserId":"user-456"}
    "#]],
    );
}

#[test]
fn case_11_attributes_keep_their_types_and_bytes() {
    let event = json!({"Records": [{"messageId": "m", "body": "{}", "messageAttributes": {
        "a": {"stringValue": "850", "dataType": "Number"},
        "b": {"stringValue": "12.50", "dataType": "Number.float", "binaryValue": null, "stringListValues": []},
        "c": {"binaryValue": STANDARD.encode([0, 255]), "stringValue": null, "dataType": "Binary"},
        "d": {"stringValue": "text", "dataType": "String"},
        "e": {"dataType": "String"},
    }}]});
    let incoming = parse(event.to_string().as_bytes(), &Context::default(), &mut |_| ()).unwrap();
    let text = |text: &str| AttributeValue::Text(text.to_owned());
    let expected = [
        Attribute::typed("a", "Number", text("850")),
        Attribute::typed("b", "Number.float", text("12.50")),
        Attribute::typed("c", "Binary", AttributeValue::Bytes(vec![0, 255])),
        Attribute::text("d", "text"),
    ];
    assert_eq!(incoming[0].event().unwrap().attributes, expected);
}

#[test]
fn a_change_as_aws_sends_it() {
    check(
        fixture!("components/enqueue-entries/fixtures/aws.json"),
        expect![[r#"
        4421584500000000017450439091 from dynamodb-stream:demand-table key Some("CAMPAIGN#campaign-123|USER#user-456") attempt 1 at 1705314600123 for 4421584500000000017450439091
        [("eventName", "MODIFY")]
        {"eventName":"MODIFY","keys":{"pk":"CAMPAIGN#campaign-123","sk":"USER#user-456"},"newImage":{"date":{"updated":"2024-01-15T10:30:00.123Z"},"pk":"CAMPAIGN#campaign-123","score":850,"sk":"USER#user-456"},"oldImage":{"pk":"CAMPAIGN#campaign-123","sk":"USER#user-456"}}
    "#]],
    );
}

#[test]
fn a_kinesis_record_may_hold_a_change() {
    let change = json!({
        "eventName": "MODIFY",
        "tableName": "demand-table",
        "dynamodb": {
            "ApproximateCreationDateTime": 1_705_314_600_123_i64,
            "Keys": {"pk": {"S": "CAMPAIGN#c"}, "sk": {"S": "USER#u"}},
            "NewImage": {"pk": {"S": "CAMPAIGN#c"}, "sk": {"S": "USER#u"}},
        },
    });
    let record = json!({
        "kinesis": {"data": STANDARD.encode(change.to_string()), "sequenceNumber": "4959", "partitionKey": "p"},
        "eventID": "shardId-000000000006:4959",
        "eventSource": "aws:kinesis",
    });
    check(
        &json!({"Records": [record]}).to_string(),
        expect![[r#"
        4959 from kinesis:demand-table key Some("CAMPAIGN#c|USER#u") attempt 1 at 1705314600123 for 4959
        [("eventName", "MODIFY"), ("shardId", "shardId-000000000006")]
        {"eventName":"MODIFY","keys":{"pk":"CAMPAIGN#c","sk":"USER#u"},"newImage":{"pk":"CAMPAIGN#c","sk":"USER#u"}}
    "#]],
    );
}

#[test]
fn a_kinesis_record_as_aws_sends_it() {
    let record = |sequence: &str, data: &[u8]| {
        json!({
            "kinesis": {
                "kinesisSchemaVersion": "1.0", "partitionKey": "fan-1", "sequenceNumber": sequence,
                "data": STANDARD.encode(data), "approximateArrivalTimestamp": 1_545_084_650.987,
            },
            "eventSource": "aws:kinesis", "eventVersion": "1.0", "eventName": "aws:kinesis:record",
            "eventID": format!("shardId-000000000006:{sequence}"), "awsRegion": "us-east-2",
            "invokeIdentityArn": "arn:aws:iam::123456789012:role/lambda-role",
            "eventSourceARN": "arn:aws:kinesis:us-east-2:123456789012:stream/scoresStream",
        })
    };
    check(
        &json!({"Records": [record("4959", br#"{"n":1}"#), record("4960", b"Hello, this is a test.")]}).to_string(),
        expect![[r#"
            4959 from kinesis:scoresStream key Some("fan-1") attempt 1 at 1545084650987 for 4959
            [("shardId", "shardId-000000000006"), ("partitionKey", "fan-1")]
            {"n":1}
            4960 from kinesis:scoresStream key Some("fan-1") attempt 1 at 1545084650987 for 4960
            [("shardId", "shardId-000000000006"), ("partitionKey", "fan-1")]
            [72, 101, 108, 108, 111, 44, 32, 116, 104, 105, 115, 32, 105, 115, 32, 97, 32, 116, 101, 115, 116, 46]
        "#]],
    );
}

/// Lambda knows the record by its sequence number, whichever of its parts failed.
#[test]
fn case_L01_records_in_one_are_answered_as_one() {
    let record = |sequence: &str, data: &str| json!({"kinesis": {"data": data.trim(), "sequenceNumber": sequence, "partitionKey": "p"}});
    let event = json!({"Records": [
        record("1", fixture!("tests/fixtures/cases/L01-aggregates/L01-three-in-one.b64")),
        record("2", fixture!("tests/fixtures/cases/L01-aggregates/L01-wrong-md5.b64")),
        record("3", ""),
    ]});
    let incoming = parse(event.to_string().as_bytes(), &Context::default(), &mut |_| ()).unwrap();
    let events: Vec<_> = incoming.iter().flat_map(Incoming::events).collect();
    let ids: Vec<_> = events.iter().map(|event| event.id.as_str()).collect();
    assert_eq!(ids, ["1#0", "1#1", "1#2", "2", "3"]);
    let expected: Value =
        serde_json::from_str(fixture!("tests/fixtures/cases/L01-aggregates/L01-expected.json")).unwrap();
    for (event, expected) in events.iter().zip(expected["three-in-one"].as_array().unwrap()) {
        assert_eq!(event.ordering_key.as_deref(), expected["partitionKey"].as_str());
        assert_eq!(event.payload, Payload::Json(expected["data"].as_str().unwrap().to_owned()));
        assert_eq!((event.source.as_str(), event.correlation_id.as_str()), ("kinesis:http", event.id.as_str()));
    }
    assert_eq!(events[4].payload, Payload::Bytes(Vec::new()));
    let answer = |second| {
        let said = vec![Disposition::Ack, second, Disposition::Ack, Disposition::Ack, Disposition::Ack];
        let answer = BatchResponse::new(&incoming, said).unwrap();
        let failed: Vec<_> = answer.batch_item_failures.into_iter().map(|it| it.item_identifier.to_string()).collect();
        (failed, answer.rejected.into_iter().map(|it| it.item_identifier).collect::<Vec<_>>(), answer.count.processed)
    };
    assert_eq!(answer(Disposition::Ack), (vec![], vec![], 3));
    assert_eq!(answer(Disposition::retry("busy")), (vec!["1".to_owned()], vec![], 2));
    assert_eq!(answer(Disposition::Reject("no".to_owned())), (vec![], vec!["1".to_owned()], 2));
}

#[test]
fn a_bad_record_does_not_spoil_its_neighbours() {
    let event = json!({"Records": [
        {"messageId": "m-1", "body": "{}"},
        {"messageId": "m-2"},
        {"messageId": "m-3", "body": "{}", "attributes": {"ApproximateReceiveCount": "many"}},
        {"dynamodb": {"SequenceNumber": "4", "Keys": {"pk": {"S": "p"}}, "NewImage": {"a": {"M": {"b": {"N": "x"}}}}}, "eventName": "INSERT"},
        {"dynamodb": {"Keys": {"pk": "p"}}, "eventName": "INSERT"},
        {"kinesis": {"data": "%%", "sequenceNumber": "6"}},
        {"kinesis": {"data": STANDARD.encode("not json"), "sequenceNumber": "7"}},
        {"kinesis": {"data": STANDARD.encode("{}"), "sequenceNumber": "8"}},
        17,
        null,
        ["{}"],
        {"dynamodb": [1, {}], "eventName": "INSERT"},
        {"kinesis": ["e30="]},
    ]});
    check(
        &event.to_string(),
        expect![[r#"
            m-1 from sqs:http key None attempt 1 at 0 for m-1
            []
            {}
            m-2: malformed: missing field `body`
            m-3 from sqs:http key None attempt 1 at 0 for m-3
            []
            {}
            4: malformed: dynamodb.NewImage.a.b is not a number: "x"
            record-4: malformed: dynamodb.Keys.pk has no type tag
            6: malformed: kinesis.data is not base64: Invalid symbol 37, offset 0.
            7 from kinesis:http key None attempt 1 at 0 for 7
            []
            [110, 111, 116, 32, 106, 115, 111, 110]
            8 from kinesis:http key None attempt 1 at 0 for 8
            []
            {}
            record-8: malformed: invalid type: integer, expected struct Record
            record-9: malformed: invalid type: null, expected struct Record
            record-10: malformed: invalid type: sequence, expected an object
            record-11: malformed: dynamodb: invalid type: sequence, expected an object
            record-12: malformed: kinesis: invalid type: sequence, expected an object
        "#]],
    );
}

#[test]
fn an_event_that_is_none_is_refused_as_a_whole() {
    for event in
        ["", "null", "[]", "{}", r#"{"Records":null}"#, r#"{"Records":{}}"#, "\u{0}", r#"{"Records":[}"#, "[[]]"]
    {
        assert!(parse(event.as_bytes(), &Context::default(), &mut |_| ()).is_err(), "{event:?}");
    }
    check(
        r#"{"records":[]}"#,
        expect![[r#"
        the event is not one of AWS Lambda's: missing field `Records` at line 1 column 14
    "#]],
    );
}

#[test]
fn types_become_plain_json() {
    let event = json!({"Records": [{"eventName": "INSERT", "dynamodb": {"SequenceNumber": "1", "Keys": {}, "NewImage": {
        "text": {"S": "a"}, "whole": {"N": "850"}, "part": {"N": "12.50"}, "big": {"N": "1E+2"}, "yes": {"BOOL": true},
        "nothing": {"NULL": true}, "map": {"M": {"inner": {"N": "-1"}}}, "list": {"L": [{"S": "x"}, {"N": "2"}]},
        "texts": {"SS": ["a", "b"]}, "numbers": {"NS": ["1", "2.5"]}, "bytes": {"B": "AAEC"},
    }}}]});
    check(
        &event.to_string(),
        expect![[r#"
        1 from dynamodb-stream:http key None attempt 1 at 0 for 1
        [("eventName", "INSERT")]
        {"eventName":"INSERT","keys":{},"newImage":{"big":1E+2,"bytes":"AAEC","list":["x",2],"map":{"inner":-1},"nothing":null,"numbers":[1,2.5],"part":12.50,"text":"a","texts":["a","b"],"whole":850,"yes":true}}
    "#]],
    );
}

#[test]
fn case_01_numbers_keep_every_digit() {
    check(
        fixture!("tests/fixtures/cases/01-numbers.json"),
        expect![[r#"
            100000000000000000001 from dynamodb-stream:demand-table key Some("CAMPAIGN#c-1|USER#u-1") attempt 1 at 1767225600000 for 100000000000000000001
            [("eventName", "INSERT")]
            {"eventName":"INSERT","keys":{"pk":"CAMPAIGN#c-1","sk":"USER#u-1"},"newImage":{"campaignId":"c-1","exact":0.12345678901234567890123456789012345678,"fields":"{\"email\":\"fan@example.com\"}","globalUserId":"u-1","large":9.9999999999999999999999999999999999999E+125,"money":12.50,"needsReplication":true,"pk":"CAMPAIGN#c-1","score":12345678901234567890,"set":[3804086584686624768,12345678901234567890123],"sk":"USER#u-1","snowflake":18446744073709551616,"tiny":1E-130,"trailing":110111111111111110000000000000000000000,"updatedAt":"2026-01-01T00:00:00.000Z"}}
        "#]],
    );
}

/// The documents print bodies as objects, which AWS sends as text.
#[test]
fn case_01_the_numbers_of_a_body_keep_every_digit() {
    check(
        r#"{"Records": [{"messageId": "m", "body": { "n": [ 12345678901234567890123, 1E-130, 12.50 ] }}, {"messageId": "n", "body": 12345678901234567890123}]}"#,
        expect![[r#"
            m from sqs:http key None attempt 1 at 0 for m
            []
            {"n":[12345678901234567890123,1E-130,12.50]}
            n from sqs:http key None attempt 1 at 0 for n
            []
            12345678901234567890123
        "#]],
    );
}

#[test]
fn case_07_a_removal_says_who_removed_the_item() {
    check(
        fixture!("tests/fixtures/cases/07-ttl-removal.json"),
        expect![[r#"
            700000000000000000001 from dynamodb-stream:demand-table key Some("CAMPAIGN#c-7|USER#t07-expired") attempt 1 at 1767225600000 for 700000000000000000001
            [("eventName", "REMOVE")]
            {"eventName":"REMOVE","keys":{"pk":"CAMPAIGN#c-7","sk":"USER#t07-expired"},"oldImage":{"campaignId":"c-7","expiresAt":1767139200,"fields":"{\"email\":\"fan@example.com\"}","globalUserId":"t07-expired","pk":"CAMPAIGN#c-7","sk":"USER#t07-expired","updatedAt":"2026-01-01T00:00:00.000Z"},"userIdentity":{"principalId":"dynamodb.amazonaws.com","type":"Service"}}
            700000000000000000002 from dynamodb-stream:demand-table key Some("CAMPAIGN#c-7|USER#t07-withdrawn") attempt 1 at 1767225601000 for 700000000000000000002
            [("eventName", "REMOVE")]
            {"eventName":"REMOVE","keys":{"pk":"CAMPAIGN#c-7","sk":"USER#t07-withdrawn"},"oldImage":{"campaignId":"c-7","fields":"{\"email\":\"fan@example.com\"}","globalUserId":"t07-withdrawn","pk":"CAMPAIGN#c-7","sk":"USER#t07-withdrawn","updatedAt":"2026-01-01T00:00:00.000Z"}}
        "#]],
    );
}

#[test]
fn correlation_and_trace_come_from_the_record_or_the_request() {
    let event = json!({"Records": [
        {"messageId": "m-1", "body": "{}", "messageAttributes": {
            "correlationId": {"stringValue": "own", "dataType": "String"},
            "traceparent": {"stringValue": "00-own", "dataType": "String"},
            "raw": {"binaryValue": "AA==", "dataType": "Binary"},
        }},
        {"messageId": "m-2", "body": "{}"},
    ]});
    let ids = |correlation_id, traceparent| {
        let incoming =
            parse(event.to_string().as_bytes(), &Context { correlation_id, traceparent }, &mut |_| ()).unwrap();
        let ids = incoming.iter().filter_map(Incoming::event);
        ids.map(|event| format!("{} {:?}", event.correlation_id, event.traceparent)).collect::<Vec<_>>()
    };
    assert_eq!(ids(None, None), [r#"own Some("00-own")"#, "m-2 None"]);
    assert_eq!(ids(Some("request"), Some("00-call")), [r#"own Some("00-call")"#, r#"request Some("00-call")"#]);
}

#[test]
fn the_answer_follows_the_dispositions() {
    let event = json!({"Records": [
        {"messageId": "m-1", "body": "{}"}, {"messageId": "m-2"}, {"messageId": "m-3", "body": "{}"},
        {"messageId": "m-4", "body": "{}"}, {"messageId": "m-5", "body": "{}"},
    ]});
    let incoming = parse(event.to_string().as_bytes(), &Context::default(), &mut |_| ()).unwrap();
    let reject = Disposition::Reject("stale".to_owned());
    let answer =
        BatchResponse::new(&incoming, vec![Disposition::Ack, Disposition::retry_after(Some(5), "busy"), reject])
            .unwrap();
    expect![[r#"
        {
          "batchItemFailures": [
            {
              "itemIdentifier": "m-3",
              "reason": "busy",
              "afterMs": 5
            },
            {
              "itemIdentifier": "m-5",
              "reason": "the worker answered no disposition for the record"
            }
          ],
          "rejected": [
            {
              "itemIdentifier": "m-2",
              "reason": "malformed: missing field `body`"
            },
            {
              "itemIdentifier": "m-4",
              "reason": "stale"
            }
          ],
          "count": {
            "received": 5,
            "processed": 1,
            "failed": 2,
            "rejected": 2
          }
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&answer).unwrap());
}

#[test]
fn an_answer_for_another_batch_is_none() {
    let incoming =
        parse(br#"{"Records":[{"messageId":"m-1","body":"{}"}]}"#, &Context::default(), &mut |_| ()).unwrap();
    let error = BatchResponse::new(&incoming, vec![Disposition::Ack, Disposition::Ack]).unwrap_err();
    expect!["the worker answered 2 dispositions for 1 records"].assert_eq(&error.to_string());
}

#[test]
fn input_comes_in_three_shapes_and_as_variables() {
    let input = json!({"slug": "s", "entry": {"body": "not this"}});
    for event in [
        json!({"arguments": {"input": {"body": input}}, "identity": null}),
        json!({"input": {"body": input}}),
        json!({"body": input}),
        json!({"arguments": {"input": input}}),
        json!({"arguments": {"input": input.to_string()}}),
        json!({"arguments": {"input": {"body": input.to_string()}}}),
        json!({"input": input}),
        json!({"body": input.to_string()}),
        input.clone(),
    ] {
        assert_eq!(appsync::input(event.clone()), input, "{event}");
    }
    let nulls = json!({"arguments": {"input": {"body": null, "slug": "s"}}, "input": null, "body": null});
    assert_eq!(appsync::input(nulls.clone()), nulls["arguments"]["input"]);
    assert_eq!(appsync::input(json!({"body": "text"})), json!({"body": "text"}));
    assert_eq!(appsync::input(Value::Null), Value::Null);
}

#[test]
fn an_event_with_half_of_a_surrogate_pair_is_read() {
    let event = appsync::parse(r#"{"a":"\ud83d","b":"\ud83d\ude00 \\ud83d"}"#).unwrap();
    assert_eq!(event, json!({"a": "\u{ffff}", "b": "😀 \\ud83d"}));
    for event in ["", "{", r#"{"a":"\ud83d"#, r#"{"a":"\é"}"#, r"\u", r#""\ud83"#, "\\"] {
        assert!(appsync::parse(event).is_err(), "{event}");
    }
}

#[test]
fn the_token_is_a_header_and_never_in_the_body() {
    let event = json!({"request": {"headers": {"Authorization": "Bearer abc"}}, "arguments": {}});
    assert_eq!(appsync::token(&event.to_string()).as_deref(), Some("abc"));
    let bare = json!({"request": {"headers": {"authorization": "abc"}}});
    assert_eq!(appsync::token(&bare.to_string()).as_deref(), Some("abc"));
    for event in [
        json!({"token": "abc", "authorization": "Bearer abc"}),
        json!({"request": {"headers": {"authorization": "Basic abc"}}}),
        json!({"request": {"headers": {"authorization": "Bearer "}}}),
        json!({"request": {"headers": {"authorization": 1}}}),
    ] {
        assert_eq!(appsync::token(&event.to_string()), None, "{event}");
    }
    assert_eq!(appsync::token("not json"), None);
}

/// Lambda: "stop at the first failure and return all failed and unprocessed messages", for each group.
#[test]
#[allow(non_snake_case, reason = "begins with a line of docs/delivery.md")]
fn d3_17__case_09_messages_behind_a_failed_one_of_their_group_fail_too() {
    let record = |id: &str| {
        json!({"messageId": id, "body": "{}", "attributes": {"MessageGroupId": id[..1]},
            "eventSourceARN": "arn:aws:sqs:us-east-1:1:q.fifo"})
    };
    let mut records: Vec<_> = ["a1", "b1", "a2", "b2", "a3"].map(record).into();
    records.push(json!({"messageId": "c", "body": "{}"}));
    let event = json!({ "Records": records }).to_string();
    let incoming = parse(event.as_bytes(), &Context::default(), &mut |_| ()).unwrap();
    let ack = || Disposition::Ack;
    let failed = |said: Vec<Disposition>| {
        let answer = BatchResponse::new(&incoming, said).unwrap();
        answer.batch_item_failures.into_iter().map(|it| it.item_identifier.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(failed(vec![Disposition::retry("not now"), ack(), ack(), ack(), ack(), ack()]), ["a1", "a2", "a3"]);
    assert_eq!(failed(vec![ack(), ack(), Disposition::retry("not now"), ack(), ack(), ack()]), ["a2", "a3"]);
    assert_eq!(failed(vec![Disposition::Reject("no".into()), ack(), ack(), ack(), ack(), ack()]), [""; 0]);
    assert_eq!(failed(vec![ack(), ack(), ack()]), ["b2", "a3", "c"], "no disposition");
}

mod objects;
