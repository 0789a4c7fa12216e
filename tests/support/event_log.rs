//! The event log in the host's own store, read as another program reads it, and put out of order.

use crate::TestHost;
use rusqlite::Connection;
use serde_json::Value;
use std::time::Duration;

/// A record of the event log.
#[derive(Clone, Debug, PartialEq)]
pub struct Logged {
    /// The key.
    pub key: String,
    /// The value, as JSON.
    pub value: Value,
    /// The header `dedup-id`.
    pub dedup_id: String,
    /// All headers.
    pub headers: Vec<(String, String)>,
    /// When it was written, milliseconds since 1970 (UTC).
    pub time_ms: u64,
}

impl TestHost {
    /// The records of a topic, partition by partition.
    pub fn logged(&self, topic: &str) -> Vec<Logged> {
        let store = self.store();
        // The number of a partition stands before the offsets of its records.
        let sql = "SELECT key, value, headers, time_ms FROM log_records \
                   JOIN log_partitions ON log_records.id >> 40 = log_partitions.id \
                   JOIN names ON names.id = log_partitions.topic WHERE names.name = ?1 ORDER BY log_records.id";
        let mut select = store.prepare(sql).unwrap();
        let rows = select.query_map([topic], |row| {
            let (value, headers): (String, Option<String>) = (row.get(1)?, row.get(2)?);
            let headers: Vec<(String, String)> = headers.map_or(vec![], |text| serde_json::from_str(&text).unwrap());
            let dedup_id = headers.iter().find(|(name, _)| name == "dedup-id").map(|(_, id)| id.clone());
            Ok(Logged {
                key: row.get(0)?,
                value: serde_json::from_str(&value).unwrap(),
                dedup_id: dedup_id.unwrap_or_default(),
                headers,
                time_ms: row.get::<_, i64>(3)?.try_into().unwrap(),
            })
        });
        rows.unwrap().collect::<rusqlite::Result<_>>().unwrap()
    }

    /// From now on the event log takes no record: to the host it is down.
    pub fn break_event_log(&self) {
        let refuse = "CREATE TRIGGER event_log_is_down BEFORE INSERT ON log_records \
                      BEGIN SELECT RAISE(ABORT, 'no broker can be reached'); END";
        self.store().execute_batch(refuse).unwrap();
    }

    /// The event log is there again.
    pub fn mend_event_log(&self) {
        self.store().execute_batch("DROP TRIGGER event_log_is_down").unwrap();
    }

    fn store(&self) -> Connection {
        let store = Connection::open(self.data().join("embedded.sqlite")).unwrap();
        store.busy_timeout(Duration::from_secs(30)).unwrap();
        store
    }
}
