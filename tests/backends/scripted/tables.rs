//! DynamoDB's tables.

use super::server::Scripted;
use backend_dynamodb::Dynamodb;
use host_adapters_platform::TableBackend;
use host_adapters_records::ErrorKind;
use host_adapters_records::table::{BatchGet, BatchWrite, Key};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// The first wait before unprocessed requests are repeated.
const FIRST_WAIT: Duration = Duration::from_millis(50);

async fn tables(server: &Scripted) -> Dynamodb {
    Dynamodb::new(&server.aws().await, "p-", BTreeSet::from(["t".to_owned()]))
}

fn puts(sort_keys: &[&str]) -> BatchWrite {
    let item = |sk: &&str| json!({"pk": "p", "sk": sk}).to_string();
    BatchWrite { table: "t".into(), puts: sort_keys.iter().map(item).collect(), deletes: vec![] }
}

/// The sort keys of a request's items or keys.
fn sort_keys(of: &Value) -> BTreeSet<&str> {
    let text = |entry| Value::pointer(entry, "/PutRequest/Item/sk/S").or(entry.pointer("/sk/S"));
    of.as_array().unwrap().iter().map(|entry| text(entry).unwrap().as_str().unwrap()).collect()
}

pub async fn sends_again_what_was_left_unprocessed() {
    let server = Scripted::start(|_, before, input| {
        let writes = input["RequestItems"]["p-t"].as_array().unwrap();
        // Two of three are left, then one of two, then none.
        Ok(json!({"UnprocessedItems": if before < 2 { json!({"p-t": writes[1..]}) } else { json!({}) }}))
    })
    .await;
    let began = Instant::now();
    let results = tables(&server).await.batch_write(puts(&["a", "b", "c"])).await.unwrap();
    assert_eq!(results, [None, None, None]);
    assert!(began.elapsed() >= 2 * FIRST_WAIT, "waited {:?}", began.elapsed());
    let requests = server.requests("BatchWriteItem");
    let asked: Vec<_> = requests.iter().map(|input| sort_keys(&input["RequestItems"]["p-t"])).collect();
    assert_eq!(asked, [["a", "b", "c"].into(), ["b", "c"].into(), ["c"].into()] as [BTreeSet<_>; 3]);
}

pub async fn asks_again_for_keys_left_unprocessed() {
    let server = Scripted::start(|_, _, input| {
        let keys = input["RequestItems"]["p-t"]["Keys"].as_array().unwrap();
        let left = if keys.len() > 1 { json!({"p-t": {"Keys": keys[1..]}}) } else { json!({}) };
        Ok(json!({"Responses": {"p-t": keys[..1]}, "UnprocessedKeys": left}))
    })
    .await;
    let keys = ["a", "b", "c"].map(|sk| Key { pk: "p".into(), sk: sk.into() });
    let args = BatchGet { table: "t".into(), keys: keys.to_vec() };
    let found = tables(&server).await.batch_get(args).await.unwrap();
    let expected = ["a", "b", "c"].map(|sk| json!({"pk": "p", "sk": sk}));
    let found: Vec<Value> = found.into_iter().map(|item| serde_json::from_str(&item.unwrap()).unwrap()).collect();
    assert_eq!(found, expected);
    assert_eq!(server.requests("BatchGetItem").len(), 3);
}

pub async fn waits_out_a_throttle() {
    let server =
        Scripted::start(|_, before, _| if before < 2 { Err("ThrottlingException") } else { Ok(json!({})) }).await;
    assert_eq!(tables(&server).await.batch_write(puts(&["a"])).await.unwrap(), [None]);
    assert_eq!(server.requests("BatchWriteItem").len(), 3);
}

pub async fn reports_a_lasting_throttle() {
    let server = Scripted::start(|_, _, _| Err("ProvisionedThroughputExceededException")).await;
    let results = tables(&server).await.batch_write(puts(&["a", "b"])).await.unwrap();
    let kinds: Vec<_> = results.into_iter().map(|result| result.unwrap().kind).collect();
    assert_eq!(kinds, [ErrorKind::Throttled, ErrorKind::Throttled]);
    assert_eq!(server.requests("BatchWriteItem").len(), 3, "not endlessly, and not one by one");
}

pub async fn finds_the_item_that_gets_a_batch_refused() {
    let server = Scripted::start(|_, _, input| match sort_keys(&input["RequestItems"]["p-t"]).contains("bad") {
        true => Err("ValidationException"),
        false => Ok(json!({})),
    })
    .await;
    let results = tables(&server).await.batch_write(puts(&["a", "bad", "c"])).await.unwrap();
    let kinds: Vec<_> = results.into_iter().map(|result| result.map(|error| error.kind)).collect();
    assert_eq!(kinds, [None, Some(ErrorKind::Invalid), None]);
}

/// Neither denied nor invalid: the operator has to correct it, and the source waits meanwhile.
pub async fn keeps_records_when_credentials_are_refused() {
    let server = Scripted::start(|_, before, _| {
        Err(["AccessDeniedException", "UnrecognizedClientException", "ExpiredTokenException"][before % 3])
    })
    .await;
    let tables = tables(&server).await;
    for _ in 0..3 {
        let results = tables.batch_write(puts(&["a"])).await.unwrap();
        assert_eq!(results[0].as_ref().unwrap().kind, ErrorKind::Unavailable, "{results:?}");
    }
}
