//! The configuration of one service.

use host_adapters_settings::{Value, Words, settings};
use std::num::NonZeroU32;
use std::time::Duration;

/// A service that components call by its name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ServiceConfig {
    /// Its name: what components call it by, the metric label, and the `aud` of the tokens for it.
    pub name: String,
    /// Its base URL, before the path of each request; the path `/` is the URL as it is written. Of a secret one components
    /// and logs see no part. While it is empty, the service is not set up.
    pub upstream: Value,
    /// How it is called.
    pub settings: ServiceSettings,
}

settings! {
    /// How a service is called.
    pub struct ServiceSettings {
        /// What proves who calls: a token of the host's (`"app-to-app"`), or nothing but the address (`"none"`), as of a
        /// webhook.
        pub auth: Auth = Auth::AppToApp, ();
        /// Requests in any second, retries included; any number if it is not given.
        pub rate_limit_per_sec: Option<u32> = None, 1..=1_000_000;
        /// Whether the limit holds for each campaign (the first segment of the path) or for the service.
        pub rate_limit_by: LimitBy = LimitBy::Service, ();
        /// How long one attempt may take, in seconds. Three attempts and the waits between them fit into the usual wall
        /// time of a request.
        pub attempt_timeout_secs: u32 = 5, 1..=300;
    }
}

impl ServiceSettings {
    /// How many requests it takes; any number if `None`.
    pub(super) fn rate_limit(&self) -> Option<RateLimit> {
        let per_sec = self.rate_limit_per_sec.and_then(NonZeroU32::new)?;
        Some(RateLimit { per_sec, by: self.rate_limit_by })
    }

    /// How long one attempt may take.
    pub(super) fn attempt_timeout(&self) -> Duration {
        Duration::from_secs(self.attempt_timeout_secs.into())
    }
}

/// What proves to a service who calls.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Auth {
    /// A token that the host signs.
    #[default]
    AppToApp,
    /// Only the address, as for a webhook: it is a third party's service, and anybody who knows the address may call
    /// it.
    None,
}

impl Words for Auth {
    const WORDS: &'static [(&'static str, Self)] = &[("app-to-app", Self::AppToApp), ("none", Self::None)];
}

impl Words for LimitBy {
    const WORDS: &'static [(&'static str, Self)] = &[("campaign", Self::Campaign), ("service", Self::Service)];
}

/// How many requests a service takes in any second.
#[derive(Clone, Copy)]
pub(super) struct RateLimit {
    /// Requests a second, retries included.
    pub(super) per_sec: NonZeroU32,
    /// What the number holds for.
    pub(super) by: LimitBy,
}

/// What a rate limit holds for.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum LimitBy {
    /// Each campaign by itself: the first segment of the path is its id.
    Campaign,
    /// The service as a whole.
    #[default]
    Service,
}

/// Checks the base URL of a service. The path of a request is appended to it, so it has a host and ends with its path.
///
/// # Errors
/// The fault.
pub fn check_upstream(upstream: &str) -> Result<(), &'static str> {
    let url: reqwest::Url = upstream.parse().map_err(|_| "is not an http or https URL")?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("is not an http or https URL");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("has a user or password; the host authenticates with tokens of its own, so leave them out");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("has a query or fragment; paths are appended to it, so leave them out");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check_upstream;

    #[test]
    fn an_upstream_has_a_host_and_ends_with_its_path() {
        for upstream in ["http://127.0.0.1:8081", "https://entry.example/api/"] {
            assert_eq!(check_upstream(upstream), Ok(()));
        }
        for (upstream, fault) in [
            ("http://", "is not an http"),
            ("http:///", "is not an http"),
            ("http://h:99999", "is not an http"),
            ("http://[::1", "is not an http"),
            ("ftp://h", "is not an http"),
            ("127.0.0.1:80", "is not an http"),
            ("http://u:p@h", "has a user"),
            ("http://h/api?key=1", "has a query"),
            ("http://h/#x", "has a query"),
        ] {
            assert!(check_upstream(upstream).is_err_and(|it| it.starts_with(fault)), "{upstream}");
        }
    }
}
