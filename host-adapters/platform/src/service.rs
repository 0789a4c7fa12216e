//! The platform over backends.

use crate::grants::{Grants, Need};
use crate::{DocumentsBackend, IdentityBackend, QueueBackend, Result, TableBackend, documents, identity, queue, table};
use host_adapters_failpoint::{self as failpoint, Step};
use platform_wire::documents::{FindOne, ReplaceOne};
use platform_wire::identity::{Claims, Verify};
use platform_wire::queue::SendBatch;
use platform_wire::table::{BatchGet, BatchUpdate, BatchWrite, Page, Query};
use platform_wire::{Answer, Error, Platform};
use std::collections::HashMap;
use std::sync::Arc;

/// The platform over backends, with the grants of each component and client by name.
pub struct PlatformService {
    /// Who may call what; a name that is not here may call nothing.
    pub grants: HashMap<String, Grants>,
    /// Behind `table`.
    pub tables: Arc<dyn TableBackend>,
    /// Behind `queue`.
    pub queues: Arc<dyn QueueBackend>,
    /// Behind `documents`.
    pub documents: Arc<dyn DocumentsBackend>,
    /// Behind `identity`; without it no token can be verified.
    pub identity: Option<Arc<dyn IdentityBackend>>,
}

impl PlatformService {
    /// Refuses what the caller's grants do not name.
    pub(crate) fn check(&self, caller: &str, need: Need<'_>) -> Result<()> {
        let granted = self.grants.get(caller).is_some_and(|grants| grants.allow(need));
        if granted { Ok(()) } else { Err(need.denied(caller)) }
    }
}

/// A crash here leaves the caller without the answer to what has happened.
fn took_effect<T>(done: Result<T>) -> Result<T> {
    if done.is_ok() {
        failpoint::reached(Step::SideEffect);
    }
    done
}

#[async_trait::async_trait]
impl Platform for PlatformService {
    async fn table_batch_get(&self, caller: &str, args: BatchGet) -> Result<Vec<Option<String>>> {
        table::batch_get(self, caller, args).await
    }

    async fn table_batch_write(&self, caller: &str, args: BatchWrite) -> Result<Vec<Option<Error>>> {
        took_effect(table::batch_write(self, caller, args).await)
    }

    async fn table_batch_update(&self, caller: &str, args: BatchUpdate) -> Result<Vec<Option<Error>>> {
        took_effect(table::batch_update(self, caller, args).await)
    }

    async fn table_query(&self, caller: &str, args: Query) -> Result<Page> {
        table::query(self, caller, args).await
    }

    async fn queue_send_batch(&self, caller: &str, args: SendBatch) -> Result<Vec<Answer<String>>> {
        took_effect(queue::send_batch(self, caller, args).await)
    }

    async fn documents_find_one(&self, caller: &str, args: FindOne) -> Result<Option<String>> {
        documents::find_one(self, caller, args).await
    }

    async fn documents_replace_one(&self, caller: &str, args: ReplaceOne) -> Result<()> {
        took_effect(documents::replace_one(self, caller, args).await)
    }

    async fn identity_verify(&self, caller: &str, args: Verify) -> Result<Claims> {
        identity::verify(self, caller, args).await
    }
}
