//! The cache, as `spin:redis` uses it.

use super::backend::{Backend, secs};
use host_adapters_records::cache::{CacheArgument, CacheError, CacheReply};
use std::time::Duration;

fn text(text: &str) -> CacheArgument {
    CacheArgument::Bytes(text.as_bytes().to_vec())
}

async fn run(backend: &impl Backend, command: &str, arguments: &[CacheArgument]) -> CacheReply {
    let mut replies = backend.cache().execute(command, arguments).await.unwrap();
    assert_eq!(replies.len(), 1, "{replies:?}");
    replies.remove(0)
}

async fn value(backend: &impl Backend, key: &str) -> Option<String> {
    backend.cache().get(key).await.unwrap().map(|bytes| String::from_utf8(bytes).unwrap())
}

fn ok() -> CacheReply {
    CacheReply::Status("OK".into())
}

pub async fn keeps_values(backend: &impl Backend) {
    let cache = backend.cache();
    assert_eq!(cache.get("campaign:x").await.unwrap(), None);
    cache.set("campaign:x", &[0, 255, 7]).await.unwrap();
    cache.set("empty", b"").await.unwrap();
    assert_eq!(cache.get("campaign:x").await.unwrap(), Some(vec![0, 255, 7]));
    assert_eq!(cache.get("empty").await.unwrap(), Some(vec![]));
    assert_eq!(cache.del(&["campaign:x".into(), "empty".into(), "none".into()]).await.unwrap(), 2);
    assert_eq!(cache.get("campaign:x").await.unwrap(), None);
}

pub async fn counts(backend: &impl Backend) {
    let cache = backend.cache();
    assert_eq!(cache.incr("n").await.unwrap(), 1);
    assert_eq!(cache.incr("n").await.unwrap(), 2);
    assert_eq!(value(backend, "n").await.as_deref(), Some("2"));
    cache.set("n", b"-5").await.unwrap();
    assert_eq!(cache.incr("n").await.unwrap(), -4);
    for wrong in ["x", "1.5", "9223372036854775807"] {
        cache.set("n", wrong.as_bytes()).await.unwrap();
        assert!(cache.incr("n").await.is_err(), "{wrong}");
    }
}

pub async fn keeps_sets(backend: &impl Backend) {
    let cache = backend.cache();
    let members = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    assert_eq!(cache.sadd("s", &members(&["a", "b", "a"])).await.unwrap(), 2);
    assert_eq!(cache.srem("s", &members(&["a", "z"])).await.unwrap(), 1);
    assert_eq!(cache.smembers("s").await.unwrap(), ["b"]);
    assert_eq!(cache.srem("s", &members(&["b"])).await.unwrap(), 1);
    assert_eq!(cache.smembers("s").await.unwrap(), members(&[]));
    assert_eq!(cache.del(&["s".into()]).await.unwrap(), 0, "an empty set does not exist");
}

pub async fn refuses_the_wrong_type(backend: &impl Backend) {
    let cache = backend.cache();
    cache.set("text", b"x").await.unwrap();
    cache.sadd("set", &["a".into()]).await.unwrap();
    assert_eq!(cache.get("set").await, Err(CacheError::WrongType));
    assert_eq!(cache.incr("set").await, Err(CacheError::WrongType));
    assert_eq!(cache.smembers("text").await, Err(CacheError::WrongType));
    assert_eq!(cache.sadd("text", &["a".into()]).await, Err(CacheError::WrongType));
    cache.set("set", b"now a text").await.unwrap();
    assert_eq!(value(backend, "set").await.as_deref(), Some("now a text"));
}

pub async fn ends_lifetimes(backend: &impl Backend) {
    assert_eq!(run(backend, "SET", &[text("a"), text("1"), text("EX"), CacheArgument::Int(2)]).await, ok());
    assert_eq!(run(backend, "set", &[text("b"), text("2"), text("px"), text("1000")]).await, ok());
    assert_eq!(run(backend, "TTL", &[text("a")]).await, CacheReply::Int(2));
    backend.pass(secs(1)).await;
    assert_eq!(value(backend, "b").await, None);
    assert_eq!(value(backend, "a").await.as_deref(), Some("1"));
    backend.pass(secs(1)).await;
    assert_eq!(value(backend, "a").await, None);
    assert_eq!(run(backend, "TTL", &[text("a")]).await, CacheReply::Int(-2));
    assert_eq!(backend.cache().del(&["a".into()]).await.unwrap(), 0);
}

pub async fn sets_only_new(backend: &impl Backend) {
    let arguments = |value: &str| [text("k"), text(value), text("NX"), text("EX"), text("1")];
    assert_eq!(run(backend, "SET", &arguments("1")).await, ok());
    assert_eq!(run(backend, "SET", &arguments("2")).await, CacheReply::Nil);
    assert_eq!(value(backend, "k").await.as_deref(), Some("1"));
    backend.pass(Duration::from_millis(1100)).await;
    assert_eq!(run(backend, "SET", &arguments("3")).await, ok());
}

pub async fn changes_lifetimes(backend: &impl Backend) {
    let cache = backend.cache();
    assert_eq!(run(backend, "EXPIRE", &[text("k"), text("5")]).await, CacheReply::Int(0));
    cache.set("k", b"1").await.unwrap();
    assert_eq!(run(backend, "TTL", &[text("k")]).await, CacheReply::Int(-1));
    assert_eq!(run(backend, "EXPIRE", &[text("k"), text("5")]).await, CacheReply::Int(1));
    cache.incr("k").await.unwrap();
    assert_eq!(run(backend, "TTL", &[text("k")]).await, CacheReply::Int(5), "counting keeps it");
    cache.set("k", b"2").await.unwrap();
    assert_eq!(run(backend, "TTL", &[text("k")]).await, CacheReply::Int(-1), "setting ends it");
    assert_eq!(run(backend, "EXPIRE", &[text("k"), text("0")]).await, CacheReply::Int(1));
    assert_eq!(value(backend, "k").await, None);
}

pub async fn names_unknown_commands(backend: &impl Backend) {
    let error = backend.cache().execute("FLUSHALLL", &[]).await.unwrap_err();
    assert!(error.to_string().contains("FLUSHALLL"), "{error}");
    for (command, arguments) in [
        ("SET", vec![text("k")]),
        ("SET", vec![text("k"), text("v"), text("EX")]),
        ("SET", vec![text("k"), text("v"), text("EX"), text("0")]),
        ("SET", vec![text("k"), text("v"), text("EX"), text("x")]),
        ("SET", vec![text("k"), text("v"), text("EX"), text("1"), text("PX"), text("1")]),
        ("SET", vec![text("k"), text("v"), text("NOPE")]),
        ("EXPIRE", vec![text("k")]),
        ("TTL", vec![]),
    ] {
        assert!(backend.cache().execute(command, &arguments).await.is_err(), "{command} {arguments:?}");
    }
    assert_eq!(value(backend, "k").await, None);
}

pub async fn answers_a_publish(backend: &impl Backend) {
    backend.cache().publish("campaigns.changed", b"campaign-1").await.unwrap();
    let reply = run(backend, "PUBLISH", &[text("campaigns.changed"), text("campaign-1")]).await;
    assert_eq!(reply, CacheReply::Int(0), "nobody listens");
}
