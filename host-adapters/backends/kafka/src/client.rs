//! The clients of librdkafka: how they are configured, and the producer that all calls share.

use crate::config::KafkaConfig;
use crate::error::{fault_of_client, unavailable};
use crate::tls::{Material, fault_of_connection};
use host_adapters_platform::Result;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::producer::{FutureProducer, Producer as _};
use rdkafka::{ClientConfig, ClientContext};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often the files of the certificates are looked at, at most.
pub(crate) const LOOK: Duration = Duration::from_secs(1);
/// How often it is looked whether a producer that was replaced is still in use.
const IN_USE: Duration = Duration::from_millis(50);
/// The size of a request, bytes: more than the largest record, its headers and what surrounds them.
const REQUEST_BYTES: &str = "2097152";

/// Keeps the last error that a client has told, which says more than the time-out of a record.
#[derive(Clone, Default)]
pub(crate) struct Context {
    last: Arc<Mutex<Option<String>>>,
}

impl Context {
    /// What the client has told last, since something succeeded.
    pub(crate) fn last_error(&self) -> Option<String> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Something has succeeded.
    pub(crate) fn works(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl ClientContext for Context {
    /// While a broker is down, librdkafka tells so with every attempt to connect.
    fn log(&self, _level: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(facility, "librdkafka: {message}");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "librdkafka");
        let reason = reason.lines().collect::<Vec<_>>().join(" ");
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
    }
}

impl ConsumerContext for Context {}

/// What all clients have in common.
pub(crate) fn base(config: &KafkaConfig, material: &Material) -> ClientConfig {
    let mut client = ClientConfig::new();
    client
        .set("bootstrap.servers", &config.brokers)
        .set("client.id", "host-adapters")
        .set("security.protocol", if config.tls { "ssl" } else { "plaintext" })
        .set("socket.keepalive.enable", "true")
        // By default ten seconds: a broker that is back would be found that much later.
        .set("reconnect.backoff.max.ms", "1000");
    for (key, pem) in material.pems() {
        client.set(key, pem);
    }
    client
}

/// What all clients that read have in common. None stores or commits an offset by itself.
pub(crate) fn base_of_reader(config: &KafkaConfig, material: &Material, group: &str) -> ClientConfig {
    let mut client = base(config, material);
    client.set("group.id", group).set("enable.auto.commit", "false").set("enable.auto.offset.store", "false");
    client
}

/// What is wrong with the certificates, where no broker could be asked. Blocks for some seconds.
pub(crate) fn fault_of_certificates(config: &KafkaConfig, material: &Material) -> Option<String> {
    config.tls.then(|| fault_of_connection(&config.brokers, material)).flatten()
}

/// The producers with the certificates that they were made with.
pub(crate) struct Current {
    pub(crate) producer: FutureProducer<Context>,
    pub(crate) context: Context,
    pub(crate) material: Material,
    /// How the producer was made. It holds the key, so it is in no message.
    settings: ClientConfig,
    single: Mutex<Option<FutureProducer<Context>>>,
}

impl Current {
    fn make(config: &KafkaConfig, material: Material) -> std::result::Result<Self, String> {
        let context = Context::default();
        let mut settings = base(config, &material);
        settings
            .set("enable.idempotence", "true")
            .set("acks", "all")
            // As Kafka's clients in Java choose the partition of a key.
            .set("partitioner", "murmur2_random")
            .set("message.timeout.ms", config.timeout_ms.to_string())
            .set("message.max.bytes", REQUEST_BYTES)
            .set("queue.buffering.max.messages", config.buffer_records.to_string())
            .set("queue.buffering.max.kbytes", config.buffer_kib.to_string())
            // By default half a minute, before a topic is known to be missing.
            .set("topic.metadata.propagation.max.ms", "2000");
        let producer = settings.create_with_context(context.clone());
        let producer = producer.map_err(|error: KafkaError| fault_of_client(&error))?;
        Ok(Self { producer, context, material, settings, single: Mutex::default() })
    }

    /// A producer that sends each record by itself, so that a broker refuses no record for the sake of another one. It is
    /// made when it is needed first.
    pub(crate) fn single(&self) -> KafkaResult<FutureProducer<Context>> {
        let mut single = self.single.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(producer) = single.as_ref().filter(|producer| !is_broken(producer)) {
            return Ok(producer.clone());
        }
        let mut settings = self.settings.clone();
        settings.set("batch.num.messages", "1");
        let made: FutureProducer<Context> = settings.create_with_context(self.context.clone())?;
        Ok(single.insert(made).clone())
    }

    fn is_broken(&self) -> bool {
        is_broken(&self.producer)
    }
}

/// An idempotent producer cannot go on after some errors.
fn is_broken(producer: &FutureProducer<Context>) -> bool {
    producer.client().fatal_error().is_some()
}

/// The producer, which is replaced when the certificates have changed.
pub(crate) struct Client {
    config: KafkaConfig,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    current: Option<Arc<Current>>,
    /// When the files were last looked at.
    looked: Option<Instant>,
    /// What was wrong with them then.
    fault: Option<String>,
}

impl Client {
    pub(crate) fn new(config: KafkaConfig) -> Self {
        Self { config, state: Mutex::default() }
    }

    /// The producer with the certificates as they are now. If they cannot be used, the one with those of before.
    pub(crate) fn current(&self) -> Result<Arc<Current>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let old = state.current.clone().filter(|current| !current.is_broken());
        if let (Some(old), Some(looked)) = (&old, state.looked)
            && looked.elapsed() < LOOK
        {
            return Ok(old.clone());
        }
        state.looked = Some(Instant::now());
        let made = match Material::read(&self.config) {
            Ok(material) => match &old {
                Some(old) if old.material == material => {
                    state.fault = None;
                    return Ok(old.clone());
                }
                _ => Current::make(&self.config, material),
            },
            Err(fault) => Err(fault.message),
        };
        match (made, old) {
            (Ok(new), _) => {
                let new = Arc::new(new);
                state.fault = None;
                if let Some(before) = state.current.replace(new.clone()) {
                    let reason =
                        if before.is_broken() { "the old one has failed for good" } else { "new certificates" };
                    tracing::info!(reason, "the event log has a new connection to Kafka");
                    retire(before, self.config.timeout());
                }
                Ok(new)
            }
            (Err(fault), Some(old)) => {
                // Once, however often records are produced.
                if state.fault.as_ref() != Some(&fault) {
                    tracing::warn!(
                        fault,
                        "the event log keeps its connection to Kafka: the new certificates are wrong"
                    );
                    state.fault = Some(fault);
                }
                Ok(old)
            }
            (Err(fault), None) => Err(unavailable(fault)),
        }
    }
}

/// Lets a producer send what it has, and ends it, on a thread that may block: the last one to have it does.
fn retire(before: Arc<Current>, timeout: Duration) {
    tokio::task::spawn_blocking(move || {
        let until = Instant::now() + timeout;
        // What it could not send is told to those who wait for it.
        let _ = before.producer.flush(timeout);
        while Arc::strong_count(&before) > 1 && Instant::now() < until {
            std::thread::sleep(IN_USE);
        }
    });
}
