//! `[queues]` with `type = "sqs"`.

use crate::Sqs;
use backend_aws::{Aws, AwsConfig};
use host_adapters_manifest::runtime_config::Secrets;
use host_adapters_platform::{Backend, Declared, Opened, Result};
use host_adapters_settings::Fields;
use std::path::Path;
use std::sync::Arc;

/// The settings.
#[derive(Clone, Debug)]
pub struct SqsConfig {
    /// Account and region.
    pub aws: AwsConfig,
    /// Precedes the name of each queue.
    pub prefix: String,
}

/// Reads the section and reports its diagnostics.
pub fn read(fields: &mut Fields<'_, '_>, secrets: &Secrets<'_>) -> Option<Arc<dyn Backend>> {
    let aws = AwsConfig::read(fields, secrets);
    Some(Arc::new(SqsConfig { aws, prefix: fields.string("prefix").map(|prefix| prefix.value).unwrap_or_default() }))
}

impl SqsConfig {
    async fn client(&self, declared: &Declared) -> Sqs {
        Sqs::new(&Aws::load(&self.aws).await, &self.prefix, declared.queues.keys().cloned().collect())
    }
}

#[async_trait::async_trait]
impl Backend for SqsConfig {
    async fn open(&self, declared: &Declared, _data: &Path) -> std::result::Result<Opened, String> {
        let sqs = self.client(declared).await;
        Ok(Opened::Queues(Arc::new(sqs.clone()), Arc::new(sqs)))
    }

    async fn probe(&self, declared: &Declared) -> Result<()> {
        self.client(declared).await.probe().await
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
