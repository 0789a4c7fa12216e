//! Tests of reading the runtime configuration: what it may contain, and that all diagnostics are reported at once.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::KINDS;
use crate::manifest::runtime_config::{BackendKind, RuntimeConfig};
use backend_dynamodb::DynamodbConfig;
use backend_kafka::KafkaConfig;
use backend_kinesis::KinesisConfig;
use backend_redis::RedisConfig;
use backend_s3::S3Config;
use backend_secrets_manager::SecretsManagerConfig;
use backend_sns::SnsConfig;
use backend_sqs::SqsConfig;
use backend_step_functions::StepFunctionsConfig;
use host_adapters_platform::{DataStreamSpec, Declared, LogTopicSpec, QueueSpec, ServiceBackend, TableSpec, TopicSpec};
use host_adapters_records::service::{ServiceRequest, ServiceResponse};
use host_adapters_records::{Caller, Error, ErrorKind};
use std::any::Any;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

const SECRET: &str = "hunter2";

fn parse(folder: &Path, text: &str) -> Result<RuntimeConfig, String> {
    parse_for(&Declared::default(), folder, text)
}

/// Reads a configuration for an application that declares this.
fn parse_for(declared: &Declared, folder: &Path, text: &str) -> Result<RuntimeConfig, String> {
    let environment = |name: &str| (name == "SET").then(|| format!("redis://:{SECRET}@cache"));
    RuntimeConfig::parse(&folder.join("runtime-config.toml"), text, KINDS, declared, &environment).map_err(|errors| {
        let place = format!("{}/runtime-config.toml:", folder.display());
        errors.to_string().replace(&place, "").replace(&folder.display().to_string(), "<folder>")
    })
}

/// What is configured in a section.
fn backend<'c, T: Any>(config: &'c RuntimeConfig, section: &str) -> &'c T {
    let backend: &dyn Any = &**config.backend(section).unwrap();
    backend.downcast_ref().unwrap()
}

