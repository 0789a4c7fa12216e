//! Hosts in processes of their own on real servers, the fakes of the services, and fans whose entries change.

use crate::backends::on_servers::config::{self, DATABASE, SECRET};
use crate::backends::on_servers::servers::{Endpoints, unique};
use backend_dynamodb::{Dynamodb, DynamodbStreams};
use backend_mongodb::Mongo;
use backend_sqs::Sqs;
use fake_services::{FakeServices, Options};
use host_adapters_platform::filter::Filter;
use host_adapters_platform::limits::document::Document;
use host_adapters_platform::{DocumentsBackend, QueueBackend, TableBackend};
use host_adapters_records::table::{BatchGet, BatchWrite, Key};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tests::aws::aws;
use tests::programs::native;
use tests::{Child, Fan, Signer, client, entry, manifest, variables, wait};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::JoinHandle;
use toml_edit::DocumentMut;

/// The table of entries.
pub const TABLE: &str = "demand-table";
/// The worker that reads the table's stream, and the worker that reads the queue which the first one fills.
pub const STREAM_WORKER: &str = "enqueue-entries";
pub const QUEUE_WORKER: &str = "save-entries";
/// The queue that enqueue-entries sends to.
pub const QUEUE: &str = "saveEntriesQueue";
const QUEUES: [&str; 3] = [QUEUE, "retryScoreQueue", "userInfoQueue"];
const DEAD_LETTERS: [&str; 4] = ["saveEntriesQueueDlq", "retryScoreQueueDlq", "userInfoQueueDlq", "enqueueEntriesDlq"];
const CAMPAIGN: &str = "campaign-fault";
const JANE: Fan = Fan { id: "global-user-123", email: "fan@example.com" };
/// Most tests at a time. Each has at most two hosts, and the machine two cores.
const AT_ONCE: usize = 4;
/// The visibility timeout, seconds, after which messages of a host that died are received again.
const VISIBILITY_SECS: i64 = 3;
/// More receives than any outage uses up.
const RECEIVES: i64 = 1_000;
/// How long a server may take to be back.
const PATIENCE: Duration = Duration::from_secs(90);
/// Cache reads that found a value.
const HITS: &[&str] = &["registration_cache_gets_total", "result=\"hit\""];
/// The number of fans whose entries change all the time, and the pause between two changes.
const FANS: usize = 20;
const PAUSE: Duration = Duration::from_millis(300);

/// Everything of one test. Its tables, queues and collections have names of its own.
pub struct Stage {
    /// The fakes of the services.
    pub fakes: FakeServices,
    /// Streams and leases, read by the test without taking leases.
    pub streams: DynamodbStreams,
    /// The queues.
    pub queues: Sqs,
    tables: Dynamodb,
    documents: Mongo,
    folder: TempDir,
    prefix: String,
    variables: BTreeMap<String, String>,
    signer: Signer,
    campaigns: AtomicUsize,
    _turn: SemaphorePermit<'static>,
}

impl Stage {
    /// Makes empty tables, queues and collections at `at`. The hosts' manifest is spin.toml after `change`.
    pub async fn new(at: &Endpoints, change: impl FnOnce(&mut DocumentMut)) -> Arc<Self> {
        static TURN: Semaphore = Semaphore::const_new(AT_ONCE);
        let turn = TURN.acquire().await.unwrap();
        let (folder, prefix) = (tempfile::tempdir().unwrap(), unique());
        let text = manifest::changed(|manifest| {
            manifest::set_queues(manifest, VISIBILITY_SECS, RECEIVES);
            change(manifest);
        });
        std::fs::write(folder.path().join("spin.toml"), text).unwrap();
        provision(folder.path(), at, &prefix).await;
        let (fakes, signer) = (FakeServices::start(Options::default()).await.unwrap(), Signer::generate());
        let jwks = folder.path().join("jwks.json");
        std::fs::write(&jwks, signer.jwks()).unwrap();
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<BTreeSet<_>>();
        let dynamodb = aws(&at.dynamodb).await;
        Arc::new(Self {
            tables: Dynamodb::new(&dynamodb, &prefix, names(&[TABLE])),
            streams: DynamodbStreams::new(&dynamodb, &prefix, names(&[TABLE]), &leases(&prefix), "nobody"),
            queues: Sqs::new(&aws(&at.sqs).await, &prefix, names(&[&QUEUES[..], &DEAD_LETTERS].concat())),
            documents: Mongo::new(&at.mongo, DATABASE, &prefix, names(&["campaigns"])).await.unwrap(),
            variables: variables(&fakes, &jwks),
            fakes,
            folder,
            prefix,
            signer,
            campaigns: AtomicUsize::default(),
            _turn: turn,
        })
    }

