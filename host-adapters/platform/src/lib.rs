//! What workers may call, independent of the backend: one module per WIT interface, with the trait that its backends
//! implement and its functions, which check the caller's grant and then call the backend; and what all backends share.
//!
//! - [`PlatformService`]: the platform itself. [`Grants`]: who may call what.
//! - `backend`: what sources need of backends, and `absent`: what stands for a backend that does not exist; [`task`]: what
//!   is needed from those that store executions.
//! - [`circuit_breaker`], [`retry`]: stop the use of a dependency that is down, and the waits in between.
//! - [`limits`]: what every backend accepts, checked before one is asked (for data streams in [`data_streams`], for
//!   topics in [`topic`], for the event log in [`event_log`]);
//!   [`filter`], [`find`], [`update`], [`names`], [`fifo`], [`node`], [`objects`]: shared by backends.

mod absent;
mod backend;
pub mod circuit_breaker;
pub mod clock;
mod components;
mod configured;
pub mod data_streams;
pub mod dead_letter;
mod declared;
mod documents;
pub mod event_log;
pub mod fifo;
pub mod filter;
pub mod find;
mod grants;
mod identity;
mod left_out;
pub mod limits;
pub mod names;
pub mod node;
pub mod objects;
mod outage;
mod queue;
pub mod retry;
mod service;
mod table;
pub mod task;
pub mod topic;
pub mod update;

pub use absent::{NoFailures, NoStreams, NoTopics};
pub use backend::*;
pub use configured::{Backend, Difference, Opened};
pub use data_streams::{DataStreamAccess, DataStreamBackend, DataStreamSpec, hash_key};
pub use declared::{Declared, DeclaredNames, DeclaredSettings, IdentityConfig, QueueSpec, TableSpec};
pub use documents::DocumentsBackend;
pub use event_log::{EventLogAccess, EventLogBackend, LogPage, LogPartition, LogTopicSpec, LoggedRecord};
pub use grants::{Access, ComponentsAccess, Grants, ObjectAccess, QueueAccess, TaskAccess};
pub use identity::IdentityBackend;
pub use left_out::{LEFT_OUT, TRIMMED, expired, left_out, trimmed};
pub use objects::ObjectsBackend;
pub use queue::QueueBackend;
pub use service::ServiceBackend;
pub use table::TableBackend;
pub use topic::{FilterScope, SubscriptionSpec, TopicBackend, TopicSpec};

use grants::Need;
use host_adapters_failpoint::{self as failpoint, Step};
use host_adapters_records::{self as records, Caller, Function, Platform, platform_functions};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::time::Instant;

/// The platform over backends, with the grants of each component and client by name.
pub struct PlatformService {
    /// What there is, for refusals.
    pub declared: Declared,
    /// Who may call what; a name that is not here may call nothing.
    pub grants: HashMap<String, Grants>,
    /// Behind `table`.
    pub tables: Arc<dyn TableBackend>,
    /// Behind `queue`.
    pub queues: Arc<dyn QueueBackend>,
    /// Behind `documents`.
    pub documents: Arc<dyn DocumentsBackend>,
    /// Behind `objects`.
    pub objects: Arc<dyn ObjectsBackend>,
    /// Behind `data-streams`.
    pub data_streams: Arc<dyn DataStreamBackend>,
    /// Behind `topic`.
    pub topics: Arc<dyn TopicBackend>,
    /// Behind `identity`; without it no token can be verified.
    pub identity: Option<Arc<dyn IdentityBackend>>,
    /// Behind `service`; without it there are no services.
    pub services: Option<Arc<dyn ServiceBackend>>,
    /// Behind `event-log`.
    pub event_log: Arc<dyn EventLogBackend>,
}

impl PlatformService {
    /// Refuses what the caller's grants do not name.
    pub(crate) fn check(&self, caller: Caller<'_>, need: Need<'_>) -> Result<()> {
        match self.grants.get(caller.name) {
            Some(grants) if grants.allow(need) => Ok(()),
            grants => Err(need
                .undeclared(caller.name, &self.declared)
                .unwrap_or_else(|| need.denied(caller.name, grants.is_some_and(|grants| grants.of_client)))),
        }
    }
}

/// A crash here leaves the caller without the answer to what has happened.
pub(crate) fn took_effect<T>(caller: Caller<'_>, done: Result<T>) -> Result<T> {
    if done.is_ok() {
        failpoint::reached_by(caller.name, Step::SideEffect);
    }
    done
}

/// Calls of the platform, by who called which function, with what result.
pub const SECONDS: &str = "registration_platform_seconds";

fn measure<T>(caller: Caller<'_>, function: &'static str, began: Instant, output: &Result<T>) {
    let result = output.as_ref().err().map_or("ok", |error| error.kind.name());
    let caller = caller.name.to_owned();
    let seconds = metrics::histogram!(SECONDS, "caller" => caller, "function" => function, "result" => result);
    seconds.record(began.elapsed());
}

macro_rules! platform {
    ($($interface:ident $interface_wit:literal { $(
        $method:ident $wit:literal $arguments:ident($($argument:ident: $type:ty),*) $(of $resource:ident)? -> $output:ty;
    )* })*) => {
        #[async_trait::async_trait]
        impl Platform for PlatformService {
            $($(
                async fn $method(
                    &self,
                    caller: Caller<'_>,
                    args: records::$interface::$arguments,
                ) -> records::Output<records::$interface::$arguments> {
                    let (began, path) = (Instant::now(), <records::$interface::$arguments as Function>::PATH);
                    let output = crate::$interface::$method(self, caller, args).await;
                    measure(caller, path, began, &output);
                    output
                }
            )*)*
        }
    };
}

platform_functions!(platform);
