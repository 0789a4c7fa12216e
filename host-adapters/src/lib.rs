//! The host's own parts; the sandbox is `host-adapters-runtime`, what feeds it and stands behind it
//! `host-adapters-delivery`, what spin.toml says of both `host-adapters-manifest`.

pub mod app;
pub mod backends;
pub mod cli;
pub mod components;
pub mod dispatch;
pub mod endpoint;
pub mod gateway;
pub mod host;
pub mod outgoing;
pub mod secrets;
pub mod shutdown;
pub mod telemetry;

pub use host_adapters_manifest as manifest;
