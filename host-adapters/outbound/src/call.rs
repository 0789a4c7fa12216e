//! One call of a component, with its retries.

use super::attempt::{Attempt, Failure};
use super::request::Outgoing;
use super::{DURATION, LIMITED, RETRIES, Service, Services, retry};
use backon::Retryable;
use host_adapters_records::service::{ServiceRequest, ServiceResponse};
use host_adapters_records::{Error, ErrorKind};
use http::Response;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// The last answer to a call.
#[derive(Debug)]
pub struct Sent {
    /// The response, of any status.
    pub response: ServiceResponse,
    /// How often the request was sent.
    pub attempts: u32,
    /// How long it waited for the rate limit, all attempts together.
    pub limited: Duration,
}

/// Why a call has no answer.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SendError {
    /// Nothing is declared by this name.
    #[error("there is no service `{0}`; declare it under [application.tool.host-adapters.services]")]
    Unknown(String),
    /// It is declared, but its upstream is empty.
    #[error("service {0} is not set up: its upstream is empty")]
    NotSetUp(String),
    /// The service could not be reached, or hung up.
    #[error("no connection to service {service}: {reason}")]
    Connection {
        /// The service.
        service: String,
        /// The error of the network.
        reason: String,
    },
    /// No answer in time.
    #[error("service {0} did not answer in time")]
    TimedOut(String),
    /// The answer does not fit into memory.
    #[error("the answer of service {0} is larger than 16 MiB")]
    TooLarge(String),
    /// The request cannot be sent as it is, or no token could be created for it.
    #[error("the call of service {service} cannot be sent: {reason}")]
    Invalid {
        /// The service.
        service: String,
        /// The fault.
        reason: String,
    },
}

/// Only a service that is down as a whole is `unavailable`.
impl From<SendError> for Error {
    fn from(error: SendError) -> Self {
        let kind = match &error {
            SendError::Unknown(_) | SendError::NotSetUp(_) => ErrorKind::NotFound,
            SendError::Connection { .. } | SendError::TimedOut(_) => ErrorKind::Unavailable,
            SendError::TooLarge(_) | SendError::Invalid { .. } => ErrorKind::Invalid,
        };
        Self::new(kind, error.to_string())
    }
}

impl Services {
    /// Calls a service by its name, for `component`: waits for the service's limit, adds the token, if it takes one, and
    /// makes up to three attempts. Returns the last response, or why there was none. Headers such as `traceparent` are passed on as
    /// they are. Whether the component may call is checked before.
    ///
    /// May take long where the limit or the service is slow: a caller whose time is up drops the future, which gives up
    /// its place in the line.
    pub async fn send(&self, component: &str, service: &str, request: ServiceRequest) -> Result<Sent, SendError> {
        let service = self.by_name.get(service).ok_or_else(|| SendError::Unknown(service.to_owned()))?;
        let name = &service.config.name;
        if service.config.upstream.expose().is_empty() {
            return Err(SendError::NotSetUp(name.clone()));
        }
        let operation = self.operations.of(&request);
        let request = Outgoing::new(&service.config, request);
        let request = request.map_err(|reason| SendError::Invalid { service: name.clone(), reason })?;
        let started = Instant::now();
        let sent = self.try_all(service, component, &operation, &request).await;
        metrics::histogram!(DURATION, "service" => name.clone()).record(started.elapsed());
        sent
    }

    async fn try_all(
        &self,
        service: &Service,
        component: &str,
        operation: &str,
        request: &Outgoing,
    ) -> Result<Sent, SendError> {
        let name = &service.config.name;
        let (attempts, limited) = (AtomicU32::new(0), AtomicU64::new(0));
        let attempt = Attempt { services: self, service, component, operation, request };
        let one = || async {
            // Every attempt is a request to the service, so every attempt waits for the rate limit.
            let waited = service.wait(&request.path).await;
            limited.fetch_add(micros(waited), Ordering::Relaxed);
            attempts.fetch_add(1, Ordering::Relaxed);
            attempt.send().await
        };
        let answer = one
            .retry(retry::waits())
            .sleep(tokio::time::sleep)
            .when(|failure| failure.retryable)
            .adjust(|failure, wait| retry::wait(wait?, failure.retry_after))
            .notify(|failure, wait| note_retry(name, failure, wait))
            .await;
        let response = answer.or_else(|failure| failure.answer)?;
        Ok(Sent {
            response: told(response),
            attempts: attempts.into_inner(),
            limited: Duration::from_micros(limited.into_inner()),
        })
    }
}

impl Service {
    /// Waits for the rate limit; says how long it took.
    async fn wait(&self, path: &str) -> Duration {
        let Some(limiter) = &self.limiter else { return Duration::ZERO };
        let started = Instant::now();
        limiter.wait(path).await;
        let waited = started.elapsed();
        metrics::histogram!(LIMITED, "service" => self.config.name.clone()).record(waited);
        waited
    }
}

/// The response for a component. Bytes that are not UTF-8 are not JSON either: they only have to be shown.
fn told(response: Response<Vec<u8>>) -> ServiceResponse {
    let (parts, body) = response.into_parts();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let header =
        |(name, value): (&http::HeaderName, &http::HeaderValue)| (name.as_str().to_owned(), text(value.as_bytes()));
    ServiceResponse {
        status: parts.status.as_u16(),
        headers: parts.headers.iter().map(header).collect(),
        body: String::from_utf8(body).unwrap_or_else(|error| text(error.as_bytes())),
    }
}

fn note_retry(service: &str, failure: &Failure, wait: Duration) {
    metrics::counter!(RETRIES, "service" => service.to_owned()).increment(1);
    tracing::warn!(service, reason = failure.reason(), wait_ms = wait.as_millis(), "service call is tried again");
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
