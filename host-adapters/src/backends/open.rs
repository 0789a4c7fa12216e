//! Opens backends. Clients of servers connect at first use: a server that is down pauses sources, and does not keep the
//! host from starting.

use super::ask::compare;
use super::identity;
use crate::manifest::App;
use crate::manifest::runtime_config::RuntimeConfig;
use anyhow::{Context, Result, anyhow, bail};
use backend_embedded::{Embedded, EmbeddedCache, FanOut};
use host_adapters_platform::clock::Clock;
use host_adapters_platform::task::{ExecutionTable, NoTasks, TaskBackend};
use host_adapters_platform::{
    DataStreamBackend, DataStreamReader, Declared, DocumentsBackend, EventLogBackend, EventLogReader, FailureTable,
    NoTopics, ObjectsBackend, Opened, PlatformService, QueueBackend, QueueBrowser, ServiceBackend, StreamBackend,
    TableBackend, TopicBackend,
};
use host_adapters_records::cache::CacheBackend;
use host_adapters_sources::SourceStores;
use std::path::Path;
use std::sync::Arc;

/// The backends of the platform and the sources.
pub struct Backends {
    /// The platform, with the grants of components and clients.
    pub platform: Arc<PlatformService>,
    /// What sources read and write, queues of dead letters included.
    pub sources: SourceStores,
    /// Shows operators the messages in queues.
    pub browser: Arc<dyn QueueBrowser>,
    /// How executions are started; `None` where another program does that.
    pub executions: Option<Arc<dyn ExecutionTable>>,
    /// The cache, which is `spin:redis` to components.
    pub cache: Arc<dyn CacheBackend>,
}

/// Opens the backends that `config` names, and the embedded ones in the folder `data`, which is made if it does not
/// exist.
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
        declared: app.declared(),
        grants: components.chain(clients).collect(),
        tables: opened.tables.0.clone(),
        queues: opened.queues.0.clone(),
        documents: opened.documents,
        objects: opened.objects,
        data_streams: opened.data_streams.0.clone(),
        topics: opened.topics,
        identity: identity(app)?,
        services: Some(Arc::new(services)),
        event_log: opened.event_log.0.clone(),
    };
    let ((queues, browser), (_, streams, failures)) = (opened.queues, opened.tables);
    let ((_, data_streams), (_, event_log)) = (opened.data_streams, opened.event_log);
    let ((tasks, executions), cache) = (opened.tasks, opened.cache);
    let sources = SourceStores { queues, streams, data_streams, event_log, failures, tasks };
    Ok(Backends { platform: Arc::new(platform), sources, browser, executions, cache })
}

/// The backend of each section of the runtime configuration.
struct Sections {
    tables: (Arc<dyn TableBackend>, Arc<dyn StreamBackend>, Arc<dyn FailureTable>),
    queues: (Arc<dyn QueueBackend>, Arc<dyn QueueBrowser>),
    documents: Arc<dyn DocumentsBackend>,
    objects: Arc<dyn ObjectsBackend>,
    data_streams: (Arc<dyn DataStreamBackend>, Arc<dyn DataStreamReader>),
    topics: Arc<dyn TopicBackend>,
    cache: Arc<dyn CacheBackend>,
    tasks: (Arc<dyn TaskBackend>, Option<Arc<dyn ExecutionTable>>),
    event_log: (Arc<dyn EventLogBackend>, Arc<dyn EventLogReader>),
}

