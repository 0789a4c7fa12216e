//! The memory of a host of its own while a file goes through load-scores, the stream, save-fan-scores and save-entry-scores, and
//! all fans are counted.

use super::entry::EntryService;
use super::file::File;
use super::store::TABLE;
use crate::client::Connection;
use crate::process::{Process, SEEDER_TOKEN};
use crate::registration::Registration;
use anyhow::{Context, Result, bail, ensure};
use host_adapters_records::Function;
use host_adapters_records::table::{BatchGet, Key};
use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, Instant};

const POLL: Duration = Duration::from_millis(100);
/// How long the host is idle before it is measured.
const IDLE: Duration = Duration::from_secs(2);
/// Memory is looked at so often for each look at the counts.
const LOOKS: usize = 10;
/// For how long nothing may change.
const STALLED: Duration = Duration::from_secs(120);

/// What was measured.
pub struct Measured {
    /// Rows a second, from the file's arrival until all fans are counted.
    pub rows_per_s: f64,
    /// The host's memory before, MB of 10⁶ bytes.
    pub idle_mb: f64,
    /// How much more it took, at most.
    pub above_idle_mb: f64,
}

/// Measures a separate host.
pub async fn measure(program: &Path, file: &File) -> Result<Measured> {
    let folder = tempfile::tempdir()?;
    let registration = Registration::new(folder.path())?;
    let service = EntryService::start().await?;
    let data = folder.path().join("data");
    let mut command = Process::up(program, Path::new("spin.toml"), &data)?;
    command.env("SPIN_VARIABLE_ENTRY_SERVICE_UPSTREAM", &service.url);
    let host = Process::serving(command, &registration)?;
    tokio::time::sleep(IDLE).await;
    let idle_mb = host.rss_mb()?;
    let mut gateway = Connection::open(host.gateway.context("it has no gateway")?).await?;
    file.put(&data)?;
    let (began, mut greatest) = (Instant::now(), idle_mb);
    let (mut last, mut moved) = ((0, 0), began);
    while last.0 < file.rows || last.1 < file.rank_0() {
        for _ in 0..LOOKS {
            tokio::time::sleep(POLL).await;
            greatest = greatest.max(host.rss_mb()?);
        }
        let now = (counted(&mut gateway).await?, service.taken());
        if now != last {
            (last, moved) = (now, Instant::now());
        }
        let (fans, scores) = now;
        ensure!(moved.elapsed() < STALLED, "{fans} fans counted and {scores} scores sent, of {} rows", file.rows);
    }
    ensure!(last.0 == file.rows, "{} fans are counted of {}", last.0, file.rows);
    let rows_per_s = file.rows as f64 / began.elapsed().as_secs_f64();
    host.stop()?;
    Ok(Measured { rows_per_s, idle_mb, above_idle_mb: greatest - idle_mb })
}

/// How many fans are counted.
async fn counted(gateway: &mut Connection) -> Result<usize> {
    let key = |campaign| Key { pk: format!("CAMPAIGN#{campaign}"), sk: "meta:counts".to_owned() };
    let read = BatchGet { table: TABLE.to_owned(), keys: File::campaigns().map(key).collect() };
    let path = format!("/platform/{}", BatchGet::PATH);
    let answer = gateway.post(&path, SEEDER_TOKEN, json!(read).to_string().into()).await?;
    let answer: Value = serde_json::from_slice(&answer)?;
    let Some(items) = answer.get("Ok").and_then(Value::as_array) else { bail!("the counts cannot be read: {answer}") };
    let mut counted = 0;
    for item in items.iter().filter_map(Value::as_str) {
        let item: Value = serde_json::from_str(item)?;
        let number = |name: &str| item.get(name).and_then(Value::as_u64).unwrap_or_default();
        counted += number("verified") + number("rejected");
    }
    Ok(usize::try_from(counted)?)
}
