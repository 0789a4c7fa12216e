//! Opening backends. Clients of servers connect at first use: a server that is down pauses sources and does not
//! keep the host from starting.

use super::identity;
use crate::manifest::App;
use crate::manifest::runtime_config::{self as config, RuntimeConfig};
use anyhow::{Context, Result};
use backend_aws::Aws;
use backend_dynamodb::{Dynamodb, DynamodbStreams};
use backend_embedded::{Cache, Embedded};
use backend_mongodb::Mongo;
use backend_redis::Redis;
use backend_sqs::Sqs;
use host_adapters_platform::clock::Clock;
use host_adapters_platform::{
    DocumentsBackend, PlatformService, QueueBackend, QueueBrowser, StreamBackend, TableBackend,
};
use host_adapters_records::cache::CacheBackend;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

/// The backends of the platform and the sources.
pub struct Backends {
    /// The platform with the grants of components and clients.
    pub platform: Arc<PlatformService>,
    /// Queues of sources and dead letters.
    pub queues: Arc<dyn QueueBackend>,
    /// Looks into queues for operators.
    pub browser: Arc<dyn QueueBrowser>,
    /// Change streams.
    pub streams: Arc<dyn StreamBackend>,
    /// `spin:redis`.
    pub cache: Arc<dyn CacheBackend>,
}

/// Opens the backends that `config` names; the embedded ones in the folder `data`, which is made if there is none.
///
/// # Errors
/// When the folder or the file cannot be used, an address is not valid, or the keys of the identity are neither a file
/// nor an address.
pub async fn open(app: &App, data: &Path, config: &RuntimeConfig) -> Result<Backends> {
    std::fs::create_dir_all(data).with_context(|| format!("cannot make the folder {}", data.display()))?;
    let embedded = if is_embedded(config) { Some(Arc::new(embedded(app, data)?)) } else { None };
    let (tables, streams) = tables(app, data, &config.tables, embedded.as_ref()).await?;
    let (queues, browser) = queues(app, &config.queues, embedded.as_ref()).await?;
    let components = app.components.values().map(|it| (it.id.clone(), it.grants.clone()));
    let clients = app.host.clients.iter().map(|(name, client)| (name.clone(), client.grants.clone()));
    let platform = PlatformService {
        grants: components.chain(clients).collect(),
        tables,
        queues: queues.clone(),
        documents: documents(app, &config.documents, embedded.as_ref()).await?,
        identity: identity(app)?,
    };
    Ok(Backends { platform: Arc::new(platform), queues, browser, streams, cache: cache(&config.cache)? })
}

fn is_embedded(config: &RuntimeConfig) -> bool {
    matches!(config.tables, config::Tables::Embedded)
        || matches!(config.queues, config::Queues::Embedded)
        || matches!(config.documents, config::Documents::Embedded)
}

fn embedded(app: &App, data: &Path) -> Result<Embedded> {
    let file = data.join("embedded.sqlite");
    Embedded::open(&file, &app.embedded()).with_context(|| format!("cannot open {}", file.display()))
}

type Tables = (Arc<dyn TableBackend>, Arc<dyn StreamBackend>);

async fn tables(app: &App, data: &Path, config: &config::Tables, store: Option<&Arc<Embedded>>) -> Result<Tables> {
    match (config, store) {
        (config::Tables::Dynamodb { .. }, _) => {
            let (tables, streams) =
                dynamodb(app, config, &host_id(data)?).await.context("no DynamoDB is configured")?;
            Ok((Arc::new(tables), Arc::new(streams)))
        }
        (config::Tables::Embedded, store) => {
            let store = store.context("the embedded store is not open")?;
            Ok((store.clone(), store.clone()))
        }
    }
}

/// Clients of DynamoDB, if it is configured.
pub(super) async fn dynamodb(app: &App, config: &config::Tables, host: &str) -> Option<(Dynamodb, DynamodbStreams)> {
    let config::Tables::Dynamodb { aws, prefix, lease_table } = config else { return None };
    let (aws, names) = (Aws::load(aws).await, app.host.tables.keys().cloned().collect::<BTreeSet<_>>());
    let tables = Dynamodb::new(&aws, prefix, names.clone());
    Some((tables, DynamodbStreams::new(&aws, prefix, names, lease_table, host)))
}

type Queues = (Arc<dyn QueueBackend>, Arc<dyn QueueBrowser>);

async fn queues(app: &App, config: &config::Queues, store: Option<&Arc<Embedded>>) -> Result<Queues> {
    if let Some(sqs) = sqs(app, config).await {
        return Ok((Arc::new(sqs.clone()), Arc::new(sqs)));
    }
    let store = store.context("the embedded store is not open")?;
    Ok((store.clone(), store.clone()))
}

/// A client of SQS, if it is configured.
pub(super) async fn sqs(app: &App, config: &config::Queues) -> Option<Sqs> {
    let config::Queues::Sqs { aws, prefix } = config else { return None };
    Some(Sqs::new(&Aws::load(aws).await, prefix, app.host.queues.keys().cloned().collect()))
}

async fn documents(
    app: &App,
    config: &config::Documents,
    store: Option<&Arc<Embedded>>,
) -> Result<Arc<dyn DocumentsBackend>> {
    match mongo(app, config).await? {
        Some(mongo) => Ok(Arc::new(mongo)),
        None => Ok(store.context("the embedded store is not open")?.clone()),
    }
}

/// A client of MongoDB, if it is configured.
pub(super) async fn mongo(app: &App, config: &config::Documents) -> Result<Option<Mongo>> {
    let config::Documents::Mongodb { uri, database, prefix } = config else { return Ok(None) };
    let mongo = Mongo::new(uri.expose(), database, prefix, app.host.collections.iter().cloned().collect()).await;
    mongo.map(Some).map_err(anyhow::Error::msg).context("[documents] of the runtime configuration")
}

fn cache(config: &config::Cache) -> Result<Arc<dyn CacheBackend>> {
    Ok(match redis(config)? {
        Some(redis) => Arc::new(redis),
        None => Arc::new(Cache::new(Clock::wall())),
    })
}

/// A client of Redis, if it is configured.
pub(super) fn redis(config: &config::Cache) -> Result<Option<Redis>> {
    let config::Cache::Redis { url } = config else { return Ok(None) };
    let redis = Redis::new(url.expose());
    redis.map(Some).map_err(anyhow::Error::msg).context("[cache] of the runtime configuration")
}

/// What this host is called in the lease table. It is kept with its data: after a restart it takes its own leases up at
/// once instead of waiting for their end.
fn host_id(data: &Path) -> Result<String> {
    let file = data.join("host-id");
    match std::fs::read_to_string(&file) {
        Ok(id) if !id.trim().is_empty() => return Ok(id.trim().to_owned()),
        _ => {}
    }
    let id = uuid::Uuid::new_v4().to_string();
    std::fs::write(&file, &id).with_context(|| format!("cannot write {}", file.display()))?;
    Ok(id)
}
