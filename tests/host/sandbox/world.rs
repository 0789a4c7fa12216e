//! A host for the sandbox that tests can read and that fails on demand.

use bytes::Bytes;
use host_adapters_records::cache::CacheBackend;
use host_adapters_records::service::{CallService, ServiceResponse};
use host_adapters_records::{Caller, Error, ErrorKind, Platform, table};
use host_adapters_runtime::host::{Host, SendError, SendErrorKind};
use std::sync::{Arc, Mutex};

/// The host of the probe. It has one variable, one table (`present`), one service that responds (`up`) and one host in
/// the open web (`http://up.example`).
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

    async fn send_http(
        &self,
        _: &str,
        _: &str,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, SendError> {
        let failed = |kind| Err(SendError { kind, message: "as the test has it".to_owned() });
        match request.uri().host().unwrap() {
            "up.example" => Ok(http::Response::new(Bytes::new())),
            "down.example" => failed(SendErrorKind::Connection),
            "slow.example" => failed(SendErrorKind::TimedOut),
            _ => failed(SendErrorKind::Denied),
        }
    }

    fn log(&self, _: &str, _: &str, line: &str) {
        self.lines.lock().unwrap().push(line.to_owned());
    }
}

/// A platform with the table `present`, whose items name the caller; the table `down` is down. The service `up` repeats
/// its request and names the caller; `limiting`, `busy` and `down` fail as they are named. All other functions are denied,
/// as a host denies functions that it does not implement.
pub struct OneTable;

#[async_trait::async_trait]
impl Platform for OneTable {
    async fn table_batch_get(&self, caller: Caller<'_>, args: table::BatchGet) -> Result<Vec<Option<String>>, Error> {
        let name = caller.name;
        match args.table.as_str() {
            "present" => Ok(args.keys.iter().map(|key| Some(format!("{}/{} for {name}", key.pk, key.sk))).collect()),
            "down" => Err(Error::new(ErrorKind::Unavailable, "the table is down")),
            _ => Err(Error::new(ErrorKind::Denied, "not granted")),
        }
    }

    async fn service_call(&self, caller: Caller<'_>, args: CallService) -> Result<ServiceResponse, Error> {
        let CallService { service, request } = args;
        let status = match service.as_str() {
            "up" => 200,
            "limiting" => 429,
            "busy" => 503,
            "down" => return Err(Error::new(ErrorKind::Unavailable, "the service is down")),
            _ => return Err(Error::new(ErrorKind::Denied, "not granted")),
        };
        let body = format!("{} {} for {} {}", request.method, request.path, caller.name, caller.digest);
        Ok(ServiceResponse { status, headers: request.headers, body })
    }
}
