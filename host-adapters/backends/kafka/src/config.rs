//! `[event_log]` with `type = "kafka"`.

use crate::Kafka;
use crate::tls::Material;
use host_adapters_platform::{Backend, Declared, Difference, Opened, Result, event_log, names};
use host_adapters_settings::{Reference, Value, settings};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

settings! {
    /// The event log in Kafka.
    pub struct KafkaConfig {
        /// The brokers to begin with, separated by commas; the others are learnt from them.
        pub brokers: String = String::new(), "brokers = \"host:9093,host:9093\"";
        /// Precedes the name of each topic and of each group.
        pub prefix: Option<String> = None, ();
        /// Whether connections are encrypted.
        pub tls: bool = true, ();
        /// The certificates (PEM) of the authorities of the brokers' certificates; by default those of the system. Like
        /// `certificate` and `key`, it is read again when its file or secret has changed, without a restart.
        pub ca: Option<Value> = None, Reference::Public;
        /// The host's own certificate (PEM), with those of authorities in between behind it, for brokers that want one.
        pub certificate: Option<Value> = None, Reference::Public;
        /// The key (PEM, not encrypted) of `certificate`.
        pub key: Option<Value> = None, Reference::Secret;
        /// How long it may take until a record is stored, in milliseconds, repeated attempts included.
        pub timeout_ms: u32 = 15_000, 1_000..=300_000;
        /// Most records that wait to be stored. Beyond them, or `buffer_kib`, calls wait.
        pub buffer_records: u32 = 100_000, 1..=10_000_000;
        /// Most of what waits to be stored, in KiB.
        pub buffer_kib: u32 = 131_072, 1_024..=2_097_151;
        /// How many replicas a topic has that `provision` makes; by default as many as the brokers say.
        pub replicas: Option<u32> = None, 1..=100;
    }
}

impl KafkaConfig {
    pub(crate) fn prefix(&self) -> &str {
        self.prefix.as_deref().unwrap_or_default()
    }

    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms.into())
    }

    /// The fault of the brokers' addresses.
    fn fault_of_brokers(&self) -> Option<String> {
        let is_address = |broker: &str| {
            let parts = broker.trim().rsplit_once(':');
            parts.is_some_and(|(host, port)| !host.is_empty() && !host.contains('/') && port.parse::<u16>().is_ok())
        };
        let is_fit = self.brokers.split(',').all(is_address);
        (!is_fit).then(|| "brokers are not addresses; write them as in host:9093,host:9093".to_owned())
    }

    /// The fault of the settings of TLS.
    fn fault_of_tls(&self) -> Option<(&'static str, String)> {
        let given = [("ca", &self.ca), ("certificate", &self.certificate), ("key", &self.key)];
        let given = given.into_iter().find(|(_, value)| value.is_some());
        match (&self.certificate, &self.key, given) {
            (_, _, Some((key, _))) if !self.tls => Some((key, format!("{key} has no effect with tls = false"))),
            (Some(_), None, _) => Some(("certificate", "certificate needs its key; write key, too".to_owned())),
            (None, Some(_), _) => Some(("key", "key needs its certificate; write certificate, too".to_owned())),
            _ => Material::read(self).err().map(|fault| (fault.key, fault.message)),
        }
    }
}

#[async_trait::async_trait]
impl Backend for KafkaConfig {
    fn address(&self) -> String {
        self.brokers.clone()
    }

    fn faults(&self, declared: &Declared) -> Vec<(&'static str, String)> {
        let brokers = self.fault_of_brokers().map(|fault| ("brokers", fault));
        let prefix = names::prefix_fault(self.prefix(), declared.event_log.keys(), event_log::name_fault);
        let prefix = prefix.map(|fault| ("prefix", fault));
        [brokers, self.fault_of_tls(), prefix].into_iter().flatten().collect()
    }

    async fn open(&self, declared: &Declared, _data: &Path) -> std::result::Result<Opened, String> {
        let kafka = Arc::new(Kafka::new(self.clone(), declared));
        Ok(Opened::EventLog(kafka.clone(), kafka))
    }

    async fn probe(&self, declared: &Declared) -> Result<()> {
        Kafka::new(self.clone(), declared).probe().await
    }

    async fn differences(&self, declared: &Declared) -> Result<Vec<Difference>> {
        Kafka::new(self.clone(), declared).differences(&declared.event_log).await
    }

    async fn provision(&self, declared: &Declared) -> std::result::Result<(), String> {
        Kafka::new(self.clone(), declared).provision(&declared.event_log).await
    }
}
