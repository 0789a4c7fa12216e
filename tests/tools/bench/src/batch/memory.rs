//! The outside in memory: the table, the Entry Service, the log. What is asked of it can be written down.

use super::Transcript;
use super::records::Batch;
use bytes::Bytes;
use host_adapters_runtime::{Event, Host, host};
use platform_wire::cache::CacheBackend;
use platform_wire::table::{BatchGet, BatchUpdate, BatchWrite, Key, Page, Query, Update};
use platform_wire::{Answer, Error, ErrorKind, Platform, documents, identity, queue};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Where the component finds the Entry Service.
pub const SERVICE: &str = "http://entry.services.internal";

/// The outside of ten records.
pub struct Memory {
    /// What the worker is handed.
    pub events: Vec<Event>,
    /// What the table holds.
    pub items: HashMap<Key, String>,
    /// What the Entry Service answers.
    pub answer: Bytes,
    writing: AtomicBool,
    transcript: Mutex<Transcript>,
}

impl Memory {
    /// The outside of a batch.
    pub fn new(batch: Batch) -> Self {
        Self {
            events: batch.events,
            items: batch.items.into_iter().collect(),
            answer: batch.answer.into(),
            writing: AtomicBool::new(false),
            transcript: Mutex::default(),
        }
    }

    /// Writes down what is asked during `run`, and what it answers.
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

    /// Items by their keys.
    pub fn read(&self, keys: &[Key]) -> Vec<Option<String>> {
        self.write(|| format!("read {}", json!(keys)));
        keys.iter().map(|key| self.items.get(key).cloned()).collect()
    }

    /// Every update is made.
    pub fn update(&self, updates: &[Update]) -> Vec<Option<Error>> {
        self.write(|| format!("update {}", json!(updates)));
        updates.iter().map(|_| None).collect()
    }

    /// The Entry Service takes everything.
    pub fn request(&self, method: &str, url: &str, body: &[u8]) -> Bytes {
        self.write(|| format!("{method} {url} {}", String::from_utf8_lossy(body)));
        self.answer.clone()
    }

    /// A line of the log.
    pub fn line(&self, line: &str) {
        self.write(|| format!("log {line}"));
    }
}

/// A line without the times of the run: they are the only thing in which two runs may differ.
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

/// [`Memory`] as the runtime sees it.
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

/// What save-entries never asks for here.
fn unasked<T>() -> Result<T, Error> {
    Err(Error::new(ErrorKind::Invalid, "this benchmark does not answer it"))
}

#[async_trait::async_trait]
impl Platform for Tables {
    async fn table_batch_get(&self, _: &str, args: BatchGet) -> Result<Vec<Option<String>>, Error> {
        Ok(self.0.read(&args.keys))
    }

    async fn table_batch_update(&self, _: &str, args: BatchUpdate) -> Result<Vec<Option<Error>>, Error> {
        Ok(self.0.update(&args.updates))
    }

    async fn table_batch_write(&self, _: &str, _: BatchWrite) -> Result<Vec<Option<Error>>, Error> {
        unasked()
    }

    async fn table_query(&self, _: &str, _: Query) -> Result<Page, Error> {
        unasked()
    }

    async fn queue_send_batch(&self, _: &str, _: queue::SendBatch) -> Result<Vec<Answer<String>>, Error> {
        unasked()
    }

    async fn documents_find_one(&self, _: &str, _: documents::FindOne) -> Result<Option<String>, Error> {
        unasked()
    }

    async fn documents_replace_one(&self, _: &str, _: documents::ReplaceOne) -> Result<(), Error> {
        unasked()
    }

    async fn identity_verify(&self, _: &str, _: identity::Verify) -> Result<identity::Claims, Error> {
        unasked()
    }
}
