//! Tables: puts, gets, deletes, queries.

use super::backend::{Backend, TABLE};
use host_adapters_records::table::{BatchGet, BatchWrite, Key, Page, Query};
use serde_json::{Value, json};

pub fn key(pk: &str, sk: &str) -> Key {
    Key { pk: pk.into(), sk: sk.into() }
}

/// Puts items; all must be accepted.
pub async fn put_all(backend: &impl Backend, items: impl IntoIterator<Item = Value>) {
    let puts = items.into_iter().map(|item| item.to_string()).collect();
    let args = BatchWrite { table: TABLE.into(), puts, deletes: vec![] };
    let errors = backend.tables().batch_write(args).await.unwrap();
    assert!(errors.iter().all(Option::is_none), "{errors:?}");
}

pub async fn get(backend: &impl Backend, pk: &str, sk: &str) -> Option<Value> {
    let args = BatchGet { table: TABLE.into(), keys: vec![key(pk, sk)] };
    let text = backend.tables().batch_get(args).await.unwrap().remove(0);
    text.map(|text| serde_json::from_str(&text).unwrap())
}

async fn query(backend: &impl Backend, pk: &str, prefix: &str, after: Option<&str>, limit: u32) -> Page {
    let (pk, prefix, after) = (pk.to_owned(), prefix.to_owned(), after.map(str::to_owned));
    backend.tables().query(Query { table: TABLE.into(), pk, prefix, after, limit }).await.unwrap()
}

fn sort_keys(page: &Page) -> Vec<String> {
    let sk = |text: &String| serde_json::from_str::<Value>(text).unwrap()["sk"].as_str().unwrap().to_owned();
    page.items.iter().map(sk).collect()
}

pub async fn puts_gets_deletes(backend: &impl Backend) {
    let item = json!({
        "pk": "CAMPAIGN#1", "sk": "USER#1", "fields": "{\"a\":1}", "date": {"updated": "2024-01-15T10:00:00.123Z"},
        "n": 12.5, "yes": true, "nothing": null, "list": [1, "ü", {"x": []}], "größe 👍": "",
    });
    put_all(backend, [item.clone()]).await;
    assert_eq!(get(backend, "CAMPAIGN#1", "USER#1").await, Some(item));
    let deletes = vec![key("CAMPAIGN#1", "USER#1"), key("CAMPAIGN#1", "never there")];
    let args = BatchWrite { table: TABLE.into(), puts: vec![], deletes };
    assert_eq!(backend.tables().batch_write(args).await.unwrap(), [None, None]);
    assert_eq!(get(backend, "CAMPAIGN#1", "USER#1").await, None);
}

pub async fn puts_over(backend: &impl Backend) {
    put_all(backend, [json!({"pk": "p", "sk": "s", "old": 1})]).await;
    put_all(backend, [json!({"pk": "p", "sk": "s", "new": 2})]).await;
    assert_eq!(get(backend, "p", "s").await, Some(json!({"pk": "p", "sk": "s", "new": 2})));
}

pub async fn answers_in_the_order_of_keys(backend: &impl Backend) {
    put_all(backend, (0..150).map(|n| json!({"pk": "p", "sk": n.to_string()}))).await;
    let keys = (0..300).rev().map(|n| key("p", &n.to_string())).collect();
    let found = backend.tables().batch_get(BatchGet { table: TABLE.into(), keys }).await.unwrap();
    assert_eq!(found.len(), 300);
    for (n, item) in (0..300).rev().zip(found) {
        let sk = item.map(|text| serde_json::from_str::<Value>(&text).unwrap()["sk"].clone());
        assert_eq!(sk, (n < 150).then(|| json!(n.to_string())));
    }
}

pub async fn pages_through_a_query(backend: &impl Backend) {
    put_all(backend, (0..10).map(|n| json!({"pk": "p", "sk": format!("USER#{n}")}))).await;
    put_all(backend, [json!({"pk": "p", "sk": "meta:counts"}), json!({"pk": "q", "sk": "USER#5"})]).await;
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = query(backend, "p", "USER#", after.as_deref(), 3).await;
        assert!(page.items.len() <= 3);
        all.extend(sort_keys(&page));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(all, (0..10).map(|n| format!("USER#{n}")).collect::<Vec<_>>());
}

