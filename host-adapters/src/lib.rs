//! The host itself. The sandbox is in `host-adapters-runtime`, the delivery of events in `host-adapters-delivery`, the
//! reader of spin.toml in `host-adapters-manifest`.

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
pub mod server;
pub mod shutdown;
pub mod telemetry;

pub use host_adapters_manifest as manifest;
