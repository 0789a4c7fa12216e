//! Opening backends. Clients of servers connect at first use: a server that is down pauses sources, it does not keep
//! the host from starting.

use super::identity;
use crate::manifest::App;
use crate::manifest::runtime_config::RuntimeConfig;
use anyhow::{Context, Result, anyhow, bail};
use backend_embedded::{Cache, Config, Embedded};
use host_adapters_platform::clock::Clock;
use host_adapters_platform::{
    Declared, DocumentsBackend, Opened, PlatformService, QueueBackend, QueueBrowser, ServiceBackend, StreamBackend,
    TableBackend,
};
use host_adapters_records::cache::CacheBackend;
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
pub async fn open(app: &App, data: &Path, config: &RuntimeConfig, services: impl ServiceBackend) -> Result<Backends> {
    std::fs::create_dir_all(data).with_context(|| format!("cannot make the folder {}", data.display()))?;
    let opened = Sections::open(&app.declared(), data, config).await?;
    let components = app.components.values().map(|it| (it.id.clone(), it.grants.clone()));
    let clients = app.host.clients.iter().map(|(name, client)| (name.clone(), client.grants.clone()));
    let platform = PlatformService {
        grants: components.chain(clients).collect(),
        tables: opened.tables.0,
        queues: opened.queues.0.clone(),
        documents: opened.documents,
        identity: identity(app)?,
        services: Some(Arc::new(services)),
    };
    let ((queues, browser), streams) = (opened.queues, opened.tables.1);
    Ok(Backends { platform: Arc::new(platform), queues, browser, streams, cache: opened.cache })
}

/// What stands behind each section of the runtime configuration.
struct Sections {
    tables: (Arc<dyn TableBackend>, Arc<dyn StreamBackend>),
    queues: (Arc<dyn QueueBackend>, Arc<dyn QueueBrowser>),
    documents: Arc<dyn DocumentsBackend>,
    cache: Arc<dyn CacheBackend>,
}

impl Sections {
    async fn open(declared: &Declared, data: &Path, config: &RuntimeConfig) -> Result<Self> {
        let (mut tables, mut queues, mut documents, mut cache) = (None, None, None, None);
        for (section, backend) in config.backends() {
            let opened = backend.open(declared, data).await.map_err(|wrong| anyhow!(wrong));
            match opened.with_context(|| format!("[{section}] of the runtime configuration"))? {
                Opened::Tables(table, stream) => tables = Some((table, stream)),
                Opened::Queues(queue, browser) => queues = Some((queue, browser)),
                Opened::Documents(backend) => documents = Some(backend),
                Opened::Cache(backend) => cache = Some(backend),
            }
        }
        let store = match (&tables, &queues, &documents) {
            (Some(_), Some(_), Some(_)) => None,
            _ => Some(Arc::new(embedded(declared, data)?)),
        };
        // All three are there, or the store stands in for them.
        let Some(store) = store else {
            let (Some(tables), Some(queues), Some(documents)) = (tables, queues, documents) else {
                bail!("a section has no backend");
            };
            return Ok(Self { tables, queues, documents, cache: cache.unwrap_or_else(memory) });
        };
        Ok(Self {
            tables: tables.unwrap_or_else(|| (store.clone(), store.clone())),
            queues: queues.unwrap_or_else(|| (store.clone(), store.clone())),
            documents: documents.unwrap_or_else(|| store.clone()),
            cache: cache.unwrap_or_else(memory),
        })
    }
}

fn embedded(declared: &Declared, data: &Path) -> Result<Embedded> {
    let file = data.join("embedded.sqlite");
    Embedded::open(&file, &Config::from(declared)).with_context(|| format!("cannot open {}", file.display()))
}

/// The embedded cache.
fn memory() -> Arc<dyn CacheBackend> {
    Arc::new(Cache::new(Clock::wall()))
}
