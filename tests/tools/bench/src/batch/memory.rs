//! The table, the Entry Service and the log in memory. Requests to them can be recorded.

use super::Transcript;
use super::records::Batch;
use bytes::Bytes;
use host_adapters_records::cache::CacheBackend;
use host_adapters_records::service::{CallService, ServiceResponse};
use host_adapters_records::table::{BatchGet, BatchUpdate, Key};
use host_adapters_records::{Caller, Error, Platform};
use host_adapters_runtime::host::{SendError, SendErrorKind};
use host_adapters_runtime::{Event, Host};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The name of the Entry Service.
pub const SERVICE: &str = "entry";

/// The surroundings of save-entries for ten records.
pub struct Memory {
    /// The events for the worker.
    pub events: Vec<Event>,
    /// The items of the table, by `pk` and `sk`.
    pub items: HashMap<String, HashMap<String, String>>,
    /// The response of the Entry Service.
    pub answer: String,
    writing: AtomicBool,
    transcript: Mutex<Transcript>,
}

impl Memory {
    /// The surroundings for a batch.
    pub fn new(batch: Batch) -> Self {
        let mut items: HashMap<_, HashMap<_, _>> = HashMap::new();
        for (Key { pk, sk }, item) in batch.items {
            items.entry(pk).or_default().insert(sk, item);
        }
        Self {
            events: batch.events,
            items,
            answer: batch.answer,
            writing: AtomicBool::new(false),
            transcript: Mutex::default(),
        }
    }

    /// Records the requests during `run`, and its result.
    pub fn write_down<E>(&self, run: impl FnOnce() -> Result<Vec<Value>, E>) -> Result<Transcript, E> {
        self.writing.store(true, Ordering::Relaxed);
        let answer = run();
        self.writing.store(false, Ordering::Relaxed);
        let mut transcript = std::mem::take(&mut *self.transcript.lock().unwrap_or_else(PoisonError::into_inner));
        transcript.push(format!("answer {}", json!(answer?)));
        Ok(transcript.iter().map(|line| timeless(line)).collect())
    }

    fn write(&self, line: impl FnOnce() -> String) {
        if self.writing.load(Ordering::Relaxed) {
            self.transcript.lock().unwrap_or_else(PoisonError::into_inner).push(line());
        }
    }

    /// Items by their keys, which are a host's or a guest's.
    pub fn read<K: Serialize>(&self, keys: &[K], parts: impl Fn(&K) -> (&str, &str)) -> Vec<Option<String>> {
        self.write(|| format!("read {}", json!(keys)));
        let item = |key| {
            let (pk, sk) = parts(key);
            self.items.get(pk)?.get(sk).cloned()
        };
        keys.iter().map(item).collect()
    }

    /// Every update succeeds.
    pub fn update<U: Serialize, E>(&self, updates: &[U]) -> Vec<Option<E>> {
        self.write(|| format!("update {}", json!(updates)));
        updates.iter().map(|_| None).collect()
    }

    /// The Entry Service accepts every request.
    pub fn request(&self, method: &str, path: &str, body: &str) -> String {
        self.write(|| format!("{method} {SERVICE}{path} {body}"));
        self.answer.clone()
    }

    /// A line of the log.
    pub fn line(&self, line: &str) {
        self.write(|| format!("log {line}"));
    }
}

/// A line without the times of the run, the only thing in which two runs may differ.
pub fn timeless(line: &str) -> String {
    let Some((kind @ ("log" | "update"), json)) = line.split_once(' ') else { return line.to_owned() };
    let Ok(mut value) = serde_json::from_str::<Value>(json) else { return line.to_owned() };
    if let Some(line) = value.as_object_mut() {
        line.retain(|name, _| !matches!(name.as_str(), "timestamp" | "startMs" | "endMs"));
    }
    for update in value.as_array_mut().into_iter().flatten() {
        let set = update.get_mut("set").and_then(Value::as_array_mut).into_iter().flatten();
        set.filter(|pair| pair.get(0).is_some_and(|name| name == "replicatedAt")).for_each(|pair| *pair = json!("now"));
    }
    format!("{kind} {value}")
}

/// [`Memory`] as the runtime's host.
pub struct Outside {
    memory: Arc<Memory>,
    platform: Arc<dyn Platform>,
}

impl Outside {
    pub fn new(memory: Arc<Memory>) -> Self {
        Self { platform: Arc::new(InMemory(memory.clone())), memory }
    }
}

#[async_trait::async_trait]
impl Host for Outside {
    fn platform(&self) -> &Arc<dyn Platform> {
        &self.platform
    }

    async fn open_cache(&self, _: &str, _: &str, _: &str) -> Option<Arc<dyn CacheBackend>> {
        None
    }

    fn variable(&self, _: &str, _: &str) -> Option<String> {
        None
    }

    async fn send_http(&self, _: &str, _: &str, _: http::Request<Bytes>) -> Result<http::Response<Bytes>, SendError> {
        Err(SendError { kind: SendErrorKind::Denied, message: "the open web is not in memory".to_owned() })
    }

    fn log(&self, _: &str, _: &str, line: &str) {
        self.memory.line(line);
    }
}

struct InMemory(Arc<Memory>);

#[async_trait::async_trait]
impl Platform for InMemory {
    async fn table_batch_get(&self, _: Caller<'_>, args: BatchGet) -> Result<Vec<Option<String>>, Error> {
        Ok(self.0.read(&args.keys, |key| (&key.pk, &key.sk)))
    }

    async fn table_batch_update(&self, _: Caller<'_>, args: BatchUpdate) -> Result<Vec<Option<Error>>, Error> {
        Ok(self.0.update(&args.updates))
    }

    async fn service_call(
        &self,
        _: Caller<'_>,
        CallService { request, .. }: CallService,
    ) -> Result<ServiceResponse, Error> {
        let body = self.0.request(&request.method, &request.path, &request.body);
        Ok(ServiceResponse { status: 200, headers: Vec::new(), body })
    }
}
