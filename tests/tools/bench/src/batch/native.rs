//! The same rule, compiled for this machine: the crate `save-entries` as a library, with what the worker's own code
//! does around it: the Entry Service's JSON, and the log.

use super::memory::Memory;
use super::{Transcript, disposition};
use crate::rounds::micros;
use anyhow::{Result, bail};
use chrono::Utc;
use save_entries::ports::{Ports, Score};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, Instant};
use worker_kit::platform::Error;
use worker_kit::platform::table::{Key, Update};
use worker_kit::services::entry::{Deleted, Deletion, Entries, Entry, Upserted};
use worker_kit::services::{self, ResponseSummary, ServiceError};
use worker_kit::{Disposition, Event, log};

const WORKER: &str = "save-entries";

/// The rule, on one thread.
pub struct Native {
    memory: Arc<Memory>,
    events: Vec<Event>,
    thread: tokio::runtime::Runtime,
}

impl Native {
    /// Prepares the rule for the batch that the component gets.
    pub fn new(memory: Arc<Memory>) -> Result<Self> {
        let events = memory.events.clone();
        Ok(Self { memory, events, thread: tokio::runtime::Builder::new_current_thread().build()? })
    }

    /// Records one call.
    pub fn transcript(&self) -> Result<Transcript> {
        self.memory.write_down(|| {
            let answer = self.thread.block_on(handle(&self.memory, self.events.clone()));
            Ok(answer.iter().map(disposition).collect())
        })
    }

    /// Microseconds for each call.
    pub fn run(&self, calls: usize) -> Result<f64> {
        self.thread.block_on(async {
            let mut took = Duration::ZERO;
            for _ in 0..calls {
                let events = self.events.clone();
                let start = Instant::now();
                let answer = handle(&self.memory, events).await;
                took += start.elapsed();
                if answer.iter().any(|it| !matches!(it, Disposition::Ack)) {
                    bail!("not every record was acknowledged: {answer:?}");
                }
            }
            Ok(micros(took) / calls as f64)
        })
    }
}

/// Does what `SaveEntries::handle` does, with the log in memory.
async fn handle(memory: &Memory, events: Vec<Event>) -> Vec<Disposition> {
    let (first, start_ms) = (events.first().cloned(), Utc::now().timestamp_millis());
    let (correlation_id, traceparent) = first.map(|it| (it.correlation_id, it.traceparent)).unwrap_or_default();
    let dispositions = save_entries::handle(&Ported { memory, correlation_id: &correlation_id }, events).await;
    let data = worker_kit::batch::counts(&dispositions);
    let now = Utc::now();
    memory.line(&log::line(now, log::Level::Info, WORKER, "Entries replicated", &correlation_id, &data));
    if let Some(traceparent) = traceparent {
        let attributes = [
            ("span.workerName", log::camel_case_name(WORKER).into()),
            ("correlation.id", correlation_id.as_str().into()),
        ];
        let attributes = attributes.map(|(name, value)| (name.to_owned(), value)).into_iter().collect();
        let (name, end_ms) = ("replicateEntries", now.timestamp_millis());
        memory.line(&log::span_line(name, start_ms, end_ms, &correlation_id, &traceparent, &attributes));
    }
    dispositions
}

/// The requests of the rule, answered from memory.
struct Ported<'a> {
    memory: &'a Memory,
    correlation_id: &'a str,
}

#[derive(Deserialize)]
struct Results<T> {
    results: Vec<T>,
}

impl Ported<'_> {
    fn send<T: serde::de::DeserializeOwned>(
        &self,
        method: &str,
        campaign_id: &str,
        body: &impl Serialize,
    ) -> Answered<T> {
        let refused =
            |error: serde_json::Error| ServiceError::Unavailable { service: "entry", message: error.to_string() };
        let body = serde_json::to_string(body).map_err(refused)?;
        let answer = self.memory.request(method, &format!("/{campaign_id}/entries"), &body);
        let summary = ResponseSummary::new("entry", 200, &answer);
        let Results { results } = serde_json::from_str(&answer).map_err(refused)?;
        Ok(services::Results { summary, results })
    }
}

type Answered<T> = Result<services::Results<T>, ServiceError>;

impl Ports for Ported<'_> {
    async fn read(&self, keys: Vec<Key>) -> Result<Vec<Option<String>>, Error> {
        Ok(self.memory.read(&keys, |key| (&key.pk, &key.sk)))
    }

    async fn update(&self, updates: Vec<Update>) -> Result<Vec<Option<Error>>, Error> {
        Ok(self.memory.update(&updates))
    }

    async fn upsert(&self, campaign_id: &str, entries: &[Entry<'_>]) -> Answered<Upserted> {
        self.send("POST", campaign_id, &Entries { entries })
    }

    async fn delete(&self, campaign_id: &str, entries: &[Deletion]) -> Answered<Deleted> {
        self.send("DELETE", campaign_id, &Entries { entries })
    }

    async fn queue_scores(&self, scores: &[Score]) -> Result<Vec<Result<String, Error>>, Error> {
        Ok(scores.iter().map(|score| Ok(score.global_user_id.clone())).collect())
    }

    fn now(&self) -> String {
        log::timestamp(Utc::now())
    }

    fn warn(&self, message: &str, data: Value) {
        self.memory.line(&log::line(Utc::now(), log::Level::Warn, WORKER, message, self.correlation_id, &data));
    }

    fn failed(&self, message: &str, error: &ServiceError, data: Value) {
        self.warn(&format!("{message}: {error}"), data);
    }
}
