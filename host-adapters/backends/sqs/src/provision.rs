//! Creating missing queues, and how queues that are there differ from spin.toml. Such a queue is not changed: a shorter
//! retention, for instance, would delete messages.

use super::Sqs;
use aws_sdk_sqs::error::ProvideErrorMetadata;
use aws_sdk_sqs::types::QueueAttributeName;
use backend_aws::error;
use host_adapters_platform::{Difference, QueueSpec, Result, fifo};
use host_adapters_records::{Error, ErrorKind};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The codes of a queue that exists with other settings, of SQS's JSON protocol and of its query protocol.
const EXISTS: [&str; 2] = ["QueueNameExists", "QueueAlreadyExists"];
const VISIBILITY: &str = "VisibilityTimeout";
const RETENTION: &str = "MessageRetentionPeriod";
const FIFO: &str = "FifoQueue";
const DEDUPLICATION: &str = "ContentBasedDeduplication";
const REDRIVE: &str = "RedrivePolicy";

/// Settings of a queue as SQS names and writes them.
type Attributes = BTreeMap<String, String>;

impl Sqs {
    /// Makes a queue if it does not exist. Its dead letter queue must exist.
    ///
    /// # Errors
    /// When SQS refuses, or the existing queue has other settings; the message says which, and how to change them.
    pub async fn provision(&self, queue: &str, spec: &QueueSpec) -> Result<()> {
        let real = self.names.real(queue)?;
        let attributes = self.wanted(&real, spec).await?;
        let named = attributes.iter().map(|(name, value)| (QueueAttributeName::from(name.as_str()), value.clone()));
        let made = self.client.create_queue().queue_name(&real).set_attributes(Some(named.collect())).send().await;
        match made {
            Ok(_) => Ok(()),
            Err(failed) if failed.code().is_some_and(|code| EXISTS.contains(&code)) => {
                let differs = self.difference(queue, spec).await?;
                let unsaid = || format!("{real} exists with settings that SQS does not tell");
                Err(Error::new(ErrorKind::Invalid, differs.map_or_else(unsaid, |differs| differs.message)))
            }
            Err(failed) => Err(error(&real, &failed)),
        }
    }

    /// How an existing queue differs from its declaration.
    ///
    /// # Errors
    /// When SQS does not tell, or the queue or its dead letter queue is not there.
    pub async fn difference(&self, queue: &str, spec: &QueueSpec) -> Result<Option<Difference>> {
        let real = self.names.real(queue)?;
        let (has, wanted) = (self.attributes(queue).await?, self.wanted(&real, spec).await?);
        Ok(difference(&real, &self.url(queue).await?, &has, &wanted))
    }

