//! Reads campaigns by their ids, cache-aside, as check-eligibility does by their slugs: a campaign that one of them has
//! cached is there for the other.
//!
//! With a broken cache, or a cached value that is not a campaign, the documents are read and a warning is logged.

use pipeline::object::Object;
use serde_json::{Value, json};
use worker_kit::campaigns::key;
use worker_kit::platform::Error;

/// Where campaigns are. Tests have a fake.
#[expect(async_fn_in_trait, reason = "components are single-threaded: no future needs to be Send")]
pub trait Store {
    /// A cached campaign; `None` if there is none or the cache is broken.
    async fn cached(&self, key: &str) -> Option<Vec<u8>>;
    /// Caches a campaign under two keys. A broken cache only causes a warning.
    async fn keep(&self, keys: [&str; 2], campaign: &[u8]);
    /// The document of the campaign with this id, as JSON text.
    async fn document(&self, id: &str) -> Result<Option<String>, Error>;
    /// Logs a problem that was handled.
    fn warn(&self, message: &str, data: Value);
}

/// The document of the campaign with this id, as JSON text; `None` if there is none.
///
/// # Errors
/// When it is not cached and the documents cannot be read.
pub async fn find(store: &impl Store, id: &str) -> Result<Option<String>, Error> {
    let cached = key(id);
    if let Some(bytes) = store.cached(&cached).await {
        match read(bytes) {
            // Ids and slugs share the keys of the cache: the id of one campaign may be the slug of another.
            Some((text, campaign)) if campaign.text("id").as_deref() == Some(id) => return Ok(Some(text)),
            Some(_) => {}
            None => store.warn("Cached campaign cannot be read", json!({"key": cached, "problem": "not an object"})),
        }
    }
    let Some(text) = store.document(id).await? else { return Ok(None) };
    // A campaign without a slug cannot be found by check-eligibility: it is malformed, and not cached.
    if let Some(slug) = Object::parse(&text).and_then(|campaign| campaign.text("slug")) {
        store.keep([&cached, &key(&slug)], text.as_bytes()).await;
    }
    Ok(Some(text))
}

/// A campaign as text and as an object; `None` if it is not one.
fn read(bytes: Vec<u8>) -> Option<(String, Object)> {
    let text = String::from_utf8(bytes).ok()?;
    let campaign = Object::parse(&text)?;
    Some((text, campaign))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use futures::executor::block_on;
    use std::cell::RefCell;
    use std::collections::BTreeMap;
    use worker_kit::platform::ErrorKind;

    /// A cache and the documents of campaigns.
    #[derive(Default)]
    struct World {
        cache: RefCell<BTreeMap<String, Vec<u8>>>,
        documents: BTreeMap<&'static str, Value>,
        down: Option<Error>,
        reads: RefCell<Vec<String>>,
        warnings: RefCell<Vec<Value>>,
    }

    impl World {
        fn with(campaign: Value) -> Self {
            Self { documents: BTreeMap::from([("c", campaign)]), ..Self::default() }
        }

        fn cache(self, key: &str, value: &[u8]) -> Self {
            self.cache.borrow_mut().insert(key.to_owned(), value.to_vec());
            self
        }

        fn found(&self) -> Result<Option<String>, Error> {
            block_on(find(self, "c"))
        }
    }

    impl Store for World {
        async fn cached(&self, key: &str) -> Option<Vec<u8>> {
            self.cache.borrow().get(key).cloned()
        }

        async fn keep(&self, keys: [&str; 2], campaign: &[u8]) {
            keys.into_iter().for_each(|key| _ = self.cache.borrow_mut().insert(key.to_owned(), campaign.to_vec()));
        }

        async fn document(&self, id: &str) -> Result<Option<String>, Error> {
            self.reads.borrow_mut().push(id.to_owned());
            match &self.down {
                Some(error) => Err(error.clone()),
                None => Ok(self.documents.get(id).map(Value::to_string)),
            }
        }

        fn warn(&self, _: &str, data: Value) {
            self.warnings.borrow_mut().push(data);
        }
    }

    fn campaign() -> Value {
        json!({"id": "c", "slug": "presale", "options": {"dataPipeline": false}})
    }

    #[test]
    fn a_campaign_is_read_once_and_then_cached_by_id_and_slug() {
        let world = World::with(campaign());
        for _ in 0..2 {
            assert_eq!(world.found(), Ok(Some(campaign().to_string())));
        }
        assert_eq!(*world.reads.borrow(), ["c"]);
        assert_eq!(world.cache.borrow().keys().collect::<Vec<_>>(), ["campaign:c", "campaign:presale"]);
    }

    #[test]
    fn a_cached_campaign_whose_slug_is_the_id_is_not_taken_for_it() {
        let other = json!({"id": "d", "slug": "c"}).to_string();
        let world = World::with(campaign()).cache("campaign:c", other.as_bytes());
        assert_eq!(world.found(), Ok(Some(campaign().to_string())));
        assert!(world.warnings.borrow().is_empty());
    }

    #[test]
    fn a_cached_value_that_is_not_a_campaign_is_read_again_with_a_warning() {
        for value in [b"{".as_slice(), b"[]", b"\"c\"", b"\xff"] {
            let world = World::with(campaign()).cache("campaign:c", value);
            assert_eq!(world.found(), Ok(Some(campaign().to_string())));
            assert_eq!(*world.warnings.borrow(), [json!({"key": "campaign:c", "problem": "not an object"})]);
        }
    }

    #[test]
    fn a_campaign_that_is_not_there_or_cannot_be_read_is_told_apart() {
        assert_eq!(World::default().found(), Ok(None));
        let down = Error::new(ErrorKind::Unavailable, "documents campaigns: down");
        assert_eq!(World { down: Some(down.clone()), ..World::default() }.found(), Err(down));
    }

    /// check-eligibility would not find it by the key, either.
    #[test]
    fn a_campaign_without_a_slug_is_not_cached() {
        let world = World::with(json!({"id": "c"}));
        assert_eq!(world.found(), Ok(Some(r#"{"id":"c"}"#.to_owned())));
        assert!(world.cache.borrow().is_empty());
    }
}
