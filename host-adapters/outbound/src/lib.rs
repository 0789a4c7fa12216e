//! Outbound HTTP.
//!
//! - [`Services`]: calls of services by their names. Each waits for the service's rate limit, carries the app-to-app
//!   token, and is retried after a transient failure. All components and instances share it, so that a rate limit holds
//!   for the whole host, and keys and secret addresses stay out of sandboxes.
//! - [`Web`]: requests of components to other hosts, as their `allowed_outbound_hosts` permit.

mod allowed_hosts;
mod attempt;
mod call;
mod config;
mod exchange;
mod limiter;
mod operations;
mod request;
mod retry;
mod secrets;
mod signer;
#[cfg(test)]
mod tests;
mod web;

pub use allowed_hosts::{AllowedHosts, InvalidHost};
pub use call::{SendError, Sent};
pub use config::{Auth, LimitBy, ServiceConfig, ServiceSettings, check_upstream};
pub use exchange::MAX_BODY_BYTES;
pub use retry::ATTEMPTS;
pub use signer::{Claims, ISSUER, LIFETIME, Signer, SignerError};
pub use web::{Web, WebError};

use limiter::Limiter;
use operations::Operations;
use secrets::Secrets;
use std::borrow::Cow;
use std::collections::HashMap;

/// All services, by name.
pub struct Services {
    by_name: HashMap<String, Service>,
    signer: Signer,
    client: reqwest::Client,
    operations: Operations,
}

/// One service with the limit that all its callers share.
struct Service {
    config: ServiceConfig,
    limiter: Option<Limiter>,
    /// The parts of its address, if that is secret.
    address: Secrets,
}

impl Services {
    /// Opens no connection yet. Fails where the machine has no usable TLS set-up.
    pub fn new(services: Vec<ServiceConfig>, signer: Signer) -> Result<Self, reqwest::Error> {
        let service = |config: ServiceConfig| {
            let limiter = config.settings.rate_limit().map(Limiter::new);
            let address = Secrets::of_address(&config.upstream);
            (config.name.clone(), Service { config, limiter, address })
        };
        describe_metrics();
        let (by_name, client) = (services.into_iter().map(service).collect(), client().build()?);
        Ok(Self { by_name, signer, client, operations: Operations::default() })
    }

    /// The campaign that a request to a service is for; `None` where its limit is not one for each campaign.
    pub fn campaign<'p>(&self, service: &str, path: &'p str) -> Option<Cow<'p, str>> {
        let limit = self.by_name.get(service)?.config.settings.rate_limit()?;
        (limit.by == LimitBy::Campaign).then(|| limiter::campaign(path))
    }

    /// The key that tokens are signed with.
    pub fn signer(&self) -> &Signer {
        &self.signer
    }
}

/// A redirect could lead a token or a call to another host, so the component gets to see it. Services stand next to this
/// host, and Spin knows no proxies either: one in the environment is not meant for components.
fn client() -> reqwest::ClientBuilder {
    reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy()
}

/// Attempts, by service, operation and status (or `connection`, `time-out`).
const REQUESTS: &str = "registration_service_requests_total";
/// Attempts after the first, by service.
const RETRIES: &str = "registration_service_retries_total";
/// From the component's call to its answer, by service.
const DURATION: &str = "registration_service_duration_seconds";
/// Time in line for the rate limit, by service.
const LIMITED: &str = "registration_service_limited_seconds";

fn describe_metrics() {
    metrics::describe_counter!(REQUESTS, "Requests sent to services, each attempt counted");
    metrics::describe_counter!(RETRIES, "Requests to services that were tried again");
    metrics::describe_histogram!(DURATION, metrics::Unit::Seconds, "Calls of services, retries and waits included");
    metrics::describe_histogram!(LIMITED, metrics::Unit::Seconds, "Waits for the rate limits of services");
}