    async fn wanted(&self, real: &str, spec: &QueueSpec) -> Result<Attributes> {
        let mut attributes =
            vec![(VISIBILITY, spec.visibility_timeout_secs.to_string()), (RETENTION, spec.retention_secs.to_string())];
        if fifo::is_fifo(real) {
            attributes.push((FIFO, "true".to_owned()));
            attributes.push((DEDUPLICATION, "true".to_owned()));
        }
        if let Some(dead_letters) = &spec.dead_letter_queue {
            let arn = self.attributes(dead_letters).await?.remove("QueueArn");
            let arn =
                arn.ok_or_else(|| Error::new(ErrorKind::Unavailable, format!("{dead_letters}: SQS returned no ARN")))?;
            let policy = json!({"deadLetterTargetArn": arn, "maxReceiveCount": spec.max_receive_count});
            attributes.push((REDRIVE, policy.to_string()));
        }
        Ok(attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// All settings of an existing queue.
    async fn attributes(&self, queue: &str) -> Result<Attributes> {
        let request = self.client.get_queue_attributes().queue_url(self.url(queue).await?);
        let answer = request.attribute_names(QueueAttributeName::All).send().await;
        let attributes = answer.map_err(|failed| error(queue, &failed))?.attributes.unwrap_or_default();
        Ok(attributes.into_iter().map(|(name, value)| (name.as_str().to_owned(), value)).collect())
    }
}

/// The differences between an existing queue and its declaration, and what to do. SQS leaves out attributes that are
/// not set, and always tells the two times: a server that does not tell them has none.
fn difference(real: &str, url: &str, has: &Attributes, wanted: &Attributes) -> Option<Difference> {
    let (mut differences, mut changes, mut is_harmful) = (Vec::new(), BTreeMap::new(), false);
    for name in [VISIBILITY, RETENTION, FIFO, DEDUPLICATION, REDRIVE] {
        let set = |attributes: &'_ Attributes| attributes.get(name).filter(|value| *value != "false").cloned();
        let (has, wanted) = (set(has), set(wanted));
        let is_untold = has.is_none() && [VISIBILITY, RETENTION].contains(&name);
        if is_untold || has.as_deref().map(normal) == wanted.as_deref().map(normal) {
            continue;
        }
        let [shown_has, shown_wanted] = [&has, &wanted].map(|value| value.as_deref().unwrap_or("unset"));
        differences.push(format!("{name} is {shown_has}, not {shown_wanted}"));
        is_harmful |= name == FIFO || (name == REDRIVE && wanted.is_some() && target(&has) != target(&wanted));
        // SQS never changes the type of a queue.
        if name != FIFO {
            changes.insert(name, wanted.unwrap_or_default());
        }
    }
    let message = format!(
        "{real} exists with settings that differ from spin.toml's: {}. Write the queue's into spin.toml, or change the \
         queue: aws sqs set-queue-attributes --queue-url {url} --attributes '{}'",
        differences.join("; "),
        json!(changes)
    );
    (!differences.is_empty()).then_some(Difference { message, is_harmful })
}

/// The queue that a redrive policy moves messages to.
fn target(policy: &Option<String>) -> Option<Value> {
    let policy: Value = serde_json::from_str(policy.as_deref()?).ok()?;
    policy.get("deadLetterTargetArn").cloned()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn attributes(of: &[(&str, &str)]) -> Attributes {
        of.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    /// How a queue differs whose declared settings are a visibility timeout of 30 s and a dead letter queue.
    fn differs(has: &[(&str, &str)]) -> Option<Difference> {
        let policy = r#"{"deadLetterTargetArn":"arn:dlq","maxReceiveCount":100}"#;
        difference("q", "url", &attributes(has), &attributes(&[(VISIBILITY, "30"), (REDRIVE, policy)]))
    }

    #[test]
    fn another_notation_of_a_server_is_not_a_difference() {
        let policy = (REDRIVE, r#"{"maxReceiveCount":"100", "deadLetterTargetArn":"arn:dlq"}"#);
        assert_eq!(differs(&[(VISIBILITY, "30"), policy, (FIFO, "false"), (DEDUPLICATION, "false")]), None);
        assert_eq!(differs(&[policy]), None, "an emulator that tells no times");
    }

    #[test]
    fn another_dead_letter_queue_or_none_is_harmful_and_another_number_is_not() {
        let harmful = |policy: Option<&str>| {
            let told = differs(&policy.into_iter().map(|policy| (REDRIVE, policy)).collect::<Vec<_>>());
            told.map(|told| (told.is_harmful, told.message.contains("RedrivePolicy is ")))
        };
        assert_eq!(harmful(Some(r#"{"deadLetterTargetArn":"arn:dlq","maxReceiveCount":3}"#)), Some((false, true)));
        assert_eq!(harmful(Some(r#"{"deadLetterTargetArn":"arn:other","maxReceiveCount":100}"#)), Some((true, true)));
        assert_eq!(harmful(None), Some((true, true)));
    }

    #[test]
    fn a_redrive_that_spin_toml_does_not_have_is_told() {
        let policy = r#"{"deadLetterTargetArn":"arn:dlq","maxReceiveCount":3}"#;
        let told = difference("q", "url", &attributes(&[(REDRIVE, policy)]), &Attributes::new());
        let expected = format!("RedrivePolicy is {policy}, not unset. ");
        assert!(told.is_some_and(|told| !told.is_harmful && told.message.contains(&expected)));
    }
}
