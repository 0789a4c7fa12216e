//! The configuration of one service.

use host_adapters_settings::Words;
use std::num::NonZeroU32;
use std::time::Duration;

/// A service that components call by its name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ServiceConfig {
    /// Its name: what components call it by, the metric label, and the `aud` of the tokens for it.
    pub name: String,
    /// Its base URL; a path in it is put before the path of each request.
    pub upstream: String,
    /// How many requests it takes; any number if `None`.
    pub rate_limit: Option<RateLimit>,
    /// How long one try may take.
    pub try_timeout: Duration,
}

impl Words for LimitBy {
    const WORDS: &'static [(&'static str, Self)] = &[("campaign", Self::Campaign), ("service", Self::Service)];
}

/// How many requests a service takes in any second.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RateLimit {
    /// Requests a second, retries included.
    pub per_sec: NonZeroU32,
    /// What the number holds for.
    pub by: LimitBy,
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
