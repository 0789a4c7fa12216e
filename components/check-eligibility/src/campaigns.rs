//! Reads campaigns, cache-aside: Redis first, then the documents, whose result is then cached.
//!
//! With a broken cache, or a cached value that is not a campaign, the documents are read and a warning is logged. The
//! instance does not cache campaigns itself, so deleting one from the cache makes a change effective everywhere.

use crate::world::{Outage, World};
use registration::campaign::Campaign;
use serde_json::json;
use worker_kit::campaigns::key;

/// The campaign with this slug; `None` if there is none.
pub async fn find(world: &impl World, slug: &str) -> Result<Option<Campaign>, Outage> {
    let cached = key(slug);
    if let Some(text) = world.cached(&cached).await {
        match parse(&text) {
            // Ids and slugs share the keys of the cache: the id of one campaign may be the slug of another.
            Ok(campaign) if campaign.slug == slug => return Ok(Some(campaign)),
            Ok(_) => {}
            Err(problem) => world.warn("Cached campaign cannot be read", json!({"key": cached, "problem": problem})),
        }
    }
    let Some(text) = world.campaign(slug).await? else { return Ok(None) };
    let malformed = |problem| Outage::new("documents:campaigns", format!("campaign {slug:?} is malformed: {problem}"));
    let campaign = parse(text.as_bytes()).map_err(malformed)?;
    world.cache([&cached, &key(&campaign.id)], text.as_bytes()).await;
    Ok(Some(campaign))
}

/// On an error the text is read again, more slowly, to name the member that is wrong.
fn parse(text: &[u8]) -> Result<Campaign, String> {
    serde_json::from_slice(text).map_err(|_| {
        let named = serde_path_to_error::deserialize::<_, Campaign>(&mut serde_json::Deserializer::from_slice(text));
        named.err().map_or_else(|| "there is more behind it".to_owned(), |error| error.to_string())
    })
}
