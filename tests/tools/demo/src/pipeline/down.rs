//! An event log that is down for a while, which must not slow replication (REQ-017).

use crate::check::{Failures, Kind};
use crate::lag::Times;
use anyhow::{Context, Result};
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The longest lag of 99 in 100 entries (use cases, "Success Metrics"), milliseconds.
const LONGEST_LAG_MS: f64 = 30_000.0;

/// Lets the event log take no record for this many seconds.
pub async fn down(secs: u64, data: PathBuf) -> Result<()> {
    if secs == 0 {
        return Ok(());
    }
    let refuse = "CREATE TRIGGER event_log_is_down BEFORE INSERT ON log_records \
                  BEGIN SELECT RAISE(ABORT, 'the demo has put it out of order'); END";
    execute(&data, refuse).context("putting the event log out of order")?;
    tokio::time::sleep(Duration::from_secs(secs)).await;
    execute(&data, "DROP TRIGGER event_log_is_down").context("putting the event log in order again")
}

fn execute(data: &Path, sql: &str) -> Result<()> {
    let store = Connection::open(data.join("embedded.sqlite"))?;
    store.busy_timeout(Duration::from_secs(30))?;
    Ok(store.execute_batch(sql)?)
}

/// Checks the lag of replication meanwhile.
pub fn check_lag(lag: &Times, failures: &mut Failures) {
    if lag.ms(0.99) > LONGEST_LAG_MS {
        let slow = format!("the lag was {:.0} ms at the 99th percentile while the event log was down", lag.ms(0.99));
        failures.add(Kind::Slow, "replication", slow);
    }
}