impl Sections {
    async fn open(declared: &Declared, data: &Path, config: &RuntimeConfig) -> Result<Self> {
        let (mut tables, mut queues, mut documents, mut objects) = (None, None, None, None);
        let (mut data_streams, mut topics, mut cache) = (None, None, None);
        let (mut tasks, mut event_log) = (None, None);
        for (section, backend) in config.backends() {
            let place = || format!("[{section}] of the runtime configuration");
            let opened = backend.open(declared, data).await.map_err(|wrong| anyhow!(wrong)).with_context(place)?;
            compare(section, &**backend, declared).await.with_context(place)?;
            match opened {
                Opened::Tables(table, stream, failures) => tables = Some((table, stream, failures)),
                Opened::Queues(queue, browser) => queues = Some((queue, browser)),
                Opened::Documents(backend) => documents = Some(backend),
                Opened::Objects(backend) => objects = Some(backend),
                Opened::DataStreams(backend, reader) => data_streams = Some((backend, reader)),
                Opened::Topics(backend) => topics = Some(backend),
                Opened::Cache(backend) => cache = Some(backend),
                Opened::Tasks(backend, executions) => tasks = Some((backend, executions)),
                Opened::EventLog(backend, reader) => event_log = Some((backend, reader)),
            }
        }
        let mut store = EmbeddedStore { declared, data, opened: None };
        let has_own_queues = queues.is_none();
        let queues = match queues {
            Some(queues) => queues,
            None => (store.get()? as Arc<dyn QueueBackend>, store.get()? as Arc<dyn QueueBrowser>),
        };
        let topics = store.topics(topics, has_own_queues, &queues.0)?;
        let objects: Arc<dyn ObjectsBackend> = match objects {
            Some(objects) => objects,
            None => {
                let folders = store.get()?;
                folders.notify(&queues.0);
                folders
            }
        };
        Ok(Self {
            tables: match tables {
                Some(tables) => tables,
                None => (store.get()?, store.get()?, store.get()?),
            },
            queues,
            documents: match documents {
                Some(documents) => documents,
                None => store.get()?,
            },
            objects,
            data_streams: match data_streams {
                Some(data_streams) => data_streams,
                None => {
                    let streams = Arc::new(store.get()?.data_streams());
                    (streams.clone(), streams)
                }
            },
            topics,
            cache: cache.unwrap_or_else(memory),
            tasks: match tasks {
                Some(tasks) => tasks,
                None if declared.tasks.is_empty() => (Arc::new(NoTasks), None),
                None => (store.get()?, Some(store.get()?)),
            },
            event_log: match event_log {
                Some(event_log) => event_log,
                None => (store.get()?, Arc::new(store.get()?.event_log())),
            },
        })
    }
}

/// The embedded store, opened when the first section asks for it.
struct EmbeddedStore<'a> {
    declared: &'a Declared,
    data: &'a Path,
    opened: Option<Arc<Embedded>>,
}

impl EmbeddedStore<'_> {
    fn get(&mut self) -> Result<Arc<Embedded>> {
        if let Some(store) = &self.opened {
            return Ok(store.clone());
        }
        let file = self.data.join("embedded.sqlite");
        let store = Embedded::open(&file, self.declared);
        let store = Arc::new(store.with_context(|| format!("cannot open {}", file.display()))?);
        Ok(self.opened.insert(store).clone())
    }

    /// The topics: `configured`, or those of this store, over the queues of this store or of another backend.
    fn topics(
        &mut self,
        configured: Option<Arc<dyn TopicBackend>>,
        has_own_queues: bool,
        queues: &Arc<dyn QueueBackend>,
    ) -> Result<Arc<dyn TopicBackend>> {
        let topics: Arc<dyn TopicBackend> = match configured {
            _ if self.declared.topics.is_empty() => Arc::new(NoTopics),
            Some(_) if has_own_queues => bail!(NEEDS_QUEUES),
            Some(topics) => topics,
            None if has_own_queues => self.get()?,
            None => Arc::new(FanOut::open(self.declared, queues.clone(), Clock::wall())?),
        };
        Ok(topics)
    }
}

/// Otherwise the topics would deliver to queues that nobody reads.
const NEEDS_QUEUES: &str =
    "[topics] of the runtime configuration delivers to queues of the same service; add [queues], or remove [topics]";

/// The embedded cache.
fn memory() -> Arc<dyn CacheBackend> {
    Arc::new(EmbeddedCache::new(Clock::wall()))
}
