//! Backends on real servers. Each test has its own tables, queues, buckets, streams and collections, with a prefix, and
//! its own database of Redis.

use crate::backends::on_servers::amazon::Amazon;
use crate::backends::on_servers::reads::ShardReads;
use crate::backends::on_servers::shortcomings;
use crate::backends::on_servers::topics::Scene;
use backend_mongodb::Mongo;
use backend_redis::Redis;
use backend_sqs::Sqs;
use host_adapters_platform::{
    DataStreamBackend, DataStreamReader, DocumentsBackend, FailureTable, ObjectsBackend, QueueBackend, QueueBrowser,
    StreamBackend, TableBackend,
};
use host_adapters_records::cache::CacheBackend;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tests::aws::aws;
use tests::contract::suites::backend::{Backend, COLLECTION, OTHER_COLLECTION, Topics};
use tests::contract::suites::{attempts, latest, shared_stream};
use tokio::sync::OnceCell;

/// The servers' clocks cannot be moved, and may lag a little.
const LAG: Duration = Duration::from_millis(300);
/// The number of databases that Redis has.
const REDIS_DATABASES: usize = 16;
/// Long enough for any machine: the suites are about what Redis answers.
const REDIS_TIMEOUT: Duration = Duration::from_secs(10);

/// The addresses of the servers.
#[derive(Clone)]
pub struct Endpoints {
    pub dynamodb: String,
    pub sqs: String,
    pub s3: String,
    pub kinesis: String,
    pub mongo: String,
    pub redis: String,
}

impl Endpoints {
    /// The address of one server.
    pub fn of(&mut self, server: &str) -> &mut String {
        match server {
            "dynamodb" => &mut self.dynamodb,
            "elasticmq" => &mut self.sqs,
            "moto" => &mut self.s3,
            "kinesalite" => &mut self.kinesis,
            "mongo" => &mut self.mongo,
            "redis" => &mut self.redis,
            _ => panic!("{server}?"),
        }
    }
}

/// Starts the servers that are not up.
pub async fn endpoints() -> &'static Endpoints {
    static STARTED: OnceCell<Endpoints> = OnceCell::const_new();
    STARTED
        .get_or_init(|| async {
            let start = || {
                let servers = test_servers::Servers::open().unwrap();
                let names = ["dynamodb", "elasticmq", "moto", "kinesalite", "mongo", "redis"];
                let up = servers.start(&test_servers::named(&names).unwrap(), false).unwrap();
                let endpoint = |name: &str| up.iter().find(|it| it.name == name).unwrap().endpoint.clone().unwrap();
                let [dynamodb, sqs, s3, kinesis, mongo, redis] = names.map(endpoint);
                Endpoints { dynamodb, sqs, s3, kinesis, mongo, redis }
            };
            tokio::task::spawn_blocking(start).await.unwrap()
        })
        .await
}

/// A prefix that no other test has.
pub fn unique() -> String {
    static TESTS: AtomicUsize = AtomicUsize::new(0);
    let since = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis();
    format!("t{since}-{}-{}-", std::process::id(), TESTS.fetch_add(1, Ordering::Relaxed))
}

/// All real backends.
pub struct Opened {
    amazon: Amazon,
    documents: Mongo,
    redis: &'static str,
    cache: OnceLock<Redis>,
    at: &'static Endpoints,
    prefix: String,
    topics: OnceCell<Scene>,
}

/// The services of AWS, with names that begin with `prefix`.
pub async fn amazon(at: &Endpoints, prefix: &str) -> Amazon {
    let [dynamodb, sqs, s3, kinesis] =
        [aws(&at.dynamodb).await, aws(&at.sqs).await, aws(&at.s3).await, aws(&at.kinesis).await];
    Amazon::new(&dynamodb, &sqs, &s3, &kinesis, prefix)
}

pub async fn open() -> Opened {
    let (at, prefix) = (endpoints().await, unique());
    let amazon = amazon(at, &prefix).await;
    amazon.provision().await;
    let collections = [COLLECTION, OTHER_COLLECTION].map(str::to_owned).into();
    let documents = Mongo::new(&at.mongo, "contract", &prefix, collections).await.unwrap();
    Opened { amazon, documents, redis: &at.redis, cache: OnceLock::new(), at, prefix, topics: OnceCell::new() }
}

