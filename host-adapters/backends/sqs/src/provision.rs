//! Creating missing queues. A queue that is there is not changed: a shorter retention, for instance, would delete messages.

use super::Sqs;
use aws_sdk_sqs::error::ProvideErrorMetadata;
use aws_sdk_sqs::types::QueueAttributeName;
use backend_aws::error;
use host_adapters_platform::{QueueSpec, Result, fifo};
use host_adapters_records::{Error, ErrorKind};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The codes of a queue that exists with other settings, of SQS's JSON protocol and of its query protocol.
const EXISTS: [&str; 2] = ["QueueNameExists", "QueueAlreadyExists"];

/// Settings of a queue as SQS names and writes them.
type Attributes = BTreeMap<String, String>;

impl Sqs {
    /// Makes a queue if it does not exist. Its dead letter queue must exist.
    ///
    /// # Errors
    /// When SQS refuses, or the existing queue has other settings; the message says which, and how to change them.
    pub async fn provision(&self, queue: &str, spec: &QueueSpec) -> Result<()> {
        let real = self.names.real(queue)?;
        let attributes = self.attributes(&real, spec).await?;
        let named = attributes.iter().map(|(name, value)| (QueueAttributeName::from(name.as_str()), value.clone()));
        let made = self.client.create_queue().queue_name(&real).set_attributes(Some(named.collect())).send().await;
        match made {
            Ok(_) => Ok(()),
            Err(failed) if failed.code().is_some_and(|code| EXISTS.contains(&code)) => {
                Err(self.differs(queue, &real, attributes).await?)
            }
            Err(failed) => Err(error(&real, &failed)),
        }
    }

    async fn attributes(&self, real: &str, spec: &QueueSpec) -> Result<Attributes> {
        let mut attributes = vec![
            ("VisibilityTimeout", spec.visibility_timeout_secs.to_string()),
            ("MessageRetentionPeriod", spec.retention_secs.to_string()),
        ];
        if fifo::is_fifo(real) {
            attributes.push(("FifoQueue", "true".to_owned()));
            attributes.push(("ContentBasedDeduplication", "true".to_owned()));
        }
        if let Some(dead_letters) = &spec.dead_letter_queue {
            let arn = self.told(dead_letters, "QueueArn").await?;
            let arn =
                arn.ok_or_else(|| Error::new(ErrorKind::Unavailable, format!("{dead_letters}: SQS returned no ARN")))?;
            let policy = json!({"deadLetterTargetArn": arn, "maxReceiveCount": spec.max_receive_count});
            attributes.push(("RedrivePolicy", policy.to_string()));
        }
        Ok(attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// What differs between an existing queue and what it should be, and what to do.
    async fn differs(&self, queue: &str, real: &str, wanted: Attributes) -> Result<Error> {
        let (mut differences, mut changes) = (Vec::new(), Attributes::new());
        for (name, value) in wanted {
            let is = self.told(queue, &name).await?;
            if is.as_deref().map(normal) != Some(normal(&value)) {
                differences.push(format!("{name} is {}, not {value}", is.as_deref().unwrap_or("unset")));
                changes.insert(name, value);
            }
        }
        let (url, changes) = (self.url(queue).await?, json!(changes));
        let message = format!(
            "{real} exists with settings that differ from spin.toml's: {}. Write the queue's into spin.toml, or change the \
             queue: aws sqs set-queue-attributes --queue-url {url} --attributes '{changes}'",
            differences.join("; ")
        );
        Ok(Error::new(ErrorKind::Invalid, message))
    }

    /// A setting of an existing queue.
    async fn told(&self, queue: &str, name: &str) -> Result<Option<String>> {
        let name = QueueAttributeName::from(name);
        let request = self.client.get_queue_attributes().queue_url(self.url(queue).await?);
        let answer = request.attribute_names(name.clone()).send().await;
        let attributes = answer.map_err(|failed| error(queue, &failed))?.attributes.unwrap_or_default();
        Ok(attributes.get(&name).cloned())
    }
}

/// A setting that can be compared: servers write a policy's number as a number or as text.
fn normal(value: &str) -> Value {
    match serde_json::from_str(value) {
        Ok(Value::Object(members)) => {
            let text = |value: Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            members.into_iter().map(|(name, value)| (name, Value::String(text(value)))).collect()
        }
        _ => Value::String(value.to_owned()),
    }
}
