//! Tables: conditional updates.

use super::backend::{Backend, TABLE};
use super::table::{get, item_of_numbers, key, put_all};
use host_adapters_records::table::{BatchGet, BatchUpdate, BatchWrite, Predicate, Update};
use host_adapters_records::{Error, ErrorKind};
use serde_json::{Value, json};

fn update(sk: &str) -> Update {
    Update { key: key("p", sk), set: vec![], increment: vec![], remove: vec![], condition: vec![] }
}

fn set(sk: &str, path: &str, value: Value) -> Update {
    Update { set: vec![(path.into(), value.to_string())], ..update(sk) }
}

fn when(sk: &str, condition: Vec<Predicate>) -> Update {
    Update { condition, ..set(sk, "done", json!(true)) }
}

async fn apply(backend: &impl Backend, updates: Vec<Update>) -> Vec<Option<Error>> {
    backend.tables().batch_update(BatchUpdate { table: TABLE.into(), updates }).await.unwrap()
}

async fn kind_of(backend: &impl Backend, update: Update) -> Option<ErrorKind> {
    apply(backend, vec![update]).await.remove(0).map(|error| error.kind)
}

pub async fn sets_and_removes(backend: &impl Backend) {
    let item = json!({"pk": "p", "sk": "s", "flag": true, "keep": 1, "date": {"created": "c", "updated": "u"}});
    put_all(backend, [item]).await;
    let wanted = Update {
        set: vec![("date.updated".into(), json!("v").to_string()), ("new".into(), json!({"a": [1]}).to_string())],
        remove: vec!["flag".into(), "never.there".into()],
        ..update("s")
    };
    assert_eq!(kind_of(backend, wanted.clone()).await, Some(ErrorKind::Invalid), "a path through an absent member");
    let wanted = Update { remove: vec!["flag".into(), "gone".into()], ..wanted };
    assert_eq!(kind_of(backend, wanted).await, None);
    let after = json!({"pk": "p", "sk": "s", "keep": 1, "date": {"created": "c", "updated": "v"}, "new": {"a": [1]}});
    assert_eq!(get(backend, "p", "s").await, Some(after));
}

pub async fn makes_an_absent_item(backend: &impl Backend) {
    assert_eq!(kind_of(backend, set("s", "n", json!(1))).await, None);
    assert_eq!(get(backend, "p", "s").await, Some(json!({"pk": "p", "sk": "s", "n": 1})));
    assert_eq!(kind_of(backend, update("bare")).await, None);
    assert_eq!(get(backend, "p", "bare").await, Some(json!({"pk": "p", "sk": "bare"})));
}

pub async fn checks_conditions(backend: &impl Backend) {
    put_all(backend, [json!({"pk": "p", "sk": "s", "a": {"b": "x"}, "nothing": null})]).await;
    let exists = |path: &str| Predicate::Exists(path.into());
    let not_exists = |path: &str| Predicate::NotExists(path.into());
    let equals = |path: &str, value: Value| Predicate::Equals((path.into(), value.to_string()));
    let failed = Some(ErrorKind::ConditionFailed);
    for (sk, condition, expected) in [
        ("s", vec![exists("a"), exists("a.b"), exists("nothing"), exists("pk")], None),
        ("s", vec![not_exists("c"), not_exists("a.c"), not_exists("a.b.c"), not_exists("x.y")], None),
        ("s", vec![equals("a.b", json!("x")), equals("a", json!({"b": "x"})), equals("sk", json!("s"))], None),
        ("s", vec![equals("nothing", json!(null))], None),
        ("s", vec![exists("c")], failed),
        ("s", vec![exists("a"), not_exists("a.b")], failed),
        ("s", vec![equals("a.b", json!("y"))], failed),
        ("s", vec![equals("c", json!(null))], failed),
        ("absent", vec![exists("pk")], failed),
        ("absent", vec![equals("a", json!(1))], failed),
        ("absent", vec![not_exists("pk")], None),
        (
            "s",
            vec![equals("a.b", json!("x")), Predicate::Equals(("a".into(), "no json".into()))],
            Some(ErrorKind::Invalid),
        ),
        ("s", vec![exists("a..b")], Some(ErrorKind::Invalid)),
    ] {
        let before = get(backend, "p", sk).await;
        let said = format!("{sk} {condition:?}");
        assert_eq!(kind_of(backend, when(sk, condition)).await, expected, "{said}");
        if expected.is_some() {
            assert_eq!(get(backend, "p", sk).await, before, "{said}");
        }
    }
}

