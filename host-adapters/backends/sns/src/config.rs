//! `[topics]` with `type = "sns"`.

use crate::{Sns, Subscribed};
use backend_aws::{Aws, AwsConfig, side_by_side};
use host_adapters_platform::{Backend, Declared, Difference, Opened, Result, names, topic};
use host_adapters_records::ErrorKind;
use host_adapters_settings::{Url, settings};
use std::path::Path;
use std::sync::Arc;

settings! {
    /// Topics in SNS, which deliver to queues in SQS.
    pub struct SnsConfig {
        /// What all backends on AWS have in common.
        pub aws: AwsConfig;
        /// Precedes the name of each topic.
        pub prefix: Option<String> = None, ();
        /// Precedes the name of each queue, as in `[queues]`; by default `prefix`.
        pub queue_prefix: Option<String> = None, ();
        /// The address of a server of SQS other than Amazon's, for the queues' policies; by default `endpoint`.
        pub queue_endpoint: Url = Url(None), ();
    }
}

impl SnsConfig {
    fn prefix(&self) -> &str {
        self.prefix.as_deref().unwrap_or_default()
    }

    async fn topics(&self, declared: &Declared) -> Sns {
        Sns::new(&Aws::load(&self.aws).await, self.prefix(), declared.topics.keys().cloned().collect())
    }

    async fn subscribed(&self, declared: &Declared) -> Subscribed {
        let endpoint = Url(self.queue_endpoint.0.clone().or_else(|| self.aws.endpoint.0.clone()));
        let of_queues = Aws::load(&AwsConfig { endpoint, ..self.aws.clone() }).await;
        let prefix = self.queue_prefix.as_deref().unwrap_or_else(|| self.prefix());
        let queues = declared.queues.keys().cloned().collect();
        Subscribed::new(self.topics(declared).await, &of_queues, prefix, queues)
    }
}

#[async_trait::async_trait]
impl Backend for SnsConfig {
    fn address(&self) -> String {
        self.aws.address()
    }

    fn faults(&self, declared: &Declared) -> Vec<(&'static str, String)> {
        let of_topics = names::prefix_fault(self.prefix(), declared.topics.keys(), topic::name_fault);
        let of_queues = self
            .queue_prefix
            .as_ref()
            .and_then(|prefix| names::prefix_fault(prefix, declared.queues.keys(), names::queue_fault));
        let faults = [of_topics.map(|fault| ("prefix", fault)), of_queues.map(|fault| ("queue_prefix", fault))];
        faults.into_iter().flatten().collect()
    }

    async fn open(&self, declared: &Declared, _data: &Path) -> std::result::Result<Opened, String> {
        Ok(Opened::Topics(Arc::new(self.topics(declared).await)))
    }

    async fn probe(&self, declared: &Declared) -> Result<()> {
        let subscribed = self.subscribed(declared).await;
        for (name, topic) in &declared.topics {
            subscribed.probe(name, topic).await?;
        }
        Ok(())
    }

    async fn differences(&self, declared: &Declared) -> Result<Vec<Difference>> {
        let subscribed = self.subscribed(declared).await;
        let asked = declared.topics.iter().map(|(name, topic)| subscribed.differences(name, topic));
        let told = side_by_side(asked).await.into_iter();
        let told = told.filter(|told| !told.as_ref().is_err_and(|error| error.kind == ErrorKind::NotFound));
        Ok(told.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
    }

    async fn provision(&self, declared: &Declared) -> std::result::Result<(), String> {
        let subscribed = self.subscribed(declared).await;
        for (name, topic) in &declared.topics {
            subscribed.provision(name, topic).await.map_err(|error| format!("topic {name}: {error}"))?;
        }
        Ok(())
    }
}
