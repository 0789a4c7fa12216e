//! What workers may call, independent of the backend: one module per WIT interface, whose functions check the caller's
//! grant and then call the backend; and what all backends share.
//!
//! - `platform`: the platform itself. [`Grants`]: who may call what.
//! - `backend`: the traits that backends implement.
//! - [`limits`]: what every backend accepts, checked before one is asked; [`filter`], [`find`], [`update`],
//!   [`json`], [`names`]: shared by backends.

mod backend;
pub mod clock;
mod components;
mod configured;
pub mod dead_letter;
mod declared;
mod documents;
pub mod filter;
pub mod find;
mod grants;
mod identity;
pub mod json;
pub mod limits;
pub mod names;
mod outage;
mod platform;
mod queue;
mod service;
mod table;
pub mod update;

pub use backend::*;
pub use configured::{Backend, Opened};
pub use declared::{Declared, IdentityConfig, QueueSpec, TableSpec};
pub use grants::{Access, ComponentsAccess, Grants, QueueAccess};
pub use platform::PlatformService;
pub(crate) use platform::took_effect;
