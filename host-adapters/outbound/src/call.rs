//! One call of a component, with its retries.

use super::allowed_hosts::AllowedHosts;
use super::attempt::{Attempt, Failure};
use super::{DURATION, LIMITED, RETRIES, Service, Services, retry};
use backon::Retryable;
use bytes::Bytes;
use http::{Request, Response, Uri};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// The last answer to a call.
#[derive(Debug)]
pub struct Sent {
    /// The response, of any status.
    pub response: Response<Bytes>,
    /// `service:<name>` if the answer says that the whole service is down (502, 503, 504 to the last try): the source
    /// of the call should pause rather than use up attempts.
    pub outage: Option<String>,
    /// How often the request was sent.
    pub attempts: u32,
    /// How long it waited for the rate limit, all attempts together.
    pub limited: Duration,
}

/// Why a call has no answer.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SendError {
    /// The grant is missing.
    #[error("`{component}` may not call {host}; to allow it, add it to its allowed_outbound_hosts in spin.toml")]
    Denied {
        /// Who.
        component: String,
        /// Whom.
        host: String,
    },
    /// The host does not answer.
    #[error("no service has the host {0}; declare it under [application.tool.host-adapters.services]")]
    Unknown(String),
    /// The path leads out of where the service is.
    #[error("the path of a call to {0} has \".\" or \"..\" as a segment; write the path without them")]
    BadPath(String),
    /// The service could not be reached, or hung up.
    #[error("no connection to service {service}: {reason}")]
    Connection {
        /// The service.
        service: String,
        /// What the network said.
        reason: String,
    },
    /// No answer in time.
    #[error("service {0} did not answer in time")]
    TimedOut(String),
    /// The answer does not fit into memory.
    #[error("the answer of service {0} is larger than 16 MiB")]
    TooLarge(String),
    /// The request cannot be sent as it is, or no token could be made for it.
    #[error("the call of service {service} cannot be sent: {reason}")]
    Unsendable {
        /// The service.
        service: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl SendError {
    /// `service:<name>` if the error means that the whole service is down, as in [`Sent::outage`].
    pub fn outage(&self) -> Option<String> {
        match self {
            Self::Connection { service, .. } | Self::TimedOut(service) => Some(outage_of(service)),
            _ => None,
        }
    }
}

impl Services {
    /// Calls a service for `component`, which may call the `allowed` hosts: waits for the service's limit, adds the
    /// token, and makes up to three attempts. Returns the last response, or why there was none. Headers such as
    /// `traceparent` are passed on as they are.
    ///
    /// May take long where the limit or the service is slow: a caller whose time is up drops the future, which gives up
    /// its place in the line.
    pub async fn send(
        &self,
        component: &str,
        allowed: &AllowedHosts,
        request: Request<Bytes>,
    ) -> Result<Sent, SendError> {
        let service = self.permit(component, allowed, request.uri())?;
        let started = Instant::now();
        let sent = self.try_all(service, component, &request).await;
        metrics::histogram!(DURATION, "service" => service.config.name.clone()).record(started.elapsed());
        sent
    }

    /// Whether the component may call, and whom.
    fn permit(&self, component: &str, allowed: &AllowedHosts, uri: &Uri) -> Result<&Service, SendError> {
        let host = uri.host().unwrap_or_default().to_owned();
        if !allowed.allows(uri) {
            return Err(SendError::Denied { component: component.to_owned(), host });
        }
        if has_dot_segment(uri) {
            return Err(SendError::BadPath(host));
        }
        self.find(uri).ok_or(SendError::Unknown(host))
    }

    async fn try_all(&self, service: &Service, component: &str, request: &Request<Bytes>) -> Result<Sent, SendError> {
        let name = &service.config.name;
        let (attempts, limited) = (AtomicU32::new(0), AtomicU64::new(0));
        let attempt = Attempt { services: self, service, component, request };
        let one = || async {
            // Every attempt is a request to the service, so every attempt waits for the rate limit.
            let waited = service.wait(request.uri().path()).await;
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
        let outage = matches!(&answer, Err(failure) if failure.outage).then(|| outage_of(name));
        let response = answer.or_else(|failure| failure.answer)?;
        Ok(Sent {
            response,
            outage,
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

/// The reason for which a source pauses.
fn outage_of(service: &str) -> String {
    format!("service:{service}")
}

fn note_retry(service: &str, failure: &Failure, wait: Duration) {
    metrics::counter!(RETRIES, "service" => service.to_owned()).increment(1);
    tracing::warn!(service, reason = failure.reason(), wait_ms = wait.as_millis(), "service call is tried again");
}

/// Dot segments would lead out of the base path, or past the rate limit of a campaign.
fn has_dot_segment(uri: &Uri) -> bool {
    let plain = |segment: &str| segment.to_ascii_lowercase().replace("%2e", ".");
    uri.path().split(['/', '\\']).any(|segment| matches!(plain(segment).as_str(), "." | ".."))
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
