//! The interface through which a decision looks up facts, and its real implementation.

use serde_json::{Value, json};
use worker_kit::{
    Call, Span,
    cache::Cache,
    campaigns,
    platform::{
        Error, identity,
        identity::Claims,
        table::{self, Key},
    },
    services::{EntryService, UserService, entry::Invitee},
};

/// The table of entries.
const TABLE: &str = "demand-table";

/// A dependency of the decision has failed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Outage {
    /// The dependency: `identity`, `documents:campaigns`, …
    pub dependency: &'static str,
    /// The error.
    pub problem: String,
}

impl Outage {
    /// An outage of `dependency`.
    pub fn new(dependency: &'static str, problem: impl ToString) -> Self {
        Self { dependency, problem: problem.to_string() }
    }
}

/// The surroundings of a decision. Tests have a fake.
#[expect(async_fn_in_trait, reason = "components are single-threaded: no future needs to be Send")]
pub trait World {
    /// Ends when dropped.
    type Span;

    /// The claims of a token, or why it is not accepted.
    async fn verify(&self, token: &str) -> Result<Claims, Error>;
    /// A cached campaign; `None` if there is none or the cache is broken.
    async fn cached(&self, key: &str) -> Option<Vec<u8>>;
    /// Caches a campaign under two keys. A broken cache only causes a warning.
    async fn cache(&self, keys: [&str; 2], campaign: &[u8]);
    /// The campaign with this slug, as JSON text.
    async fn campaign(&self, slug: &str) -> Result<Option<String>, Outage>;
    /// Whether each item exists in the table of entries.
    async fn entries(&self, keys: Vec<Key>) -> Result<Vec<bool>, Outage>;
    /// Whether the fan is on the campaign's invite list.
    async fn is_invited(&self, campaign_id: &str, fan: &Invitee) -> Result<bool, Outage>;
    /// Whether the fan's identity is verified, which the campaign asks for.
    async fn is_verified(&self, campaign_id: &str, global_user_id: &str) -> Result<bool, Outage>;
    /// Starts a span about a campaign and a fan.
    fn span(&self, name: &'static str, campaign_id: &str, global_user_id: &str) -> Self::Span;
    /// Logs what happened.
    fn info(&self, message: &str, data: Value);
    /// Logs a problem that was handled.
    fn warn(&self, message: &str, data: Value);
    /// Logs what needs attention.
    fn error(&self, message: &str, data: Value);
}

/// The real surroundings of one call.
#[derive(Debug)]
pub struct Live<'a> {
    call: &'a Call,
    cache: Cache<'a>,
}

impl<'a> Live<'a> {
    /// The surroundings of a call.
    pub fn new(call: &'a Call) -> Self {
        Self { call, cache: Cache::new(call) }
    }
}

impl<'a> World for Live<'a> {
    type Span = Span<'a>;

    async fn verify(&self, token: &str) -> Result<Claims, Error> {
        identity::verify(token.to_owned()).await
    }

    async fn cached(&self, key: &str) -> Option<Vec<u8>> {
        self.cache.get(key).await
    }

    async fn cache(&self, keys: [&str; 2], campaign: &[u8]) {
        campaigns::keep(&self.cache, keys, campaign).await;
    }

    async fn campaign(&self, slug: &str) -> Result<Option<String>, Outage> {
        let found = campaigns::find(&json!({"slug": slug})).await;
        found.map_err(|error| Outage::new("documents:campaigns", error))
    }

    async fn entries(&self, keys: Vec<Key>) -> Result<Vec<bool>, Outage> {
        let items = table::batch_get(TABLE.to_owned(), keys).await;
        let items = items.map_err(|error| Outage::new("table:demand-table", error))?;
        Ok(items.iter().map(Option::is_some).collect())
    }

    async fn is_invited(&self, campaign_id: &str, fan: &Invitee) -> Result<bool, Outage> {
        let outage = |error| Outage::new("service:entry", error);
        EntryService::new(self.call).is_invited(campaign_id, fan).await.map_err(outage)
    }

    async fn is_verified(&self, campaign_id: &str, global_user_id: &str) -> Result<bool, Outage> {
        let outage = |error| Outage::new("service:user", error);
        UserService::new(&self.call.about(campaign_id)).is_verified(global_user_id).await.map_err(outage)
    }

    fn span(&self, name: &'static str, campaign_id: &str, global_user_id: &str) -> Span<'a> {
        let mut span = self.call.span(name);
        span.set("span.campaignId", campaign_id);
        span.set("entry.campaignId", campaign_id);
        span.set("entry.userId", global_user_id);
        span
    }

    fn info(&self, message: &str, data: Value) {
        self.call.info(message, data);
    }

    fn warn(&self, message: &str, data: Value) {
        self.call.warn(message, data);
    }

    fn error(&self, message: &str, data: Value) {
        self.call.error(message, data);
    }
}