    /// Starts a host that uses the servers at `at`.
    pub async fn host(&self, name: &str, at: &Endpoints) -> Child {
        let config = config::write(self.folder.path(), name, at, &self.prefix);
        let data = self.folder.path().join(name);
        let environment = [("HOST_ADAPTERS_RUNTIME_CONFIG", config.to_str().unwrap()), ("LOG_LEVEL", "INFO"), SECRET];
        let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let log = File::create(self.folder.path().join(format!("{name}.log"))).unwrap();
        Child::of(&self.folder.path().join("spin.toml"), &data, &self.variables, &environment, log.into()).await
    }

    /// Writes this version of these fans' entries, and retries until it succeeds.
    pub async fn write(&self, fans: std::ops::Range<usize>, version: usize) {
        let item = |n| entry(CAMPAIGN, &fan(n), &json!({ "version": version }), &updated(version)).to_string();
        let items: Vec<String> = fans.map(item).collect();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let write = BatchWrite { table: TABLE.to_owned(), puts: items.clone(), deletes: Vec::new() };
            match self.tables.batch_write(write).await {
                Ok(errors) if errors.iter().all(Option::is_none) => return,
                _ => assert!(Instant::now() < deadline, "entries cannot be written"),
            }
        }
    }

    /// Changes the entries of all fans over and over, until the load is ended.
    pub fn load(self: &Arc<Self>) -> Load {
        let (stage, over) = (self.clone(), Arc::<AtomicBool>::default());
        let told = over.clone();
        let task = tokio::spawn(async move {
            let mut version = 0;
            while !told.load(Ordering::Relaxed) {
                version += 1;
                stage.write(0..FANS, version).await;
                tokio::time::sleep(PAUSE).await;
            }
            version
        });
        Load { over, task }
    }

    /// Whether the Entry Service has this version of an entry.
    pub fn holds(&self, n: usize, version: usize) -> bool {
        self.fakes.entries().holds(CAMPAIGN, &fan(n), &updated(version))
    }

    /// Waits until the Entry Service has the last version of all entries, in whatever order they arrived, no flag is
    /// set, and all queues are empty.
    pub async fn settled(&self, version: usize) {
        let missing = || (0..FANS).filter(|n| !self.holds(*n, version)).count();
        wait::eventually("every entry at the Entry Service", async || (missing() == 0).then_some(())).await;
        wait::eventually("no flag", async || (self.flagged().await? == 0).then_some(())).await;
        for queue in QUEUES {
            wait::eventually(queue, async || (self.depth(queue).await? == 0).then_some(())).await;
        }
        for queue in DEAD_LETTERS {
            assert_eq!(self.depth(queue).await, Some(0), "{queue}");
        }
        assert_eq!(missing(), 0, "an older version arrived after the last and replaced it");
    }

    async fn flagged(&self) -> Option<usize> {
        let key = |n| Key { pk: format!("CAMPAIGN#{CAMPAIGN}"), sk: format!("USER#{}", fan(n)) };
        let get = BatchGet { table: TABLE.to_owned(), keys: (0..FANS).map(key).collect() };
        let items = self.tables.batch_get(get).await.ok()?;
        let flagged = |item: &Option<String>| {
            let item: Value = serde_json::from_str(item.as_deref().unwrap_or("null")).unwrap();
            item["needsReplication"] != false
        };
        Some(items.iter().filter(|item| flagged(item)).count())
    }

    async fn depth(&self, queue: &str) -> Option<u64> {
        let depth = self.queues.depth(queue).await.ok()?;
        Some(depth.visible + depth.in_flight + depth.delayed)
    }

    /// Waits until check-eligibility finds a new campaign, and then has it from the cache.
    pub async fn knows_new_campaigns(&self, host: &Child) {
        let slug = self.new_slug();
        let mut campaign = fixture("domain/campaigns/artist-presale-2024.json");
        campaign["id"] = slug.clone().into();
        campaign["slug"] = slug.clone().into();
        let (filter, document) = (json!({ "id": slug }).to_string(), campaign.to_string());
        wait::eventually("a write of a campaign", async || {
            let (filter, document) = (Filter::parse(&filter).ok()?, Document::parse(document.clone()).ok()?);
            self.documents.replace_one("campaigns", filter, document).await.ok()
        })
        .await;
        let ask = async || (self.ask(host, &slug).await?["isEligible"] == true).then_some(());
        wait::eventually("an answer to a fan", &ask).await;
        let before = count(host, HITS).await;
        wait::eventually("a campaign from the cache", async || {
            ask().await?;
            (count(host, HITS).await > before).then_some(())
        })
        .await;
    }

    /// Calls check-eligibility for a campaign that does not exist, so that it reads cache and documents. The response
    /// does not matter.
    pub async fn asks_for_no_campaign(&self, host: &Child) {
        let _answer = self.ask(host, &self.new_slug()).await;
    }

    async fn ask(&self, host: &Child, slug: &str) -> Option<Value> {
        let mut event = tests::workers::fixture("check-eligibility", "appsync");
        event["arguments"]["input"]["body"]["slug"] = slug.into();
        let request = client().post(format!("{}/workers/check-eligibility", host.http)).json(&event);
        let answer = request.bearer_auth(self.signer.sign(&JANE.claims())).send().await.unwrap();
        answer.json().await.ok()
    }

    fn new_slug(&self) -> String {
        format!("{}{}", self.prefix, self.campaigns.fetch_add(1, Ordering::Relaxed))
    }
}

