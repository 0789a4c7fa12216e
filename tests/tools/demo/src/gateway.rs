//! A client of the host's gateway, for the resolver, the seeder, the checker and the operator.

use crate::host::Endpoint;
use anyhow::{Context, Result, anyhow, bail};
use host_adapters_records::{Error, ErrorKind, Function};
use reqwest::{Client, Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// For how long a call is repeated while the host is away, restarts or is throttled.
const PATIENCE: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(50);
const TOO_MANY: StatusCode = StatusCode::TOO_MANY_REQUESTS;

/// A client of the gateway.
#[derive(Clone)]
pub struct Gateway {
    http: Client,
    endpoint: Endpoint,
    token: String,
}

/// The number of messages of a queue.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Depth {
    /// The queue.
    pub name: String,
    visible: u64,
    in_flight: u64,
    delayed: u64,
}

impl Depth {
    /// The number of all its messages.
    pub fn total(&self) -> u64 {
        self.visible + self.in_flight + self.delayed
    }

    /// Whether it is a dead letter queue.
    pub fn is_dead_letter(&self) -> bool {
        self.name.ends_with("Dlq")
    }
}

/// Names a dead letter.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd)]
pub struct DeadLetterId {
    /// Its queue.
    pub queue: String,
    /// Its id there.
    pub id: String,
}

/// An execution of a task.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Execution {
    /// `scheduled`, `running`, `succeeded`, `failed` or `stopped`.
    pub state: String,
    /// The attempts that have begun.
    pub attempts: u32,
    /// Those that failed.
    pub failures: u32,
    /// When it ended, milliseconds since 1970 (UTC).
    pub ended_ms: Option<u64>,
}

#[derive(Deserialize)]
struct DeadLetters {
    dead_letters: Vec<DeadLetterId>,
    next: Value,
}

#[derive(Deserialize)]
struct Queues {
    queues: Vec<Depth>,
}

impl Gateway {
    /// Makes a client with the token that has its grants.
    pub fn new(http: Client, endpoint: Endpoint, token: String) -> Self {
        Self { http, endpoint, token }
    }

    /// Calls a function of the platform, and repeats the call as long as a transient failure lasts.
    pub async fn call<F: Function>(&self, arguments: &F) -> Result<F::Output> {
        let body = serde_json::to_vec(arguments)?;
        let answer: Result<F::Output, Error> = self.post(&format!("/platform/{}", F::PATH), body).await?;
        answer.map_err(|error: Error| anyhow!("{}: {error}", F::PATH))
    }

    /// The depths of all queues.
    pub async fn queues(&self) -> Result<Vec<Depth>> {
        let answer: Result<Queues, Error> = self.post("/operator/queues", b"{}".to_vec()).await?;
        let queues = answer.map_err(|error: Error| anyhow!("the depths of the queues: {error}"))?;
        Ok(queues.queues)
    }

    /// How many messages a queue has.
    pub async fn depth(&self, queue: &str) -> Result<u64> {
        let queues = self.queues().await?;
        let depth = queues.iter().find(|depth| depth.name == queue).map(Depth::total);
        depth.with_context(|| format!("there is no queue {queue}"))
    }

    /// Starts an execution of a worker's task, unless the name's has been started.
    pub async fn start_task(&self, worker: &str, name: &str, input: &Value) -> Result<Execution> {
        self.told(Method::POST, &format!("/tasks/{worker}/{name}"), Some(input)).await
    }

    /// The execution with this name.
    pub async fn task(&self, worker: &str, name: &str) -> Result<Execution> {
        self.told(Method::GET, &format!("/tasks/{worker}/{name}"), None).await
    }

    /// The dead letters of one queue, or of all.
    pub async fn dead_letters(&self, queue: Option<&str>) -> Result<Vec<DeadLetterId>> {
        let (mut dead_letters, mut from) = (Vec::new(), Value::Null);
        loop {
            let page: DeadLetters = self.operate("list", &json!({ "queue": queue, "from": from })).await?;
            dead_letters.extend(page.dead_letters);
            from = page.next;
            if from.is_null() {
                return Ok(dead_letters);
            }
        }
    }

    /// The body of a dead letter.
    pub async fn dead_letter_body(&self, dead_letter: &DeadLetterId) -> Result<String> {
        let shown: Value = self.operate("show", &json!({ "id": dead_letter.id })).await?;
        Ok(shown.pointer("/dead_letter/body").and_then(Value::as_str).unwrap_or_default().to_owned())
    }

