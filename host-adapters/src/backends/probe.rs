//! Whether the servers of a runtime configuration answer.

use super::open::{dynamodb, mongo, redis, sqs};
use crate::manifest::App;
use crate::manifest::runtime_config::RuntimeConfig;
use host_adapters_records::{Error, ErrorKind};

/// Asks each server that is configured, also whether it has what spin.toml declares; answers its section and what is
/// wrong with it.
pub async fn probe(app: &App, config: &RuntimeConfig) -> Vec<(&'static str, Option<String>)> {
    let mut found = Vec::new();
    if let Some((tables, streams)) = dynamodb(app, &config.tables, "probe").await {
        let answer = match tables.probe().await {
            Ok(()) => streams.probe().await,
            down => down,
        };
        found.push(("tables", answer.err().map(|error| told(&error))));
    }
    if let Some(sqs) = sqs(app, &config.queues).await {
        found.push(("queues", sqs.probe().await.err().map(|error| told(&error))));
    }
    match mongo(app, &config.documents).await {
        Ok(Some(mongo)) => found.push(("documents", mongo.probe().await.err().map(|error| told(&error)))),
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

fn told(error: &Error) -> String {
    match error.kind {
        ErrorKind::NotFound => format!("{}; `host-adapters provision` makes what is missing", error.message),
        _ => error.message.clone(),
    }
}