impl Backend for Opened {
    fn tables(&self) -> &dyn TableBackend {
        &self.amazon.tables
    }
    fn streams(&self) -> &dyn StreamBackend {
        &self.amazon.streams
    }
    fn queues(&self) -> &dyn QueueBackend {
        &self.amazon.queues
    }
    fn browser(&self) -> &dyn QueueBrowser {
        &self.amazon.queues
    }
    fn failures(&self) -> &dyn FailureTable {
        &self.amazon.failures
    }
    fn documents(&self) -> &dyn DocumentsBackend {
        &self.documents
    }
    fn objects(&self) -> &dyn ObjectsBackend {
        &self.amazon.objects
    }
    fn data_streams(&self) -> &dyn DataStreamBackend {
        &self.amazon.data_streams
    }
    fn data_stream_reader(&self) -> &dyn DataStreamReader {
        &self.amazon.data_streams
    }
    /// Made at first use, because few cases need them.
    async fn topics(&self) -> Topics<'_> {
        let set = || async { Scene::set(aws(&self.at.s3).await, &self.prefix).await };
        self.topics.get_or_init(set).await.topics()
    }
    /// Each test that uses the cache has a database, which is emptied at first use.
    fn cache(&self) -> &dyn CacheBackend {
        static DATABASES: AtomicUsize = AtomicUsize::new(0);
        self.cache.get_or_init(|| {
            let database = DATABASES.fetch_add(1, Ordering::Relaxed) % REDIS_DATABASES;
            let url = format!("{}/{database}", self.redis.trim_end_matches('/'));
            let cache = Redis::new(&url, REDIS_TIMEOUT).unwrap();
            std::thread::spawn(|| flush(url)).join().unwrap();
            cache
        })
    }
    fn shortcoming(&self, suite: &str, case: &str) -> Option<&'static str> {
        shortcomings::of(suite, case)
    }
    async fn pass(&self, by: Duration) {
        tokio::time::sleep(by + LAG).await;
    }
}

/// Empties a database, on a separate thread because the caller is async.
fn flush(url: String) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { Redis::new(&url, REDIS_TIMEOUT).unwrap().execute("FLUSHDB", &[]).await.unwrap() });
}

#[tokio::test(flavor = "multi_thread")]
#[allow(non_snake_case, reason = "begins with a line of docs/delivery.md")]
async fn d4_12__one_reader_feeds_three_workers() {
    let mut at = endpoints().await.clone();
    let reads = ShardReads::before(&mut at.dynamodb).await;
    let amazon = amazon(&at, &unique()).await;
    amazon.provision().await;
    let (streams, queues) = (Arc::new(amazon.streams.clone()), Arc::new(amazon.queues.clone()));
    shared_stream::one_reader_feeds_three_workers(&amazon.tables, streams, queues, None).await;
    shared_stream::at_most_five_a_second(&reads.so_far());
}

#[tokio::test(flavor = "multi_thread")]
async fn case_04_latest_counts_from_the_first_start_of_an_empty_table() {
    let at = endpoints().await;
    let amazon = amazon(at, &unique()).await;
    amazon.provision().await;
    let (streams, queues) = (Arc::new(amazon.streams.clone()), Arc::new(amazon.queues.clone()));
    latest::counts_from_the_first_start_of_an_empty_table(&amazon.tables, streams, queues).await;
}

async fn host() -> attempts::Host<Sqs> {
    let at = endpoints().await;
    let amazon = amazon(at, &unique()).await;
    amazon.provision().await;
    let (queues, failures) = (Arc::new(amazon.queues), Arc::new(amazon.failures));
    attempts::Host { queues, failures, streams: Arc::new(amazon.streams) }
}

#[tokio::test(flavor = "multi_thread")]
#[allow(non_snake_case, reason = "begins with a line of docs/delivery.md")]
async fn d3_8__case_06_only_failures_count() {
    attempts::case_06_only_failures_count(host().await).await;
}

#[tokio::test(flavor = "multi_thread")]
#[allow(non_snake_case, reason = "begins with a line of docs/delivery.md")]
async fn d3_16__case_09_a_group_keeps_its_order() {
    attempts::case_09_a_group_keeps_its_order(host().await).await;
}

#[tokio::test(flavor = "multi_thread")]
#[allow(non_snake_case, reason = "begins with a line of docs/delivery.md")]
async fn d7_7__refusals_use_few_receives() {
    attempts::refusals_use_few_receives(host().await).await;
}

#[tokio::test(flavor = "multi_thread")]
#[allow(non_snake_case, reason = "begins with a line of docs/delivery.md")]
async fn d6_6__case_08_case_11_the_largest_messages_come_back_as_they_were() {
    attempts::case_08_case_11_the_largest_messages_come_back_as_they_were(host().await).await;
}

#[tokio::test(flavor = "multi_thread")]
#[allow(non_snake_case, reason = "begins with a line of docs/delivery.md")]
async fn d6_6__case_08_a_large_change_comes_back_as_it_was() {
    attempts::case_08_a_large_change_comes_back_as_it_was(host().await).await;
}

#[tokio::test(flavor = "multi_thread")]
#[allow(non_snake_case, reason = "begins with a line of docs/delivery.md")]
async fn d6_9__case_08_a_record_in_parts_comes_back_as_it_was() {
    attempts::case_08_a_record_in_parts_comes_back_as_it_was(host().await).await;
}
