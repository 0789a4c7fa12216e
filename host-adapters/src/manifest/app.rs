//! What a manifest says, checked and resolved: no template is left in it and every name it uses is declared.

use super::route::Routes;
use super::variables::Value;
use host_adapters_delivery::services::{AllowedHosts, ServiceConfig};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

pub use super::grants::{Access, Grants};
pub use super::limits::Limits;
pub use super::source::{OnReject, Source, SqsSource, StartingPosition, StreamSource};

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
    pub host: Host,
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
    /// The labels of the key-value stores it may open.
    pub key_value_stores: BTreeSet<String>,
    /// Imports that a Spin host composes in: package to the id of the component that exports it. This host answers the
    /// same imports itself.
    pub dependencies: BTreeMap<String, String>,
    /// How to build it.
    pub build: Option<Build>,
    /// What an instance may use.
    pub limits: Limits,
    /// What feeds it, besides HTTP.
    pub sources: Vec<Source>,
    /// What it may touch on the platform.
    pub grants: Grants,
}

/// `[component.<id>.build]`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Build {
    /// Shell commands, run one after the other.
    pub commands: Vec<String>,
    /// Where to run them.
    pub workdir: PathBuf,
}

/// `[application.tool.host-adapters]`.
#[derive(Clone, Debug, Default)]
pub struct Host {
    /// Queues by name, dead-letter queues included.
    pub queues: BTreeMap<String, Queue>,
    /// Tables by name.
    pub tables: BTreeMap<String, Table>,
    /// Collections of documents.
    pub collections: BTreeSet<String>,
    /// Services that components call by a virtual host.
    pub services: Vec<ServiceConfig>,
    /// Whose tokens `identity.verify` accepts.
    pub identity: Option<Identity>,
    /// Callers of the gateway that are no components, by name.
    pub clients: BTreeMap<String, Client>,
}

/// One queue.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Queue {
    /// How long a received message stays invisible unless its source says otherwise.
    pub visibility_timeout: Duration,
    /// How often a message may be received before the queue itself moves it to the dead-letter queue.
    pub max_receive_count: u32,
    /// Where such messages go.
    pub dead_letter_queue: Option<String>,
}

/// One table.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Table {
    /// Whether its changes can be read as a stream.
    pub stream: bool,
}

/// Whose tokens are accepted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Identity {
    /// `iss`.
    pub issuer: String,
    /// `aud`.
    pub audience: String,
    /// Where the public keys are.
    pub jwks: Jwks,
}

/// Where a JSON Web Key Set is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Jwks {
    /// A file.
    File(PathBuf),
    /// An `http` or `https` URL.
    Url(String),
}

/// A caller of the gateway that is no component.
#[derive(Clone, Debug)]
pub struct Client {
    /// What it sends as `Authorization: Bearer …`. While it is empty, nobody can call as this client.
    pub token: Value,
    /// What it may touch.
    pub grants: Grants,
}
