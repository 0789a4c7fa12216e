//! A backend as the operator configured it: opened, probed, provisioned.

use crate::{Declared, DocumentsBackend, QueueBackend, QueueBrowser, Result, StreamBackend, TableBackend};
use host_adapters_records::cache::CacheBackend;
use std::any::Any;
use std::fmt::Debug;
use std::path::Path;
use std::sync::Arc;

/// One section of the runtime configuration, read. Its `Debug` shows no secret.
#[async_trait::async_trait]
pub trait Backend: Any + Debug + Send + Sync {
    /// Makes the clients; connects at first use. `data` is the host's folder.
    ///
    /// # Errors
    /// Says which setting cannot be used.
    async fn open(&self, declared: &Declared, data: &Path) -> std::result::Result<Opened, String>;

    /// Whether the server answers and has what is declared.
    ///
    /// # Errors
    /// Why not.
    async fn probe(&self, declared: &Declared) -> Result<()>;

    /// Makes what is declared and missing; what is there is left as it is.
    ///
    /// # Errors
    /// Names what the server refuses, or what is there and not as declared.
    async fn provision(&self, declared: &Declared) -> std::result::Result<(), String>;
}

/// What a backend stands behind.
pub enum Opened {
    /// `table`, and the change streams of tables.
    Tables(Arc<dyn TableBackend>, Arc<dyn StreamBackend>),
    /// `queue`, sources and dead letters.
    Queues(Arc<dyn QueueBackend>, Arc<dyn QueueBrowser>),
    /// `documents`.
    Documents(Arc<dyn DocumentsBackend>),
    /// `spin:redis`.
    Cache(Arc<dyn CacheBackend>),
}
