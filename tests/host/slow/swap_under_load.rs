//! A thousand swaps while fans register, entries are replicated and batches are handed over: no call fails, no record
//! is lost, and every response names a version that was serving during its call.

use aws_lc_rs::digest::{SHA256, digest};
use host_adapters_delivery::dispatch::Dispatch;
use host_adapters_delivery::event::{Disposition, Event, Payload};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tests::components::{component, stamped, stamped_inside};
use tests::{Fan, OPERATOR_TOKEN, TestHost, entry, log, wait};

const SWAPS: usize = 1_000;
/// After this many swaps, the code itself changes and has to be compiled.
const AFRESH_EVERY: usize = 50;
/// The most milliseconds of a swap without compiling, as a median.
const TARGET_MS: f64 = 20.0;
const WORKERS: [&str; 3] = ["check-eligibility", "enqueue-entries", "save-entries"];
const CLIENTS: usize = 3;
const ENTRIES_AT_ONCE: usize = 25;
const CAMPAIGN: &str = "campaign-swap";
const UPDATED: &str = "2024-01-15T10:30:00.000Z";
const JANE: Fan = Fan { id: "global-user-123", email: "fan@example.com" };

/// The digests of one worker, in the order in which they began to serve.
struct History {
    digests: Mutex<Vec<String>>,
    /// The index of the last one whose swap is known to be done.
    done: AtomicUsize,
}

impl History {
    fn new(wasm: &[u8]) -> Self {
        Self { digests: Mutex::new(vec![sha256(wasm)]), done: AtomicUsize::new(0) }
    }

    fn begin(&self, digest: String) {
        self.digests.lock().unwrap().push(digest);
    }

    fn done(&self) {
        self.done.fetch_add(1, Ordering::SeqCst);
    }

    /// The oldest version that a call which begins now may be handled by.
    fn oldest(&self) -> usize {
        self.done.load(Ordering::SeqCst)
    }

    /// Checks the version `digest` that handled a call: it must not be older than `oldest`, which served when the call
    /// began.
    fn check(&self, oldest: usize, digest: &str) {
        let digests = self.digests.lock().unwrap();
        let at = digests.iter().position(|known| known == digest);
        assert!(at.is_some_and(|at| at >= oldest), "{digest} is version {at:?}, and {oldest} served already");
    }
}

