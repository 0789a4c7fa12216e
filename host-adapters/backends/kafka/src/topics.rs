//! Whether topics are there, making those that are missing, and what differs.

use crate::Kafka;
use crate::client::{Context, base, fault_of_certificates};
use crate::error::{fault_of_client, is_of_connection, told, unavailable};
use crate::read::{blocking, id};
use crate::tls::Material;
use host_adapters_platform::{Difference, LogTopicSpec, Result};
use host_adapters_records::{Error, ErrorKind};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long a request of an operator may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// `max.message.bytes` of topics that are made: the largest record (1 MiB) and what Kafka's format surrounds it with.
const MESSAGE_BYTES: &str = "1114112";

impl Kafka {
    /// Checks that Kafka answers and has the topics.
    pub(crate) async fn probe(&self) -> Result<()> {
        let found = self.topics().await?;
        for topic in self.names.declared() {
            let real = self.names.real(topic)?;
            if !found.contains_key(&real) {
                return Err(Error::new(ErrorKind::NotFound, format!("there is no topic {real}")));
            }
        }
        Ok(())
    }

    /// The topics with other numbers of partitions than declared. Records end there all the same.
    pub(crate) async fn differences(&self, topics: &BTreeMap<String, LogTopicSpec>) -> Result<Vec<Difference>> {
        let found = self.topics().await?;
        let mut differences = Vec::new();
        for (topic, spec) in topics {
            let real = self.names.real(topic)?;
            if let Some(message) = found.get(&real).and_then(|count| differs(&real, *count, spec.partitions)) {
                differences.push(Difference { message, is_harmful: false });
            }
        }
        Ok(differences)
    }

    /// Makes the topics that are missing.
    ///
    /// # Errors
    /// When Kafka refuses, or a topic has another number of partitions; names it.
    pub(crate) async fn provision(&self, topics: &BTreeMap<String, LogTopicSpec>) -> std::result::Result<(), String> {
        let found = self.topics().await.map_err(|error| error.message)?;
        let mut differences = Vec::new();
        for (topic, spec) in topics {
            let real = self.names.real(topic).map_err(|error| error.message)?;
            match found.get(&real) {
                Some(count) => differences.extend(differs(&real, *count, spec.partitions)),
                None => self.make(&real, spec).await.map_err(|error| format!("topic {real}: {error}"))?,
            }
        }
        if differences.is_empty() { Ok(()) } else { Err(differences.join("\n")) }
    }

    async fn make(&self, real: &str, spec: &LogTopicSpec) -> std::result::Result<(), String> {
        let (admin, _) = self.admin().map_err(|error| error.message)?;
        // -1 leaves it to the brokers (`default.replication.factor`).
        let replicas = TopicReplication::Fixed(self.config.replicas.map_or(-1, id));
        let topic = NewTopic::new(real, id(spec.partitions), replicas).set("max.message.bytes", MESSAGE_BYTES);
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
        let made = admin.create_topics([&topic], &options).await.map_err(|failed| failed.to_string())?;
        match made.into_iter().next() {
            // Another host has made it meanwhile.
            None | Some(Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists))) => Ok(()),
            Some(Err((_, code))) => Err(code.to_string()),
        }
    }

    /// All topics of the cluster, with the numbers of their partitions. Asking for one by its name could make it.
    async fn topics(&self) -> Result<BTreeMap<String, usize>> {
        let (admin, material) = self.admin()?;
        let config = self.config.clone();
        blocking(move || {
            let metadata = admin.inner().fetch_metadata(None, PATIENCE).map_err(|failed| {
                let why = is_of_connection(&failed).then(|| fault_of_certificates(&config, &material)).flatten();
                told("topics", &failed, why.as_deref())
            })?;
            Ok(metadata.topics().iter().map(|topic| (topic.name().to_owned(), topic.partitions().len())).collect())
        })
        .await
    }

    fn admin(&self) -> Result<(AdminClient<Context>, Material)> {
        let material = Material::read(&self.config).map_err(|fault| unavailable(fault.message))?;
        let made = base(&self.config, &material).create_with_context(Context::default());
        let admin = made.map_err(|failed: KafkaError| unavailable(fault_of_client(&failed)))?;
        Ok((admin, material))
    }
}

/// How a topic that is there differs from its declaration.
fn differs(real: &str, count: usize, declared: u32) -> Option<String> {
    let differs = u32::try_from(count).ok() != Some(declared);
    differs.then(|| {
        format!(
            "topic {real} has {count} partitions, and spin.toml declares {declared}; correct spin.toml, or add partitions \
             (kafka-topics.sh --alter), after which keys are in other partitions than before"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_numbers_of_partitions_are_named() {
        assert_eq!(differs("events", 3, 3), None);
        let told = differs("events", 3, 12).unwrap_or_default();
        assert!(told.starts_with("topic events has 3 partitions, and spin.toml declares 12; "), "{told}");
    }
}
