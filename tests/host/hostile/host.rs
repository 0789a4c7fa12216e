//! A host with the worker `hostile`, which does what requests and records say, and the worker `neighbour`.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use tests::programs;
use tests::{Child, wait};
use tokio::task::JoinHandle;

/// Longer than any limit of the workers on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// The running host.
pub struct Hostile {
    client: reqwest::Client,
    child: Child,
    folder: TempDir,
}

impl Hostile {
    /// Starts the host with the manifest beside this file.
    pub async fn start() -> Self {
        Self::with_slow_service("http://127.0.0.1:1").await
    }

    /// Starts it with the service `slow` at an address.
    pub async fn with_slow_service(upstream: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        std::fs::write(file("spin.toml"), include_str!("spin.toml")).unwrap();
        std::os::unix::fs::symlink(programs::guest("hostile"), file("hostile.wasm")).unwrap();
        std::fs::write(file("jwks.json"), r#"{"keys":[]}"#).unwrap();
        let compiled = programs::scratch().join("compiled-hostile");
        std::fs::create_dir_all(&compiled).unwrap();
        std::fs::create_dir(file("data")).unwrap();
        std::os::unix::fs::symlink(compiled, file("data/compiled")).unwrap();
        let variables =
            [("slow_upstream", upstream.to_owned()), ("identity_jwks", file("jwks.json").display().to_string())];
        let variables = variables.map(|(name, value)| (name.to_owned(), value)).into();
        let environment = [("PLANTED", "planted-secret-of-the-host")].map(|(name, value)| (name.into(), value.into()));
        let log = File::create(file("stderr")).unwrap();
        let (manifest, data) = (file("spin.toml"), file("data"));
        let child = Child::of(&manifest, &data, &variables, &BTreeMap::from(environment), log.into()).await;
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        Self { client, child, folder }
    }

    /// Makes a worker do a deed over HTTP; returns status and text.
    pub async fn ask(&self, worker: &str, deed: &str) -> (u16, String) {
        let response = self.client.get(format!("{}/{worker}/{deed}", self.child.http)).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    /// The report of `hostile` on a deed that it survives.
    pub async fn told(&self, deed: &str) -> String {
        let (status, text) = self.ask("hostile", deed).await;
        assert_eq!(status, 200, "{deed}: {text}");
        text
    }

    /// The whole response to a deed.
    pub async fn response(&self, deed: &str) -> reqwest::Response {
        self.client.get(format!("{}/hostile/{deed}", self.child.http)).send().await.unwrap()
    }

    /// Sends records to a queue.
    pub async fn send(&self, queue: &str, deeds: &[&str]) {
        for deeds in deeds.chunks(10) {
            let message = |deed: &&str| json!({"body": deed});
            let body = json!({"queue": queue, "messages": deeds.iter().map(message).collect::<Vec<_>>()});
            let answer = self.gateway("platform/queue/send-batch", "tester-token", &body).await;
            assert!(answer["Ok"].as_array().is_some_and(|sent| sent.len() == deeds.len()), "{answer}");
        }
    }

    /// The number of messages of a queue: visible, in flight and delayed.
    pub async fn depth(&self, queue: &str) -> u64 {
        let answer = self.gateway("operator/queues", "operator-token", &json!({})).await;
        let queues = answer["Ok"]["queues"].as_array().unwrap_or_else(|| panic!("{answer}")).clone();
        let queue = queues.iter().find(|it| it["name"] == queue).unwrap();
        ["visible", "inFlight", "delayed"].iter().map(|state| queue[*state].as_u64().unwrap()).sum()
    }

    /// The dead letters of a queue, as an operator sees them.
    pub async fn dead_letters(&self, queue: &str) -> String {
        self.gateway("operator/dead-letters/list", "operator-token", &json!({"queue": queue})).await.to_string()
    }

    /// Waits until a queue has this many messages.
    pub async fn holds(&self, queue: &str, messages: u64) {
        wait::eventually(queue, async || (self.depth(queue).await == messages).then_some(())).await;
    }

    async fn gateway(&self, path: &str, token: &str, body: &Value) -> Value {
        let request = self.client.post(format!("{}/{path}", self.child.gateway)).bearer_auth(token).json(body);
        request.send().await.unwrap().json().await.unwrap()
    }

    /// The sum of a metric over the series of a worker.
    pub async fn metric(&self, name: &str, worker: &str) -> f64 {
        let url = format!("{}/metrics", self.child.gateway);
        let text = self.client.get(url).send().await.unwrap().text().await.unwrap();
        let worker = format!("worker=\"{worker}\"");
        let lines = text.lines().filter(|line| line.starts_with(&format!("{name}{{")) && line.contains(&worker));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }

    /// Instances of a worker that were started so far.
    pub async fn started(&self, worker: &str) -> f64 {
        self.metric("registration_instances_started_total", worker).await
    }

    /// The address of the gateway, as a guest would write it.
    pub fn gateway_address(&self) -> &str {
        &self.child.gateway
    }

    /// The host's log so far, one JSON object a line.
    pub fn log(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.log_file()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
    }

    pub fn log_file(&self) -> PathBuf {
        self.folder.path().join("stderr")
    }

    /// The peak memory of the process, MiB.
    pub fn peak_memory(&self) -> u64 {
        self.status("VmHWM:")
    }

    /// The present memory of the process, MiB.
    pub fn memory(&self) -> u64 {
        self.status("VmRSS:")
    }

    fn status(&self, name: &str) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() >> 10
    }

    /// The number of files and sockets that the process has open.
    pub fn open_files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count()
    }
}

/// Calls the neighbour again and again. Every response must be right.
pub struct Neighbour {
    stop: Arc<AtomicBool>,
    asking: JoinHandle<u32>,
}

impl Neighbour {
    pub async fn of(host: &Arc<Hostile>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (host, stopped) = (host.clone(), stop.clone());
        assert_eq!(host.ask("neighbour", "hello?first").await, (200, "hello first".to_owned()));
        let asking = tokio::spawn(async move {
            let mut answers = 0;
            while !stopped.load(Ordering::Relaxed) {
                let answer = host.ask("neighbour", &format!("hello?{answers}")).await;
                assert_eq!(answer, (200, format!("hello {answers}")));
                answers += 1;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            answers
        });
        Self { stop, asking }
    }

    /// Ends the calls; returns how many responses there were.
    pub async fn answers(self) -> u32 {
        self.stop.store(true, Ordering::Relaxed);
        self.asking.await.unwrap()
    }
}
