//! The requests of a batch to the platform: campaigns, and the topic.

use crate::campaigns::{self, Store};
use pipeline::process::{Ports, TopicMessage};
use serde_json::json;
use worker_kit::cache::Cache;
use worker_kit::platform::{Error, topic};
use worker_kit::{Call, Disposition, calls};

/// The topic to which records are published.
const TOPIC: &str = "dataSns";

/// The real implementation, for one call.
#[derive(Debug)]
pub struct Live<'a> {
    call: &'a Call,
    cache: Cache<'a>,
}

impl<'a> Live<'a> {
    /// The requests of a call.
    pub fn new(call: &'a Call) -> Self {
        Self { call, cache: Cache::new(call) }
    }
}

impl Store for Live<'_> {
    async fn cached(&self, key: &str) -> Option<Vec<u8>> {
        self.cache.get(key).await
    }

    async fn keep(&self, keys: [&str; 2], campaign: &[u8]) {
        worker_kit::campaigns::keep(&self.cache, keys, campaign).await;
    }

    async fn document(&self, id: &str) -> Result<Option<String>, Error> {
        worker_kit::campaigns::find(&json!({"id": id})).await
    }

    fn warn(&self, message: &str, data: serde_json::Value) {
        self.call.warn(message, data);
    }
}

impl Ports for Live<'_> {
    async fn campaign(&self, id: &str) -> Result<Option<String>, Disposition> {
        campaigns::find(self, id).await.map_err(|error| error.disposition())
    }

    async fn publish(&self, messages: Vec<TopicMessage>) -> Vec<Result<(), Disposition>> {
        let messages: Vec<_> = messages.into_iter().map(message).collect();
        let publish = async |messages: Vec<topic::TopicMessage>| topic::publish_batch(TOPIC.to_owned(), messages).await;
        calls::each(&messages, publish).await.into_iter().map(published).collect()
    }
}

/// The message in the platform's type.
fn message(TopicMessage { body, attributes }: TopicMessage) -> topic::TopicMessage {
    topic::TopicMessage { body, attributes }
}

/// The outcome of a message: that of its call or, if the call succeeded, its own. A message that no topic accepts is
/// given up.
fn published(result: Result<Result<String, Error>, Error>) -> Result<(), Disposition> {
    result.and_then(|result| result).map(drop).map_err(|error| error.disposition())
}

#[cfg(test)]
mod tests {
    use super::*;
    use worker_kit::platform::ErrorKind;

    #[test]
    fn use_case_5_a_message_that_the_topic_does_not_accept_is_delivered_again_as_it_requests() {
        assert_eq!(published(Ok(Ok("id".to_owned()))), Ok(()));
        let busy = Error { retry_after_ms: Some(50), ..Error::new(ErrorKind::Throttled, "topic dataSns is busy") };
        let waits = Disposition::retry_after(Some(50), "topic dataSns is busy");
        assert_eq!(published(Ok(Err(busy.clone()))), Err(waits.clone()), "it alone");
        assert_eq!(published(Err(busy)), Err(waits), "its call");
        let large = Error::new(ErrorKind::TooLarge, "300000 bytes");
        assert_eq!(published(Ok(Err(large))), Err(Disposition::GiveUp("invalid: 300000 bytes".to_owned())));
    }
}
