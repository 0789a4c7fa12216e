//! Creating missing queues.

use super::Sqs;
use aws_sdk_sqs::types::QueueAttributeName;
use backend_aws::error;
use host_adapters_platform::{QueueSpec, Result, fifo};
use host_adapters_records::{Error, ErrorKind};
use serde_json::json;

impl Sqs {
    /// Makes a queue if it does not exist. Its dead letter queue must exist.
    ///
    /// # Errors
    /// When SQS refuses, or the existing queue has other settings.
    pub async fn provision(&self, queue: &str, spec: &QueueSpec) -> Result<()> {
        let real = self.names.real(queue)?;
        let mut request = self
            .client
            .create_queue()
            .queue_name(&real)
            .attributes(QueueAttributeName::VisibilityTimeout, spec.visibility_timeout_secs.to_string())
            .attributes(QueueAttributeName::MessageRetentionPeriod, spec.retention_secs.to_string());
        if fifo::is_fifo(&real) {
            request = request
                .attributes(QueueAttributeName::FifoQueue, "true")
                .attributes(QueueAttributeName::ContentBasedDeduplication, "true");
        }
        if let Some(dead_letters) = &spec.dead_letter_queue {
            let policy = json!({"deadLetterTargetArn": self.arn(dead_letters).await?, "maxReceiveCount": spec.max_receive_count});
            request = request.attributes(QueueAttributeName::RedrivePolicy, policy.to_string());
        }
        match request.send().await {
            Ok(_) => Ok(()),
            Err(failed) if failed.as_service_error().is_some_and(|error| error.is_queue_name_exists()) => {
                let message =
                    format!("{real}: the queue exists with settings that differ from spin.toml's; change either");
                Err(Error::new(ErrorKind::Invalid, message))
            }
            Err(failed) => Err(error(&real, &failed)),
        }
    }

    async fn arn(&self, queue: &str) -> Result<String> {
        let request = self.client.get_queue_attributes().queue_url(self.url(queue).await?);
        let answer = request.attribute_names(QueueAttributeName::QueueArn).send().await;
        let attributes = answer.map_err(|failed| error(queue, &failed))?.attributes.unwrap_or_default();
        let arn = attributes.get(&QueueAttributeName::QueueArn).cloned();
        arn.ok_or_else(|| Error::new(ErrorKind::Unavailable, format!("{queue}: SQS returned no ARN")))
    }
}
