//! `[queues]` with `type = "sqs"`.

use crate::Sqs;
use backend_aws::{Aws, AwsConfig, side_by_side};
use host_adapters_platform::{Backend, Declared, Difference, Opened, Result, names};
use host_adapters_records::ErrorKind;
use host_adapters_settings::settings;
use std::path::Path;
use std::sync::Arc;

settings! {
    /// Queues in SQS.
    pub struct SqsConfig {
        /// What all backends on AWS have in common.
        pub aws: AwsConfig;
        /// Precedes the name of each queue.
        pub prefix: Option<String> = None, ();
    }
}

impl SqsConfig {
    fn prefix(&self) -> &str {
        self.prefix.as_deref().unwrap_or_default()
    }

    async fn client(&self, declared: &Declared) -> Sqs {
        Sqs::new(&Aws::load(&self.aws).await, self.prefix(), declared.queues.keys().cloned().collect())
    }
}

#[async_trait::async_trait]
impl Backend for SqsConfig {
    fn address(&self) -> String {
        self.aws.address()
    }

    fn faults(&self, declared: &Declared) -> Vec<(&'static str, String)> {
        let fault = names::prefix_fault(self.prefix(), declared.queues.keys(), names::queue_fault);
        fault.into_iter().map(|fault| ("prefix", fault)).collect()
    }

    async fn open(&self, declared: &Declared, _data: &Path) -> std::result::Result<Opened, String> {
        let sqs = self.client(declared).await;
        Ok(Opened::Queues(Arc::new(sqs.clone()), Arc::new(sqs)))
    }

    async fn probe(&self, declared: &Declared) -> Result<()> {
        self.client(declared).await.probe().await
    }

    async fn differences(&self, declared: &Declared) -> Result<Vec<Difference>> {
        let sqs = self.client(declared).await;
        let asked = declared.queues.iter().map(|(name, queue)| sqs.difference(name, queue));
        let told = side_by_side(asked).await.into_iter();
        let told = told.filter(|told| !told.as_ref().is_err_and(|error| error.kind == ErrorKind::NotFound));
        Ok(told.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
    }

    async fn provision(&self, declared: &Declared) -> std::result::Result<(), String> {
        let sqs = self.client(declared).await;
        let mut queues: Vec<_> = declared.queues.iter().collect();
        // Dead letter queues first, because other queues refer to them.
        queues.sort_by_key(|(_, queue)| queue.dead_letter_queue.is_some());
        for (name, queue) in queues {
            sqs.provision(name, queue).await.map_err(|error| format!("queue {name}: {error}"))?;
        }
        Ok(())
    }
}