fn sha256(wasm: &[u8]) -> String {
    digest(&SHA256, wasm).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The host and the state of the load.
struct World {
    host: TestHost,
    histories: [History; WORKERS.len()],
    over: AtomicBool,
    calls: AtomicUsize,
    entries: AtomicUsize,
}

impl World {
    fn history(&self, worker: &str) -> &History {
        &self.histories[WORKERS.iter().position(|it| *it == worker).unwrap()]
    }

    fn goes_on(&self) -> bool {
        !self.over.load(Ordering::SeqCst)
    }

    /// Fans register, one after the other.
    async fn register(&self) {
        let event = tests::workers::fixture("check-eligibility", "appsync");
        let token = self.host.signer.sign(&JANE.claims());
        let history = self.history("check-eligibility");
        while self.goes_on() {
            let oldest = history.oldest();
            let request = self.host.http().post(self.host.url("/workers/check-eligibility")).bearer_auth(&token);
            let response = request.json(&event).send().await.unwrap();
            assert_eq!(response.status(), 200);
            history.check(oldest, response.headers()["x-component-digest"].to_str().unwrap());
            let answer: Value = response.json().await.unwrap();
            assert_eq!(answer["isEligible"], true, "{answer}");
            self.calls.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// The resolver writes entries; the stream, the queue and two workers replicate them to the Entry Service.
    async fn write_entries(&self) {
        while self.goes_on() {
            let first = self.entries.load(Ordering::SeqCst);
            let items: Vec<_> = (first..first + ENTRIES_AT_ONCE).map(item).collect();
            self.host.put_entries(&items).await;
            self.entries.fetch_add(items.len(), Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Hands batches over as a source does, one after the other.
    async fn dispatch(&self) {
        let history = self.history("save-entries");
        while self.goes_on() {
            let oldest = history.oldest();
            let dispatched = self.host.running().dispatcher.dispatch("save-entries", vec![malformed()]).await;
            history.check(oldest, &dispatched.digest);
            assert!(matches!(&dispatched.result.unwrap()[..], [Disposition::Reject(_)]));
            self.calls.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Makes all the swaps; returns how long each took, without compiling and with.
    async fn swap(&self) -> (Vec<f64>, Vec<f64>) {
        let (mut cached, mut afresh) = (Vec::new(), Vec::new());
        let files = WORKERS.map(component);
        // With the same stamps as another run, the compiled code would be cached.
        let run = std::process::id();
        for n in 0..SWAPS {
            let (worker, file) = (WORKERS[n % WORKERS.len()], &files[n % WORKERS.len()]);
            let compile = n % AFRESH_EVERY == AFRESH_EVERY - 1;
            let stamp = format!("{run}-{n}");
            let wasm = if compile { stamped_inside(file, &stamp) } else { stamped(file, &stamp) };
            let history = self.history(worker);
            let digest = sha256(&wasm);
            history.begin(digest.clone());
            let swapped = self.host.swap(OPERATOR_TOKEN, worker, wasm).await.unwrap();
            history.done();
            assert_eq!(
                (&swapped["digest"], &swapped["changed"], &swapped["cached"]),
                (&json!(digest), &json!(true), &json!(!compile))
            );
            let took = if compile { &mut afresh } else { &mut cached };
            took.push(swapped["ms"].as_f64().unwrap());
        }
        (cached, afresh)
    }
}

fn fan(n: usize) -> String {
    format!("fan-{n:05}")
}

fn item(n: usize) -> Value {
    entry(CAMPAIGN, &fan(n), &json!({ "email": format!("fan-{n}@example.com") }), UPDATED)
}

fn malformed() -> Event {
    Event {
        id: "malformed".to_owned(),
        source: "sqs:saveEntriesQueue".to_owned(),
        ordering_key: None,
        payload: Payload::Json("{}".to_owned()),
        attributes: Vec::new(),
        attempt: 1,
        time_ms: 0,
        correlation_id: "swap".to_owned(),
        traceparent: None,
    }
}

#[test]
fn a_thousand_swaps_under_load_fail_no_call_and_lose_no_record() {
    let _alone = tests::programs::alone();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(swaps_under_load());
}

async fn swaps_under_load() {
    let host = TestHost::start().await;
    host.put_campaign("artist-presale-2024").await;
    let histories = WORKERS.map(|worker| History::new(&component(worker)));
    let counters = (AtomicBool::default(), AtomicUsize::default(), AtomicUsize::default());
    let world = Arc::new(World { host, histories, over: counters.0, calls: counters.1, entries: counters.2 });

    let mut load = tokio::task::JoinSet::new();
    for _ in 0..CLIENTS {
        let world = world.clone();
        load.spawn(async move { world.register().await });
    }
    let (writer, dispatcher) = (world.clone(), world.clone());
    load.spawn(async move { writer.write_entries().await });
    load.spawn(async move { dispatcher.dispatch().await });
    let began = Instant::now();
    let (cached, afresh) = world.swap().await;
    let took = began.elapsed();
    world.over.store(true, Ordering::SeqCst);
    while let Some(ended) = load.join_next().await {
        ended.unwrap();
    }
    let (calls, entries) = (world.calls.load(Ordering::SeqCst), world.entries.load(Ordering::SeqCst));
    eprintln!("{SWAPS} swaps in {took:.1?}, during {calls} calls and {entries} entries");
    eprintln!("ms without compiling: {}; with: {}", spread(&cached), spread(&afresh));

    assert_eq!(afresh.len(), SWAPS / AFRESH_EVERY);
    assert!(calls > SWAPS && entries > ENTRIES_AT_ONCE, "hardly any load: {calls} calls, {entries} entries");
    nothing_is_lost(&world.host, entries).await;
    assert!(quantile(&cached, 0.5) <= TARGET_MS, "without compiling: {} ms", spread(&cached));
}

async fn nothing_is_lost(host: &TestHost, entries: usize) {
    let taken = host.fakes.entries();
    let missing = || (0..entries).filter(|n| !taken.holds(CAMPAIGN, &fan(*n), UPDATED)).count();
    wait::eventually("every entry at the Entry Service", async || (missing() == 0).then_some(())).await;
    assert_eq!(taken.count(), entries);
    for queue in ["saveEntriesQueue", "retryScoreQueue", "userInfoQueue"] {
        host.drained(queue).await;
        assert_eq!(host.depth(&format!("{queue}Dlq")).await, 0, "{queue}");
    }
    assert_eq!(host.depth("enqueueEntriesDlq").await, 0);
    for message in
        ["call failed", "call failed, its records are retried", "component refused, the previous version serves on"]
    {
        assert_eq!(log::lines("message", message), Vec::<Value>::new());
    }
    assert_eq!(host.metric("registration_retried_total", &[]).await, 0.0);
    // Every version that was replaced is unloaded.
    let components = wait::eventually("the old versions' end", async || {
        let versions = host.serving(OPERATOR_TOKEN).await.unwrap();
        versions.iter().all(|version| version["retiring"]["versions"] == 0).then_some(versions.len())
    })
    .await;
    assert_eq!(host.metric("registration_versions", &[]).await, components as f64);
}

fn quantile(values: &[f64], q: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[((sorted.len() - 1) as f64 * q).round() as usize]
}

fn spread(values: &[f64]) -> String {
    let [p50, p99, max] = [0.5, 0.99, 1.0].map(|q| quantile(values, q));
    format!("p50 {p50:.1}, p99 {p99:.1}, max {max:.1}")
}
