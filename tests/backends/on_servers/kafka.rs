//! The event log in a real Kafka, with certificates of both sides: the contract, topics, and each kind of wrong certificate.
//! How sources read it: `kafka/groups.rs`.

mod groups;

use crate::backends::on_servers::servers::{endpoints, unique};
use host_adapters::backends::KINDS;
use host_adapters::manifest::runtime_config::RuntimeConfig;
use host_adapters_platform::{Backend, Declared, EventLogBackend, LogTopicSpec, Opened, Result};
use host_adapters_records::{Error, ErrorKind};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use serde_json::json;
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use test_servers::{Servers, certificates, named};
use tests::contract::suites::event_log::{EventLogStore, OTHER_TOPIC, PARTITIONS, TOPIC, record};
use tests::wait;
use tokio::sync::OnceCell;

/// Where Kafka is.
struct Server {
    /// The port of the listener that wants certificates.
    port: u16,
    certificates: PathBuf,
}

/// Starts Kafka, if it is not up.
async fn server() -> &'static Server {
    static STARTED: OnceCell<Server> = OnceCell::const_new();
    let start = || {
        let servers = Servers::open().unwrap();
        let up = servers.start(&named(&["kafka"]).unwrap(), false).unwrap().remove(0);
        let port = certificates::port(&up.endpoint.unwrap()).unwrap();
        Server { port, certificates: servers.certificates("kafka") }
    };
    STARTED.get_or_init(|| async { tokio::task::spawn_blocking(start).await.unwrap() }).await
}

/// A folder with a copy of some of the server's files as `ca.pem`, `host.pem` and `host.key`.
pub struct Files(TempDir);

impl Files {
    /// The authority, and the client's certificate and key, by the names of their files.
    async fn of(ca: &str, client: Option<&str>) -> Self {
        let files = Self(tempfile::tempdir().unwrap());
        files.put(ca, "ca.pem").await;
        if let Some(client) = client {
            files.client(client).await;
        }
        files
    }

