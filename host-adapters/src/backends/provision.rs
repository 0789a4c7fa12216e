//! Creating the tables and queues of spin.toml that are missing.

use super::open::{dynamodb, mongo, sqs};
use crate::manifest::App;
use crate::manifest::runtime_config::RuntimeConfig;
use anyhow::{Context, Result};
use backend_sqs::QueueSpec;

/// Makes what is missing on the servers that are configured; what is there is left as it is.
///
/// # Errors
/// When a server refuses, or what is there is not as spin.toml declares it.
pub async fn provision(app: &App, config: &RuntimeConfig) -> Result<()> {
    if let Some((tables, streams)) = dynamodb(app, &config.tables, "provision").await {
        streams.provision().await?;
        for (name, table) in &app.host.tables {
            tables.provision(name, table.stream).await.with_context(|| format!("table {name}"))?;
        }
    }
    if let Some(sqs) = sqs(app, &config.queues).await {
        let mut queues: Vec<_> = app.host.queues.iter().collect();
        // Dead-letter queues first: the others point at them.
        queues.sort_by_key(|(_, queue)| queue.dead_letter_queue.is_some());
        for (name, queue) in queues {
            let spec = QueueSpec {
                visibility_timeout: queue.visibility_timeout,
                retention: queue.retention,
                dead_letters: queue.dead_letter_queue.clone().map(|name| (name, queue.max_receive_count)),
            };
            sqs.provision(name, &spec).await.with_context(|| format!("queue {name}"))?;
        }
    }
    if let Some(mongo) = mongo(app, &config.documents).await? {
        mongo.provision().await.context("collections")?;
    }
    Ok(())
}
