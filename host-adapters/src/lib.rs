//! The host's own parts; the sandbox is `host-adapters-runtime`, what feeds it and stands behind it
//! `host-adapters-delivery`.

pub mod app;
pub mod backends;
pub mod cli;
pub mod dispatch;
pub mod edge;
pub mod gateway;
pub mod host;
pub mod manifest;
pub mod shutdown;
pub mod telemetry;
