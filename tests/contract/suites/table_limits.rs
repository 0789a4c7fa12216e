//! Tables: what they accept and what they refuse, item by item.

use super::backend::{Backend, PLAIN_TABLE, TABLE};
use super::table::{get, key, put_all};
use host_adapters_records::ErrorKind;
use host_adapters_records::table::{BatchGet, BatchUpdate, BatchWrite, Query, Update};
use serde_json::{Value, json};

const MOST: usize = 400 * 1024;

/// An item that DynamoDB counts as this many bytes: its names, and its strings.
fn item_of(bytes: usize) -> String {
    let others = "pk".len() + "p".len() + "sk".len() + "big".len() + "text".len();
    json!({"pk": "p", "sk": "big", "text": "x".repeat(bytes - others)}).to_string()
}

/// Items that are shorter as JSON text than as DynamoDB counts them, or longer: empty lists in a list count 4 bytes
/// each, strings have no escapes, and names no quotation marks.
fn items_unlike_their_texts() -> [(String, bool); 4] {
    let item = |name: &str, value: Value| json!({"pk": "p", "sk": "unlike", name: value}).to_string();
    let lists = |count: usize| item("lists", json!(vec![json!([]); count]));
    let escaped = item("text", json!("\n".repeat(MOST - 100)));
    let named: serde_json::Map<_, _> = (0..50_000).map(|name| (format!("{name:05}"), json!("x"))).collect();
    let mut named = json!(named);
    (named["pk"], named["sk"]) = (json!("p"), json!("unlike"));
    [(lists(MOST / 4 - 100), true), (lists(MOST / 4 + 100), false), (escaped, true), (named.to_string(), true)]
}

pub async fn refuses_one_and_takes_the_rest(backend: &impl Backend) {
    let wrong = [
        "".to_owned(),
        "[]".to_owned(),
        "{".to_owned(),
        r#"["p","s"]"#.to_owned(),
        r#"{"pk":"p"}"#.to_owned(),
        r#"{"pk":"p","sk":null}"#.to_owned(),
        r#"{"pk":1,"sk":"s"}"#.to_owned(),
        r#"{"pk":"","sk":"s"}"#.to_owned(),
        r#"{"pk":"p","sk":""}"#.to_owned(),
        r#"{"pk":"p","sk":"s","":1}"#.to_owned(),
        r#"{"pk":"p","sk":"s","deep":[{"":1}]}"#.to_owned(),
        r#"{"pk":"p","sk":"s"} x"#.to_owned(),
        json!({"pk": "p".repeat(2049), "sk": "s"}).to_string(),
        json!({"pk": "p", "sk": "s".repeat(1025)}).to_string(),
        item_of(MOST + 1),
    ];
    for wrong in wrong {
        let good = |sk: &str| json!({"pk": "p", "sk": sk, "from": wrong.len()}).to_string();
        let puts = vec![good("1"), wrong.clone(), good("2")];
        let errors = backend.tables().batch_write(BatchWrite { table: TABLE.into(), puts, deletes: vec![] }).await;
        let errors = errors.unwrap();
        let said = &wrong[..wrong.len().min(60)];
        let [None, Some(error), None] = errors.as_slice() else { panic!("{said}: {errors:?}") };
        assert_eq!(error.kind, ErrorKind::Invalid, "{said}: {error}");
        assert_eq!(get(backend, "p", "2").await.unwrap()["from"], json!(wrong.len()), "{said}");
    }
}

pub async fn accepts_what_just_fits(backend: &impl Backend) {
    let (pk, sk) = ("p".repeat(2048), "s".repeat(1024));
    put_all(backend, [json!({"pk": pk, "sk": sk})]).await;
    assert!(get(backend, &pk, &sk).await.is_some());
    put_all(backend, [serde_json::from_str(&item_of(MOST)).unwrap()]).await;
    assert!(get(backend, "p", "big").await.is_some());
}

