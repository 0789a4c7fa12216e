//! A cache that hangs or is slow causes an occasional time-out, and no request fails because of it.

use super::cached_in;
use super::redis_server::{Manner, RedisServer};
use backend_redis::{Redis, RedisConfig};
use host_adapters_platform::{Declared, Opened};
use host_adapters_records::cache::{CacheBackend, CacheError};
use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, Instant};
use tests::workers::fixture;
use tests::{Fan, TestHost, wait};

const JANE: Fan = Fan { id: "global-user-123", email: "fan@example.com" };
/// Requests while the circuit breaker is open.
const REQUESTS: usize = 40;

async fn is_admitted(host: &TestHost, event: &Value) {
    let decision = host.eligibility(JANE, event).await;
    assert_eq!((decision.status, &decision.body["isEligible"]), (200, &json!(true)), "{}", decision.body);
}

/// Fans are answered from the documents. Redis gets the command that fails and then only the probes, which are at least
/// a second apart; once it answers again, campaigns come from it.
async fn fans_do_not_notice(manner: Manner) {
    let redis = RedisServer::start(manner).await;
    let host = TestHost::on(cached_in(&redis.url), |_| ()).await;
    host.put_campaign("artist-presale-2024").await;
    let event = fixture("check-eligibility", "appsync");
    let began = Instant::now();
    is_admitted(&host, &event).await;
    futures::future::join_all((0..REQUESTS).map(|_| is_admitted(&host, &event))).await;
    let probes = usize::try_from(began.elapsed().as_secs()).unwrap();
    let reached = ["GET", "SET"].map(|name| redis.count(name));
    assert!(reached[0] <= 1 + probes && reached[1] == 0, "{reached:?} for {REQUESTS} requests and {probes} probes");

    redis.becomes(Manner::Prompt);
    wait::eventually("the cache in use again", async || {
        is_admitted(&host, &event).await;
        (redis.count("SET") >= 2).then_some(())
    })
    .await;
}

#[tokio::test]
async fn point_12_a_redis_that_accepts_and_never_answers() {
    fans_do_not_notice(Manner::Mute).await;
}

#[tokio::test]
async fn point_12_a_redis_that_hangs_at_commands() {
    fans_do_not_notice(Manner::Hung).await;
}

#[tokio::test]
async fn point_12_a_redis_that_answers_too_late() {
    fans_do_not_notice(Manner::Slow(Duration::from_secs(5))).await;
}

fn is_unavailable<T>(answer: &Result<T, CacheError>) -> bool {
    matches!(answer, Err(CacheError::Unavailable(_)))
}

/// The tests above show that only probes wait for it, so p95 stays below 100 ms.
#[tokio::test]
async fn point_12_by_default_a_command_is_given_up_after_50_ms() {
    assert!(RedisConfig::default().timeout_ms <= 50);
    let server = RedisServer::start(Manner::Hung).await;
    let config = cached_in(&server.url);
    let (_, backend) = config.backends().next().unwrap();
    let Ok(Opened::Cache(cache)) = backend.open(&Declared::default(), Path::new("unused")).await else {
        panic!("a cache cannot be opened");
    };
    wait::eventually("the connection", async || (server.count("PING") == 1).then_some(())).await;
    // Of two time-outs that are over on a slow machine, the command's own counts.
    let answer = tokio::time::timeout(Duration::from_secs(1), cache.get("a")).await;
    assert_eq!(answer, Ok(Err(CacheError::Unavailable("no answer within 50ms".to_owned()))));
}

#[tokio::test]
async fn point_12_an_open_circuit_breaker_lets_no_command_through_but_its_probe() {
    let server = RedisServer::start(Manner::Hung).await;
    let redis = Redis::new(&server.url, Duration::from_secs(1)).unwrap();
    wait::eventually("the connection", async || (server.count("PING") == 1).then_some(())).await;
    assert!(is_unavailable(&redis.get("a").await));
    let began = Instant::now();
    for _ in 0..100 {
        assert!(is_unavailable(&redis.get("a").await));
    }
    // A hundred refusals take no time; on a machine where they do, probes are due.
    let probes = usize::try_from(began.elapsed().as_secs()).unwrap();
    assert!(server.count("GET") <= 1 + probes, "{} commands", server.count("GET"));

    server.becomes(Manner::Prompt);
    wait::eventually("the probe", async || redis.get("a").await.is_ok().then_some(())).await;
    for _ in 0..10 {
        assert_eq!(redis.get("a").await, Ok(None), "closed");
    }
}

/// What a server answers in time is not an outage, even if it is an error.
#[tokio::test]
async fn point_12_a_slow_answer_within_the_time_out_is_an_answer() {
    let server = RedisServer::start(Manner::Slow(Duration::from_millis(20))).await;
    let redis = Redis::new(&server.url, Duration::from_secs(60)).unwrap();
    for _ in 0..5 {
        assert_eq!(redis.get("a").await, Ok(None));
    }
    assert_eq!(server.count("GET"), 5);
}

/// What cannot be read is one key's fault: the server has answered.
#[tokio::test]
async fn a_reply_of_another_type_leaves_the_circuit_breaker_closed() {
    let server = RedisServer::start(Manner::Prompt).await;
    let redis = Redis::new(&server.url, Duration::from_secs(60)).unwrap();
    for _ in 0..3 {
        assert_eq!(redis.incr("a").await, Err(CacheError::WrongType), "a status for a number");
        assert_eq!(redis.smembers("a").await, Err(CacheError::WrongType), "a member that is not text");
        assert_eq!(redis.get("a-list").await, Err(CacheError::WrongType), "an error of the server");
        assert_eq!(redis.get("a").await, Ok(None));
    }
    assert_eq!(server.count("GET"), 6, "no command was held back");
}
