//! The entries of the embedded cache, their lifetimes and their size.

use host_adapters_records::cache::CacheError;
use std::collections::{BTreeSet, HashMap};

/// The value of a key.
pub(super) enum Value {
    Bytes(Vec<u8>),
    Set(BTreeSet<String>),
}

impl Value {
    pub(super) fn bytes(&self) -> Result<&[u8], CacheError> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            Self::Set(_) => Err(CacheError::WrongType),
        }
    }

    pub(super) fn set(&self) -> Result<&BTreeSet<String>, CacheError> {
        match self {
            Self::Set(set) => Ok(set),
            Self::Bytes(_) => Err(CacheError::WrongType),
        }
    }

    /// The size in memory, about, in bytes.
    fn size(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Set(set) => set.iter().map(|member| member.len() + MEMBER_BYTES).sum(),
        }
    }
}

/// The memory of an entry apart from its key and value, in bytes: without it, a million empty values would count as
/// nothing.
const ENTRY_BYTES: usize = 100;
/// The memory of a member of a set apart from its text, in bytes.
const MEMBER_BYTES: usize = 40;

fn size(key: &str, value: &Value) -> usize {
    ENTRY_BYTES + key.len() + value.size()
}

struct Entry {
    value: Value,
    /// When its lifetime ends, milliseconds since 1970 (UTC).
    until_ms: Option<i64>,
}

/// All entries. An entry past its lifetime is invisible at once, and dropped when room is needed.
pub(super) struct Entries {
    entries: HashMap<String, Entry>,
    bytes: usize,
    max_bytes: usize,
    now_ms: i64,
}

impl Entries {
    pub(super) fn new(max_bytes: usize) -> Self {
        Self { entries: HashMap::new(), bytes: 0, max_bytes, now_ms: 0 }
    }

    pub(super) fn set_time(&mut self, now_ms: i64) {
        self.now_ms = now_ms;
    }

    pub(super) fn now_ms(&self) -> i64 {
        self.now_ms
    }

    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        self.live(key).map(|entry| &entry.value)
    }

    /// When a key's lifetime ends: `None` if there is no such key, `Some(None)` if it does not end.
    pub(super) fn lifetime(&self, key: &str) -> Option<Option<i64>> {
        self.live(key).map(|entry| entry.until_ms)
    }

    /// Sets when a key's lifetime ends; returns whether the key exists.
    pub(super) fn expire(&mut self, key: &str, until_ms: i64) -> bool {
        let found = self.live(key).is_some();
        if let (true, Some(entry)) = (found, self.entries.get_mut(key)) {
            entry.until_ms = Some(until_ms);
        }
        found
    }

    pub(super) fn insert(&mut self, key: &str, value: Value, until_ms: Option<i64>) -> Result<(), CacheError> {
        // If the value does not fit, the key is left without a value and does not keep its old one.
        self.remove(key);
        let bytes = size(key, &value);
        if self.bytes + bytes > self.max_bytes {
            self.drop_expired();
        }
        if self.bytes + bytes > self.max_bytes {
            let message = format!("OOM the embedded cache holds {} bytes, the most it may", self.bytes);
            return Err(CacheError::Unavailable(message));
        }
        self.bytes += bytes;
        self.entries.insert(key.to_owned(), Entry { value, until_ms });
        Ok(())
    }

    /// Removes a key; returns whether it existed.
    pub(super) fn remove(&mut self, key: &str) -> bool {
        let live = self.live(key).is_some();
        if let Some(entry) = self.entries.remove(key) {
            self.bytes -= size(key, &entry.value);
        }
        live
    }

    /// Adds 1 to a value and keeps its lifetime.
    pub(super) fn increment(&mut self, key: &str) -> Result<i64, CacheError> {
        let not_a_number =
            || CacheError::Invalid(format!("ERR the value of `{key}` is not an integer or out of range"));
        let old = match self.get(key) {
            Some(value) => std::str::from_utf8(value.bytes()?).ok().and_then(|text| text.parse().ok()),
            None => Some(0_i64),
        };
        let new = old.and_then(|old| old.checked_add(1)).ok_or_else(not_a_number)?;
        let until_ms = self.lifetime(key).flatten();
        self.insert(key, Value::Bytes(new.to_string().into_bytes()), until_ms)?;
        Ok(new)
    }

    /// Changes a set. A set that does not exist counts as empty; an empty set is removed.
    pub(super) fn change_set<T>(
        &mut self,
        key: &str,
        change: impl FnOnce(&mut BTreeSet<String>) -> T,
    ) -> Result<T, CacheError> {
        let mut set = self.get(key).map(Value::set).transpose()?.cloned().unwrap_or_default();
        let changed = change(&mut set);
        let until_ms = self.lifetime(key).flatten();
        if set.is_empty() {
            self.remove(key);
        } else {
            self.insert(key, Value::Set(set), until_ms)?;
        }
        Ok(changed)
    }

    fn live(&self, key: &str) -> Option<&Entry> {
        self.entries.get(key).filter(|entry| entry.until_ms.is_none_or(|until_ms| until_ms > self.now_ms))
    }

    fn drop_expired(&mut self) {
        let now_ms = self.now_ms;
        self.entries.retain(|_, entry| entry.until_ms.is_none_or(|until_ms| until_ms > now_ms));
        self.bytes = self.entries.iter().map(|(key, entry)| size(key, &entry.value)).sum();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_does_not_fit_and_drops_expired_entries_for_room() {
        let mut entries = Entries::new(2 * ENTRY_BYTES + 10);
        entries.insert("a", Value::Bytes(vec![0; 4]), Some(100)).unwrap();
        entries.insert("b", Value::Bytes(vec![0; 4]), None).unwrap();
        assert!(matches!(entries.insert("c", Value::Bytes(vec![]), None), Err(CacheError::Unavailable(_))));
        entries.insert("b", Value::Bytes(vec![1; 4]), None).unwrap();
        entries.set_time(100);
        entries.insert("c", Value::Bytes(vec![0; 4]), None).unwrap();
        assert_eq!(entries.bytes, 2 * ENTRY_BYTES + 10);
        assert!(entries.get("a").is_none());
    }
}
