//! What a manifest says, checked and resolved: no template is left in it and every name it uses is declared.

use super::route::Routes;
use super::variables::Value;
use host_adapters_delivery::dead_letter::Origin;
use host_adapters_limits::Limits;
use host_adapters_outbound::{AllowedHosts, ServiceConfig};
use host_adapters_platform::objects::Notification;
use host_adapters_platform::{Declared, Grants, IdentityConfig};
use host_adapters_sources::{Resource, SourceConfig};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The application of one `spin.toml`.
#[derive(Clone, Debug)]
pub struct App {
    /// `application.name`.
    pub name: String,
    /// `application.version`; empty if not given.
    pub version: String,
    /// The manifest itself.
    pub path: PathBuf,
    /// Components by id.
    pub components: BTreeMap<String, Component>,
    /// `[[trigger.http]]`: which component answers which path.
    pub routes: Routes,
    /// `[application.tool.host-adapters]`: what the host has for its components.
    pub host: HostConfig,
}

/// One `[component.<id>]`.
#[derive(Clone, Debug)]
pub struct Component {
    /// Its id.
    pub id: String,
    /// The WebAssembly file, relative paths taken from the manifest's folder.
    pub source: PathBuf,
    /// What `spin:variables` answers it.
    pub variables: BTreeMap<String, Value>,
    /// Environment variables of the sandbox.
    pub environment: BTreeMap<String, String>,
    /// Where its outbound calls may go.
    pub allowed_outbound_hosts: AllowedHosts,
    /// Imports that a Spin host composes in: package to the id of the component that exports it. This host answers the
    /// same imports itself.
    pub dependencies: BTreeMap<String, String>,
    /// How to build it; by its id, for one that a crate of the project makes.
    pub build: Option<Build>,
    /// `[component.<id>.profile.<name>]`: what Spin's build profiles make different.
    pub profiles: BTreeMap<String, Profile>,
    /// `artifact`: what the build makes. `source` is made of it by freezing its initialised state; where there is none,
    /// the build makes `source` itself.
    pub artifact: Option<PathBuf>,
    /// What an instance may use.
    pub limits: Limits,
    /// Its sources of events, besides HTTP.
    pub sources: Vec<SourceConfig>,
    /// What it may touch on the platform.
    pub grants: Grants,
}

impl Component {
    /// Whether it has a source of tasks.
    pub fn does_tasks(&self) -> bool {
        self.sources.iter().any(|source| source.does_tasks())
    }
}

/// `[component.<id>.build]`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Build {
    /// Shell commands, run one after the other.
    pub commands: Vec<String>,
    /// Where to run them.
    pub workdir: PathBuf,
    /// Patterns of the files it is made of, below `workdir`; none for those of the component's folder and of the crates
    /// that components share.
    pub watch: Vec<String>,
}

/// `[component.<id>.profile.<name>]`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Profile {
    /// What the build makes instead.
    pub source: Option<PathBuf>,
    /// The commands to run instead; none for the component's own.
    pub commands: Vec<String>,
    /// Environment variables that it adds or changes.
    pub environment: BTreeMap<String, String>,
}

/// `[application.tool.host-adapters]`.
#[derive(Clone, Debug, Default)]
pub struct HostConfig {
    /// What it declares by name, dead-letter queues included.
    pub declared: Declared,
    /// Services that components call by their names.
    pub services: Vec<ServiceConfig>,
    /// Whose tokens `identity.verify` accepts.
    pub identity: Option<IdentityConfig>,
    /// Callers of the gateway that are not components, by name.
    pub clients: BTreeMap<String, Client>,
}

/// A caller of the gateway that is not a component.
#[derive(Clone, Debug)]
pub struct Client {
    /// What it sends as `Authorization: Bearer …`. While it is empty, this client cannot call.
    pub token: Value,
    /// What it may touch.
    pub grants: Grants,
}

impl App {
    /// What the backends must have for this application.
    pub fn declared(&self) -> Declared {
        let mut declared = Declared {
            tasks: self.components.values().filter(|it| it.does_tasks()).map(|it| it.id.clone()).collect(),
            notifications: self.notifications().collect(),
            ..self.host.declared.clone()
        };
        for (name, table) in &mut declared.tables {
            table.consumers = self.consumers(name).map(|component| component.id.clone()).collect();
        }
        declared
    }

    /// Whether anything calls a component: one that only fills the imports of others on a Spin host (`gateway-client`)
    /// has neither source nor route.
    pub fn is_called(&self, component: &Component) -> bool {
        !component.sources.is_empty() || self.routes.of(&component.id).next().is_some()
    }

    /// The dead letter queues, and what feeds each: sources, and queues by their own redrive.
    pub fn dead_letter_queues(&self) -> BTreeMap<String, Vec<Origin>> {
        let sources = self.components.values().flat_map(|it| it.sources.iter().map(|source| (it.id.as_str(), source)));
        let mut queues: BTreeMap<String, Vec<Origin>> = BTreeMap::new();
        for (queue, origin) in sources.clone().filter_map(|(worker, source)| source.dead_letters(worker)) {
            queues.entry(queue).or_default().push(origin);
        }
        for (name, queue) in &self.host.declared.queues {
            let Some(dead_letters) = &queue.dead_letter_queue else { continue };
            let worker = sources.clone().find(|(_, source)| source.is_fed_by(Resource::QUEUE, name));
            let origin = worker.and_then(|(id, source)| source.dead_letters(id));
            let origin = origin.map_or_else(|| Origin::of_queue(name), |(_, origin)| origin);
            let origins = queues.entry(dead_letters.clone()).or_default();
            if !origins.contains(&origin) {
                origins.push(origin);
            }
        }
        queues
    }

    /// Which queues are notified of objects.
    fn notifications(&self) -> impl Iterator<Item = Notification> {
        self.components.values().flat_map(|it| &it.sources).filter_map(|source| source.notified())
    }

    /// The components that read the stream of a table.
    fn consumers(&self, table: &str) -> impl Iterator<Item = &Component> {
        let reads = move |source: &SourceConfig| source.is_fed_by(Resource::TABLE, table);
        self.components.values().filter(move |it| it.sources.iter().any(reads))
    }
}
