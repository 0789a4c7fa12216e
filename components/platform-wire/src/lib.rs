//! The wire of the platform: `POST /platform/<interface>/<function>`, the arguments by their WIT names as JSON.
//!
//! One small crate for both ends: the component `gateway-client` and every native client on one side, the gateway of
//! `host-adapters` on the other. In process the same types cross from the sandbox to the backends, unserialized.
//! Names and meanings are those of `wit/deps/registration-platform/platform.wit`.

#[cfg(feature = "host")]
pub mod cache;
pub mod documents;
mod error;
pub mod http;
pub mod identity;
#[cfg(feature = "host")]
mod platform;
pub mod queue;
pub mod table;

pub use error::{Answer, Error, ErrorKind};
#[cfg(feature = "host")]
pub use platform::Platform;

/// One function of the platform: its arguments are the type that implements this.
pub trait Function: serde::Serialize + serde::de::DeserializeOwned {
    /// `<interface>/<function>`, as in the path of the wire.
    const PATH: &'static str;
    /// What it answers under `ok`.
    type Output: serde::Serialize + serde::de::DeserializeOwned;
}
