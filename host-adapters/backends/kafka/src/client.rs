//! The clients of librdkafka: how they are configured, and the producer that all calls share.

use crate::config::KafkaConfig;
use crate::tls::Material;
use host_adapters_platform::Result;
use host_adapters_records::{Error, ErrorKind};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;
use rdkafka::producer::{FutureProducer, Producer as _};
use rdkafka::{ClientConfig, ClientContext};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often the files of the certificates are looked at, at most.
const LOOK: Duration = Duration::from_secs(1);
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
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason.to_owned());
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

/// The producer with the certificates that it was made with.
pub(crate) struct Current {
    pub(crate) producer: FutureProducer<Context>,
    pub(crate) context: Context,
    pub(crate) material: Material,
}

impl Current {
    fn make(config: &KafkaConfig, material: Material) -> std::result::Result<Self, String> {
        let context = Context::default();
        let mut client = base(config, &material);
        client
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
        let producer = client.create_with_context(context.clone());
        let producer = producer.map_err(|error: KafkaError| format!("cannot make a client of Kafka: {error}"))?;
        Ok(Self { producer, context, material })
    }

    /// An idempotent producer cannot go on after some errors.
    fn is_broken(&self) -> bool {
        self.producer.client().fatal_error().is_some()
    }
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
                Some(old) if old.material == material => return Ok(old.clone()),
                _ => Current::make(&self.config, material),
            },
            Err(fault) => Err(fault.message),
        };
        match (made, old) {
            (Ok(new), _) => {
                let new = Arc::new(new);
                if let Some(before) = state.current.replace(new.clone()) {
                    let reason =
                        if before.is_broken() { "the old one has failed for good" } else { "new certificates" };
                    tracing::info!(reason, "the event log has a new connection to Kafka");
                    retire(before, self.config.timeout());
                }
                Ok(new)
            }
            (Err(fault), Some(old)) => {
                tracing::warn!(fault, "the event log keeps its connection to Kafka: the new certificates are wrong");
                Ok(old)
            }
            (Err(fault), None) => Err(Error::new(ErrorKind::Unavailable, fault)),
        }
    }
}

/// Lets a producer send what it has, and ends it, on a thread that may block.
fn retire(before: Arc<Current>, timeout: Duration) {
    tokio::task::spawn_blocking(move || {
        // What it could not send is told to those who wait for it.
        let _ = before.producer.flush(timeout);
        drop(before);
    });
}
