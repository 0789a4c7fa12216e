//! What S3 sends, and what only looks like it.

use super::*;
use crate::lambda::{Context, Incoming, parse};
use expect_test::{Expect, expect};
use proptest::prelude::*;
use serde_json::json;

const CASE_L03: &str = include_str!("../../../../../tests/fixtures/cases/L03-s3-event.json");

fn shown(text: &str) -> String {
    let Some(objects) = read(text) else { return "not S3's\n".to_owned() };
    let one = |object: Result<Object, String>| match object {
        Ok(object) => serde_json::to_string(&object).unwrap() + "\n",
        Err(wrong) => format!("{wrong}\n"),
    };
    objects.into_iter().map(one).collect()
}

fn check(body: &Value, expected: &Expect) {
    expected.assert_eq(&shown(&body.to_string()));
}

fn object(key: &str) -> Value {
    json!({"key": key, "size": 3, "eTag": "e1", "sequencer": "00A1"})
}

fn record(event_name: &str, object: Value) -> Value {
    let time = "2026-01-01T00:00:00.000Z";
    let mut s3 = json!({"s3SchemaVersion": "1.0", "bucket": {"name": "scoring", "arn": "arn:aws:s3:::scoring"}});
    s3["object"] = object;
    json!({"eventSource": "aws:s3", "eventName": event_name, "eventTime": time, "s3": s3})
}

fn put(key: &str) -> Value {
    record("ObjectCreated:Put", object(key))
}

fn notification(records: &[Value]) -> Value {
    json!({ "Records": records })
}

fn in_sns(notification: &Value) -> Value {
    json!({"Type": "Notification", "MessageId": "n", "TopicArn": "t", "Message": notification.to_string()})
}

fn bridged(detail_type: &str, reason: &str) -> Value {
    let object = json!({"key": "in/a+b c%2F.csv", "size": 3, "etag": "e1", "version-id": "v", "sequencer": "00A1"});
    let detail = json!({"version": "0", "bucket": {"name": "scoring"}, "object": object, "reason": reason});
    json!({"source": "aws.s3", "detail-type": detail_type, "time": "2026-01-01T00:00:00Z", "detail": detail})
}

