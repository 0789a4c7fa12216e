//! Queues in SQS, which does visibility, counts and redrive itself. A call carries at most ten messages, SQS's limit.

mod browser;
mod config;
mod provision;
mod receive;
mod send;
mod settle;

pub use config::SqsConfig;
pub use config::SqsConfig as Config;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName;
use backend_aws::{Aws, error};
use host_adapters_platform::names::Names;
use host_adapters_platform::{Depth, QueueBackend, Received, Result};
use host_adapters_records::Error;
use host_adapters_records::queue::Message;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

/// SQS's limit of messages for a call.
const BATCH: usize = 10;

/// The queues of one account and region.
#[derive(Clone)]
pub struct Sqs {
    client: Client,
    names: Names,
    /// URLs of queues that were asked for before.
    urls: Arc<RwLock<HashMap<String, String>>>,
    /// For each queue the receipts of messages that pages have shown. They stay hidden until the last page.
    hidden: Arc<Mutex<HashMap<String, Vec<String>>>>,
}

impl Sqs {
    /// The queues with these names, each with `prefix` before it.
    pub fn new(aws: &Aws, prefix: &str, queues: BTreeSet<String>) -> Self {
        let (client, names) = (Client::new(aws.sdk()), Names::new("queue", prefix, queues));
        Self { client, names, urls: Arc::default(), hidden: Arc::default() }
    }

    /// Checks that the service answers and has the queues.
    ///
    /// # Errors
    /// When it does not answer, or lacks a queue.
    pub async fn probe(&self) -> Result<()> {
        for queue in self.names.declared() {
            self.url(queue).await?;
        }
        Ok(())
    }

    async fn url(&self, queue: &str) -> Result<String> {
        let real = self.names.real(queue)?;
        if let Some(url) = self.urls.read().unwrap_or_else(PoisonError::into_inner).get(queue) {
            return Ok(url.clone());
        }
        let answer = self.client.get_queue_url().queue_name(&real).send().await;
        let url = answer.map_err(|failed| error(&real, &failed))?.queue_url.unwrap_or_default();
        self.urls.write().unwrap_or_else(PoisonError::into_inner).insert(queue.to_owned(), url.clone());
        Ok(url)
    }
}

#[async_trait::async_trait]
impl QueueBackend for Sqs {
    async fn send_batch(&self, queue: &str, messages: Vec<Message>) -> Result<Vec<Result<String>>> {
        self.send_all(queue, messages).await
    }

    async fn receive(&self, queue: &str, max: usize, wait: Duration, visibility: Duration) -> Result<Vec<Received>> {
        self.receive_some(queue, max, wait, visibility).await
    }

    async fn delete_batch(&self, queue: &str, receipts: &[String]) -> Result<Vec<Option<Error>>> {
        self.delete_all(queue, receipts).await
    }

    async fn change_visibility_batch(&self, queue: &str, changes: &[(String, Duration)]) -> Result<Vec<Option<Error>>> {
        self.change_visibility_all(queue, changes).await
    }

    async fn depth(&self, queue: &str) -> Result<Depth> {
        use QueueAttributeName::{
            ApproximateNumberOfMessages, ApproximateNumberOfMessagesDelayed, ApproximateNumberOfMessagesNotVisible,
        };
        let names =
            [ApproximateNumberOfMessages, ApproximateNumberOfMessagesNotVisible, ApproximateNumberOfMessagesDelayed];
        let request = self.client.get_queue_attributes().queue_url(self.url(queue).await?);
        let answer = request.set_attribute_names(Some(names.to_vec())).send().await;
        let attributes = answer.map_err(|failed| error(queue, &failed))?.attributes.unwrap_or_default();
        let [visible, in_flight, delayed] =
            names.map(|name| attributes.get(&name).and_then(|count| count.parse().ok()).unwrap_or(0));
        Ok(Depth { visible, in_flight, delayed })
    }

    /// SQS shows a message only by receiving it, so this counts as a receive.
    async fn peek(&self, queue: &str, max: usize) -> Result<Vec<Received>> {
        self.look(queue, max).await
    }
}
