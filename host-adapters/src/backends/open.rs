//! Opens backends. Clients of servers connect at first use: a server that is down pauses sources, and does not keep the
//! host from starting.

use super::ask::compare;
use super::identity;
use crate::manifest::App;
use crate::manifest::runtime_config::RuntimeConfig;
use anyhow::{Context, Result, anyhow, bail};
use backend_embedded::{Embedded, EmbeddedCache, FanOut};
use host_adapters_platform as platform;
use host_adapters_platform::clock::Clock;
use host_adapters_platform::task::{ExecutionTable, NoTasks, TaskBackend};
use host_adapters_platform::{Declared, NoTopics, Opened, PlatformService, QueueBackend, QueueBrowser, ServiceBackend};
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
    let declared = app.declared();
    let sections = chosen(&declared, data, config).await?.or_embedded(&declared, data)?;
    let platform = Arc::new(sections.platform(app, Arc::new(services))?);
    let ((queues, browser), (tasks, executions)) = (sections.queues, sections.tasks);
    let ((_, streams, failures), (_, event_log)) = (sections.tables, sections.event_log);
    let sources = SourceStores { queues, streams, data_streams: sections.data_streams.1, event_log, failures, tasks };
    Ok(Backends { platform, sources, browser, executions, cache: sections.cache })
}

/// Opens the backends that the operator has chosen.
async fn chosen(declared: &Declared, data: &Path, config: &RuntimeConfig) -> Result<Chosen> {
    let mut chosen = Chosen::default();
    for (section, backend) in config.backends() {
        let place = || format!("[{section}] of the runtime configuration");
        let opened = backend.open(declared, data).await.map_err(|wrong| anyhow!(wrong)).with_context(place)?;
        compare(section, &**backend, declared).await.with_context(place)?;
        chosen.add(opened);
    }
    Ok(chosen)
}

/// Declares the sections of the runtime configuration. A row has the section, with the type of what it opens; the
/// variant of [`Opened`] that this is taken from; what stands there if the operator has chosen nothing; and, of an
/// interface of the platform, the backend behind it. Rows may use what the rows above have opened.
macro_rules! sections {
    ($store:ident; $(
        $section:ident: $type:ty = $opened:ident($($part:ident),+) => $chosen:expr, else $embedded:expr
            $(, platform |$opener:ident| $backend:expr)?;
    )+) => {
        /// What the operator has chosen.
        #[derive(Default)]
        struct Chosen {
            $($section: Option<$type>,)+
        }

        /// The backend of each section.
        struct Sections {
            $($section: $type,)+
        }

        impl Chosen {
            fn add(&mut self, opened: Opened) {
                match opened {
                    $(Opened::$opened($($part),+) => self.$section = Some($chosen),)+
                    // They were read with the configuration.
                    Opened::Secrets(_) => {}
                }
            }

            /// With embedded backends for what is not chosen.
            fn or_embedded(mut self, declared: &Declared, data: &Path) -> Result<Sections> {
                let mut store = EmbeddedStore { declared, data, opened: None, has_queues: self.queues.is_none() };
                self.check_topics(declared)?;
                let $store = &mut store;
                $(let $section: $type = match self.$section {
                    Some(chosen) => chosen,
                    None => $embedded,
                };)+
                Ok(Sections { $($section,)+ })
            }
        }

        impl Sections {
            fn platform(&self, app: &App, services: Arc<dyn ServiceBackend>) -> Result<PlatformService> {
                let components = app.components.values().map(|it| (it.id.clone(), it.grants.clone()));
                let clients = app.host.clients.iter().map(|(name, client)| (name.clone(), client.grants.clone()));
                Ok(PlatformService {
                    declared: app.declared(),
                    grants: components.chain(clients).collect(),
                    identity: identity(app)?,
                    services: Some(services),
                    $($($section: {
                        let $opener = &self.$section;
                        $backend
                    },)?)+
                })
            }
        }
    };
}

