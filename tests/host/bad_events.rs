//! Malformed events of every kind. Each is answered or logged with the field that is wrong, and does not affect other
//! records.

use expect_test::{Expect, expect};
use serde_json::{Value, json};
use tests::{Fan, TestHost, WORKER_TOKEN, entry, log, without_stream};

const FAN: Fan = Fan { id: "test-user-123", email: "test@example.com" };
const UPDATED: &str = "2024-01-15T10:30:00.000Z";
/// The largest body that the host reads, bytes.
const MAX_BODY: usize = 6 << 20;

/// One line for each case: its name, the status and the response.
async fn answers(host: &TestHost, path: &str, token: &str, cases: &[(&str, Vec<u8>)]) -> String {
    let mut lines = String::new();
    for (name, body) in cases {
        let reply = host.post(path, Some(token), body.clone()).await;
        lines += &format!("{name}: {} {}\n", reply.status, reply.body);
    }
    lines
}

fn texts(cases: &[(&'static str, &str)]) -> Vec<(&'static str, Vec<u8>)> {
    cases.iter().map(|(name, body)| (*name, body.as_bytes().to_vec())).collect()
}

#[tokio::test]
async fn check_eligibility_says_what_is_wrong() {
    let host = TestHost::start().await;
    host.put_campaign("test-campaign").await;
    let mut cases = texts(&[
        ("empty", ""),
        ("cut off", r#"{"slug": "test-campaign""#),
        ("a form", "slug=test-campaign"),
        ("null", "null"),
        ("a list", "[]"),
        ("no slug", "{}"),
        ("a number for a slug", r#"{"slug": 7}"#),
        ("a list for an entry", r#"{"slug": "test-campaign", "entry": []}"#),
        ("text for userInfo", r#"{"slug": "test-campaign", "userInfo": "me"}"#),
        ("text for doTransfer", r#"{"slug": "test-campaign", "doTransfer": "yes"}"#),
        ("no fields", r#"{"slug": "test-campaign"}"#),
        ("a number for a field", r#"{"slug": "test-campaign", "entry": {"email": 7}}"#),
        ("an unknown field", r#"{"slug": "test-campaign", "entry": {"email": "a@b.co", "shoe": 44}}"#),
        ("an unknown campaign", r#"{"slug": "ünbekannt-🎫", "entry": {}}"#),
        ("deep", &"[".repeat(100_000)),
    ]);
    cases.push(("not UTF-8", b"{\"slug\": \"\xff\"}".to_vec()));
    let token = host.signer.sign(&FAN.claims());
    expect![[r#"
        empty: 400 {"error":{"code":"MALFORMED_EVENT","message":"the event is not JSON"}}
        cut off: 400 {"error":{"code":"MALFORMED_EVENT","message":"the event is not JSON"}}
        a form: 400 {"error":{"code":"MALFORMED_EVENT","message":"the event is not JSON"}}
        null: 400 {"error":{"code":"MALFORMED_EVENT","message":"the input is not an object: send slug, entry, userInfo and doTransfer"}}
        a list: 400 {"error":{"code":"MALFORMED_EVENT","message":"the input is not an object: send slug, entry, userInfo and doTransfer"}}
        no slug: 400 {"error":{"code":"MALFORMED_EVENT","message":"`slug` is missing: name the campaign"}}
        a number for a slug: 400 {"error":{"code":"MALFORMED_EVENT","message":"`slug` is missing: name the campaign"}}
        a list for an entry: 400 {"error":{"code":"MALFORMED_EVENT","message":"`entry` is not an object"}}
        text for userInfo: 400 {"error":{"code":"MALFORMED_EVENT","message":"`userInfo` is not an object"}}
        text for doTransfer: 400 {"error":{"code":"MALFORMED_EVENT","message":"`doTransfer` is neither true nor false"}}
        no fields: 200 {"campaignId":"test-campaign-id","detail":{"field":"email"},"isEligible":false,"reason":"INVALID_ENTRY"}
        a number for a field: 200 {"campaignId":"test-campaign-id","detail":{"field":"email"},"isEligible":false,"reason":"INVALID_ENTRY"}
        an unknown field: 200 {"campaignId":"test-campaign-id","detail":{"field":"shoe"},"isEligible":false,"reason":"INVALID_ENTRY"}
        an unknown campaign: 200 {"isEligible":false,"reason":"CAMPAIGN_NOT_FOUND"}
        deep: 400 {"error":{"code":"MALFORMED_EVENT","message":"the event is not JSON"}}
        not UTF-8: 400 {"error":{"code":"MALFORMED_EVENT","message":"the event is not UTF-8"}}
    "#]].assert_eq(&answers(&host, "/workers/check-eligibility", &token, &cases).await);
}

#[tokio::test]
async fn batch_workers_say_what_is_wrong() {
    let host = TestHost::start().await;
    let mut cases = texts(&[
        ("empty", ""),
        ("cut off", r#"{"Records": ["#),
        ("more behind it", r#"{"Records": []} and more"#),
        ("null", "null"),
        ("no records", "{}"),
        ("text for records", r#"{"Records": "all"}"#),
        ("none", r#"{"Records": []}"#),
        ("a number for a record", r#"{"Records": [7]}"#),
        ("no body", r#"{"Records": [{"messageId": "m"}]}"#),
        ("an empty body", r#"{"Records": [{"messageId": "m", "body": ""}]}"#),
        ("a body cut off", r#"{"Records": [{"messageId": "m", "body": "{"}]}"#),
        ("no entry", r#"{"Records": [{"messageId": "m", "body": {"operation": "INSERT"}}]}"#),
        ("no operation", r#"{"Records": [{"messageId": "m", "body": {"entry": {}}}]}"#),
        ("an unknown operation", r#"{"Records": [{"messageId": "m", "body": {"entry": {}, "operation": "UPSERT"}}]}"#),
        ("an empty entry", r#"{"Records": [{"messageId": "m", "body": {"entry": {}, "operation": "INSERT"}}]}"#),
        (
            "a count that is not a number",
            r#"{"Records": [{"messageId": "m", "body": {}, "attributes": {"ApproximateReceiveCount": "x"}}]}"#,
        ),
    ]);
    cases.push(("not UTF-8", b"{\"Records\": [{\"messageId\": \"m\", \"body\": \"\xff\"}]}".to_vec()));
    expect![[r#"
        empty: 400 {"error":{"code":"MALFORMED_EVENT","message":"the event is not one of AWS Lambda's: not JSON: EOF while parsing a value at line 1 column 0"}}
        cut off: 400 {"error":{"code":"MALFORMED_EVENT","message":"the event is not one of AWS Lambda's: not JSON: EOF while parsing a list at line 1 column 13"}}
        more behind it: 400 {"error":{"code":"MALFORMED_EVENT","message":"the event is not one of AWS Lambda's: not JSON: trailing characters at line 1 column 17"}}
        null: 400 {"error":{"code":"MALFORMED_EVENT","message":"the event is not one of AWS Lambda's: invalid type: null, expected struct Envelope at line 1 column 4"}}
        no records: 400 {"error":{"code":"MALFORMED_EVENT","message":"the event is not one of AWS Lambda's: missing field `Records` at line 1 column 2"}}
        text for records: 400 {"error":{"code":"MALFORMED_EVENT","message":"the event is not one of AWS Lambda's: Records: invalid type: string, expected a sequence at line 1 column 17"}}
        none: 200 {"batchItemFailures":[],"count":{"failed":0,"processed":0,"received":0,"rejected":0},"rejected":[]}
        a number for a record: 200 {"batchItemFailures":[],"count":{"failed":0,"processed":0,"received":1,"rejected":1},"rejected":[{"itemIdentifier":"record-0","reason":"malformed: invalid type: integer, expected struct Record"}]}
        no body: 200 {"batchItemFailures":[],"count":{"failed":0,"processed":0,"received":1,"rejected":1},"rejected":[{"itemIdentifier":"m","reason":"malformed: missing field `body`"}]}
        an empty body: 200 {"batchItemFailures":[],"count":{"failed":0,"processed":0,"received":1,"rejected":1},"rejected":[{"itemIdentifier":"m","reason":"malformed: not JSON: EOF while parsing a value at line 1 column 0"}]}
        a body cut off: 200 {"batchItemFailures":[],"count":{"failed":0,"processed":0,"received":1,"rejected":1},"rejected":[{"itemIdentifier":"m","reason":"malformed: not JSON: EOF while parsing an object at line 1 column 1"}]}
        no entry: 200 {"batchItemFailures":[],"count":{"failed":0,"processed":0,"received":1,"rejected":1},"rejected":[{"itemIdentifier":"m","reason":"malformed: missing field `entry` at line 1 column 22"}]}
        no operation: 200 {"batchItemFailures":[],"count":{"failed":0,"processed":0,"received":1,"rejected":1},"rejected":[{"itemIdentifier":"m","reason":"malformed: missing field `operation` at line 1 column 12"}]}
        an unknown operation: 200 {"batchItemFailures":[],"count":{"failed":0,"processed":0,"received":1,"rejected":1},"rejected":[{"itemIdentifier":"m","reason":"malformed: operation: unknown variant, expected one of `INSERT`, `MODIFY`, `REMOVE` at line 1 column 32"}]}
        an empty entry: 200 {"batchItemFailures":[],"count":{"failed":0,"processed":0,"received":1,"rejected":1},"rejected":[{"itemIdentifier":"m","reason":"malformed: entry.campaignId is missing or empty"}]}
        a count that is not a number: 200 {"batchItemFailures":[],"count":{"failed":0,"processed":0,"received":1,"rejected":1},"rejected":[{"itemIdentifier":"m","reason":"malformed: missing field `entry` at line 1 column 2"}]}
        not UTF-8: 400 {"error":{"code":"MALFORMED_EVENT","message":"the event is not one of AWS Lambda's: not JSON: invalid unicode code point at line 1 column 42"}}
    "#]].assert_eq(&answers(&host, "/workers/save-entries", WORKER_TOKEN, &cases).await);
}

#[tokio::test]
async fn changes_say_what_is_wrong() {
    let host = TestHost::start().await;
    let change = |change: Value| json!({ "Records": [change] }).to_string();
    let typed = |dynamodb: Value| change(json!({ "eventID": "e", "eventName": "INSERT", "dynamodb": dynamodb }));
    let keys = json!({ "pk": { "S": "CAMPAIGN#c" }, "sk": { "S": "USER#u" } });
    let cases = [
        ("no event name", change(json!({ "eventID": "e", "dynamodb": { "Keys": keys } }))),
        ("no keys", typed(json!({}))),
        ("an unknown event", change(json!({ "eventID": "e", "eventName": "TRUNCATE", "dynamodb": { "Keys": keys } }))),
        ("an unknown type", typed(json!({ "Keys": keys, "NewImage": { "campaignId": { "X": "c" } } }))),
        ("no image", typed(json!({ "Keys": keys }))),
        ("no campaign", typed(json!({ "Keys": keys, "NewImage": { "needsReplication": { "BOOL": true } } }))),
        ("not base64", change(json!({ "eventID": "e", "kinesis": { "data": "%" } }))),
    ];
    let cases: Vec<_> = cases.into_iter().map(|(name, body)| (name, body.into_bytes())).collect();
    expect![[r#"
        no event name: 200 {"batchItemFailures":[],"count":{"failed":0,"processed":0,"received":1,"rejected":1},"rejected":[{"itemIdentifier":"e","reason":"malformed: missing field `eventName`"}]}
        no keys: 200 {"batchItemFailures":[],"count":{"failed":0,"processed":0,"received":1,"rejected":1},"rejected":[{"itemIdentifier":"e","reason":"malformed: dynamodb: missing field `Keys`"}]}
        an unknown event: 200 {"batchItemFailures":[],"count":{"failed":0,"processed":0,"received":1,"rejected":1},"rejected":[{"itemIdentifier":"e","reason":"malformed: eventName: unknown variant, expected one of `INSERT`, `MODIFY`, `REMOVE` at line 1 column 23"}]}
        an unknown type: 200 {"batchItemFailures":[],"count":{"failed":0,"processed":0,"received":1,"rejected":1},"rejected":[{"itemIdentifier":"e","reason":"malformed: dynamodb.NewImage.campaignId is not an attribute value: \"X\""}]}
        no image: 200 {"batchItemFailures":[],"count":{"failed":0,"processed":0,"received":1,"rejected":1},"rejected":[{"itemIdentifier":"e","reason":"malformed: newImage is missing"}]}
        no campaign: 200 {"batchItemFailures":[],"count":{"failed":0,"processed":0,"received":1,"rejected":1},"rejected":[{"itemIdentifier":"e","reason":"malformed: campaignId is missing or not text"}]}
        not base64: 200 {"batchItemFailures":[],"count":{"failed":0,"processed":0,"received":1,"rejected":1},"rejected":[{"itemIdentifier":"e","reason":"malformed: kinesis.data is not base64: Invalid symbol 37, offset 0."}]}
    "#]].assert_eq(&answers(&host, "/workers/enqueue-entries", WORKER_TOKEN, &cases).await);
}

#[tokio::test]
async fn the_http_endpoint_refuses_what_is_not_a_call() {
    let host = TestHost::start().await;
    let token = host.signer.sign(&FAN.claims());
    let (eligibility, entries) = ("/workers/check-eligibility", "/workers/save-entries");
    let error = |reply: tests::Reply| (reply.status, reply.body["error"]["code"].as_str().map(str::to_owned));
    let is = |status: u16, code: &str| (status, Some(code.to_owned()));

    for path in ["/", "/workers", "/workers/", "/workers/no-such-worker", "/workers/save-entries/more", "/metrics"] {
        let reply = host.post(path, Some(WORKER_TOKEN), "{}").await;
        assert_eq!(error(reply), is(404, "NOT_FOUND"), "{path}");
    }
    for (path, token) in [(eligibility, token.as_str()), (entries, WORKER_TOKEN)] {
        for request in [host.http().get(host.url(path)), host.http().put(host.url(path)).body("{}")] {
            let reply = host.send(request.bearer_auth(token)).await;
            assert_eq!(error(reply), is(405, "METHOD_NOT_ALLOWED"), "{path}");
        }
        let reply = host.post(path, Some(token), vec![b' '; MAX_BODY + 1]).await;
        assert_eq!(error(reply), is(413, "PAYLOAD_TOO_LARGE"), "{path}");
        let reply = host.post(path, Some(token), vec![b' '; MAX_BODY]).await;
        assert_eq!(error(reply), is(400, "MALFORMED_EVENT"), "{path}: a body of the largest size is read");
    }
}

/// The good record of a batch is handled, whatever other records the batch has.
#[tokio::test]
async fn over_http_the_good_record_of_a_bad_batch_is_handled() {
    let host = TestHost::with(without_stream).await;
    let good = entry("campaign-123", "user-456", &json!({ "city": "Zürich 🎫 東京" }), UPDATED);
    host.put_entry(&good).await;
    let event = json!({ "Records": [
        { "messageId": "bad-1", "body": "{" },
        { "messageId": "good", "body": { "entry": good, "operation": "INSERT" } },
        { "messageId": "bad-2" },
        7,
    ]});
    let reply = host.post("/workers/save-entries", Some(WORKER_TOKEN), event.to_string()).await;
    assert_eq!(
        reply.body["count"],
        json!({ "received": 4, "processed": 1, "failed": 0, "rejected": 3 }),
        "{}",
        reply.body
    );
    assert_eq!(reply.body["batchItemFailures"], json!([]));
    assert_eq!(host.entry("campaign-123", "user-456").await["fields"], json!({ "city": "Zürich 🎫 東京" }));
}

/// Sends bad bodies and, between them, a good one. Returns why each bad one was rejected.
async fn rejections(host: &TestHost, queue: &str, good: &str, bad: &[&str]) -> String {
    let mut bodies: Vec<String> = bad.iter().map(|body| (*body).to_owned()).collect();
    bodies.insert(bad.len() / 2, good.to_owned());
    let mut ids = host.queue(queue, &bodies).await;
    ids.remove(bad.len() / 2);
    host.drained(queue).await;
    let mut told = String::new();
    for (body, id) in bad.iter().zip(ids) {
        let lines = log::lines("id", &id);
        assert_eq!(lines.len(), 1, "rejected once, at once: {body}: {lines:?}");
        let text = |field: &str| lines[0][field].as_str().unwrap_or_default().to_owned();
        told += &format!("{body} -> {} {}: {}\n", text("worker"), text("message"), text("reason"));
    }
    told
}

/// A record that a queue's worker rejects is logged once and becomes a dead letter.
#[tokio::test]
async fn on_queues_bad_records_are_rejected_by_name_and_the_good_one_is_handled() {
    let host = TestHost::with(without_stream).await;
    let good = entry("campaign-123", "ünïcode-🎫", &json!({ "name": "Łukasz 王" }), UPDATED);
    host.put_entry(&good).await;
    let change = json!({ "entry": good, "operation": "INSERT" }).to_string();
    let bad = [
        "not json",
        "[]",
        r#"{"entry":{},"operation":"INSERT"}}"#,
        r#"{"operation":"INSERT"}"#,
        r#"{"entry":7,"operation":"INSERT"}"#,
        r#"{"entry":{"campaignId":"c"},"operation":"INSERT"}"#,
        r#"{"entry":{"campaignId":"c","globalUserId":"u","fields":"{"},"operation":"INSERT"}"#,
        r#"{"entry":{"campaignId":"c","globalUserId":"u","fields":"{}","date":{"updated":"yesterday"}},"operation":"MODIFY"}"#,
    ];
    check(
        &rejections(&host, "saveEntriesQueue", &change, &bad).await,
        expect![[r#"
            not json -> save-entries record rejected: malformed: not JSON: expected ident at line 1 column 2
            [] -> save-entries record rejected: malformed: invalid type: sequence, expected an object
            {"entry":{},"operation":"INSERT"}} -> save-entries record rejected: malformed: not JSON: trailing characters at line 1 column 34
            {"operation":"INSERT"} -> save-entries record rejected: malformed: missing field `entry` at line 1 column 22
            {"entry":7,"operation":"INSERT"} -> save-entries record rejected: malformed: entry.campaignId is missing or empty
            {"entry":{"campaignId":"c"},"operation":"INSERT"} -> save-entries record rejected: malformed: entry.globalUserId is missing or empty
            {"entry":{"campaignId":"c","globalUserId":"u","fields":"{"},"operation":"INSERT"} -> save-entries record rejected: malformed: entry.fields is not a JSON object as text
            {"entry":{"campaignId":"c","globalUserId":"u","fields":"{}","date":{"updated":"yesterday"}},"operation":"MODIFY"} -> save-entries record rejected: malformed: entry.date.updated is not an RFC 3339 time
        "#]],
    );
    assert_eq!(host.entry("campaign-123", "ünïcode-🎫").await["fields"], json!({ "name": "Łukasz 王" }));

    let user = json!({ "globalUserId": "ünïcode-🎫", "firstName": "Łukasz" }).to_string();
    let bad = [
        "{",
        "7",
        r#"{"globalUserId":"u"},"#,
        r#"{"email":"a@b.co"}"#,
        r#"{"globalUserId":" "}"#,
        r#"{"globalUserId":7,"firstName":"Jane"}"#,
    ];
    check(
        &rejections(&host, "userInfoQueue", &user, &bad).await,
        expect![[r#"
            { -> upsert-users record rejected: userInfo: `?` cannot be read: it is not JSON
            7 -> upsert-users record rejected: userInfo: `.` cannot be read: it has the wrong type
            {"globalUserId":"u"}, -> upsert-users record rejected: userInfo: `.` cannot be read: it is not JSON
            {"email":"a@b.co"} -> upsert-users record rejected: userInfo: `globalUserId` is missing or blank: send the fan's id
            {"globalUserId":" "} -> upsert-users record rejected: userInfo: `globalUserId` is missing or blank: send the fan's id
            {"globalUserId":7,"firstName":"Jane"} -> upsert-users record rejected: userInfo: `globalUserId` cannot be read: it has the wrong type
        "#]],
    );
    assert_eq!(host.profile("ünïcode-🎫").await["firstName"], "Łukasz");

    let score = json!({ "campaignId": "campaign-123", "globalUserId": "ünïcode-🎫" }).to_string();
    let bad = ["null", r#"{"campaignId":"c"}"#, r#"{"campaignId":7,"globalUserId":"u"}"#];
    check(
        &rejections(&host, "retryScoreQueue", &score, &bad).await,
        expect![[r#"
            null -> retry-score record rejected: malformed: invalid type: null, expected struct Body at line 1 column 4
            {"campaignId":"c"} -> retry-score record rejected: malformed: missing field `globalUserId` at line 1 column 18
            {"campaignId":7,"globalUserId":"u"} -> retry-score record rejected: malformed: campaignId: invalid type: integer, expected a string at line 1 column 15
        "#]],
    );
    for (queue, bad) in [("saveEntriesQueue", 8), ("userInfoQueue", 6), ("retryScoreQueue", 3)] {
        assert_eq!(host.depth(&format!("{queue}Dlq")).await, bad, "{queue}");
    }
}

fn check(text: &str, expected: Expect) {
    expected.assert_eq(text);
}
