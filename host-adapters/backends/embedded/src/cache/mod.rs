//! The embedded cache: `spin:redis` in memory, lost when the process ends.

mod command;
mod entries;

use entries::{Entries, Value};
use host_adapters_platform::clock::Clock;
use host_adapters_platform::count_cache_get;
use host_adapters_records::cache::{CacheArgument, CacheBackend, CacheError, CacheReply};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The most bytes of all keys and values; further writes are refused, as by a full Redis.
const MAX_BYTES: usize = 256 * 1024 * 1024;

/// A cache in memory.
pub struct EmbeddedCache {
    entries: Mutex<Entries>,
    clock: Clock,
}

impl EmbeddedCache {
    /// An empty cache, whose lifetimes are measured by `clock`.
    pub fn new(clock: Clock) -> Self {
        Self { entries: Mutex::new(Entries::new(MAX_BYTES)), clock }
    }

    /// The present entries: those past their lifetime are left out.
    fn entries(&self) -> MutexGuard<'_, Entries> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.set_time(self.clock.now_ms());
        entries
    }
}

#[async_trait::async_trait]
impl CacheBackend for EmbeddedCache {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, CacheError> {
        let value = self.entries().get(key).map(Value::bytes).transpose().map(|found| found.map(<[u8]>::to_vec));
        count_cache_get(&value);
        value
    }

    async fn set(&self, key: &str, value: &[u8]) -> Result<(), CacheError> {
        self.entries().insert(key, Value::Bytes(value.to_vec()), None)
    }

    async fn incr(&self, key: &str) -> Result<i64, CacheError> {
        self.entries().increment(key)
    }

    async fn del(&self, keys: &[String]) -> Result<u32, CacheError> {
        let mut entries = self.entries();
        Ok(count(keys.iter().filter(|key| entries.remove(key))))
    }

    async fn sadd(&self, key: &str, members: &[String]) -> Result<u32, CacheError> {
        self.entries().change_set(key, |set| count(members.iter().filter(|member| set.insert((*member).clone()))))
    }

    async fn srem(&self, key: &str, members: &[String]) -> Result<u32, CacheError> {
        self.entries().change_set(key, |set| count(members.iter().filter(|member| set.remove(*member))))
    }

    async fn smembers(&self, key: &str) -> Result<Vec<String>, CacheError> {
        let entries = self.entries();
        let set = entries.get(key).map(Value::set).transpose()?;
        Ok(set.into_iter().flatten().cloned().collect())
    }

    async fn publish(&self, _channel: &str, _payload: &[u8]) -> Result<(), CacheError> {
        // The embedded profile has no source on channels, so there are no listeners.
        Ok(())
    }

    async fn execute(&self, command: &str, arguments: &[CacheArgument]) -> Result<Vec<CacheReply>, CacheError> {
        command::execute(&mut self.entries(), command, arguments).map(|reply| vec![reply])
    }
}

fn count<T>(items: impl Iterator<Item = T>) -> u32 {
    u32::try_from(items.count()).unwrap_or(u32::MAX)
}
