//! Helpers of all test binaries.

pub mod aws;
mod child;
pub mod components;
mod event_log;
mod fan;
mod host;
pub mod log;
pub mod manifest;
pub mod programs;
pub mod project;
mod serve;
mod services;
mod settings;
mod table;
pub mod wait;
pub mod workers;

pub use child::Child;
pub use event_log::Logged;
pub use fan::{AUDIENCE, Fan, ISSUER, Signer};
pub use host::{Reply, TestHost, client, metrics};
pub use serve::serve;
pub use settings::{OPERATOR_TOKEN, TESTER_TOKEN, WORKER_TOKEN, impatient, variables, without_sources, without_stream};
pub use table::entry;
