//! Outbound HTTP policy. A component calls a service by the name of a virtual host. This crate makes the call:
//! it checks the component's `allowed_outbound_hosts`, waits for the service's rate limit, adds the app-to-app token,
//! sends the request upstream, and retries transient failures.
//!
//! All components and instances share it, so that a rate limit holds for the whole host and the key stays out of
//! sandboxes.

mod allowed_hosts;
mod attempt;
mod call;
mod config;
mod limiter;
mod retry;
mod signer;
#[cfg(test)]
mod tests;

pub use allowed_hosts::{AllowedHosts, InvalidHost};
pub use attempt::MAX_BODY_BYTES;
pub use call::{SendError, Sent};
pub use config::{LimitBy, RateLimit, ServiceConfig};
pub use retry::ATTEMPTS;
pub use signer::{Claims, ISSUER, LIFETIME, Signer, SignerError};

use http::Uri;
use limiter::Limiter;
use std::collections::HashMap;

/// All services, by virtual host.
pub struct Services {
    by_host: HashMap<String, Service>,
    signer: Signer,
    client: reqwest::Client,
}

/// One service with the limit that all its callers share.
struct Service {
    config: ServiceConfig,
    limiter: Option<Limiter>,
}

impl Services {
    /// Opens no connection yet. Fails where the machine has no usable TLS set-up.
    pub fn new(services: Vec<ServiceConfig>, signer: Signer) -> Result<Self, reqwest::Error> {
        // A redirect could lead the token to another host, so the component gets to see it. Services stand next to this
        // host: a proxy for the world outside is not for them.
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build()?;
        let service = |config: ServiceConfig| {
            (config.host.to_lowercase(), Service { limiter: config.rate_limit.map(Limiter::new), config })
        };
        describe_metrics();
        Ok(Self { by_host: services.into_iter().map(service).collect(), signer, client })
    }

    /// The name of the service that a URL leads to; `None` if it leads elsewhere.
    pub fn name(&self, uri: &Uri) -> Option<&str> {
        self.find(uri).map(|service| service.config.name.as_str())
    }

    /// The key that tokens are signed with.
    pub fn signer(&self) -> &Signer {
        &self.signer
    }

    fn find(&self, uri: &Uri) -> Option<&Service> {
        self.by_host.get(&uri.host()?.to_lowercase())
    }
}

/// Attempts, by service and status (or `connection`, `time-out`).
const REQUESTS: &str = "registration_service_requests_total";
/// Attempts after the first, by service.
const RETRIES: &str = "registration_service_retries_total";
/// From the component's call to its answer, by service.
const DURATION: &str = "registration_service_duration_seconds";
/// Time in line for the rate limit, by service.
const LIMITED: &str = "registration_service_limited_seconds";

fn describe_metrics() {
    metrics::describe_counter!(REQUESTS, "Requests sent to services, each try counted");
    metrics::describe_counter!(RETRIES, "Requests to services that were tried again");
    metrics::describe_histogram!(DURATION, metrics::Unit::Seconds, "Calls of services, retries and waits included");
    metrics::describe_histogram!(LIMITED, metrics::Unit::Seconds, "Waits for the rate limits of services");
}
