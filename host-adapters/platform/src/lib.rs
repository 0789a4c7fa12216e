//! What workers may call, independent of the backend: one module per WIT interface, with the trait that its backends
//! implement and its functions, which check the caller's grant and then call the backend; and what all backends share.
//!
//! - [`PlatformService`]: the platform itself. [`Grants`]: who may call what.
//! - `backend`: what sources need of backends, and `absent`: implementations for stores that a host lacks; [`task`]:
//!   what is needed from those that store executions.
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
pub mod dead_letter;
mod declared;
pub mod fifo;
pub mod filter;
pub mod find;
mod grants;
mod left_out;
pub mod limits;
pub mod names;
pub mod node;
mod outage;
pub mod retry;
mod secrets;
pub mod task;
pub mod update;

pub use absent::{NoFailures, NoStreams, NoTopics};
pub use backend::*;
pub use configured::{Backend, Difference};
pub use declared::{Declared, DeclaredNames, DeclaredSettings, IdentityConfig, QueueSpec, TableSpec};
pub use grants::{Access, ComponentsAccess, Grants, ObjectAccess, QueueAccess, TaskAccess};
pub use left_out::{LEFT_OUT, TRIMMED, expired, left_out, trimmed};
pub use secrets::SecretStore;

use grants::Need;
use host_adapters_failpoint::{self as failpoint, Step};
use host_adapters_records::cache::CacheBackend;
use host_adapters_records::{self as records, Caller, Function, Platform, platform_functions};
use std::collections::HashMap;
use std::sync::Arc;
use task::{ExecutionTable, TaskBackend};
use tokio::time::Instant;

/// Declares the interfaces of the platform. A row has the module of its functions and of the trait that its backends
/// implement, with what other crates need of it; the member of [`PlatformService`]; and the variant of [`Opened`], if
/// the operator chooses the backend, with all that such a backend implements.
macro_rules! interfaces {
    ($(
        $(#[doc = $doc:literal])*
        $visibility:vis mod $module:ident::{$($export:ident),+}, $member:ident: $backend:ty
            $(, $(#[doc = $about:literal])* opened as $opened:ident($($part:ty),+))?;
    )+) => {
        $($visibility mod $module;)+
        $(pub use $module::{$($export),+};)+

        /// The platform over backends, with the grants of each component and client by name.
        pub struct PlatformService {
            /// The declared names, for refusals.
            pub declared: Declared,
            /// Who may call what; a name that is not here may call nothing.
            pub grants: HashMap<String, Grants>,
            $($(#[doc = $doc])* pub $member: $backend,)+
        }

        /// The interfaces that a backend implements, and what else is read from it.
        pub enum Opened {
            $($($(#[doc = $about])* $opened($($part),+),)?)+
            /// `spin:redis`.
            Cache(Arc<dyn CacheBackend>),
            /// The executions of tasks, and how they are started, where that is not the business of another program.
            Tasks(Arc<dyn TaskBackend>, Option<Arc<dyn ExecutionTable>>),
            /// The secrets of the runtime configuration.
            Secrets(Arc<dyn SecretStore>),
        }
    };
}

interfaces! {
    /// Behind `table`.
    mod table::{TableBackend}, tables: Arc<dyn TableBackend>,
        /// `table`, the change streams of tables, and the failures of messages.
        opened as Tables(Arc<dyn TableBackend>, Arc<dyn StreamBackend>, Arc<dyn FailureTable>);
    /// Behind `queue`.
    mod queue::{QueueBackend}, queues: Arc<dyn QueueBackend>,
        /// `queue`, the queues of sources and of dead letters.
        opened as Queues(Arc<dyn QueueBackend>, Arc<dyn QueueBrowser>);
    /// Behind `documents`.
    mod documents::{DocumentsBackend}, documents: Arc<dyn DocumentsBackend>,
        /// `documents`.
        opened as Documents(Arc<dyn DocumentsBackend>);
    /// Behind `objects`.
    pub mod objects::{ObjectsBackend}, objects: Arc<dyn ObjectsBackend>,
        /// `objects`.
        opened as Objects(Arc<dyn ObjectsBackend>);
    /// Behind `data-streams`.
    pub mod data_streams::{DataStreamAccess, DataStreamBackend, DataStreamSpec, hash_key},
        data_streams: Arc<dyn DataStreamBackend>,
        /// `data-streams`, and how they are read.
        opened as DataStreams(Arc<dyn DataStreamBackend>, Arc<dyn DataStreamReader>);
    /// Behind `topic`.
    pub mod topic::{FilterScope, SubscriptionSpec, TopicBackend, TopicSpec}, topics: Arc<dyn TopicBackend>,
        /// `topic`.
        opened as Topics(Arc<dyn TopicBackend>);
    /// Behind `identity`; without it no token can be verified.
    mod identity::{IdentityBackend}, identity: Option<Arc<dyn IdentityBackend>>;
    /// Behind `service`; without it there are no services.
    mod service::{ServiceBackend}, services: Option<Arc<dyn ServiceBackend>>;
    /// Behind `event-log`.
    pub mod event_log::{EventLogAccess, EventLogBackend, LogPage, LogPartition, LogTopicSpec, LoggedRecord},
        event_log: Arc<dyn EventLogBackend>,
        /// `event-log`, and how groups read it.
        opened as EventLog(Arc<dyn EventLogBackend>, Arc<dyn EventLogReader>);
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

/// A crash here loses the response to a call that has taken effect.
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