sections! {
    store;
    tables: (Arc<dyn platform::TableBackend>, Arc<dyn platform::StreamBackend>, Arc<dyn platform::FailureTable>)
        = Tables(table, streams, failures) => (table, streams, failures),
        else (store.get()?, store.get()?, store.get()?), platform |opened| opened.0.clone();
    queues: (Arc<dyn QueueBackend>, Arc<dyn QueueBrowser>) = Queues(queues, browser) => (queues, browser),
        else (store.get()?, store.get()?), platform |opened| opened.0.clone();
    documents: Arc<dyn platform::DocumentsBackend> = Documents(documents) => documents,
        else store.get()?, platform |opened| opened.clone();
    topics: Arc<dyn platform::TopicBackend> = Topics(topics) => topics,
        else store.topics(&queues.0)?, platform |opened| opened.clone();
    objects: Arc<dyn platform::ObjectsBackend> = Objects(objects) => objects,
        else store.objects(&queues.0)?, platform |opened| opened.clone();
    data_streams: (Arc<dyn platform::DataStreamBackend>, Arc<dyn platform::DataStreamReader>)
        = DataStreams(streams, reader) => (streams, reader),
        else {
            let streams = Arc::new(store.get()?.data_streams());
            (streams.clone(), streams)
        }, platform |opened| opened.0.clone();
    event_log: (Arc<dyn platform::EventLogBackend>, Arc<dyn platform::EventLogReader>)
        = EventLog(log, reader) => (log, reader),
        else (store.get()?, Arc::new(store.get()?.event_log())), platform |opened| opened.0.clone();
    cache: Arc<dyn CacheBackend> = Cache(cache) => cache, else Arc::new(EmbeddedCache::new(Clock::wall()));
    tasks: (Arc<dyn TaskBackend>, Option<Arc<dyn ExecutionTable>>) = Tasks(tasks, executions) => (tasks, executions),
        else store.tasks()?;
}

impl Chosen {
    /// Topics in a server deliver to queues of the same service. Without topics there are none to open.
    fn check_topics(&mut self, declared: &Declared) -> Result<()> {
        if declared.topics.is_empty() {
            self.topics = Some(Arc::new(NoTopics));
        } else if self.topics.is_some() && self.queues.is_none() {
            bail!(NEEDS_QUEUES);
        }
        Ok(())
    }
}

/// The embedded store, opened when the first section asks for it.
struct EmbeddedStore<'a> {
    declared: &'a Declared,
    data: &'a Path,
    opened: Option<Arc<Embedded>>,
    /// Whether the queues are in it.
    has_queues: bool,
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

    /// The buckets, which notify these queues.
    fn objects(&mut self, queues: &Arc<dyn QueueBackend>) -> Result<Arc<Embedded>> {
        let folders = self.get()?;
        folders.notify(queues);
        Ok(folders)
    }

    /// The topics, over the queues of this store or of another backend.
    fn topics(&mut self, queues: &Arc<dyn QueueBackend>) -> Result<Arc<dyn platform::TopicBackend>> {
        if self.has_queues {
            return Ok(self.get()?);
        }
        Ok(Arc::new(FanOut::open(self.declared, queues.clone(), Clock::wall())?))
    }

    fn tasks(&mut self) -> Result<Tasks> {
        if self.declared.tasks.is_empty() {
            return Ok((Arc::new(NoTasks), None));
        }
        Ok((self.get()?, Some(self.get()?)))
    }
}

/// Where executions are, and how they are started, where that is not the business of another program.
type Tasks = (Arc<dyn TaskBackend>, Option<Arc<dyn ExecutionTable>>);

/// Otherwise the topics would deliver to queues that nobody reads.
const NEEDS_QUEUES: &str =
    "[topics] of the runtime configuration delivers to queues of the same service; add [queues], or remove [topics]";
