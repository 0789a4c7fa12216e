//! A backend as the operator has configured it. It can be opened, probed and provisioned.

use crate::task::{ExecutionTable, TaskBackend};
use crate::{
    DataStreamBackend, DataStreamReader, Declared, DocumentsBackend, EventLogBackend, EventLogReader, FailureTable,
    ObjectsBackend, QueueBackend, QueueBrowser, Result, StreamBackend, TableBackend, TopicBackend,
};
use host_adapters_records::cache::CacheBackend;
use std::any::Any;
use std::fmt::Debug;
use std::path::Path;
use std::sync::Arc;

/// The settings of one section of the runtime configuration. Its `Debug` output contains no secrets.
#[async_trait::async_trait]
pub trait Backend: Any + Debug + Send + Sync {
    /// Where the server is, for people: without user, password and key.
    fn address(&self) -> String;

    /// Faults that concern several settings, or a setting and what is declared, each with its key. A message quotes no
    /// address: it may hold a password.
    fn faults(&self, _declared: &Declared) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// Makes the clients, which connect at first use. `data` is the host's data folder.
    ///
    /// # Errors
    /// When a setting cannot be used; names it.
    async fn open(&self, declared: &Declared, data: &Path) -> std::result::Result<Opened, String>;

    /// Checks that the server responds and has what is declared.
    ///
    /// # Errors
    /// When it does not answer, or something is missing.
    async fn probe(&self, declared: &Declared) -> Result<()>;

    /// The differences between the server and what is declared. What is missing is not a difference, except where records
    /// would be lost without it: a topic's queue or subscription.
    ///
    /// # Errors
    /// When the server does not tell.
    async fn differences(&self, _declared: &Declared) -> Result<Vec<Difference>> {
        Ok(Vec::new())
    }

    /// Creates what is declared and missing, and changes nothing else.
    ///
    /// # Errors
    /// When the server refuses, or when something exists and differs from its declaration; names it.
    async fn provision(&self, declared: &Declared) -> std::result::Result<(), String>;
}

/// How something on a server differs from its declaration.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Difference {
    /// What differs, with both values, and what to do.
    pub message: String,
    /// Whether records would not end as declared: the host does not start.
    pub is_harmful: bool,
}

/// The interfaces that a backend implements.
pub enum Opened {
    /// `table`, the change streams of tables, and the failures of messages.
    Tables(Arc<dyn TableBackend>, Arc<dyn StreamBackend>, Arc<dyn FailureTable>),
    /// `queue`, the queues of sources and of dead letters.
    Queues(Arc<dyn QueueBackend>, Arc<dyn QueueBrowser>),
    /// `documents`.
    Documents(Arc<dyn DocumentsBackend>),
    /// `objects`.
    Objects(Arc<dyn ObjectsBackend>),
    /// `data-streams`, and how they are read.
    DataStreams(Arc<dyn DataStreamBackend>, Arc<dyn DataStreamReader>),
    /// `topic`.
    Topics(Arc<dyn TopicBackend>),
    /// `spin:redis`.
    Cache(Arc<dyn CacheBackend>),
    /// The executions of tasks, and how they are started, where that is not the business of another program.
    Tasks(Arc<dyn TaskBackend>, Option<Arc<dyn ExecutionTable>>),
    /// `event-log`, and how groups read it.
    EventLog(Arc<dyn EventLogBackend>, Arc<dyn EventLogReader>),
}