pub async fn counts_as_dynamodb_does(backend: &impl Backend) {
    for (item, fits) in items_unlike_their_texts() {
        let said = item[..60].to_owned();
        let write = BatchWrite { table: TABLE.into(), puts: vec![item], deletes: vec![] };
        let errors = backend.tables().batch_write(write).await.unwrap();
        let kinds: Vec<_> = errors.into_iter().map(|error| error.map(|error| error.kind)).collect();
        assert_eq!(kinds, [(!fits).then_some(ErrorKind::Invalid)], "{said}");
    }
}

pub async fn refuses_wrong_keys(backend: &impl Backend) {
    for wrong in [key("", "s"), key("p", ""), key(&"p".repeat(2049), "s"), key("p", &"s".repeat(1025))] {
        let keys = vec![key("p", "s"), wrong.clone()];
        let error = backend.tables().batch_get(BatchGet { table: TABLE.into(), keys }).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Invalid);
        let deletes = vec![wrong, key("p", "s")];
        let args = BatchWrite { table: TABLE.into(), puts: vec![], deletes };
        let errors = backend.tables().batch_write(args).await.unwrap();
        assert!(matches!(errors.as_slice(), [Some(error), None] if error.kind == ErrorKind::Invalid), "{errors:?}");
    }
}

pub async fn refuses_wrong_queries(backend: &impl Backend) {
    let query = |pk: &str, limit| Query { table: TABLE.into(), pk: pk.into(), prefix: "".into(), after: None, limit };
    for wrong in [query("", 1), query("p", 0)] {
        assert_eq!(backend.tables().query(wrong).await.unwrap_err().kind, ErrorKind::Invalid);
    }
}

pub async fn knows_its_names(backend: &impl Backend) {
    let (table, tables) = ("no-such-table".to_owned(), backend.tables());
    let write = BatchWrite { table: table.clone(), puts: vec![], deletes: vec![] };
    let query = Query { table: table.clone(), pk: "p".into(), prefix: "".into(), after: None, limit: 1 };
    for error in [
        tables.batch_get(BatchGet { table: table.clone(), keys: vec![key("p", "s")] }).await.unwrap_err(),
        tables.batch_write(write).await.unwrap_err(),
        tables.batch_update(BatchUpdate { table, updates: vec![] }).await.unwrap_err(),
        tables.query(query).await.unwrap_err(),
    ] {
        assert_eq!(error.kind, ErrorKind::NotFound);
        assert!(error.message.contains("no-such-table"), "{error}");
    }
    put_all(backend, [json!({"pk": "p", "sk": "s"})]).await;
    let other = BatchGet { table: PLAIN_TABLE.into(), keys: vec![key("p", "s")] };
    assert_eq!(tables.batch_get(other).await.unwrap(), [None], "tables are apart");
}

/// As DynamoDB does; the error names the attribute.
pub async fn case_01_refuses_numbers_with_too_many_digits(backend: &impl Backend) {
    for number in [
        "123456789012345678901234567890123456789",
        "0.123456789012345678901234567890123456789",
        "1e126",
        "-1e126",
        "1e-131",
    ] {
        let good = |sk: &str| json!({"pk": "p", "sk": sk}).to_string();
        let wrong = format!(r#"{{"pk":"p","sk":"wrong","deep":[{{"score":{number}}}]}}"#);
        let puts = vec![good("1"), wrong, good("2")];
        let errors = backend.tables().batch_write(BatchWrite { table: TABLE.into(), puts, deletes: vec![] }).await;
        let errors = errors.unwrap();
        let [None, Some(error), None] = errors.as_slice() else { panic!("{number}: {errors:?}") };
        assert!(error.kind == ErrorKind::Invalid && error.message.contains("`score`"), "{number}: {error}");
        let update = Update {
            key: key("p", "1"),
            set: vec![("score".to_owned(), number.to_owned())],
            increment: vec![],
            remove: vec![],
            condition: vec![],
        };
        let updates = BatchUpdate { table: TABLE.into(), updates: vec![update] };
        let error = backend.tables().batch_update(updates).await.unwrap().remove(0).unwrap();
        assert!(error.kind == ErrorKind::Invalid && error.message.contains("`score`"), "{number}: {error}");
        assert_eq!(get(backend, "p", "1").await, Some(json!({"pk": "p", "sk": "1"})));
    }
}
