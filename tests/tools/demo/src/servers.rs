//! `--servers`: real servers for the host. Each run has its own names on them, with a prefix.

mod cloud;

pub use cloud::Cloud;

use crate::options::Options;
use crate::pipeline::Kafka;
use anyhow::{Context, Result, bail};
use cloud::Endpoints;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};
use test_servers::{Servers, certificates, named};
use tokio::process::Command;

/// The database of Redis that belongs to the demo. It is emptied, because keys of the cache have no prefix.
const REDIS_DATABASE: u32 = 15;
/// All servers.
const NAMES: [&str; 7] = ["dynamodb", "elasticmq", "mongo", "redis", "moto", "kinesalite", "kafka"];

/// What a run on servers has.
pub struct Prepared {
    /// The host's runtime configuration.
    pub config: PathBuf,
    /// Objects and data streams on the servers.
    pub cloud: Cloud,
    /// The event log in Kafka.
    pub log: Kafka,
}

/// Starts the servers that are not up, writes the runtime configuration into `folder` and lets the host make the tables,
/// queues, buckets, streams and topics of spin.toml.
pub async fn prepare(options: &Options, folder: &Path) -> Result<Prepared> {
    let [dynamodb, elasticmq, mongo, redis, moto, kinesis, kafka] = tokio::task::spawn_blocking(start).await??;
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let prefix = format!("demo{}-", since.as_millis());
    let aws = |section: &str, kind: &str, endpoint: &str| {
        let credentials = "{ access_key_id = \"demo\", secret_access_key = { file = \"aws-secret\" } }";
        format!(
            "[{section}]\ntype = \"{kind}\"\nregion = \"us-east-1\"\nendpoint = \"{endpoint}\"\nprefix = \"{prefix}\"\n\
             credentials = {credentials}\n"
        )
    };
    let brokers = format!("127.0.0.1:{}", certificates::port(&kafka)?);
    let certificates = Servers::open()?.certificates("kafka");
    let sections = [
        aws("tables", "dynamodb", &dynamodb),
        aws("queues", "sqs", &elasticmq),
        aws("objects", "s3", &moto),
        aws("data_streams", "kinesis", &kinesis) + &format!("lease_endpoint = \"{dynamodb}\"\n"),
        format!("[documents]\ntype = \"mongodb\"\nuri = \"{mongo}\"\ndatabase = \"demo\"\nprefix = \"{prefix}\"\n"),
        format!("[cache]\ntype = \"redis\"\nurl = \"{redis}/{REDIS_DATABASE}\"\n"),
        event_log(&brokers, &certificates, &prefix),
    ];
    crate::folder::write_secret(&folder.join("aws-secret"), "no server here checks it")?;
    let config = folder.join("runtime-config.toml");
    std::fs::write(&config, sections.concat()).with_context(|| format!("writing {}", config.display()))?;
    provision(options, &config).await?;
    let log = Kafka::connect(&brokers, &certificates, prefix.clone())?;
    let cloud = Cloud::connect(Endpoints { objects: moto, queues: elasticmq, streams: kinesis }, prefix).await?;
    Ok(Prepared { config, cloud, log })
}

fn event_log(brokers: &str, certificates: &Path, prefix: &str) -> String {
    let file = |name: &str| format!("{{ file = \"{}\" }}", certificates.join(name).display());
    let (ca, certificate, key) = (file("ca.pem"), file("client.pem"), file("client.key"));
    format!(
        "[event_log]\ntype = \"kafka\"\nbrokers = \"{brokers}\"\nprefix = \"{prefix}\"\nca = {ca}\n\
         certificate = {certificate}\nkey = {key}\n"
    )
}

fn start() -> Result<[String; NAMES.len()]> {
    let started = Servers::open()?.start(&named(&NAMES)?, false)?;
    let mut endpoints = NAMES.map(|_| String::new());
    for (name, endpoint) in NAMES.iter().zip(&mut endpoints) {
        let status = started.iter().find(|status| status.name == *name);
        *endpoint = status
            .and_then(|status| status.endpoint.clone())
            .with_context(|| format!("{name} does not say where it listens"))?;
    }
    let [_, _, _, redis, ..] = &endpoints;
    flush(redis.trim_start_matches("redis://"))?;
    Ok(endpoints)
}

/// Empties the demo's database.
fn flush(redis: &str) -> Result<()> {
    let mut stream = TcpStream::connect(redis).with_context(|| format!("connecting to Redis at {redis}"))?;
    stream.write_all(format!("SELECT {REDIS_DATABASE}\r\nFLUSHDB\r\n").as_bytes())?;
    let mut answer = [0; 10];
    stream.read_exact(&mut answer).context("emptying a database of Redis")?;
    if &answer != b"+OK\r\n+OK\r\n" {
        bail!("Redis does not empty database {REDIS_DATABASE}: {}", String::from_utf8_lossy(&answer));
    }
    Ok(())
}

async fn provision(options: &Options, config: &Path) -> Result<()> {
    let mut command = Command::new(&options.host);
    command.arg("provision").arg("--manifest").arg(&options.manifest).arg("--runtime-config").arg(config);
    let output = command.output().await.with_context(|| format!("starting {}", options.host.display()))?;
    if !output.status.success() {
        bail!("the host cannot make its tables and queues: {}", String::from_utf8_lossy(&output.stderr).trim_end());
    }
    Ok(())
}
