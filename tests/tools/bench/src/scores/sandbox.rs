//! load-scores itself, in the host's own runtime. A call ends after some seconds and is continued, as its source does it; it
//! is done when its progress is at the end of the file, before it waits for the writers.

use super::Loader;
use super::file::{BUCKET, File, KEY};
use super::store::{Store, TABLE, WORKER};
use crate::batch::{self, Memory, nothing};
use crate::place;
use anyhow::{Context, Result, bail};
use bytes::Bytes;
use host_adapters_records::cache::CacheBackend;
use host_adapters_records::table::{BatchGet, Key};
use host_adapters_records::{Caller, Platform};
use host_adapters_runtime::host::{SendError, SendErrorKind};
use host_adapters_runtime::{Disposition, Event, Host, Interfaces, Limits, Payload, Runtime, RuntimeConfig};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Longer than a call reads.
const TIMEOUT_SECS: u32 = 300;

/// The component, compiled.
pub struct Sandbox {
    component: PathBuf,
    compiled: TempDir,
}

impl Sandbox {
    /// Compiles the component.
    pub fn start() -> Result<Self> {
        let sandbox = Self { component: place::component(WORKER)?, compiled: tempfile::tempdir()? };
        sandbox.runtime(Arc::new(batch::Outside::new(Arc::new(Memory::new(nothing())))))?;
        Ok(sandbox)
    }

    fn runtime(&self, outside: Arc<dyn Host>) -> Result<Runtime> {
        let (cache_dir, interfaces) = (self.compiled.path().to_owned(), Interfaces::All);
        let config = RuntimeConfig { cache_dir, max_instances: 8, interfaces };
        let runtime = Runtime::new(&config, outside).map_err(anyhow::Error::msg)?;
        let limits = Limits { request_timeout_secs: Some(TIMEOUT_SECS), ..Limits::default() };
        runtime.load(&place::spec(WORKER, &self.component, limits))?;
        Ok(runtime)
    }
}

#[async_trait::async_trait(?Send)]
impl Loader for Sandbox {
    async fn load(&self, store: &Store, file: &File) -> Result<Duration> {
        let platform: Arc<dyn Platform> = Arc::new(store.platform());
        let runtime = self.runtime(Arc::new(Outside(platform.clone())))?;
        let began = Instant::now();
        loop {
            let called = runtime.batch(WORKER, vec![event(&store.etag, file)]).await;
            match called.result.context("load-scores failed")?.as_slice() {
                [Disposition::Ack | Disposition::Retry(_)] => {}
                other => bail!("load-scores answered {other:?}"),
            }
            if rows(&*platform).await? == Some(file.rows as u64) {
                return Ok(began.elapsed());
            }
        }
    }
}

/// The rows before the worker's progress.
async fn rows(platform: &dyn Platform) -> Result<Option<u64>> {
    let key = Key { pk: format!("FILE#{BUCKET}/{KEY}"), sk: "progress".to_owned() };
    let read = BatchGet { table: TABLE.to_owned(), keys: vec![key] };
    let mut items = platform.table_batch_get(Caller::client(WORKER), read).await?;
    let item = items.pop().flatten().map(|item| serde_json::from_str::<Value>(&item)).transpose()?;
    Ok(item.and_then(|item| item.pointer("/position/counts/rows")?.as_u64()))
}

fn event(etag: &str, file: &File) -> Event {
    let created = json!({
        "bucket": BUCKET, "key": KEY, "size": file.bytes, "etag": etag, "sequencer": "1",
        "eventName": "ObjectCreated:Put", "eventTime": "2024-01-15T10:30:10.000Z",
    });
    Event {
        id: "1".to_owned(),
        source: format!("s3:{BUCKET}"),
        ordering_key: None,
        payload: Payload::Json(created.to_string()),
        attributes: Vec::new(),
        attempt: 1,
        time_ms: 1_705_314_610_000,
        correlation_id: "bench".to_owned(),
        traceparent: None,
    }
}

/// The runtime's host over a store.
struct Outside(Arc<dyn Platform>);

#[async_trait::async_trait]
impl Host for Outside {
    fn platform(&self) -> &Arc<dyn Platform> {
        &self.0
    }

    async fn open_cache(&self, _: &str, _: &str, _: &str) -> Option<Arc<dyn CacheBackend>> {
        None
    }

    fn variable(&self, _: &str, _: &str) -> Option<String> {
        None
    }

    async fn send_http(&self, _: &str, _: &str, _: http::Request<Bytes>) -> Result<http::Response<Bytes>, SendError> {
        Err(SendError { kind: SendErrorKind::Denied, message: "no worker of scoring sends requests".to_owned() })
    }

    fn log(&self, _: &str, _: &str, _: &str) {}
}