/// A null is as absent, whatever the value.
pub async fn holds_where_absent_or_equal(backend: &impl Backend) {
    let item = json!({"pk": "p", "sk": "s", "code": "A", "a": {"b": "x", "nothing": null}, "nothing": null, "n": 1, "text": "t"});
    put_all(backend, [item]).await;
    let (held, failed, invalid) = (None, Some(ErrorKind::ConditionFailed), Some(ErrorKind::Invalid));
    for (sk, path, value, expected) in [
        ("s", "absent", r#""A""#, held),
        ("s", "code", r#""A""#, held),
        ("s", "code", r#""B""#, failed),
        ("s", "code", "null", failed),
        ("s", "nothing", "null", held),
        ("s", "nothing", r#""A""#, held),
        ("s", "a.nothing", r#""A""#, held),
        ("s", "a.b", r#""x""#, held),
        ("s", "a.b", r#""y""#, failed),
        ("s", "a", r#"{"b": "x", "nothing": null}"#, held),
        ("s", "a.c", r#""x""#, held),
        ("s", "x.y.z", r#""x""#, held),
        ("s", "text.a", r#""x""#, held),
        ("s", "n", "1.0", held),
        ("s", "n", r#""1""#, failed),
        ("s", "sk", r#""s""#, held),
        ("s", "absent", "no json", invalid),
        ("s", "a..b", "1", invalid),
        ("absent", "code", r#""A""#, held),
    ] {
        let before = get(backend, "p", sk).await;
        let condition = vec![Predicate::AbsentOrEquals((path.into(), value.into()))];
        assert_eq!(kind_of(backend, when(sk, condition)).await, expected, "{sk} {path} {value}");
        if expected.is_some() {
            assert_eq!(get(backend, "p", sk).await, before, "{sk} {path} {value}");
        }
    }
}

/// Texts by their bytes, numbers by value, other types never.
pub async fn holds_where_absent_or_less(backend: &impl Backend) {
    let item = json!({"pk": "p", "sk": "s", "text": "b", "n": 9, "a": {"n": 1.5, "nothing": null}, "flag": false,
        "nothing": null, "umlaut": "\u{e4}"});
    put_all(backend, [item]).await;
    let (held, failed, invalid) = (None, Some(ErrorKind::ConditionFailed), Some(ErrorKind::Invalid));
    for (sk, path, value, expected) in [
        ("s", "absent", r#""a""#, held),
        ("s", "absent", "1", held),
        ("s", "nothing", "1", held),
        ("s", "a.nothing", r#""a""#, held),
        ("s", "x.y.z", "1", held),
        ("s", "text.a", "1", held),
        ("s", "text", r#""c""#, held),
        ("s", "text", r#""b0""#, held),
        ("s", "text", r#""b""#, failed),
        ("s", "text", r#""B""#, failed),
        ("s", "text", r#""""#, failed),
        ("s", "umlaut", r#""z""#, failed),
        ("s", "n", "10", held),
        ("s", "n", "9.0001", held),
        ("s", "n", "9.0", failed),
        ("s", "n", "-10", failed),
        ("s", "a.n", "1.6", held),
        ("s", "a.n", "1.40", failed),
        ("s", "n", r#""99""#, failed),
        ("s", "text", "99", failed),
        ("s", "flag", "99", failed),
        ("s", "a", "99", failed),
        ("s", "n", "true", invalid),
        ("s", "absent", "null", invalid),
        ("s", "absent", "[1]", invalid),
        ("s", "absent", "no json", invalid),
        ("s", "a..b", "1", invalid),
        ("absent", "n", "1", held),
    ] {
        let before = get(backend, "p", sk).await;
        let condition = vec![Predicate::AbsentOrLessThan((path.into(), value.into()))];
        assert_eq!(kind_of(backend, when(sk, condition)).await, expected, "{sk} {path} {value}");
        if expected.is_some() {
            assert_eq!(get(backend, "p", sk).await, before, "{sk} {path} {value}");
        }
    }
}

fn add(sk: &str, increment: &[(&str, i64)]) -> Update {
    let increment = increment.iter().map(|(path, by)| ((*path).to_owned(), *by)).collect();
    Update { increment, ..update(sk) }
}

pub async fn adds_to_numbers(backend: &impl Backend) {
    put_all(backend, [json!({"pk": "p", "sk": "s", "n": 40, "a": {"n": -1.5}, "keep": 1})]).await;
    let both = Update { remove: vec!["keep".into()], ..add("s", &[("n", 2), ("a.n", -1), ("a.new", 3), ("new", 0)]) };
    assert_eq!(kind_of(backend, both).await, None);
    let after = json!({"pk": "p", "sk": "s", "n": 42, "a": {"n": -2.5, "new": 3}, "new": 0});
    assert_eq!(get(backend, "p", "s").await, Some(after));
    assert_eq!(kind_of(backend, add("made", &[("n", -7)])).await, None);
    assert_eq!(get(backend, "p", "made").await, Some(json!({"pk": "p", "sk": "made", "n": -7})));
    // Those of one item are applied in their order.
    let updates = vec![add("made", &[("n", i64::MAX)]), add("made", &[("n", 8)]), add("s", &[("n", -42)])];
    assert_eq!(apply(backend, updates).await, [None, None, None]);
    assert_eq!(get(backend, "p", "made").await.unwrap()["n"], json!(9_223_372_036_854_775_808_u64));
    assert_eq!(get(backend, "p", "s").await.unwrap()["n"], json!(0));
}

/// Each update fails alone, and changes nothing.
pub async fn refuses_to_add(backend: &impl Backend) {
    let item = json!({"pk": "p", "sk": "s", "text": "1", "nothing": null, "flag": true, "a": {"n": 1}, "list": [1]});
    put_all(backend, [item.clone()]).await;
    let refused = ["text", "nothing", "flag", "a", "list", "pk", "", "a.", "absent.n", "text.n"];
    let mut updates: Vec<_> = refused.iter().map(|path| add("s", &[(path, 1)])).collect();
    updates.push(add("s", &[("m", 1), ("m", 2)]));
    updates.push(add("s", &[("a.n", 1), ("a", 1)]));
    updates.push(Update { increment: vec![("m".into(), 1)], ..set("s", "m", json!(1)) });
    updates.push(Update { remove: vec!["a".into()], ..add("s", &[("a.n", 1)]) });
    let shown = updates.clone();
    updates.push(add("other", &[("n", 1)]));
    let mut errors = apply(backend, updates).await;
    assert_eq!(errors.pop(), Some(None), "the others are applied");
    for (update, error) in shown.into_iter().zip(errors) {
        assert_eq!(error.map(|error| error.kind), Some(ErrorKind::Invalid), "{update:?}");
    }
    assert_eq!(get(backend, "p", "s").await, Some(item));
    let unmet = Update { condition: vec![Predicate::Exists("absent".into())], ..add("s", &[("text", 1)]) };
    assert_eq!(kind_of(backend, unmet).await, Some(ErrorKind::ConditionFailed), "the condition is judged first");
}

/// Like a count that moves its position: an update that is applied already is not applied again.
pub async fn adds_once(backend: &impl Backend) {
    put_all(backend, [json!({"pk": "p", "sk": "s", "position": {}})]).await;
    let counted = |position: &str| Update {
        set: vec![("position.shard".into(), json!(position).to_string())],
        condition: vec![Predicate::AbsentOrLessThan(("position.shard".into(), json!(position).to_string()))],
        ..add("s", &[("n", 1)])
    };
    let updates = vec![counted("1"), counted("1"), counted("2"), counted("1")];
    let kinds: Vec<_> = apply(backend, updates).await.iter().map(|it| it.as_ref().map(|it| it.kind)).collect();
    let failed = Some(ErrorKind::ConditionFailed);
    assert_eq!(kinds, [None, failed, None, failed]);
    let expected = json!({"pk": "p", "sk": "s", "n": 2, "position": {"shard": "2"}});
    assert_eq!(get(backend, "p", "s").await, Some(expected));
}

/// A sum has every digit, and one that has more than DynamoDB's numbers is refused.
pub async fn case_01_adds_to_every_digit(backend: &impl Backend) {
    let most = "99999999999999999999999999999999999999";
    let item =
        format!(r#"{{"pk":"p","sk":"s","n":12345678901234567890123456789,"half":0.5,"most":{most},"tiny":1e-30}}"#);
    let args = BatchWrite { table: TABLE.into(), puts: vec![item], deletes: vec![] };
    assert_eq!(backend.tables().batch_write(args).await.unwrap(), [None]);
    assert_eq!(kind_of(backend, add("s", &[("n", 1), ("half", i64::MIN)])).await, None);
    assert_eq!(kind_of(backend, add("s", &[("tiny", 1_000_000_000)])).await, Some(ErrorKind::Invalid));
    let args = BatchGet { table: TABLE.into(), keys: vec![key("p", "s")] };
    let found = backend.tables().batch_get(args).await.unwrap().remove(0).unwrap();
    let expected = format!(
        r#"{{"pk":"p","sk":"s","n":12345678901234567890123456790,"half":-9223372036854775807.5,"most":{most},"tiny":1e-30}}"#
    );
    assert!(host_adapters_json::same(&found, &expected), "{found}");
    assert_eq!(kind_of(backend, add("s", &[("most", 1)])).await, None, "1e38 has one significant digit");
    assert_eq!(kind_of(backend, add("s", &[("most", 1)])).await, Some(ErrorKind::Invalid));
}

pub async fn compares_by_value(backend: &impl Backend) {
    put_all(backend, [json!({"pk": "p", "sk": "s", "n": 1, "m": {"a": 1, "b": 2}})]).await;
    let equals = |path: &str, value: &str| vec![Predicate::Equals((path.into(), value.into()))];
    assert_eq!(kind_of(backend, when("s", equals("n", "1.0"))).await, None);
    assert_eq!(kind_of(backend, when("s", equals("m", r#"{ "b": 2, "a": 1 }"#))).await, None);
    assert_eq!(kind_of(backend, when("s", equals("n", r#""1""#))).await, Some(ErrorKind::ConditionFailed));
}

pub async fn fails_one_by_one(backend: &impl Backend) {
    let must_exist = |sk: &str| when(sk, vec![Predicate::Exists("pk".into())]);
    put_all(backend, [json!({"pk": "p", "sk": "1"}), json!({"pk": "p", "sk": "3"})]).await;
    let errors = apply(backend, vec![must_exist("1"), must_exist("2"), must_exist("3"), set("", "a", json!(1))]).await;
    let kinds: Vec<_> = errors.iter().map(|error| error.as_ref().map(|error| error.kind)).collect();
    assert_eq!(kinds, [None, Some(ErrorKind::ConditionFailed), None, Some(ErrorKind::Invalid)]);
    assert!(errors[1].as_ref().unwrap().message.contains("p/2"), "{errors:?}");
    assert_eq!(get(backend, "p", "3").await.unwrap()["done"], json!(true));
    assert_eq!(get(backend, "p", "2").await, None);
}

pub async fn refuses_wrong_paths(backend: &impl Backend) {
    put_all(backend, [json!({"pk": "p", "sk": "s", "text": "t", "m": {}})]).await;
    for path in ["pk", "sk", "", ".", "a.", ".a", "text.a", "absent.a", "m.a.b"] {
        assert_eq!(kind_of(backend, set("s", path, json!(1))).await, Some(ErrorKind::Invalid), "`{path}`");
    }
    let twice = |a: &str, b: &str| Update { remove: vec![b.into()], ..set("s", a, json!(1)) };
    for (a, b) in [("a", "a"), ("m", "m.x"), ("m.x", "m")] {
        assert_eq!(kind_of(backend, twice(a, b)).await, Some(ErrorKind::Invalid), "{a} and {b}");
    }
    let no_json = Update { set: vec![("a".into(), "{".into())], ..update("s") };
    assert_eq!(kind_of(backend, no_json).await, Some(ErrorKind::Invalid));
    assert_eq!(get(backend, "p", "s").await, Some(json!({"pk": "p", "sk": "s", "text": "t", "m": {}})));
}

pub async fn keeps_the_size_limit(backend: &impl Backend) {
    let half = json!("x".repeat(300 * 1024));
    assert_eq!(kind_of(backend, set("s", "a", half.clone())).await, None);
    assert_eq!(kind_of(backend, set("s", "b", half)).await, Some(ErrorKind::Invalid));
    assert_eq!(get(backend, "p", "s").await.unwrap().get("b"), None);
}

/// A condition tells numbers apart that a double does not, and an update leaves the others as they are.
pub async fn case_01_compares_every_digit(backend: &impl Backend) {
    let args = BatchWrite { table: TABLE.into(), puts: vec![item_of_numbers()], deletes: vec![] };
    assert_eq!(backend.tables().batch_write(args).await.unwrap(), [None]);
    let equals = |value: &str| vec![Predicate::Equals(("score".into(), value.into()))];
    let absent_or = |value: &str| vec![Predicate::AbsentOrEquals(("score".into(), value.into()))];
    for condition in [equals, absent_or] {
        let other = when("s", condition("12345678901234567891"));
        assert_eq!(kind_of(backend, other).await, Some(ErrorKind::ConditionFailed));
        assert_eq!(kind_of(backend, when("s", condition("12345678901234567890"))).await, None);
    }
    let wanted = Update { set: vec![("score".into(), "12345678901234567891".into())], ..update("s") };
    assert_eq!(kind_of(backend, wanted).await, None, "a change of the last digit");
    assert_eq!(kind_of(backend, when("s", equals("12345678901234567891"))).await, None);
    let expected =
        item_of_numbers().replace(r#""score":12345678901234567890"#, r#""done":true,"score":12345678901234567891"#);
    let args = BatchGet { table: TABLE.into(), keys: vec![key("p", "s")] };
    let found = backend.tables().batch_get(args).await.unwrap().remove(0).unwrap();
    assert!(host_adapters_json::same(&found, &expected), "{found}");
}