/// How many records a host has handed to a worker so far.
pub async fn received(host: &Child, worker: &str) -> u64 {
    count(host, &["registration_received_total", &format!("worker=\"{worker}\"")]).await
}

/// The sum of a host's counters whose lines contain all of these words.
async fn count(host: &Child, words: &[&str]) -> u64 {
    let text = client().get(format!("{}/metrics", host.gateway)).send().await.unwrap().text().await.unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#') && words.iter().all(|word| line.contains(word)));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}

/// Prints the hosts' logs if the test has failed.
impl Drop for Stage {
    fn drop(&mut self) {
        const TOLD: usize = 30;
        if !std::thread::panicking() {
            return;
        }
        for name in ["host", "other"] {
            let log = std::fs::read_to_string(self.folder.path().join(format!("{name}.log"))).unwrap_or_default();
            let worth: Vec<&str> =
                log.lines().filter(|line| !line.contains("\"INFO\"") && !line.contains("ecord skipped")).collect();
            eprintln!("{name}:\n{}", worth[worth.len().saturating_sub(TOLD)..].join("\n"));
        }
    }
}

/// Entries that are being changed.
pub struct Load {
    over: Arc<AtomicBool>,
    task: JoinHandle<usize>,
}

impl Load {
    /// Ends the load; returns the last version.
    pub async fn end(self) -> usize {
        self.over.store(true, Ordering::Relaxed);
        self.task.await.unwrap()
    }
}

/// The name of a fan.
fn fan(n: usize) -> String {
    format!("fan-{n:05}")
}

/// A version of an entry, which is a time.
pub fn updated(version: usize) -> String {
    format!("2026-01-01T00:{:02}:{:02}.000Z", version / 60, version % 60)
}

fn leases(prefix: &str) -> String {
    format!("{prefix}host-adapters-leases")
}

fn fixture(path: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(path);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

async fn provision(folder: &Path, at: &Endpoints, prefix: &str) {
    let config = config::write(folder, "provision", at, prefix);
    let mut command = tokio::process::Command::new(native().join("host-adapters"));
    command.arg("provision").arg("--manifest").arg(folder.join("spin.toml")).arg("--runtime-config").arg(config);
    let output = command.env(SECRET.0, SECRET.1).output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