    /// Redrives dead letters of one queue; returns how many were.
    pub async fn redrive(&self, dead_letters: &[DeadLetterId]) -> Result<u64> {
        let queue = dead_letters.first().map(|dead_letter| &dead_letter.queue);
        let ids: Vec<&str> = dead_letters.iter().map(|dead_letter| dead_letter.id.as_str()).collect();
        let answer: Value = self.operate("redrive", &json!({ "queue": queue, "ids": ids })).await?;
        let outcomes = answer.get("outcomes").and_then(Value::as_array).into_iter().flatten();
        Ok(outcomes.filter(|outcome| outcome.get("outcome").is_some_and(|name| name == "redriven")).count() as u64)
    }

    /// Replaces a worker of the host; returns whether another version serves now.
    pub async fn swap(&self, worker: &str, wasm: Vec<u8>) -> Result<bool> {
        let answer: Result<Value, Error> = self.post(&format!("/operator/swap/{worker}"), wasm).await?;
        let swapped = answer.map_err(|error: Error| anyhow!("replacing {worker}: {error}"))?;
        Ok(swapped.get("changed").and_then(Value::as_bool) == Some(true))
    }

    async fn operate<T: DeserializeOwned>(&self, deed: &str, arguments: &Value) -> Result<T> {
        let answer: Result<T, Error> =
            self.post(&format!("/operator/dead-letters/{deed}"), arguments.to_string().into()).await?;
        answer.map_err(|error: Error| anyhow!("dead letters: {error}"))
    }

    /// The present metrics, as text.
    pub async fn metrics(&self) -> Result<String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.metrics_once().await {
                Err(_) if Instant::now() < deadline => tokio::time::sleep(PAUSE).await,
                metrics => return metrics,
            }
        }
    }

    async fn metrics_once(&self) -> Result<String> {
        let url = format!("{}/metrics", self.endpoint.addresses().await?.gateway);
        let response = self.http.get(&url).send().await?.error_for_status()?;
        response.text().await.context("reading the metrics")
    }

    /// The answer to a request about tasks, whose statuses are those of HTTP.
    async fn told<T: DeserializeOwned>(&self, method: Method, path: &str, body: Option<&Value>) -> Result<T> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let url = format!("{}{path}", self.endpoint.addresses().await?.gateway);
            let mut request = self.http.request(method.clone(), &url).bearer_auth(&self.token);
            if let Some(body) = body {
                request = request.json(body);
            }
            match request.send().await {
                Ok(response) if response.status().is_success() => {
                    if let Ok(bytes) = response.bytes().await {
                        return serde_json::from_slice(&bytes)
                            .with_context(|| format!("{path}: not a gateway's response"));
                    }
                }
                Ok(response) if response.status().is_client_error() && response.status() != TOO_MANY => {
                    let status = response.status();
                    bail!("{path}: the gateway answers {status}: {}", response.text().await.unwrap_or_default());
                }
                _ => {}
            }
            if Instant::now() > deadline {
                bail!("{path}: no answer within {} s", PATIENCE.as_secs());
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn post<T: DeserializeOwned>(&self, path: &str, body: Vec<u8>) -> Result<Result<T, Error>> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.once(path, body.clone()).await?;
            match answer {
                Some(answer) if !is_transient(&answer) || Instant::now() > deadline => return Ok(answer),
                None if Instant::now() > deadline => bail!("{path}: no answer within {} s", PATIENCE.as_secs()),
                _ => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    /// One attempt; `None` if the host went away during it.
    async fn once<T: DeserializeOwned>(&self, path: &str, body: Vec<u8>) -> Result<Option<Result<T, Error>>> {
        let url = format!("{}{path}", self.endpoint.addresses().await?.gateway);
        let request = self.http.post(&url).bearer_auth(&self.token).header("content-type", "application/json");
        let Ok(response) = request.body(body).send().await else { return Ok(None) };
        let status = response.status();
        if status.is_server_error() {
            return Ok(None);
        }
        let Ok(bytes) = response.bytes().await else { return Ok(None) };
        if status != StatusCode::OK {
            bail!("{path}: the gateway answers {status}: {}", String::from_utf8_lossy(&bytes));
        }
        Ok(Some(serde_json::from_slice(&bytes).with_context(|| format!("{path}: not a gateway's response"))?))
    }
}

fn is_transient<T>(answer: &Result<T, Error>) -> bool {
    matches!(answer, Err(Error { kind: ErrorKind::Unavailable | ErrorKind::Throttled, .. }))
}
