//! `--servers`: real servers for the host. Each run has names of its own on them, by a prefix.

use crate::options::Options;
use anyhow::{Context, Result, bail};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};
use test_servers::{Servers, named};
use tokio::process::Command;

/// The database of Redis that belongs to the demo. It is emptied, because keys of the cache have no prefix.
const REDIS_DATABASE: u32 = 15;

/// Starts the servers that are not up, writes the runtime configuration into `folder` and lets the host make the tables
/// and queues of spin.toml.
pub async fn prepare(options: &Options, folder: &Path) -> Result<PathBuf> {
    let [dynamodb, elasticmq, mongo, redis] = tokio::task::spawn_blocking(start).await??;
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let prefix = format!("demo{}-", since.as_millis());
    let aws = |endpoint: &str| {
        let credentials = "{ access_key_id = \"demo\", secret_access_key = { file = \"aws-secret\" } }";
        format!(
            "region = \"us-east-1\"\nendpoint = \"{endpoint}\"\nprefix = \"{prefix}\"\ncredentials = {credentials}\n"
        )
    };
    let text = format!(
        "[tables]\ntype = \"dynamodb\"\n{}[queues]\ntype = \"sqs\"\n{}\
         [documents]\ntype = \"mongodb\"\nuri = \"{mongo}\"\ndatabase = \"demo\"\nprefix = \"{prefix}\"\n\
         [cache]\ntype = \"redis\"\nurl = \"{redis}/{REDIS_DATABASE}\"\n",
        aws(&dynamodb),
        aws(&elasticmq),
    );
    crate::folder::write_secret(&folder.join("aws-secret"), "no server here checks it")?;
    let config = folder.join("runtime-config.toml");
    std::fs::write(&config, text).with_context(|| format!("writing {}", config.display()))?;
    provision(options, &config).await?;
    Ok(config)
}

fn start() -> Result<[String; 4]> {
    let names = ["dynamodb", "elasticmq", "mongo", "redis"];
    let started = Servers::open()?.start(&named(&names)?, false)?;
    let endpoint = |name: &str| {
        let status = started.iter().find(|status| status.name == name);
        status
            .and_then(|status| status.endpoint.clone())
            .with_context(|| format!("{name} does not say where it listens"))
    };
    let [dynamodb, elasticmq, mongo, redis] = names.map(endpoint);
    let redis = redis?;
    flush(redis.trim_start_matches("redis://"))?;
    Ok([dynamodb?, elasticmq?, mongo?, redis])
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
