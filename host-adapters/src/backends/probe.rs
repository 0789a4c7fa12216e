//! Whether the servers of a runtime configuration answer.

use super::open::{dynamodb, mongo, redis, sqs};
use crate::manifest::App;
use crate::manifest::runtime_config::RuntimeConfig;

/// Asks each server that is configured; answers its section and, where it does not answer, why.
pub async fn probe(app: &App, config: &RuntimeConfig) -> Vec<(&'static str, Option<String>)> {
    let mut found = Vec::new();
    if let Some((tables, _)) = dynamodb(app, &config.tables, "probe").await {
        found.push(("tables", tables.probe().await.err().map(|error| error.message)));
    }
    if let Some(sqs) = sqs(app, &config.queues).await {
        found.push(("queues", sqs.probe().await.err().map(|error| error.message)));
    }
    match mongo(app, &config.documents).await {
        Ok(Some(mongo)) => found.push(("documents", mongo.probe().await.err().map(|error| error.message))),
        Ok(None) => {}
        Err(error) => found.push(("documents", Some(format!("{error:#}")))),
    }
    match redis(&config.cache) {
        Ok(Some(redis)) => found.push(("cache", redis.probe().await.err().map(|error| error.to_string()))),
        Ok(None) => {}
        Err(error) => found.push(("cache", Some(format!("{error:#}")))),
    }
    found
}
