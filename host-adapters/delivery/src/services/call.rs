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

/// What a component asks for.
pub struct Call<'a> {
    /// The component: `sub` of the token.
    pub component: &'a str,
    /// Where its calls may go.
    pub allowed: &'a AllowedHosts,
    /// When the component's own wall time ends: no wait and no try goes beyond.
    pub deadline: Instant,
    /// The request, with an absolute URL. `traceparent` and the like are passed on as they are.
    pub request: Request<Bytes>,
}

/// What came of a call.
#[derive(Debug)]
pub struct Outcome {
    /// The last answer, whatever its status, or why there is none.
    pub result: Result<Response<Bytes>, ServiceError>,
    /// `service:<name>` if the service is down as a whole: its source should pause rather than use up attempts.
    pub outage: Option<String>,
    /// How often the request was sent.
    pub tries: u32,
    /// How long it waited for the rate limit, all tries together.
    pub limited: Duration,
    /// From call to answer.
    pub duration: Duration,
}

/// Why a call has no answer.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ServiceError {
    /// The grant is missing.
    #[error("`{component}` may not call {host}; to allow it, add it to its allowed_outbound_hosts in spin.toml")]
    Denied {
        /// Who.
        component: String,
        /// Whom.
        host: String,
    },
    /// Nobody answers for the host.
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
    /// The wall time ended in the line for the rate limit.
    #[error("the rate limit of service {0} left no time for the call")]
    Limited(String),
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

impl Services {
    /// Calls a service: waits for its limit, adds the token, and tries up to three times.
    pub async fn send(&self, call: Call<'_>) -> Outcome {
        let started = Instant::now();
        match self.permit(&call) {
            Ok(service) => self.try_all(service, call, started).await,
            Err(error) => Outcome {
                result: Err(error),
                outage: None,
                tries: 0,
                limited: Duration::ZERO,
                duration: started.elapsed(),
            },
        }
    }

    /// Whether the component may call, and whom.
    fn permit(&self, call: &Call<'_>) -> Result<&Service, ServiceError> {
        let uri = call.request.uri();
        let host = uri.host().unwrap_or_default().to_owned();
        if !call.allowed.allows(uri) {
            return Err(ServiceError::Denied { component: call.component.to_owned(), host });
        }
        if has_dot_segment(uri) {
            return Err(ServiceError::BadPath(host));
        }
        self.find(uri).ok_or(ServiceError::Unknown(host))
    }

    async fn try_all(&self, service: &Service, call: Call<'_>, started: Instant) -> Outcome {
        let name = &service.config.name;
        let (tries, limited) = (AtomicU32::new(0), AtomicU64::new(0));
        let attempt = Attempt { services: self, service, call: &call };
        let one = || async {
            let waiting = Instant::now();
            let passed = service.wait(call.request.uri().path(), call.deadline).await;
            limited.fetch_add(micros(waiting.elapsed()), Ordering::Relaxed);
            if !passed {
                return Err(Failure::last(ServiceError::Limited(name.clone())));
            }
            tries.fetch_add(1, Ordering::Relaxed);
            attempt.send().await
        };
        let answer = one
            .retry(retry::waits())
            .sleep(tokio::time::sleep)
            .when(|failure| failure.retryable)
            // A longer wait that the service asks for is kept; one beyond the caller's time is not begun.
            .adjust(|failure, wait| {
                let wait = wait?.max(failure.retry_after.unwrap_or_default());
                (Instant::now() + wait < call.deadline).then_some(wait)
            })
            .notify(|failure, wait| note_retry(name, failure, wait))
            .await;
        let limited = Duration::from_micros(limited.into_inner());
        metrics::histogram!(LIMITED, "service" => name.clone()).record(limited);
        metrics::histogram!(DURATION, "service" => name.clone()).record(started.elapsed());
        let outage = matches!(&answer, Err(failure) if failure.outage).then(|| format!("service:{name}"));
        let result = answer.or_else(|failure| failure.answer);
        Outcome { result, outage, tries: tries.into_inner(), limited, duration: started.elapsed() }
    }
}

impl Service {
    /// Waits for the rate limit; `false` if that takes longer than there is time.
    async fn wait(&self, path: &str, deadline: Instant) -> bool {
        match &self.limiter {
            Some(limiter) => limiter.wait(path, deadline).await,
            None => true,
        }
    }
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