fn secret_file(folder: &Path, mode: u32) {
    let path = folder.join("secret");
    std::fs::write(&path, format!("{SECRET}\n")).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn sections_left_out_are_embedded() {
    let config = parse(Path::new(""), "[queues]\ntype = \"embedded\"\n").unwrap();
    assert_eq!(config.backends().count(), 0);
}

#[test]
fn every_backend_is_named_and_secrets_come_by_reference() {
    let folder = tempfile::tempdir().unwrap();
    secret_file(folder.path(), 0o600);
    let config = parse(
        folder.path(),
        r#"
        [tables]
        type = "dynamodb"
        region = "us-west-2"
        prefix = "prd-"
        [queues]
        type = "sqs"
        endpoint = "http://127.0.0.1:9324"
        credentials = { access_key_id = "AKIA", secret_access_key = { file = "secret" } }
        [documents]
        type = "mongodb"
        uri = "mongodb://127.0.0.1"
        database = "demand"
        [objects]
        type = "s3"
        prefix = "acme-prd-"
        [data_streams]
        type = "kinesis"
        prefix = "prd-"
        lease_endpoint = "http://127.0.0.1:8000"
        [topics]
        type = "sns"
        prefix = "prd-"
        queue_endpoint = "http://127.0.0.1:9324"
        [cache]
        type = "redis"
        url = { env = "SET" }
        [tasks]
        type = "step-functions"
        prefix = "prd-"
        [event_log]
        type = "kafka"
        brokers = "a:9093, b:9093"
        prefix = "prd."
        timeout_ms = 5000
        [secrets]
        type = "secrets-manager"
        region = "us-west-2"
        credentials = { access_key_id = "AKIA", secret_access_key = { file = "secret" } }
    "#,
    )
    .unwrap();
    let tables: &DynamodbConfig = backend(&config, "tables");
    assert_eq!((tables.aws.region.as_deref(), tables.prefix.as_deref()), (Some("us-west-2"), Some("prd-")));
    assert_eq!(tables.lease_table(), "prd-host-adapters-leases");
    let SqsConfig { aws, .. } = backend(&config, "queues");
    assert_eq!(aws.credentials.0.as_ref().unwrap().secret_access_key.expose(), SECRET);
    let objects: &S3Config = backend(&config, "objects");
    assert_eq!(objects.prefix.as_deref(), Some("acme-prd-"));
    let streams: &KinesisConfig = backend(&config, "data_streams");
    assert_eq!(
        (streams.prefix.as_deref(), streams.lease_table()),
        (Some("prd-"), "prd-host-adapters-leases".to_owned())
    );
    assert_eq!(streams.lease_endpoint.0.as_deref(), Some("http://127.0.0.1:8000"));
    let topics: &SnsConfig = backend(&config, "topics");
    assert_eq!((topics.prefix.as_deref(), &topics.queue_prefix), (Some("prd-"), &None));
    assert_eq!(topics.queue_endpoint.0.as_deref(), Some("http://127.0.0.1:9324"));
    let tasks: &StepFunctionsConfig = backend(&config, "tasks");
    assert_eq!((tasks.prefix.as_deref(), &tasks.worker_name), (Some("prd-"), &None));
    let log: &KafkaConfig = backend(&config, "event_log");
    assert_eq!((log.brokers.as_str(), log.prefix.as_deref(), log.tls), ("a:9093, b:9093", Some("prd."), true));
    assert_eq!((log.timeout_ms, &log.ca, log.replicas), (5_000, &None, None));
    let SecretsManagerConfig { region, credentials, .. } = backend(&config, "secrets");
    let credentials = credentials.0.as_ref().unwrap();
    assert_eq!((region.as_deref(), credentials.secret_access_key.expose()), (Some("us-west-2"), SECRET));
    let RedisConfig { url, timeout_ms } = backend(&config, "cache");
    assert_eq!((url.expose(), *timeout_ms), (format!("redis://:{SECRET}@cache").as_str(), 50));
    assert!(!format!("{config:?}").contains(SECRET), "{config:?}");
}

#[test]
fn certificates_of_kafka_come_by_reference_and_are_checked() {
    let folder = tempfile::tempdir().unwrap();
    secret_file(folder.path(), 0o644);
    let declared =
        Declared { event_log: [("events".to_owned(), LogTopicSpec::default())].into(), ..Declared::default() };
    let told = |settings: &str| {
        let text = format!("[event_log]\ntype = \"kafka\"\n{settings}\n");
        parse_for(&declared, folder.path(), &text).map(|_| ()).unwrap_err()
    };
    let brokers = "brokers = \"h:9093\"";
    expect_test::expect![[r#"1:2: "brokers" is missing; write brokers = "host:9093,host:9093", in event_log"#]]
        .assert_eq(&told("tls = false"));
    for (settings, said) in [
        ("brokers = \"h\"", "3:11: brokers are not addresses; write them as in host:9093,host:9093"),
        (&format!("{brokers}\nca = \"-----BEGIN\""), "4:6: ca is written by reference; write ca = { env = \"NAME\" }"),
        (&format!("{brokers}\nca = {{ file = \"none\" }}"), "none cannot be read"),
        // Others may read it.
        (&format!("{brokers}\nca = {{ file = \"secret\" }}"), "ca is not a certificate in PEM"),
        (&format!("{brokers}\nkey = {{ file = \"secret\" }}"), "can be read by others (mode 644); chmod 600 it"),
        (&format!("{brokers}\nkey = {{ env = \"SET\" }}"), "key needs its certificate; write certificate, too"),
        (&format!("{brokers}\ncertificate = {{ env = \"SET\" }}"), "certificate needs its key; write key, too"),
        (&format!("{brokers}\ntls = false\nca = {{ env = \"SET\" }}"), "ca has no effect with tls = false"),
        (&format!("{brokers}\nprefix = \"p$\""), "before \"events\" the prefix makes a wrong name"),
    ] {
        let told = told(settings);
        assert!(told.contains(said), "{settings}: {told}");
    }
}

#[test]
fn all_diagnostics_are_reported_at_once() {
    let folder = tempfile::tempdir().unwrap();
    secret_file(folder.path(), 0o644);
    let diagnostics = parse(
        folder.path(),
        r#"[tables]
type = "dynamo"
[queues]
type = "sqs"
endpoint = "127.0.0.1:9324"
credentials = { access_key_id = "AKIA", secret_access_key = "hunter2" }
[documents]
type = "mongodb"
uri = "mongodb://me:hunter2@h"
databse = "demand"
[cache]
type = "redis"
url = { file = "secret" }
[metrics]
"#,
    )
    .unwrap_err();
    expect_test::expect![[r#"
        2:8: type = "dynamo" is unknown; write "dynamodb", in tables
        5:12: "127.0.0.1:9324" is not an http or https URL, in queues
        6:61: secret_access_key is a secret in plain text; write secret_access_key = { env = "NAME" }, { file = "path" } or { secret = "name" }, in queues.credentials
        7:2: "database" is missing; write database = "…", in documents
        9:7: uri holds credentials in plain text; write { env = "NAME" }, { file = "path" } or { secret = "name" }, in documents
        10:1: unknown key "databse"; write "database", in documents
        13:16: <folder>/secret can be read by others (mode 644); chmod 600 it, in cache.url
        14:2: unknown key "metrics"; there is "tables", "queues", "documents", "objects", "data_streams", "topics", "cache", "tasks", "event_log", "secrets""#]].assert_eq(&diagnostics);
    assert!(!diagnostics.contains(SECRET));
}

#[test]
fn references_to_nothing_are_reported() {
    let folder = tempfile::tempdir().unwrap();
    let diagnostics = parse(
        folder.path(),
        r#"[cache]
type = "redis"
url = { env = "UNSET" }
[documents]
type = "mongodb"
uri = { file = "none" }
database = "demand"
[queues]
type = "sqs"
credentials = { access_key_id = "AKIA", secret_access_key = { env = "SET", file = "secret" } }
"#,
    )
    .unwrap_err();
    expect_test::expect![[r#"
        3:15: the environment has no UNSET; set it, in cache.url
        6:16: <folder>/none cannot be read: No such file or directory (os error 2), in documents.uri
        10:61: write one of env = "NAME", file = "path" and secret = "name", in queues.credentials.secret_access_key"#]]
    .assert_eq(&diagnostics);
}

#[test]
fn a_store_of_secrets_is_opened_without_its_secrets() {
    let told = |text: &str| parse(Path::new("/f"), text).unwrap_err();
    let cache = "[cache]\ntype = \"redis\"\nurl = { secret = \"prd/redis\" }\n";
    expect_test::expect![[r#"3:18: there is no store for the secret "prd/redis"; write [secrets] with type = "secrets-manager", in cache.url"#]]
        .assert_eq(&told(cache));
    let secrets = "[secrets]\ntype = \"secrets-manager\"\n\
                   credentials = { access_key_id = \"AKIA\", secret_access_key = { secret = \"prd/key\" } }\n";
    expect_test::expect![[r#"3:72: secret_access_key opens the store of secrets, so it cannot be in it; write secret_access_key = { env = "NAME" } or { file = "path" }, in secrets.credentials.secret_access_key"#]]
        .assert_eq(&told(secrets));
}

/// A fault shows at the line, not when the host starts, and no password in it.
#[test]
fn addresses_and_names_that_no_server_can_have_are_reported() {
    let folder = tempfile::tempdir().unwrap();
    let diagnostics = parse(
        folder.path(),
        r#"[tables]
type = "dynamodb"
endpoint = "http://me:hunter2@h:8000"
[queues]
type = "sqs"
endpoint = "ftp://me:hunter2@h"
[documents]
type = "mongodb"
uri = "http://h:27017"
database = "de/mand"
[cache]
type = "redis"
url = "http://h"
[tasks]
type = "step-functions"
worker_name = ""
"#,
    )
    .unwrap_err();
    expect_test::expect![[r#"
        3:12: endpoint has a user or password; leave them out, in tables
        6:12: endpoint is not an http or https URL, in queues
        9:7: uri is not an address of MongoDB; write one as in mongodb://host:27017, in documents
        10:12: database is not a name; write 1 to 63 bytes without / \ . " $ * < > : | ? and blanks, in documents
        13:7: url is not an address of Redis; write one as in redis://host:6379, in cache
        16:15: worker_name must have 1 to 80 characters; leave it out for the machine's name, in tasks"#]]
    .assert_eq(&diagnostics);
}

/// A name that spin.toml may have may be one that the server cannot, once the deployment's prefix is before it.
#[test]
fn prefixes_that_make_names_which_no_server_can_have_are_reported() {
    let folder = tempfile::tempdir().unwrap();
    let declared = Declared {
        tables: [("demand-table".to_owned(), TableSpec::default())].into(),
        queues: [("q".repeat(78), QueueSpec::default())].into(),
        collections: ["campaigns".to_owned()].into(),
        buckets: ["scoring".to_owned()].into(),
        data_streams: [("scores".to_owned(), DataStreamSpec::default())].into(),
        topics: [("dataSns".to_owned(), TopicSpec::default())].into(),
        ..Declared::default()
    };
    let text = |prefix: &str| {
        format!(
            "[tables]\ntype = \"dynamodb\"\nprefix = \"{prefix}\"\nlease_table = \"our leases\"\n\
             [queues]\ntype = \"sqs\"\nprefix = \"{prefix}\"\n\
             [documents]\ntype = \"mongodb\"\nuri = \"mongodb://h\"\ndatabase = \"d\"\nprefix = \"{prefix}\"\n\
             [objects]\ntype = \"s3\"\nprefix = \"{prefix}\"\n\
             [data_streams]\ntype = \"kinesis\"\nprefix = \"{prefix}\"\nlease_table = \"our leases\"\n\
             [topics]\ntype = \"sns\"\nprefix = \"{prefix}\"\nqueue_prefix = \"{prefix}\"\n"
        )
    };
    expect_test::expect![[r#"
        3:10: before "demand-table" the prefix makes a wrong name: "p$demand-table" cannot be the name of a table in DynamoDB; write 3 to 255 letters, digits, _, - and ., in tables
        4:15: "our leases" cannot be the name of a table in DynamoDB; write 3 to 255 letters, digits, _, - and ., in tables
        7:10: before "qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq" the prefix makes a wrong name: "p$qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq" cannot be the name of a queue in SQS; write 1 to 80 letters, digits, - and _, with .fifo at the end of a FIFO queue's, in queues
        12:10: before "campaigns" the prefix makes a wrong name: "p$campaigns" cannot be the name of a collection in MongoDB; write 1 to 255 bytes without $, not beginning with system., in documents
        15:10: before "scoring" the prefix makes a wrong name: "p$scoring" cannot be the name of a bucket in S3; write 3 to 63 lower-case letters, digits, - and ., beginning and ending with a letter or digit, in objects
        18:10: before "scores" the prefix makes a wrong name: "p$scores" cannot be the name of a stream in Kinesis; write 1 to 128 letters, digits, _, - and ., in data_streams
        19:15: "our leases" cannot be the name of a table in DynamoDB; write 3 to 255 letters, digits, _, - and ., in data_streams
        22:10: before "dataSns" the prefix makes a wrong name: "p$dataSns" cannot be the name of a topic in SNS; write 1 to 256 letters, digits, _ and -, in topics
        23:16: before "qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq" the prefix makes a wrong name: "p$qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq" cannot be the name of a queue in SQS; write 1 to 80 letters, digits, - and _, with .fifo at the end of a FIFO queue's, in topics"#]]
    .assert_eq(&parse_for(&declared, folder.path(), &text("p$")).unwrap_err());
    let told = parse_for(&declared, folder.path(), &text("prd")).unwrap_err();
    assert!(told.contains("7:10: before \"qqq") && !told.contains("3:10") && !told.contains("12:10"), "{told}");
    let fits = text("p-").replace("our leases", "our-leases");
    assert!(parse_for(&declared, folder.path(), &fits).is_ok());
}

#[test]
fn addresses_are_shown_without_user_and_password() {
    let text = r#"
        [tables]
        type = "dynamodb"
        region = "us-west-2"
        [queues]
        type = "sqs"
        endpoint = "http://127.0.0.1:9324"
        [documents]
        type = "mongodb"
        uri = { env = "MONGO" }
        database = "demand"
        [cache]
        type = "redis"
        url = { env = "REDIS" }
    "#;
    let environment = |name: &str| {
        let scheme = if name == "MONGO" { "mongodb" } else { "redis" };
        Some(format!("{scheme}://me:{SECRET}@h:1/"))
    };
    let config = RuntimeConfig::parse(Path::new("r.toml"), text, KINDS, &Declared::default(), &environment).unwrap();
    let addresses: Vec<_> = config.backends().map(|(_, backend)| backend.address()).collect();
    assert_eq!(addresses, ["AWS in us-west-2", "http://127.0.0.1:9324", "h:1", "h:1"]);
}

#[test]
fn a_backend_that_is_not_built_in_is_named() {
    let kinds = [BackendKind { section: "queues", name: "sqs", settings: None }];
    let text = "[queues]\ntype = \"sqs\"\n";
    let told = RuntimeConfig::parse(Path::new("r.toml"), text, &kinds, &Declared::default(), &|_| None)
        .unwrap_err()
        .to_string();
    expect_test::expect![[r#"r.toml:1:2: this program was built without the backend "sqs"; build host-adapters with --features sqs, in queues"#]].assert_eq(&told);
}

struct NoServices;

#[async_trait::async_trait]
impl ServiceBackend for NoServices {
    async fn call(&self, _: Caller<'_>, service: &str, _: ServiceRequest) -> Result<ServiceResponse, Error> {
        Err(Error::new(ErrorKind::NotFound, service))
    }
}

/// They would deliver to queues that no source reads.
#[tokio::test]
async fn topics_in_sns_need_queues_in_sqs() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = "spin_manifest_version = 2\n[application]\nname = \"t\"\n[application.tool.host-adapters]\n\
                    queues = { q = {} }\ntopics = { t = { subscriptions = [{ queue = \"q\" }] } }\n";
    let provided = crate::manifest::ProvidedVariables::default();
    let app = crate::manifest::parse(Path::new("spin.toml"), manifest, &provided).unwrap();
    let section = "[topics]\ntype = \"sns\"\nregion = \"us-east-1\"\nendpoint = \"http://127.0.0.1:1\"\n\
                   credentials = { access_key_id = \"AKIA\", secret_access_key = { env = \"SET\" } }\n";
    let config = parse_for(&app.declared(), folder.path(), section).unwrap();
    let refused = super::open(&app, folder.path(), &config, NoServices).await.err().unwrap();
    assert!(refused.to_string().contains("add [queues], or remove [topics]"), "{refused:#}");
    let embedded = parse_for(&app.declared(), folder.path(), "").unwrap();
    assert!(super::open(&app, folder.path(), &embedded, NoServices).await.is_ok());
}