pub async fn orders_by_bytes(backend: &impl Backend) {
    let keys = [" ", "!", "0", "10", "2", "A", "B", "a", "b", "ä", "ア", "𝄞"];
    put_all(backend, keys.iter().rev().map(|sk| json!({"pk": "p", "sk": sk}))).await;
    assert_eq!(sort_keys(&query(backend, "p", "", None, 100).await), keys);
    assert_eq!(sort_keys(&query(backend, "p", "", Some("B"), 2).await), ["a", "b"]);
}

pub async fn queries_a_prefix(backend: &impl Backend) {
    let keys = ["asu#1-2#reminder", "asu#1-3#reminder", "asu%", "asu_", "a\u{10ffff}", "a\u{10ffff}z", "b"];
    put_all(backend, keys.iter().map(|sk| json!({"pk": "fan:1", "sk": sk}))).await;
    for (prefix, found) in [
        ("asu#", vec!["asu#1-2#reminder", "asu#1-3#reminder"]),
        ("asu#1-3", vec!["asu#1-3#reminder"]),
        ("asu%", vec!["asu%"]),
        ("asu_", vec!["asu_"]),
        ("a\u{10ffff}", vec!["a\u{10ffff}", "a\u{10ffff}z"]),
        ("c", vec![]),
        ("ASU", vec![]),
    ] {
        let page = query(backend, "fan:1", prefix, None, 10).await;
        assert_eq!((sort_keys(&page), page.next), (found.iter().map(|&sk| sk.to_owned()).collect(), None), "{prefix}");
    }
    assert_eq!(query(backend, "fan:2", "", None, 10).await, Page { items: vec![], next: None });
}

pub async fn takes_thousands(backend: &impl Backend) {
    put_all(backend, (0..1000).map(|n| json!({"pk": "p", "sk": format!("{n:04}"), "text": "x".repeat(2000)}))).await;
    let (mut found, mut after) = (0, None);
    loop {
        // A page is also limited in bytes, so it may have fewer items than the limit.
        let page = query(backend, "p", "", after.as_deref(), 1000).await;
        found += page.items.len();
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(found, 1000);
    let deletes = (0..1000).map(|n| key("p", &format!("{n:04}"))).collect();
    let errors = backend.tables().batch_write(BatchWrite { table: TABLE.into(), puts: vec![], deletes }).await.unwrap();
    assert!(errors.len() == 1000 && errors.iter().all(Option::is_none));
    assert_eq!(query(backend, "p", "", None, 1).await, Page { items: vec![], next: None });
}

/// Numbers that a double would round.
pub const NUMBERS: [&str; 8] = [
    "12345678901234567890",
    "18446744073709551616",
    "0.12345678901234567890123456789012345678",
    "-110111111111111110000000000000000000000",
    "9.9999999999999999999999999999999999999E+125",
    "1E-130",
    "12.50",
    "9007199254740993",
];

/// An item with all of them, as text.
pub fn item_of_numbers() -> String {
    format!(r#"{{"pk":"p","sk":"s","deep":{{"numbers":[{}]}},"score":{}}}"#, NUMBERS.join(","), NUMBERS[0])
}

/// DynamoDB spells numbers in its own way, so they are compared by value.
pub async fn case_01_keeps_every_digit(backend: &impl Backend) {
    let item = item_of_numbers();
    let args = BatchWrite { table: TABLE.into(), puts: vec![item.clone()], deletes: vec![] };
    assert_eq!(backend.tables().batch_write(args).await.unwrap(), [None]);
    let args = BatchGet { table: TABLE.into(), keys: vec![key("p", "s")] };
    let found = backend.tables().batch_get(args).await.unwrap().remove(0).unwrap();
    assert!(host_adapters_json::same(&found, &item), "{found}");
    let found = query(backend, "p", "", None, 1).await.items.remove(0);
    assert!(host_adapters_json::same(&found, &item), "{found}");
}
