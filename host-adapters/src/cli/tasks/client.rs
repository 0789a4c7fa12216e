//! Requests about executions to a running host.

use crate::cli::operator::{Operator, Refusal, Refused};
use anyhow::{Error, Result, anyhow};
use host_adapters_platform::task::Execution;
use reqwest::{Client, Method, RequestBuilder};
use serde::Deserialize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// The first wait before an execution is looked at again; each is twice the one before.
const FIRST_LOOK: Duration = Duration::from_millis(50);
/// The longest of these waits.
const LAST_LOOK: Duration = Duration::from_secs(1);
/// How long a host may be away while an execution is waited for: it is restarted, and resumes it.
const AWAY: Duration = Duration::from_secs(60);

/// The tasks of one worker on a running host.
#[derive(Clone)]
pub(super) struct Tasks {
    operator: Operator,
    http: Client,
    worker: String,
    /// The pause that was reported last to the user.
    told: Arc<Mutex<Option<String>>>,
}

/// A page of executions.
#[derive(Deserialize)]
pub(super) struct Page {
    pub(super) executions: Vec<Execution>,
    pub(super) next: Option<String>,
}

impl Tasks {
    pub(super) fn new(operator: Operator, worker: String) -> Self {
        Self { operator, http: Client::new(), worker, told: Arc::default() }
    }

    /// The worker, as it was named.
    pub(super) fn worker(&self) -> &str {
        &self.worker
    }

    /// Starts an execution with this input, or finds the one that was started before.
    pub(super) async fn start(&self, name: &str, input: String) -> Result<Result<Execution, Refusal>> {
        let request = self.request(Method::POST, name).header("content-type", "application/json").body(input);
        self.operator.read(request).await
    }

    pub(super) async fn show(&self, name: &str) -> Result<Execution> {
        self.expect(self.request(Method::GET, name)).await
    }

    pub(super) async fn stop(&self, name: &str) -> Result<Execution> {
        self.expect(self.request(Method::DELETE, name)).await
    }

    /// A page of executions, of these query parameters.
    pub(super) async fn list(&self, query: &[(&str, String)]) -> Result<Page> {
        let query: Vec<_> = query.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        let path = format!("{}?{}", self.path(""), query.join("&"));
        self.expect(self.operator.request(&self.http, Method::GET, &path)).await
    }

    /// Waits until an execution has ended. A pause that blocks all executions of the worker is reported with `say`,
    /// once for all of them.
    pub(super) async fn ended(&self, mut execution: Execution, say: impl Fn(&str)) -> Result<Execution> {
        let (mut wait, mut answered) = (FIRST_LOOK, Instant::now());
        while !execution.state.has_ended() {
            if let Some(line) = self.news_of_a_pause(&execution) {
                say(&line);
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(LAST_LOOK);
            match self.show(&execution.name).await {
                Ok(seen) => (execution, answered) = (seen, Instant::now()),
                Err(error) if error.is::<Refused>() || answered.elapsed() > AWAY => return Err(error),
                Err(_) => {}
            }
        }
        Ok(execution)
    }

    /// A line about the pause of the worker's source, if there is one that was not reported yet.
    fn news_of_a_pause(&self, execution: &Execution) -> Option<String> {
        let paused = execution.paused.as_ref()?;
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.as_ref() == Some(&paused.reason) {
            return None;
        }
        *told = Some(paused.reason.clone());
        Some(format!("host-adapters: {} is paused, and goes on once this is over: {}", self.worker, paused.reason))
    }

    async fn expect<T: serde::de::DeserializeOwned>(&self, request: RequestBuilder) -> Result<T> {
        self.operator.read(request).await?.map_err(refused)
    }

    fn request(&self, method: Method, name: &str) -> RequestBuilder {
        self.operator.request(&self.http, method, &self.path(name))
    }

    /// The path of the execution `name`, or of all if it is empty. A name with characters that a path does not have is
    /// refused by the host.
    fn path(&self, name: &str) -> String {
        let parts = ["tasks", &self.worker, name].into_iter().filter(|part| !part.is_empty());
        parts.map(encoded).collect::<Vec<_>>().join("/")
    }
}

/// The error of a refusal. A worker that is not there, or does no tasks, means that the command cannot run.
pub(super) fn refused(refusal: Refusal) -> Error {
    match refusal.is_of_nothing() {
        true => anyhow!("{refusal}"),
        false => Refused(refusal.to_string()).into(),
    }
}

/// A segment of a path, or a value in a query.
fn encoded(segment: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    segment
        .bytes()
        .map(|byte| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
