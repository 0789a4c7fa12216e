//! A host for the sandbox that tests can read and that fails on demand.

use bytes::Bytes;
use host_adapters_records::cache::CacheBackend;
use host_adapters_records::{Error, ErrorKind, Platform, table};
use host_adapters_runtime::host::{Host, SendError, SendErrorKind, Sent};
use std::sync::{Arc, Mutex};

/// The host of the probe. It has one variable, one table (`present`) and one service that responds
/// (`http://up.example`).
pub struct World {
    platform: Arc<dyn Platform>,
    lines: Mutex<Vec<String>>,
}

impl World {
    pub fn new() -> Arc<Self> {
        Self::with(Arc::new(OneTable))
    }

    /// With a platform of the test's own.
    pub fn with(platform: Arc<dyn Platform>) -> Arc<Self> {
        Arc::new(Self { platform, lines: Mutex::default() })
    }

    /// The lines that guests have logged so far.
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }
}

#[async_trait::async_trait]
impl Host for World {
    fn platform(&self) -> &Arc<dyn Platform> {
        &self.platform
    }

    async fn open_cache(&self, _: &str, _: &str, _: &str) -> Option<Arc<dyn CacheBackend>> {
        None
    }

    fn variable(&self, _: &str, name: &str) -> Option<String> {
        (name == "worker_token").then(|| "secret".to_owned())
    }

    async fn send_http(&self, _: &str, _: &str, request: http::Request<Bytes>) -> Result<Sent, SendError> {
        let status = |status, outage| {
            let response = http::Response::builder().status(status).body(Bytes::new()).unwrap();
            Ok(Sent { response, outage })
        };
        let failed = |kind, outage| Err(SendError { kind, message: "as the test has it".to_owned(), outage });
        match request.uri().host().unwrap() {
            "up.example" => status(200, None),
            "busy.example" => status(503, Some("service:busy".to_owned())),
            "down.example" => failed(SendErrorKind::Connection, Some("service:down".to_owned())),
            "slow.example" => failed(SendErrorKind::TimedOut, None),
            _ => failed(SendErrorKind::Denied, None),
        }
    }

    fn log(&self, _: &str, _: &str, line: &str) {
        self.lines.lock().unwrap().push(line.to_owned());
    }
}

/// A platform with the table `present`, whose items name the caller; the table `down` is down. All other functions are
/// denied, as a host denies functions that it does not implement.
pub struct OneTable;

#[async_trait::async_trait]
impl Platform for OneTable {
    async fn table_batch_get(&self, caller: &str, args: table::BatchGet) -> Result<Vec<Option<String>>, Error> {
        match args.table.as_str() {
            "present" => Ok(args.keys.iter().map(|key| Some(format!("{}/{} for {caller}", key.pk, key.sk))).collect()),
            "down" => Err(Error::new(ErrorKind::Unavailable, "the table is down")),
            _ => Err(Error::new(ErrorKind::Denied, "not granted")),
        }
    }
}
