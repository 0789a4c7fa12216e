//! `sqs_msgs_per_s`, `sqs_cpu_us`: the source `sqs` empties a queue of ElasticMQ into a worker that does nothing, ten
//! messages a call.

pub mod native;

use super::Server;
use super::application::{Application, QUEUE};
use super::native::sdk;
use super::settled::{Figures, Settled, watch};
use crate::process::Process;
use crate::report::{Beside, Figure};
use crate::rounds::Effort;
use anyhow::{Result, bail, ensure};
use aws_sdk_sqs::Client;
use backend_aws::Aws;
use backend_sqs::Sqs;
use host_adapters_platform::{QueueBackend, QueueSpec};
use host_adapters_records::Attribute;
use host_adapters_records::queue::Message;
use serde_json::json;
use std::cell::Cell;
use std::path::Path;
use std::time::{Duration, Instant};

/// Messages of one round.
const MESSAGES: usize = 20_000;
/// Messages in one call when a queue is filled.
const FILL: usize = 500;
/// The time for deletes to be done after the last message is counted.
const PATIENCE: Duration = Duration::from_secs(10);

const FIGURES: Figures = Figures {
    rate: "sqs_msgs_per_s",
    rate_beside: &[Beside::AtLeast(0.9, "native_sqs_msgs_per_s")],
    native_rate: "native_sqs_msgs_per_s",
    cpu: "sqs_cpu_us",
    cpu_beside: &[Beside::AtMost(2.5, "native_sqs_cpu_us")],
    native_cpu: "native_sqs_cpu_us",
};

/// Measures host and baseline.
///
/// # Errors
/// When ElasticMQ cannot be started, or a message is lost or comes twice.
pub fn measure(effort: Effort, program: &Path) -> Result<Vec<Figure>> {
    let server = Server::start("elasticmq")?;
    let threads = tokio::runtime::Runtime::new()?;
    let pollers = native::POLLERS;
    let source = format!(r#"type = "sqs", queue = "{QUEUE}", batch_size = 10, max_concurrency = {pollers}"#);
    let application = Application::new(program, &source)?;
    let messages = effort.of(MESSAGES, 200);
    let host = |prefix: &str| application.start(&format!("[queues]\ntype = \"sqs\"\n{}", server.section(prefix)));
    let native = |prefix: &str| Process::native("native-sqs", &[&server.endpoint, &format!("{prefix}{QUEUE}")]);
    let rounds = Cell::new(0);
    let empty = |start: &dyn Fn(&str) -> Result<Process>| {
        rounds.set(rounds.get() + 1);
        // Each process has a queue of its own: a poll of a process that has ended may still receive messages.
        threads.block_on(empty(&server, &format!("{}{}-", server.prefix, rounds.get()), messages, start))
    };
    FIGURES.measure(effort, || empty(&host), || empty(&native))
}

/// Fills a queue and lets a process empty it.
async fn empty(
    server: &Server,
    prefix: &str,
    messages: usize,
    start: &dyn Fn(&str) -> Result<Process>,
) -> Result<Settled> {
    let queues = Sqs::new(&Aws::load(&server.config()).await, prefix, [QUEUE.to_owned()].into());
    let spec = QueueSpec { visibility_timeout_secs: 30, retention_secs: 3600, ..QueueSpec::default() };
    queues.provision(QUEUE, &spec).await?;
    fill(&queues, messages).await?;
    let process = start(prefix)?;
    let settled = watch(&process, messages as u64).await?;
    emptied(&queues).await?;
    process.stop()?;
    delete(server, prefix).await?;
    Ok(settled)
}

async fn fill(queues: &Sqs, messages: usize) -> Result<()> {
    for first in (0..messages).step_by(FILL) {
        let portion: Vec<_> = (first..messages.min(first + FILL)).map(message).collect();
        let sent = queues.send_batch(QUEUE, portion).await?;
        for answer in sent {
            if let Err(error) = answer {
                bail!("the queue does not take a message: {error}");
            }
        }
    }
    Ok(())
}

/// A message as long as most between workers, with the attributes that those have.
fn message(number: usize) -> Message {
    let body = json!({
        "do": "ack", "globalUserId": format!("fan-{number}"), "email": format!("fan-{number}@example.com"),
        "firstName": "Ada", "lastName": "Lovelace", "country": "GB", "campaignId": "bench", "consent": true,
    });
    let attributes = [("correlationId", format!("correlation-{number}")), ("type", "USER".to_owned())];
    let attributes = attributes.map(|(name, value)| Attribute::text(name, value)).into();
    Message { attributes, ..Message::new(body.to_string()) }
}

/// Waits until the queue is empty: every message that was counted is also deleted.
async fn emptied(queues: &Sqs) -> Result<()> {
    let since = Instant::now();
    loop {
        let depth = queues.depth(QUEUE).await?;
        let left = depth.visible + depth.in_flight + depth.delayed;
        if left == 0 {
            return Ok(());
        }
        ensure!(since.elapsed() < PATIENCE, "{left} messages are counted as done and not deleted");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn delete(server: &Server, prefix: &str) -> Result<()> {
    let client = Client::new(&sdk(&server.endpoint).await);
    let url = client.get_queue_url().queue_name(format!("{prefix}{QUEUE}")).send().await?.queue_url;
    client.delete_queue().set_queue_url(url).send().await?;
    Ok(())
}