#[test]
fn case_L03_keys_are_decoded_once() {
    let expected = expect![[r#"
        {"bucket":"uploads","key":"in/a+b%2Bc dé.csv","size":3,"etag":"d41d8cd98f00b204e9800998ecf8427e","sequencer":"0065000000000000A1","eventName":"ObjectCreated:Put","eventTime":"2026-01-01T00:00:00.000Z"}
        {"bucket":"uploads","key":"100%.txt","size":3,"etag":"d41d8cd98f00b204e9800998ecf8427e","sequencer":"0065000000000000A2","eventName":"ObjectCreated:Put","eventTime":"2026-01-01T00:00:01.000Z"}
    "#]];
    expected.assert_eq(&shown(CASE_L03));
    expected.assert_eq(&shown(&in_sns(&serde_json::from_str(CASE_L03).unwrap()).to_string()));
}

#[test]
fn a_key_with_encoded_slashes_is_that_with_slashes() {
    check(
        &notification(&[put("scrubbed%2F%C3%9C+1.csv"), put("scrubbed/%F0%9F%8E%AB")]),
        &expect![[r#"
            {"bucket":"scoring","key":"scrubbed/Ü 1.csv","size":3,"etag":"e1","sequencer":"00A1","eventName":"ObjectCreated:Put","eventTime":"2026-01-01T00:00:00.000Z"}
            {"bucket":"scoring","key":"scrubbed/🎫","size":3,"etag":"e1","sequencer":"00A1","eventName":"ObjectCreated:Put","eventTime":"2026-01-01T00:00:00.000Z"}
        "#]],
    );
}

#[test]
fn a_bucket_with_versions_names_the_version() {
    let versioned = json!({"key": "a", "size": "7", "eTag": "\"e1\"", "versionId": "096fKKXTRTtl3on89fVO.nfljtsv6qko"});
    check(
        &notification(&[record("ObjectCreated:CompleteMultipartUpload", versioned)]),
        &expect![[r#"
            {"bucket":"scoring","key":"a","size":7,"etag":"e1","versionId":"096fKKXTRTtl3on89fVO.nfljtsv6qko","eventName":"ObjectCreated:CompleteMultipartUpload","eventTime":"2026-01-01T00:00:00.000Z"}
        "#]],
    );
}

#[test]
fn what_creates_nothing_is_nobodys() {
    let removed = json!({"key": "a", "sequencer": "00A2"});
    check(
        &notification(&[
            record("ObjectRemoved:Delete", removed.clone()),
            record("ObjectRemoved:DeleteMarkerCreated", removed.clone()),
            record("LifecycleExpiration:Delete", removed),
            record("ObjectRestore:Completed", object("a")),
            record("ObjectTagging:Put", json!({"key": "a"})),
        ]),
        &expect![""],
    );
    check(&bridged("Object Deleted", "DeleteObject"), &expect![""]);
    let test = json!({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "scoring", "RequestId": "r"});
    check(&test, &expect![""]);
    check(&in_sns(&test), &expect![""]);
}

#[test]
fn keys_of_event_bridge_are_written_as_they_are() {
    let expected = expect![[r#"
        {"bucket":"scoring","key":"in/a+b c%2F.csv","size":3,"etag":"e1","sequencer":"00A1","versionId":"v","eventName":"ObjectCreated:Put","eventTime":"2026-01-01T00:00:00Z"}
    "#]];
    check(&bridged("Object Created", "PutObject"), &expected);
    check(&in_sns(&bridged("Object Created", "PutObject")), &expected);
    check(
        &bridged("Object Created", "CompleteMultipartUpload"),
        &expect![[r#"
            {"bucket":"scoring","key":"in/a+b c%2F.csv","size":3,"etag":"e1","sequencer":"00A1","versionId":"v","eventName":"ObjectCreated:CompleteMultipartUpload","eventTime":"2026-01-01T00:00:00Z"}
        "#]],
    );
}

#[test]
fn another_program_writes_s3_before_the_name() {
    check(
        &notification(&[record("s3:ObjectCreated:Put", object("a")), record("s3:ObjectRemoved:Delete", object("a"))]),
        &expect![[r#"
            {"bucket":"scoring","key":"a","size":3,"etag":"e1","sequencer":"00A1","eventName":"ObjectCreated:Put","eventTime":"2026-01-01T00:00:00.000Z"}
        "#]],
    );
}

#[test]
fn a_malformed_record_is_named_and_costs_no_other() {
    let without_etag = json!({"key": "a", "size": 3});
    let mut nameless = put("a");
    nameless["eventName"].take();
    check(
        &notification(&[
            put("good.csv"),
            record("ObjectCreated:Put", without_etag),
            put("%FF"),
            nameless,
            json!({"s3": {"bucket": "scoring"}}),
            json!(7),
        ]),
        &expect![[r#"
            {"bucket":"scoring","key":"good.csv","size":3,"etag":"e1","sequencer":"00A1","eventName":"ObjectCreated:Put","eventTime":"2026-01-01T00:00:00.000Z"}
            Records[1]: s3.object: missing field `eTag`
            Records[2]: s3.object.key: not UTF-8 once it is decoded
            Records[3]: eventName: invalid type: null, expected a string
            Records[4]: s3.bucket: invalid type: string, expected struct Bucket
            Records[5]: invalid type: integer, expected struct Record
        "#]],
    );
}

/// An event of another type is nobody's; one without a type may be about an object.
#[test]
fn an_event_of_event_bridge_without_its_type_is_malformed() {
    let typeless = "detail-type: missing, or not a text\n";
    let mut event = bridged("Object Created", "PutObject");
    for wrong in [Value::Null, json!(7), json!(["Object Created"])] {
        event["detail-type"] = wrong;
        assert_eq!(shown(&event.to_string()), typeless);
    }
    event.as_object_mut().unwrap().remove("detail-type");
    assert_eq!(shown(&event.to_string()), typeless);
    for wrong in UNREADABLE {
        let event = bridged("WRONG", "PutObject").to_string().replace("\"WRONG\"", wrong);
        assert_eq!(shown(&event), typeless);
    }
}

#[test]
fn an_empty_etag_is_malformed() {
    for empty in ["", "\"\""] {
        let record = record("ObjectCreated:Put", json!({"key": "a", "size": 3, "eTag": empty}));
        assert_eq!(shown(&notification(&[record]).to_string()), "Records[0]: s3.object.eTag: empty\n");
        let mut event = bridged("Object Created", "PutObject");
        event["detail"]["object"]["etag"] = json!(empty);
        assert_eq!(shown(&event.to_string()), "detail.object.etag: empty\n");
    }
}

#[test]
fn case_02_what_no_reader_needs_costs_no_object() {
    let mut timed = put("a");
    timed["eventTime"] = json!(5);
    let sized = |size: Value| record("ObjectCreated:Put", json!({"key": "a", "size": size, "eTag": "e1"}));
    let without_size = record("ObjectCreated:Put", json!({"key": "a", "eTag": "e1"}));
    let versioned = record("ObjectCreated:Put", json!({"key": "a", "size": 3.0, "eTag": "e1", "versionId": 7}));
    check(
        &notification(&[timed, without_size, sized(json!(-1)), sized(json!([])), sized(Value::Null), versioned]),
        &expect![[r#"
            {"bucket":"scoring","key":"a","size":3,"etag":"e1","sequencer":"00A1","eventName":"ObjectCreated:Put"}
            {"bucket":"scoring","key":"a","etag":"e1","eventName":"ObjectCreated:Put","eventTime":"2026-01-01T00:00:00.000Z"}
            {"bucket":"scoring","key":"a","etag":"e1","eventName":"ObjectCreated:Put","eventTime":"2026-01-01T00:00:00.000Z"}
            {"bucket":"scoring","key":"a","etag":"e1","eventName":"ObjectCreated:Put","eventTime":"2026-01-01T00:00:00.000Z"}
            {"bucket":"scoring","key":"a","etag":"e1","eventName":"ObjectCreated:Put","eventTime":"2026-01-01T00:00:00.000Z"}
            {"bucket":"scoring","key":"a","size":3,"etag":"e1","eventName":"ObjectCreated:Put","eventTime":"2026-01-01T00:00:00.000Z"}
        "#]],
    );
    let mut event = bridged("Object Created", "PutObject");
    event["time"] = json!(5);
    event["detail"]["reason"] = json!({});
    check(
        &event,
        &expect![[r#"
            {"bucket":"scoring","key":"in/a+b c%2F.csv","size":3,"etag":"e1","sequencer":"00A1","versionId":"v","eventName":"ObjectCreated:Put"}
        "#]],
    );
}

/// A record of which no reader needs what `wrong` is in the place of.
fn with_wrong(wrong: &str) -> String {
    let mut record = put("a");
    record["userIdentity"] = json!({"principalId": "WRONG"});
    record["eventTime"] = json!("WRONG");
    for name in ["size", "versionId"] {
        record["s3"]["object"][name] = json!("WRONG");
    }
    record["s3"]["configurationId"] = json!("WRONG");
    record["s3"]["bucket"]["ownerIdentity"] = json!({"principalId": "WRONG"});
    record.to_string().replace("\"WRONG\"", wrong)
}

const UNREADABLE: [&str; 2] = ["1e999", r#""\ud800""#];

#[test]
fn case_02_what_cannot_be_read_and_no_reader_needs_costs_no_object() {
    let expected = expect![[r#"
        {"bucket":"scoring","key":"a","etag":"e1","sequencer":"00A1","eventName":"ObjectCreated:Put"}
        {"bucket":"scoring","key":"b","size":3,"etag":"e1","sequencer":"00A1","eventName":"ObjectCreated:Put","eventTime":"2026-01-01T00:00:00.000Z"}
    "#]];
    for wrong in UNREADABLE {
        let records = format!(r#"{{"Records":[{},{}]}}"#, with_wrong(wrong), put("b"));
        expected.assert_eq(&shown(&records));
        let in_sns = json!({"Type": "Notification", "Subject": "WRONG", "Message": records}).to_string();
        expected.assert_eq(&shown(&in_sns.replace("\"WRONG\"", wrong)));
        let mut event = bridged("Object Created", "PutObject");
        event["time"] = json!("WRONG");
        event["detail"]["object"]["size"] = json!("WRONG");
        event["detail"]["requester"] = json!("WRONG");
        expect![[r#"
            {"bucket":"scoring","key":"in/a+b c%2F.csv","etag":"e1","sequencer":"00A1","versionId":"v","eventName":"ObjectCreated:Put"}
        "#]]
        .assert_eq(&shown(&event.to_string().replace("\"WRONG\"", wrong)));
    }
}

#[test]
fn case_02_a_key_that_cannot_be_read_is_named_and_costs_no_other() {
    for wrong in UNREADABLE {
        let broken = put("KEY").to_string().replace("\"KEY\"", wrong);
        expect![[r#"
            Records[0]: s3.object.key: invalid type: null, expected a string
            {"bucket":"scoring","key":"b","size":3,"etag":"e1","sequencer":"00A1","eventName":"ObjectCreated:Put","eventTime":"2026-01-01T00:00:00.000Z"}
        "#]]
        .assert_eq(&shown(&format!(r#"{{"Records":[{broken},{}]}}"#, put("b"))));
    }
}

/// S3 and SNS call the function.
#[test]
fn case_02_lambdas_records_with_what_cannot_be_read_tell_their_object() {
    for wrong in UNREADABLE {
        let record = with_wrong(wrong);
        let message = json!({"Records": [put("a")]}).to_string();
        let sns = json!({"EventSource": "aws:sns", "Sns": {"MessageId": "n", "Subject": "WRONG", "Message": message}});
        let sns = sns.to_string().replace("\"WRONG\"", wrong);
        for record in [record, sns] {
            let call = format!(r#"{{"Records":[{record}]}}"#);
            let incoming = parse(call.as_bytes(), &Context::default(), &mut |_| ()).unwrap();
            let [Incoming::Several(several)] = incoming.as_slice() else { panic!("{incoming:?}") };
            assert_eq!((several.events.len(), several.malformed.as_ref()), (1, None), "{call}");
        }
    }
}

#[test]
fn what_is_not_of_s3_is_not_read() {
    for text in
        ["", "{truncated", "7", "[]", "{}", r#"{"Records":[]}"#, r#"{"Records":[{"s3":7}]}"#, r#"{"Records":7}"#]
    {
        assert_eq!(read(text), None, "{text}");
    }
    let message = json!({"Records": [{"body": "{}", "messageId": "m"}]});
    assert_eq!(read(&message.to_string()), None);
    assert_eq!(read(&in_sns(&message).to_string()), None);
    assert_eq!(read(&in_sns(&in_sns(&notification(&[put("a")]))).to_string()), None, "SNS wraps once");
}

proptest! {
    #[test]
    fn any_key_comes_back_from_its_encoding(key in "\\PC{1,40}|[ +%/.&=a-zÜ🎫]{1,40}") {
        let written = host_adapters_platform::objects::encoded(&key);
        prop_assert!(written.bytes().all(|byte| byte.is_ascii_graphic()), "{written}");
        let read: Vec<_> = read(&notification(&[put(&written)]).to_string()).unwrap();
        prop_assert_eq!(&read[0].as_ref().unwrap().key, &key);
    }

    #[test]
    fn no_text_is_fatal(text in any::<String>(), mut record in Just(put("a")), junk in "\\PC{0,9}") {
        let _ = read(&text);
        for path in ["/eventName", "/s3", "/s3/bucket", "/s3/object", "/s3/object/key", "/s3/object/size", "/s3/object/eTag"] {
            if let Some(value) = record.pointer_mut(path) {
                *value = json!([junk]);
            }
            let _ = read(&notification(&[record.clone()]).to_string());
        }
    }
}
