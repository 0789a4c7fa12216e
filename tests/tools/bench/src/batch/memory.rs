//! The table, the Entry Service and the log in memory. Requests to them can be recorded.

use super::Transcript;
use super::records::Batch;
use bytes::Bytes;
use host_adapters_records::cache::CacheBackend;
use host_adapters_records::table::{BatchGet, BatchUpdate, Key};
use host_adapters_records::{Error, Platform};
use host_adapters_runtime::{Event, Host, host};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The address of the Entry Service, as the component knows it.
pub const SERVICE: &str = "http://entry.services.internal";

/// The surroundings of save-entries for ten records.
pub struct Memory {
    /// The events for the worker.
    pub events: Vec<Event>,
    /// The items of the table, by `pk` and `sk`.
    pub items: HashMap<String, HashMap<String, String>>,
    /// The response of the Entry Service.
    pub answer: Bytes,
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
            answer: batch.answer.into(),
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
    pub fn request(&self, method: &str, url: &str, body: &[u8]) -> Bytes {
        self.write(|| format!("{method} {url} {}", String::from_utf8_lossy(body)));
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
        Self { platform: Arc::new(Tables(memory.clone())), memory }
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

    fn variable(&self, _: &str, name: &str) -> Option<String> {
        (name == "entry_service_url").then(|| SERVICE.to_owned())
    }

    async fn send_http(&self, _: &str, _: &str, request: http::Request<Bytes>) -> Result<host::Sent, host::SendError> {
        let answer = self.memory.request(request.method().as_str(), &request.uri().to_string(), request.body());
        Ok(host::Sent { response: http::Response::new(answer), outage: None })
    }

    fn log(&self, _: &str, _: &str, line: &str) {
        self.memory.line(line);
    }
}

struct Tables(Arc<Memory>);

#[async_trait::async_trait]
impl Platform for Tables {
    async fn table_batch_get(&self, _: &str, args: BatchGet) -> Result<Vec<Option<String>>, Error> {
        Ok(self.0.read(&args.keys, |key| (&key.pk, &key.sk)))
    }

    async fn table_batch_update(&self, _: &str, args: BatchUpdate) -> Result<Vec<Option<Error>>, Error> {
        Ok(self.0.update(&args.updates))
    }
}