    async fn put(&self, from: &str, to: &str) {
        std::fs::copy(server().await.certificates.join(from), self.0.path().join(to)).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    async fn client(&self, name: &str) {
        self.put(&format!("{name}.key"), "host.key").await;
        self.put(&format!("{name}.pem"), "host.pem").await;
    }

    /// A backend with these files, read as the operator's configuration is.
    fn backend(&self, brokers: &str, prefix: &str) -> std::result::Result<Arc<dyn Backend>, String> {
        let own = self.0.path().join("host.pem").exists();
        let own = if own { "certificate = { file = \"host.pem\" }\nkey = { file = \"host.key\" }\n" } else { "" };
        let text = format!(
            "[event_log]\ntype = \"kafka\"\nbrokers = \"{brokers}\"\nprefix = \"{prefix}\"\ntimeout_ms = 5000\n\
             ca = {{ file = \"ca.pem\" }}\n{own}"
        );
        let path = self.0.path().join("runtime-config.toml");
        let config = RuntimeConfig::parse(&path, &text, KINDS, &declared(), &|_| None);
        let config = config.map_err(|errors| errors.to_string())?;
        let (_, backend) = config.backends().next().unwrap();
        Ok(backend.clone())
    }

    /// A configuration with the certificate and the key in a secret.
    async fn with_secrets(&self, endpoint: &str, name: &str, prefix: &str) -> RuntimeConfig {
        let access_key = self.0.path().join("access-key");
        std::fs::write(&access_key, "no server here checks it").unwrap();
        std::fs::set_permissions(&access_key, std::fs::Permissions::from_mode(0o600)).unwrap();
        let text = format!(
            "[secrets]\ntype = \"secrets-manager\"\nregion = \"us-east-1\"\nendpoint = \"{endpoint}\"\n\
             credentials = {{ access_key_id = \"test\", secret_access_key = {{ file = \"access-key\" }} }}\n\
             [event_log]\ntype = \"kafka\"\nbrokers = \"{}\"\nprefix = \"{prefix}\"\ntimeout_ms = 5000\n\
             ca = {{ file = \"ca.pem\" }}\ncertificate = {{ secret = \"{name}\", key = \"certificate\" }}\n\
             key = {{ secret = \"{name}\", key = \"key\" }}\n",
            brokers().await
        );
        let path = self.0.path().join("runtime-config.toml");
        std::fs::write(&path, text).unwrap();
        RuntimeConfig::load(&path, KINDS, &declared()).await.unwrap()
    }
}

fn declared() -> Declared {
    let topic = |name: &str, partitions| (name.to_owned(), LogTopicSpec { partitions });
    Declared { event_log: [topic(TOPIC, PARTITIONS), topic(OTHER_TOPIC, 1)].into(), ..Declared::default() }
}

async fn brokers() -> String {
    format!("127.0.0.1:{}", server().await.port)
}

async fn log(backend: &dyn Backend) -> Arc<dyn EventLogBackend> {
    match backend.open(&declared(), Path::new("")).await.unwrap() {
        Opened::EventLog(log, _) => log,
        _ => panic!("another interface"),
    }
}

/// Topics of its own. The files are there as long as it is.
pub struct Store {
    log: Arc<dyn EventLogBackend>,
    _files: Files,
}

impl EventLogStore for Store {
    fn event_log(&self) -> &dyn EventLogBackend {
        &*self.log
    }
}

pub async fn open() -> Store {
    let files = Files::of("ca.pem", Some("client")).await;
    let backend = files.backend(&brokers().await, &unique()).unwrap();
    backend.provision(&declared()).await.unwrap();
    Store { log: log(&*backend).await, _files: files }
}

async fn produce(log: &dyn EventLogBackend) -> Result<()> {
    log.produce(TOPIC, vec![record("k", "v")]).await.and_then(|mut produced| produced.remove(0))
}

/// What producing and probing say with these files.
async fn refusals(files: &Files, brokers: &str) -> [Error; 2] {
    let backend = files.backend(brokers, &unique()).unwrap();
    let produced = produce(&*log(&*backend).await).await.unwrap_err();
    [produced, backend.probe(&declared()).await.unwrap_err()]
}

async fn are_refused(files: &Files, brokers: &str, said: &str) {
    for error in refusals(files, brokers).await {
        assert_eq!(error.kind, ErrorKind::Unavailable, "an outage, and no record's fault: {error}");
        assert!(error.message.contains(said), "{said}: {error}");
        assert!(!error.message.contains('\n'), "one sentence: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_certificate_the_broker_refuses() {
    let files = Files::of("ca.pem", None).await;
    are_refused(&files, &brokers().await, "wants a certificate of the host's; set `certificate` and `key`").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_another_authority_is_refused() {
    let files = Files::of("ca.pem", Some("stranger")).await;
    let said =
        "does not accept the host's certificate (`certificate`): it is of an authority that the broker does not know";
    are_refused(&files, &brokers().await, said).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_certificate_is_refused() {
    let files = Files::of("ca.pem", Some("expired")).await;
    are_refused(&files, &brokers().await, "the host's certificate (`certificate`) expired at 2021-01-01T00:00:00Z")
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_of_another_authority_or_host_name_is_not_trusted() {
    let files = Files::of("other-ca.pem", Some("client")).await;
    are_refused(&files, &brokers().await, "is of another authority than those of `ca`").await;
    let files = Files::of("ca.pem", Some("client")).await;
    let by_name = format!("localhost:{}", server().await.port);
    are_refused(&files, &by_name, "is for another host name").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_another_certificate_is_a_fault_of_the_configuration() {
    let files = Files::of("ca.pem", Some("client")).await;
    files.put("stranger.key", "host.key").await;
    let told = files.backend(&brokers().await, "").map(drop).unwrap_err();
    assert!(told.contains("key is not the one of certificate"), "{told}");
}

/// Without a restart: the backend stays the same.
#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_rotated() {
    let (files, prefix) = (Files::of("ca.pem", Some("client")).await, unique());
    files.backend(&brokers().await, &prefix).unwrap().provision(&declared()).await.unwrap();
    files.client("stranger").await;
    let log = log(&*files.backend(&brokers().await, &prefix).unwrap()).await;
    produce(&*log).await.unwrap_err();
    files.client("client").await;
    wait::eventually("records with the new certificate", async || produce(&*log).await.ok()).await;

    // A new file that cannot be used changes nothing.
    std::fs::write(files.0.path().join("host.pem"), "half of a file").unwrap();
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    produce(&*log).await.unwrap();
    // One that the broker does not accept does.
    files.client("stranger").await;
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    produce(&*log).await.unwrap_err();
}

/// Certificate and key are one secret, so that they change together.
#[tokio::test(flavor = "multi_thread")]
async fn certificates_in_secrets_manager_are_rotated() {
    let (files, prefix, moto) = (Files::of("ca.pem", Some("client")).await, unique(), &endpoints().await.s3);
    files.backend(&brokers().await, &prefix).unwrap().provision(&declared()).await.unwrap();
    let secrets = aws_sdk_secretsmanager::Client::new(tests::aws::aws(moto).await.sdk());
    let name = format!("{prefix}kafka");
    let text = |client: &str| {
        let file = |name: &str| std::fs::read_to_string(files.0.path().join(name)).unwrap();
        json!({"name": client, "certificate": file("host.pem"), "key": file("host.key")}).to_string()
    };
    files.client("stranger").await;
    secrets.create_secret().name(&name).secret_string(text("stranger")).send().await.unwrap();
    let config = files.with_secrets(moto, &name, &prefix).await;
    let log = log(&**config.backend("event_log").unwrap()).await;
    produce(&*log).await.unwrap_err();
    files.client("client").await;
    secrets.put_secret_value().secret_id(&name).secret_string(text("client")).send().await.unwrap();
    assert_eq!(config.read_secrets_again().await, Vec::<String>::new());
    wait::eventually("records with the new certificate", async || produce(&*log).await.ok()).await;
}

/// Makes a topic that takes no batch of more than 4,000 bytes.
async fn make_narrow(topic: &str) {
    let plain = format!("127.0.0.1:{}", server().await.port - 1);
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", plain).create().unwrap();
    let topic = NewTopic::new(topic, 1, TopicReplication::Fixed(1)).set("max.message.bytes", "4000");
    let made = admin.create_topics([&topic], &AdminOptions::new()).await.unwrap();
    assert!(made.iter().all(|made| made.is_ok()), "{made:?}");
}

/// Kafka refuses a batch as a whole; here it would refuse the batch even without the record that is too large.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_is_too_large_for_its_topic_costs_no_other() {
    let (files, prefix) = (Files::of("ca.pem", Some("client")).await, unique());
    make_narrow(&format!("{prefix}{OTHER_TOPIC}")).await;
    let log = log(&*files.backend(&brokers().await, &prefix).unwrap()).await;
    let text = |n: usize| format!("{n}{}", "v".repeat(if n == 7 { 5_000 } else { 200 }));
    let produced = log.produce(OTHER_TOPIC, (0..40).map(|n| record("k", text(n))).collect()).await.unwrap();
    for (n, produced) in produced.iter().enumerate() {
        let kind = produced.as_ref().err().map(|error| error.kind);
        assert_eq!(kind, (n == 7).then_some(ErrorKind::TooLarge), "{n}: {produced:?}");
    }
    let page = log.read_log(OTHER_TOPIC, 0, None, 100).await.unwrap();
    let values: BTreeSet<_> = page.records.into_iter().filter_map(|record| record.value).collect();
    assert_eq!(values, (0..40).filter(|n| *n != 7).map(text).collect());
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_are_made_once_and_differences_are_named() {
    let (files, prefix) = (Files::of("ca.pem", Some("client")).await, unique());
    let backend = files.backend(&brokers().await, &prefix).unwrap();
    let missing = backend.probe(&declared()).await.unwrap_err();
    assert_eq!((missing.kind, missing.message), (ErrorKind::NotFound, format!("there is no topic {prefix}{TOPIC}")));
    let outage = produce(&*log(&*backend).await).await.unwrap_err();
    assert_eq!(outage.kind, ErrorKind::Unavailable, "{outage}");
    assert!(outage.message.ends_with("`host-adapters provision` makes it"), "{outage}");
    for _ in 0..2 {
        backend.provision(&declared()).await.unwrap();
        backend.probe(&declared()).await.unwrap();
        assert_eq!(backend.differences(&declared()).await.unwrap(), []);
    }
    let mut other = declared();
    other.event_log.insert(OTHER_TOPIC.to_owned(), LogTopicSpec { partitions: 4 });
    let differences = backend.differences(&other).await.unwrap();
    let [difference] = differences.as_slice() else { panic!("{differences:?}") };
    let said = format!("topic {prefix}{OTHER_TOPIC} has 1 partitions, and spin.toml declares 4; ");
    assert!(difference.message.starts_with(&said) && !difference.is_harmful, "{difference:?}");
    let refused = backend.provision(&other).await.unwrap_err();
    assert!(refused.starts_with(&said), "{refused}");
}
