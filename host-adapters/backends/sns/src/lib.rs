//! Topics in SNS, whose subscriptions are queues in SQS.

mod config;
mod policy;
mod provision;
mod publish;
mod subscription;

pub use config::SnsConfig;
pub use config::SnsConfig as Config;
pub use provision::Subscribed;

use aws_sdk_sns::Client;
use aws_sdk_sns::error::{ProvideErrorMetadata, SdkError};
use backend_aws::{Aws, error};
use host_adapters_platform::names::Names;
use host_adapters_platform::{Result, TopicBackend};
use host_adapters_records::topic::TopicMessage;
use host_adapters_records::{Error, ErrorKind};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

/// The topics of one account and region.
#[derive(Clone)]
pub struct Sns {
    client: Client,
    names: Names,
    /// ARNs of topics that were found before, by their names in SNS.
    arns: Arc<RwLock<HashMap<String, String>>>,
}

impl Sns {
    /// The topics with these names, each with `prefix` before it.
    pub fn new(aws: &Aws, prefix: &str, topics: BTreeSet<String>) -> Self {
        Self { client: Client::new(aws.sdk()), names: Names::new("topic", prefix, topics), arns: Arc::default() }
    }

    /// The ARN of a topic. SNS knows topics by ARN alone, which has the account in it: the topics are listed until it is
    /// found.
    async fn arn(&self, topic: &str) -> Result<String> {
        let real = self.names.real(topic)?;
        if let Some(arn) = self.arns.read().unwrap_or_else(PoisonError::into_inner).get(&real) {
            return Ok(arn.clone());
        }
        let mut pages = self.client.list_topics().into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|failed| refusal(&real, &failed))?;
            let arns = page.topics.into_iter().flatten().filter_map(|topic| topic.topic_arn);
            let mut known = self.arns.write().unwrap_or_else(PoisonError::into_inner);
            known.extend(arns.filter_map(|arn| Some((arn.rsplit(':').next()?.to_owned(), arn))));
            if let Some(arn) = known.get(&real) {
                return Ok(arn.clone());
            }
        }
        Err(Error::new(ErrorKind::NotFound, format!("there is no topic {real}")))
    }
}

#[async_trait::async_trait]
impl TopicBackend for Sns {
    async fn publish_batch(&self, topic: &str, messages: Vec<TopicMessage>) -> Result<Vec<Result<String>>> {
        self.publish_all(topic, messages).await
    }
}

/// The error of a call of `resource`. SNS has a code for what is missing that other services give another meaning.
fn refusal<E, R>(resource: &str, failed: &SdkError<E, R>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug,
{
    let told = error(resource, failed);
    match failed.code() {
        Some("NotFound" | "NotFoundException") => Error { kind: ErrorKind::NotFound, ..told },
        _ => told,
    }
}
