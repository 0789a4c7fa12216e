//! Runs components. Only this crate uses wasmtime; it does not use AWS, Kafka, MongoDB or Redis.
//!
//! - [`engine`]: one wasmtime engine with a pooling allocator and its clock of epochs.
//! - [`component`]: compile (or load from the cache of `compiled`), link, check against [`requirements`].
//! - [`identity`]: which component a file is, by the id in it.
//! - [`registry`]: which version of which component serves; publishing a version is one atomic exchange.
//! - [`pool`] and `instance`: calls wait for an instance; an instance is a task that owns its store.
//! - `state`, `imports`: what is inside a store, and the host functions a guest may call.
//! - [`host`]: what the runtime itself needs from outside.
//! - [`preinit`]: freezes a component's initialised state at build time.

#![deny(missing_docs)]

mod bindings;
mod budget;
pub mod call;
mod calls;
mod check;
mod compiled;
pub mod component;
pub mod engine;
mod guest;
pub mod host;
pub mod identity;
mod imports;
mod instance;
mod logs;
mod outages;
pub mod pool;
pub mod preinit;
pub mod registry;
mod request;
pub mod requirements;
mod response;
mod state;
mod turn;

pub use call::{CallError, Called, Completion, Disposition, Event, Payload, Retry};
pub use check::check;
pub use compiled::digest;
pub use component::{ComponentSpec, LoadError, Source};
pub use engine::{Interfaces, RuntimeConfig};
pub use host::Host;
pub use host_adapters_limits::Limits;
pub use registry::{Loaded, Runtime};
pub use requirements::{Export, RefusedImport, RequiredExport, Requirements};
