//! A server is away for some seconds, or its connections break and become slow, while entries change all the time.

use super::proxy::{Line, Proxy};
use super::stage::Stage;
use crate::backends::on_servers::servers::endpoints;
use std::time::Duration;
use test_servers::{Server, Servers, named};

/// How long there is no fault at first.
const BEFORE: Duration = Duration::from_secs(2);
/// How long a server is away: longer than the retries of its client, so that sources pause.
const AWAY: Duration = Duration::from_secs(6);
/// The delay of each chunk of a slow connection, and how long the connection stays slow.
const LATE: Duration = Duration::from_millis(200);
const SLOW: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn dynamodb_stops_and_starts_again() {
    stops_and_starts_again("dynamodb").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_queues_stop_and_start_again() {
    stops_and_starts_again("elasticmq").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mongodb_stops_and_starts_again() {
    stops_and_starts_again("mongo").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_stops_and_starts_again() {
    stops_and_starts_again("redis").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_to_dynamodb_break_and_crawl() {
    connections_break_and_crawl("dynamodb").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_to_the_queues_break_and_crawl() {
    connections_break_and_crawl("elasticmq").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_to_mongodb_break_and_crawl() {
    connections_break_and_crawl("mongo").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_to_redis_break_and_crawl() {
    connections_break_and_crawl("redis").await;
}

async fn stops_and_starts_again(server: &str) {
    let mut at = endpoints().await.clone();
    let own = OwnServer::new(server);
    *at.of(server) = own.start().await;
    let stage = Stage::new(&at, |_| ()).await;
    let host = stage.host("host", &at).await;
    let load = stage.load();
    stage.knows_new_campaigns(&host).await;
    tokio::time::sleep(BEFORE).await;
    own.stop().await;
    stage.asks_for_no_campaign(&host).await;
    tokio::time::sleep(AWAY).await;
    assert_eq!(own.start().await, *at.of(server), "it has the same address again");
    stage.knows_new_campaigns(&host).await;
    let last = load.end().await;
    stage.settled(last).await;
}

async fn connections_break_and_crawl(server: &str) {
    let direct = endpoints().await;
    let mut at = direct.clone();
    let proxy = Proxy::before(at.of(server)).await;
    let stage = Stage::new(direct, |_| ()).await;
    let host = stage.host("host", &at).await;
    let load = stage.load();
    stage.knows_new_campaigns(&host).await;
    tokio::time::sleep(BEFORE).await;
    let before = proxy.connections();
    proxy.set(Line::Cut);
    stage.asks_for_no_campaign(&host).await;
    tokio::time::sleep(AWAY).await;
    proxy.set(Line::Slow(LATE));
    tokio::time::sleep(SLOW).await;
    proxy.set(Line::Open);
    stage.knows_new_campaigns(&host).await;
    assert!(before > 0 && proxy.connections() > before, "the host has reconnected");
    let last = load.end().await;
    stage.settled(last).await;
}

/// A server that other tests do not use, so that it can be stopped. It ends when this is dropped.
struct OwnServer {
    servers: Servers,
    server: &'static Server,
}

impl OwnServer {
    fn new(name: &str) -> Self {
        let servers = Servers::open().unwrap().beside("stopped-by-tests");
        Self { servers, server: named(&[name]).unwrap().remove(0) }
    }

    /// Starts the server; returns its address.
    async fn start(&self) -> String {
        let (servers, server) = (self.servers.clone(), self.server);
        let started = tokio::task::spawn_blocking(move || servers.start(&[server], false)).await.unwrap();
        started.unwrap().remove(0).endpoint.unwrap()
    }

    async fn stop(&self) {
        let (servers, server) = (self.servers.clone(), self.server);
        tokio::task::spawn_blocking(move || servers.stop(&[server])).await.unwrap().unwrap();
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        // A failure of the test is more important.
        let _stopped = self.servers.stop(&[self.server]);
    }
}
