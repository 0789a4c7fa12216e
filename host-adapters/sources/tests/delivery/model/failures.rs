//! The table of failures, in memory.

use super::Faults;
use host_adapters_platform::{FailureTable, Result};
use std::collections::BTreeMap;
use std::sync::Mutex;

/// How often each message of a queue has failed, and every call.
pub struct ModelFailures {
    pub faults: Faults,
    counts: Mutex<BTreeMap<(String, String), u32>>,
    asked: Mutex<Vec<(&'static str, Vec<String>)>>,
}

impl ModelFailures {
    pub fn new(seed: u64) -> Self {
        Self { faults: Faults::new(seed), counts: Mutex::default(), asked: Mutex::default() }
    }

    /// The messages that have failures.
    pub fn kept(&self) -> Vec<String> {
        self.counts.lock().unwrap().keys().map(|(_, message)| message.clone()).collect()
    }

    /// All calls in order, each with its messages.
    pub fn asked(&self) -> Vec<(&'static str, Vec<String>)> {
        self.asked.lock().unwrap().clone()
    }

    fn ask(&self, call: &'static str, messages: &[String]) -> Result<()> {
        self.asked.lock().unwrap().push((call, messages.to_vec()));
        self.faults.check(call)
    }
}

#[async_trait::async_trait]
impl FailureTable for ModelFailures {
    async fn count_failures(&self, queue: &str, messages: &[String]) -> Result<Vec<u32>> {
        self.ask("count failures", messages)?;
        let mut counts = self.counts.lock().unwrap();
        let count = |message: &String| {
            let count = counts.entry((queue.to_owned(), message.clone())).or_default();
            *count += 1;
            *count
        };
        Ok(messages.iter().map(count).collect())
    }

    async fn forget_failures(&self, queue: &str, messages: &[String]) -> Result<()> {
        self.ask("forget failures", messages)?;
        let mut counts = self.counts.lock().unwrap();
        counts.retain(|(of, message), _| of != queue || !messages.contains(message));
        Ok(())
    }
}
