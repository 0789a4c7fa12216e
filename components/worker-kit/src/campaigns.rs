//! The documents of campaigns, and their keys in the cache, for the workers that read them cache-aside.

use crate::cache::Cache;
use crate::platform::{Error, documents};
use futures::future::join;
use serde_json::Value;

/// The collection of campaigns.
const COLLECTION: &str = "campaigns";
/// Seconds for which a campaign stays cached (data flow: one hour).
const CACHE_SECONDS: u32 = 3600;

/// The key of a campaign in the cache. Ids and slugs share the keys: the id of one campaign may be the slug of another.
pub fn key(slug_or_id: &str) -> String {
    format!("campaign:{slug_or_id}")
}

/// The first campaign that a filter matches, as JSON text.
///
/// # Errors
/// When the documents cannot be read.
pub async fn find(filter: &Value) -> Result<Option<String>, Error> {
    documents::find_one(COLLECTION.to_owned(), filter.to_string()).await
}

/// Caches a campaign under two keys. A broken cache only causes a warning.
pub async fn keep(cache: &Cache<'_>, [one, other]: [&str; 2], campaign: &[u8]) {
    join(cache.set(one, campaign, CACHE_SECONDS), cache.set(other, campaign, CACHE_SECONDS)).await;
}
